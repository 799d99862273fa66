// In which order VPNs go, and with what.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeVpn } from '../../../test/support/vpn-things.ts';
import { type PublicCloud, openCloud } from '../public/public.test-support.ts';
import { acquired, shop } from '../public/vpc-address.test-support.ts';

const WHO = 'acme-admin';
const OVN = 'DefaultIsolatedNetworkOfferingWithSourceNatService';
const TABLES = ['remotevpn', 'vpnclient', 'vpngateway', 'vpnconnection'] as const;

async function left(cloud: PublicCloud): Promise<string[]> {
  const found: string[] = [];
  for (const table of TABLES)
    if ((await cloud.store.db.selectFrom(table).selectAll().execute()).length > 0) found.push(table);
  return found;
}

test('deleteVPC takes its VPNs with it; users and customer gateways are the account’s and stay', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc(WHO, 'blue', '10.1.0.0/16');
  const ids = await makeVpn(cloud, WHO, { vpcid, publicipid: await acquired(cloud, vpcid) });
  assert.equal((await left(cloud)).length, 4);
  await cloud.doAs(WHO, 'deleteVPC', { id: vpcid });
  await cloud.settle();
  assert.deepEqual(await left(cloud), []);
  assert.equal((await cloud.list(WHO, 'listVpnUsers'))[0]?.['id'], ids['vpnuser']);
  assert.equal((await cloud.list(WHO, 'listVpnCustomerGateways'))[0]?.['id'], ids['vpncustomergateway']);
  await cloud.doAs(WHO, 'deleteVpnCustomerGateway', { id: ids['vpncustomergateway']! });
});

test('the ends of a connection go after it, the gateway’s address not before it', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  const ids = await makeVpn(cloud, WHO, { vpcid, publicipid: await acquired(cloud, vpcid) });
  const related = 'because there is still related VPN connections!';
  await cloud.refused(WHO, 'deleteVpnGateway', { id: ids['vpngateway']! }, related);
  await cloud.refused(WHO, 'deleteVpnCustomerGateway', { id: ids['vpncustomergateway']! }, related);
  const own = (await cloud.list(WHO, 'listPublicIpAddresses', { vpcid, issourcenat: 'true' }))[0]!;
  await cloud.refused(WHO, 'disassociateIpAddress', { id: String(own['id']) }, 'used for source nat purposes');
  for (const [command, kind] of [
    ['deleteVpnConnection', 'vpnconnection'],
    ['deleteVpnGateway', 'vpngateway'],
    ['deleteVpnCustomerGateway', 'vpncustomergateway'],
  ] as const)
    await cloud.doAs(WHO, command, { id: ids[kind]! });
  assert.deepEqual(await left(cloud), ['remotevpn', 'vpnclient']);
});

test('an isolated network keeps an offering with Vpn while it has remote access, and takes it along when it goes', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net(WHO, 'web', {}, OVN);
  const publicipid = String((await cloud.address(WHO, networkid))['id']);
  await cloud.made(WHO, 'createRemoteAccessVpn', { publicipid }, 'remoteaccessvpn');
  const offering = await cloud.store.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('name', '=', OVN)
    .executeTakeFirstOrThrow();
  const without = JSON.stringify(
    (JSON.parse(offering.services) as unknown[]).filter((one) => !JSON.stringify(one).includes('Vpn')),
  );
  assert.notEqual(without, offering.services);
  const id = offering.id.replace(/^.{4}/, 'abcd');
  await cloud.store.write(async ({ db }) => {
    await db
      .insertInto('networkoffering')
      .values({ ...offering, id, name: 'without Vpn', services: without })
      .execute();
  });
  await cloud.refused(
    WHO,
    'updateNetwork',
    { id: networkid, networkofferingid: id },
    'Network web has 1 remote access VPNs, and offering without Vpn has no service Vpn',
  );
  await cloud.doAs(WHO, 'deleteNetwork', { id: networkid });
  assert.deepEqual(await left(cloud), []);
});

test('a network that router nodes route for has no remote access by us, and the refusal says what to do instead', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net(WHO, 'node');
  const publicipid = String((await cloud.address(WHO, networkid))['id']);
  await cloud.refused(
    WHO,
    'createRemoteAccessVpn',
    { publicipid },
    new RegExp(
      `^Vpn service is not supported in network id=${networkid}: .*router nodes route for it\\. .*attachDevice`,
    ),
  );
});

test('deleteDomain with cleanup takes every VPN of its accounts', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  await makeVpn(cloud, WHO, { vpcid, publicipid: await acquired(cloud, vpcid) });
  const domain = await cloud.store.db
    .selectFrom('domain')
    .select('id')
    .where('name', '=', 'acme')
    .executeTakeFirstOrThrow();
  await cloud.doAs('admin', 'deleteDomain', { id: domain.id, cleanup: 'true' });
  assert.deepEqual(await left(cloud), []);
  for (const table of ['vpnuser', 'customergateway'] as const)
    assert.deepEqual(await cloud.store.db.selectFrom(table).selectAll().execute(), [], table);
});
