// Zones and the places in them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { refused, rowOf, rowsOf } from './provider.test-support.ts';

const NEW_ZONE = { name: 'zone2', dns1: '9.9.9.9', internaldns1: '10.0.0.53', networktype: 'Advanced' };

test('createZone makes a disabled zone that listZones shows to root alone until it is enabled', async () => {
  await using cloud = await openCloud();
  const { zone } = (await cloud.callAs('admin', 'createZone', NEW_ZONE)) as { zone: Record<string, string> };
  assert.equal(zone['allocationstate'], 'Disabled');
  assert.equal(zone['dns1'], '9.9.9.9');
  assert.deepEqual(
    (await rowsOf(cloud, 'listZones', 'zone')).map((row) => row['name']),
    ['zone1', 'zone2'],
  );
  assert.deepEqual(
    (await rowsOf(cloud, 'listZones', 'zone', {}, 'acme-user')).map((row) => row['name']),
    ['zone1'],
  );
  await cloud.callAs('admin', 'updateZone', { id: zone['id']!, allocationstate: 'enabled', name: 'zone two' });
  assert.deepEqual(
    (await rowsOf(cloud, 'listZones', 'zone', {}, 'acme-user')).map((row) => row['name']),
    ['zone1', 'zone two'],
  );
  assert.deepEqual(await cloud.callAs('admin', 'deleteZone', { id: zone['id']! }), { success: 'true' });
  assert.deepEqual(
    (await rowsOf(cloud, 'listZones', 'zone')).map((row) => row['name']),
    ['zone1'],
  );
});

test('listZones shows resolvers of the provider to root alone', async () => {
  await using cloud = await openCloud();
  assert.equal((await rowOf(cloud, 'listZones', 'zone'))['internaldns1'], '8.8.8.8');
  const seen = await rowOf(cloud, 'listZones', 'zone', {}, 'acme-admin');
  assert.deepEqual([seen['id'], seen['internaldns1'], seen['dns1']], [BUILT_IN.zone, undefined, undefined]);
});

test('listZones finds by id, name in any case, keyword and page, and refuses an unknown id', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'createZone', NEW_ZONE);
  const names = async (params: Record<string, string>): Promise<unknown[]> =>
    (await rowsOf(cloud, 'listZones', 'zone', params)).map((row) => row['name']);
  assert.deepEqual(await names({ id: BUILT_IN.zone }), ['zone1']);
  assert.deepEqual(await names({ name: 'ZONE2' }), ['zone2']);
  assert.deepEqual(await names({ name: 'zone' }), []);
  assert.deepEqual(await names({ keyword: 'one2' }), ['zone2']);
  assert.deepEqual(await names({ ids: BUILT_IN.zone }), ['zone1']);
  assert.deepEqual(await names({ available: 'false' }), []);
  assert.deepEqual(
    await cloud.callAs('admin', 'listZones', { page: '2', pagesize: '1' }).then(({ count }) => count),
    2,
  );
  assert.deepEqual(await cloud.callAs('admin', 'listZones', { name: 'nowhere' }), {});
  const missing = '00000000-0000-4000-8000-000000000000';
  await refused(
    cloud.callAs('admin', 'listZones', { id: missing }),
    'parameter',
    `Invalid parameter id value=${missing} due to incorrect long value format, or entity does not exist`,
  );
});

test('createZone refuses what this cloud cannot be', async () => {
  await using cloud = await openCloud();
  const create = (more: Record<string, string>): Promise<unknown> =>
    cloud.callAs('admin', 'createZone', { ...NEW_ZONE, ...more });
  await refused(
    create({ name: 'Zone1' }),
    'parameter',
    'A zone with that name already exists. Please specify a unique zone name.',
  );
  await refused(create({ networktype: 'Basic' }), 'parameter', 'Network type Basic is not offered');
  await refused(create({ securitygroupenabled: 'true' }), 'parameter', 'Security groups are not offered');
  await refused(create({ localstorageenabled: 'true' }), 'parameter', 'Local storage is not offered');
  await refused(create({ allocationstate: 'Open' }), 'parameter', 'Invalid Allocation state Open');
  await refused(create({ dns1: '9.9.9' }), 'parameter', 'dns1');
  await refused(cloud.callAs('acme-admin', 'createZone', NEW_ZONE), 'unsupported', 'createZone');
});

test('deleteZone refuses a zone that holds things and says which', async () => {
  await using cloud = await openCloud();
  await refused(
    cloud.callAs('admin', 'deleteZone', { id: BUILT_IN.zone }),
    'failed',
    'there are 1 physical networks in it',
  );
});

test('listPods, listClusters and listRegions show one place each', async () => {
  await using cloud = await openCloud();
  const pod = await rowOf(cloud, 'listPods', 'pod');
  const cluster = await rowOf(cloud, 'listClusters', 'cluster', { podid: String(pod['id']) });
  assert.deepEqual([pod['zoneid'], cluster['podid']], [BUILT_IN.zone, pod['id']]);
  assert.equal((await rowOf(cloud, 'listRegions', 'region', {}, 'acme-user'))['id'], 1);
  assert.deepEqual(await rowsOf(cloud, 'listClusters', 'cluster', { hypervisor: 'VMware' }), []);
});
