// How many questions one source may ask: never more than its share, and its share again with time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLimit, createSharedLimit, createSlots } from './limit.ts';

test('createLimit() lets a burst through, then so many a second', () => {
  const limit = createLimit(10, 5);
  const taken = (now: number, tries: number): number =>
    Array.from({ length: tries }, () => limit.takes(now)).filter(Boolean).length;
  assert.equal(taken(1000, 9), 5);
  assert.equal(taken(1100, 9), 1);
  assert.equal(taken(2100, 99), 5);
  assert.equal(taken(2000, 1), 0, 'a clock that goes back gives nothing');
});

test('createSharedLimit() lets who asks too much run out by himself, and all together at the network’s limit', () => {
  const limit = createSharedLimit([10, 8], [5, 3]);
  const taken = (source: string, tries: number, now = 1000): number =>
    Array.from({ length: tries }, () => limit.takes(source, now)).filter(Boolean).length;
  assert.equal(taken('greedy', 1000), 3);
  assert.equal(taken('a', 3), 3, 'the others have their share');
  assert.equal(taken('b', 3), 2, 'eight for all');
  assert.equal(taken('greedy', 9, 1200), 1);
});

test('createSlots() has so many at once, of one source and of all, and as many again when they are done', async () => {
  const slots = createSlots(3, 2);
  const gate = Promise.withResolvers<string>();
  const use = (source: string): Promise<string | undefined> => slots.use(source, () => gate.promise);
  const held = [use('a'), use('a'), use('b')];
  assert.equal(await slots.use('a', async () => 'late'), undefined);
  assert.equal(await slots.use('c', async () => 'late'), undefined);
  gate.resolve('done');
  assert.deepEqual(await Promise.all(held), ['done', 'done', 'done']);
  await assert.rejects(slots.use('a', () => Promise.reject(new Error('broken'))));
  assert.deepEqual(await Promise.all(['a', 'a', 'c'].map((source) => slots.use(source, async () => source))), [
    'a',
    'a',
    'c',
  ]);
});
