// From rows to units of the intent: pure. Apart from load.ts, which decides which units to make anew.
import {
  type AclItem,
  type AclList,
  type Chassis,
  type Fabric,
  type GuestNetwork,
  type Host,
  type Instance,
  type InstanceNic,
  type Network,
  type Nic,
  type PrivateGateway,
  type PrivateNetwork,
  type Scan,
  type Segment,
  type StaticRoute,
  type Tier,
  type Tier6,
  type Vpc,
  mtuOf,
} from '../model/intent.ts';
import { looksLikeIp6 } from '../lib/ip6.ts';
import {
  LINUX_ROUTER,
  type RoutedBy,
  capabilitiesOf,
  routedBy,
  servicesOf as offeredServices,
} from '../model/network-service.ts';
import type { Row, Rows } from './intent-rows.ts';
import { networkSide, vpcSide } from './public-unit.ts';
import { routerRoles, routesOf } from './router-unit.ts';
import type { DhcpOptions } from '../model/dhcp-option.ts';
import { firstBootOf, serviceOf } from './service-unit.ts';
import { familiesOf, firewall6Of, nicSix, sixOf } from './six-unit.ts';
import { networkVpn, vpcVpn } from './vpn-unit.ts';

/** What a foreign key holds is there: the database sees to it. */
function known<T>(row: T | undefined, what: string): T {
  if (row === undefined) throw new Error(`the database names ${what} that it does not hold`);
  return row;
}

/** States of a host that is going out of use: CloudStack's names. */
const LEAVING: ReadonlySet<string> = new Set(['PrepareForMaintenance', 'Maintenance']);
/** States of a host that carries nothing, or failed to a moment ago: what comes back to it is to come when it is ready. */
const FAILED: ReadonlySet<string> = new Set(['Down', 'Alert']);

/** Settings that the intent follows. */
export interface Settings {
  readonly underlayMtu: number;
  readonly distributedNat: boolean;
}

export function fabricUnit(rows: Rows, { underlayMtu, distributedNat }: Settings): Fabric {
  const chassis = [...rows.host.all()]
    .filter((host) => host.serial !== null && host.kind !== 'router')
    .map((host): Chassis => ({
      name: host.name,
      underlayIp: host.underlayip,
      kind: host.kind as Chassis['kind'],
      ...(LEAVING.has(host.resourcestate) || FAILED.has(host.state) ? { leaving: true } : {}),
      ...wiresOf(host.facts),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { chassis, underlayMtu, ...(distributedNat ? { distributedNat: true } : {}) };
}

/** The physical networks a node said it has, in its last report (JSON of NodeFacts). */
export function wiresOf(facts: string | null): { readonly wires?: readonly string[] } {
  const { wires } = facts === null ? {} : (JSON.parse(facts) as { readonly wires?: readonly string[] });
  return wires === undefined ? {} : { wires };
}

/** A VPC with all that hangs on its router. Private networks come from `privateNetwork`, so that all VPCs share one object. */
export function vpcUnit(rows: Rows, row: Row<'vpc'>, privateNetwork: (id: string) => PrivateNetwork): Vpc {
  const publicSide = vpcSide(rows, row, (id) => aclList(rows, id));
  const vpn = vpcVpn(rows, row.id);
  const tiers = rows.network.by('vpc', row.id);
  const tiers6 = tiers.flatMap((network) => tier6(rows, network, row));
  const routes = rows.staticroute
    .by('vpc', row.id)
    .map(({ id, vpc, cidr, nexthop }): StaticRoute => ({ id, vpcId: vpc, cidr, nextHop: nexthop }));
  const routes6 = routes.filter(({ cidr }) => looksLikeIp6(cidr));
  return {
    id: row.id,
    name: row.name,
    accountId: row.account,
    cidr: row.cidr,
    tiers: tiers.filter(({ cidr }) => cidr !== null).map((network) => tier(rows, network, row)),
    ...(tiers6.length === 0 ? {} : { tiers6 }),
    gateways: rows.privategateway.by('vpc', row.id).map((gateway): PrivateGateway => ({
      id: gateway.id,
      vpcId: gateway.vpc,
      ip: gateway.ip,
      acl: aclList(rows, gateway.acl),
      network: privateNetwork(gateway.network),
    })),
    routes: routes.filter(({ cidr }) => !looksLikeIp6(cidr)),
    ...(routes6.length === 0 ? {} : { routes6 }),
    ...(publicSide === undefined ? {} : { publicSide }),
    ...(vpn === undefined ? {} : { vpn }),
    ...(isStrict(rows, row) ? { strictLists: true } : {}),
  };
}

/** Offering capability `Strict` of NetworkACL. */
function isStrict(rows: Rows, row: Row<'vpc'>): boolean {
  const offering = rows.vpcoffering.get(row.offering);
  return offering !== undefined && capabilitiesOf(offering).NetworkACL?.['Strict'] === 'true';
}

function tier(rows: Rows, row: Row<'network'>, vpc: Row<'vpc'>): Tier {
  return {
    ...base(rows, row, row.networkdomain ?? vpc.networkdomain),
    kind: 'tier',
    vpcId: vpc.id,
    cidr: known(row.cidr ?? undefined, `no CIDR of tier ${row.id}`),
    gateway: known(row.gateway ?? undefined, `no gateway of tier ${row.id}`),
    ...(row.acl === null ? {} : { acl: aclList(rows, row.acl) }),
    ...(offered(rows, row).has('SourceNat') ? {} : { untranslated: true }),
  };
}

/** A tier without IPv4. */
function tier6(rows: Rows, row: Row<'network'>, vpc: Row<'vpc'>): Tier6[] {
  const { six, ...common } = base(rows, row, row.networkdomain ?? vpc.networkdomain);
  if (row.cidr !== null || six === undefined) return [];
  return [
    { ...common, kind: 'tier6', vpcId: vpc.id, six, ...(row.acl === null ? {} : { acl: aclList(rows, row.acl) }) },
  ];
}

/** A network outside any VPC. */
export function networkUnit(rows: Rows, row: Row<'network'>): PrivateNetwork | GuestNetwork {
  const common = base(rows, row, row.networkdomain ?? '');
  if (row.guesttype === 'Private') {
    const members = rows.privategateway.by('network', row.id).map(({ id, vpc, ip }) => ({ id, vpcId: vpc, ip }));
    const cidr = known(row.cidr ?? undefined, `no CIDR of Private network ${row.id}`);
    return { ...common, kind: 'private', cidr, dhcp: false, members };
  }
  const routed = (row.gateway !== null || row.ip6gateway !== null) && routedByOvn(rows, row);
  const publicSide = routed ? networkSide(rows, row, (id) => aclList(rows, id)) : undefined;
  const vpn = routed ? networkVpn(rows, row.id) : undefined;
  return {
    ...common,
    kind: 'guest',
    routed,
    ...(publicSide === undefined ? {} : { publicSide }),
    ...(vpn === undefined ? {} : { vpn }),
    ...(row.cidr === null ? {} : { cidr: row.cidr }),
    ...(row.gateway === null ? {} : { gateway: row.gateway }),
    members: rows.member.by('network', row.id).map((member) => ({
      id: member.id,
      name: rows.device.get(member.device)?.name ?? member.device,
      ...(member.ip === null ? {} : { ip: member.ip }),
      ...(member.mac === null ? {} : { mac: member.mac }),
    })),
    routes: routesOf(rows, row.id),
    // What router nodes let through is theirs (router-unit.ts).
    ...(whoRoutes(rows, row) === 'LinuxRouter' ? {} : firewall6Of(rows, row)),
  };
}

function whoRoutes(rows: Rows, row: Row<'network'>): RoutedBy {
  return routedBy([...offered(rows, row)].map(([name, provider]) => ({ name, provider })));
}

function routedByOvn(rows: Rows, row: Row<'network'>): boolean {
  return whoRoutes(rows, row) === 'Ovn';
}

/** Whether OVN has a router port on the network: that may be at any hypervisor, so the network's VLAN is needed at all of them. */
export function needsEveryHypervisor(rows: Rows, row: Row<'network'>): boolean {
  if (row.vpc !== null) return true;
  if (row.guesttype === 'Private') return rows.privategateway.by('network', row.id).length > 0;
  return (row.gateway !== null || row.ip6gateway !== null) && routedByOvn(rows, row);
}

type Base = Pick<
  Network,
  'id' | 'name' | 'accountId' | 'segment' | 'nics' | 'dns' | 'domainName' | 'dhcp' | 'dhcpOptions' | 'service' | 'six'
>;

function base(rows: Rows, row: Row<'network'>, domainName: string): Base {
  const zone = known(rows.zone.get(row.zone), `zone ${row.zone}`);
  const own = [row.dns1, row.dns2].filter((server) => server !== null);
  const theirs = [zone.dns1, zone.dns2].filter((server) => server !== null);
  const service = serviceOf(row, offered(rows, row), theirs);
  // Who answers for the network's names passes everything else on to the zone's.
  const announced = service?.dns === true ? [service.ip] : theirs;
  return {
    id: row.id,
    name: row.name,
    accountId: row.account,
    segment: segmentOf(rows, row),
    nics: rows.nic.by('network', row.id).map((nic) => nicOf(rows, nic)),
    dns: own.length > 0 ? own : announced,
    ...(service === undefined ? {} : { service }),
    domainName,
    ...sixOf(row),
    dhcp: row.cidr !== null && offered(rows, row).has('Dhcp') && offered(rows, row).get('Dhcp') !== LINUX_ROUTER,
    ...(row.dhcpoptions === null ? {} : { dhcpOptions: JSON.parse(row.dhcpoptions) as DhcpOptions }),
  };
}

/** The services of a network's offering, each with who gives it. */
function offered(rows: Rows, row: Row<'network'>): ReadonlyMap<string, string> {
  return providersOf(known(rows.networkoffering.get(row.offering), `network offering ${row.offering}`));
}

// Offerings are few and networks many: each text is parsed once.
const parsed = new Map<string, ReadonlyMap<string, string>>();

function providersOf(offering: Row<'networkoffering'>): ReadonlyMap<string, string> {
  let providers = parsed.get(offering.services);
  if (providers === undefined) {
    providers = new Map(offeredServices(offering).map(({ name, provider }) => [name, provider]));
    if (parsed.size > 1000) parsed.clear();
    parsed.set(offering.services, providers);
  }
  return providers;
}

function segmentOf(rows: Rows, row: Row<'network'>): Segment {
  if (row.segment === 'overlay' || row.vlan === null || row.physicalnetwork === null) return { kind: 'overlay' };
  const physical = known(rows.physicalnetwork.get(row.physicalnetwork), `physical network ${row.physicalnetwork}`);
  return { kind: 'vlan', vlan: row.vlan, physicalNetwork: physical.name };
}

/**
 * Mbit/s, as CloudStack decides it: an instance's first card has what its size says, any other, and a first one whose size says
 * nothing, what the network's offering says. 0 and less: no limit.
 */
function rateOf(rows: Rows, nic: Row<'nic'>, instance: Row<'instance'>): { readonly rateMbit?: number } {
  const size = nic.isdefault === 1 ? rows.serviceoffering.get(instance.serviceoffering)?.networkrate : null;
  const network = rows.network.get(nic.network);
  const offering = network === undefined ? undefined : rows.networkoffering.get(network.offering);
  const rate = size ?? offering?.networkrate ?? 0;
  return rate > 0 ? { rateMbit: rate } : {};
}

function nicOf(rows: Rows, row: Row<'nic'>): Nic {
  const instance = known(rows.instance.get(row.instance), `instance ${row.instance}`);
  const host = instance.host === null ? undefined : known(rows.host.get(instance.host), `host ${instance.host}`);
  const from = instance.migratefrom === null ? undefined : rows.host.get(instance.migratefrom);
  return {
    id: row.id,
    instanceId: row.instance,
    mac: row.mac,
    ...(row.ip === null ? {} : { ip: row.ip }),
    ...(row.ip6 === null ? {} : { ip6: row.ip6 }),
    ...(row.dhcpoptions === null ? {} : { dhcpOptions: JSON.parse(row.dhcpoptions) as DhcpOptions }),
    isDefault: row.isdefault === 1,
    secondary: rows.nicaddress.by('nic', row.id).map(({ ip }) => ip),
    hostname: instance.hostname,
    ...(host === undefined ? {} : { host: host.name }),
    ...(host === undefined || from === undefined ? {} : { movingFrom: from.name }),
    ...rateOf(rows, row, instance),
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
      ...familiesOf(id, item.cidrlist),
      ...(item.startport === null ? {} : { startPort: item.startport }),
      ...(item.endport === null ? {} : { endPort: item.endport }),
      ...(item.icmptype === null ? {} : { icmpType: item.icmptype }),
      ...(item.icmpcode === null ? {} : { icmpCode: item.icmpcode }),
    }));
  return { id: list.id, name: list.name, items };
}

/**
 * A host with the instances whose disk it has: a stopped one stays where it ran, so that it finds its files again; one that moves
 * is in the lists of both its hosts.
 */
export function hostUnit(rows: Rows, row: Row<'host'>, underlayMtu: number): Host {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind as Host['kind'],
    chassis: row.name,
    underlayIp: row.underlayip,
    instances: [...rows.instance.by('lasthost', row.id), ...rows.instance.by('migratefrom', row.id)]
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((instance) => instanceOf(rows, instance, row.name, underlayMtu)),
    routers: routerRoles(rows, row.id),
    scans: rows.scan.by('host', row.id).flatMap((scan) => scanOf(rows, scan)),
    ...(row.state === 'Down' ? { down: true } : {}),
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
        dhcp: network.cidr !== null && offered(rows, network).has('Dhcp'),
        addresses: [
          ...(nic.ip === null ? [] : [{ ip: nic.ip, moved: nic.moved }]),
          ...rows.nicaddress.by('nic', nic.id).map(({ ip, moved }) => ({ ip, moved })),
        ],
        ...nicSix(nic, network, whoRoutes(rows, network) === 'LinuxRouter'),
        ...(network.vpc === null && network.gateway !== null && !routedByOvn(rows, network)
          ? { upstream: network.gateway }
          : {}),
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
    ...migrationOf(rows, row),
    passwordHash: row.passwordhash,
    cpus: size.cpunumber,
    memoryMb: size.memory,
    nics,
    firstBoot: firstBootOf(rows, row, size.name, (network) => offered(rows, network)),
  };
}

function migrationOf(rows: Rows, row: Row<'instance'>): Pick<Instance, 'migration'> {
  const from = row.migratefrom === null ? undefined : rows.host.get(row.migratefrom);
  const to = row.host === null ? undefined : rows.host.get(row.host);
  if (from === undefined || to === undefined) return {};
  return { migration: { from: from.name, to: to.name, toAddress: to.underlayip } };
}

/** A question that was answered is no intent any more. */
function scanOf(rows: Rows, row: Row<'scan'>): Scan[] {
  const network = rows.network.get(row.network);
  if (row.state !== 'Requested' || network === undefined || network.cidr === null) return [];
  const segment = segmentOf(rows, network);
  if (segment.kind !== 'vlan') return [];
  const { vlan, physicalNetwork } = segment;
  const scan = { id: row.id, networkId: network.id, cidr: network.cidr, vlan, physicalNetwork };
  if (row.route === null) return [scan];
  const probe = probeOf(rows, row);
  return probe === undefined ? [] : [{ ...scan, probe }];
}

/** Undefined when the route or the card that was to ask is gone. */
function probeOf(rows: Rows, { route, nic, target }: Row<'scan'>): Scan['probe'] {
  const card = nic === null ? undefined : rows.nic.get(nic);
  const to = route === null ? undefined : rows.networkroute.get(route);
  const via = to === undefined ? undefined : rows.member.get(to.member)?.ip;
  if (card === undefined || card.ip === null || typeof via !== 'string' || target === null) return undefined;
  return { nicId: card.id, mac: card.mac, from: card.ip, via, target };
}
