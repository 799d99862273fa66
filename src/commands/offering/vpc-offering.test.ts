// VPC offerings, made and changed by jobs that are done at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { createIntentCache } from '../../store/load.ts';
import { refused, rowOf, rowsOf } from '../zone/provider.test-support.ts';

const NEW = { name: 'mine', displaytext: 'My VPCs', supportedservices: 'Dhcp,NetworkACL,SourceNat' };

test('createVPCOffering answers id and job, and its result shows the offering', async () => {
  await using cloud = await openCloud();
  const answer = await cloud.callAs('admin', 'createVPCOffering', NEW);
  assert.deepEqual(Object.keys(answer).toSorted(), ['id', 'jobid']);
  const made = await rowOf(cloud, 'listVPCOfferings', 'vpcoffering', { id: String(answer['id']) });
  assert.deepEqual([made['name'], made['state'], made['isdefault']], ['mine', 'Disabled', false]);
  assert.deepEqual(
    made['service'],
    ['Dhcp', 'NetworkACL', 'SourceNat'].map((name) => ({
      name,
      provider: [{ name: 'VpcVirtualRouter' }],
      capability: [],
    })),
  );
  const { vpcoffering } = (await cloud.doAs('admin', 'updateVPCOffering', {
    id: String(answer['id']),
    state: 'Enabled',
    displaytext: 'changed',
  })) as {
    vpcoffering: Record<string, unknown>;
  };
  assert.deepEqual([vpcoffering['state'], vpcoffering['displaytext']], ['Enabled', 'changed']);
  assert.deepEqual(await cloud.doAs('admin', 'deleteVPCOffering', { id: String(answer['id']) }), { success: true });
  assert.equal((await rowsOf(cloud, 'listVPCOfferings', 'vpcoffering')).length, 2);
});

test('createVPCOffering with a redundant router is remembered as redundant', async () => {
  await using cloud = await openCloud();
  const servicecapabilitylist = [{ service: 'SourceNat', capabilitytype: 'RedundantRouter', capabilityvalue: 'true' }];
  const { id } = await cloud.callAs('admin', 'createVPCOffering', { ...NEW, servicecapabilitylist });
  const row = await cloud.store.db
    .selectFrom('vpcoffering')
    .selectAll()
    .where('id', '=', String(id))
    .executeTakeFirstOrThrow();
  assert.equal(row.redundant, 1);
});

test('createVPCOffering and deleteVPCOffering refuse what cannot be', async () => {
  await using cloud = await openCloud();
  const create = (more: Record<string, string>): Promise<unknown> =>
    cloud.callAs('admin', 'createVPCOffering', { ...NEW, ...more });
  await refused(create({ name: 'default vpc offering' }), 'parameter', 'exists already');
  await refused(create({ supportedservices: '' }), 'parameter', 'Please specify the services of the VPC offering');
  await refused(
    create({ supportedservices: 'Firewall' }),
    'parameter',
    "Provider VpcVirtualRouter doesn't support the service Firewall",
  );
  await refused(create({ supportedservices: 'Dhcp,Magic' }), 'parameter', 'Invalid service Magic');
  const [first] = await rowsOf(cloud, 'listVPCOfferings', 'vpcoffering');
  await refused(
    cloud.callAs('admin', 'deleteVPCOffering', { id: String(first?.['id']) }),
    'parameter',
    "Default VPC offering can't be deleted",
  );
  await refused(
    cloud.callAs('admin', 'updateVPCOffering', { id: String(first?.['id']), state: 'On' }),
    'parameter',
    'Incorrect state value: On',
  );
});

test('listVPCOfferings filters by name in any case, default, state and services', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'createVPCOffering', NEW);
  const names = async (params: Record<string, string>): Promise<unknown[]> =>
    (await rowsOf(cloud, 'listVPCOfferings', 'vpcoffering', params, 'acme-user')).map((row) => row['name']);
  assert.deepEqual(await names({ name: 'REDUNDANT vpc offering' }), ['Redundant VPC offering']);
  assert.deepEqual(await names({ isdefault: 'false' }), ['mine']);
  assert.deepEqual(await names({ state: 'Disabled' }), ['mine']);
  assert.deepEqual(await names({ supportedservices: 'Lb' }), ['Default VPC offering', 'Redundant VPC offering']);
  assert.deepEqual(await names({ keyword: 'min' }), ['mine']);
});

test('a VPC offering can ask for strict lists: stored, shown, and part of the intent of its VPCs', async () => {
  await using cloud = await openCloud();
  const entry = { service: 'NetworkACL', capabilitytype: 'strict', capabilityvalue: 'TRUE' };
  const offering = { ...NEW, servicecapabilitylist: [entry], enable: 'true' };
  const { id } = await cloud.callAs('admin', 'createVPCOffering', offering);
  const made = await rowOf(cloud, 'listVPCOfferings', 'vpcoffering', { id: String(id) });
  const services = made['service'] as { name: string; capability: object[] }[];
  assert.deepEqual(
    services.map(({ name, capability }) => [name, capability]),
    [
      ['Dhcp', []],
      ['NetworkACL', [{ name: 'Strict', value: 'true' }]],
      ['SourceNat', []],
    ],
  );
  const vpc = { name: 'blue', displaytext: 'blue', cidr: '10.1.0.0/16', zoneid: BUILT_IN.zone };
  const { id: strict } = await cloud.callAs('acme-admin', 'createVPC', { ...vpc, vpcofferingid: String(id) });
  const standard = await rowOf(cloud, 'listVPCOfferings', 'vpcoffering', { name: 'Default VPC offering' });
  const { id: loose } = await cloud.callAs('acme-admin', 'createVPC', {
    ...vpc,
    vpcofferingid: String(standard['id']),
  });
  const { intent } = await createIntentCache(cloud.store).refresh();
  assert.equal(intent.vpcs.get(String(strict))?.strictLists, true);
  assert.equal(intent.vpcs.get(String(loose))?.strictLists, undefined);
  await refused(
    cloud.callAs('admin', 'createVPCOffering', {
      ...NEW,
      name: 'odd',
      servicecapabilitylist: [{ ...entry, capabilityvalue: 'maybe' }],
    }),
    'parameter',
    'Unknown specified value for Strict: maybe',
  );
  await refused(
    cloud.callAs('admin', 'createVPCOffering', {
      ...NEW,
      name: 'odd',
      supportedservices: 'Dhcp,SourceNat',
      servicecapabilitylist: [entry],
    }),
    'parameter',
    'Capabilities for NetworkACL service can be specifed only when NetworkACL service is enabled',
  );
  await refused(
    cloud.callAs('admin', 'createNetworkOffering', {
      name: 'odd',
      displaytext: 'odd',
      guestiptype: 'Isolated',
      traffictype: 'Guest',
      supportedservices: 'Dhcp,NetworkACL',
      serviceproviderlist: ['Dhcp', 'NetworkACL'].map((service) => ({ service, provider: 'VpcVirtualRouter' })),
      servicecapabilitylist: [entry],
    }),
    'parameter',
    'Capability strict is not supported for service NetworkACL',
  );
});
