// Chooses the host an instance will run on: the one with the fewest instances among those that are up and enabled.
import { refuse } from '../../api/error.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import type { Room } from '../room.ts';

type Host = Pick<Tables['host'], 'id' | 'name' | 'state' | 'resourcestate'>;

/**
 * The host for one more instance in a zone: the one root asks for, or the one it ran on last, or the least loaded. Refuses with 533 when no host can take it, saying
 * which hosts there are and why not (their names only to root).
 */
export async function placeInstance(
  room: Room,
  zone: Pick<Tables['zone'], 'id' | 'name'>,
  wanted: string | undefined,
  last: string | null = null,
): Promise<string> {
  const { caller } = room.call;
  if (wanted !== undefined) {
    if (caller.role !== 'admin')
      throw refuse('permission', 'Parameter hostid can only be specified by a Root Admin, permission denied');
    return wantedHost(room, zone, wanted);
  }
  const hosts = await room.db
    .selectFrom('host')
    .leftJoin('instance', 'instance.host', 'host.id')
    .select(['host.id', 'host.name', 'host.state', 'host.resourcestate'])
    .select((eb) => eb.fn.count<number>('instance.id').as('load'))
    .where('host.zone', '=', zone.id)
    .where('host.kind', '=', 'hypervisor')
    .groupBy(['host.id', 'host.name', 'host.state', 'host.resourcestate'])
    .orderBy('load')
    .orderBy('host.name')
    .execute();
  // Where it ran last are its files.
  const host = hosts.find((each) => each.id === last && canTake(each)) ?? hosts.find(canTake);
  if (host !== undefined) return host.id;
  const why = caller.role === 'admin' ? hosts.map(describe).join(', ') : `${hosts.length} hosts, none of them ready`;
  throw refuse(
    'capacity',
    `Unable to create a deployment for the instance in zone ${zone.name}: ` +
      (hosts.length === 0
        ? 'it has no host yet. Add one with createJoinToken and start its agent with the token'
        : `no host can take it (${why}). A host takes instances while its state is Up and its resource state Enabled`),
  );
}

async function wantedHost(room: Room, zone: Pick<Tables['zone'], 'id' | 'name'>, id: string): Promise<string> {
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
  return host.id;
}

function canTake(host: Host): boolean {
  return host.state === 'Up' && host.resourcestate === 'Enabled';
}

function describe(host: Host): string {
  return `${host.name} is ${[host.state === 'Up' ? undefined : host.state, host.resourcestate === 'Enabled' ? undefined : host.resourcestate].filter((word) => word !== undefined).join(' and ')}`;
}
