// Virtual and physical together, with real packets: a server on a switch port joins a network of instances, the switch is a real
// Open vSwitch that the product sets, and what somebody else does to that switch is found, told and, where it is ours, put back.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { labPaths } from '../../src/lab/layout.ts';
import { run } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { type Guest, type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';

const SERVER = 'fileserver';
const PORT = `${SERVER}-eth0`;
const TOLD_MS = 15_000;

describe('a physical server in a network of instances', () => {
  let lab: LabCloud;
  let networkid: string;
  let deviceid: string;
  let switchid: string;
  let vlan: number;
  let address: string;
  let vm1: Guest;
  let vm2: Guest;
  let vm3: Guest;

  cloudForSuite((it) => void (lab = it), { topology: 'campus' });

  const admin = (command: string, params: Record<string, string> = {}): Promise<object> =>
    lab.cloud.as('admin')(command, params);
  const folder = (): string => labPaths(lab.cloud.state).node('sw');
  /** What an engineer types at the switch. */
  const atSwitch = async (...argv: string[]): Promise<string> =>
    (await run(['ovs-vsctl', `--db=unix:${join(folder(), 'db.sock')}`, '--timeout=5', ...argv])).stdout.trim();
  const atServer = (...argv: string[]): Promise<{ code: number | null }> =>
    lab.cloud.lab.exec(SERVER, argv, { timeoutMs: 10_000 });
  const serverReaches = async (to: Guest): Promise<boolean> =>
    (await atServer('ping', '-c', '1', '-W', '1', to.address)).code === 0;
  /** Nobody serves DHCP in a network without services: the address is set by hand. */
  const deploy = async (name: string, host: string, ipaddress: string): Promise<Guest> => {
    const guest = await lab.tenant.instance(name, networkid, host, { ipaddress });
    assert.equal((await lab.exec(guest, 'ip', 'address', 'add', `${ipaddress}/24`, 'dev', 'eth0')).code, 0);
    return guest;
  };
  const members = async (): Promise<object[]> =>
    rows(await lab.tenant.call('listNetworkMembers', { networkid }), 'networkmember');
  const eventsOf = async (type: string): Promise<string[]> =>
    rows(await admin('listEvents', { type, listall: 'true' }), 'event').map((event) => text(event, 'description'));

  before(async () => {
    const { tenant } = lab;
    const [zone] = rows(await admin('listZones'), 'zone');
    const zoneid = text(zone, 'id');
    const [physical] = rows(await admin('listPhysicalNetworks'), 'physicalnetwork');
    const added = await admin('addSwitch', {
      name: 'sw',
      zoneid,
      physicalnetworkid: text(physical, 'id'),
      driver: 'ovsdb',
      url: `unix:${join(folder(), 'db.sock')}`,
      'details[0].bridge': 'br-sw',
      'details[0].rundir': folder(),
      nativevlan: '999',
    });
    switchid = text(field(added, 'switch'), 'id');
    await admin('updateConfiguration', { name: 'switch.review.interval', value: '1' });
    for (const host of rows(await admin('listHosts', { type: 'Routing' }), 'host')) {
      const name = `${text(host, 'name')}-eth0`;
      const hostid = text(host, 'id');
      await admin('addSwitchPort', { switchid, name, role: 'hypervisor', hostid, managed: 'false' });
    }
    await admin('addSwitchPort', { switchid, name: `${PORT},printer-eth0` });
    const ports = rows(await admin('listSwitchPorts', { switchid, role: 'access' }), 'switchport');
    const domains = rows(await admin('listDomains', { listall: 'true', name: 'acme' }), 'domain');
    for (const port of ports)
      await admin('grantSwitchPort', { id: text(port, 'id'), domainid: text(domains[0], 'id') });
    networkid = await tenant.network('NoServices', { cidr: '10.1.1.0/24' });
    vlan = await tenant.vlanOf(networkid);
    [vm1, vm2, vm3] = await Promise.all([
      deploy('vm1', 'h1', '10.1.1.11'),
      deploy('vm2', 'h1', '10.1.1.12'),
      deploy('vm3', 'h2', '10.1.1.13'),
    ]);
    const registered = await tenant.call('registerDevice', { name: SERVER });
    deviceid = text(field(registered, 'device'), 'id');
  });

  test('S07 S26: attaching sets the port, says where and finds the MAC; server and instances reach each other', async () => {
    const [port] = rows(await lab.tenant.call('listSwitchPorts', { name: PORT }), 'switchport');
    assert.equal(await atSwitch('get', 'Port', PORT, 'tag'), '999');
    const attached = await lab.tenant.call('attachDevice', { networkid, deviceid, switchportid: text(port, 'id') });
    const member = field(attached, 'networkmember');
    assert.equal(text(member, 'place'), `switch sw, port ${PORT}`);
    assert.equal(text(member, 'state'), 'Attached');
    assert.equal(await atSwitch('get', 'Port', PORT, 'tag'), String(vlan));
    address = text(member, 'ipaddress');
    await atServer('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
    for (const vm of [vm1, vm2, vm3]) {
      assert.ok(await serverReaches(vm), `${SERVER} reaches ${vm.name}`);
      assert.ok(await lab.ping(vm, { address }), `${vm.name} reaches ${SERVER}`);
    }
    const { stdout } = await lab.cloud.lab.exec(SERVER, ['ip', '-json', 'link', 'show', 'eth0']);
    const [card] = JSON.parse(stdout) as { readonly address: string }[];
    const found = await eventually(
      'its MAC is found',
      async () => (await members()).find((each) => 'macaddress' in each && text(each, 'name') === SERVER),
      TOLD_MS,
    );
    assert.equal(text(found, 'macaddress'), card?.address);
    const carrying = rows(await admin('listSwitchPorts', { networkid }), 'switchport');
    assert.deepEqual(carrying.map((each) => `${text(each, 'name')} ${text(each, 'networkform')}`).toSorted(), [
      `${PORT} untagged`,
      'h1-eth0 tagged',
      'h2-eth0 tagged',
    ]);
  });

  test('S13 S25: the inventory shows all of them, and no instance is given the address of the server', async () => {
    const names = (await members()).map((each) => `${text(each, 'kind')} ${text(each, 'name')}`);
    assert.deepEqual(names.toSorted(), ['device fileserver', 'instance vm1', 'instance vm2', 'instance vm3']);
    await assert.rejects(lab.tenant.instance('vm4', networkid, 'h1', { ipaddress: address }), new RegExp(address));
  });

  test('S09: the VLAN taken off a trunk by hand: one host goes on, across hosts is silence, and switch and port are named', async () => {
    const trunks = Array.from({ length: 90 }, (_, index) => index + 10).join(',');
    await atSwitch('set', 'Port', 'h2-eth0', `trunks=${trunks}`);
    assert.ok(await lab.ping(vm1, vm2), 'vm1 reaches vm2 on its own host');
    assert.ok(await serverReaches(vm1), 'the server reaches vm1');
    assert.ok(!(await lab.ping(vm1, vm3)), 'vm1 reaches vm3 on another host no more');
    assert.ok(!(await serverReaches(vm3)), 'the server reaches vm3 no more');
    const told = await eventually(
      'the network says where it is not realized',
      async () => {
        const [network] = rows(await admin('listNetworks', { id: networkid, listall: 'true' }), 'network');
        return network !== undefined && 'notrealized' in network ? rows(network, 'notrealized')[0] : undefined;
      },
      TOLD_MS,
    );
    assert.equal(text(told, 'target'), 'switch sw, port h2-eth0');
    assert.match(text(told, 'text'), new RegExp(`port h2-eth0 \\(hypervisor h2\\): VLAN ${vlan} is not on it tagged`));
    const [event, ...more] = await eventsOf('SWITCH.VLAN.MISSING');
    assert.deepEqual(more, []);
    assert.match(event ?? '', new RegExp(`switch sw, port h2-eth0 \\(hypervisor h2\\): VLAN ${vlan}`));
    assert.ok(
      !(await atSwitch('get', 'Port', 'h2-eth0', 'trunks')).includes(String(vlan)),
      'a port that is not ours is not written',
    );

    // Once it is ours to set, it is set; what was there stays.
    const [port] = rows(await admin('listSwitchPorts', { name: 'h2-eth0' }), 'switchport');
    await admin('updateSwitchPort', { id: text(port, 'id'), managed: 'true' });
    await eventually('vm1 reaches vm3 again', async () => ((await lab.ping(vm1, vm3)) ? true : undefined), TOLD_MS);
    const now = await atSwitch('get', 'Port', 'h2-eth0', 'trunks');
    assert.equal(now, `[${trunks.replaceAll(',', ', ')}, ${vlan}]`);
  });

  test('a port that somebody changed is put back and told', async () => {
    await atSwitch('set', 'Port', PORT, 'tag=666');
    await eventually(
      'the port is put back',
      async () => ((await atSwitch('get', 'Port', PORT, 'tag')) === String(vlan) ? true : undefined),
      TOLD_MS,
    );
    const told = await eventually('it is told', async () => (await eventsOf('SWITCH.PORT.CHANGED'))[0], TOLD_MS);
    assert.match(
      told,
      new RegExp(`switch sw, port ${PORT} \\(device ${SERVER}\\): found untagged 666.*untagged ${vlan}`),
    );
    assert.ok(await serverReaches(vm1), 'the server reaches vm1');
  });

  test('S09: the VLAN missing between two switches is named with switch and uplink, which is never written', async () => {
    const [cable] = rows(await admin('listSwitchPorts', { name: 'h2-eth0' }), 'switchport');
    await admin('deleteSwitchPort', { id: text(cable, 'id') });
    const patch = (port: string, peer: string): string[] => [
      '--',
      'set',
      'Interface',
      port,
      'type=patch',
      `options:peer=${peer}`,
    ];
    const leaf = ['add-br', 'br-two', '--', 'set', 'Bridge', 'br-two', 'datapath_type=netdev'];
    const moved = ['del-port', 'h2-eth0', '--', 'add-port', 'br-two', 'h2-eth0', 'vlan_mode=native-untagged', 'tag=1'];
    const near = ['add-port', 'br-sw', 'up1', ...patch('up1', 'up2')];
    const far = ['add-port', 'br-two', 'up2', ...patch('up2', 'up1')];
    await atSwitch(...leaf, '--', ...moved, '--', ...near, '--', ...far);
    const { zoneid, physicalnetworkid } = rows(await admin('listSwitches'), 'switch')[0] as Record<string, unknown>;
    const two = await admin('addSwitch', {
      name: 'two',
      zoneid: String(zoneid),
      physicalnetworkid: String(physicalnetworkid),
      driver: 'ovsdb',
      url: `unix:${join(folder(), 'db.sock')}`,
      'details[0].bridge': 'br-two',
    });
    const behind = { switchid: text(field(two, 'switch'), 'id'), managed: 'false' };
    const hostid = text(cable, 'hostid');
    await admin('addSwitchPort', { ...behind, name: 'h2-eth0', role: 'hypervisor', hostid });
    await admin('addSwitchPort', { ...behind, name: 'up2', role: 'uplink' });
    await admin('addSwitchPort', { switchid, name: 'up1', role: 'uplink' });
    await eventually('vm1 reaches vm3', async () => ((await lab.ping(vm1, vm3)) ? true : undefined), TOLD_MS);
    await atSwitch('set', 'Port', 'up1', 'trunks=1');
    assert.ok(!(await lab.ping(vm1, vm3)), 'vm1 reaches vm3 no more');
    const told = await eventually(
      'the network says where it is not realized',
      async () => {
        const [network] = rows(await admin('listNetworks', { id: networkid, listall: 'true' }), 'network');
        return network !== undefined && 'notrealized' in network ? rows(network, 'notrealized')[0] : undefined;
      },
      TOLD_MS,
    );
    assert.match(
      text(told, 'text'),
      new RegExp(`^switch sw, port up1 \\(other switches\\): VLAN ${vlan} is not on it`),
    );
    assert.equal(await atSwitch('get', 'Port', 'up1', 'trunks'), '[1]');
    await atSwitch('clear', 'Port', 'up1', 'trunks');
  });

  test('detaching: silence, the port is parked, the address is free, and the network can go', async () => {
    await assert.rejects(lab.tenant.call('deleteNetwork', { id: networkid }), /fileserver|instances/);
    await lab.tenant.call('detachDevice', { networkid, deviceid });
    assert.equal(await atSwitch('get', 'Port', PORT, 'tag'), '999');
    assert.ok(!(await serverReaches(vm1)), 'the server reaches vm1 no more');
    assert.ok(!(await lab.ping(vm1, { address })), 'vm1 reaches the server no more');
    const vm4 = await deploy('vm4', 'h1', address);
    assert.ok(await lab.ping(vm1, vm4), 'the address is an instance’s now');
  });
});
