// Story 4: virtual and physical together. A server on a switch port and a Linux machine on a trunk are in one network with instances.
//
//     h1         h2                 switch sw
//     vm1 vm2    vm3           fileserver-eth0         r1-eth1
//      |   |      |                   | untagged          | tagged
//   ===+===+======+===================+===================+======   VLAN of the network, 10.1.1.0/24
//                              fileserver            router1 (eth1.VLAN)
import { field, rows, text } from '../../src/demo/answer.ts';
import { macAt, resume, setAddress } from '../../src/demo/by-hand.ts';
import { type LabSwitch, registerSwitch } from '../../src/demo/lab-switch.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';

const ACCOUNT = 'acme-admin';
const CIDR = '10.1.1.0/24';
const SERVER = 'fileserver';
const PORT = `${SERVER}-eth0`;
/** A port somebody else's network depends on, and the one by which the switch itself is managed. */
const UNTOUCHED = { 'upstream-eth0': 'uplink', 'central-eth0': 'management' } as const;
/** A look at the switch each second, and a busy machine. */
const TOLD_MS = 20_000;

export const story: Story = {
  title: 'Story 4: virtual and physical together',
  summary: `An operator registers a switch and grants ports; a tenant puts a server behind one of them into the network of his instances, ${CIDR}.`,
  topology: 'campus',
  byHand: 'vm1 -- ping -c3 10.1.1.3',
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) {
      world.say('the instances are here already, from an earlier run');
      const guests = earlier.filter(({ name }) => /^vm[123]$/.test(name));
      await resume(world, guests);
      await world.matrix('S08: the instances still talk', guests, true);
      return;
    }
    const sw = await operatorsPart(world);
    const untouched = await portColumns(sw);

    const networkid = await tenant.network('NoServices', { cidr: CIDR });
    const vlan = await tenant.vlanOf(networkid);
    world.say(`the network is VLAN ${vlan}, from the pool; nobody routes for it`);
    const [vm1, vm2, vm3] = await Promise.all([
      deploy(world, tenant, networkid, { name: 'vm1', host: 'h1', ipaddress: '10.1.1.1' }),
      deploy(world, tenant, networkid, { name: 'vm2', host: 'h1', ipaddress: '10.1.1.2' }),
      deploy(world, tenant, networkid, { name: 'vm3', host: 'h2', ipaddress: '10.1.1.3' }),
    ]);
    const scene: Scene = { world, tenant, sw, networkid, vlan, vm1, vm2, vm3 };
    const server = await attachServer(scene);
    await world.matrix('S25: instances and server are one network', [vm1, vm2, vm3, server], true);
    await whatIsKnown(scene, server);
    await tagsOnTrunksOnly(scene, server);
    await addressesAreKept(scene, server);
    await routerOnTrunk(scene);
    await vlanMissing(scene, server);
    await wrongUntaggedVlan(scene, server);
    await detach(scene, server);
    const now = await portColumns(sw);
    world.expect('S07: uplink and management ports are as they were', now === untouched, `${untouched}, now ${now}`);
  },
};

interface Scene {
  readonly world: World;
  readonly tenant: Tenant;
  readonly sw: LabSwitch;
  readonly networkid: string;
  readonly vlan: number;
  readonly vm1: Guest;
  readonly vm2: Guest;
  readonly vm3: Guest;
}

interface Server extends Guest {
  readonly deviceid: string;
}

/** The cables are the network team's for now: compared, not set. So is the trunk of router1. */
async function operatorsPart(world: World): Promise<LabSwitch> {
  const sw = await registerSwitch(world);
  await sw.trunks(['h1', 'h2', 'h3'], { managed: 'false' });
  for (const [name, role] of Object.entries(UNTOUCHED)) await sw.port(name, { role });
  for (const [name, managed] of [
    [PORT, 'true'],
    ['r1-eth1', 'false'],
  ] as const)
    await sw.grant(await sw.port(name, { role: 'access', managed }), 'acme');
  world.say(`ports of h1, h2, h3 are compared, ${PORT} and r1-eth1 granted to acme; uplink and management are known`);
  await world.refused(
    'S07: an uplink port is granted to nobody',
    async () => sw.grant(await sw.port('upstream-eth0'), 'acme'),
    /upstream-eth0 cannot be granted: its role is uplink/,
  );
  return sw;
}

async function portColumns(sw: LabSwitch): Promise<string> {
  const all = Object.keys(UNTOUCHED).map((name) => sw.vsctl('get', 'Port', name, 'vlan_mode', 'tag', 'trunks'));
  return (await Promise.all(all)).join(' ').replaceAll('\n', ' ');
}

/** Nobody serves DHCP on such a wire: the address that the answer names is set by hand. */
async function deploy(
  world: World,
  tenant: Tenant,
  networkid: string,
  { name, host, ...more }: { readonly name: string; readonly host: string; readonly ipaddress?: string },
): Promise<Guest> {
  const guest = await tenant.instance(name, networkid, host, more);
  await setAddress(world, guest, guest.address);
  world.say(`${name} on ${host} has ${guest.address}`);
  return guest;
}

/** Before: the cable is plugged in, and an address guessed. After: one request, and the address that it proposed. */
async function attachServer({ world, tenant, sw, networkid, vlan, vm1 }: Scene): Promise<Server> {
  await setAddress(world, SERVER, '10.1.1.100');
  await world.reaches(`before: ${SERVER} is plugged in, and reaches nobody`, SERVER, vm1.address, false);
  const [port] = rows(await tenant.call('listSwitchPorts', { name: PORT }), 'switchport');
  const device = field(await tenant.call('registerDevice', { name: SERVER, kind: 'server' }), 'device');
  const deviceid = text(device, 'id');
  const request = { networkid, deviceid, switchportid: text(port, 'id') };
  const member = field(await tenant.call('attachDevice', request), 'networkmember');
  const address = text(member, 'ipaddress');
  const place = text(member, 'place');
  world.say(`attachDevice: ${text(member, 'state')} at ${place}, address ${address}`);
  world.expect('S13: the lowest address that nobody has is proposed', address === '10.1.1.4', address);
  const tag = await sw.vsctl('get', 'Port', PORT, 'tag');
  const told = place === `switch sw, port ${PORT}`;
  world.expect('S07: the port is set to the VLAN, untagged, and named', tag === `${vlan}` && told, `${tag}, ${place}`);
  await world.inNetwork(SERVER, ['ip', 'address', 'flush', 'dev', 'eth0']);
  await setAddress(world, SERVER, address);
  return { id: SERVER, name: SERVER, address, mac: await macAt(world, SERVER), deviceid };
}

async function members({ tenant, networkid }: Scene): Promise<object[]> {
  return rows(await tenant.call('listNetworkMembers', { networkid }), 'networkmember');
}

async function whatIsKnown(scene: Scene, server: Server): Promise<void> {
  const { world, networkid } = scene;
  const found = await world.waitFor(
    `the MAC of ${SERVER}`,
    async () => (await members(scene)).find((each) => text(each, 'name') === SERVER && 'macaddress' in each),
    TOLD_MS,
  );
  const mac = text(found, 'macaddress');
  world.expect(
    'S07: its MAC was found at the switch, nobody typed it',
    mac === server.mac,
    `${mac}, not ${server.mac}`,
  );
  const all = (await members(scene)).map((each) => `${text(each, 'name')} ${text(each, 'ipaddress')}`).join(', ');
  const wanted = 'vm1 10.1.1.1, vm2 10.1.1.2, vm3 10.1.1.3, fileserver 10.1.1.4';
  world.expect('S25: one inventory shows instances and server', all === wanted, all);
  const ports = rows(await world.operator('listSwitchPorts', { networkid }), 'switchport')
    .map((each) => `${text(each, 'name')} ${text(each, 'networkform')}`)
    .toSorted()
    .join(', ');
  const needed = `${PORT} untagged, h1-eth0 tagged, h2-eth0 tagged`;
  world.expect('S07: the switch ports that must carry the network are listed', ports === needed, ports);
}

async function tagsOnTrunksOnly({ world, vlan, vm1 }: Scene, server: Server): Promise<void> {
  const during = (): Promise<boolean> => world.ping(vm1, server);
  const trunk = await world.tagsSeen('h1-eth0', during, 'vlan and (icmp or arp)');
  const access = await world.tagsSeen(PORT, during, 'icmp or arp or vlan');
  if (trunk === undefined || access === undefined)
    return world.say('       frames are not looked at: tcpdump cannot run without root here');
  world.expect(`S26: the trunk of h1 carries tag ${vlan}`, trunk.vlans.join() === `${vlan}`, JSON.stringify(trunk));
  const plain = access.vlans.length === 0 && access.untagged > 0;
  world.expect(`S26: ${SERVER} never sees a tag`, plain, JSON.stringify(access));
}

async function addressesAreKept({ world, tenant, networkid }: Scene, server: Server): Promise<void> {
  await world.refused(
    `S13: an instance does not get ${server.address}`,
    () => tenant.instance('thief', networkid, 'h1', { ipaddress: server.address }),
    new RegExp(server.address.replaceAll('.', String.raw`\.`)),
  );
  const vm4 = await tenant.instance('vm4', networkid, 'h1');
  world.expect('S13: one that asks for none gets the next', vm4.address === '10.1.1.5', vm4.address);
}

/** A machine that tags its frames itself, as in the archive: `eth1.1234`, 10.1.1.10/24. */
async function routerOnTrunk({ world, tenant, networkid, vlan, vm1, vm3 }: Scene): Promise<void> {
  const [port] = rows(await tenant.call('listSwitchPorts', { name: 'r1-eth1' }), 'switchport');
  const registered = await tenant.call('registerDevice', { name: 'router1', kind: 'router' });
  const deviceid = text(field(registered, 'device'), 'id');
  const attach = (ipaddress: string): Promise<object> =>
    tenant.call('attachDevice', { networkid, deviceid, switchportid: text(port, 'id'), ipaddress, tagged: 'true' });
  await world.refused('S12: an address of another range is refused', () => attach('10.1.2.10'), /10\.1\.1\.0\/24/);
  await world.refused('S12: another netmask is refused', () => attach('10.1.1.10/16'), /Set \/24 at the device/);
  const member = field(await attach('10.1.1.10/24'), 'networkmember');
  world.expect('S10: it is told which tag to use', text(member, 'vlan') === `${vlan}`, JSON.stringify(member));
  const device = await taggedDevice(world, vlan);
  if (device === undefined) return;
  await setAddress(world, 'r1', '10.1.1.10', device);
  for (const vm of [vm1, vm3]) {
    await world.reaches(`S10: router1 with ${device} reaches ${vm.name}`, 'r1', vm.address, true);
    await world.reaches(`S10: ${vm.name} reaches router1`, vm, '10.1.1.10', true);
  }
}

/**
 * `eth1.VLAN` in r1. Kernels of sandboxes have no 802.1Q; there an access port of its Open vSwitch does the same. Undefined where
 * that makes no device either.
 */
async function taggedDevice(world: World, vlan: number): Promise<string | undefined> {
  const device = `eth1.${vlan}`;
  const port = ['add-port', 'br-vlan', device, `tag=${vlan}`, '--', 'set', 'Interface', device, 'type=internal'];
  await world.exec('r1', ['ovs-vsctl', '--timeout=10', ...port]);
  const { code } = await world.inNetwork('r1', ['ip', 'link', 'set', device, 'up']);
  if (code === 0) return device;
  world.say(`       ${device} cannot be made here`);
  return undefined;
}

async function notRealized(world: World, account: string, networkid: string): Promise<object | undefined> {
  const more: Readonly<Record<string, string>> = account === 'admin' ? { listall: 'true' } : {};
  const [network] = rows(await world.as(account)('listNetworks', { id: networkid, ...more }), 'network');
  return rows(network ?? {}, 'notrealized')[0];
}

async function events(world: World, type: string): Promise<string[]> {
  const found = rows(await world.operator('listEvents', { type, listall: 'true' }), 'event');
  return found.map((event) => text(event, 'description'));
}

/** Expects that the network says what is wrong, and an event of this type; prints both. */
async function isTold(
  { world, networkid }: Scene,
  { promise, place, says, type }: { promise: string; place: string; says: RegExp; type: string },
): Promise<void> {
  const told = await world.waitFor('what is not realized', () => notRealized(world, 'admin', networkid), TOLD_MS);
  const event = await world.waitFor(
    `an event ${type} of ${place}`,
    async () => (await events(world, type)).find((each) => each.startsWith(place)),
    TOLD_MS,
  );
  world.say(`       "${text(told, 'text')}"`);
  world.say(`       event ${type}: "${event}"`);
  const named = text(told, 'target') === place && says.test(text(told, 'text'));
  world.expect(promise, named, JSON.stringify(told));
}

/** The archive's classic: somebody forgot the VLAN on the switch. */
async function vlanMissing(scene: Scene, server: Server): Promise<void> {
  const { world, sw, vlan, networkid, vm1, vm2, vm3 } = scene;
  world.say(`VLAN ${vlan} is taken off the switch port of h2, by hand`);
  await sw.vsctl('set', 'Port', 'h2-eth0', 'trunks=1');
  await world.reaches('S09: instances of one host still talk', vm1, vm2.address, true);
  await world.reaches('S09: and the server with them', SERVER, vm1.address, true);
  await world.reaches('S09: those of two hosts do not', vm1, vm3.address, false);
  await world.reaches('S09: nor server and vm3', 'vm3', server.address, false);
  await isTold(scene, {
    promise: 'S09: the product names the switch and the port',
    place: 'switch sw, port h2-eth0',
    says: new RegExp(`port h2-eth0 \\(hypervisor h2\\): VLAN ${vlan} is not on it tagged: the port is not ours to set`),
    type: 'SWITCH.VLAN.MISSING',
  });
  const tenants = text(await notRealized(world, ACCOUNT, networkid), 'text');
  world.expect(
    'S09: the tenant is told what fails, and no port of others',
    /instances on one hypervisor/i.test(tenants) && !/h2|eth0/.test(tenants),
    tenants,
  );
  const id = await sw.port('h2-eth0');
  await world.operator('updateSwitchPort', { id, managed: 'true' });
  world.say('updateSwitchPort managed=true: from now on this port is ours to set');
  await world.waitFor('vm3 being reached again', () => world.ping(vm1, vm3), TOLD_MS);
  await world.reaches('S09: with the VLAN back, they do', SERVER, vm3.address, true);
}

/** A port in a wrong VLAN: told while we may only look, put right when we may. */
async function wrongUntaggedVlan(scene: Scene, server: Server): Promise<void> {
  const { world, sw, vlan, vm1 } = scene;
  const place = `switch sw, port ${PORT}`;
  const whose = `${place} \\(device ${SERVER}\\)`;
  await world.operator('updateSwitch', { id: sw.id, apply: 'false' });
  world.say(`updateSwitch apply=false: look only; then ${PORT} is put into VLAN 666, by hand`);
  await sw.vsctl('set', 'Port', PORT, 'tag=666');
  await world.reaches(`wrong untagged VLAN: ${SERVER} is cut off`, vm1, server.address, false);
  await isTold(scene, {
    promise: 'wrong untagged VLAN: the product names the switch and the port',
    place,
    says: new RegExp(`${whose}: VLAN ${vlan} is not on it untagged: the switch is only looked at`),
    type: 'SWITCH.VLAN.MISSING',
  });
  const [planned = 'nothing'] = await world.waitFor('the line that would be typed', () => plannedLines(world), TOLD_MS);
  world.say(`       would be typed: ${planned}`);
  world.expect('what would be typed is shown', planned.includes(`tag=${vlan}`), planned);
  await world.operator('updateSwitch', { id: sw.id, apply: 'true' });
  await world.waitFor(`${SERVER} being reached again`, () => world.ping(vm1, server), TOLD_MS);
  world.expect('wrong untagged VLAN: put right as soon as we may', true);

  await sw.vsctl('set', 'Port', PORT, 'tag=667');
  const changed = await world.waitFor(
    'the change being told',
    async () => (await events(world, 'SWITCH.PORT.CHANGED')).find((event) => event.includes('667')),
    TOLD_MS,
  );
  world.say(`       event SWITCH.PORT.CHANGED: "${changed}"`);
  const right = new RegExp(`^${whose}: found untagged 667.*; set to untagged ${vlan}`);
  world.expect('changed by hand again: put right and told, with what it was', right.test(changed), changed);
  await world.reaches('changed by hand again: the server is reached', vm1, server.address, true);
}

async function plannedLines({ operator }: World): Promise<string[] | undefined> {
  const [row] = rows(await operator('listSwitches', { name: 'sw' }), 'switch');
  const lines = (row as { readonly plannedchanges?: readonly string[] } | undefined)?.plannedchanges ?? [];
  return lines.length === 0 ? undefined : [...lines];
}

async function detach(scene: Scene, server: Server): Promise<void> {
  const { world, tenant, sw, networkid, vm1 } = scene;
  await tenant.call('detachDevice', { networkid, deviceid: server.deviceid });
  const tag = await sw.vsctl('get', 'Port', PORT, 'tag');
  world.expect('detachDevice: the port is a free one again', tag === '999', tag);
  await world.reaches('detachDevice: silence', SERVER, vm1.address, false);
  const vm5 = await deploy(world, tenant, networkid, { name: 'vm5', host: 'h1', ipaddress: server.address });
  await world.reaches('detachDevice: its address is given to an instance, which answers', vm1, vm5.address, true);
  await world.refused(
    'S25: a network with a device in it is not deleted, and the device is named',
    () => tenant.call('deleteNetwork', { id: networkid }),
    /1 device is in it: router1/,
  );
}
