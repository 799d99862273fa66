// Networks whose router nodes do not answer, told at the network: a lost router changes nothing in the network's state, so that whoever
// looks there would find it healthy.
import * as field from '../../api/field.ts';
import type { Tables } from '../../store/schema.ts';
import type { NotRealized } from '../physical/carriage.ts';
import type { Room } from '../room.ts';
import { routerName, seesHosts } from './router-view.ts';

interface SilentLeg {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly lastseen: string | null;
}

/** Network -> its router nodes that are not Up, with what that means for it. Tenants are told of their router by its own name. */
export async function silentRouters(
  room: Room,
  networks: readonly Pick<Tables['network'], 'id'>[],
): Promise<Map<string, NotRealized[]>> {
  if (networks.length === 0) return new Map();
  const legs = await room.db
    .selectFrom('networkrouter')
    .innerJoin('host', 'host.id', 'networkrouter.host')
    .select(['networkrouter.id', 'networkrouter.network', 'host.name', 'host.state', 'host.lastseen'])
    .where(
      'networkrouter.network',
      'in',
      networks.map(({ id }) => id),
    )
    .orderBy('networkrouter.priority', 'desc')
    .execute();
  const root = seesHosts(room);
  return new Map(
    [...Map.groupBy(legs, ({ network }) => network)].flatMap(([network, own]) => {
      const silent = own.filter(({ state }) => state !== 'Up');
      const alone = silent.length === own.length;
      return silent.length === 0 ? [] : [[network, silent.map((leg) => silence(leg, alone, root))] as const];
    }),
  );
}

function silence({ id, name, state, lastseen }: SilentLeg, alone: boolean, root: boolean): NotRealized {
  const means = alone
    ? 'no other routes for the network. If the machine is lost, nothing gets out or in, and nobody hands out addresses'
    : 'the other router of the network has all of it to itself';
  const start = root ? 'Start the machine or its agent' : 'The operator can start it';
  return field.compact<NotRealized>({
    target: root ? `router node ${name}` : `router ${routerName(id)}`,
    since: lastseen === null ? undefined : field.clientDate(lastseen),
    text: `${root ? `router node ${name} is ${state}` : 'its router does not answer'}: ${means}; changes wait for it. ${start}, or rebootRouter moves the router to another node`,
  });
}
