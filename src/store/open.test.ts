// Opening a state that is no good any more: what an operator is told.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openStore } from './open.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trunkline-open-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('openStore() names the file that is no whole database, says what to do, and leaves it as it is', async () => {
  const cut = join(folder, 'cut.db');
  await (await openStore(cut, randomBytes(32))).close();
  await truncate(cut, 5000);
  const other = join(folder, 'other.db');
  await writeFile(other, randomBytes(9000));
  for (const file of [cut, other]) {
    const before = await readFile(file);
    await assert.rejects(openStore(file, randomBytes(32)), (error: Error) => {
      assert.ok(error.message.startsWith(`the database ${file} cannot be used (`), error.message);
      assert.match(error.message, /restore it from a backup, or start with an empty folder \(--state\)$/);
      return true;
    });
    assert.deepEqual(await readFile(file), before);
  }
});
