// What a network asks of a Linux router node. Part of the intent (intent.ts).
import type { NetworkRoute } from './intent.ts';
import type { Firewall6, Network6, Uplink6 } from './ipv6.ts';
import type { FirewallRule, PublicAddress } from './public-side.ts';

/** What a network asks of one router node: everything that node must do for it. */
export interface RouterRole {
  /** Of the leg. */
  readonly id: string;
  readonly network: {
    readonly id: string;
    readonly name: string;
    readonly cidr: string;
    readonly vlan: number;
    readonly domainName: string;
    readonly dns: readonly string[];
  };
  /** The node's own address in the network. */
  readonly ip: string;
  /** The address instances use as gateway; shared by the pair. */
  readonly gateway: string;
  readonly priority: number;
  /** The other nodes of the pair: their own addresses in the network. */
  readonly peers: readonly string[];
  /** The same nodes by name, with the address they have outside of all networks: for what the pair tells each other. */
  readonly peerNodes: readonly { readonly name: string; readonly underlayIp: string }[];
  /** ROUTED: nothing is translated, and `routable` addresses are answered for on the outside. */
  readonly mode: 'NATTED' | 'ROUTED';
  readonly routable: readonly string[];
  readonly dhcp: boolean;
  readonly dnsService: boolean;
  /** Whether what comes in to public addresses needs a rule (service Firewall). */
  readonly firewall: boolean;
  readonly egressDefault: 'allow' | 'deny';
  readonly egress: readonly FirewallRule[];
  readonly leases: readonly { readonly mac: string; readonly ip: string; readonly hostname: string }[];
  readonly routes: readonly NetworkRoute[];
  readonly publicAddresses: readonly PublicAddress[];
  /** In a network that has IPv6, too. */
  readonly six?: RouterRole6;
}

/** What is asked of a router node in IPv6. Of a pair, one has all of these addresses. */
export interface RouterRole6 extends Network6, Firewall6 {
  /** The router's link-local address in the network: what it advertises itself by. */
  readonly link: string;
  /** Absent: no public wire of the zone has IPv6, and nothing leads out. */
  readonly uplink?: Pick<Uplink6, 'vlan' | 'cidr' | 'gateway' | 'address'>;
  /** Addresses of instances that are answered for outside, where upstream takes the prefix for a part of its wire. */
  readonly proxied: readonly string[];
}
