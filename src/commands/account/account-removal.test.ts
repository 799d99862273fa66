// What goes with an account, what stays, and what stands in the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newId } from '../../lib/id.ts';
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

/** What a scan of a network leaves behind. */
async function leaveScan(network: string, owner: { accountId: string; domainId: string }): Promise<void> {
  const created = new Date().toISOString();
  const { id: host } = await cloud.store.db.selectFrom('host').select('id').executeTakeFirstOrThrow();
  const asked = { id: newId(), network, host, route: null, nic: null, target: null, found: null, error: null };
  const ended = { state: 'Done', account: owner.accountId, domain: owner.domainId, finished: created, created };
  const seen = { ip: '172.16.0.9', mac: '02:00:00:00:00:09', vendor: null, place: null };
  await cloud.store.write(async (tx) => {
    await tx.insert('scan', { ...asked, ...ended });
    await tx.insert('sighting', { id: newId(), network, ...seen, first: created, last: created, created });
  });
}

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
  await leaveScan(shared, other);
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
  assert.deepEqual(await db.selectFrom('scan').selectAll().execute(), []);
  assert.deepEqual(await db.selectFrom('sighting').selectAll().execute(), []);
  assert.deepEqual(
    (await db.selectFrom('vpc').select('id').execute()).map((row) => row.id),
    [mine],
  );
});
