// A logical router with its ports. Rule: every router has dynamic_neigh_routers; without it each router knows every other one
// on a shared switch by a flow of its own, and flows grow with their square (300 VPCs: 237,000 instead of 59,000). Rule: where
// a router joins VLANs and overlays, its overlay ports refuse packets that do not fit, so that the sender learns the size.
import { mtuOf, type Fabric, type Segment } from '../model/intent.ts';
import type { Network6, Uplink6 } from '../model/ipv6.ts';
import type { DesiredRow } from './desired.ts';
import { gatewayChassisOf, gatewayChassisRows } from './gateway-chassis.ts';
import { advertisementsOf, networksOf } from './leg6.ts';
import { routerMac, routerName, routerPortName, row, rowId } from './names.ts';

/** A port of the router on a network. `id` names the port. */
export interface Leg {
  readonly id: string;
  /** IPv6 where the network has no IPv4; the port's MAC follows from it. */
  readonly address: string;
  readonly network: {
    readonly id: string;
    readonly cidr?: string | undefined;
    readonly segment: Segment;
    readonly six?: Network6;
    readonly uplink6?: Uplink6;
    readonly domainName?: string;
  };
  /** Absent: it has the row id that follows from its name. */
  readonly rowId?: string;
  /** Absent: the group is chosen for this port alone. */
  readonly chassis?: readonly string[];
  /** Legs that are always on this one's chassis: no tunnel is between, so what comes by them may be as long as it is. */
  readonly beside?: readonly string[];
}

/** Rows that become the router's, by the column that holds them. */
export interface RouterRows {
  readonly static_routes?: readonly DesiredRow[];
  readonly policies?: readonly DesiredRow[];
  readonly nat?: readonly DesiredRow[];
  /** Ids of Load_Balancer rows: they are not the router's own. */
  readonly load_balancer?: readonly string[];
}

export interface Router {
  readonly rows: readonly DesiredRow[];
  /** Chassis that carry ports of it, besides those of its instances. */
  readonly chassis: readonly string[];
}

/** `id` is the VPC's or the guest network's. */
export function routerOf(
  unit: string,
  id: string,
  fabric: Fabric,
  legs: readonly Leg[],
  { static_routes = [], policies = [], nat = [], load_balancer = [] }: RouterRows,
): Router {
  const chassis: string[] = [];
  const rows: DesiredRow[] = [];
  const ports: string[] = [];
  const meetsWire = legs.some(({ network }) => network.segment.kind === 'vlan');
  for (const leg of legs) {
    const name = routerPortName(leg.id);
    const mark = { id: leg.id, unit };
    const carriers = leg.chassis ?? gatewayChassisOf(name, leg.network.segment, fabric);
    const gateways = gatewayChassisRows(name, carriers, mark);
    const { segment } = leg.network;
    // Only where it is needed: it costs each packet a look at its length.
    const narrow = meetsWire && segment.kind === 'overlay';
    const port = row('Logical_Router_Port', leg.rowId ?? rowId('Logical_Router_Port', name), mark, {
      name,
      mac: routerMac(leg.network.id, leg.address),
      networks: networksOf(leg),
      gateway_chassis: gateways.map(({ uuid }) => uuid),
      ...advertisementsOf(leg, fabric),
      ...(narrow ? { options: narrowed(leg, mtuOf(segment, fabric.underlayMtu)) } : {}),
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
      static_routes: static_routes.map(({ uuid }) => uuid),
      policies: policies.map(({ uuid }) => uuid),
      ...(nat.length === 0 ? {} : { nat: nat.map(({ uuid }) => uuid) }),
      ...(load_balancer.length === 0 ? {} : { load_balancer }),
      // always_learn_from_arp_request=false: a neighbour is remembered only by who has something to send to it.
      options: { dynamic_neigh_routers: 'true', always_learn_from_arp_request: 'false' },
    },
  );
  return { rows: [router, ...rows, ...static_routes, ...policies, ...nat], chassis };
}

/** ovn-nb(5) Logical_Router_Port.options: what is longer is refused, with word to who sent it, whether it may be cut or not. */
function narrowed({ beside = [] }: Leg, mtu: number): Readonly<Record<string, string>> {
  const near = beside.map((id) => `inport == "${routerPortName(id)}"`).join(' || ');
  return { gateway_mtu: String(mtu), ...(near === '' ? {} : { gateway_mtu_bypass: near }) };
}
