// The scan as a command, and its answers read: arp-scan asks each address of a network once or twice who it is, from a trunk and
// without an address of its own.
import { join } from 'node:path';
import { cidr, formatCidr } from '../../lib/ip.ts';
import { MAX_BODY, type ScanReport, type ScanSpec } from '../../protocol/document.ts';

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

/** The command that hands frames to a port of br-int as they are: they pass no rule any more. */
export function handArgv(ofport: number, frames: readonly string[], { rundir }: { readonly rundir: string }): string[] {
  return [
    'ovs-ofctl',
    'packet-out',
    `unix:${join(rundir, 'br-int.mgmt')}`,
    'controller',
    `output:${ofport}`,
    ...frames,
  ];
}

type Host = ScanReport['hosts'][number];

const LINE = /^([0-9]+(?:\.[0-9]+){3})\|([0-9a-f]{2}(?::[0-9a-f]{2}){5})\|([0-9]*)\|(.*)$/;
const TEXT = 80;
/** Who uses an address besides its owner is told; somebody who answers under a hundred MACs is not believed all of them. */
const MACS_OF_AN_ADDRESS = 4;
/** The largest network that is scanned has 4096 addresses; all of it must fit into a report. */
const MOST_HOSTS = 5000;

/** Who answered: each pair of address and MAC once, in the order of answers. Answers from another VLAN are somebody else's. */
export function readHosts(stdout: string, vlan: number): Host[] {
  const hosts = new Map<string, Host>();
  const macs = new Map<string, number>();
  for (const line of stdout.split('\n')) {
    const match = LINE.exec(line.trim());
    if (match === null || (match[3] !== '' && Number(match[3]) !== vlan)) continue;
    const [, ip, mac, , vendor] = match;
    const key = `${ip} ${mac}`;
    const known = macs.get(ip!) ?? 0;
    if (hosts.has(key) || known >= MACS_OF_AN_ADDRESS || hosts.size >= MOST_HOSTS) continue;
    macs.set(ip!, known + 1);
    hosts.set(key, { ip: ip!, mac: mac!, ...vendorOf(vendor!) });
  }
  return [...hosts.values()];
}

/** Characters of a report that answers to scans may take; the rest of it needs some, too. */
const ROOM = MAX_BODY * 0.75;

/** As many of the answers as one report holds, the first in any case: the next ones are told when these are taken. */
export function fitting(answers: Iterable<ScanReport>): ScanReport[] {
  const told: ScanReport[] = [];
  let size = 0;
  for (const answer of answers) {
    size += Buffer.byteLength(JSON.stringify(answer));
    if (told.length > 0 && size > ROOM) break;
    told.push(answer);
  }
  return told;
}

/** "(Unknown: locally administered)" and the like are no vendors. */
function vendorOf(text: string): { readonly vendor?: string } {
  return text === '' || text.startsWith('(Unknown') ? {} : { vendor: text.slice(0, TEXT) };
}
