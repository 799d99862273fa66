// The way back where a static route's next hop is a router node of ours, which routes for a network on the same wire: what it routes is
// known here, so nobody need be asked.
import { cidr, covers } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { visibleRows } from '../access.ts';
import { routerWay } from '../physical/router-way.ts';
import type { Room } from '../room.ts';
import type { Fact } from './vpn-judgement.ts';

/** Where a VPC meets the wire. */
interface Wire {
  readonly ip: string;
  readonly network: string;
  readonly physicalnetwork: string | null;
  readonly vlan: number | null;
}

/** A fact for each of `sources`; undefined where the next hop is no router node that the caller may know of. */
export async function routerNodeFacts(
  room: Room,
  route: Pick<Tables['staticroute'], 'cidr' | 'nexthop'>,
  via: Wire | undefined,
  sources: readonly string[],
): Promise<Fact[] | undefined> {
  if (via === undefined) return undefined;
  const network = await networkOf(room, route.nexthop, via);
  const way = network === undefined ? undefined : await routerWay(room, network);
  if (network === undefined || way === undefined) return undefined;
  const routes = await room.db
    .selectFrom('networkroute')
    .innerJoin('member', 'member.id', 'networkroute.member')
    .select(['networkroute.id', 'networkroute.cidr', 'member.ip'])
    .where('networkroute.network', '=', network.id)
    .execute();
  const base = { name: 'returnroute', hop: `the router of network ${network.name}` } as const;
  return sources.map((source): Fact => {
    const route = routes.find((one) => covers(cidr(one.cidr), cidr(source)));
    if (route === undefined)
      return {
        ...base,
        state: 'bad',
        text: `the router of network ${network.name} has no route back to ${source}: it sends that out. Its routes lead to devices of its network alone; let what is behind it join a Private network with the VPC instead`,
      };
    if (route.ip !== via.ip)
      return {
        ...base,
        state: 'bad',
        text: `the router of network ${network.name} sends what is for ${source} to ${route.ip} (route ${route.cidr}) and not to us, ${via.ip}`,
        repair: `deleteNetworkRoute id=${route.id}`,
      };
    return { ...base, state: way.state, text: `what is for ${source} is sent back to ${via.ip}: ${way.text}` };
  });
}

/** The network on the wire whose router nodes have an address, or stand at the gateway. */
async function networkOf(
  { db, call }: Room,
  ip: string,
  { network, physicalnetwork, vlan }: Wire,
): Promise<Tables['network'] | undefined> {
  return db
    .selectFrom('network')
    .innerJoin('networkrouter', 'networkrouter.network', 'network.id')
    .selectAll('network')
    .where((eb) => eb.or([eb('network.gateway', '=', ip), eb('networkrouter.ip', '=', ip)]))
    .where((eb) =>
      eb.or([
        eb('network.id', '=', network),
        ...(vlan === null
          ? []
          : [eb.and([eb('network.vlan', '=', vlan), eb('network.physicalnetwork', '=', physicalnetwork)])]),
      ]),
    )
    .where(visibleRows(call.caller, 'network'))
    .executeTakeFirst();
}
