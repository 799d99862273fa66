// The address at which hypervisors serve a network: which one it is, when it is given, and when there is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NetworkCloud, openCloud } from './network.test-support.ts';

const serviceOf = async (cloud: NetworkCloud, id: string): Promise<string | null> =>
  (await cloud.store.db.selectFrom('network').select('serviceip').where('id', '=', id).executeTakeFirstOrThrow())
    .serviceip;

test('a network whose names or metadata the nodes serve keeps its highest free address for that', async () => {
  await using cloud = await openCloud();
  const vpc = await cloud.vpc('acme-admin', 'v', '10.1.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpc, '10.1.1.0/24'))['id']);
  assert.equal(await serviceOf(cloud, tier), '10.1.1.254');
  await cloud.refused(
    'acme-admin',
    'deployVirtualMachine',
    {
      ...(await cloud.guest()),
      zoneid: await zoneOf(cloud),
      networkids: tier,
      ipaddress: '10.1.1.254',
      startvm: 'false',
    },
    /already taken/,
  );
  const meet = String((await cloud.privateNetwork('acme-admin', 'p', '172.16.0.0/24'))['id']);
  assert.equal(await serviceOf(cloud, meet), null, 'nothing is served where only VPCs meet');
});

test('a network from before gets its address when it is restarted, once', async () => {
  await using cloud = await openCloud();
  const vpc = await cloud.vpc('acme-admin', 'v', '10.1.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpc, '10.1.1.0/24'))['id']);
  await cloud.store.write(async (tx) => {
    await tx.db.deleteFrom('address').where('network', '=', tier).where('kind', '=', 'service').execute();
    await tx.update('network', tier, { serviceip: null });
  });
  const taken = await cloud.deploy('acme-admin', tier, { ipaddress: '10.1.1.254', startvm: 'false' });
  assert.ok(taken);
  for (let times = 0; times < 2; times++) {
    await cloud.callAs('acme-admin', 'restartVPC', { id: vpc });
    await cloud.settle();
    assert.equal(await serviceOf(cloud, tier), '10.1.1.253');
  }
});

async function zoneOf(cloud: NetworkCloud): Promise<string> {
  return (await cloud.store.db.selectFrom('zone').select('id').executeTakeFirstOrThrow()).id;
}
