// Restarting VPCs and networks: what a restart changes, and what it asks for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import { type NetworkCloud, openCloud } from '../network/network.test-support.ts';

async function movedOf(cloud: NetworkCloud): Promise<number> {
  const nic = await cloud.store.db.selectFrom('nic').select('moved').executeTakeFirstOrThrow();
  return nic.moved;
}

test('restartVPC cleanup=true has the addresses of running instances announced anew, cleanup=false leaves them alone', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', id, '10.1.1.0/24');
  await cloud.deploy('acme-admin', String(tier['id']));
  const before = await movedOf(cloud);
  await cloud.doAs('acme-admin', 'restartVPC', { id, cleanup: 'false' });
  assert.equal(await movedOf(cloud), before);
  await cloud.doAs('acme-admin', 'restartVPC', { id, cleanup: 'true', livepatch: 'true' });
  assert.ok((await movedOf(cloud)) > before);
});

test('restartVPC makeredundant=true changes to the offering with two routers, and is refused where there is none', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.tier('acme-admin', id, '10.1.1.0/24');
  for (let i = 0; i < 2; i++) {
    const { vpc } = (await cloud.doAs('acme-admin', 'restartVPC', { id, makeredundant: 'true' })) as { vpc: object };
    assert.equal((vpc as { vpcofferingid: string }).vpcofferingid, cloud.offering('Redundant VPC offering'));
  }
  assert.equal((await cloud.list('acme-admin', 'listRouters', { vpcid: id })).length, 2);
  const other = await cloud.vpc('acme-admin', 'red', '10.2.0.0/16');
  const offering = { id: cloud.offering('Redundant VPC offering'), state: 'Disabled' };
  await cloud.doAs('admin', 'updateVPCOffering', offering);
  await cloud.refused(
    'acme-admin',
    'restartVPC',
    { id: other, makeredundant: 'true' },
    'VPC red cannot be made redundant',
  );
});

test('restartNetwork makeredundant=true changes to the offering with two routers; a tier has none of its own', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 2);
  const { id } = await cloud.networkOf('acme-admin', 'solo', 'DefaultIsolatedNetworkOfferingWithEgress');
  await cloud.deploy('acme-admin', String(id));
  await cloud.doAs('acme-admin', 'restartNetwork', { id: String(id), makeredundant: 'true', cleanup: 'true' });
  const [network] = await cloud.list('acme-admin', 'listNetworks', { id: String(id) });
  const wanted = cloud.offering('DefaultRedundantIsolatedNetworkOfferingWithEgress');
  assert.equal(network?.['networkofferingid'], wanted);
  assert.equal((await cloud.list('acme-admin', 'listRouters', { networkid: String(id) })).length, 2);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await cloud.deploy('acme-admin', String(tier['id']));
  await cloud.refused(
    'acme-admin',
    'restartNetwork',
    { id: String(tier['id']), makeredundant: 'true' },
    'Use restartVPC makeredundant=true',
  );
});
