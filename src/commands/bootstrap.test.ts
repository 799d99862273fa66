import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyPassword } from '../store/password.ts';
import { unseal } from '../store/seal.ts';
import { bootstrap } from './bootstrap.ts';
import { openProviderCloud } from './provider.test-support.ts';

test('bootstrap() makes what clients look for by name', async () => {
  await using cloud = await openProviderCloud();
  const names = async (command: string, key: string, more = {}): Promise<unknown[]> =>
    (await cloud.rows(command, key, more)).map((row) => row['name']);
  assert.deepEqual(await names('listZones', 'zone'), ['zone1']);
  assert.deepEqual(await names('listVPCOfferings', 'vpcoffering'), ['Default VPC offering', 'Redundant VPC offering']);
  assert.deepEqual(await names('listVPCOfferings', 'vpcoffering', { name: 'default vpc offering' }), ['Default VPC offering']);
  assert.deepEqual(await names('listNetworkOfferings', 'networkoffering'), [
    'DefaultIsolatedNetworkOfferingForVpcNetworks',
    'DefaultIsolatedNetworkOfferingForVpcNetworksNoLB',
    'DefaultIsolatedNetworkOfferingWithSourceNatService',
    'DefaultPrivateGatewayNetworkOffering',
    'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
    'DefaultPrivateGatewayNetworkOfferingOverlay',
  ]);
  assert.deepEqual(await names('listServiceOfferings', 'serviceoffering'), ['Small Instance', 'Medium Instance']);
  assert.deepEqual(await names('listDiskOfferings', 'diskoffering'), ['Custom']);
  assert.deepEqual(await names('listPhysicalNetworks', 'physicalnetwork'), ['physnet1']);
  const [template] = await cloud.rows('listTemplates', 'template', { templatefilter: 'featured' });
  assert.equal(template?.['name'], 'tiny linux kvm');
  assert.equal(template?.['templatetype'], 'BUILTIN');
  assert.equal(template?.['isready'], true);
});

test('bootstrap() offers Private networks without services, on a VLAN from the pool, by hand, or on an overlay', async () => {
  await using cloud = await openProviderCloud();
  const rows = await cloud.rows('listNetworkOfferings', 'networkoffering', { guestiptype: 'private', state: 'Enabled' });
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
  await using cloud = await openProviderCloud();
  const { ids } = cloud.made;
  for (const [acl, name, action] of [
    [ids.allowList, 'default_allow', 'Allow'],
    [ids.denyList, 'default_deny', 'Deny'],
  ] as const) {
    const list = await cloud.store.db.selectFrom('acl').selectAll().where('id', '=', acl).executeTakeFirstOrThrow();
    assert.deepEqual([list.name, list.vpc], [name, null]);
    const items = await cloud.store.db.selectFrom('aclitem').selectAll().where('acl', '=', acl).orderBy('number').execute();
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
  await using cloud = await openProviderCloud();
  const { credentials } = cloud.made;
  assert.deepEqual(Object.keys(credentials).toSorted(), ['acme-admin', 'acme-user', 'admin', 'globex-admin', 'readonly']);
  assert.deepEqual(
    Object.values(credentials).map(({ domain }) => domain),
    ['/', '/acme', '/acme', '/globex', '/'],
  );
  for (const { username, password, apikey, secretkey } of Object.values(credentials)) {
    const user = await cloud.store.db.selectFrom('user').selectAll().where('username', '=', username).executeTakeFirstOrThrow();
    assert.ok(await verifyPassword(password, user.password), username);
    assert.equal(user.apikey, apikey);
    assert.equal(unseal(cloud.store.sealKey, user.secretkey ?? ''), secretkey);
  }
  assert.deepEqual((await bootstrap(cloud.store, { demo: true })).credentials, {});
});

test('bootstrap() gives the accounts the roles of the story', async () => {
  await using cloud = await openProviderCloud();
  const roles = await Promise.all(Object.keys(cloud.made.credentials).map((who) => cloud.caller(who)));
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
  await using cloud = await openProviderCloud();
  const [custom] = await cloud.rows('listDiskOfferings', 'diskoffering');
  await cloud.call('admin', 'deleteDiskOffering', { id: custom?.['id'] });
  await cloud.call('admin', 'updateZone', { id: cloud.made.ids.zone, dns1: '9.9.9.9' });
  await cloud.store.write((tx) => tx.db.deleteFrom('configuration').where('name', '=', 'vpc.max.networks').execute());
  await cloud.store.write((tx) => tx.db.updateTable('configuration').set({ value: '9' }).where('name', '=', 'expunge.delay').execute());
  const before = await cloud.store.db.selectFrom('counter').selectAll().execute();
  await bootstrap(cloud.store, { demo: true });
  assert.deepEqual(await cloud.rows('listDiskOfferings', 'diskoffering'), []);
  assert.equal((await cloud.rows('listZones', 'zone'))[0]?.['dns1'], '9.9.9.9');
  const settings = await cloud.rows('listConfigurations', 'configuration');
  assert.equal(settings.find((row) => row['name'] === 'expunge.delay')?.['value'], '9');
  assert.ok(settings.some((row) => row['name'] === 'vpc.max.networks'), 'a setting that was missing is added');
  assert.deepEqual(await cloud.store.db.selectFrom('counter').selectAll().execute(), before, 'a second start changes no intent');
});
