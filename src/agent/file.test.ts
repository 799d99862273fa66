// Whole files or none, and nothing left of a writer that was killed half-way.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeHalfWritten, writeWhole } from './file.ts';

test('removeHalfWritten() removes what the dead left, and nothing of the living or of others', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'file-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { pid: dead } = spawnSync('true');
  await writeWhole(join(folder, 'whole.json'), '{}');
  for (const name of [`a.json.${dead}-1`, `rules.nft.new.${dead}-2`, `b.json.${process.pid}-7`, 'c.txt'])
    writeFileSync(join(folder, name), '');
  await removeHalfWritten(folder);
  assert.deepEqual(readdirSync(folder).toSorted(), [`b.json.${process.pid}-7`, 'c.txt', 'whole.json']);
});
