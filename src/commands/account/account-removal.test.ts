// What goes with an account, what stays, and what stands in the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import {
  addHosts,
  makeGateway,
  makeInstance,
  makePrivateNetwork,
  makeTier,
  makeVpc,
} from '../../../test/support/story.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

test('deleteAccount removes all that an account owns and nothing of others; deleteAccount of what others use is refused', async () => {
  await addHosts(cloud);
  const { userId: _, ...other } = await cloud.caller('acme-user');
  const vpc = await makeVpc(cloud, 'acme-admin', 'a', '10.1.0.0/16', {
    account: 'acme-user',
    domainid: other.domainId,
  });
  const tier = await makeTier(cloud, 'acme-admin', vpc, 'web', '10.1.1.1', {
    account: 'acme-user',
    domainid: other.domainId,
  });
  const shared = await makePrivateNetwork(cloud, 'acme-admin', 'meet', '172.16.0.0/24', {
    account: 'acme-user',
    domainid: other.domainId,
  });
  await makeGateway(cloud, 'acme-admin', vpc, shared, '172.16.0.1');
  await cloud.doAs('acme-admin', 'createStaticRoute', { vpcid: vpc, cidr: '10.2.0.0/16', nexthop: '172.16.0.2' });
  await makeInstance(cloud, 'acme-user', tier);
  await cloud.doAs('acme-admin', 'createTags', {
    resourcetype: 'Vpc',
    resourceids: vpc,
    tags: [{ key: 'k', value: 'v' }],
  });

  const mine = await makeVpc(cloud, 'acme-admin', 'b', '10.2.0.0/16');
  const gateway = await makeGateway(cloud, 'acme-admin', mine, shared, '172.16.0.2');
  await assert.rejects(
    cloud.callAs('acme-admin', 'deleteAccount', { id: other.accountId }),
    refused(
      530,
      /Can't delete account acme-user: other accounts use what it owns \(private gateway 172\.16\.0\.2 on meet\)/,
    ),
  );
  assert.equal((await cloud.callAs('acme-user', 'listVPCs'))['count'], 1, 'the refusal left everything');

  await cloud.doAs('acme-admin', 'deletePrivateGateway', { id: gateway });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteAccount', { id: other.accountId }), { success: true });
  const { db } = cloud.store;
  for (const table of ['vpc', 'network', 'privategateway', 'staticroute', 'instance', 'tag', 'user'] as const) {
    assert.deepEqual(
      await db.selectFrom(table).select('id').where('account', '=', other.accountId).execute(),
      [],
      table,
    );
  }
  assert.deepEqual(await db.selectFrom('nic').select('id').execute(), []);
  assert.deepEqual(await db.selectFrom('address').selectAll().execute(), []);
  assert.deepEqual(await db.selectFrom('vlan').selectAll().execute(), []);
  assert.deepEqual(
    (await db.selectFrom('vpc').select('id').execute()).map((row) => row.id),
    [mine],
  );
});
