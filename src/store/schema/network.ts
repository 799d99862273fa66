// Networks, VPCs, and what hangs on them. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

export interface VpcTable {
  id: string;
  name: string;
  displaytext: string;
  /** As typed, host bits and all. */
  cidr: string;
  zone: string;
  account: string;
  domain: string;
  offering: string;
  networkdomain: string;
  /** Enabled, Inactive. */
  state: string;
  restartrequired: Bit;
  fordisplay: Bit;
  /** Grows with restartVPC. */
  epoch: number;
  /** How often the chassis that carries its public side was changed by hand: the group is gone through from there. */
  gatewayturn: number;
  /** Ids of hosts, with commas: those that carry its public side only if nobody else can (a router that was stopped there). */
  gatewayavoid: string;
  created: string;
}

/** A network of any type; a tier when `vpc` is set. */
export interface NetworkTable {
  id: string;
  name: string;
  displaytext: string;
  zone: string;
  physicalnetwork: string | null;
  account: string;
  domain: string;
  offering: string;
  /** Isolated, Shared, L2, Private: the offering's at creation. */
  guesttype: string;
  vpc: string | null;
  cidr: string | null;
  gateway: string | null;
  startip: string | null;
  endip: string | null;
  /** vlan or overlay. */
  segment: string;
  vlan: number | null;
  acl: string | null;
  networkdomain: string | null;
  ipexclusionlist: string | null;
  dns1: string | null;
  dns2: string | null;
  /** Allocated, Implementing, Implemented, Setup. */
  state: string;
  restartrequired: Bit;
  displaynetwork: Bit;
  /** Made by createPrivateGateway in CloudStack's dialect; goes with its last gateway. */
  implicit: Bit;
  /** Who may use it beside its account (Shared networks): Domain for everybody in its domain, Subdomains for those below, too; null for nobody. */
  shared: string | null;
  /** The part of the CIDR that instances are given addresses from; null for all of it. */
  guestcidr: string | null;
  /** How often the chassis that carries its public side was changed by hand: the group is gone through from there. */
  gatewayturn: number;
  /** Ids of hosts, with commas: those that carry its public side only if nobody else can (a router that was stopped there). */
  gatewayavoid: string;
  /** Address of what serves names, user data and passwords in it (kind `service` in `address`); null where nothing of that is served. */
  serviceip: string | null;
  /** A /64, where it has IPv6. */
  ip6cidr: string | null;
  ip6gateway: string | null;
  /** JSON of DHCP options by their code, for its instances' default cards (model/dhcp-option.ts); null for none. */
  dhcpoptions: string | null;
  created: string;
}

/** An address in use in a network: the table that makes sure none is given twice. `kind`: nic, gateway, secondary, router, member, reserved, service, balancer, check. */
export interface AddressTable {
  network: string;
  ip: string;
  kind: string;
  owner: string;
}

export interface PrivateGatewayTable {
  id: string;
  vpc: string;
  network: string;
  ip: string;
  acl: string;
  sourcenat: Bit;
  /** CloudStack's dialect only. */
  gateway: string | null;
  netmask: string | null;
  account: string;
  domain: string;
  /** Creating, Ready, Deleting. */
  state: string;
  created: string;
}

export interface StaticRouteTable {
  id: string;
  vpc: string;
  cidr: string;
  nexthop: string;
  /** CloudStack's dialect only: the gateway it was created by. */
  privategateway: string | null;
  account: string;
  domain: string;
  /** Add (accepted, not yet realized), Active, Unreachable, Revoke. */
  state: string;
  /** Why it is Unreachable. */
  reason: string | null;
  created: string;
}

/** An ACL list; `vpc` is null for the two global ones. */
export interface AclTable {
  id: string;
  name: string;
  description: string;
  vpc: string | null;
  account: string | null;
  domain: string | null;
  created: string;
}

export interface AclItemTable {
  id: string;
  acl: string;
  number: number;
  protocol: string;
  startport: number | null;
  endport: number | null;
  icmptype: number | null;
  icmpcode: number | null;
  /** Ingress, Egress. */
  traffictype: string;
  /** Allow, Deny. */
  action: string;
  cidrlist: string;
  /** Why it is there: its owner's words. */
  reason: string | null;
  created: string;
}

/** A network behind a member (the office behind a VPN device): announced to instances by DHCP where there is DHCP. */
export interface NetworkRouteTable {
  id: string;
  network: string;
  cidr: string;
  member: string;
  account: string;
  domain: string;
  created: string;
}

/** A router node's leg in a network: its own address there, and its precedence (the highest is master). */
export interface NetworkRouterTable {
  id: string;
  network: string;
  host: string;
  ip: string;
  priority: number;
  /** As the node reported it: MASTER, BACKUP, FAULT. */
  state: string | null;
  /** JSON list of sentences: what the node found wrong at its last pass. */
  findings: string | null;
  created: string;
}
