// Backup and restore on real files: what comes back, and each refusal.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { backUp, restore } from './backup.ts';
import { openStore } from './store/open.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tl-backup-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A state folder as a server leaves it, still open for writing. */
async function serverState(t: TestContext): Promise<{ state: string; generation: () => Promise<number> }> {
  const state = join(folder(t), 'state');
  const server = join(state, 'server');
  mkdirSync(join(server, 'pki'), { recursive: true });
  writeFileSync(join(server, 'seal.key'), '00'.repeat(32));
  writeFileSync(join(server, 'pki', 'ca.pem'), 'authority');
  const store = await openStore(join(server, 'trunkline.db'), Buffer.alloc(32));
  t.after(() => store.close());
  return { state, generation: () => store.write((tx) => tx.next('generation')) };
}

function generationIn(state: string): number {
  const db = new DatabaseSync(join(state, 'server', 'trunkline.db'), { readOnly: true });
  const value = Number(db.prepare("select value from counter where name = 'generation'").get()?.['value']);
  db.close();
  return value;
}

test('restore() brings back what backUp() took from a running server, with a generation above all that was realized since', async (t) => {
  const { state, generation } = await serverState(t);
  await generation();
  const file = join(folder(t), 'trunkline.tar');
  await backUp(state, file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const later = await generation();
  const other = join(folder(t), 'new');
  await restore(other, file);
  assert.equal(readFileSync(join(other, 'server', 'pki', 'ca.pem'), 'utf8'), 'authority');
  assert.ok(generationIn(other) > later, 'targets would refuse an older generation');
  assert.equal(statSync(join(other, 'server')).mode & 0o777, 0o700);
});

test('backUp() refuses to write over a file, and names what a folder lacks', async (t) => {
  const { state } = await serverState(t);
  const file = join(folder(t), 'trunkline.tar');
  await backUp(state, file);
  await assert.rejects(backUp(state, file), /is there already/);
  await assert.rejects(backUp(folder(t), join(folder(t), 'x')), /no server's state folder/);
});

test('restore() refuses a folder in use, a file that is no backup, and one of a newer version, and leaves nothing behind', async (t) => {
  const { state } = await serverState(t);
  const file = join(folder(t), 'trunkline.tar');
  await backUp(state, file);
  await assert.rejects(restore(state, file), /is not empty/);
  const other = join(folder(t), 'new');
  const junk = join(folder(t), 'junk');
  writeFileSync(junk, 'no archive');
  await assert.rejects(restore(other, junk), /is no backup of a server/);
  const db = new DatabaseSync(join(state, 'server', 'trunkline.db'));
  db.prepare('insert into kysely_migration (name, timestamp) values (?, ?)').run('999-later', '2030');
  db.close();
  const newer = join(folder(t), 'newer.tar');
  await backUp(state, newer);
  await assert.rejects(restore(other, newer), /newer version.*999-later/);
  assert.ok(!existsSync(join(other, 'server')));
});
