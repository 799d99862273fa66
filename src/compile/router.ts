// A logical router with its ports. Rule: every router has dynamic_neigh_routers; without it each router knows every other one
// on a shared switch by a flow of its own, and flows grow with their square (300 VPCs: 237,000 instead of 59,000). Rule: where
// a router joins VLANs and overlays, its overlay ports refuse packets that do not fit, so that the sender learns the size.
import { cidr, formatHost, ip } from '../lib/ip.ts';
import { mtuOf, type Fabric, type Segment } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { gatewayChassisOf, gatewayChassisRows } from './gateway-chassis.ts';
import { routerMac, routerName, routerPortName, row, rowId } from './names.ts';

/** A port of the router on a network. `id` names the port. */
export interface Leg {
  readonly id: string;
  readonly address: string;
  readonly network: { readonly id: string; readonly cidr: string; readonly segment: Segment };
}

export interface Router {
  readonly rows: readonly DesiredRow[];
  /** Chassis that carry ports of it, besides those of its instances. */
  readonly chassis: readonly string[];
}

/** `staticRoutes` and `policies` are rows that become the router's. `id` is the VPC's or the guest network's. */
export function routerOf(
  unit: string,
  id: string,
  fabric: Fabric,
  legs: readonly Leg[],
  staticRoutes: readonly DesiredRow[],
  policies: readonly DesiredRow[],
): Router {
  const chassis: string[] = [];
  const rows: DesiredRow[] = [];
  const ports: string[] = [];
  const meetsWire = legs.some(({ network }) => network.segment.kind === 'vlan');
  for (const leg of legs) {
    const name = routerPortName(leg.id);
    const mark = { id: leg.id, unit };
    const carriers = gatewayChassisOf(name, leg.network.segment, fabric);
    const gateways = gatewayChassisRows(name, carriers, mark);
    const { segment } = leg.network;
    // ovn-nb(5) Logical_Router_Port.options:gateway_mtu. Only where it is needed: it costs each packet a look at its length.
    const narrow = meetsWire && segment.kind === 'overlay';
    const port = row('Logical_Router_Port', rowId('Logical_Router_Port', name), mark, {
      name,
      mac: routerMac(leg.network.id, leg.address),
      networks: [formatHost(ip(leg.address), cidr(leg.network.cidr))],
      gateway_chassis: gateways.map(({ uuid }) => uuid),
      ...(narrow ? { options: { gateway_mtu: String(mtuOf(segment, fabric.underlayMtu)) } } : {}),
    });
    chassis.push(...carriers);
    ports.push(port.uuid);
    rows.push(port, ...gateways);
  }
  const name = routerName(id);
  const router = row(
    'Logical_Router',
    rowId('Logical_Router', name),
    { id, unit },
    {
      name,
      ports,
      static_routes: staticRoutes.map(({ uuid }) => uuid),
      policies: policies.map(({ uuid }) => uuid),
      // always_learn_from_arp_request=false: a neighbour is remembered only by who has something to send to it.
      options: { dynamic_neigh_routers: 'true', always_learn_from_arp_request: 'false' },
    },
  );
  return { rows: [router, ...rows, ...staticRoutes, ...policies], chassis };
}
