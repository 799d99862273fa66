// The tables, as types. One dialect-neutral schema for SQLite and PostgreSQL: booleans are 0/1, instants are ISO 8601 text in
// UTC, lists and objects are JSON text. Ids are lower-case UUIDs. What each column means is said here and nowhere else.
import type { DomainTable, AccountTable, UserTable, SessionTable, ResourceLimitTable } from './schema/account.ts';
import type {
  ZoneTable,
  PhysicalNetworkTable,
  TrafficTypeTable,
  VlanTable,
  HostTable,
  GuestPrefixTable,
  GatewayClaimTable,
} from './schema/zone.ts';
import type {
  ServiceOfferingTable,
  DiskOfferingTable,
  TemplateTable,
  NetworkOfferingTable,
  VpcOfferingTable,
} from './schema/offering.ts';
import type {
  VpcTable,
  NetworkTable,
  AddressTable,
  PrivateGatewayTable,
  StaticRouteTable,
  AclTable,
  AclItemTable,
  NetworkRouteTable,
  NetworkRouterTable,
} from './schema/network.ts';
import type {
  InstanceTable,
  NicTable,
  NicAddressTable,
  SshKeyPairTable,
  AffinityGroupTable,
  AffinityMemberTable,
  VolumeTable,
} from './schema/instance.ts';
import type { SwitchTable, SwitchPortTable, DeviceTable, MemberTable } from './schema/physical.ts';
import type {
  PublicRangeTable,
  PublicIpTable,
  PortForwardTable,
  FirewallRuleTable,
  LoadBalancerTable,
  BalancerMemberTable,
  InternalBalancerTable,
  InternalMemberTable,
} from './schema/public.ts';
import type {
  RemoteVpnTable,
  VpnUserTable,
  VpnClientTable,
  VpnGatewayTable,
  CustomerGatewayTable,
  VpnConnectionTable,
} from './schema/vpn.ts';
import type { ReceiptTable, ScanTable, SightingTable } from './schema/wire.ts';
import type {
  TagTable,
  JobTable,
  TransitionTable,
  EventTable,
  ConfigurationTable,
  ChangeTable,
  CounterTable,
} from './schema/record.ts';

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
  sshkeypair: SshKeyPairTable;
  affinitygroup: AffinityGroupTable;
  affinitymember: AffinityMemberTable;
  volume: VolumeTable;
  resourcelimit: ResourceLimitTable;
  internalbalancer: InternalBalancerTable;
  internalmember: InternalMemberTable;
  remotevpn: RemoteVpnTable;
  vpnuser: VpnUserTable;
  vpnclient: VpnClientTable;
  vpngateway: VpnGatewayTable;
  customergateway: CustomerGatewayTable;
  vpnconnection: VpnConnectionTable;
  guestprefix: GuestPrefixTable;
  gatewayclaim: GatewayClaimTable;
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
  'publicrange',
  'publicip',
  'portforward',
  'firewallrule',
  'loadbalancer',
  'balancermember',
  'internalbalancer',
  'internalmember',
  'remotevpn',
  'vpnuser',
  'vpnclient',
  'vpngateway',
  'customergateway',
  'vpnconnection',
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
  'internalbalancer',
  'remotevpn',
  'vpnuser',
  'vpnconnection',
] as const satisfies readonly IntentTable[];

export type StatefulTable = (typeof STATEFUL_TABLES)[number];
