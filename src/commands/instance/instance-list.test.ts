// The lists around instances: filters, paging, interfaces, disks, and that no tenant sees another's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../lib/id.ts';
import type { InstanceView } from './instance-view.ts';
import type { Params } from '../../../test/support/cloud.ts';
import { openCloud, deploy, listed, only } from './instance.test-support.ts';

test('listVirtualMachines filters, pages and shows the newest first', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const ids: string[] = [];
  for (const [name, network] of [
    ['one', a],
    ['two', a],
    ['three', b],
  ] as const) {
    ids.push((await deploy(cloud, 'acme-admin', network, { name })).id);
    const created = new Date(Date.UTC(2026, 0, ids.length)).toISOString();
    await cloud.store.write((tx) => tx.update('instance', ids.at(-1)!, { created }));
  }
  await cloud.settle();
  await cloud.callAs('acme-admin', 'stopVirtualMachine', { id: ids[1] });
  await cloud.settle();
  const names = async (params: Params): Promise<(string | undefined)[]> =>
    (await listed(cloud, 'acme-admin', params)).map((row) => row.name);
  assert.deepEqual(await names({}), ['three', 'two', 'one']);
  assert.deepEqual(await names({ networkid: a }), ['two', 'one']);
  assert.deepEqual(await names({ state: 'Stopped' }), ['two']);
  assert.deepEqual(await names({ state: 'present' }), ['three', 'two', 'one']);
  assert.deepEqual(await names({ name: 'ONE' }), ['one']);
  assert.deepEqual(await names({ keyword: 'tW' }), ['two']);
  assert.deepEqual(await names({ ids: `${ids[0]},${ids[2]}` }), ['three', 'one']);
  assert.deepEqual(await cloud.callAs('acme-admin', 'listVirtualMachines', { name: 'none' }), {});
  const page = await cloud.callAs('acme-admin', 'listVirtualMachines', { page: '2', pagesize: '2' });
  assert.equal(page['count'], 3);
  assert.deepEqual(
    (page['virtualmachine'] as InstanceView[]).map((row) => row.name),
    ['one'],
  );
  assert.deepEqual(await cloud.callAs('acme-admin', 'listVirtualMachines', { page: '3', pagesize: '2' }), { count: 3 });
  await assert.rejects(cloud.callAs('acme-admin', 'listVirtualMachines', { state: 'Sleeping' }), {
    message: /Unknown state Sleeping/,
  });
  await assert.rejects(cloud.callAs('acme-admin', 'listVirtualMachines', { hostid: cloud.hosts[0] }), {
    message: /Invalid parameter hostid/,
  });
});

test('another tenant neither sees nor touches an instance', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { templateid: cloud.passwordTemplate });
  await cloud.settle();
  const { nic = [] } = await only(cloud, 'acme-admin', id);
  const unknown = {
    kind: 'parameter',
    message: /Invalid parameter (id|virtualmachineid|networkid) value=.*or entity does not exist/,
  };
  for (const who of ['globex-admin', 'acme-user'] as const) {
    assert.deepEqual(await cloud.callAs(who, 'listVirtualMachines', { listall: 'true' }), {});
    assert.deepEqual(await cloud.callAs(who, 'listVirtualMachines', { listall: 'true', ids: id }), {});
    assert.deepEqual(await cloud.callAs(who, 'listVolumes', { listall: 'true' }), {});
    for (const command of [
      'startVirtualMachine',
      'stopVirtualMachine',
      'rebootVirtualMachine',
      'destroyVirtualMachine',
      'expungeVirtualMachine',
      'recoverVirtualMachine',
      'resetPasswordForVirtualMachine',
      'updateVirtualMachine',
      'listVirtualMachines',
    ]) {
      await assert.rejects(cloud.callAs(who, command, { id }), unknown, `${who} ${command}`);
    }
    await assert.rejects(cloud.callAs(who, 'listNics', { virtualmachineid: id }), unknown);
    await assert.rejects(cloud.callAs(who, 'getVirtualMachineUserData', { virtualmachineid: id }), unknown);
    await assert.rejects(cloud.callAs(who, 'listVirtualMachines', { networkid: network }), unknown);
    const own = await deploy(cloud, who, await cloud.network(who));
    await assert.rejects(cloud.callAs(who, 'listNics', { virtualmachineid: own.id, nicid: nic[0]!.id }), {
      message: /Invalid parameter nicid/,
    });
  }
  assert.equal((await only(cloud, 'readonly', id)).id, id, 'the read-only admin of ROOT sees all');
});

test('listNics shows the interfaces of one instance', async () => {
  await using cloud = await openCloud();
  const [a, b] = [
    await cloud.network('acme-admin'),
    await cloud.network('acme-admin', { segment: 'vlan', vlan: 1234 }),
  ];
  const { id } = await deploy(cloud, 'acme-admin', `${a},${b}`);
  const nics = (await cloud.callAs('acme-admin', 'listNics', { virtualmachineid: id }))['nic'] as {
    id: string;
    networkid: string;
    broadcasturi?: string;
  }[];
  assert.deepEqual(
    nics.map((nic) => nic.networkid),
    [a, b],
  );
  assert.equal(nics[1]!.broadcasturi, undefined, 'tenants do not see the VLAN');
  const roots = (await cloud.callAs('admin', 'listNics', { virtualmachineid: id, networkid: b }))['nic'] as typeof nics;
  assert.deepEqual(
    roots.map((nic) => nic.broadcasturi),
    ['vlan://1234'],
  );
  const one = await cloud.callAs('acme-admin', 'listNics', { virtualmachineid: id, nicid: nics[1]!.id });
  assert.equal(one['count'], 1);
});

test('listVolumes shows one root disk per instance, found again by its id', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network);
  await deploy(cloud, 'acme-admin', network);
  const [volume] = (await cloud.callAs('acme-admin', 'listVolumes', { virtualmachineid: id, type: 'ROOT' }))[
    'volume'
  ] as {
    id: string;
    name: string;
    size: number;
  }[];
  assert.equal(volume?.name, 'ROOT-1');
  assert.notEqual(volume.id, id);
  const again = await cloud.callAs('acme-admin', 'listVolumes', { id: volume.id });
  assert.equal(again['count'], 1);
  assert.deepEqual(await cloud.callAs('acme-admin', 'listVolumes', { type: 'DATADISK' }), {});
  await assert.rejects(cloud.callAs('acme-admin', 'listVolumes', { id: newId() }), {
    message: /Invalid parameter id value=/,
  });
});

test('lists of what does not exist here are empty, and an id given to them is unknown', async () => {
  await using cloud = await openCloud();
  assert.deepEqual(await cloud.callAs('acme-user', 'listSSHKeyPairs', { listall: 'true' }), {});
  await assert.rejects(cloud.callAs('acme-user', 'listAffinityGroups', { id: newId() }), {
    message: /Invalid parameter id value=/,
  });
});

test('listResourceLimits says that there is no limit, for accounts within reach', async () => {
  await using cloud = await openCloud();
  const { resourcelimit } = await cloud.callAs('acme-user', 'listResourceLimits', { resourcetype: '7' });
  assert.deepEqual(
    (resourcelimit as { max: number; account: string }[]).map(({ max, account }) => [max, account]),
    [[-1, 'acme-user']],
  );
  await assert.rejects(cloud.callAs('acme-user', 'listResourceLimits', { account: 'acme-admin' }), {
    message: /could not find account acme-admin/,
  });
});
