// Runs another program: argv only, never a shell, with a time limit and an error that says what was run and what it said.
// The one place that starts short-lived processes, so that no text of a tenant can ever be read as a command.
import { spawn } from 'node:child_process';

export interface RunOptions {
  /** What to write to the program's standard input. */
  readonly input?: string;
  /** Milliseconds until the program is killed (default 30,000). */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status; null when a signal ended it. */
  readonly code: number | null;
}

/** A program that could not be started, failed, or took too long. */
export class RunError extends Error {
  readonly argv: readonly string[];
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  constructor(argv: readonly string[], why: string, result: RunResult, cause?: unknown) {
    const said = (result.stderr || result.stdout).trim();
    super(`${argv.join(' ')}: ${why}${said ? `: ${said.slice(0, 2000)}` : ''}`, { cause });
    this.argv = argv;
    this.code = result.code;
    this.stdout = result.stdout;
    this.stderr = result.stderr;
  }
}

/** Runs `argv` to its end and returns what it printed. Throws {@link RunError} unless it exits with 0. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await tryRun(argv, options);
  if (result.code !== 0) {
    throw new RunError(argv, result.code === null ? 'was ended by a signal' : `exit status ${result.code}`, result);
  }
  return result;
}

/** Like {@link run}, but a non-zero exit is an answer, not an error. */
export function tryRun(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error('run: empty argv');
  const timeoutMs = options.timeoutMs ?? 30_000;
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const result = (code: number | null): RunResult => ({
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
    code,
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
    // What it started itself may live on and hold the pipes open: nobody waits for that.
    child.stdout!.destroy();
    child.stderr!.destroy();
  }, timeoutMs);
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.on('error', (error) => {
    clearTimeout(timer);
    reject(new RunError(argv, error.message, result(null), error));
  });
  child.on('close', (code) => {
    clearTimeout(timer);
    if (timedOut) reject(new RunError(argv, `not finished after ${timeoutMs} ms`, result(code)));
    else resolve(result(code));
  });
  if (options.input !== undefined) {
    child.stdin!.on('error', () => undefined); // the program may end without reading: its exit status tells
    child.stdin!.end(options.input);
  }
  return promise;
}
