// Rows of the public side for tests of the store: legs of router nodes, public addresses, and the rules on them.
import { newId } from '../lib/id.ts';
import { WORLD } from './row.test-support.ts';
import type { Tables } from './schema.ts';

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
  const plain = { vpc: null, acl: null, issourcenat: 0 as const, nic: null, vmip: null, state: 'Allocated', moved: 0 };
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
