// Where a router meets public wires: a port for each wire it has addresses on, carried by a group of gateway chassis. Which routers meet
// on which switch is public-wire.ts's; here is one router alone.
import { derivedId } from '../lib/id.ts';
import { covers, formatCidr, formatIp, ip, lengthOfNetmask, cidr, type Cidr } from '../lib/ip.ts';
import type { Fabric, GuestNetwork, Vpc } from '../model/intent.ts';
import type { Uplink6 } from '../model/ipv6.ts';
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import { gatewayGroupOf } from './gateway-chassis.ts';
import { row, rowId, routerPortName, vpcKey, networkKey } from './names.ts';
import { policy } from './source-check.ts';
import type { Connected, Routing } from './routing.ts';

/** Who has a public side: a VPC, or a network that OVN routes for. */
export type PublicOwner = Vpc | GuestNetwork;

/** A router's place on a public wire. */
export interface PublicLeg {
  /** Names the router port. */
  readonly id: string;
  /**
   * Names the switch: the wire, and the group of chassis, since a switch for all groups would bring every router to each of them. A
   * router's second leg on one wire is on a second switch: on one, OVN 23.03 asks either leg for an address, as it happens.
   */
  readonly wire: PublicWire;
  /** The router's own address there. */
  readonly own: string;
  readonly prefix: Cidr;
  readonly gateway: string;
  readonly addresses: readonly PublicAddress[];
  /** Whether the router's default route goes this way: the wire of its source NAT address. */
  readonly main: boolean;
}

export interface PublicWire {
  readonly id: string;
  readonly physicalNetwork: string;
  /** Absent: untagged. */
  readonly vlan?: number;
  /** The group's chassis, by name. */
  readonly chassis: readonly string[];
  /** MAC addresses follow from this and the address: an address that goes to another router of the wire keeps its own. */
  readonly segmentId: string;
}

/** Where IPv6 leaves: `id` names the router port, that of a leg on the same wire, or one of its own. */
export interface PublicUplink {
  readonly id: string;
  readonly wire: PublicWire;
  readonly six: Uplink6;
}

export interface PublicPlace {
  readonly legs: readonly PublicLeg[];
  readonly uplink?: PublicUplink;
  /** The chassis of all its legs, best first: all are carried by the same, or what is translated on one would come back on another. */
  readonly chassis: readonly string[];
}

const NOWHERE: PublicPlace = { legs: [], chassis: [] };

/** The legs of a router, the one of its source NAT address first; none without an address. */
export function publicPlaceOf(routerId: string, side: PublicSide | undefined, fabric: Fabric): PublicPlace {
  if (side === undefined || (side.addresses.length === 0 && side.uplink6 === undefined)) return NOWHERE;
  const chassis = gatewayGroupOf(`public/${routerId}`, fabric, side.carriers);
  const subnets = Map.groupBy(side.addresses, (address) => `${wireOf(address)}/${formatCidr(prefixOf(address))}`);
  const met = new Set<string>();
  const legs = [...subnets].map(([subnet, addresses], index): PublicLeg => {
    const first = addresses[0]!;
    const beside = met.has(wireOf(first)) ? `/${subnet}` : '';
    met.add(wireOf(first));
    return {
      id: derivedId(`public/${routerId}/${subnet}`),
      wire: publicWire(first, chassis, beside),
      own: first.ip,
      prefix: prefixOf(first),
      gateway: first.gateway,
      addresses,
      main: index === 0,
    };
  });
  return { legs, chassis, ...uplinkOf(routerId, side.uplink6, legs, chassis) };
}

/** By the first leg that is on the wire, since that has a port there already. */
function uplinkOf(
  routerId: string,
  six: Uplink6 | undefined,
  legs: readonly PublicLeg[],
  chassis: readonly string[],
): { readonly uplink?: PublicUplink } {
  if (six === undefined) return {};
  const wire = publicWire(six, chassis);
  const leg = legs.find((one) => one.wire.id === wire.id);
  return { uplink: { id: leg?.id ?? derivedId(`public/${routerId}/${wireOf(six)}/6`), wire, six } };
}

/** `beside`: tells switches of one wire and group apart. */
function publicWire(at: Wire, chassis: readonly string[], beside = ''): PublicWire {
  const { physicalNetwork, vlan } = at;
  const members = chassis.toSorted();
  return {
    id: derivedId(`public/${wireOf(at)}/${members.join('/')}${beside}`),
    physicalNetwork,
    ...(vlan === undefined ? {} : { vlan }),
    chassis: members,
    segmentId: derivedId(`public/${wireOf(at)}`),
  };
}

/** Who has a public side, with the key of the unit it is compiled in. */
export function ownerKey(owner: PublicOwner): string {
  return 'tiers' in owner ? vpcKey(owner.id) : networkKey(owner.id);
}

type Wire = Pick<PublicAddress, 'physicalNetwork' | 'vlan'>;

function wireOf({ physicalNetwork, vlan }: Wire): string {
  return `${physicalNetwork}/${vlan ?? 'untagged'}`;
}

function prefixOf({ ip: text, netmask }: PublicAddress): Cidr {
  const length = lengthOfNetmask(netmask);
  if (length === undefined) throw new Error(`the public address ${text} has no netmask but ${netmask}`);
  return cidr(`${text}/${length}`);
}

const EVERYWHERE = cidr('0.0.0.0/0');

/**
 * The routing with the public side: its wires, and the default route. A default route of the tenant's own wins over ours, since it was
 * said and ours goes without saying; what then comes in from public wires is answered the tenant's way.
 */
export function withPublic(routing: Routing, legs: readonly PublicLeg[]): Routing {
  const [main] = legs;
  if (main === undefined) return routing;
  const segments = legs.map((leg): Connected => ({
    id: leg.id,
    kind: 'public',
    networkId: leg.wire.segmentId,
    prefix: leg.prefix,
    own: ip(leg.own),
    label: `the public network ${formatCidr(leg.prefix)}`,
  }));
  const wires = segments.filter(({ prefix }, i) => i === segments.findIndex((other) => covers(other.prefix, prefix)));
  const out = hasOwnDefault(routing) ? [] : [{ prefix: EVERYWHERE, via: [segments[0]!] }];
  const table = [...routing.table, ...wires.map((wire) => ({ prefix: wire.prefix, via: [wire] })), ...out];
  return {
    ...routing,
    connected: [...routing.connected, ...segments],
    table: table.toSorted((a, b) => b.prefix.length - a.prefix.length),
  };
}

function hasOwnDefault({ table }: Routing): boolean {
  return table.some(({ prefix, via }) => prefix.length === 0 && via.some(({ kind }) => kind !== 'public'));
}

/** The default route; none where the tenant has one. */
export function defaultRoute(
  unit: string,
  routerId: string,
  routing: Routing,
  place: PublicPlace,
): readonly DesiredRow[] {
  const [main] = place.legs;
  if (main === undefined || hasOwnDefault(routing)) return [];
  return [
    row(
      'Logical_Router_Static_Route',
      rowId('Logical_Router_Static_Route', `${routerId}/public`),
      { id: routerId, unit },
      { ip_prefix: '0.0.0.0/0', nexthop: main.gateway, output_port: [routerPortName(main.id)] },
    ),
  ];
}

/** Logical_Router_Policy priority: above the source check of tiers, whose verdict is not needed for an instance's own address. */
const OTHER_WIRES = 29_000;

/**
 * An instance translated to an address of another wire than the router's default route answers by that wire. Rule: by policy, since
 * which address it is translated to is decided only when the way is known.
 */
export function otherWires(unit: string, place: PublicPlace, routing: Routing): readonly DesiredRow[] {
  const within = routing.table.filter(
    ({ prefix, via }) => prefix.length > 0 && via.some(({ kind }) => kind !== 'public'),
  );
  // What is sent to an address of the router's own turns round there, and goes to no wire.
  const own = place.legs.flatMap(({ addresses }) => addresses.map(({ ip: address }) => address));
  return place.legs
    .filter(({ main }) => !main)
    .flatMap((leg) =>
      leg.addresses.flatMap(({ id, staticNat }) => {
        const tier = staticNat === undefined ? undefined : routing.connected.find(isTierOf(ip(staticNat)));
        if (staticNat === undefined || tier === undefined) return [];
        const from = `inport == "${routerPortName(tier.id)}" && ip4.src == ${staticNat}`;
        const inside = [...within.map(({ prefix }) => formatCidr(prefix)), ...own].join(', ');
        return [
          policy(unit, id, 'inside', OTHER_WIRES, `${from} && ip4.dst == {${inside}}`, 'allow'),
          policy(unit, id, 'out', OTHER_WIRES - 1, from, 'reroute', leg.gateway),
        ];
      }),
    );
}

function isTierOf(address: number): (segment: Connected) => boolean {
  const text = formatIp(address);
  return ({ kind, prefix }) => kind === 'tier' && covers(prefix, cidr(`${text}/32`));
}
