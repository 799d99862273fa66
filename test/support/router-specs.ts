// Documents of router nodes for tests: networks with what a test is about filled in, the rest quiet.
import type { FirewallRuleSpec, PublicAddressSpec, RouterSpec, RouterSpec6 } from '../../src/protocol/document.ts';

const QUIET = {
  priority: 200,
  peers: [],
  peerNodes: [],
  mode: 'NATTED',
  routable: [],
  firewall: true,
  egressDefault: 'allow',
  egress: [],
  routes: [],
  publicAddresses: [],
} as const;

/** A network 10.1.N.0/24 or as given; its id follows from the VLAN. */
export function network(
  vlan: number,
  parts: Partial<RouterSpec> & Pick<RouterSpec, 'name' | 'cidr' | 'ip' | 'gateway'>,
): RouterSpec {
  const id = (kind: number): string => `${kind}0000000-0000-4000-8000-${String(vlan).padStart(12, '0')}`;
  return { ...QUIET, id: id(1), networkId: id(2), vlan, ...parts };
}

/** The two legs of a pair: at r1 (.2, master) and at r2 (.3). */
export function legs(spec: RouterSpec): { readonly r1: RouterSpec; readonly r2: RouterSpec } {
  const at = (host: number): string => spec.ip.replace(/[0-9]+$/, String(Number(/[0-9]+$/.exec(spec.ip)![0]) + host));
  const peerNode = (name: string, underlayIp: string): RouterSpec['peerNodes'] => [{ name, underlayIp }];
  return {
    r1: { ...spec, ip: at(0), priority: 200, peers: [at(1)], peerNodes: peerNode('r2', '192.0.2.22') },
    r2: { ...spec, ip: at(1), priority: 100, peers: [at(0)], peerNodes: peerNode('r1', '192.0.2.21') },
  };
}

export function publicAddress(ip: string, parts: Partial<PublicAddressSpec> = {}): PublicAddressSpec {
  return {
    ip,
    prefixLength: 24,
    gateway: '203.0.113.1',
    sourceNat: false,
    ingress: [],
    forwards: [],
    balancers: [],
    ...parts,
  };
}

/** IPv6 of a network, whose way out is upstream's wire: open to echo requests, out to everything. */
export function six(subnet: number, parts: Partial<RouterSpec6> = {}): RouterSpec6 {
  return {
    cidr: `2001:db8:200:${subnet}::/64`,
    gateway: `2001:db8:200:${subnet}::1`,
    link: `fe80::ff:fe00:${subnet}`,
    mtu: 1400,
    uplink: { address: `2001:db8:100::ff:fe00:${subnet}`, prefixLength: 64, gateway: '2001:db8:100::1' },
    proxied: [],
    ingress: [{ protocol: 'icmp', cidrs: ['::/0'], destinationCidrs: [] }],
    egressDefault: 'allow',
    egress: [],
    ...parts,
  };
}

/** A firewall rule for everybody. */
export function open(
  protocol: FirewallRuleSpec['protocol'],
  startPort?: number,
  endPort = startPort,
): FirewallRuleSpec {
  const ports = startPort === undefined || endPort === undefined ? {} : { startPort, endPort };
  return { protocol, ...ports, cidrs: ['0.0.0.0/0'], destinationCidrs: [] };
}
