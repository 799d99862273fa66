// What is forgotten with time, and what is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../lib/id.ts';
import { addJob } from './job.test-support.ts';
import type { Store } from './open.ts';
import { DATABASES } from './store.test-support.ts';
import { sweep } from './sweep.ts';

const NOW = Date.parse('2026-11-22T12:00:00.000Z');
const ago = (days: number): string => new Date(NOW - days * 86_400_000).toISOString();

async function addEvent(store: Store, description: string, created: string, type = 'VPC.CREATE'): Promise<void> {
  const about = { parent: null, resourcetype: null, resource: null };
  const who = { account: 'a', domain: 'd', user: 'u', level: 'INFO', state: 'Completed' };
  await store.write(async (tx) => {
    const seq = await tx.next('event');
    await tx.db
      .insertInto('event')
      .values({ id: newId(), type, description, created, seq, ...who, ...about })
      .execute();
  });
}

async function set(store: Store, name: string, value: string): Promise<void> {
  const row = { name, value, category: '', description: '', defaultvalue: '', isdynamic: 1 } as const;
  await store.write(async (tx) => {
    await tx.db.deleteFrom('configuration').where('name', '=', name).execute();
    await tx.db.insertInto('configuration').values(row).execute();
  });
}

const events = async (store: Store): Promise<string[]> =>
  (await store.db.selectFrom('event').select('description').orderBy('seq').execute()).map((row) => row.description);

for (const database of DATABASES) {
  test(`sweep() forgets events after 90 days, or as many as are set, but for those that are remembered by (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    await addEvent(store, 'told that it ends', ago(400), 'VPN.CERTIFICATE.ENDING');
    for (const days of [200, 91, 89, 10, 0]) await addEvent(store, `${days} days old`, ago(days));
    await sweep(store, 0, NOW);
    assert.deepEqual(await events(store), ['told that it ends', '89 days old', '10 days old', '0 days old']);
    await set(store, 'event.purge.delay', '0');
    await sweep(store, 0, NOW);
    assert.equal((await events(store)).length, 4, '0: none is forgotten');
    await set(store, 'event.purge.delay', '7');
    await sweep(store, 0, NOW);
    assert.deepEqual(await events(store), ['told that it ends', '0 days old']);
  });

  test(`sweep() forgets settled jobs after the minutes that are set, and none that is pending (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const [done, fresh, open] = [await addJob(store, null), await addJob(store, null), await addJob(store, null)];
    const settled = (id: string, completed: string): Promise<unknown> =>
      store.write((tx) => tx.db.updateTable('job').set({ status: 1, completed }).where('id', '=', id).execute());
    await settled(done.id, ago(0.5));
    await settled(fresh.id, ago(0.01));
    const left = async (): Promise<Set<string>> =>
      new Set((await store.db.selectFrom('job').select('id').execute()).map(({ id }) => id));
    await sweep(store, 0, NOW);
    assert.deepEqual(await left(), new Set([done.id, fresh.id, open.id]), 'a day, unless set');
    await set(store, 'job.expire.minutes', '60');
    await sweep(store, 0, NOW);
    assert.deepEqual(await left(), new Set([fresh.id, open.id]));
  });
}
