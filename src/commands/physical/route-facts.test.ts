// Each route on the way to a network behind a device and back, as the archive's lesson has it: one that lacks is enough for silence.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeReport } from '../../protocol/document.ts';
import { factsOf } from './route-facts.ts';
import type { RouteNames } from './route-judgement.ts';

const VIA = 'd6:0f:b0:ad:4f:f2';
const names: RouteNames = {
  instance: 'vm1',
  from: '10.1.1.1',
  network: 'grey',
  networkCidr: '10.1.1.0/24',
  device: 'openvpn',
  via: '10.1.1.254',
  place: 'switch sw, port p1',
  isGateway: false,
  routeCidr: '10.8.0.0/24',
  host: '10.8.0.6',
};
const states = (seen: ProbeReport, about = names): Record<string, string> =>
  Object.fromEntries(factsOf(seen, about).map(({ name, state }) => [name, state]));
const good: ProbeReport = { viaMac: VIA, viaAnswers: true, targetAnswers: true, cardAnswers: true, cardSendsTo: VIA };
const { cardSendsTo: _, ...lost } = good;

test('factsOf() finds every route in place when the host answers and is answered', () => {
  assert.deepEqual(new Set(Object.values(states(good))), new Set(['good']));
});

test('S32: factsOf() names the return route alone when the client is reached and the instance has no way back', () => {
  const { returnroute, ...others } = states(lost);
  assert.equal(returnroute, 'bad');
  assert.deepEqual(new Set(Object.values(others)), new Set(['good']));
  const fact = factsOf(lost, names).find(({ name }) => name === 'returnroute');
  assert.match(
    fact!.repair!,
    /^ip route replace 10\.8\.0\.0\/24 via 10\.1\.1\.254 in vm1, or the same route on the network's router/,
  );
});

test('factsOf() blames the device that says it has no way, and no other', () => {
  const { forwarding, iroute, pushedroute } = states({ ...good, targetAnswers: false, unreachableBy: '10.1.1.254' });
  assert.deepEqual([forwarding, iroute, pushedroute], ['bad', 'unknown', 'unknown']);
});

test('S31: factsOf() writes the line that pushes the route', () => {
  const fact = factsOf({ ...good, targetAnswers: false }, names).find(({ name }) => name === 'pushedroute');
  assert.match(fact!.repair!, /^push "route 10\.1\.1\.0 255\.255\.255\.0"/);
});

test('S33: factsOf() takes the answer by the gateway for the way back where that router is ours, and asks for its route elsewhere', () => {
  const elsewhere = { ...good, cardSendsTo: '02:00:00:00:00:99' };
  const fact = (about: RouteNames) => factsOf(elsewhere, about).find(({ name }) => name === 'returnroute')!;
  const router = { state: 'good', text: "the network's router is ours" } as const;
  assert.equal(fact({ ...names, router }).state, 'good');
  assert.match(
    fact({ ...names, router }).text,
    /\(02:00:00:00:00:99\): the network's router is ours, and has the route/,
  );
  assert.equal(fact({ ...names, router, isGateway: true }).state, 'bad', 'the device itself is to be the gateway');
  const lost = fact({ ...names, router: { state: 'bad', text: 'no router node routes for the network now' } });
  assert.equal(lost.state, 'bad');
  assert.match(lost.text, /: no router node routes for the network now$/);
  const { cardSendsTo: _, ...rest } = elsewhere;
  const shut = (about: RouteNames) =>
    factsOf({ ...rest, cardAnswers: false }, about).find(({ name }) => name === 'returnroute')!;
  assert.equal(shut({ ...names, router, byDhcp: true }).state, 'good', 'it lets no ping in, and DHCP told it the way');
  assert.equal(shut({ ...names, router }).state, 'unknown', 'nobody told it');
  const { state, repair } = fact(names);
  assert.deepEqual([state, repair], ['unknown', "ip route add 10.8.0.0/24 via 10.1.1.254 on the network's router"]);
});
