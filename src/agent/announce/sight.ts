// Watches a device for what an upstream answers, by tcpdump: which MAC each answer is sent to. Apart because it is a process with a life
// of its own, and its lines are to be read.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { IDENTIFIER } from './frame.ts';

/** One answer as it passed: when, from whom, to which MAC. */
export type Sight =
  | { readonly kind: 'arp'; readonly at: number; readonly ip: string; readonly mac: string }
  | { readonly kind: 'echo'; readonly at: number; readonly from: string; readonly to: string; readonly toMac: string };

export interface Watch {
  close(): void;
}

const READY_MS = 2000;
const LONGEST_S = '20';
const MAC = '([0-9a-f]{2}(?::[0-9a-f]{2}){5})';
const IP = '([0-9]+(?:\\.[0-9]+){3})';
const ARP = new RegExp(`^([0-9.]+) ${MAC} > ${MAC}.*Reply ${IP} is-at ${MAC}`);
const ECHO = new RegExp(`^([0-9.]+) ${MAC} > ${MAC}.* ${IP} > ${IP}: ICMP echo reply, id ${IDENTIFIER},`);

/** Reads a line of `tcpdump -e -n -tt`; undefined for what is neither an ARP answer nor an answer to our own echo requests. */
export function readSight(line: string): Sight | undefined {
  const echo = ECHO.exec(line);
  if (echo !== null) return { kind: 'echo', at: Number(echo[1]) * 1000, from: echo[4]!, to: echo[5]!, toMac: echo[3]! };
  const arp = ARP.exec(line);
  return arp === null ? undefined : { kind: 'arp', at: Number(arp[1]) * 1000, ip: arp[4]!, mac: arp[5]! };
}

/**
 * Watches what `upstream` answers on a device, with a tag or without, until closed. Resolves once nothing is missed any more; throws a
 * sentence when tcpdump is missing or cannot listen there.
 */
export async function watch(device: string, upstream: string, see: (sight: Sight) => void): Promise<Watch> {
  // Without -Z root it would give up root for a user of its own, which a user namespace refuses.
  const options = ['-Z', 'root', '--immediate-mode', '-l', '-e', '-n', '-tt', '-s', '128', '-i', device];
  const plain = `(arp and src host ${upstream}) or (icmp and src host ${upstream})`;
  // timeout(1): should we be killed, nothing listens for ever.
  const argv = [LONGEST_S, 'tcpdump', ...options, `${plain} or (vlan and (${plain}))`];
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
