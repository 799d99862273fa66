// Devices as such, the networks behind them, and what becomes of them with their account.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { office, openPhysical } from './physical.test-support.ts';

test('registerDevice reads MAC addresses in the usual forms and refuses groups, twins and odd names', async () => {
  await using cloud = await openPhysical();
  const shown = (await cloud.callAs('acme-admin', 'registerDevice', { name: 'a', macaddress: '5254.0012.3456' }))[
    'device'
  ] as Body;
  assert.equal(shown['macaddress'], '52:54:00:12:34:56');
  await cloud.refused('acme-admin', 'registerDevice', { name: 'b', macaddress: '01:00:5e:00:00:01' }, 'not unicast');
  await cloud.refused('acme-admin', 'registerDevice', { name: 'b', macaddress: '52:54:00:12:34' }, 'is not valid');
  await cloud.refused(
    'acme-admin',
    'registerDevice',
    { name: 'b', macaddress: '52:54:00:12:34:56' },
    'Device a has MAC address',
  );
  await cloud.refused('acme-admin', 'registerDevice', { name: 'a' }, 'has a device called a already');
  await cloud.refused('acme-admin', 'registerDevice', { name: 'a/b' }, 'Invalid device name');
  await cloud.refused('acme-admin', 'registerDevice', { name: 'c', kind: 'toaster' }, 'There is no kind toaster');
  // The same card at another tenant is nobody's business here.
  await cloud.callAs('globex-admin', 'registerDevice', { name: 'a', macaddress: '52:54:00:12:34:56' });
});

test('deleteAccount is refused while a device is plugged in; afterwards it takes devices along and gives granted ports back', async () => {
  await using cloud = await openPhysical();
  const { domainid } = await office(cloud);
  const made = await cloud.callAs('acme-admin', 'createAccount', {
    username: 'guest',
    password: 'a-password',
    email: 'g@example.invalid',
    firstname: 'g',
    lastname: 'g',
    account: 'guest',
    domainid,
    accounttype: '0',
  });
  const id = String((made['account'] as Body)['id']);
  const owner = { account: 'guest', domainid };
  const port = await cloud.port('p2', owner);
  const networkid = await cloud.network('acme-admin', 'theirs', '10.7.0.0/24', owner);
  const deviceid = await cloud.device('acme-admin', 'd', owner);
  await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port });
  await cloud.refused('acme-admin', 'deleteAccount', { id }, 'd in network theirs', 530);
  await cloud.callAs('acme-admin', 'detachDevice', { networkid, deviceid });
  await cloud.follow();
  await cloud.doAs('acme-admin', 'deleteAccount', { id });
  assert.equal(cloud.table.ports.get('p2')?.untagged, 999);
  const row = await cloud.store.db
    .selectFrom('switchport')
    .selectAll()
    .where('id', '=', port)
    .executeTakeFirstOrThrow();
  assert.deepEqual([row.domain, row.account], [null, null]);
  assert.deepEqual(await cloud.store.db.selectFrom('device').selectAll().execute(), []);
});

test('createNetworkRoute puts an office behind a device; overlaps are refused, and the device cannot leave before', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  const deviceid = await cloud.device('acme-admin', 'vpnbox', { kind: 'vpn' });
  const params = { networkid, cidr: '192.168.50.0/24', deviceid };
  await cloud.refused('acme-admin', 'createNetworkRoute', params, 'is not in network office: attachDevice first');
  const member = await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port });
  await cloud.refused(
    'acme-admin',
    'createNetworkRoute',
    { ...params, cidr: '10.1.0.0/16' },
    'overlaps network office itself',
  );
  await cloud.refused('acme-admin', 'createNetworkRoute', { ...params, cidr: '0.0.0.0/0' }, 'isgateway=true');
  await cloud.refused('acme-admin', 'createNetworkRoute', { ...params, cidr: '127.0.0.0/8' }, 'never a network');
  await cloud.refused(
    'acme-admin',
    'createNetworkRoute',
    { networkid, cidr: '192.168.50.0/24' },
    'deviceid or memberid',
  );
  const route = (await cloud.doAs('acme-admin', 'createNetworkRoute', params))['networkroute'] as Body;
  assert.deepEqual([route['nexthop'], route['devicename']], [member['ipaddress'], 'vpnbox']);
  await cloud.refused(
    'acme-admin',
    'createNetworkRoute',
    { ...params, cidr: '192.168.0.0/16' },
    'overlaps 192.168.50.0/24, which is behind device vpnbox',
    537,
  );
  await cloud.refused(
    'acme-admin',
    'detachDevice',
    { networkid, deviceid },
    'the network reaches 192.168.50.0/24 by it',
    536,
  );
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.max.routes', value: '1' });
  const second = { ...params, cidr: '192.168.60.0/24' };
  await cloud.refused('acme-admin', 'createNetworkRoute', second, 'ask the operator (network.max.routes)', 535);
  assert.equal((await cloud.list('acme-admin', 'listNetworkRoutes', { networkid })).length, 1);
  assert.equal((await cloud.list('acme-admin', 'listNetworkRoutes', { keyword: '.50.' })).length, 1);
  assert.deepEqual(await cloud.list('acme-admin', 'listNetworkRoutes', { keyword: '%' }), []);
  await cloud.doAs('acme-admin', 'deleteNetworkRoute', { id: String(route['id']) });
  await cloud.callAs('acme-admin', 'detachDevice', { networkid, deviceid });
  await cloud.follow();
  assert.deepEqual(await cloud.list('acme-admin', 'listNetworkMembers', { networkid }), []);
});
