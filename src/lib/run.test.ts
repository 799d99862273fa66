// Running other programs: the time limit holds whatever the program started.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tryRun } from './run.ts';

test('tryRun() gives up at its time limit though a grandchild holds the output open', async () => {
  const began = performance.now();
  await assert.rejects(tryRun(['sh', '-c', 'sleep 3 & wait'], { timeoutMs: 200 }), /not finished after 200 ms/);
  assert.ok(performance.now() - began < 2_000);
});
