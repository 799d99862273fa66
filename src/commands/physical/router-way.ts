// Whether the router of a network, where it is ours, sends on what its routes say: what is wanted, and what its node told last. Apart from
// the checks that ask, since the way to a device and the way back from another VPC both end at such a router.
import { routedBy, servicesOf } from '../../model/network-service.ts';
import { findingsOf } from '../../store/router-states.ts';
import type { Tables } from '../../store/schema.ts';
import { seesHosts } from '../network/router-view.ts';
import type { Room } from '../room.ts';

export interface RouterWay {
  /** unknown: nobody has told yet, or something else is wrong there. */
  readonly state: 'good' | 'bad' | 'unknown';
  /** `the network's router is ours, and …`. */
  readonly text: string;
}

/** What is known of a network's router; undefined where it is none of ours. */
export async function routerWay(
  room: Room,
  network: Pick<Tables['network'], 'id' | 'offering' | 'gateway'>,
): Promise<RouterWay | undefined> {
  if (network.gateway === null) return undefined;
  const offering = await room.db
    .selectFrom('networkoffering')
    .select('services')
    .where('id', '=', network.offering)
    .executeTakeFirst();
  const by = offering === undefined ? 'None' : routedBy(servicesOf(offering));
  if (by === 'None') return undefined;
  return by === 'Ovn' ? { state: 'good', text: "the network's router is ours" } : nodeWay(room, network.id);
}

/** A router node that is master has made true all that it does not complain of. */
async function nodeWay(room: Room, network: string): Promise<RouterWay> {
  const legs = await room.db
    .selectFrom('networkrouter')
    .innerJoin('host', 'host.id', 'networkrouter.host')
    .select(['networkrouter.state', 'networkrouter.findings', 'host.name', 'host.state as hoststate'])
    .where('networkrouter.network', '=', network)
    .orderBy('networkrouter.priority', 'desc')
    .execute();
  const master = legs.find(({ state, hoststate }) => state === 'MASTER' && hoststate === 'Up');
  const root = seesHosts(room);
  if (master === undefined) {
    const silent = legs.filter(({ hoststate }) => hoststate !== 'Up').map(({ name }) => name);
    return legs.every(({ state }) => state === null)
      ? { state: 'unknown', text: 'no router node has told yet that it routes for the network' }
      : {
          state: 'bad',
          text: `no router node routes for the network now${root && silent.length > 0 ? `: ${silent.join(', ')} does not answer` : ''}; listRouters says how they stand`,
        };
  }
  const found = findingsOf(master);
  const node = root ? `router node ${master.name}` : 'its router node';
  if (found.length > 0)
    return {
      state: 'unknown',
      text: `${node} routes for it and finds something wrong${root ? `: ${found.join('; ')}` : '; the operator sees what in listRouters'}`,
    };
  return { state: 'good', text: `the network's router is ours: ${node} is master and finds nothing wrong` };
}

/** Whether a change of the object is still on its way to those who make it true. */
export async function isComing({ db }: Pick<Room, 'db'>, id: string): Promise<boolean> {
  const job = await db
    .selectFrom('job')
    .select('id')
    .where('instanceid', '=', id)
    .where('status', '=', 0)
    .executeTakeFirst();
  return job !== undefined;
}
