// Servers in guests and clients anywhere in a lab, for tests of what is balanced: who answers whom, and which connections last.
import { type ChildProcess, spawn } from 'node:child_process';
import { insideArgv } from '../../src/lab/exec.ts';
import { enter, sandboxEnv } from '../../src/lab/sandbox.ts';
import type { Cloud } from '../../src/demo/cloud.ts';
import { run } from '../../src/lib/run.ts';
import type { Guest } from '../../src/demo/tenant.ts';

const SCRIPT = new URL('peers.py', import.meta.url).pathname;

/** Where a client is: in a guest, or on a machine of the lab, by its name. */
export type Place = Pick<Guest, 'id'> | string;

/** A program in a guest's namespace or on a machine. Dies with the one that can be signalled from here. */
function at({ lab, state }: Cloud, place: Place, argv: readonly string[]): string[] {
  const program = ['/usr/bin/python3', SCRIPT, ...argv];
  if (typeof place === 'string') return insideArgv(state, place, ['setpriv', '--pdeathsig', 'KILL', '--', ...program]);
  const netns = `--net=/run/netns/i-${place.id.slice(0, 8)}`;
  return enter(lab.sandbox, ['setpriv', '--pdeathsig', 'KILL', '--', 'nsenter', netns, '--', ...program]);
}

export interface Server {
  readonly guest: Guest;
  stop(): Promise<void>;
}

/** A server in a guest that answers with the guest's name: TCP lines, HTTP and UDP. */
export async function serve(cloud: Cloud, guest: Guest, port: number): Promise<Server> {
  const child = start(at(cloud, guest, ['serve', guest.name, String(port)]));
  await heard(child, 'ready');
  return { guest, stop: () => ended(child) };
}

/** What a client said, line by line. */
export async function client(cloud: Cloud, place: Place, ...argv: readonly (string | number)[]): Promise<string[]> {
  const { stdout } = await run(at(cloud, place, argv.map(String)), { env: sandboxEnv(), timeoutMs: 60_000 });
  return stdout.split('\n').filter((line) => line !== '');
}

/** First words of lines, with how often each came. */
export function tally(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [name = ''] of lines.map((line) => line.split(' '))) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Connections that stay open until they are asked for. Who has them is known as soon as all are open. */
export interface Held {
  readonly names: readonly string[];
  /** Ends them. One line for each: name, and how many answers it had or why it was lost. */
  done(): Promise<string[]>;
  /** The same, once all were lost; without an answer a connection is after ten seconds. */
  gone(): Promise<string[]>;
}

export async function hold(cloud: Cloud, place: Place, address: string, port: number, count: number): Promise<Held> {
  const child = start(at(cloud, place, ['hold', address, ...[port, count].map(String)]));
  const said = collect(child);
  const line = await heard(child, 'open');
  const names = line.split(' ').slice(1);
  if (names.includes(''))
    throw new Error(`of ${count} connections to ${address}:${port} some were not answered: ${line}`);
  const each = (): string[] => said.filter((one) => one !== '' && !one.startsWith('open'));
  return {
    names,
    async done() {
      await told(child);
      return each();
    },
    async gone() {
      await closed(child);
      return each();
    },
  };
}

/** How long nobody answered, in milliseconds, while `work` was done and until somebody did after it, for `seconds` at most. */
export async function gapDuring(
  cloud: Cloud,
  place: Place,
  address: string,
  port: number,
  seconds: number,
  work: () => Promise<unknown>,
): Promise<number> {
  const child = start(at(cloud, place, ['gap', address, ...[port, seconds].map(String)]));
  const said = collect(child);
  await heard(child, 'open');
  await work();
  await told(child);
  return Number(said.at(-1));
}

function start([program, ...argv]: readonly string[]): ChildProcess {
  return spawn(program!, argv, { env: sandboxEnv(), stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Tells a program by the end of its input to come to its own, and waits for it. */
async function told(child: ChildProcess): Promise<void> {
  child.stdin!.end();
  await closed(child);
}

function closed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => void (child.exitCode === null ? child.once('close', () => resolve()) : resolve()));
}

function collect(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  return lines;
}

function heard(child: ChildProcess, word: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const line = text.split('\n').find((one) => one.startsWith(word));
    if (line !== undefined) resolve(line);
  });
  child.once('close', (code) => reject(new Error(`a program that was to say ${word} ended (${code}): ${text}`)));
  return promise;
}

async function ended(child: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('close', () => resolve());
  child.kill('SIGTERM');
  await promise;
}
