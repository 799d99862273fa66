// Gateways that come to this node: read from the southbound database's updates, announced into the right bridge.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceReply, announceRequest, tagged } from './frame.ts';
import { gatewayArgv } from './gateway.ts';
import { createGateways, endpointOf, readClaim } from './southbound.ts';

const options = (port: string): unknown => [
  'map',
  [
    ['always-redirect', 'true'],
    ['distributed-port', port],
  ],
];
const none = ['set', []];
const at = (uuid: string): unknown => ['uuid', uuid];

test('createGateways() tells a gateway that comes here, and not those that were here or go elsewhere', () => {
  const gateways = createGateways();
  const first = {
    Chassis: { own: { initial: { name: 'h1' } } },
    Port_Binding: {
      a: { initial: { chassis: at('own'), options: options('lrp-a') } },
      b: { initial: { chassis: at('other'), options: options('lrp-b') } },
      c: { initial: { chassis: none, options: options('lrp-c') } },
    },
  };
  assert.deepEqual(gateways.take(first), []);
  assert.deepEqual(gateways.take({ Port_Binding: { b: { modify: { chassis: at('own') } } } }), ['lrp-b']);
  assert.deepEqual(
    gateways.take({ Port_Binding: { b: { modify: { options: ['map', [['x', 'y']]] } } } }),
    [],
    'it was here',
  );
  assert.deepEqual(
    gateways.take({ Port_Binding: { b: { modify: { chassis: none } }, c: { modify: { chassis: at('other') } } } }),
    [],
  );
  assert.deepEqual(
    gateways.take({ Port_Binding: { b: { modify: { chassis: at('own') } } } }),
    ['lrp-b'],
    'it comes back',
  );
  assert.deepEqual(
    gateways.take({ Port_Binding: { d: { insert: { chassis: at('own'), options: options('lrp-d') } } } }),
    ['lrp-d'],
  );
  assert.deepEqual(gateways.take({ Port_Binding: { d: { delete: null } } }), []);
});

test('readClaim() takes the own addresses and the translated ones of the same MAC', () => {
  const claim = readClaim(
    'lrp',
    { mac: '02:00:00:00:00:0a 172.16.0.1/24 2001:db8:100::a/64 fe80::1/64' },
    {
      nat_addresses: [
        'set',
        ['02:00:00:00:00:0a 203.0.113.40 203.0.113.41 is_chassis_resident("cr-lrp")', '02:ff:00:00:00:00 10.0.0.1'],
      ],
    },
    { logical_port: 'ln', tag: 101 },
  );
  assert.deepEqual(claim, {
    port: 'lrp',
    mac: '02:00:00:00:00:0a',
    addresses: ['172.16.0.1', '203.0.113.40', '203.0.113.41'],
    addresses6: ['2001:db8:100::a'],
    localnet: 'ln',
    vlan: 101,
  });
});

test("gatewayArgv() sends both forms, tagged, where OVN's own frames come from", () => {
  const claim = { port: 'lrp', mac: '02:00:00:00:00:0a', addresses: ['172.16.0.1'], localnet: 'ln', vlan: 101 };
  const patch = { name: 'patch-ln-to-br-int', type: 'patch', ofport: 7 };
  const layout = {
    externalIds: {},
    bridges: new Map([
      ['br-int', [{ name: 'patch-br-int-to-ln', type: 'patch', ofport: 3 }]],
      ['br-ex', [{ name: 'eth0', type: '', ofport: 1 }, patch]],
    ]),
  };
  const frames = [announceRequest(claim.mac, '172.16.0.1'), announceReply(claim.mac, '172.16.0.1')];
  assert.deepEqual(gatewayArgv(claim, layout, '/r'), [
    'ovs-ofctl',
    'packet-out',
    'unix:/r/br-ex.mgmt',
    '7',
    'NORMAL',
    ...frames.map((frame) => tagged(frame, 101)),
  ]);
  assert.equal(gatewayArgv({ ...claim, localnet: 'elsewhere' }, layout, '/r'), undefined);
});

test('endpointOf() takes the first way it can go', () => {
  assert.deepEqual(endpointOf('ssl:192.0.2.1:6642,tcp:192.0.2.1:6642'), { host: '192.0.2.1', port: 6642 });
  assert.deepEqual(endpointOf('tcp:[2001:db8::1]:6642'), { host: '2001:db8::1', port: 6642 });
  assert.deepEqual(endpointOf('unix:/run/sb.sock'), { path: '/run/sb.sock' });
  assert.equal(endpointOf('ssl:192.0.2.1:6642'), undefined);
});
