// Joining, reporting and falling silent, and which of these are changes of intent.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { acceptJoin, hashSecret, isCurrent, markDown, recordReport } from './hosts.ts';
import { type Store, openStore } from './open.ts';
import type { HostTable } from './schema/zone.ts';

const NOON = new Date('2026-11-22T12:00:00.000Z');
const later = (seconds: number): Date => new Date(NOON.getTime() + seconds * 1000);
const facts = (underlayIp: string): string => JSON.stringify({ underlayIp, cpus: 2 });

interface Opened extends AsyncDisposable {
  readonly store: Store;
  host(name: string): Promise<HostTable>;
  generation(): Promise<number>;
}

/** A state with h1 (192.0.2.1) and h2 (192.0.2.2); h1 holds the token secret `sesame` until an hour after noon. */
async function open(): Promise<Opened> {
  const directory = await mkdtemp(join(tmpdir(), 'trunkline-hosts-'));
  const store = await openStore(join(directory, 'state.db'), randomBytes(32));
  await store.write(async (tx) => {
    const created = NOON.toISOString();
    await tx.insert('zone', {
      id: 'z',
      name: 'z',
      dns1: '9.9.9.9',
      dns2: null,
      internaldns1: '9.9.9.9',
      internaldns2: null,
      networkdomain: null,
      networktype: 'Advanced',
      allocationstate: 'Enabled',
      guestcidr: null,
      created,
    });
    for (const [index, name] of ['h1', 'h2'].entries()) {
      await tx.insert('host', {
        id: name,
        zone: 'z',
        name,
        underlayip: `192.0.2.${index + 1}`,
        state: 'Connecting',
        resourcestate: 'Enabled',
        secret: name === 'h1' ? hashSecret('sesame') : null,
        secretexpires: name === 'h1' ? later(3600).toISOString() : null,
        serial: null,
        facts: null,
        lastseen: null,
        kind: 'hypervisor',
        created,
      });
    }
  });
  return {
    store,
    host: (name) => store.db.selectFrom('host').selectAll().where('name', '=', name).executeTakeFirstOrThrow(),
    generation: async () =>
      (await store.db.selectFrom('counter').select('value').where('name', '=', 'generation').executeTakeFirstOrThrow())
        .value,
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

test('acceptJoin() lets a node in once, and its certificate is the current one from then on', async () => {
  await using state = await open();
  assert.equal(await acceptJoin(state.store, 'h1', 'sesame', '01', NOON), true);
  assert.equal(await acceptJoin(state.store, 'h1', 'sesame', '02', NOON), false, 'a token is used once');
  assert.equal(await isCurrent(state.store, 'h1', '01'), true);
  assert.equal(await isCurrent(state.store, 'h1', '02'), false);
  assert.equal(await isCurrent(state.store, 'h2', '01'), false);
  assert.equal(await isCurrent(state.store, 'h9', '01'), false);
});

test('acceptJoin() refuses a wrong secret, another node, and a token that has expired', async () => {
  await using state = await open();
  assert.equal(await acceptJoin(state.store, 'h1', 'sesamo', '01', NOON), false);
  assert.equal(await acceptJoin(state.store, 'h1', '', '01', NOON), false);
  assert.equal(await acceptJoin(state.store, 'h2', 'sesame', '01', NOON), false);
  assert.equal(await acceptJoin(state.store, 'h9', 'sesame', '01', NOON), false);
  assert.equal(await acceptJoin(state.store, 'h1', 'sesame', '01', later(3600)), false);
  assert.equal((await state.host('h1')).serial, null);
});

test('acceptJoin() lets in one of a hundred that come at once with the same token', async () => {
  await using state = await open();
  const tries = await Promise.all(
    Array.from({ length: 100 }, (_, index) => acceptJoin(state.store, 'h1', 'sesame', String(index), NOON)),
  );
  assert.equal(tries.filter(Boolean).length, 1);
});

test('recordReport() makes a node Up in a new generation, and later ones change no intent', async () => {
  await using state = await open();
  const before = await state.generation();
  await recordReport(state.store, 'h1', facts('192.0.2.1'), NOON);
  assert.deepEqual([(await state.host('h1')).state, await state.generation()], ['Up', before + 1]);
  await recordReport(state.store, 'h1', facts('192.0.2.1'), later(5));
  assert.equal((await state.host('h1')).lastseen, NOON.toISOString(), 'nothing new within ten seconds is not written');
  await recordReport(state.store, 'h1', facts('192.0.2.1'), later(10));
  assert.deepEqual(
    [(await state.host('h1')).lastseen, await state.generation()],
    [later(10).toISOString(), before + 1],
  );
  await recordReport(state.store, 'h9', facts('192.0.2.9'), NOON);
});

test('recordReport() takes a new tunnel address as a change of intent, but never that of another node', async () => {
  await using state = await open();
  await recordReport(state.store, 'h1', facts('192.0.2.1'), NOON);
  const before = await state.generation();
  await recordReport(state.store, 'h1', facts('192.0.2.77'), later(1));
  assert.deepEqual([(await state.host('h1')).underlayip, await state.generation()], ['192.0.2.77', before + 1]);
  await recordReport(state.store, 'h1', facts('192.0.2.2'), later(2));
  assert.deepEqual([(await state.host('h1')).underlayip, await state.generation()], ['192.0.2.77', before + 1]);
  await recordReport(state.store, 'h1', facts('not an address'), later(3));
  assert.equal((await state.host('h1')).underlayip, '192.0.2.77');
});

test('recordReport() takes other physical networks as a change of intent, and the same ones not', async () => {
  await using state = await open();
  const report = (at: number, wires?: readonly string[]): Promise<void> =>
    recordReport(state.store, 'h1', JSON.stringify({ underlayIp: '192.0.2.1', cpus: at, wires }), later(at));
  await report(0);
  const before = await state.generation();
  await report(1);
  assert.equal(await state.generation(), before);
  await report(2, ['physnet1']);
  await report(3, ['physnet1']);
  assert.equal(await state.generation(), before + 1);
  await report(4, []);
  assert.equal(await state.generation(), before + 2);
});

test('markDown() marks those that fell silent, once, and a report brings them back', async () => {
  await using state = await open();
  await recordReport(state.store, 'h1', facts('192.0.2.1'), NOON);
  await recordReport(state.store, 'h2', facts('192.0.2.2'), later(25));
  assert.deepEqual(await markDown(state.store, 30_000, later(29)), []);
  assert.deepEqual(await markDown(state.store, 30_000, later(31)), ['h1']);
  assert.deepEqual([(await state.host('h1')).state, (await state.host('h2')).state], ['Down', 'Up']);
  assert.deepEqual(await markDown(state.store, 30_000, later(32)), []);
  await recordReport(state.store, 'h1', facts('192.0.2.1'), later(33));
  assert.equal((await state.host('h1')).state, 'Up');
});
