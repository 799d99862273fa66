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
import * as members from './migrations/002-members.ts';
import * as services from './migrations/003-services.ts';
import * as vpn from './migrations/004-vpn.ts';
import * as dhcpOptions from './migrations/005-dhcp-options.ts';
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

test('migrate() writes down the root disk that an instance has been listed with', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-migrate-'));
  const db = new Kysely<Tables>({ dialect: sqliteDialect(join(folder, 'state.db')) });
  try {
    const before = new Migrator({ db, provider: { getMigrations: async () => ({ '001-initial': initial }) } });
    await before.migrateToLatest();
    await sql`pragma foreign_keys = off`.execute(db);
    const created = '2026-11-22T12:00:00.000Z';
    await sql`insert into template
      (id, name, displaytext, account, domain, ostypename, format, hypervisor, size, templatetype, passwordenabled, sshkeyenabled,
       ispublic, isfeatured, isextractable, isdynamicallyscalable, isready, removed, created)
      values ('t', 't', 't', 'a', 'd', 'o', 'QCOW2', 'KVM', 4096, 'USER', 0, 0, 1, 1, 0, 0, 1, 0, ${created})`.execute(
      db,
    );
    await sql`insert into instance
      (id, name, displayname, hostname, zone, account, domain, serviceoffering, template, state, power, boot, passwordhash, created)
      values ('00000000-0000-4000-8000-000000000001', 'i-7-VM', 'web', 'web', 'z', 'a', 'd', 's', 't', 'Stopped', 'stopped', 0, '!',
        ${created})`.execute(db);
    await migrate(db);
    const [volume, ...more] = await db.selectFrom('volume').selectAll().execute();
    assert.deepEqual(more, []);
    assert.deepEqual(
      [volume?.id, volume?.name, volume?.type, volume?.size, volume?.deviceid, volume?.attached],
      ['00000000-0000-4000-8000-d15cd15cd15d', 'ROOT-7', 'ROOT', 4096, 0, created],
    );
  } finally {
    await db.destroy();
    await rm(folder, { recursive: true, force: true });
  }
});

test('migrate() leaves VPNs at the helper’s addresses that they have had by order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-migrate-'));
  const db = new Kysely<Tables>({ dialect: sqliteDialect(join(folder, 'state.db')) });
  try {
    const getMigrations = async () => ({
      '001-initial': initial,
      '002-members': members,
      '003-services': services,
      '004-vpn': vpn,
      '005-dhcp-options': dhcpOptions,
    });
    await new Migrator({ db, provider: { getMigrations } }).migrateToLatest();
    await sql`pragma foreign_keys = off`.execute(db);
    const created = '2026-11-22T12:00:00.000Z';
    const add = (id: string, vpc: string | null, network: string | null, own: number) =>
      sql`insert into publicip (id, publicrange, ip, account, domain, network, vpc, issourcenat, state, moved, created)
        values (${id}, 'r', ${id}, 'a', 'd', ${network}, ${vpc}, ${own}, 'Allocated', 0, ${created})`.execute(db);
    const vpnAt = (id: string, kind: string) =>
      sql`insert into remotevpn (id, publicip, kind, cidr, port, secrets, certificates, state, account, domain, created)
        values (${id + kind}, ${id}, ${kind}, '10.8.0.0/24', 1194, '', '', 'Running', 'a', 'd', ${created})`.execute(
        db,
      );
    for (const [id, vpc, network, own] of [
      ['own', 'v', null, 1],
      ['c', 'v', 'tier', 0],
      ['a', 'v', null, 0],
      ['b', 'v', null, 0],
      ['n', null, 'net', 0],
      ['without', 'v', null, 0],
    ] as const)
      await add(id, vpc, network, own);
    for (const id of ['own', 'c', 'b', 'n']) await vpnAt(id, 'openvpn');
    await vpnAt('c', 'ikev2');
    // A gateway without connections ended nowhere: it comes last.
    await sql`insert into vpngateway (id, vpc, publicip, privatekey, publickey, account, domain, created)
      values ('g', 'v', 'a', '', '', 'a', 'd', ${created})`.execute(db);
    await migrate(db);
    const rows = await db.selectFrom('publicip').select(['id', 'helperslot']).orderBy('id').execute();
    assert.deepEqual(
      rows.map(({ id, helperslot }) => `${id} ${helperslot}`),
      ['a 3', 'b 1', 'c 2', 'n 1', 'own 0', 'without 0'],
    );
  } finally {
    await db.destroy();
    await rm(folder, { recursive: true, force: true });
  }
});
