// The tables, as types. One dialect-neutral schema for SQLite and PostgreSQL: booleans are 0/1, instants are ISO 8601 text in
// UTC, lists and objects are JSON text. Ids are lower-case UUIDs. What each column means is said here and nowhere else.

export type Bit = 0 | 1;

/** A tenant tree: ROOT, and domains below it. `path` is ROOT/a/b. */
export interface DomainTable {
  id: string;
  name: string;
  path: string;
  parent: string | null;
  level: number;
  networkdomain: string | null;
  state: string;
  created: string;
}

/** type: 0 user, 1 root admin, 2 domain admin, 4 read-only admin (the CloudStack account types). */
export interface AccountTable {
  id: string;
  name: string;
  domain: string;
  type: number;
  state: string;
  networkdomain: string | null;
  isdefault: Bit;
  created: string;
}

export interface UserTable {
  id: string;
  account: string;
  /** The account's domain, kept here because a user's name is unique in it. */
  domain: string;
  username: string;
  /** scrypt, with its parameters and salt. */
  password: string;
  firstname: string;
  lastname: string;
  email: string;
  timezone: string | null;
  state: string;
  apikey: string | null;
  /** Sealed: the signature needs it, so it cannot be a hash. */
  secretkey: string | null;
  failedlogins: number;
  created: string;
}

export interface SessionTable {
  /** Hash of the cookie's value. */
  id: string;
  user: string;
  /** Hash of the session key. */
  sessionkey: string;
  created: string;
  expires: string;
}

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
  /** hypervisor, or router: a Linux machine that routes for networks and carries no instances. */
  kind: string;
  created: string;
}

/**
 * A physical switch. `driver`: ovsdb, linux, netconf, instructions. `address` is what the driver connects to; `options` is JSON of what
 * that driver needs besides (bridge, user, host key, dialect); `secret` is sealed JSON (password, private key).
 */
export interface SwitchTable {
  id: string;
  zone: string;
  physicalnetwork: string;
  name: string;
  driver: string;
  address: string;
  options: string;
  secret: string | null;
  /** The VLAN of untagged frames on ports nobody has attached: never a network's. */
  nativevlan: number;
  /** 0: it is only looked at, and what would be changed is shown. */
  apply: Bit;
  /** Connecting, Up, Down. */
  state: string;
  /** The first thing wrong with it. */
  error: string | null;
  /** JSON SwitchActual: what it said of itself the last time it was read. */
  actual: string | null;
  /** JSON [{ port, kind, vlan?, text, since }]: what is or was not as wanted. */
  findings: string | null;
  /** JSON: lines that somebody else has to type, or that would be run if `apply` were 1. */
  planned: string | null;
  /** Hash of what its document asks for, and the generation since which it asks for that: kept over restarts. */
  digest: string | null;
  documented: number;
  /** Generation of the last document that was true there. */
  reached: number;
  /** Driver instructions: the generation the network team has confirmed. */
  confirmed: number;
  lastseen: string | null;
  created: string;
}

/**
 * A port of a switch. `role`: access (may be granted and attached), hypervisor or router (the cable of `host`), uplink, management
 * (never touched). `managed`: whether we set its VLANs; 0: they are only compared and what is missing is told.
 * Granted to `domain` and those below it, or to one `account` of it.
 */
export interface SwitchPortTable {
  id: string;
  switch: string;
  name: string;
  role: string;
  host: string | null;
  managed: Bit;
  domain: string | null;
  account: string | null;
  /** JSON list of the VLANs that we put on a trunk: those, and no others, are ours to take off again. */
  carried: string | null;
  created: string;
}

/** A machine that is not ours to start or stop. `kind`: server, router, vpn, other. `switchport`: where it is plugged in. */
export interface DeviceTable {
  id: string;
  name: string;
  kind: string;
  mac: string | null;
  switchport: string | null;
  account: string;
  domain: string;
  created: string;
}

/** A device in a network, by way of a switch port. */
export interface MemberTable {
  id: string;
  network: string;
  device: string;
  switchport: string;
  /** Reserved for it; null in a network without addresses. */
  ip: string | null;
  /** As the device was registered with, or as the switch sees it. */
  mac: string | null;
  tagged: Bit;
  /** Whether the network's gateway address is this member's. */
  isgateway: Bit;
  /** Attaching, Attached, Waiting (for the network team), Detaching (its port is being freed; the address is still reserved). */
  state: string;
  /** Generation at which its place or address last changed. */
  moved: number;
  account: string;
  domain: string;
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

/** A secondary address of a network interface. */
export interface NicAddressTable {
  id: string;
  nic: string;
  ip: string;
  moved: number;
  created: string;
}

/** What became of an announcement: when it was made, who answered for the address afterwards, and how long it was away. */
export interface ReceiptTable {
  id: string;
  network: string;
  /** The card it came to; its row may be gone meanwhile. */
  nic: string | null;
  ip: string;
  mac: string;
  /** Why it was announced: start, migration, address, takeover, member, staticnat. */
  cause: string;
  /** The generation of the move. */
  moved: number;
  /** Who announced. */
  node: string;
  announced: string;
  /** Address of the upstream that was asked. */
  upstream: string | null;
  /** MAC that the upstream uses for the address. */
  answeredby: string | null;
  /** learnt, stale, mute, silent; null: nobody was asked, or could be. */
  verdict: string | null;
  /** From the announcement to that answer. */
  afterms: number | null;
  outagems: number | null;
  /** The whole of it as a sentence. */
  text: string;
  account: string;
  domain: string;
  created: string;
}

/** A question to the wire: who is there? Asked by the node `host`. */
export interface ScanTable {
  id: string;
  network: string;
  host: string;
  /** Requested, Done, Failed. */
  state: string;
  error: string | null;
  account: string;
  domain: string;
  finished: string | null;
  created: string;
}

/** Who was seen in a network, first and last. `place`: the switch port or hypervisor port, as text. */
export interface SightingTable {
  id: string;
  network: string;
  mac: string;
  ip: string;
  vendor: string | null;
  place: string | null;
  first: string;
  last: string;
  created: string;
}

export interface ServiceOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  cpunumber: number;
  cpuspeed: number;
  memory: number;
  tags: string | null;
  networkrate: number | null;
  offerha: Bit;
  issystem: Bit;
  removed: Bit;
  sort: number;
  created: string;
}

export interface DiskOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  /** GiB. */
  disksize: number;
  iscustomized: Bit;
  tags: string | null;
  removed: Bit;
  sort: number;
  created: string;
}

export interface TemplateTable {
  id: string;
  name: string;
  displaytext: string;
  account: string;
  domain: string;
  zone: string | null;
  ostypename: string;
  format: string;
  hypervisor: string;
  /** Bytes. */
  size: number;
  url: string | null;
  templatetype: string;
  passwordenabled: Bit;
  sshkeyenabled: Bit;
  ispublic: Bit;
  isfeatured: Bit;
  isextractable: Bit;
  isdynamicallyscalable: Bit;
  isready: Bit;
  /** Root's password in the image, where the image sets one: a fact about the image, not a secret of a tenant. */
  rootpassword: string | null;
  removed: Bit;
  created: string;
}

export interface NetworkOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  /** Isolated, Shared, L2, Private. */
  guesttype: string;
  /** JSON: [{ name, provider }]. */
  services: string;
  specifyvlan: Bit;
  specifyipranges: Bit;
  conservemode: Bit;
  ispersistent: Bit;
  isdefault: Bit;
  forvpc: Bit;
  egressdefaultpolicy: Bit;
  availability: string;
  state: string;
  networkrate: number | null;
  tags: string | null;
  serviceoffering: string | null;
  /** vlan or overlay: what a network's segment is made of. */
  segment: string;
  /** NATTED, or ROUTED: instances have routable addresses and whoever routes does not translate them. */
  networkmode: string;
  /** JSON { service: { capability: value } }: RedundantRouter of SourceNat and Gateway, and the like. */
  capabilities: string;
  /** JSON { key: value } of the client's own. */
  details: string | null;
  sort: number;
  created: string;
}

export interface VpcOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  /** JSON: [{ name, provider }]. */
  services: string;
  isdefault: Bit;
  redundant: Bit;
  state: string;
  serviceoffering: string | null;
  sort: number;
  created: string;
}

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
  created: string;
}

/** An address in use in a network: the table that makes sure none is given twice. `kind`: nic, gateway, secondary, router, member, reserved. */
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
  created: string;
}

export interface InstanceTable {
  id: string;
  /** i-N-VM: unique, never given twice. */
  name: string;
  displayname: string;
  hostname: string;
  zone: string;
  account: string;
  domain: string;
  serviceoffering: string;
  template: string;
  /** Where it runs; null while stopped. */
  host: string | null;
  /** Where it ran last, and where its disk is therefore; the same as `host` while it runs. */
  lasthost: string | null;
  /** Stopped, Starting, Running, Migrating, Stopping, Destroyed, Expunging, Error. */
  state: string;
  /** What is wanted: running or stopped. */
  power: string;
  boot: number;
  /** crypt(3) hash for the guest. */
  passwordhash: string;
  /** Sealed; only where the API made it up. */
  password: string | null;
  userdata: string | null;
  groupname: string | null;
  details: string | null;
  /** The host it is being moved from, until the move is realized. */
  migratefrom: string | null;
  /** When it was destroyed; it is expunged some time after. */
  destroyed: string | null;
  created: string;
}

export interface NicTable {
  id: string;
  instance: string;
  network: string;
  /** Null in a network without addresses. */
  ip: string | null;
  mac: string;
  isdefault: Bit;
  deviceid: number;
  /** Generation at which its place or main address last changed. */
  moved: number;
  created: string;
}

export interface TagTable {
  id: string;
  /** Kind as the API names it: Vpc, Network, UserVm, … */
  kind: string;
  resource: string;
  key: string;
  value: string;
  account: string;
  domain: string;
  created: string;
}

export interface JobTable {
  id: string;
  user: string;
  account: string;
  domain: string;
  /** Command name. */
  cmd: string;
  /** 0 pending, 1 done, 2 failed. */
  status: number;
  resultcode: number;
  /** JSON: what the result was at settling where the object is gone, or {errorcode, errortext}. Never a secret. */
  result: string | null;
  /** What the result shows: the view's key (`vpc`, `virtualmachine`), and whose; null: {"success": true}. */
  view: string | null;
  instancetype: string | null;
  instanceid: string | null;
  /** The generation it waits for. */
  generation: number;
  /** Request id of the call, for the logs. */
  request: string;
  created: string;
  completed: string | null;
}

/** A state that a row enters when a generation is realized: Creating becomes Ready, Starting becomes Running. */
export interface TransitionTable {
  generation: number;
  kind: string;
  id: string;
  state: string;
}

export interface EventTable {
  id: string;
  type: string;
  /** INFO, WARN, ERROR. */
  level: string;
  /** Created, Scheduled, Started, Completed. */
  state: string;
  description: string;
  account: string;
  domain: string;
  user: string;
  /** The Scheduled event of the same job. */
  parent: string | null;
  resourcetype: string | null;
  resource: string | null;
  created: string;
  /** Order of entry: instants may be equal. */
  seq: number;
}

export interface ConfigurationTable {
  name: string;
  value: string;
  category: string;
  description: string;
  defaultvalue: string;
  isdynamic: Bit;
}

/** One row per touched object and generation: how the intent cache knows what to look at again. */
export interface ChangeTable {
  generation: number;
  kind: string;
  id: string;
}

/** Numbers that only grow: generation, instance, event. */
export interface CounterTable {
  name: string;
  value: number;
}

export interface Tables {
  domain: DomainTable;
  account: AccountTable;
  user: UserTable;
  session: SessionTable;
  zone: ZoneTable;
  physicalnetwork: PhysicalNetworkTable;
  traffictype: TrafficTypeTable;
  vlan: VlanTable;
  host: HostTable;
  serviceoffering: ServiceOfferingTable;
  diskoffering: DiskOfferingTable;
  template: TemplateTable;
  networkoffering: NetworkOfferingTable;
  vpcoffering: VpcOfferingTable;
  vpc: VpcTable;
  network: NetworkTable;
  address: AddressTable;
  privategateway: PrivateGatewayTable;
  staticroute: StaticRouteTable;
  acl: AclTable;
  aclitem: AclItemTable;
  instance: InstanceTable;
  nic: NicTable;
  switch: SwitchTable;
  switchport: SwitchPortTable;
  device: DeviceTable;
  member: MemberTable;
  networkroute: NetworkRouteTable;
  networkrouter: NetworkRouterTable;
  publicrange: PublicRangeTable;
  publicip: PublicIpTable;
  portforward: PortForwardTable;
  firewallrule: FirewallRuleTable;
  loadbalancer: LoadBalancerTable;
  balancermember: BalancerMemberTable;
  nicaddress: NicAddressTable;
  receipt: ReceiptTable;
  scan: ScanTable;
  sighting: SightingTable;
  tag: TagTable;
  job: JobTable;
  transition: TransitionTable;
  event: EventTable;
  configuration: ConfigurationTable;
  change: ChangeTable;
  counter: CounterTable;
}

/** Tables whose rows are objects with an id of their own. */
export type ObjectTable = {
  [T in keyof Tables]: Tables[T] extends { id: string; created: string } ? T : never;
}[keyof Tables];

/** Tables whose rows have a consequence on the network: writing one is noted in `change`, under its own generation. */
export const INTENT_TABLES = [
  'zone',
  'physicalnetwork',
  'host',
  'vpc',
  'network',
  'privategateway',
  'staticroute',
  'acl',
  'aclitem',
  'instance',
  'nic',
  'nicaddress',
  'switch',
  'switchport',
  'device',
  'member',
  'networkroute',
  'networkrouter',
  'publicip',
  'portforward',
  'firewallrule',
  'loadbalancer',
  'balancermember',
  'scan',
] as const satisfies readonly ObjectTable[];

export type IntentTable = (typeof INTENT_TABLES)[number];

/** Tables whose rows enter another state when what was asked of them is realized: what a transition can be of. */
export const STATEFUL_TABLES = [
  'network',
  'privategateway',
  'staticroute',
  'instance',
  'publicip',
  'portforward',
  'firewallrule',
  'loadbalancer',
] as const satisfies readonly IntentTable[];

export type StatefulTable = (typeof STATEFUL_TABLES)[number];
