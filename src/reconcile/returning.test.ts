// When a gateway node that failed is trusted again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../../test/support/cloud.ts';
import { addHosts } from '../../test/support/hosts.ts';
import { createReturning } from './returning.ts';

const NOON = Date.parse('2026-11-22T12:00:00.000Z');

test('look() trusts a node that was heard since and has caught up for ten seconds, and not before', async () => {
  await using cloud = await openCloud();
  const { store } = cloud;
  const [id] = await addHosts(store, 1);
  const set = (patch: object): Promise<void> => store.write((tx) => tx.update('host', id!, patch));
  const at = (seconds: number): string => new Date(NOON + seconds * 1000).toISOString();
  await set({ state: 'Alert', lastseen: at(-1) });
  let caughtUp = true;
  const returning = createReturning(store, () => caughtUp);
  const look = (seconds: number): Promise<string[]> => returning.look(NOON + seconds * 1000);
  assert.deepEqual(await look(0), []);
  assert.deepEqual(await look(12), [], 'it has said nothing since');
  await set({ lastseen: at(13) });
  assert.deepEqual(await look(14), []);
  caughtUp = false;
  assert.deepEqual(await look(20), []);
  caughtUp = true;
  assert.deepEqual(await look(21), [], 'the ten seconds begin anew');
  await set({ lastseen: at(25) });
  assert.deepEqual(await look(30), []);
  assert.deepEqual(await look(31), ['hv1']);
  assert.equal((await store.db.selectFrom('host').select('state').executeTakeFirstOrThrow()).state, 'Up');
});
