// The state folder's rules: what is ours is taken or cleaned up, what is not stays untouched.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { openState } from './state.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync('/tmp/tl-state-');
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The process id of a process that has ended. */
function deadPid(): number {
  return spawnSync('true').pid;
}

function leftOver(path: string, kept: boolean): void {
  writeFileSync(join(path, 'trunkline.json'), JSON.stringify({ format: 1, kept, pid: deadPid(), started: '1' }));
  writeFileSync(join(path, 'old'), 'x');
}

test('openState() refuses a folder with foreign files and leaves it as it is', (t) => {
  const path = folder(t);
  writeFileSync(join(path, 'thesis.txt'), 'x');
  assert.throws(() => openState(path, false), /is not empty and holds no Trunkline state; nothing in it was touched/);
  assert.deepEqual(readdirSync(path), ['thesis.txt']);
});

test('openState() makes a folder that is not there, and close() removes it', (t) => {
  const path = join(folder(t), 'a', 'b');
  const state = openState(path, false);
  assert.ok(existsSync(path));
  assert.equal(state.continued, false);
  state.close();
  assert.ok(!existsSync(path));
});

test('close() empties an empty folder that was there before, but leaves the folder', (t) => {
  const path = folder(t);
  const state = openState(path, false);
  mkdirSync(join(path, 'lab'));
  state.close();
  assert.deepEqual(readdirSync(path), []);
});

test('openState() refuses a folder that a live demo uses', (t) => {
  const path = folder(t);
  openState(path, false);
  assert.throws(() => openState(path, false), new RegExp(`in use by a running demo \\(process ${process.pid}\\)`));
});

test('openState() refuses a folder with a half-written marker', (t) => {
  const path = folder(t);
  writeFileSync(join(path, 'trunkline.json'), '{"format": 1, "ke');
  assert.throws(() => openState(path, false), /is damaged: trunkline.json is not whole/);
});

test('openState() cleans up what a crashed run left', (t) => {
  const path = folder(t);
  leftOver(path, false);
  assert.equal(openState(path, false).continued, false);
  assert.deepEqual(readdirSync(path), ['trunkline.json']);
});

test('openState() goes on with a kept folder, and close() never removes it', (t) => {
  const path = folder(t);
  leftOver(path, true);
  const state = openState(path, false);
  assert.equal(state.continued, true);
  state.close();
  assert.ok(existsSync(join(path, 'old')));
});
