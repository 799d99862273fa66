// Rows of the public side for tests of the store: legs of router nodes, public addresses, and the rules on them; and a pair with all of it.
import { newId } from '../lib/id.ts';
import type { Intent } from '../model/intent.ts';
import type { RouterRole } from '../model/router-role.ts';
import { WORLD, addWorld, hostRow, instanceRow, networkRow, nicRow } from './row.test-support.ts';
import type { Tables } from './schema.ts';
import type { Tx } from './write.ts';

const created = '2026-11-22T12:00:00.000Z';
const OWNER = { account: WORLD.account, domain: WORLD.domain } as const;

export function legRow(network: string, host: string, ip: string, priority = 200): Tables['networkrouter'] {
  return { id: newId(), network, host, ip, priority, state: null, findings: null, created };
}

export function rangeRow(more: Partial<Tables['publicrange']> = {}): Tables['publicrange'] {
  return {
    id: newId(),
    zone: WORLD.zone,
    physicalnetwork: WORLD.physical,
    network: null,
    vlan: null,
    ip6cidr: null,
    ip6gateway: null,
    startip: '203.0.113.10',
    endip: '203.0.113.250',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
    account: null,
    domain: null,
    created,
    ...more,
  };
}

export function publicIpRow(
  publicrange: string,
  ip: string,
  network: string | null,
  more: Partial<Tables['publicip']> = {},
): Tables['publicip'] {
  const plain = {
    vpc: null,
    acl: null,
    issourcenat: 0 as const,
    helperslot: 0,
    nic: null,
    vmip: null,
    state: 'Allocated',
    moved: 0,
  };
  return { id: newId(), publicrange, ip, ...OWNER, network, ...plain, created, ...more };
}

export function forwardRow(
  address: { readonly id: string },
  network: string,
  nic: { readonly id: string; readonly ip: string | null },
  more: Partial<Tables['portforward']> = {},
): Tables['portforward'] {
  const ports = { protocol: 'tcp', publicport: 2222, publicendport: 2222, privateport: 22, privateendport: 22 };
  const rest = { vmip: nic.ip ?? '', cidrlist: '', state: 'Active' };
  return { id: newId(), publicip: address.id, network, ...ports, nic: nic.id, ...rest, ...OWNER, created, ...more };
}

export function firewallRow(
  network: string,
  publicip: string | null,
  more: Partial<Tables['firewallrule']> = {},
): Tables['firewallrule'] {
  return {
    id: newId(),
    direction: publicip === null ? 'Egress' : 'Ingress',
    family: 4,
    network,
    publicip,
    protocol: 'tcp',
    startport: 22,
    endport: 22,
    icmptype: null,
    icmpcode: null,
    cidrlist: '0.0.0.0/0',
    destcidrlist: '',
    related: null,
    state: 'Active',
    ...OWNER,
    created,
    ...more,
  };
}

export function balancerRow(
  publicip: string,
  network: string,
  more: Partial<Tables['loadbalancer']> = {},
): Tables['loadbalancer'] {
  return {
    id: newId(),
    name: 'lb',
    description: '',
    publicip,
    network,
    protocol: 'tcp',
    publicport: 80,
    privateport: 8080,
    algorithm: 'roundrobin',
    cidrlist: '',
    stickiness: null,
    healthcheck: null,
    state: 'Active',
    ...OWNER,
    created,
    ...more,
  };
}

export function balancerMemberRow(loadbalancer: string, nic: string, ip: string): Tables['balancermember'] {
  return { id: newId(), loadbalancer, nic, ip, created };
}

export interface Setting {
  readonly routers: readonly [Tables['host'], Tables['host']];
  readonly hypervisor: Tables['host'];
  readonly network: Tables['network'];
  readonly other: Tables['network'];
  readonly legs: readonly [Tables['networkrouter'], Tables['networkrouter']];
  readonly nic: Tables['nic'];
  readonly range: Tables['publicrange'];
  readonly address: Tables['publicip'];
}

const SERVICES = ['Dhcp', 'Dns', 'Firewall', 'PortForwarding', 'Lb', 'SourceNat', 'StaticNat', 'Gateway'];

/** A pair of router nodes for one network with an instance, another network without any, and a source NAT address. */
export async function addSetting(tx: Tx): Promise<Setting> {
  await addWorld(tx);
  const offering = await tx.db.selectFrom('networkoffering').selectAll().limit(1).executeTakeFirstOrThrow();
  const byRouter = JSON.stringify(SERVICES.map((name) => ({ name, provider: 'LinuxRouter' })));
  const linux = { ...offering, id: '00000000-0000-4000-8000-00000000000a', name: 'linux', services: byRouter };
  await tx.insert('networkoffering', linux);
  const wire = { guesttype: 'Isolated', segment: 'vlan' } as const;
  const network = networkRow({
    ...wire,
    name: 'web',
    offering: linux.id,
    vlan: 1234,
    cidr: '10.1.1.0/24',
    gateway: '10.1.1.1',
    networkdomain: 'web.example',
  });
  const other = networkRow({ ...wire, name: 'bare', offering: WORLD.bareOffering, vlan: 1235, cidr: '10.1.2.0/24' });
  const hypervisor = hostRow('h1');
  const routers = [
    hostRow('r1', { kind: 'router', underlayip: '192.0.2.11' }),
    hostRow('r2', { kind: 'router', underlayip: '192.0.2.12' }),
  ] as const;
  const legs = [
    legRow(network.id, routers[0].id, '10.1.1.254'),
    legRow(network.id, routers[1].id, '10.1.1.253', 100),
  ] as const;
  const instance = instanceRow('i-1-VM', hypervisor.id);
  const nic = nicRow(instance.id, network.id, 0, '10.1.1.2');
  const range = rangeRow({ vlan: 77 });
  const address = publicIpRow(range.id, '203.0.113.10', network.id, { issourcenat: 1 });
  for (const row of [network, other]) await tx.insert('network', row);
  for (const row of [hypervisor, ...routers]) await tx.insert('host', row);
  for (const row of legs) await tx.insert('networkrouter', row);
  await tx.insert('instance', instance);
  await tx.insert('nic', nic);
  await tx.insert('publicrange', range);
  await tx.insert('publicip', address);
  return { routers, hypervisor, network, other, legs, nic, range, address };
}

export function rolesOf(intent: Intent, host: { readonly id: string }): readonly RouterRole[] {
  return intent.hosts.get(host.id)?.routers ?? [];
}

/** IPv6 of a network, and of a public range. */
export const SIX = { ip6cidr: '2001:db8:1::/64', ip6gateway: '2001:db8:1::1' } as const;
export const WIRE6 = { ip6cidr: '2001:db8:100::/64', ip6gateway: '2001:db8:100::1' } as const;
