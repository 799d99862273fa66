// How many questions one source may ask: never more than its share, and its share again with time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLimit } from './limit.ts';

test('createLimit() lets a burst through, then so many a second', () => {
  const limit = createLimit(10, 5);
  const taken = (now: number, tries: number): number =>
    Array.from({ length: tries }, () => limit.takes(now)).filter(Boolean).length;
  assert.equal(taken(1000, 9), 5);
  assert.equal(taken(1100, 9), 1);
  assert.equal(taken(2100, 99), 5);
  assert.equal(taken(2000, 1), 0, 'a clock that goes back gives nothing');
});
