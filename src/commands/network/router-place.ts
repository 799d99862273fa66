// Where the routers are that OVN is: a router of that kind is on every hypervisor, and what one can point at is the node that carries its way
// out. Apart from router-view.ts, which shows it, because stopping and rebooting ask the same.
import { derivedId } from '../../lib/id.ts';
import { claimsOf, idsOf } from '../../store/gateway-claims.ts';
import { EMPTY, EMPTYING, canServe } from '../../store/maintenance.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';

type Host = Pick<Tables['host'], 'id' | 'name' | 'zone' | 'state' | 'resourcestate' | 'kind'>;
type Claim = Tables['gatewayclaim'];

/** A VPC, or a network outside a VPC that OVN routes for. */
export interface Subject {
  readonly kind: 'vpc' | 'network';
  readonly row: Pick<Tables['vpc'], 'id' | 'name' | 'zone' | 'gatewayturn' | 'gatewayavoid'>;
  /** Whether its offering asks for two routers. */
  readonly redundant: boolean;
  /** Ids of its tiers, or its own, and of its private gateways: their router ports are none of the way out. */
  readonly inside: readonly string[];
}

/** One row of listRouters: a part that a host has in a router. */
export interface Place {
  /** Of the router. */
  readonly id: string;
  readonly host: Host | undefined;
  readonly running: boolean;
  readonly role: 'MASTER' | 'BACKUP' | 'UNKNOWN';
}

/** A router with its places, and who could have a part in it. */
export interface Standing {
  readonly places: readonly Place[];
  /** Who carries the way out; undefined where there is none, or OVN has not said. */
  readonly claim: Claim | undefined;
  /** Hosts of its group, best first. Witnesses carry nothing and are not among them. */
  readonly group: readonly Host[];
  /** Those and the others of the zone that could be in it. */
  readonly candidates: readonly Host[];
  /** Hosts it was stopped on. */
  readonly avoided: readonly string[];
}

/** Ids of the routers of a VPC or network: the first, and the second of a redundant one. */
export function routerIds(id: string): readonly [string, string] {
  return [derivedId(`router/${id}/0`), derivedId(`router/${id}/1`)];
}

/** By the id of the VPC or network. */
export async function standingsOf(room: Room, subjects: readonly Subject[]): Promise<ReadonlyMap<string, Standing>> {
  const claims = await claimsOf(
    room.db,
    subjects.map(({ kind, row }) => `${kind}:${row.id}`),
  );
  const hosts = await room.db
    .selectFrom('host')
    .select(['id', 'name', 'zone', 'state', 'resourcestate', 'kind'])
    .where('kind', '!=', 'router')
    .orderBy('name')
    .execute();
  return new Map(
    subjects.map((subject) => {
      const inside = new Set(subject.inside.map((id) => `lrp-${id}`));
      const claim = claims.get(`${subject.kind}:${subject.row.id}`)?.find(({ port }) => !inside.has(port));
      return [subject.row.id, standing(subject, claim, hosts)];
    }),
  );
}

function standing({ row, redundant }: Subject, claim: Claim | undefined, hosts: readonly Host[]): Standing {
  const byId = new Map(hosts.map((host) => [host.id, host]));
  const own = hosts.filter((host) => host.zone === row.zone && host.kind !== 'witness');
  const gateways = own.filter(({ kind }) => kind === 'gateway');
  const could = gateways.length > 0 ? gateways : own;
  const group = claim === undefined ? [] : idsOf(claim.candidates).flatMap((id) => byId.get(id) ?? []);
  const ranked = group.filter(({ kind }) => kind !== 'witness');
  const avoided = idsOf(row.gatewayavoid).filter((id) => byId.has(id));
  const up = could.filter(({ state }) => state === 'Up').map(({ id }) => id);
  const at = redundant ? (claim?.slots.split(',') ?? up) : [avoided[0] ?? claim?.host ?? up[0]];
  const places = routerIds(row.id)
    .slice(0, redundant ? 2 : 1)
    .map((id, place): Place => {
      const host = byId.get(at[place] ?? '');
      const carries = claim === undefined ? place === 0 : claim.host === host?.id;
      // One that was stopped may have to carry it all the same, when all others are gone: then it runs.
      const stopped =
        host === undefined ? claim !== undefined : avoided.includes(host.id) && !(claim !== undefined && carries);
      const running = !stopped && (host === undefined || (host.state === 'Up' && (carries || !isOut(host))));
      return { id, host, running, role: !running ? 'UNKNOWN' : carries || !redundant ? 'MASTER' : 'BACKUP' };
    });
  // A group has three members: when some of them are not to carry it, others come into it.
  return { places, claim, group: ranked, candidates: [...new Set([...ranked, ...could])], avoided };
}

/** Whether a host is out of use, or on its way. */
export function isOut({ resourcestate }: Host): boolean {
  return resourcestate === EMPTYING || resourcestate === EMPTY;
}

/** The candidates that could carry it instead of those on `without`, best first. */
export function othersOf({ candidates, avoided }: Standing, without: readonly string[]): readonly Host[] {
  return candidates.filter((host) => canServe(host) && !without.includes(host.id) && !avoided.includes(host.id));
}
