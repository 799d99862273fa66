// Small intents for tests, written as a person would say them. Ids follow from names, so that what is compiled is stable.
import { derivedId, macOf } from '../lib/id.ts';
import { cidr, contains, firstUsable, formatIp, ip } from '../lib/ip.ts';
import type {
  AclItem,
  AclList,
  Fabric,
  GuestNetwork,
  Intent,
  Nic,
  PrivateNetwork,
  Segment,
  StaticRoute,
  Tier,
  Vpc,
} from '../model/intent.ts';

export const OVERLAY: Segment = { kind: 'overlay' };

export function vlan(tag: number): Segment {
  return { kind: 'vlan', vlan: tag, physicalNetwork: 'physnet1' };
}

export function fabricOf(...names: readonly string[]): Fabric {
  return {
    chassis: names.map((name, i) => ({ name, underlayIp: `192.0.2.${11 + i}`, kind: 'hypervisor' as const })),
    underlayMtu: 1500,
  };
}

export const THREE_HOSTS = fabricOf('hv1', 'hv2', 'hv3');

/** `10 ingress allow tcp 22 10.0.0.0/8`: number, direction, action, protocol, then ports (`20-100`), ICMP (`8/0`) and prefixes. */
export function listOf(name: string, ...lines: readonly string[]): AclList {
  const id = derivedId(`list/${name}`);
  return { id, name, items: lines.map((line) => itemOf(id, line)) };
}

function itemOf(listId: string, line: string): AclItem {
  const [number, direction, action, protocol, ...rest] = line.split(' ');
  const cidrs = rest.filter((word) => word.includes('.'));
  const ports = rest
    .find((word) => !word.includes('.') && !word.includes('/'))
    ?.split('-')
    .map(Number);
  const icmp = rest
    .find((word) => !word.includes('.') && word.includes('/'))
    ?.split('/')
    .map(Number);
  return {
    id: derivedId(`${listId}/${number}`),
    number: Number(number),
    direction: direction === 'ingress' ? 'Ingress' : 'Egress',
    action: action === 'allow' ? 'Allow' : 'Deny',
    protocol: protocol!,
    cidrs: cidrs.length === 0 ? ['0.0.0.0/0'] : cidrs,
    ...(ports === undefined ? {} : { startPort: ports[0]!, endPort: ports[1] ?? ports[0]! }),
    ...(icmp === undefined ? {} : { icmpType: icmp[0]!, icmpCode: icmp[1]! }),
  };
}

export const ALLOW = listOf('default_allow', '1 ingress allow all', '2 egress allow all');
export const DENY = listOf('default_deny', '1 ingress deny all', '2 egress deny all');

/** `10.1.1.11@hv1`; without a host the instance is stopped. */
export function nicOf(where: string): Nic {
  const [address, host] = where.split('@');
  const id = derivedId(`nic/${address}`);
  const base = {
    id,
    instanceId: derivedId(`instance/${address}`),
    mac: macOf(id),
    ip: address!,
    isDefault: true,
    secondary: [],
  };
  return { ...base, hostname: `vm-${address!.replaceAll('.', '-')}`, ...(host === undefined ? {} : { host }) };
}

interface NetworkWords {
  readonly cidr: string;
  readonly segment?: Segment;
  readonly nics?: readonly string[];
  readonly acl?: AclList;
}

interface VpcWords {
  readonly name: string;
  readonly cidr: string;
  readonly tiers: Readonly<Record<string, NetworkWords>>;
  /** Address of the private gateway, by the name of the Private network. */
  readonly gateways?: Readonly<Record<string, string>>;
  /** `10.2.0.0/16 via 172.16.1.2`. */
  readonly routes?: readonly string[];
  /** List of all its gateways. */
  readonly gatewayAcl?: AclList;
}

interface IntentWords {
  readonly fabric?: Fabric;
  readonly privateNetworks?: Readonly<Record<string, { readonly cidr: string; readonly segment?: Segment }>>;
  readonly vpcs: readonly VpcWords[];
  readonly guests?: readonly GuestNetwork[];
}

const common = { accountId: derivedId('account'), dns: ['9.9.9.9'], domainName: 'example.org', dhcp: true };

export function intentOf(words: IntentWords): Intent {
  const shared = new Map<string, PrivateNetwork>();
  for (const [name, { cidr: prefix, segment }] of Object.entries(words.privateNetworks ?? {})) {
    const id = derivedId(`private/${name}`);
    const members = words.vpcs.flatMap((vpc) => {
      const address = vpc.gateways?.[name];
      return address === undefined
        ? []
        : [{ id: gatewayId(vpc.name, name), vpcId: derivedId(`vpc/${vpc.name}`), ip: address }];
    });
    const segmentOf = segment ?? OVERLAY;
    shared.set(name, {
      ...common,
      kind: 'private',
      id,
      name,
      cidr: prefix,
      segment: segmentOf,
      nics: [],
      dhcp: false,
      members,
    });
  }
  const vpcs = words.vpcs.map((vpc) => vpcOf(vpc, shared));
  return {
    generation: 1,
    fabric: words.fabric ?? THREE_HOSTS,
    vpcs: byId(vpcs),
    networks: byId([...shared.values(), ...(words.guests ?? [])]),
    hosts: new Map(),
    switches: new Map(),
  };
}

export function guestOf(
  name: string,
  words: NetworkWords & { readonly routed: boolean; readonly gateway?: string },
): GuestNetwork {
  const { cidr: prefix, segment = OVERLAY, nics = [], routed, gateway } = words;
  const network: GuestNetwork = {
    ...common,
    kind: 'guest',
    id: derivedId(`guest/${name}`),
    name,
    cidr: prefix,
    segment,
    nics: nics.map(nicOf),
    routed,
    members: [],
    routes: [],
  };
  return gateway === undefined ? network : { ...network, gateway };
}

function vpcOf(words: VpcWords, shared: ReadonlyMap<string, PrivateNetwork>): Vpc {
  const id = derivedId(`vpc/${words.name}`);
  return {
    id,
    name: words.name,
    accountId: common.accountId,
    cidr: words.cidr,
    tiers: Object.entries(words.tiers).map(([name, tier]) => tierOf(id, `${words.name}/${name}`, name, tier)),
    gateways: Object.entries(words.gateways ?? {}).map(([name, address]) => {
      const network = shared.get(name)!;
      return { id: gatewayId(words.name, name), vpcId: id, ip: address, acl: words.gatewayAcl ?? ALLOW, network };
    }),
    routes: (words.routes ?? []).map((route): StaticRoute => {
      const [prefix, nextHop] = route.split(' via ');
      return { id: derivedId(`route/${words.name}/${route}`), vpcId: id, cidr: prefix!, nextHop: nextHop! };
    }),
  };
}

function tierOf(
  vpcId: string,
  path: string,
  name: string,
  { cidr: prefix, segment = OVERLAY, nics = [], acl }: NetworkWords,
): Tier {
  const gateway = formatIp(firstUsable(cidr(prefix)));
  for (const nic of nics)
    if (!contains(cidr(prefix), ip(nic.split('@')[0]!))) throw new Error(`${nic} is not in ${prefix}`);
  const tier: Tier = {
    ...common,
    kind: 'tier',
    id: derivedId(`tier/${path}`),
    name,
    vpcId,
    cidr: prefix,
    gateway,
    segment,
    nics: nics.map(nicOf),
  };
  return acl === undefined ? tier : { ...tier, acl };
}

export function gatewayId(vpc: string, network: string): string {
  return derivedId(`gateway/${vpc}/${network}`);
}

function byId<T extends { readonly id: string }>(things: readonly T[]): ReadonlyMap<string, T> {
  return new Map(things.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((thing) => [thing.id, thing]));
}

/** Story 1: three VPCs with an instance each, on a hypervisor of its own, in a full mesh over one Private network. */
export function threeVpcs(segment: Segment = OVERLAY, gatewayAcl: AclList = ALLOW): Intent {
  const names = ['alpha', 'beta', 'gamma'];
  return intentOf({
    privateNetworks: { backbone: { cidr: '172.16.1.0/24', segment } },
    vpcs: names.map((name, i) => ({
      name,
      cidr: `10.${i + 1}.0.0/16`,
      tiers: { web: { cidr: `10.${i + 1}.1.0/24`, nics: [`10.${i + 1}.1.11@hv${i + 1}`], acl: ALLOW } },
      gateways: { backbone: `172.16.1.${i + 1}` },
      gatewayAcl,
      routes: [1, 2, 3].filter((other) => other !== i + 1).map((other) => `10.${other}.0.0/16 via 172.16.1.${other}`),
    })),
  });
}

/** What a reader calls the things of an intent, by id. */
export function namesOf(intent: Intent): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const network of intent.networks.values()) {
    names.set(network.id, network.name);
    for (const nic of network.nics) names.set(nic.id, nic.hostname);
  }
  for (const vpc of intent.vpcs.values()) {
    names.set(vpc.id, vpc.name);
    for (const tier of vpc.tiers) {
      names.set(tier.id, `${vpc.name}.${tier.name}`);
      for (const nic of tier.nics) names.set(nic.id, nic.hostname);
    }
    for (const gateway of vpc.gateways) names.set(gateway.id, `${vpc.name}.${gateway.network.name}`);
    for (const route of vpc.routes) names.set(route.id, route.cidr);
  }
  return names;
}
