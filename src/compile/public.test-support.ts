// Public sides for tests, written as a person would say them.
import { derivedId } from '../lib/id.ts';
import type { Intent, Vpc } from '../model/intent.ts';
import type { FirewallRule, PortForward, PublicAddress, PublicSide } from '../model/public-side.ts';
import { nicOf } from './sample.test-support.ts';

/** An address of 203.0.113.0/24 on VLAN 100. */
export function publicAddress(ip: string, more: Partial<PublicAddress> = {}): PublicAddress {
  return {
    id: derivedId(`publicip/${ip}`),
    ip,
    range: derivedId('range'),
    physicalNetwork: 'physnet1',
    netmask: '255.255.255.0',
    gateway: ip.replace(/[0-9]+$/, '1'),
    vlan: 100,
    sourceNat: false,
    forwards: [],
    balancers: [],
    ingress: [],
    ...more,
  };
}

/** `2222 to 10.1.1.11:22`, `8000-8003 to 10.1.1.11:8000`, `udp 53 to 10.1.1.11:53 from 198.51.100.0/24`. */
export function forwardOf(words: string): PortForward {
  const [, protocol = 'tcp', start, end, ip, port, cidr] =
    /^(?:(tcp|udp) )?([0-9]+)(?:-([0-9]+))? to ([0-9.]+):([0-9]+)(?: from (.+))?$/.exec(words)!;
  return {
    id: derivedId(`forward/${words}`),
    protocol: protocol as 'tcp' | 'udp',
    publicPort: Number(start),
    publicEndPort: Number(end ?? start),
    privatePort: Number(port),
    ip: ip!,
    nicId: nicOf(ip!).id,
    networkId: '',
    cidrs: cidr === undefined ? [] : [cidr],
  };
}

/** `tcp 22 198.51.100.0/24`, `icmp`, `all to 198.51.100.0/24`. */
export function firewallOf(words: string): FirewallRule {
  const [, protocol, start, end, from, to] =
    /^(tcp|udp|icmp|all)(?: ([0-9]+)(?:-([0-9]+))?)?(?: ([0-9.]+\/[0-9]+))?(?: to ([0-9./]+))?$/.exec(words)!;
  return {
    id: derivedId(`firewall/${words}`),
    protocol: protocol as FirewallRule['protocol'],
    ...(start === undefined ? {} : { startPort: Number(start), endPort: Number(end ?? start) }),
    cidrs: from === undefined ? [] : [from],
    destinationCidrs: to === undefined ? [] : [to],
  };
}

export function publicSide(addresses: readonly PublicAddress[], more: Partial<PublicSide> = {}): PublicSide {
  return {
    mode: 'NATTED',
    addresses,
    firewall: false,
    egressDefault: 'allow',
    egress: [],
    internal: [],
    carriers: { turn: 0, avoid: [] },
    ...more,
  };
}

/** The intent with VPCs changed, by name. */
export function withVpcs(intent: Intent, change: (vpc: Vpc) => Partial<Vpc>): Intent {
  const vpcs = new Map([...intent.vpcs].map(([id, vpc]) => [id, { ...vpc, ...change(vpc) }]));
  return { ...intent, vpcs };
}
