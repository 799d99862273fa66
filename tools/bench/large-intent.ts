// A large intent for the compiler's bench: so many VPCs with so many tiers and ports, each VPC on one of a few Private networks.
import { macOf, derivedId } from '../../src/lib/id.ts';
import type { AclList, Intent, Nic, PrivateNetwork, Tier, Vpc } from '../../src/model/intent.ts';

const ALLOW: AclList = {
  id: derivedId('bench/allow'),
  name: 'default_allow',
  items: (['Ingress', 'Egress'] as const).map((direction, index) => ({
    id: derivedId(`bench/allow/${direction}`),
    number: index + 1,
    action: 'Allow' as const,
    direction,
    protocol: 'all',
    cidrs: ['0.0.0.0/0'],
  })),
};
const HOSTS = ['h1', 'h2', 'h3'];

/** `vpcs` VPCs of `tiers` tiers of `ports` ports each. */
export function largeIntent(vpcs: number, tiers: number, ports: number): Intent {
  const all = Array.from({ length: vpcs }, (_, index) => vpc(index, tiers, ports));
  return {
    generation: 1,
    fabric: {
      chassis: HOSTS.map((name, index) => ({ name, underlayIp: `192.0.2.${11 + index}`, kind: 'hypervisor' as const })),
      underlayMtu: 1500,
    },
    vpcs: new Map(all.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((each) => [each.id, each])),
    networks: new Map<string, PrivateNetwork>(),
    hosts: new Map(),
    switches: new Map(),
  };
}

/** The same with another port in one VPC. */
export function withOneChange(intent: Intent, index: number): Intent {
  const [id, before] = [...intent.vpcs][index]!;
  const [tier, ...others] = before.tiers;
  const changed: Vpc = {
    ...before,
    tiers: [{ ...tier!, nics: [...tier!.nics, nic(`extra/${index}`, '10.0.0.200', 0)] }, ...others],
  };
  return {
    ...intent,
    generation: intent.generation + 1,
    vpcs: new Map([...intent.vpcs].map(([key, value]) => [key, key === id ? changed : value])),
  };
}

function vpc(index: number, tiers: number, ports: number): Vpc {
  const id = derivedId(`bench/vpc/${index}`);
  return {
    id,
    name: `vpc${index}`,
    accountId: derivedId('bench/account'),
    cidr: '10.0.0.0/16',
    tiers: Array.from({ length: tiers }, (_, number) => tierOf(id, number, ports)),
    gateways: [],
    routes: [],
  };
}

function tierOf(vpcId: string, number: number, ports: number): Tier {
  return {
    kind: 'tier',
    id: derivedId(`bench/tier/${vpcId}/${number}`),
    name: `tier${number}`,
    accountId: derivedId('bench/account'),
    vpcId,
    cidr: `10.0.${number}.0/24`,
    gateway: `10.0.${number}.1`,
    segment: { kind: 'overlay' },
    acl: ALLOW,
    dns: ['8.8.8.8'],
    domainName: 'cs1.cloud.internal',
    dhcp: true,
    nics: Array.from({ length: ports }, (_, port) =>
      nic(`${vpcId}/${number}/${port}`, `10.0.${number}.${10 + port}`, port),
    ),
  };
}

function nic(name: string, ip: string, port: number): Nic {
  const id = derivedId(`bench/nic/${name}`);
  return {
    id,
    instanceId: derivedId(`bench/instance/${name}`),
    mac: macOf(id),
    ip,
    isDefault: true,
    secondary: [],
    hostname: `vm-${port}`,
    host: HOSTS[port % HOSTS.length]!,
  };
}
