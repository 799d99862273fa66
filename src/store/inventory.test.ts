// What a sighting is, held against what is known: from rows alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Known, identify } from './inventory.ts';

const row = (kind: Known['kind'], ip: string, mac?: string, more: Partial<Known> = {}): Known => ({
  kind,
  id: `${kind}-${ip}`,
  network: 'n',
  ip,
  mac,
  owner: { id: kind, name: kind },
  secondary: false,
  place: undefined,
  state: 'Running',
  account: 'a',
  domain: 'd',
  created: '',
  ...more,
});
const CARD = row('instance', '10.0.0.1', 'aa');
const FOUND = row('device', '10.0.0.2', 'bb');
const LOST = row('device', '10.0.0.3');
const ROUTER = row('router', '10.0.0.4');
const VACANT = row('gateway', '10.0.0.5', undefined, { vacant: true });
const ROUTED = row('gateway', '10.0.0.6');
const ALL = [CARD, FOUND, LOST, ROUTER, VACANT, ROUTED];

for (const [ip, mac, is, known, why] of [
  ['10.0.0.1', 'aa', 'ours', CARD, 'its own address and MAC'],
  ['10.0.0.1', 'ff', 'impostor', CARD, 'the address of another'],
  ['10.0.0.9', 'aa', 'elsewhere', CARD, 'ours, with an address it was not given'],
  ['10.0.0.9', 'ff', 'stranger', undefined, 'nobody we know'],
  ['10.0.0.2', 'ff', 'impostor', FOUND, 'the address of a device whose MAC is known'],
  ['10.0.0.3', 'ff', 'unconfirmed', LOST, 'a device whose MAC was never found: it, or anybody'],
  ['10.0.0.3', 'aa', 'impostor', LOST, 'a card of ours is no device'],
  ['10.0.0.4', 'ff', 'ours', ROUTER, 'our routers come with MACs of their own'],
  ['10.0.0.4', 'bb', 'impostor', ROUTER, 'but not with that of a device'],
  ['10.0.0.5', 'ff', 'unconfirmed', VACANT, 'a gateway address that nobody of ours has'],
  ['10.0.0.5', 'bb', 'elsewhere', FOUND, 'a device that takes it is known, and that it was not given to it'],
  ['10.0.0.6', 'ff', 'ours', ROUTED, 'the gateway of a network that we route for'],
] as const) {
  test(`identify() says ${is} of ${ip} at ${mac}: ${why}`, () => {
    assert.deepEqual(identify(ALL, { ip, mac }), known === undefined ? { is } : { is, known });
  });
}
