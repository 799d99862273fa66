// Attack 12: a tenant picks a VLAN or an address range that is not his to have: in use, reserved, the operator's, the machine's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../support/cloud.ts';
import { idOf, privateNetwork, privateNetworkOn, tier, vpc } from './tenant.ts';

test('attack 12: no VLAN but a free one outside of the pool can be chosen', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.vlan.tenants', value: '2-4094' });
  const bad = ['0', '1', '4095', '4096', '-5', '1e3', '0x64', '99999999999', 'abc', '1000', '1500', 'vlan://1', ' '];
  for (const vlan of bad) {
    await assert.rejects(
      privateNetworkOn(cloud, 'acme-admin', vlan),
      { kind: 'parameter' },
      `VLAN ${JSON.stringify(vlan)}`,
    );
  }
  await privateNetworkOn(cloud, 'acme-admin', '3000');
  await assert.rejects(
    privateNetworkOn(cloud, 'globex-admin', '3000', '172.17.0.0/24'),
    { kind: 'parameter' },
    'a VLAN of another domain',
  );
  const networks = await cloud.store.db.selectFrom('network').select('vlan').execute();
  assert.deepEqual(
    networks.map((row) => row.vlan),
    [3000],
  );
});

test('attack 12: the admin of a domain puts no instance on a VLAN of the operator’s, such as the one outside of the routers', async () => {
  await using cloud = await openCloud();
  const zoneid = await idOf(cloud, 'acme-admin', 'listZones', 'zone', 'zone1');
  const range = { startip: '203.0.113.100', endip: '203.0.113.110', gateway: '203.0.113.1', netmask: '255.255.255.0' };
  await cloud.callAs('admin', 'createVlanIpRange', { zoneid, ...range });
  const take = async (vlan: string): Promise<void> => {
    for (const [name, more] of [
      ['DefaultL2NetworkOfferingVlan', {}],
      ['NoServicesSpecifyVlan', { cidr: '10.1.1.0/24' }],
      ['DefaultPrivateGatewayNetworkOfferingSpecifyVlan', { cidr: '172.16.0.0/24' }],
    ] as const) {
      const networkofferingid = await idOf(cloud, 'acme-admin', 'listNetworkOfferings', 'networkoffering', name);
      const params = { name: 'x', zoneid, networkofferingid, vlan, bypassvlanoverlapcheck: true, ...more };
      await assert.rejects(
        cloud.callAs('acme-admin', 'createNetwork', params),
        (error: Error) => error.message.includes(`VLAN ${vlan} cannot be named by tenants`),
        `${name}, VLAN ${vlan}`,
      );
    }
  };
  await take('100');
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.vlan.tenants', value: '3000-3099' });
  for (const vlan of ['100', '2999', '3100']) await take(vlan);
  await privateNetworkOn(cloud, 'acme-admin', '3000');
  const networks = await cloud.store.db.selectFrom('network').select('vlan').execute();
  assert.deepEqual(
    networks.map((row) => row.vlan),
    [3000],
  );
});

test('attack 12: a user cannot choose a VLAN at all', async () => {
  await using cloud = await openCloud();
  await assert.rejects(privateNetworkOn(cloud, 'acme-user', '3000'));
  assert.deepEqual(await cloud.store.db.selectFrom('vlan').selectAll().execute(), []);
});

const RESERVED = [
  '169.254.0.0/16',
  '127.0.0.0/16',
  '224.0.0.0/24',
  '240.0.0.0/24',
  '0.0.0.0/0',
  '0.0.0.0/8',
  '8.8.8.0/24',
  '255.255.255.255/32',
];

test('attack 12: no VPC and no Private network over loopback, link-local, multicast or somebody’s public addresses', async () => {
  await using cloud = await openCloud();
  for (const cidr of RESERVED) {
    await assert.rejects(vpc(cloud, 'acme-admin', cidr), { kind: 'parameter' }, `VPC ${cidr}`);
    await assert.rejects(privateNetwork(cloud, 'acme-admin', cidr), { kind: 'parameter' }, `Private network ${cidr}`);
  }
  assert.deepEqual(await cloud.store.db.selectFrom('vpc').selectAll().execute(), []);
  assert.deepEqual(await cloud.store.db.selectFrom('network').selectAll().execute(), []);
});

test('attack 12: a tier lies in its VPC, beside the others, with a gateway that is a machine’s address', async () => {
  await using cloud = await openCloud();
  const id = await vpc(cloud, 'acme-admin', '10.1.0.0/16');
  await tier(cloud, 'acme-admin', id, '10.1.1.1');
  for (const gateway of [
    '10.2.1.1',
    '10.1.1.1',
    '10.1.1.129',
    '10.1.2.0',
    '10.1.2.255',
    '169.254.169.254',
    '10.1.1',
    '10.1.1.1.1',
    '010.1.1.1',
  ]) {
    await assert.rejects(tier(cloud, 'acme-admin', id, gateway), { kind: 'parameter' }, gateway);
  }
  await assert.rejects(tier(cloud, 'acme-admin', id, '10.1.3.1', { netmask: '255.0.255.0' }), { kind: 'parameter' });
  await assert.rejects(tier(cloud, 'acme-admin', id, '10.1.3.1', { netmask: '255.0.0.0' }), { kind: 'parameter' });
});
