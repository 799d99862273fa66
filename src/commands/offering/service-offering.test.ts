// Sizes of instances and of volumes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { refused, rowOf, rowsOf } from '../zone/provider.test-support.ts';

test('createServiceOffering makes a size that tenants see, and deleteServiceOffering takes it from the list', async () => {
  await using cloud = await openCloud();
  const made = await cloud.callAs('admin', 'createServiceOffering', {
    name: 'Large',
    displaytext: 'Large one',
    cpunumber: 4,
    memory: 4096,
    networkrate: 100,
  });
  const { id } = made['serviceoffering'] as { id: string };
  const seen = await rowOf(cloud, 'listServiceOfferings', 'serviceoffering', { name: 'large' }, 'acme-user');
  assert.deepEqual(
    [seen['id'], seen['cpunumber'], seen['memory'], seen['networkrate'], seen['issystem']],
    [id, 4, 4096, 100, false],
  );
  await cloud.callAs('admin', 'updateServiceOffering', { id, name: 'Huge', sortkey: -1 });
  assert.deepEqual(
    (await rowsOf(cloud, 'listServiceOfferings', 'serviceoffering')).map((row) => row['name']),
    ['Huge', 'Small Instance', 'Medium Instance'],
  );
  assert.deepEqual(await cloud.callAs('admin', 'deleteServiceOffering', { id }), { success: 'true' });
  await refused(cloud.callAs('admin', 'listServiceOfferings', { id }), 'parameter', `Invalid parameter id value=${id}`);
  await refused(
    cloud.callAs('admin', 'deleteServiceOffering', { id }),
    'parameter',
    `Invalid parameter id value=${id}`,
  );
});

test('createServiceOffering refuses sizes that cannot be', async () => {
  await using cloud = await openCloud();
  const create = (more: Record<string, string>): Promise<unknown> =>
    cloud.callAs('admin', 'createServiceOffering', { name: 'X', displaytext: 'X', cpunumber: 1, memory: 512, ...more });
  await refused(
    create({ cpunumber: '0' }),
    'parameter',
    'Failed to create service offering X: specify the cpu number value between 1 and 256; 0 was given',
  );
  await refused(create({ memory: '31' }), 'parameter', 'specify the memory value between 32');
  await refused(create({ networkrate: '-1' }), 'parameter', 'specify the network rate value more than 0');
  await refused(create({ customized: 'true' }), 'parameter', 'customized=true');
  await refused(create({ hosttags: 'ssd' }), 'parameter', 'Host tags (ssd) are not offered');
  await refused(
    create({ domainid: BUILT_IN.rootDomain }),
    'parameter',
    'A service offering for some domains only is not offered',
  );
  await refused(
    cloud.callAs('admin', 'createServiceOffering', { name: 'X', displaytext: 'X' }),
    'parameter',
    'none was given',
  );
});

test('listServiceOfferings shows sizes of routers to root alone, and only when asked', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'createServiceOffering', {
    name: 'Router',
    displaytext: 'R',
    cpunumber: 1,
    memory: 128,
    issystem: true,
  });
  assert.equal((await rowsOf(cloud, 'listServiceOfferings', 'serviceoffering')).length, 2);
  assert.equal((await rowOf(cloud, 'listServiceOfferings', 'serviceoffering', { issystem: 'true' }))['name'], 'Router');
  await refused(
    cloud.callAs('acme-admin', 'listServiceOfferings', { issystem: 'true' }),
    'permission',
    "Only ROOT admins can access system's offering",
  );
});

test('createDiskOffering wants a size or none, and lists and deletes it', async () => {
  await using cloud = await openCloud();
  const create = (more: Record<string, string>): Promise<Record<string, unknown>> =>
    cloud.callAs('admin', 'createDiskOffering', { name: 'Ten', displaytext: '10 GiB', ...more });
  await refused(create({}), 'parameter', 'Please specify a disksize of at least 1 Gb');
  await refused(
    create({ disksize: '10', customized: 'true' }),
    'parameter',
    'Disksize is not allowed for a customized disk offering',
  );
  const { diskoffering } = (await create({ disksize: '10' })) as { diskoffering: { id: string } };
  const seen = await rowOf(cloud, 'listDiskOfferings', 'diskoffering', { keyword: 'te' }, 'acme-user');
  assert.deepEqual([seen['disksize'], seen['iscustomized']], [10, false]);
  await cloud.callAs('admin', 'updateDiskOffering', { id: diskoffering.id, displaytext: 'ten' });
  assert.equal(
    (await rowOf(cloud, 'listDiskOfferings', 'diskoffering', { id: diskoffering.id }))['displaytext'],
    'ten',
  );
  await cloud.callAs('admin', 'deleteDiskOffering', { id: diskoffering.id });
  assert.deepEqual(
    (await rowsOf(cloud, 'listDiskOfferings', 'diskoffering')).map((row) => row['name']),
    ['Custom'],
  );
});
