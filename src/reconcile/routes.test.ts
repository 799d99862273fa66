// How static routes fare is told once, when it changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Desired, Finding } from '../compile/desired.ts';
import type { Intent, StaticRoute } from '../model/intent.ts';
import { createRouteWatch } from './routes.ts';

const route: StaticRoute = { id: 'r1', vpcId: 'v1', cidr: '10.2.0.0/16', nextHop: '172.16.0.2' };

function intent(routes: readonly StaticRoute[]): Intent {
  const vpc = { id: 'v1', name: 'v1', accountId: 'a', cidr: '10.1.0.0/16', tiers: [], gateways: [], routes };
  return {
    generation: 1,
    fabric: { chassis: [], underlayMtu: 1500 },
    vpcs: new Map([['v1', vpc]]),
    networks: new Map(),
    switches: new Map(),
    hosts: new Map(),
  };
}

function desired(findings: readonly Finding[]): Desired {
  return { generation: 1, units: new Map([['vpc:v1', { key: 'vpc:v1', rows: [], chassis: ['h1'], findings }]]) };
}

test('due() says Active only when the routers have it, and only once', () => {
  const watch = createRouteWatch();
  watch.look(['v1']);
  assert.deepEqual(
    watch.due(intent([route]), desired([]), () => false),
    [],
  );
  const states = watch.due(intent([route]), desired([]), () => true);
  assert.deepEqual(states, [{ id: 'r1', state: 'Active', reason: null }]);
  watch.told(states);
  watch.look(['v1']);
  assert.deepEqual(
    watch.due(intent([route]), desired([]), () => true),
    [],
  );
});

test('due() says Unreachable and why at once, and Active again when it healed', () => {
  const watch = createRouteWatch();
  watch.look(['v1']);
  const broken = watch.due(
    intent([route]),
    desired([{ kind: 'static-route', id: 'r1', text: 'no segment' }]),
    () => false,
  );
  assert.deepEqual(broken, [{ id: 'r1', state: 'Unreachable', reason: 'no segment' }]);
  watch.told(broken);
  watch.look(['v1']);
  assert.deepEqual(
    watch.due(intent([route]), desired([]), () => true),
    [{ id: 'r1', state: 'Active', reason: null }],
  );
});
