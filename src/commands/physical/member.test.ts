// Devices in networks: what attaching proposes, sets and answers, what it refuses, and that detaching undoes all of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { until } from '../../ovn/ovsdb-server.test-support.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { routerPortMac } from '../../model/ipv6.ts';
import { NOBODY, unknown } from '../network/network.test-support.ts';
import { type PhysicalCloud, office, openPhysical } from './physical.test-support.ts';

async function deploy(cloud: PhysicalCloud, networkid: string, more = {}): Promise<Body> {
  const params = { ...(await cloud.guest()), networkids: networkid, zoneid: BUILT_IN.zone, ...more };
  return (await cloud.doAs('acme-admin', 'deployVirtualMachine', params))['virtualmachine'] as Body;
}

test('attachDevice proposes the lowest free address, sets the port, and answers where; instances never get the address', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  const lowest = '10.1.1.2';
  await deploy(cloud, networkid, { ipaddress: '10.1.1.1' });
  const device = await cloud.device('acme-admin', 'fileserver', { macaddress: '52-54-00-AA-BB-CC' });
  const member = await cloud.attach('acme-admin', networkid, device, { switchportid: port });
  assert.deepEqual(
    [
      member['name'],
      member['ipaddress'],
      member['macaddress'],
      member['switchname'],
      member['switchportname'],
      member['state'],
    ],
    ['fileserver', lowest, '52:54:00:aa:bb:cc', 'sw', 'p1', 'Attached'],
  );
  assert.equal(member['vlan'], undefined, 'who is untagged need not know the number');
  const { vlan } = await cloud.store.db
    .selectFrom('network')
    .select('vlan')
    .where('id', '=', networkid)
    .executeTakeFirstOrThrow();
  assert.equal(cloud.table.ports.get('p1')?.untagged, vlan);
  // S13: what a device has is never handed out, and asking for it names who has it.
  const params = { ...(await cloud.guest()), networkids: networkid, zoneid: BUILT_IN.zone };
  await cloud.refused('acme-admin', 'deployVirtualMachine', { ...params, ipaddress: lowest }, `${lowest} is in use`);
  const same = { ...params, macaddress: '52:54:00:aa:bb:cc' };
  await cloud.refused('acme-admin', 'deployVirtualMachine', same, 'The requested MAC-Address is already taken!');
  const others = await Promise.all([1, 2, 3].map(() => deploy(cloud, networkid)));
  const addresses = others.map((instance) => (instance['nic'] as Body[])[0]?.['ipaddress']);
  assert.ok(!addresses.includes(lowest), addresses.join());
});

test('S12: an address outside of the network, or with another prefix, is refused', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  const deviceid = await cloud.device('acme-admin', 'router1', { kind: 'router' });
  const params = { networkid, deviceid, switchportid: port };
  await cloud.refused('acme-admin', 'attachDevice', { ...params, ipaddress: '10.1.2.10' }, 'whose CIDR is 10.1.1.0/24');
  await cloud.refused('acme-admin', 'attachDevice', { ...params, ipaddress: '10.1.1.255' }, "is no member's address");
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { ...params, ipaddress: '10.1.1.10/16' },
    'A /16 does not fit network office',
  );
  const masked = { ...params, ipaddress: '10.1.1.10', netmask: '255.255.0.0' };
  await cloud.refused('acme-admin', 'attachDevice', masked, 'Set /24 at the device');
  const member = await cloud.attach('acme-admin', networkid, deviceid, {
    switchportid: port,
    ipaddress: '10.1.1.10/24',
  });
  assert.equal(member['ipaddress'], '10.1.1.10');
});

test('S13: an address in use is refused by the name of who has it, and only as far as the caller may know', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  await deploy(cloud, networkid, { ipaddress: '10.1.1.20', name: 'web' });
  const first = await cloud.device('acme-admin', 'printer');
  await cloud.attach('acme-admin', networkid, first, { switchportid: port, ipaddress: '10.1.1.30' });
  const params = { networkid, deviceid: await cloud.device('acme-admin', 'scanner'), switchportid: port };
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { ...params, ipaddress: '10.1.1.20' },
    '10.1.1.20 is in use in network office by instance web',
  );
  await cloud.refused('acme-admin', 'attachDevice', { ...params, ipaddress: '10.1.1.30' }, 'by device printer');
});

test('what is another tenant’s does not exist for attachDevice, detachDevice and the lists', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  const deviceid = await cloud.device('acme-admin', 'printer');
  const member = await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port });
  const mine = {
    networkid: await cloud.network('globex-admin', 'n', '10.2.0.0/24'),
    deviceid: await cloud.device('globex-admin', 'd'),
    switchportid: await cloud.port('q1', { domainid: await cloud.domainOf('globex-admin') }),
  };
  const foreign: Record<string, string> = { networkid, deviceid, switchportid: port };
  for (const [param, id] of Object.entries(foreign)) {
    await cloud.refused('globex-admin', 'attachDevice', { ...mine, [param]: id }, unknown(param, id));
    await cloud.refused('globex-admin', 'attachDevice', { ...mine, [param]: NOBODY }, unknown(param, NOBODY));
  }
  const memberid = String(member['id']);
  await cloud.refused('globex-admin', 'detachDevice', { id: memberid }, unknown('id', memberid));
  await cloud.refused('globex-admin', 'listNetworkMembers', { networkid }, unknown('networkid', networkid));
  await cloud.refused('globex-admin', 'updateDevice', { id: deviceid, name: 'x' }, unknown('id', deviceid));
  await cloud.refused(
    'globex-admin',
    'createNetworkRoute',
    { networkid: mine.networkid, cidr: '192.168.1.0/24', memberid },
    unknown('memberid', memberid),
  );
  assert.deepEqual(
    await cloud.list('globex-admin', 'listDevices', { listall: 'true' }).then((rows) => rows.map((row) => row['name'])),
    ['d'],
  );
});

test('attachDevice refuses networks without a VLAN, on another wire, a second untagged one, and mixtures', async () => {
  await using cloud = await openPhysical();
  const { networkid, port, domainid } = await office(cloud);
  const deviceid = await cloud.device('acme-admin', 'box');
  const vpcid = await cloud.vpc('acme-admin', 'v', '10.8.0.0/16');
  const overlay = String((await cloud.tier('acme-admin', vpcid, '10.8.1.0/24'))['id']);
  const params = { networkid, deviceid, switchportid: port };
  await cloud.refused('acme-admin', 'attachDevice', { networkid, deviceid }, 'is registered at no switch port');
  await cloud.refused('acme-admin', 'attachDevice', { ...params, networkid: overlay }, 'has no VLAN');
  const second = await cloud.network('acme-admin', 'second', '10.4.0.0/24');
  await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port });
  await cloud.refused('acme-admin', 'attachDevice', params, 'Device box is in network office already', 536);
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { ...params, networkid: second },
    'Port p1 is untagged for network office (device box)',
    536,
  );
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { ...params, networkid: second, tagged: 'true' },
    'knows no VLANs',
    536,
  );
  // Another device may hang on the same untagged port of the same network.
  await cloud.attach('acme-admin', networkid, await cloud.device('acme-admin', 'behind-a-hub'), { switchportid: port });
  const trunk = await cloud.port('p2', { domainid });
  const router = await cloud.device('acme-admin', 'router1', { switchportid: trunk });
  const tagged = await cloud.attach('acme-admin', networkid, router, { tagged: 'true' });
  assert.match(String(tagged['vlan']), /^[0-9]+$/, 'whoever tags his frames is told the number');
  await cloud.attach('acme-admin', second, router, { tagged: 'true' });
  assert.equal(cloud.table.ports.get('p2')?.tagged.length, 2);
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { networkid: second, deviceid: await cloud.device('acme-admin', 'x'), switchportid: trunk },
    'give tagged=true',
    536,
  );
  // A physical network of its own.
  await cloud.callAs('admin', 'updateZone', { id: BUILT_IN.zone, allocationstate: 'Disabled' });
  const other = await cloud.doAs('admin', 'createPhysicalNetwork', {
    name: 'physnet2',
    zoneid: BUILT_IN.zone,
    vlan: '300-310',
  });
  const physicalnetworkid = String((other['physicalnetwork'] as Body)['id']);
  await cloud.doAs('admin', 'updatePhysicalNetwork', { id: physicalnetworkid, state: 'Enabled' });
  await cloud.callAs('admin', 'updateZone', { id: BUILT_IN.zone, allocationstate: 'Enabled' });
  const far = await cloud.network('acme-admin', 'far', '10.5.0.0/24', { physicalnetworkid });
  const free = await cloud.port('p3', { domainid });
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { networkid: far, deviceid: await cloud.device('acme-admin', 'y'), switchportid: free },
    'on another physical network than switch sw',
  );
});

test('isgateway makes the gateway address the device’s, where nobody of ours has it', async () => {
  await using cloud = await openPhysical();
  const { port, domainid } = await office(cloud);
  const networkid = await cloud.network('acme-admin', 'branch', '10.6.0.0/24', {
    gateway: '10.6.0.1',
    netmask: '255.255.255.0',
  });
  const deviceid = await cloud.device('acme-admin', 'vpnbox', { kind: 'vpn' });
  const params = { networkid, deviceid, switchportid: port };
  await cloud.refused('acme-admin', 'attachDevice', { ...params, ipaddress: '10.6.0.1' }, 'give isgateway=true');
  await cloud.refused(
    'acme-admin',
    'attachDevice',
    { ...params, ipaddress: '10.6.0.9', isgateway: 'true' },
    'give ipaddress=10.6.0.1',
  );
  const member = await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port, isgateway: 'true' });
  assert.deepEqual([member['ipaddress'], member['isgateway']], ['10.6.0.1', true]);
  const second = {
    networkid,
    deviceid: await cloud.device('acme-admin', 'other'),
    switchportid: await cloud.port('p2', { domainid }),
  };
  await cloud.refused('acme-admin', 'attachDevice', { ...second, isgateway: 'true' }, 'is device vpnbox already', 536);
  await cloud.callAs('acme-admin', 'detachDevice', { networkid, deviceid });
  await cloud.follow();
  for (const [provider, whose] of [
    ['Ovn', "the hypervisors' (OVN)"],
    ['LinuxRouter', "a router node's"],
  ] as const) {
    const services = JSON.stringify([{ name: 'Gateway', provider }]);
    const id = cloud.offering('NoServices');
    await cloud.store.write(
      async (tx) => void (await tx.db.updateTable('networkoffering').set({ services }).where('id', '=', id).execute()),
    );
    await cloud.refused('acme-admin', 'attachDevice', { ...second, isgateway: 'true' }, whose);
  }
});

test('detaching keeps the address reserved until the switch has set the port back; a network with devices is not deleted', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  const deviceid = await cloud.device('acme-admin', 'printer');
  await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port, ipaddress: '10.1.1.9' });
  await cloud.refused('acme-admin', 'deleteNetwork', { id: networkid }, 'as 1 device is in it: printer', 530);
  await cloud.refused('acme-admin', 'deleteDevice', { id: deviceid }, 'is in network office', 536);
  cloud.table.silent = true;
  const state = async (): Promise<unknown> => (await cloud.list('admin', 'listSwitches'))[0]?.['state'];
  await until(async () => (await state()) === 'Down', 'the switch being Down');
  await cloud.callAs('acme-admin', 'detachDevice', { networkid, deviceid });
  await cloud.refused('acme-admin', 'detachDevice', { networkid, deviceid }, 'already', 536);
  const [leaving] = await cloud.list('acme-admin', 'listNetworkMembers', { networkid });
  assert.deepEqual([leaving?.['state'], leaving?.['ipaddress']], ['Detaching', '10.1.1.9']);
  const again = {
    networkid,
    deviceid: await cloud.device('acme-admin', 'x'),
    switchportid: port,
    ipaddress: '10.1.1.9',
  };
  await cloud.refused('acme-admin', 'attachDevice', again, 'device printer, which is being detached');
  await cloud.refused('acme-admin', 'detachDevice', { networkid, deviceid, forced: 'true' }, 'forced is for root', 531);
  cloud.table.silent = false;
  await cloud.follow();
  assert.deepEqual(await cloud.list('acme-admin', 'listNetworkMembers', { networkid }), []);
  assert.equal(cloud.table.ports.get('p1')?.untagged, 999);
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: networkid });
  await cloud.callAs('acme-admin', 'deleteDevice', { id: deviceid });
});

test('S25: listNetworkMembers is the whole inventory: instances and devices, by address, each with its place', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  await deploy(cloud, networkid, { ipaddress: '10.1.1.50', name: 'vm1' });
  await cloud.attach('acme-admin', networkid, await cloud.device('acme-admin', 'fileserver'), {
    switchportid: port,
    ipaddress: '10.1.1.10',
  });
  const all = await cloud.list('acme-admin', 'listNetworkMembers', { networkid });
  assert.deepEqual(
    all.map((member) => [member['kind'], member['name'], member['ipaddress'], member['place']]),
    [
      ['device', 'fileserver', '10.1.1.10', 'switch sw, port p1'],
      ['instance', 'vm1', '10.1.1.50', undefined],
    ],
  );
  const [, vm] = await cloud.list('admin', 'listNetworkMembers', { networkid });
  assert.match(String(vm?.['place']), /^hypervisor hv[1-3]$/);
  const filtered = await cloud.list('acme-admin', 'listNetworkMembers', { networkid, ipaddress: '10.1.1.50' });
  assert.deepEqual(
    filtered.map((member) => member['name']),
    ['vm1'],
  );
  await cloud.refused('acme-admin', 'listNetworkMembers', { networkid, kind: 'toaster' }, 'There is no kind toaster');
});

test('who attached to a network that is shared with him detaches there too, by network and device, and finds his device there', async () => {
  await using cloud = await openPhysical();
  const made = await cloud.networkOf('admin', 'campus', 'DefaultSharedNetworkOffering', {
    gateway: '10.9.0.1',
    netmask: '255.255.255.0',
    startip: '10.9.0.10',
    endip: '10.9.0.99',
    vlan: '3000',
    acltype: 'domain',
    domainid: await cloud.domainOf('acme-user'),
  });
  const networkid = String(made['id']);
  const port = await cloud.port('p1', { domainid: await cloud.domainOf('acme-user') });
  const deviceid = await cloud.device('acme-user', 'printer');
  await cloud.attach('acme-user', networkid, deviceid, { switchportid: port });
  const there = await cloud.list('acme-user', 'listDevices', { networkid });
  assert.deepEqual(
    there.map(({ name }) => name),
    ['printer'],
  );
  await cloud.refused('globex-admin', 'detachDevice', { networkid, deviceid }, unknown('networkid', networkid));
  await cloud.callAs('acme-user', 'detachDevice', { networkid, deviceid });
  await cloud.follow();
  assert.deepEqual(await cloud.list('acme-user', 'listNetworkMembers', { networkid }), []);
});

test('a device has no MAC address that an instance, another device or the router of its network has', async () => {
  await using cloud = await openPhysical();
  const { networkid, port } = await office(cloud);
  const card = (await deploy(cloud, networkid))['nic'] as Body[];
  const mac = String(card[0]?.['macaddress']);
  const deviceid = await cloud.device('acme-admin', 'printer', { macaddress: mac });
  const params = { networkid, deviceid, switchportid: port };
  const taken = (address: string): string => `MAC address ${address} is taken in network office`;
  await cloud.refused('acme-admin', 'attachDevice', params, taken(mac));
  await cloud.callAs('acme-admin', 'updateDevice', { id: deviceid, macaddress: '52:54:00:00:00:01' });
  await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port });
  await cloud.refused('acme-admin', 'updateDevice', { id: deviceid, macaddress: mac }, taken(mac));
  const router = routerPortMac(networkid, '10.1.1.1');
  await cloud.store.write((tx) => tx.update('network', networkid, { gateway: '10.1.1.1' }));
  await cloud.refused('acme-admin', 'updateDevice', { id: deviceid, macaddress: router }, taken(router));
  // What it has already is not in its own way, nor an address that it shares with a second router (VRRP).
  for (const macaddress of ['52:54:00:00:00:01', '00:00:5e:00:01:07', '']) {
    await cloud.callAs('acme-admin', 'updateDevice', { id: deviceid, macaddress });
  }
});
