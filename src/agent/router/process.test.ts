// Daemons are found by what they were started with, also in the moment in which one begins itself anew.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findByFile, findDaemons } from './process.ts';

test('a process that begins itself anew is found all the while, and is never taken for gone', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-process-'));
  const file = join(folder, 'again.sh');
  // As haproxy's master does, only without a pause.
  await writeFile(file, `exec bash ${file}\n`);
  const child = spawn('bash', [file], { stdio: 'ignore' });
  try {
    let looks = 0;
    for (const end = Date.now() + 3000; Date.now() < end; looks++) {
      assert.deepEqual((await findByFile('bash', new Set([file]))).get(file), [child.pid]);
      assert.deepEqual((await findDaemons({ bash: file })).get('bash'), [child.pid]);
    }
    t.diagnostic(`${looks} looks`);
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
});

test('a process that has ended, or has no arguments at all, is found by nobody', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const of = async (): Promise<number[] | undefined> => (await findByFile('sleep', new Set(['60']))).get('60');
  assert.ok((await of())?.includes(child.pid!));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  assert.ok((await of())?.includes(child.pid!) !== true);
  assert.deepEqual((await findByFile('kthreadd', new Set(['']))).size, 0);
});
