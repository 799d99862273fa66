// What still stands in the way of a host that is to go into maintenance: asked by whoever empties it, by the job that waits for it, and by
// listHosts, so that all three say the same.
import { idsOf } from './gateway-claims.ts';
import type { Db } from './open.ts';
import type { Tables } from './schema.ts';

type Host = Tables['host'];

/** CloudStack's names. */
export const EMPTYING = 'PrepareForMaintenance';
export const EMPTY = 'Maintenance';

export interface Left {
  /** Names of the VPCs and networks whose way out it carries, though another could. */
  readonly carried: readonly string[];
  /** Instances that run on it, come to it, or are on their way from it. */
  readonly instances: readonly { readonly id: string; readonly hostname: string; readonly state: string }[];
  /** Names of the networks of which it is the master router, though another node could be. */
  readonly routed: readonly string[];
}

/** Hosts that are being emptied. */
export async function hostsToEmpty(db: Db): Promise<Host[]> {
  return db.selectFrom('host').selectAll().where('resourcestate', '=', EMPTYING).orderBy('name').execute();
}

export async function whatIsLeft(db: Db, host: Pick<Host, 'id' | 'zone'>): Promise<Left> {
  const claims = await db.selectFrom('gatewayclaim').selectAll().where('host', '=', host.id).execute();
  const hosts = await db.selectFrom('host').selectAll().where('zone', '=', host.zone).execute();
  const able = new Set(hosts.filter(canServe).map(({ id }) => id));
  const carriers = new Set(carriersAmong(hosts).map(({ id }) => id));
  const movable = claims.filter(({ candidates }) => idsOf(candidates).some((id) => id !== host.id && carriers.has(id)));
  const instances = await db
    .selectFrom('instance')
    .select(['id', 'hostname', 'state'])
    .where((eb) => eb.or([eb('host', '=', host.id), eb('migratefrom', '=', host.id)]))
    .orderBy('hostname')
    .execute();
  const legs = await db
    .selectFrom('networkrouter')
    .innerJoin('network', 'network.id', 'networkrouter.network')
    .select(['network.id', 'network.name'])
    .where('networkrouter.host', '=', host.id)
    .where('networkrouter.state', '=', 'MASTER')
    .orderBy('network.name')
    .execute();
  const routed: string[] = [];
  for (const leg of legs) {
    const others = await db
      .selectFrom('networkrouter')
      .select('host')
      .where('network', '=', leg.id)
      .where('host', '!=', host.id)
      .execute();
    if (others.some((other) => able.has(other.host))) routed.push(leg.name);
  }
  return { carried: await namesOfUnits(db, movable), instances, routed };
}

/** Whether a host can have roles: it answers, and is not on its way out itself. */
export function canServe({ state, resourcestate, kind }: Pick<Host, 'state' | 'resourcestate' | 'kind'>): boolean {
  return state === 'Up' && resourcestate !== EMPTYING && resourcestate !== EMPTY && kind !== 'witness';
}

/** Those of a zone's hosts that can be given a way out to carry: its gateways, or its hypervisors where it has none. */
export function carriersAmong(hosts: readonly Host[]): readonly Host[] {
  const joined = hosts.filter(({ serial }) => serial !== null);
  const gateways = joined.filter(({ kind }) => kind === 'gateway');
  const ring = gateways.length > 0 ? gateways : joined.filter(({ kind }) => kind === 'hypervisor');
  return ring.filter(canServe);
}

/** The names of the VPCs and networks that claims are of, each once. What belongs to no tenant has none. */
export async function namesOfUnits(db: Db, claims: readonly { readonly unit: string }[]): Promise<string[]> {
  const ids = [...new Set(claims.map(({ unit }) => unit.slice(unit.indexOf(':') + 1)))];
  if (ids.length === 0) return [];
  const vpcs = await db.selectFrom('vpc').select('name').where('id', 'in', ids).execute();
  const networks = await db.selectFrom('network').select('name').where('id', 'in', ids).execute();
  return [...vpcs.map(({ name }) => `VPC ${name}`), ...networks.map(({ name }) => `network ${name}`)].toSorted();
}

/** The same as a sentence; undefined when nothing is left. */
export function sentenceOf(
  { name, state }: Pick<Host, 'name' | 'state'>,
  { carried, instances, routed }: Left,
): string | undefined {
  const parts = [
    ...(carried.length === 0 ? [] : [`carries the way out of ${firstOf(carried)}`]),
    ...(routed.length === 0 ? [] : [`is the master router of ${firstOf(routed)}`]),
    ...(instances.length === 0
      ? []
      : [`has ${instances.length} instances: ${firstOf(instances.map(({ hostname }) => hostname))}`]),
  ];
  if (parts.length === 0) return undefined;
  const silent =
    state === 'Up' || instances.length === 0
      ? ''
      : `; it is ${state}, and only a host that answers can hand over instances: start its agent, or stop them`;
  return `host ${name} still ${parts.join(', ')}${silent}`;
}

function firstOf(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}

/** For each host that a job wants empty, what the job waits for. */
export async function maintenanceOf(db: Db): Promise<ReadonlyMap<string, string>> {
  const waits = new Map<string, string>();
  for (const host of await hostsToEmpty(db))
    waits.set(host.id, sentenceOf(host, await whatIsLeft(db, host)) ?? `host ${host.name} to be said empty`);
  return waits;
}
