// Story 7: the customer's own VPN device, which knows no VLANs. It is the instances' default gateway, and behind it is his office.
//
//     h1    h2        switch sw                     the internet
//     vm1   vm2    vpnbox-eth0
//      |     |          | untagged          203.0.113.200    198.51.100.50
//   ===+=====+==========+==== VLAN            +-------- tunnel --------+
//         10.1.1.0/24 vpnbox 10.1.1.254 ------+                        +--- office --- officepc
//                                                                        192.168.50.0/24
import { field, rows, text } from '../../src/demo/answer.ts';
import { resume, setAddress } from '../../src/demo/by-hand.ts';
import { type LabSwitch, registerSwitch } from '../../src/demo/lab-switch.ts';
import { wireWithDhcp } from '../../src/demo/offering.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type More, type Tenant } from '../../src/demo/tenant.ts';
import type { Tunnel, TunnelEnd } from '../../src/lab/tunnel.ts';

const ACCOUNT = 'acme-admin';
const CIDR = '10.1.1.0/24';
const GATEWAY = '10.1.1.254';
const BOX = 'vpnbox';
const PORT = `${BOX}-eth0`;
/** The only public address there is. */
const WAN = '203.0.113.200';
const OFFICE = '192.168.50.0/24';
const OFFICE_PC = '192.168.50.10';
const TOLD_MS = 20_000;

export const story: Story = {
  title: "Story 7: the customer's own VPN device",
  summary: `A box that knows no VLANs is the gateway of ${CIDR}; a tunnel leads from it to the office, ${OFFICE}. No instance has a public address.`,
  topology: 'campus',
  byHand: `vm3 -- ping -c3 ${OFFICE_PC}`,
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) {
      world.say('the instances are here already, from an earlier run');
      const guests = earlier.filter(({ name }) => /^vm[12]$/.test(name));
      await resume(world, guests);
      await world.matrix('the instances still talk', guests, true);
      return;
    }
    const scene = await begin(world, tenant);
    await attachBox(scene);
    const tunnel = await officeRoutes(scene);
    await theWayThroughTheTunnel(scene);
    await notFromOutside(scene);
    await faults(scene);
    await anotherBrand(scene, tunnel);
    await withDhcp(scene);
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
  readonly deviceid: string;
}

/** A network without a router whose gateway is to be somebody's machine: its address is published, and set by hand. */
async function begin(world: World, tenant: Tenant): Promise<Scene> {
  const sw = await registerSwitch(world);
  await sw.trunks(['h1', 'h2', 'h3'], { managed: 'false' });
  const port = await sw.port(PORT, { role: 'access' });
  await sw.grant(port, 'acme');
  const networkid = await tenant.network('NoServices', { gateway: GATEWAY, netmask: '255.255.255.0' });
  const vlan = await tenant.vlanOf(networkid);
  const deploy = async (name: string, host: string, ipaddress: string): Promise<Guest> => {
    const guest = await tenant.instance(name, networkid, host, { ipaddress });
    await setAddress(world, guest, guest.address);
    const [shown] = rows(await tenant.call('listVirtualMachines', { id: guest.id }), 'virtualmachine');
    const gateway = text(rows(shown!, 'nic')[0], 'gateway');
    world.expect(`S27: ${name} is told its gateway by the API, where there is no DHCP`, gateway === GATEWAY, gateway);
    await world.exec(guest, ['ip', 'route', 'add', 'default', 'via', gateway]);
    return guest;
  };
  const [vm1, vm2] = await Promise.all([deploy('vm1', 'h1', '10.1.1.1'), deploy('vm2', 'h2', '10.1.1.2')]);
  world.say(`the network is VLAN ${vlan}; vm1 on h1 has ${vm1.address}, vm2 on h2 has ${vm2.address}`);
  const registered = await tenant.call('registerDevice', { name: BOX, kind: 'vpn', switchportid: port });
  const deviceid = text(field(registered, 'device'), 'id');
  return { world, tenant, sw, networkid, vlan, vm1, vm2, deviceid };
}

/** The box is plugged in, and one request makes it the gateway. What it has to be told itself is one address. */
async function attachBox({ world, tenant, sw, networkid, vlan, vm1, vm2, deviceid }: Scene): Promise<void> {
  await setAddress(world, BOX, GATEWAY);
  await world.reaches('before: the box is plugged in, and reaches nobody', BOX, vm1.address, false);
  const request = { networkid, deviceid, isgateway: 'true' };
  const member = field(await tenant.call('attachDevice', request), 'networkmember');
  const address = text(member, 'ipaddress');
  world.say(`attachDevice isgateway=true: ${text(member, 'state')} at ${text(member, 'place')}, address ${address}`);
  world.expect("S27: the device gets the network's gateway address", address === GATEWAY, address);
  const tag = await sw.vsctl('get', 'Port', PORT, 'tag');
  world.expect('S26: its port is in the VLAN, untagged', tag === `${vlan}`, tag);
  for (const vm of [vm1, vm2]) {
    await world.reaches(`S26: ${vm.name} reaches the box`, vm, GATEWAY, true);
    await world.reaches(`S26: the box reaches ${vm.name}`, BOX, vm.address, true);
  }
  const during = (): Promise<boolean> => world.pingFrom(BOX, vm1.address);
  const trunk = await world.tagsSeen('h1-eth0', during, 'vlan and (icmp or arp)');
  const access = await world.tagsSeen(PORT, during, 'icmp or arp or vlan');
  if (trunk === undefined || access === undefined)
    return world.say('       frames are not looked at: tcpdump cannot run without root here');
  world.expect(`S26: the trunk of h1 carries tag ${vlan}`, trunk.vlans.join() === `${vlan}`, JSON.stringify(trunk));
  const plain = access.vlans.length === 0 && access.untagged > 0;
  world.expect('S26: the box never sees a tag', plain, JSON.stringify(access));
}

const ENDS: readonly [TunnelEnd, TunnelEnd] = [
  { node: BOX, outside: WAN, inside: '10.255.0.1/30' },
  { node: 'office', outside: '198.51.100.50', inside: '10.255.0.2/30' },
];

/** What is between the box and the office is the customer's own; what he forgets there is named. */
async function officeRoutes(scene: Scene): Promise<Tunnel> {
  const { world, tenant, networkid, deviceid, vm1 } = scene;
  const tunnel = await world.tunnel(ENDS);
  await tunnel.addRoute(BOX, OFFICE);
  const made = field(await tenant.call('createNetworkRoute', { networkid, deviceid, cidr: OFFICE }), 'networkroute');
  world.say(`createNetworkRoute: ${OFFICE} is behind ${text(made, 'devicename')}, ${text(made, 'nexthop')}`);

  await world.reaches('S30: without its own route, the office does not reach vm1', 'officepc', vm1.address, false);
  await world.reaches('S30: nor vm1 the office', vm1, OFFICE_PC, false);
  const missing = await check(scene, 'hostsilent');
  world.expect(
    "S30: the missing route is named, with its place: the office's gateway",
    text(missing, 'hop') === `the gateway of ${OFFICE}` &&
      text(missing, 'description').includes('the other end has no route back'),
    JSON.stringify(missing),
  );
  const repair = text(missing, 'repair');
  world.expect('S30: and what to type there', repair.startsWith(`ip route add ${CIDR} via `), repair);
  // The office's gateway is its VPN device, in this lab.
  await tunnel.addRoute('office', CIDR);
  return tunnel;
}

/** Asks the product whether the office answers an instance; says what it said, and expects the result. */
async function check(
  { world, tenant, networkid }: Pick<Scene, 'world' | 'tenant' | 'networkid'>,
  result: string,
  more: More = {},
): Promise<object> {
  const [route] = rows(await tenant.call('listNetworkRoutes', { networkid }), 'networkroute');
  const asked = { id: text(route, 'id'), ipaddress: OFFICE_PC, ...more };
  const found = field(await tenant.call('checkNetworkRoute', asked), 'networkroutecheck');
  world.say(`checkNetworkRoute: ${text(found, 'result')}`);
  world.say(`       "${text(found, 'description')}"`);
  world.expect(`checkNetworkRoute says ${result}`, text(found, 'result') === result, JSON.stringify(found));
  return found;
}

async function theWayThroughTheTunnel(scene: Scene): Promise<void> {
  const { world, vm1, vm2 } = scene;
  for (const vm of [vm1, vm2]) {
    await world.reaches(`S27: the office reaches ${vm.name} through the tunnel`, 'officepc', vm.address, true);
    await world.reaches(`S27: ${vm.name} reaches the office, by its default gateway`, vm, OFFICE_PC, true);
  }
  const source = await world.sourceSeen(vm1, () => world.pingFrom('officepc', vm1.address));
  if (source !== undefined)
    world.expect("S27: with the office's own addresses, nothing is translated", source === OFFICE_PC, source);
  await check(scene, 'answered');
}

async function notFromOutside({ world, tenant, networkid, vm1 }: Scene): Promise<void> {
  await world.reaches("S29: the box's own address is public", 'outside', WAN, true);
  const before = await world.echoesReceived(vm1);
  await world.reaches('S29: an outside host does not reach vm1', 'outside', vm1.address, false);
  const arrived = (await world.echoesReceived(vm1)) - before;
  world.expect('S29: nothing of it arrives', arrived === 0, `${arrived} requests arrived`);
  const asked = await world.inNetwork('upstream', ['arping', '-c', '1', '-w', '1', '-I', 'eth0', vm1.address]);
  const silent = asked.code !== 0 && asked.stdout.includes('Received 0 response');
  world.expect('S29: nobody answers ARP for it outside', silent, asked.stdout + asked.stderr);
  const listed = await tenant.call('listPublicIpAddresses', { associatednetworkid: networkid });
  const found = rows(listed, 'publicipaddress');
  world.expect('S29: the network has no public address', found.length === 0, JSON.stringify(found));
}

/** What else goes wrong in such a network, and what is said of it. */
async function faults(scene: Scene): Promise<void> {
  const { world, sw, vm2 } = scene;
  await world.exec(vm2, ['ip', 'route', 'del', 'default']);
  world.say('vm2 loses its default route');
  await world.reaches('no default gateway: the office does not reach vm2', 'officepc', vm2.address, false);
  const own = await check(scene, 'instanceroute', { virtualmachineid: vm2.id });
  world.expect(
    'no default gateway: the instance is named, and the line that helps',
    text(own, 'hop') === 'instance vm2' && text(own, 'repair') === `ip route replace default via ${GATEWAY}`,
    JSON.stringify(own),
  );
  await world.exec(vm2, text(own, 'repair').split(' '));
  await world.reaches('no default gateway: that line helps', 'officepc', vm2.address, true);

  await world.operator('updateSwitch', { id: sw.id, apply: 'false' });
  await sw.vsctl('set', 'Port', PORT, 'tag=666');
  world.say(`the switch may only be looked at, and somebody puts ${PORT} into VLAN 666`);
  await world.waitFor('that being seen', async () => (await notRealized(scene)) !== undefined, TOLD_MS);
  const silent = await check(scene, 'devicesilent');
  world.expect(
    'wrong untagged VLAN: the switch and the port are named',
    text(silent, 'hop') === `switch sw, port ${PORT}` &&
      text(silent, 'description').includes('does not carry the network'),
    JSON.stringify(silent),
  );
  await world.operator('updateSwitch', { id: sw.id, apply: 'true' });
  await world.waitFor('the office being reached again', () => world.pingFrom(vm2, OFFICE_PC), TOLD_MS);
  world.expect('wrong untagged VLAN: put right as soon as we may', true);
}

async function notRealized({ tenant, networkid }: Scene): Promise<object | undefined> {
  const [network] = rows(await tenant.call('listNetworks', { id: networkid }), 'network');
  return rows(network ?? {}, 'notrealized')[0];
}

/** Another make of tunnel between the two: no request is made, since the product never knew of the first. */
async function anotherBrand(scene: Scene, tunnel: Tunnel): Promise<void> {
  const { world, vm1 } = scene;
  await tunnel.close();
  await world.reaches('S28: without a tunnel there is no way', vm1, OFFICE_PC, false);
  const [box, office] = ENDS;
  await plainTunnel(world, box, office, OFFICE);
  await plainTunnel(world, office, box, CIDR);
  await world.waitFor('the other tunnel', () => world.pingFrom(vm1, OFFICE_PC));
  world.expect('S28: with a tunnel of another make all is as before, without any request', true);
  await check(scene, 'answered');
}

/** One end of the simplest tunnel there is: IP packets in UDP packets, by socat(1). */
async function plainTunnel(world: World, own: TunnelEnd, other: TunnelEnd, behind: string): Promise<void> {
  const udp = `UDP4-DATAGRAM:${other.outside}:4500,bind=${own.outside}:4500`;
  const tun = `TUN:${own.inside},tun-name=tun0,iff-no-pi,iff-up`;
  world.say(`${own.node}: socat ${udp} ${tun}`);
  await world.exec(own.node, ['sh', '-c', `setsid -f socat ${udp} ${tun} </dev/null >/dev/null 2>&1`]);
  await world.waitFor(
    `tun0 at ${own.node}`,
    async () => (await world.exec(own.node, ['ip', 'route', 'replace', behind, 'dev', 'tun0'])).code === 0,
  );
}

/** The same with an offering that has DHCP: the instance is told its gateway and the office by options 3 and 121. */
async function withDhcp({ world, tenant, deviceid, networkid }: Scene): Promise<void> {
  const detach = (): Promise<object> => tenant.call('detachDevice', { networkid, deviceid });
  await world.refused('the office needs the box: it is not detached', detach, /reaches 192\.168\.50\.0\/24 by it/);
  const [route] = rows(await tenant.call('listNetworkRoutes', { networkid }), 'networkroute');
  await tenant.call('deleteNetworkRoute', { id: text(route, 'id') });
  await detach();
  const other = await tenant.network(await wireWithDhcp(world), { gateway: '10.2.1.254', netmask: '255.255.255.0' });
  await tenant.call('attachDevice', { networkid: other, deviceid, isgateway: 'true' });
  await tenant.call('createNetworkRoute', { networkid: other, deviceid, cidr: OFFICE });
  await world.exec(BOX, ['ip', 'address', 'flush', 'dev', 'eth0']);
  await setAddress(world, BOX, '10.2.1.254');
  await world.exec('office', ['ip', 'route', 'replace', '10.2.1.0/24', 'dev', 'tun0']);
  world.say('the box moves to a network whose offering has DHCP, 10.2.1.0/24; nothing is set in its instance by hand');
  const vm3 = await tenant.instance('vm3', other, 'h3');
  const { stdout } = await world.exec(vm3, ['ip', 'route', 'show']);
  world.say(`       vm3: ${stdout.trim().replaceAll(/\s*\n/g, '; ')}`);
  const has = (line: string): boolean => stdout.split('\n').some((each) => each.startsWith(line));
  world.expect('S27: DHCP tells the gateway (option 3)', has('default via 10.2.1.254'), stdout);
  world.expect('S27: and the office behind it (option 121)', has(`${OFFICE} via 10.2.1.254`), stdout);
  await world.reaches('S27: vm3 reaches the office', vm3, OFFICE_PC, true);
  await world.reaches('S27: the office reaches vm3', 'officepc', vm3.address, true);
  await check({ world, tenant, networkid: other }, 'answered');
}
