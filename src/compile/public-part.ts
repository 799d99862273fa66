// The public side of one router, put together: legs, routes, translation, forwards and balancers. The same for a VPC and for a network
// that OVN routes for.
import { formatCidr } from '../lib/ip.ts';
import type { Fabric, GuestNetwork, Tier } from '../model/intent.ts';
import { balancingOf } from './balancer.ts';
import type { DesiredRow } from './desired.ts';
import { distributedOn, turnedRound } from './distributed-nat.ts';
import type { Rules } from './filter.ts';
import { aheadOfGateways, behindGateways } from './gateway-list.ts';
import { HELPER_ADDRESS, helperGuard, withHelper } from './helper-leg.ts';
import { forwardRows } from './port-forward.ts';
import {
  defaultRoute,
  otherWires,
  ownerKey,
  publicPlaceOf,
  withPublic,
  type PublicLeg,
  type PublicPlace,
  type PublicUplink,
  type PublicWire,
  type PublicOwner,
} from './public-leg.ts';
import { helperNat, legRowId, natRows, staticAddresses } from './public-nat.ts';
import type { Leg, RouterRows } from './router.ts';
import type { Routing } from './routing.ts';
import { translatedAnswers } from './source-check.ts';
import { type TunnelLists, vpnNat, vpnPlaces, vpnRouteRows, vpnRoutes, vpnTraffic, withVpnPorts } from './vpn.ts';

export interface PublicPart {
  readonly legs: readonly Leg[];
  /** Ids of the legs, and which of them IPv6 leaves by. */
  readonly publicLegs: readonly string[];
  readonly uplink?: PublicUplink;
  /** With the public wires, and the helper's segment where there is one. */
  readonly routing: Routing;
  readonly routerRows: Required<RouterRows>;
  /** Rows that are nobody's column: load balancers, the helper's switch. */
  readonly rows: readonly DesiredRow[];
  /** Ids of Load_Balancer rows, for the switches. */
  readonly loadBalancers: readonly string[];
}

/** `routing` is that of the router without its public side. */
export function publicPart(
  owner: PublicOwner,
  networks: readonly (Tier | GuestNetwork)[],
  routing: Routing,
  fabric: Fabric,
): PublicPart {
  const unit = ownerKey(owner);
  const side = withVpnPorts(owner);
  if (side === undefined) {
    const routerRows = { static_routes: [], policies: [], nat: [], load_balancer: [] };
    return { legs: [], publicLegs: [], routing, routerRows, rows: [], loadBalancers: [] };
  }
  const place = publicPlaceOf(owner.id, side, fabric);
  const routed = withPublic(routing, place.legs);
  const vpns = vpnPlaces(owner);
  const behind = vpnRoutes(
    vpns.length === 0 ? undefined : owner.vpn,
    routing.paths.map(({ prefix }) => prefix),
    routing.connected.map(({ prefix }) => prefix),
  );
  const tunnels = withHelper(routed, owner.id, behind);
  const traffic = vpns.length === 0 ? undefined : vpnTraffic(owner.vpn, vpns, behind, listsOf(owner, tunnels));
  const balancing = balancingOf(unit, owner.id, side, networks, fabric, traffic);
  const forwards = forwardRows(unit, side);
  const loadBalancers = [...forwards.map(({ uuid }) => uuid), ...balancing.ids];
  const distributed = place.legs.flatMap((leg) => distributedOn(leg, side, networks, fabric));
  const inside = turnedRound(unit, distributed);
  const legs = [
    ...place.legs.map((leg) => legOf(leg, place)),
    ...uplinkLeg(place),
    ...(balancing.leg === undefined ? [] : [{ ...balancing.leg, beside: place.legs.map(({ id }) => id) }]),
  ];
  return {
    legs,
    publicLegs: legs.map(({ id }) => id),
    ...(place.uplink === undefined ? {} : { uplink: place.uplink }),
    routing: balancing.leg === undefined ? routed : tunnels,
    routerRows: {
      static_routes: [...defaultRoute(unit, owner.id, routing, place), ...vpnRouteRows(unit, owner.id, behind)],
      policies: [
        ...otherWires(unit, place, routed),
        ...translatedAnswers(unit, owner.id, place.legs.flatMap(staticAddresses)),
        ...(balancing.leg === undefined ? [] : helperGuard(unit, routing)),
      ],
      nat: [
        ...natRows(unit, owner.id, side, networks, place, distributed),
        ...vpnNat(unit, owner.id, vpns, place.legs),
        ...(balancing.leg === undefined || vpns.some(({ address }) => address === HELPER_ADDRESS)
          ? []
          : helperNat(unit, owner.id, side, place)),
      ],
      load_balancer: loadBalancers,
    },
    rows: [...forwards, ...balancing.rows, ...inside],
    loadBalancers: [...loadBalancers, ...inside.map(({ uuid }) => uuid)],
  };
}

/** Lists of a VPC's private gateways stand before its tunnels, too; a network has none. */
function listsOf(owner: PublicOwner, routing: Routing): TunnelLists | undefined {
  if (!('tiers' in owner)) return undefined;
  const free: Rules = [{ id: 'rest', match: '', allow: true }];
  return { into: behindGateways(owner, routing, free), outOf: aheadOfGateways(owner, routing, free) };
}

function legOf(leg: PublicLeg, { chassis, uplink }: PublicPlace): Leg {
  return {
    id: leg.id,
    address: leg.own,
    network: {
      ...segmentOf(leg.wire),
      cidr: formatCidr(leg.prefix),
      ...(uplink?.id === leg.id ? { uplink6: uplink.six } : {}),
    },
    rowId: legRowId(leg),
    chassis,
  };
}

/** A port for IPv6 alone, where none of the router's addresses is on the wire it leaves by. */
function uplinkLeg({ legs, uplink, chassis }: PublicPlace): readonly Leg[] {
  if (uplink === undefined || legs.some(({ id }) => id === uplink.id)) return [];
  const { id, six, wire } = uplink;
  return [{ id, address: six.address, network: { ...segmentOf(wire), uplink6: six }, chassis }];
}

function segmentOf({ segmentId, physicalNetwork, vlan = 0 }: PublicWire): Pick<Leg['network'], 'id' | 'segment'> {
  return { id: segmentId, segment: { kind: 'vlan', vlan, physicalNetwork } };
}
