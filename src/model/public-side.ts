// The public side of a router, whoever routes: addresses, what they lead to, and what may pass. Part of the intent (intent.ts).
import type { AclList } from './intent.ts';
import type { Uplink6 } from './ipv6.ts';

/** The public side of a VPC or of a network that OVN routes for. */
export interface PublicSide {
  /** NATTED: what leaves is translated to the source NAT address. ROUTED: nothing is; that address is the router's own. */
  readonly mode: 'NATTED' | 'ROUTED';
  /** The source NAT address first, where there is one; then in order of id. */
  readonly addresses: readonly PublicAddress[];
  /** Whether what comes in to public addresses needs a firewall rule. VPCs have lists instead. */
  readonly firewall: boolean;
  readonly egressDefault: 'allow' | 'deny';
  readonly egress: readonly FirewallRule[];
  /** Balancers at addresses inside: of a network of this router. */
  readonly internal: readonly InternalBalancer[];
  /** Which nodes carry it. */
  readonly carriers: Carriers;
  /** The gateway helper is needed no more, and is still to be reached: for as long as its programs take leave of their peers. */
  readonly helperLeaves?: true;
  /** Where IPv6 leaves; may be on the wire of some of the addresses, or on one of its own. */
  readonly uplink6?: Uplink6;
}

/** Which nodes of the gateway group carry a router's public side; the group itself is the compiler's choice. */
export interface Carriers {
  /** How far the group is turned: 0 the compiler's own choice, 1 the one after it, and so on. */
  readonly turn: number;
  /** Names of chassis that are to carry it only if nobody else can. */
  readonly avoid: readonly string[];
}

export interface PublicAddress {
  readonly id: string;
  readonly ip: string;
  /** Id of the range it is of. */
  readonly range: string;
  /** Name of the physical network its wire is on. */
  readonly physicalNetwork: string;
  readonly netmask: string;
  readonly gateway: string;
  /** Absent: untagged on the outside interface. */
  readonly vlan?: number;
  readonly sourceNat: boolean;
  /** Which of the helper's spare addresses is its own, from 1, where VPNs end at it; the source NAT address needs none. */
  readonly helperSlot?: number;
  /** Private address it is translated to, one to one. */
  readonly staticNat?: string;
  /** The card it is translated to. */
  readonly staticNatNic?: string;
  /** Gone through before anything is translated, Ingress items only; absent: everything passes. VPCs only. */
  readonly acl?: AclList;
  readonly forwards: readonly PortForward[];
  readonly balancers: readonly Balancer[];
  readonly ingress: readonly FirewallRule[];
}

export interface PortForward {
  readonly id: string;
  readonly protocol: 'tcp' | 'udp';
  readonly publicPort: number;
  readonly publicEndPort: number;
  readonly privatePort: number;
  readonly ip: string;
  /** Of the card that has the address, and its network. */
  readonly nicId: string;
  readonly networkId: string;
  /** Empty: from everywhere. */
  readonly cidrs: readonly string[];
}

export interface FirewallRule {
  readonly id: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'all';
  readonly startPort?: number;
  readonly endPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly cidrs: readonly string[];
  readonly destinationCidrs: readonly string[];
}

export interface Balancer {
  readonly id: string;
  readonly protocol: 'tcp' | 'udp';
  readonly publicPort: number;
  readonly algorithm: 'roundrobin' | 'leastconn' | 'source';
  /** Empty: from everywhere. */
  readonly cidrs: readonly string[];
  /** A client stays, by its address. */
  readonly sticky: boolean;
  /** For how long after its last connection; absent: half an hour. */
  readonly stickySeconds?: number;
  /** A client stays, by a cookie. */
  readonly cookie?: StickyCookie;
  /** Members are told the client's address by the PROXY protocol. */
  readonly proxy?: true;
  readonly check?: {
    readonly intervalSeconds: number;
    readonly timeoutSeconds: number;
    readonly healthy: number;
    readonly unhealthy: number;
    /** Asked for by HTTP; absent: whether the port takes connections. */
    readonly path?: string;
    /** Who asks where OVN does: an address of the members' network that is kept for it. */
    readonly source?: string;
  };
  readonly members: readonly BalancerMember[];
}

/** `balancer`: the balancer's own cookie. `application`: one that the members set, whose value says who the client is. */
export type StickyCookie =
  | {
      readonly kind: 'balancer';
      readonly name: string;
      readonly mode: 'insert' | 'rewrite' | 'prefix';
      readonly flags: readonly ('nocache' | 'indirect' | 'postonly')[];
      readonly domain?: string;
    }
  | {
      readonly kind: 'application';
      readonly name: string;
      /** Characters of the value that count. */
      readonly length: number;
      readonly holdSeconds: number;
    };

export interface BalancerMember {
  readonly ip: string;
  readonly port: number;
  /** The card that has the address. */
  readonly nicId: string;
  readonly networkId: string;
}

/** A balancer at an address of a network, reached from inside only. */
export interface InternalBalancer {
  readonly id: string;
  readonly networkId: string;
  readonly ip: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly algorithm: Balancer['algorithm'];
  readonly members: readonly BalancerMember[];
}
