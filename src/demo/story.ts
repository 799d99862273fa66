// What a story is, and the world it plays in: requests to the API on one side, packets on the other. A story runs in the
// demo and as a test; both get the same verdicts.
import { type RunResult, tryRun } from '../lib/run.ts';
import { enter, sandboxEnv } from '../lab/sandbox.ts';
import type { Caller, Cloud } from './cloud.ts';
import { columns, type Progress } from './progress.ts';

export interface Story {
  readonly title: string;
  /** What it shows, in a sentence or two. */
  readonly summary: string;
  play(world: World): Promise<void>;
}

/** An instance of a story. */
export interface Guest {
  readonly name: string;
  readonly id: string;
  readonly address: string;
}

export interface Verdict {
  readonly promise: string;
  readonly held: boolean;
  /** What was seen instead. */
  readonly seen?: string;
}

export interface World {
  as(account: string): Caller;
  say(text: string): void;
  /** Records whether a promise held. */
  expect(promise: string, held: boolean, seen?: string): void;
  /** Runs a command in a node or an instance. */
  exec(name: string, argv: readonly string[]): Promise<RunResult>;
  /** One echo request with BusyBox's ping, one second to wait: the first packet counts. */
  ping(from: Guest, to: Guest): Promise<boolean>;
  /** Pings from each to each other, prints who reached whom, and expects `all`, or none. */
  matrix(promise: string, guests: readonly Guest[], all: boolean): Promise<void>;
  /** How many echo requests have reached a guest. */
  echoesReceived(guest: Guest): Promise<number>;
  /** The source address of the first echo request that `to` sees while `from` pings it; undefined where nothing can listen. */
  sourceSeen(from: Guest, to: Guest): Promise<string | undefined>;
  /** Expects the request to be refused with a text that matches. */
  refused(promise: string, request: () => Promise<unknown>, text: RegExp): Promise<void>;
}

/** Plays a story to its end and returns the verdict on each of its promises. Throws when a request fails. */
export async function playStory(story: Story, cloud: Cloud, progress: Progress): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  progress.text(`\n${story.title}\n${story.summary}\n`);
  await story.play(createWorld(cloud, progress, verdicts));
  return verdicts;
}

function createWorld(cloud: Cloud, progress: Progress, verdicts: Verdict[]): World {
  const { lab } = cloud;
  const world: World = {
    as: (account) => cloud.as(account),
    say: (text) => progress.step(text),
    expect(promise, held, seen) {
      verdicts.push({ promise, held, ...(seen === undefined ? {} : { seen }) });
      progress.step(`${held ? 'ok    ' : 'FAILED'} ${promise}${held || seen === undefined ? '' : `: ${seen}`}`);
    },
    exec: (name, argv) => lab.exec(name, argv),
    async ping(from, to) {
      const argv = ['ping', '-c', '1', '-W', '1', to.address];
      return answered(await lab.exec(from.id, argv), `${from.name}: ${argv.join(' ')}`);
    },
    async matrix(promise, guests, all) {
      const reached = await Promise.all(
        guests.map((from) => Promise.all(guests.map((to) => (from === to ? undefined : world.ping(from, to))))),
      );
      const cell = (value: boolean | undefined): string => (value === undefined ? '-' : value ? 'yes' : 'no');
      const head = ['from \\ to', ...guests.map((guest) => `${guest.name} ${guest.address}`)];
      const table = columns([
        head,
        ...guests.map((from, i) => [`${from.name} ${from.address}`, ...reached[i]!.map(cell)]),
      ]);
      progress.text(`\n${table}\n`);
      const pairs = reached.flat().filter((value) => value !== undefined);
      const yes = pairs.filter(Boolean).length;
      world.expect(promise, yes === (all ? pairs.length : 0), `${yes} of ${pairs.length} pings were answered`);
    },
    async echoesReceived(guest) {
      const { stdout } = await lab.exec(guest.id, ['cat', '/proc/net/snmp']);
      return echoRequests(stdout);
    },
    sourceSeen: (from, to) => listen(cloud, to, () => world.ping(from, to)),
    async refused(promise, request, text) {
      const said = await request().then(
        () => undefined,
        (error: unknown) => (error as Error).message,
      );
      world.expect(promise, said !== undefined && text.test(said), said ?? 'it was done');
      if (said !== undefined) progress.step(`       "${said}"`);
    },
  };
  return world;
}

/**
 * Whether a ping was answered. Throws when it was not even sent: "no answer" is an expectation of the stories, and a ping
 * that could not run must never fulfil it.
 */
export function answered({ code, stdout, stderr }: RunResult, what: string): boolean {
  if (!/^1 packets transmitted/m.test(stdout)) {
    throw new Error(`${what} sent nothing (exit status ${code}): ${(stderr || stdout).trim()}`);
  }
  return code === 0;
}

/** Reads `Icmp: InEchos` from /proc/net/snmp (proc(5)): a line of names, then one of values. */
export function echoRequests(snmp: string): number {
  const [names, values] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '));
  const value = Number(values?.[names?.indexOf('InEchos') ?? -1]);
  if (Number.isNaN(value)) throw new Error(`/proc/net/snmp without InEchos: ${snmp.slice(0, 200)}`);
  return value;
}

async function listen({ lab }: Cloud, guest: Guest, ping: () => Promise<boolean>): Promise<string | undefined> {
  // tcpdump gives up root at its start, which the kernel refuses inside an unprivileged user namespace.
  if (lab.sandbox.rootless) return undefined;
  const argv = [
    'timeout',
    '5',
    'tcpdump',
    '-n',
    '-c',
    '1',
    '-i',
    'eth0',
    '--immediate-mode',
    'icmp[icmptype] == icmp-echo',
  ];
  const inside = enter(lab.sandbox, ['nsenter', `--net=/run/netns/i-${guest.id.slice(0, 8)}`, '--', ...argv]);
  const ended = new AbortController();
  const listening = tryRun(inside, { env: sandboxEnv() }).finally(() => ended.abort());
  while (!ended.signal.aborted) await ping(); // tcpdump ends with the first it sees, or after its time
  return / IP ([0-9.]+) > /.exec((await listening).stdout)?.[1] ?? 'none';
}
