// Who is heard: silence is asked, what moves is heard, and who is gone is known to be so within half a minute.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GONE_MS, hear } from './vpn-heard.ts';

const T0 = 1_700_000_000_000;
/** What is told of a peer at seconds after the beginning, with bytes received by then. */
function told(who: string, ...looks: readonly (readonly [second: number, received: number, handshake?: number])[]) {
  return looks.map(([second, received, handshake = 0]) => {
    const now = T0 + second * 1000;
    const { heard, ask } = hear(who, { handshake: T0 / 1000 + handshake, received }, now);
    return [now - heard < GONE_MS, ask];
  });
}

test('hear() takes a peer for gone once it is silent for long, though its handshake is young, and asks it before', () => {
  const seen = told('gone', [0, 100], [2, 100], [6, 100], [8, 100], [12, 100], [24, 100], [26, 100], [28, 200]);
  assert.deepEqual(
    seen.map(([there]) => there),
    [true, true, true, true, true, true, false, true],
  );
  assert.deepEqual(
    seen.map(([, ask]) => ask),
    [false, false, true, false, true, true, false, false],
  );
});

test('hear() asks nobody who speaks by himself, and nobody without a session', () => {
  assert.deepEqual(
    told('speaks', [0, 1], [4, 2], [8, 3], [12, 4]),
    [0, 0, 0, 0].map(() => [true, false]),
  );
  assert.deepEqual(told('over', [181, 1], [190, 1]), [
    [false, false],
    [false, false],
  ]);
  const { heard, ask } = hear('never', { handshake: 0, received: 0 }, T0);
  assert.deepEqual([heard, ask], [0, false]);
});
