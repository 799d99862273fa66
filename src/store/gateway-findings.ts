// What is wrong with the nodes that carry ways out, as far as it can be seen from here: each a sentence for the operator. Router nodes,
// which carry those of their networks, are among them. Pure but for the
// two functions that ask and tell.
import { OPERATOR, addEvents } from './event.ts';
import type { Db, Store } from './open.ts';
import type { Tables } from './schema.ts';

type Host = Pick<Tables['host'], 'id' | 'name' | 'zone' | 'state' | 'resourcestate' | 'kind' | 'serial'>;
type Claim = Pick<Tables['gatewayclaim'], 'host' | 'unit'>;

/** A router node's part in a network. */
interface Leg {
  readonly host: string;
  readonly network: string;
  /** Of the network. */
  readonly name: string;
}

/** The type of the event that a finding becomes. */
export const GATEWAY_EVENT = 'GATEWAY.FINDING';

export interface GatewayFinding {
  /** The node, or the zone. */
  readonly about: { readonly type: 'Host' | 'Zone'; readonly id: string };
  readonly text: string;
}

/** Fewer make no majority: the survivor of two believes itself cut off and takes over nothing (measured). */
const MAJORITY = 3;
/** So few may be on one node by chance. */
const MANY = 4;

export function gatewayFindings(
  zones: readonly Pick<Tables['zone'], 'id' | 'name'>[],
  hosts: readonly Host[],
  claims: readonly Claim[],
  legs: readonly Leg[] = [],
): GatewayFinding[] {
  const routers = hosts.filter(({ kind, state }) => kind === 'router' && state === 'Down');
  return [...routers.map((router) => lostRouter(router, hosts, legs)), ...gatewaysOf(zones, hosts, claims)];
}

/** The names that fit into a sentence. */
const NAMES = 5;

/** What a router node that is Down means for the networks it routes for. */
function lostRouter({ id, name }: Host, hosts: readonly Host[], legs: readonly Leg[]): GatewayFinding {
  const up = new Set(hosts.filter(({ state }) => state === 'Up').map((host) => host.id));
  const own = legs.filter(({ host }) => host === id);
  const [shared, alone] = [true, false].map((carried) =>
    own.filter(({ network }) => legs.some((leg) => leg.network === network && up.has(leg.host)) === carried),
  ) as [Leg[], Leg[]];
  const named = (some: readonly Leg[]): string =>
    `${some.length === 1 ? 'network' : 'networks'} ${some
      .slice(0, NAMES)
      .map((leg) => leg.name)
      .join(', ')}${some.length > NAMES ? ` and ${some.length - NAMES} more` : ''}`;
  const means = [
    ...(alone.length === 0 ? [] : [`nobody else routes for ${named(alone)}`]),
    ...(shared.length === 0 ? [] : [`the other of the pair has ${named(shared)} to itself`]),
    ...(own.length === 0 ? ['no network depends on it'] : []),
  ].join('; ');
  const text = `router node ${name} is Down: ${means}. Start it, or move its routers to another node with rebootRouter`;
  return { about: { type: 'Host', id }, text };
}

function gatewaysOf(
  zones: readonly Pick<Tables['zone'], 'id' | 'name'>[],
  hosts: readonly Host[],
  claims: readonly Claim[],
): GatewayFinding[] {
  return zones.flatMap((zone) => {
    const own = hosts.filter((host) => host.zone === zone.id && host.serial !== null && host.kind !== 'router');
    const gateways = own.filter(({ kind }) => kind === 'gateway');
    const about = { type: 'Zone' as const, id: zone.id };
    const carried = claims.length > 0 || gateways.length > 0;
    const found: GatewayFinding[] = [];
    if (gateways.length === 1) {
      const text = `zone ${zone.name} has one gateway node, ${gateways[0]!.name}: when it is lost only hypervisors that are on the public wire can take over. Add another: createJoinToken kind=gateway`;
      found.push({ about, text });
    }
    if (carried && own.length < MAJORITY) {
      const text = `zone ${zone.name} has ${own.length} nodes that could carry ways out or watch those that do, and it takes ${MAJORITY} to tell who is lost: nobody takes over. Add a witness, which needs next to nothing: createJoinToken kind=witness`;
      found.push({ about, text });
    }
    for (const host of gateways) {
      if (host.state !== 'Down') continue;
      const text = `gateway node ${host.name} is Down: what it carried is carried by others. Start it, or remove it with deleteHost`;
      found.push({ about: { type: 'Host', id: host.id }, text });
    }
    const able = gateways.filter(({ state, resourcestate }) => state === 'Up' && resourcestate === 'Enabled');
    const here = claims.filter(({ host }) => own.some(({ id }) => id === host));
    const holders = new Set(here.map(({ host }) => host));
    const [only] = holders;
    if (able.length > 1 && holders.size === 1 && here.length >= MANY) {
      const name = own.find(({ id }) => id === only)?.name ?? only;
      const text = `gateway node ${name} carries all ${here.length} ways out of zone ${zone.name}, though ${able.length} gateway nodes are Up. Look for routers that were stopped elsewhere (listRouters state=Stopped)`;
      found.push({ about, text });
    }
    return found;
  });
}

export async function findingsNow(db: Db): Promise<GatewayFinding[]> {
  const [zones, hosts, claims, legs] = await Promise.all([
    db.selectFrom('zone').select(['id', 'name']).orderBy('name').execute(),
    db.selectFrom('host').selectAll().orderBy('name').execute(),
    db.selectFrom('gatewayclaim').select(['host', 'unit']).execute(),
    db
      .selectFrom('networkrouter')
      .innerJoin('network', 'network.id', 'networkrouter.network')
      .select(['networkrouter.host', 'networkrouter.network', 'network.name'])
      .orderBy('network.name')
      .execute(),
  ]);
  return gatewayFindings(zones, hosts, claims, legs);
}

/** Tells each new finding as an event of the operator's, once; gives what is found now, to be given again next time. */
export async function tellGatewayFindings(store: Store, told: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const found = await findingsNow(store.db);
  const news = found.filter(({ text }) => !told.has(text));
  if (news.length > 0) {
    await store.write(async (tx) => {
      const events = news.map(({ about, text }) => ({ type: GATEWAY_EVENT, level: 'WARN' as const, text, about }));
      await addEvents(tx, OPERATOR, events);
    });
  }
  return new Set(found.map(({ text }) => text));
}
