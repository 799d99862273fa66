// The verdict on an upstream, from what was seen of its answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './verify.ts';

const NEW = '02:00:00:00:12:02';
const OLD = '02:00:00:00:12:01';
const question = { mac: NEW, control: '10.1.1.2' };
const seen = (
  answers: readonly (readonly [string, string, number])[],
  upstreamMac: string | undefined = 'd6:0f:b0:ad:4f:f2',
) => ({
  upstreamMac,
  echoes: new Map(
    [...Map.groupBy(answers, ([ip]) => ip)].map(([ip, list]) => [ip, list.map(([, toMac, at]) => ({ toMac, at }))]),
  ),
});

test('judge() calls learnt what is answered to the new MAC, from its first such answer', () => {
  const answers = [['10.1.1.77', NEW, 5] as const, ['10.1.1.77', NEW, 9] as const];
  assert.deepEqual(judge('10.1.1.77', question, seen(answers)), { verdict: 'learnt', answeredBy: NEW, at: 5 });
});

test('judge() lets the newest answer count: late is not stale, and what falls back is', () => {
  const late = [['10.1.1.77', OLD, 5] as const, ['10.1.1.77', NEW, 9] as const];
  assert.equal(judge('10.1.1.77', question, seen(late)).verdict, 'learnt');
  const back = [['10.1.1.77', NEW, 5] as const, ['10.1.1.77', OLD, 9] as const];
  assert.deepEqual(judge('10.1.1.77', question, seen(back)), { verdict: 'stale', answeredBy: OLD, at: 9 });
});

test("judge() concludes a stale entry from answers to the card's other address", () => {
  const control = [['10.1.1.2', NEW, 5] as const];
  assert.deepEqual(judge('10.1.1.77', question, seen(control)), { verdict: 'stale' });
});

test('judge() does not call stale an upstream that answers nobody', () => {
  assert.deepEqual(judge('10.1.1.77', question, seen([])), { verdict: 'mute' });
  assert.deepEqual(judge('10.1.1.77', question, { upstreamMac: undefined, echoes: new Map() }), { verdict: 'silent' });
});
