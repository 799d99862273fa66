// The operator's places: zones, physical networks and their VLANs, nodes. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

export interface ZoneTable {
  id: string;
  name: string;
  dns1: string;
  dns2: string | null;
  internaldns1: string;
  internaldns2: string | null;
  networkdomain: string | null;
  networktype: string;
  allocationstate: string;
  guestcidr: string | null;
  created: string;
}

/** `name` is also OVN's name of it (network_name of localnet ports, ovn-bridge-mappings). `vlan`: ranges "a-b,c-d". */
export interface PhysicalNetworkTable {
  id: string;
  zone: string;
  name: string;
  vlan: string;
  state: string;
  tags: string | null;
  isolationmethods: string | null;
  networkspeed: string | null;
  broadcastdomainrange: string;
  created: string;
}

export interface TrafficTypeTable {
  id: string;
  physicalnetwork: string;
  traffictype: string;
  kvmnetworklabel: string | null;
  created: string;
}

/** A VLAN in use: from the pool (pool=1; then it is nobody else's) or chosen by hand. */
export interface VlanTable {
  physicalnetwork: string;
  vlan: number;
  network: string;
  pool: Bit;
}

/** A hypervisor. `secret`: hash of the join token while it has not been used. `serial`: of the certificate it holds. */
export interface HostTable {
  id: string;
  zone: string;
  name: string;
  underlayip: string;
  /** Connecting (never seen), Up, Down, Alert. */
  state: string;
  resourcestate: string;
  secret: string | null;
  secretexpires: string | null;
  serial: string | null;
  /** JSON NodeFacts of the last report. */
  facts: string | null;
  lastseen: string | null;
  /**
   * hypervisor; router: a Linux machine that routes for networks; gateway: OVN's, carries the public side of routers; witness: OVN's, there
   * so that a group of two gateways has a majority. Only hypervisors carry instances.
   */
  kind: string;
  created: string;
}

/** An IPv6 prefix (/48 to /64) from which networks of a zone are given a /64 each. */
export interface GuestPrefixTable {
  id: string;
  zone: string;
  prefix: string;
  created: string;
}

/** Which node carries a router port that has a group of them, as OVN says. `port`: OVN's name of the router port. */
export interface GatewayClaimTable {
  port: string;
  /** Key of the unit whose router it is of: `vpc:ID`, `network:ID`. */
  unit: string;
  host: string;
  /** Ids of the hosts of its group, with commas, best first. */
  candidates: string;
  /** Ids of the two hosts that the rows of a redundant router stand for, with commas: each keeps its place while it has a part in it. */
  slots: string;
  since: string;
}
