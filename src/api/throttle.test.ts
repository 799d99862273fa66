// Failures per name and address: how many are too many, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from './error.ts';
import { createThrottle } from './throttle.ts';

test('throttle refuses with 429 after too many failures, for this key only, and until the window is over', () => {
  let now = 0;
  const throttle = createThrottle(3, 1000, () => now);
  for (let i = 0; i < 3; i++) {
    throttle.check('a');
    throttle.fail('a');
  }
  assert.throws(
    () => throttle.check('a'),
    (error: unknown) => error instanceof Refusal && error.status === 429 && /retry after 1000 ms/.test(error.message),
  );
  throttle.check('b');
  now = 1000;
  throttle.check('a');
});

test('throttle forgets failures after a success', () => {
  const throttle = createThrottle(1, 1000, () => 0);
  throttle.fail('a');
  throttle.succeed('a');
  throttle.check('a');
});

test('throttle takes back one failure, not all', () => {
  const throttle = createThrottle(2, 1000, () => 0);
  throttle.fail('a');
  throttle.fail('a');
  throttle.excuse('a');
  throttle.check('a');
  throttle.fail('a');
  assert.throws(() => throttle.check('a'), Refusal);
});
