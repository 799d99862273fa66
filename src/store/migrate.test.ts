// What a newer version makes of a state that an older one wrote: nothing in it is lost.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { migrate } from './migrate.ts';
import * as initial from './migrations/001-initial.ts';
import type { Tables } from './schema.ts';
import { sqliteDialect } from './sqlite.ts';

test('migrate() keeps the addresses of cards when it lets cards be without one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-migrate-'));
  const db = new Kysely<Tables>({ dialect: sqliteDialect(join(folder, 'state.db')) });
  try {
    const before = new Migrator({ db, provider: { getMigrations: async () => ({ '001-initial': initial }) } });
    await before.migrateToLatest();
    // Only the card is looked at: what it belongs to need not be there.
    await sql`pragma foreign_keys = off`.execute(db);
    await sql`insert into nic (id, instance, network, ip, mac, isdefault, deviceid, created)
      values ('a', 'i', 'n', '10.1.1.7', '02:00:00:00:00:01', 1, 0, '2026-11-22T12:00:00.000Z')`.execute(db);
    await migrate(db);
    const [nic] = await db.selectFrom('nic').selectAll().execute();
    assert.deepEqual([nic?.ip, nic?.mac, nic?.moved], ['10.1.1.7', '02:00:00:00:00:01', 0]);
    await db.updateTable('nic').set({ ip: null }).execute();
    const [bare] = await db.selectFrom('nic').select('ip').execute();
    assert.equal(bare?.ip, null);
  } finally {
    await db.destroy();
    await rm(folder, { recursive: true, force: true });
  }
});
