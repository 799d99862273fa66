// What a node reports: that a part that cannot be kept is told, and keeps nothing else from being kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeReport } from './protocol/document.ts';
import { createVpnWatch } from './reconcile/vpn-watch.ts';
import { recordAll } from './record-report.ts';
import { addWorld, hostRow, instanceRow } from './store/row.test-support.ts';
import { openSqlite } from './store/store.test-support.ts';

test('recordAll() keeps what can be kept, and names what could not be', async () => {
  await using opened = await openSqlite();
  const { store } = opened;
  const host = hostRow('h1', { state: 'Down' });
  const instance = { ...instanceRow('i-1-VM', host.id), onetimepassword: 'sealed', passwordturn: 3 };
  await store.write(async (tx) => {
    await addWorld(tx);
    await tx.insert('host', host);
    await tx.insert('instance', instance);
  });
  const report: NodeReport = {
    node: 'h1',
    generation: 1,
    instances: [],
    facts: { hostname: 'h1', underlayIp: '192.0.2.1', cpus: 1, memoryMb: 1, ovs: '', ovn: '', kernel: '', version: '' },
    scans: [{ id: instance.id, hosts: [] }],
    taken: [{ instance: instance.id, turn: 3 }],
  };
  await store.write(async (tx) => tx.db.schema.dropTable('scan').execute());
  const never = (): never => {
    throw new Error('nothing is compiled yet');
  };
  await assert.rejects(
    recordAll(store, createVpnWatch(store), report, never),
    (error: unknown) =>
      error instanceof AggregateError &&
      error.errors.length === 2 &&
      /^could not record all that node h1 reports: its scans: .*scan; its VPNs: nothing is compiled yet$/.test(
        error.message,
      ),
  );
  const row = await store.db.selectFrom('instance').select('onetimepassword').executeTakeFirstOrThrow();
  assert.equal(row.onetimepassword, null, 'what comes after them is kept');
  assert.equal((await store.db.selectFrom('host').select('state').executeTakeFirstOrThrow()).state, 'Up');
});
