// Addresses that came to a router node: which it holds, and that what was there before is no arrival.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBell } from '../../lib/bell.ts';
import { type Arrived, createArrivals, heldBy } from './arrival.ts';
import { blue, CONTEXT } from './sample.test-support.ts';

const HELD: Arrived = { routerId: 'leg', ip: '203.0.113.10', device: 'nowhere0', upstream: '203.0.113.1', pair: true };

test('heldBy() names the public addresses that are on the outside device, and no others', () => {
  const first = blue.publicAddresses.find(({ vlan }) => vlan === undefined);
  assert.ok(first !== undefined);
  const at = (device: string, address: string): { device: string; address: string; label: string }[] => [
    { device, address, label: '' },
  ];
  const held = heldBy([blue], { addresses: at(CONTEXT.outside, `${first.ip}/32`) }, CONTEXT);
  assert.deepEqual(
    held.map(({ routerId, ip, upstream }) => [routerId, ip, upstream]),
    [[blue.id, first.ip, first.gateway]],
  );
  assert.deepEqual(heldBy([blue], { addresses: at(CONTEXT.inside, `${first.ip}/32`) }, CONTEXT), []);
  assert.deepEqual(heldBy([blue], { addresses: at(CONTEXT.outside, `${first.ip}0/32`) }, CONTEXT), []);
});

test('look() takes what was there before the program was for no arrival, and survives a device that is gone', () => {
  const arrivals = createArrivals(createBell());
  assert.deepEqual(arrivals.look([HELD], 0), []);
  assert.deepEqual(arrivals.look([HELD], 1), []);
  assert.deepEqual(arrivals.look([], 2), []);
  assert.deepEqual(arrivals.look([HELD], 3), []);
});
