// A machine as it comes from the installer: a network namespace with a card, and private copies of the folders an installation
// writes to. Nothing of the lab helps it; what is installed there is installed by lines that a person would type.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type RunResult, run, tryRun } from '../../src/lib/run.ts';
import { type Scope, afterwards, eventually } from './lab.ts';

const HERE = new URL('./bare/', import.meta.url).pathname;
const CHECKOUT = new URL('../../', import.meta.url).pathname;

export interface BareMachine {
  readonly name: string;
  /** Pid of its first process: ending it ends everything on the machine. */
  readonly pid: number;
  /** Runs a shell line as root on the machine. Throws with what it said when it fails. */
  sh(line: string, environment?: Readonly<Record<string, string>>): Promise<string>;
  try(argv: readonly string[]): Promise<RunResult>;
  /** Puts in a card, `device`, whose other end is `port` in the test's own namespace. */
  plug(device: string, port: string): Promise<void>;
}

/** Starts a machine without a card. */
export async function bareMachine(scope: Scope, folder: string, name: string): Promise<BareMachine> {
  const scratch = join(folder, name);
  mkdirSync(scratch);
  const argv = ['--mount', '--net', '--pid', '--uts', '--fork', '--kill-child', 'sh', join(HERE, 'start.sh')];
  const child = spawn('unshare', [...argv, scratch, name, CHECKOUT, join(HERE, 'stand-in')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  afterwards(scope, async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const pid = await eventually(`${name}: its first process`, async () => {
    const { stdout } = await tryRun(['cat', `/proc/${child.pid}/task/${child.pid}/children`]);
    return Number(stdout.trim().split(' ')[0]) || undefined;
  });
  await eventually(`${name} is up`, () => existsSync(`/proc/${pid}/root${scratch}/up`) || undefined);
  const enter = ['nsenter', '--target', String(pid), '--mount', '--net', '--pid', '--uts', '--'];
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return {
    name,
    pid,
    async sh(line, environment = {}) {
      const env = { HOME: '/root', PATH, ...environment };
      return (await run([...enter, 'bash', '-euo', 'pipefail', '-c', line], { env, timeoutMs: 60_000 })).stdout;
    },
    try: (argvInside) => tryRun([...enter, ...argvInside], { env: { HOME: '/root', PATH }, timeoutMs: 20_000 }),
    async plug(device, port) {
      await run(['ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', device, 'netns', String(pid)]);
      await run([...enter, 'ip', 'link', 'set', device, 'up']);
      await run([...enter, 'ethtool', '-K', device, 'tx', 'off']);
    },
  };
}
