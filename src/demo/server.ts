// The server as a child of the demo: started, watched, started again when it dies, ended with the demo.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM, labPaths, readJson } from '../lab/layout.ts';
import { createBackoff } from '../lib/backoff.ts';
import { sleep } from '../lib/sleep.ts';

/** One of the demo's accounts, as the server wrote it to `access.json`. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
  readonly apikey: string;
  readonly secretkey: string;
}

export interface Access {
  readonly endpoint: string;
  readonly accounts: Readonly<Record<string, Account>>;
}

export interface Server {
  readonly access: Access;
  stop(): Promise<void>;
}

const PATIENCE_MS = 20_000;
const STEADY_MS = 3_000;

/**
 * Starts the server over the lab of the same state folder, which need not be there yet. Resolves when it answers. Throws
 * with what the server said when it ends before. Killed later, it is started again at once.
 */
export async function startServer(state: string, port: number, log: (text: string) => void): Promise<Server> {
  const paths = labPaths(state);
  const file = join(state, 'access.json');
  rmSync(file, { force: true });
  mkdirSync(join(state, 'server'), { recursive: true, mode: 0o700 });
  const backoff = createBackoff(100, 2_000);
  let ending = false;
  let ready = false;
  let child: ChildProcess | undefined;
  let failed: string | undefined;

  const launch = (): void => {
    const began = Date.now();
    const out = openSync(join(state, 'server.log'), 'a');
    const args = [
      'serve',
      '--state',
      state,
      '--port',
      `${port}`,
      '--demo-accounts',
      '--agents',
      `unix:${paths.agents}`,
    ];
    const own = startProgram([...args, '--nb', `unix:${paths.nb}`, '--sb', `unix:${paths.sb}`], out);
    closeSync(out);
    child = own;
    let said = '';
    own.stderr!.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
    own.on('error', (error) => (failed = error.message));
    own.on('close', (code, signal) => {
      if (ending) return;
      const how = signal === null ? `exit status ${code}` : `signal ${signal}`;
      if (!ready) {
        failed = said.trim().replace(/^trunkline: /, '') || how;
        return;
      }
      log(`the server ended (${how}); starting it again`);
      if (Date.now() - began >= STEADY_MS) backoff.reset();
      setTimeout(() => !ending && launch(), backoff.next());
    });
  };

  const stop = async (): Promise<void> => {
    ending = true;
    if (child !== undefined) await end(child);
  };

  launch();
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    if (failed !== undefined) throw new Error(`the server did not start: ${failed}`);
    const access = existsSync(file) ? readJson<Access>(file) : undefined;
    if (access !== undefined) {
      ready = true;
      return { access, stop };
    }
    if (Date.now() > until) {
      await stop();
      throw new Error(`the server did not answer within ${PATIENCE_MS / 1000} s; see ${join(state, 'server.log')}`);
    }
    await sleep(15);
  }
}

function startProgram(args: readonly string[], out: number): ChildProcess {
  // Ends with the demo, however that ends; a session of its own, so that Ctrl-C is the demo's to handle.
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', PROGRAM, ...args], {
    stdio: ['ignore', out, 'pipe'],
    detached: true,
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.on('exit', () => resolve());
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await promise;
  clearTimeout(timer);
}
