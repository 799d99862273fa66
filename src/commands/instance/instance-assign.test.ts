// assignVirtualMachine: what changes hands, and what stands in the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, deploy, listed, only, openCloud } from './instance.test-support.ts';

async function acmeUser(cloud: Cloud): Promise<Record<string, string>> {
  const { domainId } = await cloud.caller('acme-user');
  return { account: 'acme-user', domainid: domainId };
}

const PASSWORD = (cloud: Cloud): Record<string, string> => ({ templateid: cloud.passwordTemplate });

test('assignVirtualMachine gives a stopped instance with its disks to another account, in that account’s network', async () => {
  await using cloud = await openCloud();
  const [old, next] = [await cloud.network('acme-admin'), await cloud.network('acme-user')];
  await cloud.callAs('acme-admin', 'createAffinityGroup', { name: 'apart', type: 'host anti-affinity' });
  await cloud.callAs('acme-admin', 'createSSHKeyPair', { name: 'mine' });
  const params = {
    affinitygroupnames: 'apart',
    keypair: 'mine',
    name: 'web',
    userdata: 'c2VjcmV0',
    ...PASSWORD(cloud),
  };
  const { id } = await deploy(cloud, 'acme-admin', old, params);
  await cloud.settle();
  const assign = (more: Record<string, string> = {}) =>
    acmeUser(cloud).then((to) =>
      cloud.callAs('acme-admin', 'assignVirtualMachine', { virtualmachineid: id, networkids: next, ...to, ...more }),
    );
  await assert.rejects(assign(), refused(431, /^VM is Running, unable to move the vm web .*: stop it first/));
  await cloud.doAs('acme-admin', 'stopVirtualMachine', { id });
  await assert.rejects(assign({ networkids: '' }), refused(431, /^Please provide at least one network ID/));
  await assert.rejects(
    assign({ networkids: old }),
    refused(531, /it belongs to another account than the instance will/),
  );
  await assert.rejects(
    assign({ account: 'acme-admin', networkids: old }),
    refused(431, /^The new account and the old account are the same/),
  );
  await assign();
  const moved = await only(cloud, 'acme-user', id);
  assert.deepEqual(
    [moved.account, moved.nic?.map(({ networkid }) => networkid), moved.affinitygroup, moved.keypair],
    ['acme-user', [next], [], undefined],
  );
  const row = await cloud.store.db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  assert.deepEqual(
    [row.userdata, row.password, row.onetimepassword],
    [null, null, null],
    'what the old owner told his guest is not the new one’s to read',
  );
  const disks = (await cloud.callAs('acme-user', 'listVolumes'))['volume'] as { virtualmachineid: string }[];
  assert.deepEqual(
    disks.map(({ virtualmachineid }) => virtualmachineid),
    [id],
  );
  const addresses = await cloud.store.db.selectFrom('address').select('network').execute();
  assert.deepEqual(
    addresses.map(({ network }) => network),
    [next],
    'the old address is free again',
  );
});

test('assignVirtualMachine keeps to the new account’s limits and the caller’s reach', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), { startvm: 'false' });
  const next = await cloud.network('acme-user');
  const to = await acmeUser(cloud);
  const assign = (who: 'acme-admin' | 'globex-admin') =>
    cloud.callAs(who, 'assignVirtualMachine', { virtualmachineid: id, networkids: next, ...to });
  await assert.rejects(assign('globex-admin'), refused(431, /Invalid parameter virtualmachineid value=/));
  await cloud.callAs('admin', 'updateResourceLimit', { ...to, resourcetype: '0', max: '0' });
  await assert.rejects(assign('acme-admin'), refused(535, /type 'user_vm' for account name=acme-user/));
  assert.equal((await listed(cloud, 'acme-user')).length, 0);
});
