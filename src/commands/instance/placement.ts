// Chooses the host an instance will run on: the one with the fewest instances among those that are up and enabled, and that its
// affinity groups like best.
import { refuse } from '../../api/error.ts';
import type { NodeFacts } from '../../protocol/document.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import type { Room } from '../room.ts';
import { type Affinity, NO_AFFINITY } from './affinity.ts';

type Host = Pick<Tables['host'], 'id' | 'name' | 'state' | 'resourcestate' | 'facts'>;

/** What an instance brings along to its placement. */
export interface Placing {
  /** Where it ran last: there are its files. */
  readonly last?: string | null;
  readonly affinity?: Affinity;
  /** Whether it has a card in a network with IPv6. */
  readonly six?: boolean;
}

/** Whether an instance has a card in a network with IPv6. */
export async function hasSix(room: Room, instanceId: string): Promise<boolean> {
  const card = await room.db
    .selectFrom('nic')
    .innerJoin('network', 'network.id', 'nic.network')
    .select('nic.id')
    .where('nic.instance', '=', instanceId)
    .where('network.ip6cidr', 'is not', null)
    .executeTakeFirst();
  return card !== undefined;
}

/**
 * Why a host can take no card of a network with IPv6; undefined: it can. A host that has said nothing of itself yet is not judged, one that
 * does not speak of it has an agent that cannot.
 */
export function lacksGuard({ facts }: Pick<Host, 'facts'>): string | undefined {
  if (facts === null) return undefined;
  const can = (JSON.parse(facts) as Partial<NodeFacts>).abilities?.['router-guard'];
  if (can === true) return undefined;
  return `it has no router guard, which networks with IPv6 need (${can ?? 'its agent is too old to have one'})`;
}

/** Refuses whoever may not say where an instance runs. */
export function checkMayChoose({ call }: Room): void {
  if (call.caller.role !== 'admin')
    throw refuse('permission', 'Parameter hostid can only be specified by a Root Admin, permission denied');
}

/** Why not, of a host that takes instances. */
function ruledOutOf(host: Host, affinity: Affinity, six: boolean): string | undefined {
  return affinity.ruledOut(host.id) ?? (six ? lacksGuard(host) : undefined);
}

/**
 * The host for one more instance in a zone: the one root asks for, or the one it ran on last, or the least loaded, as far as its affinity
 * groups let it. Refuses with 533 when no host can take it, saying which hosts there are and why not (their names only to root).
 */
export async function placeInstance(
  room: Room,
  zone: Pick<Tables['zone'], 'id' | 'name'>,
  wanted: string | undefined,
  { last = null, affinity = NO_AFFINITY, six = false }: Placing = {},
): Promise<string> {
  const { caller } = room.call;
  if (wanted !== undefined) {
    checkMayChoose(room);
    return wantedHost(room, zone, wanted, affinity, six);
  }
  const hosts = await room.db
    .selectFrom('host')
    .leftJoin('instance', 'instance.host', 'host.id')
    .select(['host.id', 'host.name', 'host.state', 'host.resourcestate', 'host.facts'])
    .select((eb) => eb.fn.count<number>('instance.id').as('load'))
    .where('host.zone', '=', zone.id)
    .where('host.kind', '=', 'hypervisor')
    .groupBy(['host.id', 'host.name', 'host.state', 'host.resourcestate', 'host.facts'])
    .orderBy('load')
    .orderBy('host.name')
    .execute();
  const able = hosts.filter((host) => canTake(host) && ruledOutOf(host, affinity, six) === undefined);
  const least = Math.min(...able.map((host) => affinity.cost(host.id)));
  const liked = able.filter((host) => affinity.cost(host.id) === least);
  // Its files weigh more than a wish.
  const host = able.find((each) => each.id === last) ?? liked[0];
  if (host !== undefined) return host.id;
  throw refuse(
    'capacity',
    `Unable to create a deployment for the instance in zone ${zone.name}: ` +
      (hosts.length === 0
        ? 'it has no host yet. Add one with createJoinToken and start its agent with the token'
        : `no host can take it (${whyNone(hosts, affinity, six, caller.role === 'admin')}). A host takes instances while its state is Up and its resource state Enabled`),
  );
}

/** Root is told host by host; tenants in numbers, because what hosts there are is the operator's business. */
function whyNone(hosts: readonly Host[], affinity: Affinity, six: boolean, root: boolean): string {
  const why = (host: Host): string =>
    canTake(host) ? `${host.name}: ${ruledOutOf(host, affinity, six)}` : describe(host);
  if (root) return hosts.map(why).join(', ');
  const ready = hosts.filter(canTake);
  if (ready.length === 0) return `${hosts.length} hosts, none of them ready`;
  const guarded = ready.filter((host) => !six || lacksGuard(host) === undefined);
  const which = guarded.length < ready.length ? `${guarded.length} of these able to have networks with IPv6` : '';
  const groups = guarded.length === 0 ? '' : 'and its affinity groups rule these out';
  return [`${hosts.length} hosts, ${ready.length} of them ready`, which, groups]
    .filter((part) => part !== '')
    .join(', ');
}

async function wantedHost(
  room: Room,
  zone: Pick<Tables['zone'], 'id' | 'name'>,
  id: string,
  affinity: Affinity,
  six: boolean,
): Promise<string> {
  const host = await existing(room, 'host', id, 'hostid');
  if (host.zone !== zone.id)
    throw refuse(
      'parameter',
      `Host ${host.name} is not in zone ${zone.name}: choose one of that zone, or leave hostid out`,
    );
  if (host.kind !== 'hypervisor') {
    throw refuse(
      'parameter',
      `Host ${host.name} is a ${host.kind} and carries no instances: choose a hypervisor, or leave hostid out`,
    );
  }
  if (!canTake(host)) {
    throw refuse(
      'capacity',
      `Unable to create a deployment for the instance on the host asked for: ${describe(host)}. It must be Up and Enabled`,
    );
  }
  const ruledOut = ruledOutOf(host, affinity, six);
  if (ruledOut !== undefined) {
    throw refuse(
      'capacity',
      `Unable to create a deployment for the instance on the host asked for, ${host.name}: ${ruledOut}`,
    );
  }
  return host.id;
}

/** Whether instances can be put on a host at all. */
export function canTake(host: Pick<Host, 'state' | 'resourcestate'>): boolean {
  return host.state === 'Up' && host.resourcestate === 'Enabled';
}

function describe(host: Omit<Host, 'facts'>): string {
  return `${host.name} is ${[host.state === 'Up' ? undefined : host.state, host.resourcestate === 'Enabled' ? undefined : host.resourcestate].filter((word) => word !== undefined).join(' and ')}`;
}
