// The scan as a command, and its answers read: arp-scan asks each address of a network once or twice who it is, from a trunk and
// without an address of its own.
import { cidr, formatCidr } from '../../lib/ip.ts';
import type { ScanReport, ScanSpec } from '../../protocol/document.ts';

/** Milliseconds between two questions: 500 a second, a few per cent of what a slow wire carries. */
export const PAUSE_MS = 2;
const TRIES = 2;

/** How long a scan takes, at most, in milliseconds. */
export function scanMs(spec: Pick<ScanSpec, 'cidr'>): number {
  return 2 ** (32 - cidr(spec.cidr).length) * TRIES * PAUSE_MS + 3000;
}

/** `device`: one on which the network's VLAN passes tagged. The source 0.0.0.0 makes it an ARP probe (RFC 5227): no cache learns it. */
export function scanArgv(spec: ScanSpec, device: string): string[] {
  return [
    'arp-scan',
    `--interface=${device}`,
    `--vlan=${spec.vlan}`,
    '--arpspa=0.0.0.0',
    `--retry=${TRIES}`,
    `--interval=${PAUSE_MS}`,
    '--timeout=250',
    '--numeric',
    '--plain',
    '--format=${ip}|${mac}|${vlan}|${vendor}',
    formatCidr(cidr(spec.cidr)),
  ];
}

type Host = ScanReport['hosts'][number];

const LINE = /^([0-9]+(?:\.[0-9]+){3})\|([0-9a-f]{2}(?::[0-9a-f]{2}){5})\|([0-9]*)\|(.*)$/;
const TEXT = 200;

/** Who answered: each pair of address and MAC once, in the order of answers. Answers from another VLAN are somebody else's. */
export function readHosts(stdout: string, vlan: number): Host[] {
  const hosts = new Map<string, Host>();
  for (const line of stdout.split('\n')) {
    const match = LINE.exec(line.trim());
    if (match === null || (match[3] !== '' && Number(match[3]) !== vlan)) continue;
    const [, ip, mac, , vendor] = match;
    hosts.set(`${ip} ${mac}`, { ip: ip!, mac: mac!, ...vendorOf(vendor!) });
  }
  return [...hosts.values()];
}

/** "(Unknown: locally administered)" and the like are no vendors. */
function vendorOf(text: string): { readonly vendor?: string } {
  return text === '' || text.startsWith('(Unknown') ? {} : { vendor: text.slice(0, TEXT) };
}
