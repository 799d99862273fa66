// What a probe makes of the answers it sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sight } from '../announce/sight.ts';
import { probeSights } from './probe.ts';

const CARD = '02:00:00:00:12:01';
const VIA = 'd6:0f:b0:ad:4f:f2';
const spec = { from: '10.1.1.1', via: '10.1.1.254', target: '192.168.50.10' };
const arp: Sight = { kind: 'arp', at: 1, ip: spec.via, mac: VIA };
const answer = (from: string, to: string, toMac: string): Sight => ({ kind: 'echo', at: 2, from, to, toMac });
const seen = (...sights: readonly Sight[]): ReturnType<ReturnType<typeof probeSights>['report']> => {
  const probe = probeSights(spec);
  for (const sight of sights) probe.see(sight);
  return probe.report();
};
const nothing = { viaAnswers: false, targetAnswers: false, cardAnswers: false };

test('probeSights() tells the answers of the member, the host behind it and the card apart', () => {
  assert.deepEqual(seen(), nothing);
  assert.deepEqual(seen(arp), { ...nothing, viaMac: VIA });
  assert.deepEqual(seen(answer(spec.via, spec.from, CARD)), { ...nothing, viaAnswers: true });
  assert.deepEqual(seen(answer(spec.target, spec.from, CARD)), { ...nothing, targetAnswers: true });
  assert.deepEqual(seen(answer(spec.from, spec.via, VIA)), { ...nothing, cardAnswers: true });
  assert.deepEqual(seen(answer(spec.from, spec.target, VIA)), { ...nothing, cardSendsTo: VIA });
});

test('probeSights() keeps who says that the host cannot be reached, unless it answers after all', () => {
  const error: Sight = { kind: 'unreachable', at: 3, by: '192.168.50.1', to: spec.from, host: spec.target };
  assert.deepEqual(seen(error), { ...nothing, unreachableBy: '192.168.50.1' });
  assert.deepEqual(seen({ ...error, host: '8.8.8.8' }), nothing);
  assert.deepEqual(seen(error, answer(spec.target, spec.from, CARD)), { ...nothing, targetAnswers: true });
});

test('probeSights() takes no notice of other machines', () => {
  assert.deepEqual(seen({ ...arp, ip: '10.1.1.9' }, answer('10.1.1.9', spec.from, CARD)), nothing);
});
