// The loop over a real store and real OVN databases: jobs end when their targets have the change, and when the engine is away too long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../lib/id.ts';
import { silentLog } from '../lib/log.ts';
import { createNorthbound } from '../ovn/northbound.ts';
import { startOvsdbServer, until } from '../ovn/ovsdb-server.test-support.ts';
import { createIntentCache } from '../store/load.ts';
import type { Store } from '../store/open.ts';
import { DATABASES } from '../store/store.test-support.ts';
import { createReconciler } from './loop.ts';

async function job(store: Store): Promise<string> {
  const id = newId();
  const created = new Date().toISOString();
  await store.write(async (tx) => {
    const generation = await tx.generation();
    const about = { view: null, instancetype: null, instanceid: null, result: null, completed: null };
    const who = { user: 'u', account: 'a', domain: 'd', cmd: 'createVPC', request: 'r' };
    await tx.db
      .insertInto('job')
      .values({ id, ...who, ...about, status: 0, resultcode: 0, generation, created })
      .execute();
  });
  return id;
}

test('a job fails after its limit while OVN is away, and the next one is done once OVN is there', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const [nb, sb] = [await startOvsdbServer('ovn-nb'), await startOvsdbServer('ovn-sb')];
  await nb.kill();
  const northbound = createNorthbound({ nb: nb.remote, sb: sb.remote, log: silentLog() });
  const cache = createIntentCache(store);
  const reconciler = createReconciler({ store, cache, northbound, log: silentLog(), jobLimitMs: 200 });
  try {
    reconciler.start();
    northbound.start().catch(() => undefined);
    const status = async (id: string): Promise<{ status: number; result: string | null }> =>
      store.db.selectFrom('job').select(['status', 'result']).where('id', '=', id).executeTakeFirstOrThrow();
    const lost = await job(store);
    await until(async () => (await status(lost)).status === 2, 'the job failing');
    assert.match((await status(lost)).result!, /waiting for the network engine/);
    assert.notEqual(reconciler.status().firstError, undefined);
    await nb.start();
    await until(() => reconciler.status().firstError === undefined, 'a pass that succeeds');
    const done = await job(store);
    await until(async () => (await status(done)).status !== 0, 'the job ending');
    assert.equal((await status(done)).status, 1);
  } finally {
    await reconciler.close();
    northbound.close();
    await nb.close();
    await sb.close();
  }
});
