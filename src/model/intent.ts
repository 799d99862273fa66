// The intent: everything tenants and operators asked for that has a consequence on the network, as one frozen snapshot.
// It is cut into units (a VPC, a network, the fabric), because the compiler remembers its answer per unit: a unit that
// did not change is the same object as before.
import type { DhcpOptions } from './dhcp-option.ts';
import type { FirstBoot, NetworkService } from './first-boot.ts';
import type { Firewall6, Network6, Nic6 } from './ipv6.ts';
import type { PublicSide } from './public-side.ts';
import type { RouterRole } from './router-role.ts';
import type { Switch } from './switch.ts';
import type { VpnSide } from './vpn.ts';

/** A named set of packet filter rules, first match in ascending `number`. `none`: no list attached (in: drop, out: free). */
export interface AclList {
  readonly id: string;
  readonly name: string;
  readonly items: readonly AclItem[];
}

export interface AclItem {
  readonly id: string;
  readonly number: number;
  readonly action: 'Allow' | 'Deny';
  readonly direction: 'Ingress' | 'Egress';
  /** tcp, udp, icmp, all, or a protocol number as text. */
  readonly protocol: string;
  readonly cidrs: readonly string[];
  /** The same in IPv6. An item with CIDRs of one family only says nothing about the other. */
  readonly cidrs6?: readonly string[];
  readonly startPort?: number;
  readonly endPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** A network interface of an instance. Its id is the logical switch port's name and the virtual port's interface id. */
export interface Nic {
  readonly id: string;
  readonly instanceId: string;
  readonly mac: string;
  /** Absent in a network without addresses, or without IPv4. */
  readonly ip?: string;
  /** The address it gives itself in a network with IPv6. */
  readonly ip6?: string;
  /** Sent to it by DHCP besides, or instead of, what its network sends. */
  readonly dhcpOptions?: DhcpOptions;
  readonly isDefault: boolean;
  /** Further addresses of the card. */
  readonly secondary: readonly string[];
  /** The instance's host name, announced by DHCP. */
  readonly hostname: string;
  /** Name of the hypervisor the instance is placed on; undefined while it has none (stopped). */
  readonly host?: string;
  /** Name of the hypervisor it is being moved from, until it runs on `host`. */
  readonly movingFrom?: string;
  /** Most it may send, and receive, in Mbit/s; absent: all it can. */
  readonly rateMbit?: number;
}

/** The segment a network lives on: a tagged VLAN of a physical network, or an overlay tunnel between the hypervisors. */
export type Segment =
  | { readonly kind: 'vlan'; readonly vlan: number; readonly physicalNetwork: string }
  | { readonly kind: 'overlay' };

interface NetworkBase {
  readonly id: string;
  readonly name: string;
  readonly accountId: string;
  readonly segment: Segment;
  readonly nics: readonly Nic[];
  /** Resolvers announced by DHCP. */
  readonly dns: readonly string[];
  readonly domainName: string;
  /** Whether DHCP is served. */
  readonly dhcp: boolean;
  /** Sent to default cards besides. */
  readonly dhcpOptions?: DhcpOptions;
  /** What the nodes themselves serve in it; absent: nothing. */
  readonly service?: NetworkService;
  /** Where OVN or a router node routes IPv6 for it. */
  readonly six?: Network6;
}

/** A tier: a network whose gateway is its VPC's router. */
export interface Tier extends NetworkBase {
  readonly kind: 'tier';
  readonly vpcId: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly acl?: AclList;
  /** Its offering has no SourceNat: the VPC's address is not for it, so it does not speak to the world. */
  readonly untranslated?: true;
}

/** A tier without IPv4. Apart from the others, so that nobody has to ask whether a tier has what all others have. */
export interface Tier6 extends NetworkBase {
  readonly kind: 'tier6';
  readonly vpcId: string;
  readonly cidr?: undefined;
  readonly gateway?: undefined;
  readonly six: Network6;
  readonly acl?: AclList;
}

/** A Private network: a segment on which only private gateways of VPCs meet. No router, no DHCP of its own. */
export interface PrivateNetwork extends NetworkBase {
  readonly kind: 'private';
  readonly cidr: string;
  /** Every private gateway on it, of any VPC. */
  readonly members: readonly GatewayMember[];
}

/** A guest network outside any VPC: OVN routes for it, Linux routers do, or nobody of ours. */
export interface GuestNetwork extends NetworkBase {
  readonly kind: 'guest';
  /** Absent in a network without addresses (L2): its instances bring their own. */
  readonly cidr?: string;
  /** Absent where nobody is known to lead out. */
  readonly gateway?: string;
  /** Whether OVN routes for it (false: the gateway, if any, is a Linux router or somebody else's machine). */
  readonly routed: boolean;
  /** Machines that are not instances, plugged into switch ports. */
  readonly members: readonly Member[];
  /** Networks behind members: announced to instances by DHCP. */
  readonly routes: readonly NetworkRoute[];
  /** Where OVN routes. */
  readonly publicSide?: PublicSide;
  readonly vpn?: VpnSide;
  /** What its IPv6 firewall lets through; absent: it has none, and everything passes. */
  readonly firewall6?: Firewall6;
}

/** A physical machine in a network: its address is never handed out, and other members find it on the wire. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly ip?: string;
  readonly mac?: string;
}

/** A network behind a member, such as the office behind a VPN device. */
export interface NetworkRoute {
  readonly id: string;
  readonly cidr: string;
  /** Address of the member in the network. */
  readonly via: string;
}

/** A question to the wire that a node is to ask: who is in this network? */
export interface Scan {
  readonly id: string;
  readonly networkId: string;
  readonly cidr: string;
  readonly vlan: number;
  /** Name of the physical network that carries it. */
  readonly physicalNetwork: string;
  /** Asked instead, in the name of a card: whether it reaches `target`, a host behind the member `via`. */
  readonly probe?: {
    readonly nicId: string;
    readonly mac: string;
    readonly from: string;
    readonly via: string;
    readonly target: string;
  };
}

export type Network = Tier | Tier6 | PrivateNetwork | GuestNetwork;

export interface GatewayMember {
  readonly id: string;
  readonly vpcId: string;
  readonly ip: string;
}

/** A VPC's own leg on a Private network. */
export interface PrivateGateway {
  readonly id: string;
  readonly vpcId: string;
  readonly ip: string;
  readonly acl: AclList;
  readonly network: PrivateNetwork;
}

export interface StaticRoute {
  readonly id: string;
  readonly vpcId: string;
  readonly cidr: string;
  readonly nextHop: string;
}

/** A VPC and all that hangs on its router. */
export interface Vpc {
  readonly id: string;
  readonly name: string;
  readonly accountId: string;
  readonly cidr: string;
  readonly tiers: readonly Tier[];
  /** Those that have no IPv4. */
  readonly tiers6?: readonly Tier6[];
  readonly gateways: readonly PrivateGateway[];
  readonly routes: readonly StaticRoute[];
  /** Those of IPv6. */
  readonly routes6?: readonly StaticRoute[];
  readonly publicSide?: PublicSide;
  readonly vpn?: VpnSide;
  /** Lists mean what they say, at private gateways, too (offering capability): see gateway-list.ts of the compiler. */
  readonly strictLists?: true;
}

/** An instance as its hypervisor must run it. */
export interface Instance {
  readonly id: string;
  /** Internal name, unique in the zone: i-…-VM. */
  readonly name: string;
  readonly hostname: string;
  readonly host?: string;
  readonly power: 'running' | 'stopped';
  /** Grows with each reboot asked for: the agent restarts the guest when it has seen a smaller one. */
  readonly boot: number;
  /** Set while it moves: from `from` to `to`, both names of hosts. It is in the lists of both. */
  readonly migration?: {
    readonly from: string;
    readonly to: string;
    /** Tunnel address of the destination. */
    readonly toAddress: string;
  };
  /** crypt(3) hash of root's password. */
  readonly passwordHash: string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly nics: readonly InstanceNic[];
  readonly firstBoot?: FirstBoot;
}

export interface InstanceNic {
  readonly id: string;
  readonly mac: string;
  readonly deviceId: number;
  readonly isDefault: boolean;
  readonly networkId: string;
  /** Bytes of an IP packet that fit. */
  readonly mtu: number;
  /** Whether its network serves DHCP: where not, nobody waits for a lease. */
  readonly dhcp: boolean;
  /** Addresses to announce when they have moved, the main one first; empty in a network without addresses. */
  readonly addresses: readonly MovedAddress[];
  /** In a network with IPv6. */
  readonly six?: Nic6;
  /** Whom to announce them to besides everybody: the gateway, where it is not OVN's. */
  readonly upstream?: string;
}

export interface MovedAddress {
  readonly ip: string;
  /** Generation at which it came here. */
  readonly moved: number;
}

/**
 * hypervisor: carries instances. router: a Linux machine that routes for networks, without OVN. gateway: OVN's, carries the public side of
 * routers. witness: OVN's, so that a group of two gateways has a majority.
 */
export type NodeKind = 'hypervisor' | 'router' | 'gateway' | 'witness';

/** A node that has joined. */
export interface Host {
  readonly id: string;
  readonly name: string;
  readonly kind: NodeKind;
  /** OVN's name for it (system-id): the same as `name`. Router nodes have no OVN. */
  readonly chassis: string;
  /** Address of its tunnel endpoint. */
  readonly underlayIp: string;
  /** Those that run here, and the stopped ones that ran here last. */
  readonly instances: readonly Instance[];
  readonly routers: readonly RouterRole[];
  readonly scans: readonly Scan[];
  /** It was Up and has been silent for too long. */
  readonly down?: true;
}

/** A node that runs OVN. */
export interface Chassis {
  readonly name: string;
  readonly underlayIp: string;
  readonly kind: Exclude<NodeKind, 'router'>;
  /** In maintenance, or about to be: carries router ports only if nobody else can. */
  readonly leaving?: true;
  /** Names of the physical networks it says it has a bridge to, sorted. Absent: it has not said. */
  readonly wires?: readonly string[];
}

/** What all units share and rarely changes: who runs OVN and how large underlay packets may be. */
export interface Fabric {
  /** In a stable order: by name. */
  readonly chassis: readonly Chassis[];
  /** MTU of the network between the hypervisors, in bytes. */
  readonly underlayMtu: number;
  /** Static NAT is done on the instance's hypervisor where it can be; absent: always at the gateway. */
  readonly distributedNat?: true;
}

/** The whole intent at one generation. Maps are by id, in ascending order of id; units keep identity while unchanged. */
export interface Intent {
  readonly generation: number;
  readonly fabric: Fabric;
  readonly vpcs: ReadonlyMap<string, Vpc>;
  /** Private and guest networks (tiers are inside their VPC). */
  readonly networks: ReadonlyMap<string, PrivateNetwork | GuestNetwork>;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly switches: ReadonlyMap<string, Switch>;
}

/** Names a unit: `vpc:ID`, `network:ID`, `host:ID`, `switch:ID` or `fabric`. What a change touched is said in these. */
export type UnitKey = string;

/** Room that Geneve takes from a packet of the underlay, in bytes (facts: 1500 carries 1442). */
export const GENEVE_OVERHEAD = 58;

/** Bytes of an IP packet that fit through a segment. */
export function mtuOf(segment: Segment, underlayMtu: number): number {
  return segment.kind === 'overlay' ? underlayMtu - GENEVE_OVERHEAD : underlayMtu;
}
