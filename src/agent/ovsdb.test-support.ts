// For tests of the agent: a real ovsdb-server in a folder. Apart because two test files start one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';

export interface Ovsdb {
  /** `unix:PATH`. */
  readonly remote: string;
  /** Ends it at once, as a crash would; its file stays. */
  kill(): Promise<void>;
}

/** Starts an ovsdb-server with Open vSwitch's schema; the same folder again continues with its data. */
export async function startOvsdb(folder: string): Promise<Ovsdb> {
  const file = join(folder, 'conf.db');
  const remote = `unix:${join(folder, 'db.sock')}`;
  const fresh = await access(file).then(
    () => false,
    () => true,
  );
  if (fresh) await run(['ovsdb-tool', 'create', file, '/usr/share/openvswitch/vswitch.ovsschema']);
  const child = spawn(
    'ovsdb-server',
    [`--remote=p${remote}`, `--unixctl=${join(folder, 'ctl')}`, '--log-file=/dev/null', '-vconsole:off', file],
    { stdio: 'ignore' },
  );
  for (let tries = 0; tries < 500; tries++) {
    const answers = await run(['ovs-vsctl', `--db=${remote}`, '--no-wait', '--timeout=1', 'init']).then(
      () => true,
      () => false,
    );
    if (answers) break;
    await sleep(10);
  }
  return {
    remote,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
