// Switches and their ports as operators and tenants meet them: what is shown to whom, what is refused, and that secrets stay secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { unseal } from '../../store/seal.ts';
import { NOBODY, unknown } from '../network/network.test-support.ts';
import { openPhysical } from './physical.test-support.ts';

const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n';

test('addSwitch keeps the key sealed and never shows it, and refuses a password; what a driver does not know is refused', async () => {
  await using cloud = await openPhysical();
  const [physical] = await cloud.list('admin', 'listPhysicalNetworks');
  const params = { name: 'leaf1', zoneid: BUILT_IN.zone, physicalnetworkid: String(physical?.['id']), driver: 'linux' };
  const login = {
    url: '10.9.9.2:22',
    username: 'cumulus',
    privatekey: Buffer.from(KEY).toString('base64'),
  };
  const details = { 'details[0].bridge': 'br0', 'details[0].hostKey': 'ssh-ed25519 AAAA' };
  const answer = await cloud.callAs('admin', 'addSwitch', { ...params, ...login, ...details });
  const shown = answer['switch'] as Body;
  assert.deepEqual(shown['details'], { user: 'cumulus', bridge: 'br0', hostKey: 'ssh-ed25519 AAAA' });
  assert.equal(shown['hascredentials'], true);
  const everywhere = JSON.stringify([
    answer,
    await cloud.list('admin', 'listSwitches'),
    await cloud.list('admin', 'listEvents'),
  ]);
  assert.ok(!everywhere.includes('c2VjcmV0'), everywhere);
  const row = await cloud.store.db
    .selectFrom('switch')
    .selectAll()
    .where('name', '=', 'leaf1')
    .executeTakeFirstOrThrow();
  assert.ok(!JSON.stringify(row).includes('c2VjcmV0'));
  assert.deepEqual(JSON.parse(unseal(cloud.store.sealKey, row.secret ?? '')), { privateKey: KEY });
  await cloud.refused(
    'admin',
    'addSwitch',
    { ...params, ...login, ...details, name: 'x', password: 'not-for-you' },
    'by key, never by password',
  );

  await cloud.refused(
    'admin',
    'addSwitch',
    { ...params, ...login, name: 'leaf1' },
    'has a switch called leaf1 already',
  );
  await cloud.refused('admin', 'addSwitch', { ...params, name: 'x', driver: 'snmp' }, 'There is no switch driver snmp');
  await cloud.refused('admin', 'addSwitch', { ...params, name: 'x' }, 'Driver linux needs url: HOST or HOST:PORT');
  await cloud.refused(
    'admin',
    'addSwitch',
    { ...params, name: 'x', url: '-oProxyCommand=x' },
    'cannot connect to -oProxyCommand=x',
  );
  await cloud.refused(
    'admin',
    'addSwitch',
    { ...params, ...login, name: 'x', 'details[0].speed': '1' },
    'has no option speed',
  );
  await cloud.refused(
    'admin',
    'addSwitch',
    { ...params, name: 'x', driver: 'instructions' },
    'needs details[0].dialect',
  );
  await cloud.refused('admin', 'addSwitch', { ...params, ...login, name: 'x', nativevlan: '4095' }, /nativevlan/);
  await cloud.refused('admin', 'updateSwitch', { id: row.id, privatekey: 'c2VjcmV0' }, 'privatekey is no private key');
  await cloud.refused('acme-admin', 'listSwitches', {}, /listSwitches/, 432);
});

test('updateSwitch keeps options and secret that it is not told of, and another driver starts anew', async () => {
  await using cloud = await openPhysical({ 'details[0].bridge': 'sw' });
  const id = cloud.switchid;
  const changed = (await cloud.callAs('admin', 'updateSwitch', { id, nativevlan: '998', apply: 'false' }))[
    'switch'
  ] as Body;
  assert.deepEqual([changed['nativevlan'], changed['apply'], changed['details']], ['998', false, { bridge: 'sw' }]);
  const other = {
    id,
    driver: 'linux',
    url: '10.0.0.1',
    username: 'u',
    privatekey: Buffer.from(KEY).toString('base64'),
  };
  const linux = (await cloud.callAs('admin', 'updateSwitch', other))['switch'] as Body;
  assert.deepEqual([linux['details'], linux['hascredentials']], [{ user: 'u' }, true]);
  const kept = (await cloud.callAs('admin', 'updateSwitch', { id, url: '10.0.0.2' }))['switch'] as Body;
  assert.deepEqual([kept['details'], kept['hascredentials'], kept['url']], [{ user: 'u' }, true, '10.0.0.2']);
  await cloud.network('acme-admin', 'office', '10.1.1.0/24');
  const network = await cloud.store.db
    .selectFrom('network')
    .select('vlan')
    .where('name', '=', 'office')
    .executeTakeFirstOrThrow();
  await cloud.refused('admin', 'updateSwitch', { id, nativevlan: String(network.vlan) }, 'network office is on it');
});

test('addSwitchPort takes lists and ranges; uplinks and management ports are nobody’s, ever', async () => {
  await using cloud = await openPhysical();
  const { switchid, hosts } = cloud;
  const answer = await cloud.callAs('admin', 'addSwitchPort', { switchid, name: 'swp1..4,swp7' });
  const names = (answer['switchport'] as Body[]).map((port) => port['name']);
  assert.deepEqual(names, ['swp1', 'swp2', 'swp3', 'swp4', 'swp7']);
  const [uplink] = (await cloud.callAs('admin', 'addSwitchPort', { switchid, name: 'up1', role: 'uplink' }))[
    'switchport'
  ] as Body[];
  assert.equal(uplink?.['managed'], false);
  const id = String(uplink?.['id']);
  const domainid = await cloud.domainOf('acme-admin');
  await cloud.refused('admin', 'grantSwitchPort', { id, domainid }, 'cannot be granted: its role is uplink');
  await cloud.refused('admin', 'updateSwitchPort', { id, managed: 'true' }, 'never managed');
  await cloud.refused(
    'admin',
    'addSwitchPort',
    { switchid, name: 'm0', role: 'management', managed: 'true' },
    'never managed',
  );
  const networkid = await cloud.network('admin', 'n', '10.3.0.0/24');
  const deviceid = await cloud.device('admin', 'd');
  await cloud.refused('admin', 'attachDevice', { networkid, deviceid, switchportid: id }, 'its role is uplink');
  await cloud.refused('admin', 'addSwitchPort', { switchid, name: 'swp1' }, 'Switch sw has a port swp1 already');
  await cloud.refused('admin', 'addSwitchPort', { switchid, name: 'a;b' }, 'Invalid port name a;b');
  await cloud.refused('admin', 'addSwitchPort', { switchid, name: 'p9..1' }, 'is no range of ports');
  await cloud.refused('admin', 'addSwitchPort', { switchid, name: 'c1', role: 'hypervisor' }, 'needs hostid');
  const cable = { switchid, name: 'c1', role: 'router', hostid: hosts[0]! };
  await cloud.refused('admin', 'addSwitchPort', cable, 'Host hv1 is a hypervisor');
  await cloud.refused('admin', 'addSwitchPort', { switchid, name: 'c1', hostid: hosts[0]! }, "no host's cable");
});

test('tenants see the ports granted to them, nothing of their switches, and of others’ devices only that a port is in use', async () => {
  await using cloud = await openPhysical();
  const acme = await cloud.domainOf('acme-admin');
  const shared = await cloud.port('shared', { domainid: acme });
  const own = await cloud.port('own', { domainid: acme, account: 'acme-user' });
  const free = await cloud.port('free');
  const seen = async (who: 'acme-admin' | 'acme-user' | 'globex-admin'): Promise<unknown[]> =>
    (await cloud.list(who, 'listSwitchPorts')).map((port) => port['name']).toSorted();
  assert.deepEqual(await seen('acme-admin'), ['own', 'shared']);
  assert.deepEqual(await seen('acme-user'), ['own', 'shared']);
  assert.deepEqual(await seen('globex-admin'), []);
  await cloud.refused('globex-admin', 'listSwitchPorts', { id: shared }, unknown('id', shared));
  await cloud.refused('acme-user', 'listSwitchPorts', { id: free }, unknown('id', free));

  const network = await cloud.network('acme-admin', 'secret-network', '10.1.1.0/24');
  await cloud.attach('acme-admin', network, await cloud.device('acme-admin', 'secret-device'), {
    switchportid: shared,
  });
  const [port] = await cloud.list('acme-user', 'listSwitchPorts', { id: shared });
  assert.equal(port?.['inuse'], true);
  assert.deepEqual(port?.['attached'], []);
  assert.ok(!JSON.stringify(port).includes('secret'), JSON.stringify(port));
  const text = JSON.stringify(await cloud.list('acme-admin', 'listSwitchPorts', { id: shared }));
  assert.ok(text.includes('secret-device') && !/vlan/.test(text), text);
  const [rooted] = await cloud.list('admin', 'listSwitchPorts', { id: shared });
  const { vlan } = await cloud.store.db
    .selectFrom('network')
    .select('vlan')
    .where('id', '=', network)
    .executeTakeFirstOrThrow();
  assert.equal(rooted?.['untaggedvlan'], String(vlan));
  // Another tenant's port does not exist, whatever is asked of it.
  const device = await cloud.device('globex-admin', 'd');
  const theirs = await cloud.network('globex-admin', 'n', '10.2.0.0/24');
  const params = { networkid: theirs, deviceid: device, switchportid: own };
  await cloud.refused('globex-admin', 'attachDevice', params, unknown('switchportid', own));
  await cloud.refused('globex-admin', 'registerDevice', { name: 'e', switchportid: own }, unknown('switchportid', own));
});

test('revokeSwitchPort is refused while a device is attached, names it, and detaches it when forced', async () => {
  await using cloud = await openPhysical();
  const domainid = await cloud.domainOf('acme-admin');
  const id = await cloud.port('p1', { domainid });
  const network = await cloud.network('acme-admin', 'office', '10.1.1.0/24');
  await cloud.attach('acme-admin', network, await cloud.device('acme-admin', 'printer'), { switchportid: id });
  for (const [command, params] of [
    ['revokeSwitchPort', { id }],
    ['deleteSwitchPort', { id }],
    ['updateSwitchPort', { id, role: 'uplink' }],
    ['grantSwitchPort', { id, domainid: await cloud.domainOf('globex-admin') }],
  ] as const)
    await cloud.refused('admin', command, params, 'device printer in network office', 536);
  await cloud.refused('admin', 'deleteSwitch', { id: cloud.switchid }, 'printer in office at port p1', 530);
  await cloud.callAs('admin', 'revokeSwitchPort', { id, forced: 'true' });
  await cloud.follow();
  assert.deepEqual(await cloud.list('acme-admin', 'listNetworkMembers', { networkid: network }), []);
  assert.equal(cloud.table.ports.get('p1')?.untagged, 999);
  assert.deepEqual(await cloud.list('acme-admin', 'listSwitchPorts'), []);
  await cloud.callAs('admin', 'deleteSwitchPort', { id });
  await cloud.callAs('admin', 'deleteSwitch', { id: cloud.switchid });
});

test('S07: listSwitchPorts networkid= names the ports that must carry the network, how, and whether they do', async () => {
  await using cloud = await openPhysical();
  const { switchid, hosts, table } = cloud;
  table.ports.set('hv1-eth0', { name: 'hv1-eth0', untagged: 1, tagged: [] });
  table.ports.set('hv2-eth0', { name: 'hv2-eth0', untagged: 1, tagged: 'all' });
  for (const [index, managed] of [
    [0, 'false'],
    [1, 'true'],
  ] as const) {
    const name = `hv${index + 1}-eth0`;
    await cloud.callAs('admin', 'addSwitchPort', {
      switchid,
      name,
      role: 'hypervisor',
      hostid: hosts[index]!,
      managed,
    });
  }
  const port = await cloud.port('p1', { domainid: await cloud.domainOf('acme-admin') });
  const networkid = await cloud.network('acme-admin', 'office', '10.1.1.0/24');
  for (const hostid of hosts.slice(0, 2)) {
    const owner = { account: 'acme-admin', domainid: await cloud.domainOf('acme-admin') };
    await cloud.doAs('admin', 'deployVirtualMachine', {
      ...(await cloud.guest()),
      networkids: networkid,
      zoneid: BUILT_IN.zone,
      hostid,
      ...owner,
    });
  }
  await cloud.attach('acme-admin', networkid, await cloud.device('acme-admin', 'd'), { switchportid: port });
  const rows = await cloud.list('admin', 'listSwitchPorts', { networkid });
  const fare = rows.map((row) => [row['name'], row['networkform'], row['networkcarried']]).toSorted();
  assert.deepEqual(fare, [
    ['hv1-eth0', 'tagged', false],
    ['hv2-eth0', 'tagged', true],
    ['p1', 'untagged', true],
  ]);
  assert.match(String(rows.find((row) => row['name'] === 'hv1-eth0')?.['networkreason']), /not ours to set/);
  assert.deepEqual(
    (await cloud.list('acme-admin', 'listSwitchPorts', { networkid })).map((row) => row['name']),
    ['p1'],
  );
  // S09: the network says where it is not realized; tenants are not told of the operator's cables by name.
  const [network] = await cloud.list('admin', 'listNetworks', { id: networkid, listall: 'true' });
  const [missing, ...more] = network!['notrealized'] as Body[];
  assert.deepEqual(more, []);
  assert.equal(missing?.['target'], 'switch sw, port hv1-eth0');
  assert.ok(missing?.['since']);
  assert.match(
    String(missing?.['text']),
    /port hv1-eth0 \(hypervisor hv1\): VLAN [0-9]+ is not on it tagged: the port is not ours to set/,
  );
  const [shown] = await cloud.list('acme-admin', 'listNetworks', { id: networkid });
  assert.ok(!/hv1|sw,/.test(JSON.stringify(shown?.['notrealized'])), JSON.stringify(shown?.['notrealized']));
  assert.equal((shown!['notrealized'] as Body[]).length, 1);
  const events = await cloud.list('admin', 'listEvents', { type: 'SWITCH.VLAN.MISSING', listall: 'true' });
  assert.equal(events.length, 1);
  assert.deepEqual(await cloud.list('acme-admin', 'listEvents', { type: 'SWITCH.VLAN.MISSING', listall: 'true' }), []);
  const [shownSwitch] = await cloud.list('admin', 'listSwitches');
  assert.equal((shownSwitch!['findings'] as Body[])[0]?.['port'], 'hv1-eth0');
});

test('confirmSwitchChanges is refused where nothing waits, and for lines that have changed since', async () => {
  await using cloud = await openPhysical();
  const id = cloud.switchid;
  await cloud.refused('admin', 'confirmSwitchChanges', { id }, 'looks for itself');
  await cloud.refused('admin', 'confirmSwitchChanges', { id: NOBODY }, unknown('id', NOBODY));
  const waiting = { driver: 'instructions', documented: 7, planned: '["interface p1"]' };
  await cloud.store.write((tx) => tx.update('switch', id, waiting));
  await cloud.refused('admin', 'confirmSwitchChanges', { id, generation: '6' }, 'those of change 7 now, not 6', 537);
  const shown = (await cloud.callAs('admin', 'confirmSwitchChanges', { id, generation: '7' }))['switch'] as Body;
  assert.equal(shown['awaitsconfirmation'], false);
  await cloud.refused('admin', 'confirmSwitchChanges', { id }, 'waits for nothing');
});
