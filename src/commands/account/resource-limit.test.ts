// Limits: that each kind is really limited, at the account and at every domain above, who may set them, and what is counted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { makeTier, makeVpc } from '../../../test/support/story.ts';
import { type Cloud, deploy, openCloud } from '../instance/instance.test-support.ts';

async function domainOf(cloud: Cloud, name: string): Promise<string> {
  return (await cloud.store.db.selectFrom('domain').select('id').where('name', '=', name).executeTakeFirstOrThrow()).id;
}

async function limit(cloud: Cloud, resourcetype: number, max: number, account?: string): Promise<void> {
  await cloud.callAs('admin', 'updateResourceLimit', {
    resourcetype: String(resourcetype),
    max: String(max),
    domainid: await domainOf(cloud, 'acme'),
    ...(account === undefined ? {} : { account }),
  });
}

const exceeded = (kind: string, whose: string) =>
  refused(535, new RegExp(`^Maximum number of resources of type '${kind}' for ${whose}.* has been exceeded\\.`));

test('an account’s limits of VPCs and networks refuse with 535; what is there stays', async () => {
  await using cloud = await openCloud();
  const vpc = await makeVpc(cloud, 'acme-admin', 'one', '10.1.0.0/16');
  await makeTier(cloud, 'acme-admin', vpc, 'web', '10.1.1.1');
  await limit(cloud, 7, 1, 'acme-admin');
  await limit(cloud, 6, 0, 'acme-admin');
  await assert.rejects(
    makeVpc(cloud, 'acme-admin', 'two', '10.2.0.0/16'),
    exceeded('vpc', 'account name=acme-admin in domain id='),
  );
  await assert.rejects(
    makeTier(cloud, 'acme-admin', vpc, 'db', '10.1.2.1'),
    exceeded('network', 'account name=acme-admin'),
  );
  await makeVpc(cloud, 'acme-user', 'theirs', '10.3.0.0/16');
  await limit(cloud, 7, -1, 'acme-admin');
  await makeVpc(cloud, 'acme-admin', 'two', '10.2.0.0/16');
});

test('instances, CPUs, memory and volumes are limited, at deployment, recovery and growth', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const deployed = await deploy(cloud, 'acme-admin', network);
  await cloud.settle();
  for (const [type, kind, max] of [
    [0, 'user_vm', 1],
    [2, 'volume', 1],
    [8, 'cpu', 1],
    [9, 'memory', 1023],
  ] as const) {
    await limit(cloud, type, max, 'acme-admin');
    await assert.rejects(deploy(cloud, 'acme-admin', network), exceeded(kind, 'account name=acme-admin'));
    if (kind !== 'memory') await limit(cloud, type, -1, 'acme-admin');
  }
  const { id } = deployed;
  await cloud.doAs('acme-admin', 'stopVirtualMachine', { id });
  await assert.rejects(
    cloud.callAs('acme-admin', 'changeServiceForVirtualMachine', { id, serviceofferingid: cloud.medium }),
    exceeded('memory', 'account name=acme-admin'),
  );
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id });
  await limit(cloud, 0, 1, 'acme-admin');
  await deploy(cloud, 'acme-admin', network);
  await assert.rejects(
    cloud.callAs('acme-admin', 'recoverVirtualMachine', { id }),
    exceeded('user_vm', 'account name=acme-admin'),
    'a destroyed one does not count until it is recovered',
  );
});

test('an instance that is being destroyed cannot be started beside its successor', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  await limit(cloud, 0, 1, 'acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network);
  await cloud.settle();
  await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id });
  await assert.rejects(
    cloud.callAs('acme-admin', 'startVirtualMachine', { id }),
    refused(431, /^Unable to start instance .* in state Stopping: it is being destroyed; recover it then$/),
  );
  await deploy(cloud, 'acme-admin', network);
  await cloud.settle();
  const states = await cloud.store.db.selectFrom('instance').select('state').orderBy('id').execute();
  assert.deepEqual(states.map(({ state }) => state).toSorted(), ['Destroyed', 'Running']);
});

test('the data disks of a destroyed instance count, and its root disk when it is recovered', async () => {
  await using cloud = await openCloud();
  const offering = await cloud.store.db
    .selectFrom('diskoffering')
    .select('id')
    .where('iscustomized', '=', 1)
    .executeTakeFirstOrThrow();
  const disk = { diskofferingid: offering.id, size: '2' };
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), disk);
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id });
  const another = () => cloud.doAs('acme-admin', 'createVolume', { name: 'more', zoneid: cloud.zone, ...disk });
  await limit(cloud, 2, 1, 'acme-admin');
  await assert.rejects(another(), exceeded('volume', 'account name=acme-admin'), 'it is there still, and stays');
  await limit(cloud, 2, 2, 'acme-admin');
  await another();
  await assert.rejects(
    cloud.callAs('acme-admin', 'recoverVirtualMachine', { id }),
    exceeded('volume', 'account name=acme-admin'),
  );
  await limit(cloud, 2, 3, 'acme-admin');
  await cloud.callAs('acme-admin', 'recoverVirtualMachine', { id });
});

test('a domain’s limit counts all accounts of it and below, and does not tell what others have', async () => {
  await using cloud = await openCloud();
  await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  await limit(cloud, 0, 1);
  await assert.rejects(deploy(cloud, 'acme-user', await cloud.network('acme-user')), (error: Error) => {
    assert.match(error.message, /^Maximum number of resources of type 'user_vm' for domain id=.* has been exceeded\./);
    assert.match(error.message, /may have 1 together/);
    return true;
  });
  await deploy(cloud, 'globex-admin', await cloud.network('globex-admin'));
});

test('100 deployments at once do not get past a limit', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  await limit(cloud, 0, 7, 'acme-admin');
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => deploy(cloud, 'acme-admin', network)));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 7);
});

test('a setting limits every account that has no limit of its own; root admins have none', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'updateConfiguration', { name: 'max.account.user.vms', value: '0' });
  const network = await cloud.network('acme-admin');
  await assert.rejects(deploy(cloud, 'acme-admin', network), exceeded('user_vm', 'account name=acme-admin'));
  await limit(cloud, 0, 1, 'acme-admin');
  await deploy(cloud, 'acme-admin', network);
  await deploy(cloud, 'admin', await cloud.network('admin'));
  await assert.rejects(
    cloud.callAs('admin', 'updateConfiguration', { name: 'max.account.vpcs', value: 'many' }),
    refused(431, /must be a whole number, or -1/),
  );
});

test('updateResourceLimit is for those who rule the account or domain, never their own', async () => {
  await using cloud = await openCloud();
  const acme = await domainOf(cloud, 'acme');
  const set = (who: 'acme-admin' | 'globex-admin' | 'admin', params: Record<string, string>) =>
    cloud.callAs(who, 'updateResourceLimit', { resourcetype: '0', max: '3', domainid: acme, ...params });
  await set('acme-admin', { account: 'acme-user' });
  await assert.rejects(set('acme-admin', { account: 'acme-admin' }), refused(531, /for their own account acme-admin/));
  await assert.rejects(set('acme-admin', {}), refused(531, /^Cannot update resource limit for domain acme/));
  await assert.rejects(set('globex-admin', {}), refused(431, /or entity does not exist/));
  await assert.rejects(set('globex-admin', { account: 'acme-user' }), refused(431, /or entity does not exist/));
  await set('admin', {});
  await cloud.callAs('admin', 'createDomain', { name: 'below', parentdomainid: acme });
  await assert.rejects(
    set('acme-admin', { domainid: await domainOf(cloud, 'below'), max: '4' }),
    refused(431, /has maximum allowed resource limit 3 for user_vm, please specify a value less than or equal to 3/),
  );
});

test('listResourceLimits, updateResourceCount and listAccounts tell the same', async () => {
  await using cloud = await openCloud();
  await limit(cloud, 0, 5, 'acme-user');
  await deploy(cloud, 'acme-user', await cloud.network('acme-user'));
  const domainid = await domainOf(cloud, 'acme');
  const one = { account: 'acme-user', domainid, resourcetype: '0' };
  const [listed] = (await cloud.callAs('acme-user', 'listResourceLimits', { resourcetype: '0' }))['resourcelimit'] as {
    max: number;
    resourcetypename: string;
  }[];
  assert.deepEqual([listed?.max, listed?.resourcetypename], [5, 'user_vm']);
  const counted = (await cloud.callAs('acme-admin', 'updateResourceCount', one))['resourcecount'];
  assert.deepEqual(
    (counted as { resourcecount: number; resourcetype: string }[]).map((row) => [row.resourcetype, row.resourcecount]),
    [['0', 1]],
  );
  const inDomain = (await cloud.callAs('admin', 'updateResourceCount', { domainid }))['resourcecount'];
  assert.equal((inDomain as unknown[]).length, 12);
  const [account] = (await cloud.callAs('acme-user', 'listAccounts'))['account'] as Record<string, unknown>[];
  assert.deepEqual(
    [account?.['vmtotal'], account?.['vmlimit'], account?.['vmavailable'], account?.['networklimit']],
    [1, '5', '4', 'Unlimited'],
  );
});
