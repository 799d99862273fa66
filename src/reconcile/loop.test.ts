// The loop over a real store and real OVN databases: jobs end when their targets have the change, and when the engine is away too long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { createNorthbound } from '../ovn/northbound.ts';
import { startOvsdbServer, until } from '../ovn/ovsdb-server.test-support.ts';
import { createIntentCache } from '../store/load.ts';
import { addJob } from '../store/job.test-support.ts';
import { WORLD, addWorld, deviceRow, hostRow, instanceRow, memberRow, networkRow } from '../store/row.test-support.ts';
import type { Tables } from '../store/schema.ts';
import type { Store } from '../store/open.ts';
import { DATABASES } from '../store/store.test-support.ts';
import type { NodeReport } from '../protocol/document.ts';
import type { Tx } from '../store/write.ts';
import { createReconciler, type ReconcileOptions } from './loop.ts';
import { createSwitches } from './switches.ts';
import { tableSwitches, world } from './switches.test-support.ts';

/** A loop, not started, over the store and databases of OVN's own. */
async function openEngine(store: Store, more: Partial<ReconcileOptions> = {}) {
  const [nb, sb] = [await startOvsdbServer('ovn-nb'), await startOvsdbServer('ovn-sb')];
  const northbound = createNorthbound({ nb: nb.remote, sb: sb.remote, log: silentLog() });
  const reconciler = createReconciler({
    store,
    cache: createIntentCache(store),
    northbound,
    log: silentLog(),
    ...more,
  });
  return {
    nb,
    northbound,
    reconciler,
    async [Symbol.asyncDispose]() {
      await reconciler.close();
      northbound.close();
      await nb.close();
      await sb.close();
    },
  };
}

test('a job fails after its limit while OVN is away, and the next one is done once OVN is there', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  await using engine = await openEngine(store, { jobLimitMs: 200 });
  const { nb, northbound, reconciler } = engine;
  await nb.kill();
  reconciler.start();
  northbound.start().catch(() => undefined);
  const status = async (id: string): Promise<{ status: number; result: string | null }> =>
    store.db.selectFrom('job').select(['status', 'result']).where('id', '=', id).executeTakeFirstOrThrow();
  const lost = (await addJob(store, null)).id;
  await until(async () => (await status(lost)).status === 2, 'the job failing');
  assert.match((await status(lost)).result!, /waiting for the network engine/);
  const emptying = (await addJob(store, null, { cmd: 'prepareHostForMaintenance', minutesAgo: 10 })).id;
  const another = (await addJob(store, null)).id;
  await until(async () => (await status(another)).status === 2, 'the next job failing');
  assert.equal((await status(emptying)).status, 0, 'a host has an hour to become empty');
  const setting = { category: 'Advanced', description: '', defaultvalue: '60', isdynamic: 1 } as const;
  await store.write((tx) =>
    tx.insert('configuration', { name: 'job.cancel.threshold.minutes', value: '9', ...setting }),
  );
  await until(async () => (await status(emptying)).status === 2, 'the host having had nine minutes');
  assert.match((await status(emptying)).result!, /not realized within 540 s/);
  assert.notEqual(reconciler.status().firstError, undefined);
  await nb.start();
  await until(() => reconciler.status().firstError === undefined, 'a pass that succeeds');
  const done = (await addJob(store, null)).id;
  await until(async () => (await status(done)).status !== 0, 'the job ending');
  assert.equal((await status(done)).status, 1);
});

test('what waits for a host that died is realized when the host is deleted, and the instance runs elsewhere', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  await using engine = await openEngine(store);
  const { northbound, reconciler } = engine;
  const [h1, h2] = [hostRow('h1'), hostRow('h2')];
  const instance = instanceRow('i-1-VM', h1.id);
  await store.write(async (tx) => {
    await addWorld(tx);
    await tx.insert('host', h1);
    await tx.insert('host', h2);
    await tx.insert('instance', instance);
  });
  const report = (node: string): NodeReport => ({
    node,
    generation: reconciler.documents.get(node)!.generation,
    instances: [{ id: instance.id, power: 'running' }],
    facts: { hostname: node, underlayIp: '192.0.2.1', cpus: 1, memoryMb: 1, ovs: '', ovn: '', kernel: '', version: '' },
  });
  const state = async (): Promise<string> =>
    (await store.db.selectFrom('instance').select('state').where('id', '=', instance.id).executeTakeFirstOrThrow())
      .state;
  reconciler.start();
  await northbound.start();
  await until(() => reconciler.documents.get('h1') !== undefined, 'documents');
  for (const node of ['h1', 'h2']) reconciler.report(report(node));
  await until(() => reconciler.status().waiting === 0, 'nothing waiting');
  // h1 is silent from here on: its instance is stopped, and started on h2.
  await store.write((tx) => tx.update('host', h1.id, { state: 'Down' }));
  const changed = async (state: string, row: Partial<Tables['instance']>): Promise<void> =>
    store.write(async (tx) => {
      await tx.update('instance', instance.id, row);
      const entering = { generation: await tx.generation(), kind: 'instance', id: instance.id, state };
      await tx.db.insertInto('transition').values(entering).execute();
    });
  await changed('Stopped', { host: null, state: 'Stopping', power: 'stopped' });
  await changed('Running', { host: h2.id, lasthost: h2.id, state: 'Starting', power: 'running' });
  await until(() => reconciler.documents.get('h2')!.instances.length === 1, 'h2 being told');
  reconciler.report(report('h2'));
  await until(() => reconciler.status().waiting > 0, 'the change waiting for h1');
  await store.write((tx) => tx.remove('host', h1.id));
  await until(async () => (await state()) === 'Running', 'the instance running');
  await until(() => reconciler.status().waiting === 0, 'nothing waiting');
});

test('a job that waits for a port shared with strangers tells a tenant none of their networks and VLANs, and root all of them', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const { at, review } = tableSwitches();
  at('sw').ports.set('p1', { name: 'p1', untagged: 999, tagged: [77] });
  at('sw').lies.add('p1');
  const switches = createSwitches({ store, review, log: silentLog(), intervalMs: 50 });
  await using engine = await openEngine(store, { switches, jobLimitMs: 1_500 });
  const { northbound, reconciler } = engine;
  reconciler.start();
  northbound.start().catch(() => undefined);
  await here.attach({ tagged: 1 });
  const attach = (name: string, vlan: number) => async (tx: Tx) => {
    const network = networkRow({ name, offering: WORLD.bareOffering, segment: 'vlan', vlan });
    const device = deviceRow(name, here.port.id);
    await tx.insert('network', network);
    await tx.insert('device', device);
    const moved = await tx.generation();
    await tx.insert('member', memberRow(network.id, device.id, here.port.id, { tagged: 1, moved }));
  };
  const byTenant = (await addJob(store, null, { write: attach('merger', 160) })).id;
  const byRoot = (await addJob(store, null, { account: WORLD.account, write: attach('annex', 170) })).id;
  const textOf = async (id: string): Promise<string | null> =>
    (await store.db.selectFrom('job').select('result').where('id', '=', id).executeTakeFirstOrThrow()).result;
  await until(async () => (await textOf(byTenant)) !== null && (await textOf(byRoot)) !== null, 'both jobs failing');
  const told = String(await textOf(byTenant));
  assert.match(told, /waiting for switch sw, a port of which is not as wanted since 20/);
  assert.doesNotMatch(told, /office|merger|annex|150|160|170|VLAN/);
  assert.match(
    String(await textOf(byRoot)),
    /VLAN 150 \(office\), VLAN 160 \(merger\), VLAN 170 \(annex\) is not on it, tagged/,
  );
});
