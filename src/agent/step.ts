// Runs steps and writes each into the log of steps, as what an engineer would have typed. Steps of one kind that follow each
// other share a process (`ip -batch`, one sysctl, one ovs-vsctl transaction), which is what makes an instance a matter of tens of milliseconds.
import { spawn } from 'node:child_process';
import { appendFile, mkdir, open, readFile, rename, rm, stat, access } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';
import type { Step } from './driver.ts';
import { writeWhole } from './file.ts';

const MAX_LOG_BYTES = 1024 * 1024;
const START_MS = 15_000;
const STOP_MS = 1000;
const ANSWER_MS = 10_000;

/** The step as a line to type: `ip link set v1 up   # vm1's cable is down`. */
export function lineOf(step: Step): string {
  return `${commandOf(step).map(quote).join(' ')}   # ${step.reason}`;
}

function commandOf(step: Step): readonly string[] {
  switch (step.kind) {
    case 'run':
    case 'launch':
    case 'start':
      return step.argv;
    case 'write':
      return ['install', '-m', step.mode.toString(8), '/dev/stdin', step.path];
    case 'remove':
      return ['rm', '-r', step.path];
    case 'await':
      return ['socat', '-', `UNIX-CONNECT:${step.socket}`];
    case 'stop':
      return ['kill', '-TERM', String(step.pid)];
  }
}

function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface StepLog {
  /** Adds lines; when the file has grown past 1 MiB, the older half is what `steps.log.1` holds. */
  add(steps: readonly Step[]): Promise<void>;
}

/** The log of steps in the state folder, one line a step: `h1  ip link …   # reason`. */
export function createStepLog(state: string, node: string): StepLog {
  const file = join(state, 'steps.log');
  return {
    async add(all) {
      const steps = all.filter((step) => step.routine !== true);
      if (steps.length === 0) return;
      const size = await stat(file).then(
        (found) => found.size,
        () => 0,
      );
      if (size > MAX_LOG_BYTES) await rename(file, `${file}.1`);
      await appendFile(file, steps.map((step) => `${node}  ${lineOf(step)}\n`).join(''), { mode: 0o600 });
    },
  };
}

/** Runs the steps in order; stops at the first that fails and throws what it said. */
export async function runSteps(steps: readonly Step[], log: StepLog): Promise<void> {
  for (const group of groups(steps)) {
    await runGroup(group);
    await log.add(group);
  }
}

/** Cuts the steps where one process cannot do them together. */
function groups(steps: readonly Step[]): Step[][] {
  const cut: Step[][] = [];
  for (const step of steps) {
    const last = cut.at(-1);
    if (last !== undefined && together(last[0]!) !== undefined && together(last[0]!) === together(step))
      last.push(step);
    else cut.push([step]);
  }
  return cut;
}

function together(step: Step): string | undefined {
  if (step.kind !== 'run') return undefined;
  const [program, option] = step.argv;
  if (program === 'ip' && option?.startsWith('-') === false) return program;
  if (program === 'sysctl' && option === '-w') return program;
  // The same database and options before the first `--`.
  if (program === 'ovs-vsctl') return step.argv.slice(0, step.argv.indexOf('--')).join(' ');
  return undefined;
}

async function runGroup(group: readonly Step[]): Promise<void> {
  const step = group[0]!;
  switch (step.kind) {
    case 'run':
      await run(...processOf(group as readonly (Step & { kind: 'run' })[]));
      return;
    case 'write':
      return writeWhole(step.path, Buffer.from(step.content, step.encoding ?? 'utf8'), step.mode);
    case 'launch':
      return launch(step.argv, step.output);
    case 'remove':
      return rm(step.path, { recursive: true, force: true });
    case 'start':
      return start(step.argv, step.up, step.console);
    case 'await':
      return awaitAnswer(step.socket, step.question, step.expects);
    case 'stop':
      return stop(step.pid, step.graceMs ?? STOP_MS);
  }
}

function processOf(
  group: readonly (Step & { kind: 'run' })[],
): [readonly string[], { input?: string; timeoutMs: number }] {
  const { argv } = group[0]!;
  const limit = { timeoutMs: 10_000 };
  if (group.length === 1) return [argv, limit];
  if (argv[0] === 'ip')
    return [
      ['ip', '-batch', '-'],
      { ...limit, input: group.map((step) => `${step.argv.slice(1).join(' ')}\n`).join('') },
    ];
  if (argv[0] === 'sysctl') return [['sysctl', '-w', ...group.flatMap((step) => step.argv.slice(2))], limit];
  const from = argv.indexOf('--');
  return [[...argv.slice(0, from), ...group.flatMap((step) => step.argv.slice(from))], limit];
}

/** Starts a process in a session of its own, its output in a file: it lives on when the agent dies. */
async function start(argv: readonly string[], up: string, console: string): Promise<void> {
  await mkdir(dirname(console), { recursive: true });
  const output = await open(console, 'w', 0o600);
  const [program, ...args] = argv;
  const child = spawn(program!, args, { detached: true, stdio: ['ignore', output.fd, output.fd], cwd: '/' });
  const end: { how?: string } = {};
  child.on('error', (error) => (end.how = error.message));
  child.on('exit', (code, signal) => (end.how = `ended at once (${signal ?? `exit status ${code}`})`));
  child.unref();
  try {
    const until = Date.now() + START_MS;
    while (end.how === undefined && Date.now() < until) {
      const first = await firstChild(child.pid);
      if (first !== undefined && (await exists(`/proc/${first}/root${up}`))) return;
      await sleep(5);
    }
  } finally {
    child.removeAllListeners('exit');
    await output.close();
  }
  if (end.how === undefined && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  const said = (await readFile(console, 'utf8').catch(() => '')).trim().slice(-500);
  throw new Error(`${program} ${end.how ?? `is not up after ${START_MS} ms`}${said === '' ? '' : `: ${said}`}`);
}

/** Starts a program and leaves it to itself. */
async function launch(argv: readonly string[], output: string): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  const file = await open(output, 'w', 0o600);
  try {
    const [program, ...args] = argv;
    const child = spawn(program!, args, { detached: true, stdio: ['ignore', file.fd, file.fd], cwd: '/' });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once('spawn', resolve);
    child.once('error', reject);
    child.unref();
    await promise;
  } finally {
    await file.close();
  }
}

async function firstChild(pid: number | undefined): Promise<string | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.split(' ').find((word) => word !== '');
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function awaitAnswer(socket: string, question: string, expects: string): Promise<void> {
  const until = Date.now() + ANSWER_MS;
  for (;;) {
    const said = await ask(socket, question).catch((error: unknown) => (error as Error).message);
    if (said.includes(expects)) return;
    if (Date.now() > until)
      throw new Error(
        `${socket} does not answer ${question} with ${expects} after ${ANSWER_MS} ms: ${said.slice(0, 300)}`,
      );
    await sleep(10);
  }
}

/** What a program says on its unix socket to a line, until it hangs up. */
async function ask(path: string, line: string): Promise<string> {
  const socket = connect({ path, timeout: STOP_MS });
  socket.once('timeout', () => socket.destroy(new Error(`${path} does not answer`)));
  socket.end(`${line}\n`);
  let said = '';
  for await (const chunk of socket) said += String(chunk);
  return said;
}

async function stop(pid: number, graceMs: number): Promise<void> {
  for (const [signal, ms] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', STOP_MS],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    const until = Date.now() + ms;
    while (Date.now() < until) {
      if (await gone(pid)) return;
      await sleep(5);
    }
  }
  throw new Error(`process ${pid} does not end`);
}

/** Whether the process has ended; one that only waits to be collected has. */
async function gone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined || /\) [ZX] /.test(stat);
}
