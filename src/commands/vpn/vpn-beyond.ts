// The way on and back where clients go through the VPC to another one or to a machine that routes: each is a hop that needs a route of its
// own to what is behind the VPN. A tunnel that is up and a route that is pushed say nothing of it.
import { type Cidr, cidr, contains, covers, ip } from '../../lib/ip.ts';
import { looksLikeIp6 } from '../../lib/ip6.ts';
import type { Tables } from '../../store/schema.ts';
import { visibleRows } from '../access.ts';
import type { Room } from '../room.ts';
import type { Fact } from './vpn-judgement.ts';
import { routerNodeFacts } from './vpn-router-node.ts';
import { arrivingFacts, closedTierFacts, leavingFacts } from './vpn-lists.ts';

type Gateway = Tables['privategateway'] & {
  readonly prefix: string | null;
  readonly networkname: string;
  readonly physicalnetwork: string | null;
  readonly vlan: number | null;
};

/** Facts of each hop behind the VPC's static routes. `sources`: what is behind the VPN. */
export async function beyondFacts(room: Room, vpc: Tables['vpc'], sources: readonly string[]): Promise<Fact[]> {
  const { db } = room;
  const routes = await db
    .selectFrom('staticroute')
    .selectAll()
    .where('vpc', '=', vpc.id)
    .where('state', '!=', 'Unreachable')
    .orderBy('cidr')
    .execute();
  const gateways = await gatewaysOf(room, vpc.id);
  const facts: Fact[] = [];
  for (const route of routes) {
    const prefix = looksLikeIp6(route.cidr) ? undefined : cidr(route.cidr);
    // A default route leads clients nowhere: they have a way out of their own.
    if (prefix === undefined || prefix.length === 0) continue;
    const via = gateways.find(({ prefix: text }) => text !== null && contains(cidr(text), ip(route.nexthop)));
    if (via !== undefined) facts.push(...(await leavingFacts(db, vpc, via, prefix)));
    const other =
      via === undefined
        ? undefined
        : await db
            .selectFrom('privategateway')
            .selectAll()
            .where('network', '=', via.network)
            .where('ip', '=', route.nexthop)
            .executeTakeFirst();
    if (via === undefined || other === undefined)
      facts.push(...((await routerNodeFacts(room, route, via, sources)) ?? [machineFact(route, sources, via)]));
    else facts.push(...(await otherVpcFacts(room, route, via, other, sources, prefix)));
  }
  return facts;
}

async function gatewaysOf({ db }: Room, vpc: string): Promise<Gateway[]> {
  return db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .selectAll('privategateway')
    .select(['network.cidr as prefix', 'network.name as networkname', 'network.physicalnetwork', 'network.vlan'])
    .where('privategateway.vpc', '=', vpc)
    .execute();
}

/** The next hop is a machine: what it knows is only seen there. */
function machineFact(route: Tables['staticroute'], sources: readonly string[], via: Gateway | undefined): Fact {
  const list = sources.join(', ');
  return {
    name: 'returnroute',
    hop: `machine ${route.nexthop}`,
    state: 'unknown',
    text: `whether ${route.nexthop}, which leads to ${route.cidr}, sends what is for ${list} back to the VPC is only seen there`,
    repair: sources.map((source) => `ip route add ${source} via ${via?.ip ?? 'GATEWAY_OF_ITS_TIER'}`).join('; '),
  };
}

async function otherVpcFacts(
  room: Room,
  route: Tables['staticroute'],
  via: Gateway,
  other: Tables['privategateway'],
  sources: readonly string[],
  prefix: Cidr,
): Promise<Fact[]> {
  const { db } = room;
  const vpc = await db
    .selectFrom('vpc')
    .selectAll()
    .where('id', '=', other.vpc)
    .where(visibleRows(room.call.caller, 'vpc'))
    .executeTakeFirst();
  const asking = (id: string): string =>
    sources.map((source) => `createStaticRoute vpcid=${id} cidr=${source} nexthop=${via.ip}`).join('; ');
  if (vpc === undefined)
    return [
      {
        name: 'returnroute',
        hop: `the VPC at ${other.ip} in Private network ${via.networkname}`,
        state: 'unknown',
        text: `${route.cidr} is another account's, and only that account sees whether its VPC sends what is for ${sources.join(', ')} back to ${via.ip}: ask for it`,
        repair: asking('THEIR_VPC'),
      },
    ];
  const theirs = await db
    .selectFrom('staticroute')
    .select(['id', 'cidr', 'nexthop', 'state'])
    .where('vpc', '=', vpc.id)
    .execute();
  const back = sources.map((source) => backFact(vpc, via, theirs, source));
  return [
    ...back,
    ...(await arrivingFacts(db, vpc, other, sources, prefix)),
    ...(await closedTierFacts(db, vpc, sources, prefix)),
  ];
}

/** Whether another VPC sends what is for `source` back to us: the longest of its routes decides. */
function backFact(
  { id, name }: Tables['vpc'],
  { ip: own }: Gateway,
  routes: readonly Pick<Tables['staticroute'], 'id' | 'cidr' | 'nexthop' | 'state'>[],
  source: string,
): Fact {
  const base = { name: 'returnroute', hop: `the router of VPC ${name}` } as const;
  const [best] = routes
    .filter((route) => !looksLikeIp6(route.cidr) && covers(cidr(route.cidr), cidr(source)))
    .toSorted((a, b) => cidr(b.cidr).length - cidr(a.cidr).length);
  const repair = `createStaticRoute vpcid=${id} cidr=${source} nexthop=${own}`;
  if (best === undefined)
    return {
      ...base,
      state: 'bad',
      text: `VPC ${name} has no static route back to ${source}: its answers go nowhere`,
      repair,
    };
  if (best.nexthop !== own)
    return {
      ...base,
      state: 'bad',
      text: `VPC ${name} sends what is for ${source} to ${best.nexthop} (static route ${best.cidr}) and not to us, ${own}`,
      repair: best.cidr === source ? `deleteStaticRoute id=${best.id}; ${repair}` : repair,
    };
  if (best.state === 'Unreachable')
    return {
      ...base,
      state: 'bad',
      text: `VPC ${name} has the route to ${source} via ${own}, and it carries nothing: listStaticRoutes says why`,
    };
  return {
    ...base,
    state: best.state === 'Active' ? 'good' : 'unknown',
    text:
      best.state === 'Active'
        ? `VPC ${name} sends what is for ${source} back to ${own}`
        : `VPC ${name} is being given the route to ${source} via ${own}`,
  };
}
