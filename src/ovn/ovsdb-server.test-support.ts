// A real ovsdb-server with OVN's schema on a private unix socket, for tests: it can be killed, restarted, and emptied.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';

export interface TestServer {
  /** `unix:…` */
  readonly remote: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again on the same database. */
  start(): Promise<void>;
  /** Kills it and throws the database away, or puts a copy made before in its place. */
  replaceDatabase(copy?: string): Promise<void>;
  /** Copies the database file; returns where to. */
  copyDatabase(): Promise<string>;
  /** Runs ovn-nbctl against it and returns what it prints. */
  nbctl(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

/** Starts a server with the schema file of this name (`ovn-nb`, `ovn-sb`); others may be given by path. */
export async function startOvsdbServer(schema: string): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'trunkline-ovsdb-'));
  const file = join(directory, 'db');
  const socket = join(directory, 'sock');
  const schemaFile = schema.includes('/') ? schema : `/usr/share/ovn/${schema}.ovsschema`;
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    if (!existsSync(file)) await run(['ovsdb-tool', 'create', file, schemaFile]);
    rmSync(socket, { force: true });
    const args = [
      file,
      `--remote=punix:${socket}`,
      `--unixctl=${join(directory, 'ctl')}`,
      '--no-chdir',
      '-vconsole:off',
    ];
    child = spawn('ovsdb-server', args, { stdio: 'ignore' });
    // The file is there a moment before anybody listens on it.
    while (!(await listens(socket))) {
      if (child.exitCode !== null) throw new Error(`ovsdb-server ended with status ${child.exitCode}`);
      await sleep(5);
    }
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = Promise.withResolvers<void>();
    child.once('exit', () => ended.resolve());
    child.kill('SIGKILL');
    await ended.promise;
  };

  await start();
  return {
    remote: `unix:${socket}`,
    kill,
    start,
    async replaceDatabase(copy) {
      await kill();
      rmSync(file);
      if (copy !== undefined) await run(['cp', copy, file]);
    },
    async copyDatabase() {
      const copy = join(directory, 'copy');
      await run(['cp', file, copy]);
      return copy;
    },
    async nbctl(...args) {
      const { stdout } = await run(['ovn-nbctl', `--db=unix:${socket}`, '--no-leader-only', ...args]);
      return stdout.trim();
    },
    async close() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function listens(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect(socket);
  probe.once('connect', () => resolve(true));
  probe.once('error', () => resolve(false));
  return promise.finally(() => probe.destroy());
}

/** Waits until the condition holds; fails after twenty seconds: a busy machine takes some of them. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within 20 s: ${what}`);
    await sleep(5);
  }
}
