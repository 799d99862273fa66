// How long the way to a helper outlives the need of it, as the compiler is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicAddress, publicSide, withVpcs } from '../compile/public.test-support.ts';
import { ALLOW, THREE_HOSTS, intentOf } from '../compile/sample.test-support.ts';
import { derivedId } from '../lib/id.ts';
import type { Intent } from '../model/intent.ts';
import type { Balancer } from '../model/public-side.ts';
import { createLeaves } from './helper-leave.ts';

const SHOP = derivedId('vpc/shop');

function shop(algorithm: Balancer['algorithm']): Intent {
  const balancer: Balancer = {
    id: derivedId('balancer'),
    protocol: 'tcp',
    publicPort: 80,
    algorithm,
    cidrs: [],
    sticky: false,
    members: [],
  };
  const tiers = { web: { cidr: '10.1.1.0/24', acl: ALLOW } };
  const intent = intentOf({ fabric: THREE_HOSTS, vpcs: [{ name: 'shop', cidr: '10.1.0.0/16', tiers }] });
  const addresses = [publicAddress('203.0.113.10', { sourceNat: true, balancers: [balancer] })];
  return withVpcs(intent, () => ({ publicSide: publicSide(addresses) }));
}

const leaves = (intent: Intent): boolean => intent.vpcs.get(SHOP)?.publicSide?.helperLeaves === true;

test('createLeaves() keeps the way to a helper for five seconds after it was needed last, and says when to look again', () => {
  const { of, due } = createLeaves();
  const counted = shop('leastconn');
  const spread = shop('source');
  assert.equal(of(spread, 0), spread, 'who never had one');
  assert.equal(of(counted, 1000), counted);
  const first = of(spread, 2000);
  assert.equal(leaves(first), true);
  assert.equal(due(2000), 5000);
  assert.equal(of(spread, 3000).vpcs.get(SHOP), first.vpcs.get(SHOP), 'the same unit: nothing is compiled again');
  assert.equal(leaves(of(spread)), true, 'nobody’s time ends in a pass that has none');
  assert.equal(of(spread, 7000), spread);
  assert.equal(due(7000), undefined);
});

test('createLeaves() forgets who needs a helper again, and who is gone', () => {
  const { of, due } = createLeaves();
  const counted = shop('leastconn');
  const spread = shop('source');
  of(counted, 0);
  assert.equal(leaves(of(spread)), true);
  assert.equal(due(10), 0, 'the next pass gives it its time');
  assert.equal(of(counted, 20), counted);
  assert.equal(due(20), undefined);
  assert.equal(of({ ...counted, vpcs: new Map() }, 30).vpcs.size, 0);
});
