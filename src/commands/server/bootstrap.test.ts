// What a first start makes, what it tells, and what a second start leaves alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Params, type Who, openCloud } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { verifyPassword } from '../../store/password.ts';
import { unseal } from '../../store/seal.ts';
import { bootstrap } from './bootstrap.ts';
import { rowsOf } from '../zone/provider.test-support.ts';

test('bootstrap() makes what clients look for by name', async () => {
  await using cloud = await openCloud();
  const names = async (command: string, key: string, more: Params = {}): Promise<unknown[]> =>
    (await rowsOf(cloud, command, key, more)).map((row) => row['name']);
  assert.deepEqual(await names('listZones', 'zone'), ['zone1']);
  assert.deepEqual(await names('listVPCOfferings', 'vpcoffering'), ['Default VPC offering', 'Redundant VPC offering']);
  assert.deepEqual(await names('listVPCOfferings', 'vpcoffering', { name: 'default vpc offering' }), [
    'Default VPC offering',
  ]);
  assert.deepEqual(await names('listNetworkOfferings', 'networkoffering'), [
    'DefaultIsolatedNetworkOfferingForVpcNetworks',
    'DefaultIsolatedNetworkOfferingForVpcNetworksNoLB',
    'DefaultIsolatedNetworkOfferingWithSourceNatService',
    'DefaultPrivateGatewayNetworkOffering',
    'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
    'DefaultPrivateGatewayNetworkOfferingOverlay',
    'DefaultIsolatedNetworkOfferingForVpcNetworksWithoutSourceNat',
    'DefaultIsolatedNetworkOfferingWithEgress',
    'DefaultRedundantIsolatedNetworkOffering',
    'DefaultRedundantIsolatedNetworkOfferingWithEgress',
    'DefaultIsolatedNetworkOffering',
    'DefaultSharedNetworkOffering',
    'DefaultL2NetworkOffering',
    'DefaultL2NetworkOfferingVlan',
    'NoServices',
    'NoServicesSpecifyVlan',
    'LinuxRouter',
    'LinuxRouterRedundant',
    'LinuxRouterRouted',
  ]);
  assert.deepEqual(await names('listServiceOfferings', 'serviceoffering'), ['Small Instance', 'Medium Instance']);
  assert.deepEqual(await names('listDiskOfferings', 'diskoffering'), ['Custom']);
  assert.deepEqual(await names('listPhysicalNetworks', 'physicalnetwork'), ['physnet1']);
  const [template] = await rowsOf(cloud, 'listTemplates', 'template', { templatefilter: 'featured' });
  assert.equal(template?.['name'], 'tiny linux kvm');
  assert.equal(template?.['templatetype'], 'BUILTIN');
  assert.equal(template?.['isready'], true);
});

test('bootstrap() of a newer version adds the network offerings it brings, but none whose name an operator has given', async () => {
  await using cloud = await openCloud();
  const all = cloud.store.db.selectFrom('networkoffering').select(['id', 'name']).orderBy('name');
  const before = await all.execute();
  const idOf = (name: string): string => before.find((row) => row.name === name)!.id;
  await cloud.store.write(async (tx) => {
    await tx.remove('networkoffering', idOf('NoServices'));
    await tx.remove('networkoffering', idOf('LinuxRouter'));
    await tx.update('networkoffering', idOf('LinuxRouterRouted'), { name: 'linuxrouter' });
  });
  await bootstrap(cloud.store);
  const after = await all.execute();
  assert.ok(after.some(({ id }) => id === idOf('NoServices')));
  assert.ok(!after.some(({ id }) => id === idOf('LinuxRouter')));
});

test('bootstrap() offers Private networks without services, on a VLAN from the pool, by hand, or on an overlay', async () => {
  await using cloud = await openCloud();
  const rows = await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering', {
    guestiptype: 'private',
    state: 'Enabled',
  });
  assert.deepEqual(
    rows.map((row) => [row['segment'], row['specifyvlan'], row['ispersistent'], row['service']]),
    [
      ['vlan', false, true, []],
      ['vlan', true, true, []],
      ['overlay', false, true, []],
    ],
  );
});

test('bootstrap() makes the two global ACL lists, each with an item for each direction', async () => {
  await using cloud = await openCloud();
  for (const [acl, name, action] of [
    [BUILT_IN.allowList, 'default_allow', 'Allow'],
    [BUILT_IN.denyList, 'default_deny', 'Deny'],
  ] as const) {
    const list = await cloud.store.db.selectFrom('acl').selectAll().where('id', '=', acl).executeTakeFirstOrThrow();
    assert.deepEqual([list.name, list.vpc], [name, null]);
    const items = await cloud.store.db
      .selectFrom('aclitem')
      .selectAll()
      .where('acl', '=', acl)
      .orderBy('number')
      .execute();
    assert.deepEqual(
      items.map((item) => [item.traffictype, item.action, item.protocol, item.cidrlist]),
      [
        ['Ingress', action, 'all', '0.0.0.0/0'],
        ['Egress', action, 'all', '0.0.0.0/0'],
      ],
    );
  }
});

test('bootstrap() tells secrets that work, and only of the accounts it made', async () => {
  await using cloud = await openCloud();
  const { credentials } = cloud;
  assert.deepEqual(Object.keys(credentials).toSorted(), [
    'acme-admin',
    'acme-user',
    'admin',
    'globex-admin',
    'readonly',
  ]);
  assert.deepEqual(
    Object.values(credentials).map(({ domain }) => domain),
    ['/', '/acme', '/acme', '/globex', '/'],
  );
  for (const { username, password, apikey, secretkey } of Object.values(credentials)) {
    const user = await cloud.store.db
      .selectFrom('user')
      .selectAll()
      .where('username', '=', username)
      .executeTakeFirstOrThrow();
    assert.ok(await verifyPassword(password, user.password), username);
    assert.equal(user.apikey, apikey);
    assert.equal(unseal(cloud.store.sealKey, user.secretkey ?? ''), secretkey);
  }
  assert.deepEqual((await bootstrap(cloud.store, { demo: true })).credentials, {});
});

test('bootstrap() gives the accounts the roles of the story', async () => {
  await using cloud = await openCloud();
  const roles = await Promise.all((Object.keys(cloud.credentials) as Who[]).map((who) => cloud.caller(who)));
  assert.deepEqual(
    roles.map(({ username, role, domainPath }) => [username, role, domainPath]),
    [
      ['admin', 'admin', 'ROOT'],
      ['acme-admin', 'domain-admin', 'ROOT/acme'],
      ['acme-user', 'user', 'ROOT/acme'],
      ['globex-admin', 'domain-admin', 'ROOT/globex'],
      ['readonly', 'readonly', 'ROOT'],
    ],
  );
});

test('bootstrap() leaves alone what an operator changed or deleted', async () => {
  await using cloud = await openCloud();
  const [custom] = await rowsOf(cloud, 'listDiskOfferings', 'diskoffering');
  await cloud.callAs('admin', 'deleteDiskOffering', { id: String(custom?.['id']) });
  await cloud.callAs('admin', 'updateZone', { id: BUILT_IN.zone, dns1: '9.9.9.9' });
  await cloud.store.write((tx) => tx.db.deleteFrom('configuration').where('name', '=', 'vpc.max.networks').execute());
  await cloud.store.write((tx) =>
    tx.db
      .updateTable('configuration')
      .set({ value: '9', description: 'as an older program said it', defaultvalue: '7', isdynamic: 0 })
      .where('name', '=', 'expunge.delay')
      .execute(),
  );
  const before = await cloud.store.db.selectFrom('counter').selectAll().execute();
  await bootstrap(cloud.store, { demo: true });
  assert.deepEqual(await rowsOf(cloud, 'listDiskOfferings', 'diskoffering'), []);
  assert.equal((await rowsOf(cloud, 'listZones', 'zone'))[0]?.['dns1'], '9.9.9.9');
  const settings = await rowsOf(cloud, 'listConfigurations', 'configuration');
  const delay = settings.find((row) => row['name'] === 'expunge.delay');
  assert.deepEqual([delay?.['value'], delay?.['defaultvalue'], delay?.['isdynamic']], ['9', '86400', true]);
  assert.ok(
    settings.some((row) => row['name'] === 'vpc.max.networks'),
    'a setting that was missing is added',
  );
  assert.deepEqual(
    await cloud.store.db.selectFrom('counter').selectAll().execute(),
    before,
    'a second start changes no intent',
  );
});
