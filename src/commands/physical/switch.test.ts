// Switches and their ports as operators and tenants meet them: what is shown to whom, what is refused, and that secrets stay secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { unseal } from '../../store/seal.ts';
import { addRouters } from '../../../test/support/hosts.ts';
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
  await cloud.refused('admin', 'addSwitch', { ...params, name: 'x' }, 'Driver linux needs url: HOST, HOST:PORT');
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
  const netconf = { ...params, ...login, name: 'x', driver: 'netconf' };
  await cloud.refused('admin', 'addSwitch', { ...netconf, 'details[0].port': '830' }, 'has no option port');
  await cloud.refused(
    'admin',
    'addSwitch',
    { ...netconf, 'details[0].validate': 'maybe' },
    'Option validate of driver netconf cannot be maybe: true or false',
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

test('addSwitchPort takes the cable of a gateway node, none of a witness, and of a router only one: its inside interface', async () => {
  await using cloud = await openPhysical();
  const { switchid, hosts } = cloud;
  const [router = ''] = await addRouters(cloud.store, 1);
  const kinds = (kind: string): Promise<unknown> =>
    cloud.store.write(async (tx) => tx.update('host', hosts[0]!, { kind }));
  await kinds('gateway');
  const cable = { switchid, name: 'c1', hostid: hosts[0]! };
  await cloud.refused('admin', 'addSwitchPort', { ...cable, role: 'hypervisor' }, 'the role of its port is gateway');
  const [port] = (await cloud.callAs('admin', 'addSwitchPort', { ...cable, role: 'gateway' }))['switchport'] as Body[];
  assert.deepEqual([port?.['role'], port?.['hostname'], port?.['managed']], ['gateway', 'hv1', true]);
  const meet = String((await cloud.privateNetwork('admin', 'meet', '172.16.0.0/24'))['id']);
  const needing = async (): Promise<unknown[]> =>
    (await cloud.list('admin', 'listSwitchPorts', { networkid: meet })).map(({ name }) => name);
  assert.deepEqual(await needing(), []);
  await cloud.join('admin', await cloud.vpc('admin', 'v', '10.0.0.0/16'), meet, '172.16.0.1');
  assert.deepEqual(await needing(), ['c1'], 'OVN routes for it: its router port may be there');
  await kinds('witness');
  const witness = { ...cable, name: 'c2', role: 'gateway' };
  await cloud.refused('admin', 'addSwitchPort', witness, 'hv1 is a witness, which carries no network');

  const ofRouter = { switchid, role: 'router', hostid: router };
  const both = "cannot be the router's, too: r1-eth1 of switch sw is";
  await cloud.refused('admin', 'addSwitchPort', { ...ofRouter, name: 'r1-eth1,r1-eth0' }, both);
  await cloud.callAs('admin', 'addSwitchPort', { ...ofRouter, name: 'r1-eth1' });
  await cloud.refused('admin', 'addSwitchPort', { ...ofRouter, name: 'r1-eth0' }, both);
  const outside = await cloud.callAs('admin', 'addSwitchPort', { switchid, name: 'r1-eth0', role: 'management' });
  const id = String((outside['switchport'] as Body[])[0]?.['id']);
  await cloud.refused('admin', 'updateSwitchPort', { id, role: 'router', hostid: router }, both);
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

test('S09: a VLAN missing between two switches is told at the network, the port and the switch, and the uplink is never written', async () => {
  await using cloud = await openPhysical();
  const { hosts, table } = cloud;
  const far = cloud.tableAt('tcp:192.0.2.51:6640');
  const [physical] = await cloud.list('admin', 'listPhysicalNetworks');
  const added = await cloud.callAs('admin', 'addSwitch', {
    name: 'two',
    zoneid: BUILT_IN.zone,
    physicalnetworkid: String(physical?.['id']),
    driver: 'ovsdb',
    url: 'tcp:192.0.2.51:6640',
    nativevlan: '999',
  });
  const two = String((added['switch'] as Body)['id']);
  for (const [index, [at, switchid]] of (
    [
      [table, cloud.switchid],
      [far, two],
    ] as const
  ).entries()) {
    const cable = `hv${index + 1}-eth0`;
    at.ports.set(cable, { name: cable, untagged: 1, tagged: 'all' });
    at.ports.set('up', { name: 'up', untagged: 0, tagged: index === 0 ? [1] : 'all' });
    const hostid = hosts[index]!;
    await cloud.callAs('admin', 'addSwitchPort', { switchid, name: cable, role: 'hypervisor', hostid });
    await cloud.callAs('admin', 'addSwitchPort', { switchid, name: 'up', role: 'uplink' });
  }
  const networkid = await cloud.network('admin', 'office', '10.1.1.0/24');
  const place = { ...(await cloud.guest()), networkids: networkid, zoneid: BUILT_IN.zone };
  const notRealized = async (): Promise<string[]> => {
    await cloud.follow();
    const [network] = await cloud.list('admin', 'listNetworks', { id: networkid });
    return ((network!['notrealized'] ?? []) as Body[]).map(({ text }) => String(text));
  };
  await cloud.doAs('admin', 'deployVirtualMachine', { ...place, hostid: hosts[0]! });
  assert.deepEqual(await notRealized(), [], 'all of it is at one switch');
  await cloud.doAs('admin', 'deployVirtualMachine', { ...place, hostid: hosts[1]! });
  const [missing, ...more] = await notRealized();
  assert.deepEqual(more, []);
  assert.match(missing!, /^switch sw, port up \(other switches\): VLAN [0-9]+ is not on it tagged: .*; set it there$/);
  const ports = await cloud.list('admin', 'listSwitchPorts', { networkid });
  assert.deepEqual(ports.map((port) => [port['switchname'], port['name'], port['networkcarried']]).toSorted(), [
    ['sw', 'hv1-eth0', true],
    ['sw', 'up', false],
    ['two', 'hv2-eth0', true],
    ['two', 'up', true],
  ]);
  const [event] = await cloud.list('admin', 'listEvents', { type: 'SWITCH.VLAN.MISSING', listall: 'true' });
  assert.match(String(event?.['description']), /^switch sw, port up .*network office/);
  assert.deepEqual(table.ports.get('up')?.tagged, [1]);
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
