// How close passes follow each other: at once, unless changes pour in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPace } from './pace.ts';

test('a few changes are compiled at once, a stream of them every 200 ms, and after a pause at once again', () => {
  const pace = createPace();
  const waits = Array.from({ length: 20 }, () => pace.after(true));
  assert.deepEqual(waits.slice(0, 5), [0, 0, 0, 20, 40]);
  assert.equal(waits.at(-1), 200);
  assert.equal(pace.after(false), 0);
  assert.equal(pace.after(true), 0);
});
