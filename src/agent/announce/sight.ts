// Watches a device for what others answer, by tcpdump: which MAC each answer is sent to. Apart because it is a process with a life
// of its own, and its lines are to be read.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { IDENTIFIER } from './frame.ts';

/** One answer as it passed: when, from whom, to which MAC. */
export type Sight =
  | { readonly kind: 'arp'; readonly at: number; readonly ip: string; readonly mac: string }
  | { readonly kind: 'echo'; readonly at: number; readonly from: string; readonly to: string; readonly toMac: string }
  /** Somebody on the way says that a host cannot be reached (RFC 792, destination unreachable). */
  | {
      readonly kind: 'unreachable';
      readonly at: number;
      readonly by: string;
      readonly to: string;
      readonly host: string;
    };

export interface Watch {
  close(): void;
}

const READY_MS = 2000;
const LONGEST_S = '20';
const MAC = '([0-9a-f]{2}(?::[0-9a-f]{2}){5})';
const IP = '([0-9]+(?:\\.[0-9]+){3})';
const ARP = new RegExp(`^([0-9.]+) ${MAC} > ${MAC}.*Reply ${IP} is-at ${MAC}`);
const ECHO = new RegExp(`^([0-9.]+) ${MAC} > ${MAC}.* ${IP} > ${IP}: ICMP echo reply, id ${IDENTIFIER},`);
const UNREACHABLE = new RegExp(`^([0-9.]+) .* ${IP} > ${IP}: ICMP (?:host|net) ${IP} unreachable`);

/** Reads a line of `tcpdump -e -n -tt`; undefined for what answers neither ARP nor our own echo requests. */
export function readSight(line: string): Sight | undefined {
  const echo = ECHO.exec(line);
  if (echo !== null) return { kind: 'echo', at: Number(echo[1]) * 1000, from: echo[4]!, to: echo[5]!, toMac: echo[3]! };
  const error = UNREACHABLE.exec(line);
  if (error !== null)
    return { kind: 'unreachable', at: Number(error[1]) * 1000, by: error[2]!, to: error[3]!, host: error[4]! };
  const arp = ARP.exec(line);
  return arp === null ? undefined : { kind: 'arp', at: Number(arp[1]) * 1000, ip: arp[4]!, mac: arp[5]! };
}

/** What an upstream answers, as in pcap-filter(7). */
export function answersOf(upstream: string): string {
  return `(arp and src host ${upstream}) or (icmp and src host ${upstream})`;
}

/**
 * Watches a device for frames that pass the filter, with a tag or without, until closed. Resolves once nothing is missed any more;
 * throws a sentence when tcpdump is missing or cannot listen there.
 */
export async function watch(device: string, filter: string, see: (sight: Sight) => void): Promise<Watch> {
  // Without -Z root it would give up root for a user of its own, which a user namespace refuses.
  const options = ['-Z', 'root', '--immediate-mode', '-l', '-e', '-n', '-tt', '-s', '128', '-i', device];
  // timeout(1): should we be killed, nothing listens for ever.
  const argv = [LONGEST_S, 'tcpdump', ...options, `${filter} or (vlan and (${filter}))`];
  const child = spawn('timeout', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ready = Promise.withResolvers<void>();
  const said: string[] = [];
  const timer = setTimeout(
    () => ready.reject(new Error(`tcpdump on ${device} is not ready after ${READY_MS} ms`)),
    READY_MS,
  );
  child.on('error', (error) => ready.reject(new Error(`tcpdump cannot be run: ${error.message}`)));
  child.on('close', () => ready.reject(new Error(`tcpdump on ${device} ended: ${said.join(' ').slice(0, 300)}`)));
  createInterface(child.stderr).on('line', (line) => {
    said.push(line);
    if (line.includes('listening on')) ready.resolve();
  });
  createInterface(child.stdout).on('line', (line) => {
    const sight = readSight(line);
    if (sight !== undefined) see(sight);
  });
  try {
    await ready.promise;
  } catch (error) {
    child.kill();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { close: () => void child.kill() };
}
