// For tests of this layer: a real Open vSwitch of a test's own, with a datapath that needs no privilege.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';

export interface TestSwitch {
  /** `unix:PATH` of its database. */
  readonly remote: string;
  readonly rundir: string;
  vsctl(...argv: readonly string[]): Promise<string>;
  appctl(...argv: readonly string[]): Promise<string>;
  /** Ends the daemon that carries out what the database says; the database still answers. */
  stopDaemon(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it with a bridge `sw` and these ports. Throws when a program is missing or does not come up. */
export async function startOvs(ports: readonly string[]): Promise<TestSwitch> {
  const rundir = await mkdtemp(join(tmpdir(), 'tl-ovs-'));
  const remote = `unix:${join(rundir, 'db.sock')}`;
  const env = { OVS_RUNDIR: rundir };
  await run(['ovsdb-tool', 'create', join(rundir, 'conf.db'), '/usr/share/openvswitch/vswitch.ovsschema']);
  const quiet = ['-vconsole:off', '-vsyslog:off', '--no-chdir'];
  const start = (program: string, ...argv: string[]): ChildProcess =>
    spawn(program, [...quiet, `--pidfile=${join(rundir, `${program}.pid`)}`, ...argv], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
  const database = start('ovsdb-server', `--remote=p${remote}`, join(rundir, 'conf.db'));
  const daemon = start('ovs-vswitchd', '--enable-dummy=override', '--disable-system', remote);
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const vsctl = async (...argv: readonly string[]): Promise<string> =>
    (await run(['ovs-vsctl', `--db=${remote}`, '--timeout=10', ...argv])).stdout;
  const made = ports.flatMap((name) => ['--', 'add-port', 'sw', name, '--', 'set', 'Interface', name, 'type=dummy']);
  const begin = [
    '--no-wait',
    'init',
    '--',
    'add-br',
    'sw',
    '--',
    'set',
    'Bridge',
    'sw',
    'datapath_type=dummy',
    ...made,
  ];
  for (let tries = 0; ; tries++) {
    try {
      await vsctl(...begin);
      await vsctl('set', 'Bridge', 'sw', 'fail_mode=standalone'); // waits for ovs-vswitchd
      break;
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(20);
    }
  }
  return {
    remote,
    rundir,
    vsctl,
    async appctl(...argv) {
      return (await run(['ovs-appctl', ...argv], { env })).stdout;
    },
    stopDaemon: () => end(daemon),
    async stop() {
      await end(daemon);
      await end(database);
      await rm(rundir, { recursive: true });
    },
  };
}
