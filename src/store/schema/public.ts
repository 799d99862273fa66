// The public side: ranges, addresses, and the rules on them. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

/** Public addresses that can be acquired; or a further range of a Shared network (`network` set). `vlan` null: untagged. */
export interface PublicRangeTable {
  id: string;
  zone: string;
  physicalnetwork: string;
  network: string | null;
  vlan: number | null;
  startip: string;
  endip: string;
  gateway: string;
  netmask: string;
  /** Where it has IPv6, too: the prefix of the wire and the address that leads out. */
  ip6cidr: string | null;
  ip6gateway: string | null;
  /** Dedicated to. */
  account: string | null;
  domain: string | null;
  created: string;
}

/** An acquired public address. Static NAT: `nic` and `vmip` set. */
export interface PublicIpTable {
  id: string;
  publicrange: string;
  ip: string;
  account: string;
  domain: string;
  network: string | null;
  vpc: string | null;
  issourcenat: Bit;
  nic: string | null;
  vmip: string | null;
  /** The list that is gone through before anything is translated (addresses of VPCs); null: default_allow. */
  acl: string | null;
  /** Which of the gateway helper's spare addresses is its own, from 1, where VPNs end at it beside the source NAT address; else 0. */
  helperslot: number;
  /** Allocating, Allocated, Releasing, Free: a free one keeps its row, so that its id stays known, until it is given again. */
  state: string;
  /** Generation at which what it leads to last changed. */
  moved: number;
  created: string;
}

export interface PortForwardTable {
  id: string;
  publicip: string;
  network: string;
  /** tcp, udp. */
  protocol: string;
  publicport: number;
  publicendport: number;
  privateport: number;
  privateendport: number;
  nic: string;
  vmip: string;
  /** Sources that may use it; empty: all. */
  cidrlist: string;
  /** Add, Active. */
  state: string;
  account: string;
  domain: string;
  created: string;
}

/** A hole in the firewall of a public address (`direction` Ingress), or a rule for what leaves a network (Egress). */
export interface FirewallRuleTable {
  id: string;
  direction: string;
  /** 4, or 6: then the rule is about the network's IPv6, in either direction, and has no public address. */
  family: number;
  network: string;
  publicip: string | null;
  /** tcp, udp, icmp, all. */
  protocol: string;
  startport: number | null;
  endport: number | null;
  icmptype: number | null;
  icmpcode: number | null;
  cidrlist: string;
  destcidrlist: string;
  /** The port forwarding or load balancer rule it was opened for, and goes with. */
  related: string | null;
  state: string;
  account: string;
  domain: string;
  created: string;
}

export interface LoadBalancerTable {
  id: string;
  name: string;
  description: string;
  publicip: string;
  network: string;
  /** tcp, udp. */
  protocol: string;
  publicport: number;
  privateport: number;
  /** roundrobin, leastconn, source. */
  algorithm: string;
  cidrlist: string;
  /** JSON { id, name, description, methodname, params }. */
  stickiness: string | null;
  /** JSON { id, description, intervalSeconds, timeoutSeconds, healthy, unhealthy }. */
  healthcheck: string | null;
  state: string;
  account: string;
  domain: string;
  created: string;
}

export interface BalancerMemberTable {
  id: string;
  loadbalancer: string;
  nic: string;
  ip: string;
  created: string;
}

/** A balancer at an address inside a network. */
export interface InternalBalancerTable {
  id: string;
  name: string;
  description: string;
  network: string;
  sourceip: string;
  /** tcp, udp. */
  protocol: string;
  publicport: number;
  privateport: number;
  /** roundrobin, leastconn, source. */
  algorithm: string;
  state: string;
  account: string;
  domain: string;
  created: string;
}

export interface InternalMemberTable {
  id: string;
  internalbalancer: string;
  nic: string;
  ip: string;
  created: string;
}
