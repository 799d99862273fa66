// From rows to units of the intent: pure. Apart from load.ts, which decides which units to make anew.
import {
  type AclItem,
  type AclList,
  type Fabric,
  type GuestNetwork,
  type Host,
  type Instance,
  type InstanceNic,
  type Network,
  type Nic,
  type PrivateGateway,
  type PrivateNetwork,
  type Segment,
  type Tier,
  type UnitKey,
  type Vpc,
  mtuOf,
} from '../model/intent.ts';
import { servicesOf as offeredServices } from '../model/network-service.ts';
import type { Row, Rows, Touched } from './intent-rows.ts';

/** What a foreign key holds is there: the database sees to it. */
function known<T>(row: T | undefined, what: string): T {
  if (row === undefined) throw new Error(`the database names ${what} that it does not hold`);
  return row;
}

export function fabricUnit(rows: Rows, underlayMtu: number): Fabric {
  const chassis = [...rows.host.all()]
    .filter((host) => host.serial !== null)
    .map((host) => ({ name: host.name, underlayIp: host.underlayip }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { chassis, underlayMtu };
}

/** A VPC with all that hangs on its router. Private networks come from `privateNetwork`, so that all VPCs share one object. */
export function vpcUnit(rows: Rows, row: Row<'vpc'>, privateNetwork: (id: string) => PrivateNetwork): Vpc {
  return {
    id: row.id,
    name: row.name,
    accountId: row.account,
    cidr: row.cidr,
    tiers: rows.network.by('vpc', row.id).map((network) => tier(rows, network, row)),
    gateways: rows.privategateway.by('vpc', row.id).map((gateway): PrivateGateway => ({
      id: gateway.id,
      vpcId: gateway.vpc,
      ip: gateway.ip,
      acl: aclList(rows, gateway.acl),
      network: privateNetwork(gateway.network),
    })),
    routes: rows.staticroute
      .by('vpc', row.id)
      .map(({ id, vpc, cidr, nexthop }) => ({ id, vpcId: vpc, cidr, nextHop: nexthop })),
  };
}

function tier(rows: Rows, row: Row<'network'>, vpc: Row<'vpc'>): Tier {
  return {
    ...base(rows, row, row.networkdomain ?? vpc.networkdomain),
    kind: 'tier',
    vpcId: vpc.id,
    gateway: known(row.gateway ?? undefined, `no gateway of tier ${row.id}`),
    ...(row.acl === null ? {} : { acl: aclList(rows, row.acl) }),
  };
}

/** A network outside any VPC. */
export function networkUnit(rows: Rows, row: Row<'network'>): PrivateNetwork | GuestNetwork {
  const common = base(rows, row, row.networkdomain ?? '');
  if (row.guesttype === 'Private') {
    const members = rows.privategateway.by('network', row.id).map(({ id, vpc, ip }) => ({ id, vpcId: vpc, ip }));
    return { ...common, kind: 'private', dhcp: false, members };
  }
  return {
    ...common,
    kind: 'guest',
    routed: row.gateway !== null && [...servicesOf(rows, row)].some((service) => ROUTER_SERVICES.has(service)),
    ...(row.gateway === null ? {} : { gateway: row.gateway }),
  };
}

/** Services that need a router of ours; DHCP, DNS and user data do not. */
const ROUTER_SERVICES: ReadonlySet<string> = new Set([
  'SourceNat',
  'StaticNat',
  'PortForwarding',
  'Lb',
  'Firewall',
  'Gateway',
  'Vpn',
  'NetworkACL',
]);

type Base = Pick<Network, 'id' | 'name' | 'accountId' | 'cidr' | 'segment' | 'nics' | 'dns' | 'domainName' | 'dhcp'>;

function base(rows: Rows, row: Row<'network'>, domainName: string): Base {
  const zone = known(rows.zone.get(row.zone), `zone ${row.zone}`);
  const own = [row.dns1, row.dns2].filter((server) => server !== null);
  return {
    id: row.id,
    name: row.name,
    accountId: row.account,
    cidr: known(row.cidr ?? undefined, `no CIDR of network ${row.id}`),
    segment: segmentOf(rows, row),
    nics: rows.nic.by('network', row.id).map((nic) => nicOf(rows, nic)),
    dns: own.length > 0 ? own : [zone.dns1, zone.dns2].filter((server) => server !== null),
    domainName,
    dhcp: servicesOf(rows, row).has('Dhcp'),
  };
}

function servicesOf(rows: Rows, row: Row<'network'>): ReadonlySet<string> {
  const offering = known(rows.networkoffering.get(row.offering), `network offering ${row.offering}`);
  return serviceNames(offering);
}

// Offerings are few and networks many: each text is parsed once.
const parsed = new Map<string, ReadonlySet<string>>();

function serviceNames(offering: Row<'networkoffering'>): ReadonlySet<string> {
  let names = parsed.get(offering.services);
  if (names === undefined) {
    names = new Set(offeredServices(offering).map((service) => service.name));
    if (parsed.size > 1000) parsed.clear();
    parsed.set(offering.services, names);
  }
  return names;
}

function segmentOf(rows: Rows, row: Row<'network'>): Segment {
  if (row.segment === 'overlay' || row.vlan === null || row.physicalnetwork === null) return { kind: 'overlay' };
  const physical = known(rows.physicalnetwork.get(row.physicalnetwork), `physical network ${row.physicalnetwork}`);
  return { kind: 'vlan', vlan: row.vlan, physicalNetwork: physical.name };
}

function nicOf(rows: Rows, row: Row<'nic'>): Nic {
  const instance = known(rows.instance.get(row.instance), `instance ${row.instance}`);
  const host = instance.host === null ? undefined : known(rows.host.get(instance.host), `host ${instance.host}`);
  return {
    id: row.id,
    instanceId: row.instance,
    mac: row.mac,
    ip: row.ip,
    isDefault: row.isdefault === 1,
    hostname: instance.hostname,
    ...(host === undefined ? {} : { host: host.name }),
  };
}

function aclList(rows: Rows, id: string): AclList {
  const list = known(rows.acl.get(id), `ACL list ${id}`);
  const items = rows.aclitem
    .by('acl', id)
    .toSorted((a, b) => a.number - b.number)
    .map((item): AclItem => ({
      id: item.id,
      number: item.number,
      action: item.action === 'Allow' ? 'Allow' : 'Deny',
      direction: item.traffictype === 'Egress' ? 'Egress' : 'Ingress',
      protocol: item.protocol,
      cidrs: item.cidrlist
        .split(',')
        .map((text) => text.trim())
        .filter((text) => text !== ''),
      ...(item.startport === null ? {} : { startPort: item.startport }),
      ...(item.endport === null ? {} : { endPort: item.endport }),
      ...(item.icmptype === null ? {} : { icmpType: item.icmptype }),
      ...(item.icmpcode === null ? {} : { icmpCode: item.icmpcode }),
    }));
  return { id: list.id, name: list.name, items };
}

/** A host with the instances whose disk it has: a stopped one stays where it ran, so that it finds its files again. */
export function hostUnit(rows: Rows, row: Row<'host'>, underlayMtu: number): Host {
  return {
    id: row.id,
    name: row.name,
    chassis: row.name,
    underlayIp: row.underlayip,
    instances: rows.instance
      .by('lasthost', row.id)
      .map((instance) => instanceOf(rows, instance, row.name, underlayMtu)),
  };
}

function instanceOf(rows: Rows, row: Row<'instance'>, host: string, underlayMtu: number): Instance {
  const size = known(rows.serviceoffering.get(row.serviceoffering), `service offering ${row.serviceoffering}`);
  const nics = rows.nic
    .by('instance', row.id)
    .map((nic): InstanceNic => {
      const network = known(rows.network.get(nic.network), `network ${nic.network}`);
      return {
        id: nic.id,
        mac: nic.mac,
        deviceId: nic.deviceid,
        isDefault: nic.isdefault === 1,
        networkId: nic.network,
        mtu: mtuOf(segmentOf(rows, network), underlayMtu),
        dhcp: servicesOf(rows, network).has('Dhcp'),
      };
    })
    .toSorted((a, b) => a.deviceId - b.deviceId);
  return {
    id: row.id,
    name: row.name,
    hostname: row.hostname,
    host,
    power: row.power === 'running' ? 'running' : 'stopped',
    boot: row.boot,
    passwordHash: row.passwordhash,
    cpus: size.cpunumber,
    memoryMb: size.memory,
    nics,
  };
}

/** The unit a network belongs to: its VPC where it is a tier, else itself. */
function unitOfNetwork(row: Row<'network'>): UnitKey {
  return row.vpc === null ? `network:${row.id}` : `vpc:${row.vpc}`;
}

/**
 * Which units a touched row changes, as far as the rows know now: to be asked before and after rows were replaced, because a
 * row that left a unit changed that one, too.
 */
export function unitsOf(rows: Rows, touched: Touched): Set<UnitKey> {
  const units = new Set<UnitKey>();
  const network = (id: string): void => {
    const row = rows.network.get(id);
    if (row !== undefined) units.add(unitOfNetwork(row));
  };
  const host = (id: string | null | undefined): void => {
    if (typeof id === 'string') units.add(`host:${id}`);
  };
  const instance = (row: Row<'instance'>): void => {
    host(row.lasthost);
    for (const nic of rows.nic.by('instance', row.id)) network(nic.network);
  };
  const users = (acl: string): void => {
    for (const tierRow of rows.network.by('acl', acl)) units.add(unitOfNetwork(tierRow));
    for (const gateway of rows.privategateway.by('acl', acl)) units.add(`vpc:${gateway.vpc}`);
  };
  const { table } = touched;
  switch (table) {
    case 'zone':
      for (const row of rows.network.by('zone', touched.id)) units.add(unitOfNetwork(row));
      break;
    case 'physicalnetwork':
      for (const row of rows.network.by('physicalnetwork', touched.id)) units.add(unitOfNetwork(row));
      break;
    case 'host':
      units.add('fabric').add(`host:${touched.id}`);
      if (touched.was?.name !== touched.is?.name)
        for (const row of rows.instance.by('lasthost', touched.id)) instance(row);
      break;
    case 'vpc':
      units.add(`vpc:${touched.id}`);
      break;
    case 'network':
      for (const row of [touched.was, touched.is]) if (row !== undefined) units.add(unitOfNetwork(row));
      // The size of packets its instances may send follows from the segment.
      for (const nic of rows.nic.by('network', touched.id)) host(rows.instance.get(nic.instance)?.lasthost);
      break;
    case 'privategateway':
      for (const row of [touched.was, touched.is])
        if (row !== undefined) units.add(`vpc:${row.vpc}`).add(`network:${row.network}`);
      break;
    case 'staticroute':
      for (const row of [touched.was, touched.is]) if (row !== undefined) units.add(`vpc:${row.vpc}`);
      break;
    case 'acl':
      users(touched.id);
      break;
    case 'aclitem':
      for (const row of [touched.was, touched.is]) if (row !== undefined) users(row.acl);
      break;
    case 'instance':
      for (const row of [touched.was, touched.is]) if (row !== undefined) instance(row);
      break;
    case 'nic':
      for (const row of [touched.was, touched.is]) {
        if (row === undefined) continue;
        network(row.network);
        host(rows.instance.get(row.instance)?.lasthost);
      }
      break;
    default:
      table satisfies never;
  }
  return units;
}
