// Hands and eyes on the wire of a cloud's lab: pings, outages, VLAN tags, ARP caches. Programs of this machine are run in the
// network of a node or a guest, so that what is seen does not depend on what a small guest has installed.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { findInstance, readInstances } from '../lab/exec.ts';
import { signalTree } from '../lab/proc.ts';
import { enter, sandboxEnv } from '../lab/sandbox.ts';
import { type RunResult, tryRun } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';
import type { Cloud } from './cloud.ts';
import {
  answered,
  type Echo,
  echoRequests,
  neighbourMac,
  type Outage,
  outageOf,
  readEcho,
  type Tags,
  tagsOf,
} from './reading.ts';

/** A node by its name, or a guest: the object a story has of it, its name or its id. */
export type Place = string | { readonly id: string };

export interface Wire {
  /** Runs a command in a node or an instance, with what it has installed itself. */
  exec(where: Place, argv: readonly string[]): Promise<RunResult>;
  /** Runs a program of this machine in the network of a node or a guest. */
  inNetwork(where: Place, argv: readonly string[]): Promise<RunResult>;
  /**
   * One echo request, one second to wait: the first packet counts. Throws when not even the request could be sent, as from a
   * machine without a route, so that silence is never an accident.
   */
  pingFrom(where: Place, address: string): Promise<boolean>;
  /**
   * Pings `address` all the time while `during` runs and until answers come again (10 s at most), and says how long there was
   * none. Throws when there was none before.
   */
  outage(where: Place, address: string, during: () => Promise<unknown>, intervalMs?: number): Promise<Outage>;
  /**
   * The VLAN tags of the frames that cross a cable of the switch while `during` runs; `port` is the switch's, such as
   * `h1-eth0`; `filter` as in pcap-filter(7). Undefined where nothing can listen (without root).
   */
  tagsSeen(port: string, during: () => Promise<unknown>, filter?: string): Promise<Tags | undefined>;
  /**
   * Gives a machine a route, as a provider's engineer does: a tenant's IPv6 prefix, routed and not translated, is reached only by one. Throws
   * with what the machine said instead.
   */
  route(node: string, to: string, via: string): Promise<void>;
  /** The MAC that a node's or guest's ARP cache holds for an address; undefined when it holds none. */
  neighbour(where: Place, address: string): Promise<string | undefined>;
  /** How many echo requests have reached a node or guest. */
  echoesReceived(where: Place): Promise<number>;
  /** The source address of the first echo request that `at` sees on `device` while `ping` pings; undefined where nothing can listen. */
  sourceSeen(at: Place, ping: () => Promise<unknown>, device?: string): Promise<string | undefined>;
}

/** How long a ping goes on after `during`, and how long it waits for answers to come again. */
const SETTLE_MS = 300;
const PATIENCE_MS = 10_000;
/** Frames take a millisecond, tcpdump's output some more; what has not come by then did not come. */
const SHORTLY_MS = 200;

export function createWire({ lab, state }: Pick<Cloud, 'lab' | 'state'>): Wire {
  const nameOf = (where: Place): string => (typeof where === 'string' ? where : where.id);

  /** The argv that runs a program of this machine there; killed from here, it ends there. */
  const there = (where: Place, argv: readonly string[]): string[] => {
    const name = nameOf(where);
    const netns = lab.nodes.includes(name) ? name : guestNetwork(state, name);
    return enter(lab.sandbox, [
      'setpriv',
      '--pdeathsig',
      'KILL',
      'nsenter',
      `--net=/run/netns/${netns}`,
      '--',
      ...argv,
    ]);
  };
  const inNetwork: Wire['inNetwork'] = (where, argv) => tryRun(there(where, argv), { env: sandboxEnv() });
  // tcpdump gives up root at its start, which the kernel refuses inside an unprivileged user namespace.
  const deaf = lab.sandbox.rootless;

  const wire: Wire = {
    exec: (where, argv) => lab.exec(nameOf(where), argv),
    inNetwork,
    async pingFrom(where, address) {
      const argv = ['ping', '-c', '1', '-W', '1', address];
      return answered(await lab.exec(nameOf(where), argv), `${nameOf(where)}: ${argv.join(' ')}`);
    },
    async outage(where, address, during, intervalMs = 20) {
      const echoes: Echo[] = [];
      const argv = ['ping', '-n', '-D', '-O', '-i', `${intervalMs / 1000}`, '-W', '1', address];
      const pinging = listen(there(where, argv), (line) => {
        const echo = readEcho(line);
        if (echo !== undefined) echoes.push(echo);
      });
      const lastAnswer = (): number => echoes.findLast((echo) => echo.answered)?.at ?? 0;
      const fresh = (): boolean => Date.now() - lastAnswer() <= 5 * intervalMs;
      const until = async (condition: () => boolean): Promise<void> => {
        for (const end = Date.now() + PATIENCE_MS; !condition() && Date.now() < end;) await sleep(intervalMs);
      };
      try {
        await until(fresh);
        if (!fresh()) throw new Error(`${nameOf(where)} has no answer from ${address}, so no outage can be measured`);
        await during();
        // What was on its way when it was done says nothing about afterwards.
        const done = Date.now();
        await sleep(SETTLE_MS);
        await until(() => fresh() && lastAnswer() > done + 2 * intervalMs);
        return outageOf(echoes, Date.now(), intervalMs);
      } finally {
        await pinging.end();
      }
    },
    async tagsSeen(port, during, filter = '') {
      if (deaf) return undefined;
      const lines: string[] = [];
      const argv = ['tcpdump', '-e', '-n', '-l', '--immediate-mode', '-i', port, ...filter.split(' ').filter(Boolean)];
      const listening = listen(there(lab.topology.switch.name, argv), (line) => lines.push(line));
      try {
        await listening.ready(/^listening on /);
        await during();
        await sleep(SHORTLY_MS);
      } finally {
        await listening.end();
      }
      return tagsOf(lines);
    },
    async route(node, to, via) {
      const argv = ['ip', 'route', 'replace', to, 'via', via];
      const { code, stderr } = await inNetwork(node, argv);
      if (code !== 0) throw new Error(`${node}: ${argv.join(' ')}: ${stderr.trim()}`);
    },
    async neighbour(where, address) {
      const { stdout } = await inNetwork(where, ['ip', '-json', 'neighbour', 'show', 'to', address]);
      return neighbourMac(stdout);
    },
    async echoesReceived(where) {
      return echoRequests((await inNetwork(where, ['cat', '/proc/net/snmp'])).stdout);
    },
    async sourceSeen(at, ping, device = 'eth0') {
      if (deaf) return undefined;
      const argv = 'tcpdump -n -c 1 --immediate-mode -l -i'.split(' ').concat(device, 'icmp[icmptype] == icmp-echo');
      const seen: string[] = [];
      const listening = listen(there(at, argv), (line) => seen.push(/ IP ([0-9.]+) > /.exec(line)?.[1] ?? 'none'));
      try {
        await listening.ready(/^listening on /);
        for (const end = Date.now() + 5_000; seen.length === 0 && Date.now() < end;) await ping();
        if (seen.length === 0) await sleep(SHORTLY_MS);
      } finally {
        await listening.end();
      }
      return seen[0] ?? 'none';
    },
  };
  return wire;
}

function guestNetwork(state: string, name: string): string {
  const [guest, other] = findInstance(readInstances(state), name);
  if (guest === undefined || other !== undefined)
    throw new Error(
      `${name} is ${guest === undefined ? 'no node and no instance' : 'more than one instance'} of the lab`,
    );
  return guest.netns;
}

interface Listening {
  /** Resolves when the program has said so on its standard error. Throws with what it said when it ended before. */
  ready(said: RegExp): Promise<void>;
  end(): Promise<void>;
}

/** Runs a program until it is ended, and hands over each line it prints. */
function listen([program, ...argv]: string[], hear: (line: string) => void): Listening {
  const child = spawn(program!, argv, { env: sandboxEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = Promise.withResolvers<void>();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  createInterface(child.stdout).on('line', hear);
  child.on('close', () => ended.resolve());
  child.on('error', (error) => {
    said = error.message;
    ended.resolve();
  });
  return {
    async ready(expected) {
      const isReady = (): boolean => said.split('\n').some((line) => expected.test(line));
      while (!isReady()) {
        const { promise: more, resolve } = Promise.withResolvers<'more'>();
        child.stderr.once('data', () => resolve('more'));
        if ((await Promise.race([more, ended.promise])) !== 'more' && !isReady())
          throw new Error(`${argv.slice(argv.lastIndexOf('--') + 1).join(' ')} ended: ${said.trim()}`);
      }
    },
    async end() {
      // With all below it: tcpdump becomes another user, and forgets by that whose death it was to follow.
      if (child.pid !== undefined && child.exitCode === null) signalTree(child.pid, 'SIGKILL');
      await ended.promise;
    },
  };
}
