// Servers in guests and machines of a lab that say who they are and whom they see, and clients that ask them: both ends of a translated
// connection. See echo.py.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { signalTree } from '../../src/lab/proc.ts';
import { enter, sandboxEnv } from '../../src/lab/sandbox.ts';
import { tryRun } from '../../src/lib/run.ts';
import type { Cloud } from '../../src/demo/cloud.ts';
import { eventually } from './lab.ts';

const SCRIPT = new URL('echo.py', import.meta.url).pathname;

/** A node by name, or a guest. */
type Where = string | { readonly id: string };

/** Who answered, whom he saw ask, and at which port of his. */
export interface Answer {
  readonly name: string;
  readonly from: string;
  readonly port: number;
}

/** A connection that is kept, and used all the time. */
export interface Held {
  /** What the server said first. */
  readonly answer: Answer;
  /** Waits until what is sent does not come back any more; milliseconds that took, from now. */
  untilDead(): Promise<number>;
  /** Whether something comes back within a second from now on. */
  isAlive(): Promise<boolean>;
  end(): Promise<void>;
}

export interface Echo {
  /** Starts a server that ends with the lab. */
  serve(where: Where, name: string, ...ports: readonly number[]): Promise<void>;
  /** One question, two seconds for its answer; undefined: none came. */
  ask(from: Where, host: string, port: number, protocol?: 'tcp' | 'udp'): Promise<Answer | undefined>;
  /** From a port of the system's choice, or this one. */
  hold(from: Where, host: string, port: number, source?: number): Promise<Held>;
  /** Bytes a second that a TCP connection to a server carries there and back. */
  stream(from: Where, host: string, port: number, seconds: number): Promise<number>;
  /** One echo request of this machine's ping: guests' own all have the same number, which a shared address cannot tell apart. */
  ping(from: Where, host: string): Promise<boolean>;
}

export function echoIn({ lab }: Pick<Cloud, 'lab'>): Echo {
  const inside = (where: Where, argv: readonly string[]): string[] => {
    const name = typeof where === 'string' ? where : `i-${where.id.slice(0, 8)}`;
    const tied = ['setpriv', '--pdeathsig', 'KILL', '--'];
    return enter(lab.sandbox, [...tied, 'nsenter', `--net=/run/netns/${name}`, '--', ...argv]);
  };
  const python = (where: Where, ...words: readonly string[]): string[] =>
    inside(where, ['/usr/bin/python3', SCRIPT, ...words]);
  const said = async (where: Where, ...words: readonly string[]): Promise<string> =>
    (await tryRun(python(where, ...words), { env: sandboxEnv(), timeoutMs: 30_000 })).stdout.trim();
  const start = async (argv: string[]): Promise<{ lines: string[]; end(): Promise<void> }> => {
    const child = spawn(argv[0]!, argv.slice(1), { env: sandboxEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    let wrong = '';
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    child.stderr.on('data', (chunk: Buffer) => (wrong += chunk.toString()));
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const end = async (): Promise<void> => {
      if (child.pid !== undefined && child.exitCode === null) signalTree(child.pid, 'SIGKILL');
      await ended;
    };
    await eventually(`${argv.slice(-4).join(' ')} to begin`, () => {
      if (child.exitCode !== null) throw new Error(`${argv.slice(-4).join(' ')}: ${wrong.trim().split('\n').at(-1)}`);
      return lines.includes('ready') || undefined;
    });
    return { lines, end };
  };

  return {
    async serve(where, name, ...ports) {
      await start(python(where, 'serve', name, ...ports.map(String)));
    },
    ask: async (from, host, port, protocol = 'tcp') => answerOf(await said(from, 'ask', host, String(port), protocol)),
    async hold(from, host, port, source = 0) {
      const client = await start(python(from, 'hold', host, String(port), String(source)));
      const { lines } = client;
      const answer = answerOf(lines[0]!);
      if (answer === undefined) throw new Error(`${host}:${port} says ${lines[0]}`);
      return {
        answer,
        end: client.end,
        async untilDead() {
          const begun = Date.now();
          const at = lines.length;
          await eventually(`the connection to ${host}:${port} to be cut`, () =>
            lines.slice(at).some((line) => line !== 'alive') ? true : undefined,
          );
          return Date.now() - begun;
        },
        async isAlive() {
          const at = lines.length;
          return eventually('an answer', () => lines.slice(at).includes('alive') || undefined, 1000).catch(() => false);
        },
      };
    },
    stream: async (from, host, port, seconds) =>
      Number(await said(from, 'stream', host, String(port), String(seconds))),
    ping: async (from, host) =>
      (await tryRun(inside(from, ['ping', '-c', '1', '-W', '1', host]), { env: sandboxEnv() })).code === 0,
  };
}

function answerOf(text: string): Answer | undefined {
  const [name, from, port] = text.split(' ');
  return name === undefined || name === 'nothing:' || from === undefined
    ? undefined
    : { name, from, port: Number(port) };
}
