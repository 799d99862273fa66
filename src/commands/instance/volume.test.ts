// Volumes as bookkeeping: a root disk with each instance, data disks that come and go, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, type Who, deploy, openCloud } from './instance.test-support.ts';

interface Volume {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly state: string;
  readonly deviceid?: number;
  readonly vmname?: string;
  readonly attached?: string;
}

const GIB = 1_073_741_824;

async function volumes(cloud: Cloud, who: Who, params: Record<string, string> = {}): Promise<Volume[]> {
  return ((await cloud.callAs(who, 'listVolumes', { listall: 'true', ...params }))['volume'] ?? []) as Volume[];
}

const custom = async (cloud: Cloud): Promise<string> =>
  (await cloud.store.db.selectFrom('diskoffering').select('id').where('iscustomized', '=', 1).executeTakeFirstOrThrow())
    .id;

async function makeVolume(cloud: Cloud, name: string, more: Record<string, string> = {}): Promise<Volume> {
  const params = { name, zoneid: cloud.zone, diskofferingid: await custom(cloud), size: '5', ...more };
  return (await cloud.doAs('acme-admin', 'createVolume', params))['volume'] as Volume;
}

test('a root disk is there with its instance and goes with it; a data disk of a deployment stays', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, {
    name: 'web',
    diskofferingid: await custom(cloud),
    size: '2',
  });
  await cloud.settle();
  const found = await volumes(cloud, 'acme-admin', { virtualmachineid: id });
  assert.deepEqual(
    found
      .map(({ name, type, size, state, deviceid, vmname }) => [name, type, size, state, deviceid, vmname])
      .toSorted(),
    [
      ['DATA-1', 'DATA', 2 * GIB, 'Ready', 1, 'web'],
      ['ROOT-1', 'ROOT', 52_428_800, 'Ready', 0, 'web'],
    ],
  );
  assert.deepEqual(await volumes(cloud, 'globex-admin'), []);
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id, expunge: 'true' });
  const left = await volumes(cloud, 'acme-admin');
  assert.deepEqual(
    left.map(({ name, state, vmname }) => [name, state, vmname]),
    [['DATA-1', 'Allocated', undefined]],
  );
});

test('a data disk is made, attached, resized, detached and deleted', async () => {
  await using cloud = await openCloud();
  const { id: vm } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), { name: 'web' });
  await cloud.settle();
  const made = await makeVolume(cloud, 'data');
  assert.deepEqual([made.type, made.size, made.state, made.attached], ['DATA', 5 * GIB, 'Allocated', undefined]);
  const volume = async (command: string, params: Record<string, string> = {}): Promise<Volume> =>
    (await cloud.doAs('acme-admin', command, { id: made.id, ...params }))['volume'] as Volume;
  const attached = await volume('attachVolume', { virtualmachineid: vm });
  assert.deepEqual([attached.vmname, attached.deviceid, attached.state], ['web', 1, 'Ready']);
  assert.equal((await volume('resizeVolume', { size: '7' })).size, 7 * GIB);
  await assert.rejects(
    volume('resizeVolume', { size: '6' }),
    refused(431, /would shrink the volume\.Need to sign off/),
  );
  assert.equal((await volume('resizeVolume', { size: '6', shrinkok: 'true' })).size, 6 * GIB);
  await assert.rejects(volume('deleteVolume'), refused(431, /^Please specify a volume that is not attached to any VM/));
  await assert.rejects(
    volume('attachVolume', { virtualmachineid: vm }),
    refused(431, /^Please specify a volume that is not attached/),
  );
  const again = await cloud.doAs('acme-admin', 'detachVolume', { virtualmachineid: vm, deviceid: '1' });
  assert.equal((again['volume'] as Volume).vmname, undefined);
  await assert.rejects(volume('detachVolume'), refused(431, /^The specified volume is not attached to a VM/));
  assert.deepEqual(await cloud.callAs('acme-admin', 'deleteVolume', { id: made.id }), { success: 'true' });
  await assert.rejects(volumes(cloud, 'acme-admin', { id: made.id }), refused(431, /or entity does not exist/));
});

test('disks keep to places, zones and owners', async () => {
  await using cloud = await openCloud();
  const { id: vm } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  const { id: users } = await deploy(cloud, 'acme-user', await cloud.network('acme-user'));
  await cloud.settle();
  const [a, b] = [await makeVolume(cloud, 'a'), await makeVolume(cloud, 'b')];
  const attach = (id: string, more: Record<string, string> = {}) =>
    cloud.doAs('acme-admin', 'attachVolume', { id, virtualmachineid: vm, ...more });
  await attach(a.id, { deviceid: '1' });
  await assert.rejects(attach(b.id, { deviceid: '1' }), refused(431, /^deviceId 1 is used by i-1-VM/));
  assert.equal(((await attach(b.id))['volume'] as Volume).deviceid, 2);
  const next = await makeVolume(cloud, 'c', { virtualmachineid: vm });
  assert.equal(next.deviceid, 4, 'the third place is the CD drive’s');
  const free = await makeVolume(cloud, 'd');
  await assert.rejects(attach(free.id, { virtualmachineid: users }), refused(531, /belongs to another account/));
  const [root] = await volumes(cloud, 'acme-admin', { type: 'ROOT', virtualmachineid: vm });
  await assert.rejects(
    cloud.callAs('acme-admin', 'detachVolume', { id: root!.id }),
    refused(431, /^Please specify a data volume/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'deleteVolume', { id: root!.id }),
    refused(431, /is a root disk, and goes with its instance/),
  );
});

test('deployVirtualMachine makes the root disk as large as asked for', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { rootdisksize: '3' });
  const [root] = await volumes(cloud, 'acme-admin', { virtualmachineid: id });
  assert.equal(root?.size, 3 * GIB);
  await assert.rejects(
    deploy(cloud, 'acme-admin', network, { rootdisksize: '2000' }),
    refused(431, /^Root disk size: 2000 GiB is out of allowed range\. Max: 1024\. Min: 1/),
  );
});

test('createVolume takes the size from its offering, or asks for one', async () => {
  await using cloud = await openCloud();
  const fixed = (
    await cloud.callAs('admin', 'createDiskOffering', { name: 'ten', displaytext: 'ten', disksize: '10' })
  )['diskoffering'] as { id: string };
  const make = (params: Record<string, string>) =>
    cloud.doAs('acme-admin', 'createVolume', { zoneid: cloud.zone, ...params });
  assert.equal(((await make({ diskofferingid: fixed.id }))['volume'] as Volume).size, 10 * GIB);
  await assert.rejects(make({ diskofferingid: fixed.id, size: '3' }), refused(431, /does not allow custom disk sizes/));
  await assert.rejects(make({ diskofferingid: await custom(cloud) }), refused(431, /out of allowed range\. Max: 1024/));
  await assert.rejects(make({}), refused(431, /^Either disk Offering Id or snapshot Id must be passed/));
});

test('volumes carry tags', async () => {
  await using cloud = await openCloud();
  const { id } = await makeVolume(cloud, 'data');
  await cloud.doAs('acme-admin', 'createTags', {
    resourcetype: 'volume',
    resourceids: id,
    'tags[0].key': 'for',
    'tags[0].value': 'me',
  });
  const tagged = await volumes(cloud, 'acme-admin', { 'tags[0].key': 'for', 'tags[0].value': 'me' });
  assert.deepEqual(
    tagged.map((one) => one.id),
    [id],
  );
});
