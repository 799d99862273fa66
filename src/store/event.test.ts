// Events: who is told, in which order, and that none is left of a change that failed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR, addEvent, addEvents } from './event.ts';
import { DATABASES } from './store.test-support.ts';

for (const database of DATABASES) {
  test(`addEvents() numbers events in their order, and a change that fails leaves none (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const tenant = { account: 'a', domain: 'd', user: 'u' };
    const about = { type: 'Switch', id: 's1' };
    await store.write((tx) => addEvent(tx, OPERATOR, { type: 'SWITCH.DOWN', level: 'ERROR', text: 'first', about }));
    await assert.rejects(
      store.write(async (tx) => {
        await addEvent(tx, tenant, { type: 'T', text: 'never' });
        throw new Error('changed my mind');
      }),
    );
    const ids = await store.write((tx) =>
      addEvents(tx, tenant, [
        { type: 'T', text: 'second', state: 'Scheduled', id: 'job' },
        { type: 'T', text: 'third', parent: 'job' },
      ]),
    );
    assert.equal(ids[0], 'job');
    const rows = await store.db.selectFrom('event').selectAll().orderBy('seq').execute();
    assert.deepEqual(
      rows.map((row) => [row.description, row.account, row.user, row.state, row.level, row.parent, row.resource]),
      [
        ['first', OPERATOR.account, '', 'Completed', 'ERROR', null, 's1'],
        ['second', 'a', 'u', 'Scheduled', 'INFO', null, null],
        ['third', 'a', 'u', 'Completed', 'INFO', 'job', null],
      ],
    );
    assert.equal(new Set(rows.map(({ seq }) => seq)).size, 3);
  });
}
