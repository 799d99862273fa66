// What a router has besides, where its networks have IPv6: ports of those without IPv4, routes, and the source check. One place, so that
// vpc.ts and guest-network.ts say no more of it than that it is there. Where nothing has IPv6 all of it is empty.
import { formatCidr6, formatIp6 } from '../lib/ip6.ts';
import type { GuestNetwork, Tier, Tier6, Vpc } from '../model/intent.ts';
import type { Uplink6 } from '../model/ipv6.ts';
import type { DesiredRow, Finding } from './desired.ts';
import { routerMac, routerPortName, row, rowId } from './names.ts';
import { type Connected6, type Routing6, connected6, routingOf6 } from './routing6.ts';
import { type Doors, sourceCheck6 } from './source-check6.ts';

export interface Six {
  readonly routes: readonly DesiredRow[];
  readonly policies: readonly DesiredRow[];
  readonly findings: readonly Finding[];
  /** What static routes send to an address of an instance, by that address. */
  readonly routedTo: ReadonlyMap<string, readonly string[]>;
}

/** `publicLegs`: ids of the router's ports to the outside; `uplink` is the one of them that IPv6 leaves by. */
export interface Outside {
  readonly uplink?: { readonly id: string; readonly six: Uplink6 } | undefined;
  readonly publicLegs: readonly string[];
}

export function sixOfVpc(unit: string, vpc: Vpc, outside: Outside): Six {
  const tiers: readonly (Tier | Tier6)[] = [...vpc.tiers, ...(vpc.tiers6 ?? [])];
  const routing = routingOf6(
    vpc,
    tiers.flatMap((tier) => connectedOf(tier, 'tier')),
  );
  return sixOf(
    unit,
    vpc.id,
    routing,
    outside,
    vpc.gateways.map(({ id }) => id),
  );
}

export function sixOfNetwork(unit: string, network: GuestNetwork, outside: Outside): Six {
  const connected = connectedOf(network, 'network');
  const table = connected.map((segment) => ({ prefix: segment.prefix, via: [segment] }));
  return sixOf(unit, network.id, { connected, paths: [], table, findings: [] }, outside, []);
}

/** The address that the MAC of a network's router port follows from: the IPv4 one, where there is one. */
export function legAddress({ gateway, six }: Pick<GuestNetwork | Tier6, 'gateway' | 'six'>): string | undefined {
  return gateway ?? six?.gateway;
}

function connectedOf(network: Tier | Tier6 | GuestNetwork, kind: 'tier' | 'network'): Connected6[] {
  const { id, name, gateway, six } = network;
  if (six === undefined) return [];
  return [connected6({ id, name, gateway, six }, routerMac(id, legAddress(network)!), kind)];
}

function sixOf(
  unit: string,
  routerId: string,
  routing: Routing6,
  { uplink, publicLegs }: Outside,
  gateways: readonly string[],
): Six {
  const doors: Doors = {
    shut: [...gateways, ...publicLegs.filter((id) => id !== uplink?.id)],
    open: uplink === undefined ? [] : [uplink.id],
  };
  const routes = routing.paths.map(({ id, prefix, nextHop, via }) =>
    routeRow(unit, id, formatCidr6(prefix), formatIp6(nextHop), via.id),
  );
  // What a tenant says himself is not overruled.
  const free = !routing.paths.some(({ prefix }) => prefix.length === 0);
  const out =
    uplink === undefined || !free || routing.connected.length === 0
      ? []
      : [routeRow(unit, `${routerId}/uplink6`, '::/0', uplink.six.gateway, uplink.id)];
  return {
    routes: [...routes, ...out],
    policies: sourceCheck6(unit, routerId, routing, doors),
    findings: routing.findings,
    routedTo: appliancesOf(routing),
  };
}

function routeRow(unit: string, id: string, prefix: string, nextHop: string, port: string): DesiredRow {
  const columns = { ip_prefix: prefix, nexthop: nextHop, output_port: [routerPortName(port)] };
  return row('Logical_Router_Static_Route', rowId('Logical_Router_Static_Route', id), { id, unit }, columns);
}

function appliancesOf({ paths }: Routing6): Six['routedTo'] {
  const routed = new Map<string, string[]>();
  for (const { nextHop, prefix } of paths) {
    const address = formatIp6(nextHop);
    routed.set(address, [...(routed.get(address) ?? []), formatCidr6(prefix)]);
  }
  return routed;
}
