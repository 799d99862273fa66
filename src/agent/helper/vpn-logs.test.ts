// Logs of VPNs: they lie in memory, so that whoever sends packets to a port must not make them grow without end.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HelperSpec } from '../../protocol/helper.ts';
import { createStepLog, runSteps } from '../step.ts';
import { type HelperContext, keyOf } from './names.ts';
import { planVpns } from './vpn.ts';
import { FILTER, partFolder } from './vpn-names.ts';
import { readVpns } from './vpn-read.ts';

const ID = '40000000-0000-4000-8000-000000000001';
const MIB = Buffer.alloc(1024 * 1024, 'x');

test('planVpns() empties a log that has grown too long, under a program that writes on, and no other', async () => {
  const home = await mkdtemp(join(tmpdir(), 'vpn-logs-'));
  const context = { node: 'gw1', directory: home, vpnLacks: {} } as HelperContext;
  const spec = { id: ID, name: 'shop', jobs: {}, address: '192.0.0.18/29' } as HelperSpec;
  const folder = partFolder(keyOf(ID), FILTER, context);
  await mkdir(folder, { recursive: true });
  const [long, short] = await Promise.all(['long', 'short'].map((name) => open(`${folder}/${name}.log`, 'w')));
  try {
    for (let written = 0; written < 6; written++) await long!.write(MIB);
    await short!.write('a line');
    const emptied = async (): Promise<string[]> => {
      const { steps } = planVpns(spec, (await readVpns(keyOf(ID), context))!, true, 1, context);
      const runs = steps.filter(({ kind }) => kind === 'run');
      await runSteps(runs, createStepLog(home, context.node));
      return runs.map((step) => (step.kind === 'run' ? step.argv.at(-1)! : ''));
    };
    assert.deepEqual(await emptied(), [`${folder}/long.log`]);
    assert.equal((await stat(`${folder}/long.log`)).size, 0);
    // It goes on where it was: the file is as long as before, and takes no more than what is new.
    await long!.write('a line');
    assert.deepEqual(await emptied(), []);
    assert.equal((await stat(`${folder}/short.log`)).size, 6);
  } finally {
    await Promise.all([long!.close(), short!.close()]);
    await rm(home, { recursive: true, force: true });
  }
});
