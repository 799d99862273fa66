// Story 10: who is it? A Raspberry Pi that nobody registered is plugged into a socket of the network's VLAN. It is found by how its
// MAC address begins, so is what it takes from others, and in the end it becomes a member like any other.
//
//     h1     h2                 switch sw
//     vm1    vm2          fileserver-eth0   printer-eth0
//      |      |                  |               |
//   ===+======+==================+===============+======   VLAN of the network, 10.40.0.0/24
//                           fileserver      b8:27:eb:00:11:ab: a stranger
import { field, rows, text } from '../../src/demo/answer.ts';
import { macAt, resume, setAddress } from '../../src/demo/by-hand.ts';
import { type LabSwitch, registerSwitch } from '../../src/demo/lab-switch.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';

const ACCOUNT = 'acme-admin';
const CIDR = '10.40.0.0/24';
const SERVER = 'fileserver';
const PI = 'printer';
const PORT = `${PI}-eth0`;
const MAC = 'b8:27:eb:00:11:ab';
const ADDRESS = '10.40.0.77';
const TOLD_MS = 20_000;

export const story: Story = {
  title: 'Story 10: who is it?',
  summary: `Somebody plugged a machine into the network ${CIDR}. A scan finds it: address, MAC, vendor, switch port, and what it does to others.`,
  topology: 'campus',
  byHand: 'vm1 -- ping -c3 10.40.0.2',
  async play(world) {
    if (world.lab.sandbox.rootless)
      throw new Error(
        'a scan asks from the bridge of a hypervisor, which is no device of the kernel without root: use sudo',
      );
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) {
      world.say('the instances are here already, from an earlier run');
      await resume(world, earlier);
      await world.matrix('the instances still talk', earlier, true);
      return;
    }
    const scene = await begin(world, tenant);
    await plugIn(scene);
    await whatWeKnow(scene);
    await findIt(scene);
    await whoElse(scene);
    await notForEverybody(scene);
    await duplicateAddress(scene);
    await becomesAMember(scene);
  },
};

interface Scene {
  readonly world: World;
  readonly tenant: Tenant;
  readonly sw: LabSwitch;
  readonly networkid: string;
  readonly vm1: Guest;
  readonly vm2: Guest;
  readonly server: { readonly address: string; readonly mac: string };
}

/** Two instances and a server that the product knows; a socket in the corridor that it only looks at. */
async function begin(world: World, tenant: Tenant): Promise<Scene> {
  const sw = await registerSwitch(world);
  await sw.trunks(['h1', 'h2', 'h3'], { managed: 'false' });
  const port = await sw.port(`${SERVER}-eth0`, { role: 'access' });
  await sw.grant(port, 'acme');
  await sw.port(PORT, { role: 'access', managed: 'false' });
  const networkid = await tenant.network('NoServices', { cidr: CIDR });
  const deploy = async (name: string, host: string, ipaddress: string): Promise<Guest> => {
    const guest = await tenant.instance(name, networkid, host, { ipaddress });
    await setAddress(world, guest, ipaddress);
    return guest;
  };
  const [vm1, vm2] = await Promise.all([deploy('vm1', 'h1', '10.40.0.1'), deploy('vm2', 'h2', '10.40.0.2')]);
  const mac = await macAt(world, SERVER);
  const device = { name: SERVER, kind: 'server', macaddress: mac, switchportid: port };
  const deviceid = text(field(await tenant.call('registerDevice', device), 'device'), 'id');
  const member = field(await tenant.call('attachDevice', { networkid, deviceid }), 'networkmember');
  const server = { address: text(member, 'ipaddress'), mac };
  await setAddress(world, SERVER, server.address);
  world.say(`the network has vm1 on h1, vm2 on h2, and device ${SERVER} at ${text(member, 'place')}`);
  return { world, tenant, sw, networkid, vm1, vm2, server };
}

/** What somebody does who knows the number of the VLAN, or is lucky with a socket. */
async function plugIn({ world, tenant, sw, networkid, vm1 }: Scene): Promise<void> {
  await world.inNetwork(PI, ['ip', 'link', 'set', 'eth0', 'address', MAC]);
  await setAddress(world, PI, ADDRESS);
  await world.reaches('before: in the parking VLAN it reaches nobody', PI, vm1.address, false);
  const vlan = await tenant.vlanOf(networkid);
  await sw.vsctl('set', 'Port', PORT, `tag=${vlan}`);
  world.say(`somebody puts ${PORT} into VLAN ${vlan}, behind the product's back`);
  // A switch takes its moment to forward by a new setting.
  const reached = await world
    .waitFor('the stranger to reach vm1', () => world.pingFrom(PI, vm1.address))
    .catch(() => false);
  world.expect('a stranger is in the network: it reaches vm1', reached);
}

async function neighbours(
  { world, networkid }: Scene,
  more: Readonly<Record<string, string>> = {},
  account = ACCOUNT,
): Promise<Readonly<Record<string, string | boolean>>[]> {
  const answer = await world.as(account)('listNetworkNeighbors', { networkid, ...more });
  return rows(answer, 'networkneighbor') as Readonly<Record<string, string | boolean>>[];
}

async function scan({ world, tenant, networkid }: Scene): Promise<object> {
  const done = field(await tenant.call('scanNetwork', { networkid }), 'networkscan');
  world.say(`scanNetwork: ${text(done, 'count')} addresses answer, ${text(done, 'strangers')} of them strangers'`);
  return done;
}

async function whoHas({ tenant }: Scene, of: { ipaddress: string } | { macaddress: string }): Promise<string> {
  const [command, key] =
    'ipaddress' in of
      ? (['listWhoHasThisIp', 'whohasthisip'] as const)
      : (['listWhoHasThisMac', 'whohasthismac'] as const);
  const found = rows(await tenant.call(command, of), key);
  return found.map((each) => `${text(each, 'virtualmachinetype')} ${text(each, 'virtualmachinename')}`).join(', ');
}

/** Questions to the books: nothing is sent. What the product gave to nobody, it does not know. */
async function whatWeKnow(scene: Scene): Promise<void> {
  const { world, vm1, vm2, server } = scene;
  const answers = [
    [`listWhoHasThisIp ${vm1.address}`, await whoHas(scene, { ipaddress: vm1.address }), 'User vm1'],
    [`listWhoHasThisMac ${vm2.mac}`, await whoHas(scene, { macaddress: vm2.mac }), 'User vm2'],
    [`listWhoHasThisIp ${server.address}`, await whoHas(scene, { ipaddress: server.address }), `Device ${SERVER}`],
    [`listWhoHasThisMac ${server.mac}`, await whoHas(scene, { macaddress: server.mac }), `Device ${SERVER}`],
    [`listWhoHasThisIp ${ADDRESS}`, await whoHas(scene, { ipaddress: ADDRESS }), ''],
    [`listWhoHasThisMac ${MAC}`, await whoHas(scene, { macaddress: MAC }), ''],
  ] as const;
  for (const [question, answer, wanted] of answers)
    world.expect(`S50: ${question}: ${wanted === '' ? 'nobody we know' : wanted}`, answer === wanted, answer);
}

async function events(world: World, type: string, account: string): Promise<string[]> {
  return rows(await world.as(account)('listEvents', { type }), 'event').map((event) => text(event, 'description'));
}

async function findIt(scene: Scene): Promise<void> {
  const { world, sw } = scene;
  const portid = await sw.port(PORT);
  await world.waitFor(
    `the switch's MAC table showing ${MAC} at ${PORT}`,
    async () => {
      const [port] = rows(await world.operator('listSwitchPorts', { id: portid }), 'switchport');
      return (port as { readonly macaddress?: readonly string[] }).macaddress?.includes(MAC);
    },
    TOLD_MS,
  );
  const done = await scan(scene);
  const counted = `${text(done, 'count')}, ${text(done, 'strangers')}`;
  world.expect('S50: the wire knows four, one of them a stranger', counted === '4, 1', counted);
  const [pi, ...more] = await neighbours(scene, { macaddress: 'b8:27:eb' }, 'admin');
  const said = JSON.stringify(pi);
  world.say(
    `       macaddress=b8:27:eb: ${pi?.['ipaddress']} ${pi?.['macaddress']} ${pi?.['vendor']}, ${pi?.['place']}`,
  );
  const itself = pi?.['ipaddress'] === ADDRESS && pi['macaddress'] === MAC && more.length === 0;
  world.expect('S50: who begins with b8:27:eb: its address and its MAC', itself, said);
  world.expect('S50: who made it', /Raspberry Pi/.test(String(pi?.['vendor'])), said);
  world.expect('S50: at which switch port it is', pi?.['place'] === `port ${PORT} of switch sw`, said);
  world.expect('S50: and that it is not ours', pi?.['known'] === false && pi['kind'] === 'stranger', said);
  const [told = 'nothing'] = await events(world, 'NETWORK.STRANGER', ACCOUNT);
  world.say(`       event NETWORK.STRANGER: "${told}"`);
  world.expect('S50: the tenant is told of the stranger', told.startsWith(`${MAC} (an unknown machine, made by`), told);
  const forRoot = (await events(world, 'NETWORK.STRANGER', 'admin')).join();
  world.expect('S50: the operator with its port', forRoot.includes(`at port ${PORT} of switch sw`), forRoot);
}

/** Those of ours are found on the wire as well, with their names. */
async function whoElse(scene: Scene): Promise<void> {
  const { world } = scene;
  const ours = (await neighbours(scene, {}, 'admin')).filter(({ known }) => known === true);
  const lines = ours.map((each) => `${each['kind']} ${each['ownername']} at ${each['place']}`).toSorted();
  const wanted = [
    `device ${SERVER} at port ${SERVER}-eth0 of switch sw`,
    'instance vm1 at hypervisor h1',
    'instance vm2 at hypervisor h2',
  ];
  world.expect('S50: all others are ours, with name and place', lines.join() === wanted.join(), lines.join('; '));
}

async function notForEverybody(scene: Scene): Promise<void> {
  const { world, networkid } = scene;
  const places = (await neighbours(scene)).filter((row) => 'place' in row);
  world.expect("places are the operator's business, not the tenant's", places.length === 0, JSON.stringify(places));
  await world.refused(
    'another tenant asks about a network that does not exist for him',
    () => neighbours(scene, {}, 'globex-admin'),
    /networkid|exist/,
  );
  await world.refused('a network is not scanned all the time', () => scan(scene), /can be scanned every 60 s/);
  await world.operator('updateConfiguration', { name: 'network.scan.interval', value: '0' });
  world.say('updateConfiguration network.scan.interval=0: as often as we like');
  const ask = { networkid };
  await world.refused(
    'nor by another tenant',
    () => world.as('globex-admin')('scanNetwork', ask),
    /networkid|exist|not available/,
  );
}

/** The stranger takes an address that is vm1's: whoever answers last gets the packets. */
async function duplicateAddress(scene: Scene): Promise<void> {
  const { world, vm1 } = scene;
  await world.reaches(`before: ${SERVER} reaches vm1`, SERVER, vm1.address, true);
  await setAddress(world, PI, vm1.address);
  world.say(`the stranger takes ${vm1.address}, which is vm1's, and says so to all`);
  // Whoever spoke last: it says so again until it was the last.
  const taken = async (): Promise<boolean> => {
    await world.inNetwork(PI, ['arping', '-q', '-U', '-c', '1', '-I', 'eth0', vm1.address]);
    const heard = await world.echoesReceived(vm1);
    await world.pingFrom(SERVER, vm1.address);
    return (await world.echoesReceived(vm1)) === heard && (await world.neighbour(SERVER, vm1.address)) === MAC;
  };
  const lost = await world.waitFor('the stranger to have the last word', taken).catch(() => false);
  world.expect(`duplicate address: ${SERVER}'s packets for vm1 go to the stranger`, lost);
  await scan(scene);
  const both = (await neighbours(scene, { ipaddress: vm1.address })).map(
    ({ macaddress, kind, ownername }) => `${macaddress} ${kind} ${ownername}`,
  );
  const wanted = [`${vm1.mac} instance vm1`, `${MAC} impostor vm1`].toSorted();
  world.expect(
    'duplicate address: both are shown, and which is not vm1',
    both.toSorted().join() === wanted.join(),
    both.join(),
  );
  const [told = 'nothing'] = await events(world, 'NETWORK.DUPLICATE.ADDRESS', 'admin');
  world.say(`       event NETWORK.DUPLICATE.ADDRESS: "${told}"`);
  const named = ['two machines answer for', vm1.address, vm1.mac, 'instance vm1', MAC, `port ${PORT} of switch sw`];
  const missing = named.filter((each) => !told.includes(each));
  world.expect(
    'duplicate address: an event names both and their places',
    missing.length === 0,
    `not in it: ${missing}`,
  );
  const [tenants = 'nothing'] = await events(world, 'NETWORK.DUPLICATE.ADDRESS', ACCOUNT);
  const his = tenants.includes(MAC) && !/ port | switch /.test(tenants);
  world.expect('duplicate address: the tenant is told as well', his, tenants);
}

/** It is the department's own printer server after all. The socket becomes ours to set, and the machine gets a place of its own. */
async function becomesAMember(scene: Scene): Promise<void> {
  const { world, tenant, sw, networkid, vm1, vm2 } = scene;
  const id = await sw.port(PORT);
  await world.operator('updateSwitchPort', { id, managed: 'true' });
  await world.waitFor(
    'the port being a free one',
    async () => (await sw.vsctl('get', 'Port', PORT, 'tag')) === '999',
    TOLD_MS,
  );
  await world.reaches('a port that is ours and granted to nobody lets nobody in', PI, vm2.address, false);
  await sw.grant(id, 'acme');
  const device = { name: PI, kind: 'other', switchportid: id, macaddress: MAC };
  const deviceid = text(field(await tenant.call('registerDevice', device), 'device'), 'id');
  const member = field(await tenant.call('attachDevice', { networkid, deviceid }), 'networkmember');
  const address = text(member, 'ipaddress');
  await world.inNetwork(PI, ['ip', 'address', 'flush', 'dev', 'eth0']);
  await setAddress(world, PI, address);
  world.say(`attachDevice: ${PI} is a member now, with ${address}`);
  await world.reaches(`${PI} and vm1 reach each other`, vm1, address, true);
  const done = await scan(scene);
  world.expect('there are no strangers any more', text(done, 'strangers') === '0', JSON.stringify(done));
  const [pi] = await neighbours(scene, { ipaddress: address });
  const known = pi?.['kind'] === 'device' && pi['ownername'] === PI && pi['known'] === true;
  world.expect(`${MAC} is device ${PI}`, known, JSON.stringify(pi));
}
