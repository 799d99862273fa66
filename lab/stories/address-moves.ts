// Story 9: an address moves, and the gateway, which would remember the old place for hours, knows the new one at once.
//
//     h1          h2          h3                    switch sw
//     vm1         vm2                    vpnbox-eth0        fileserver-eth0   printer-eth0
//      |           |                          |                    |
//   ===+===========+==========================+====================+======= VLAN of the network, 10.30.0.0/24
//     10.30.0.77 --->                  gateway 10.30.0.254    fileserver ------->
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { field, rows, text } from '../../src/demo/answer.ts';
import { macAt, setAddress } from '../../src/demo/by-hand.ts';
import { type LabSwitch, registerSwitch } from '../../src/demo/lab-switch.ts';
import { wireWithDhcp } from '../../src/demo/offering.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';
import { labPaths } from '../../src/lab/layout.ts';

const ACCOUNT = 'acme-admin';
const GATEWAY = '10.30.0.254';
const MOVING = '10.30.0.77';
/** The Linux machine that is the gateway. */
const BOX = 'vpnbox';
const SERVER = 'fileserver';
const TOLD_MS = 20_000;

export const story: Story = {
  title: 'Story 9: an address moves',
  summary: `The gateway of the network keeps its ARP entries for hours. ${MOVING} moves to another instance, an instance to another host, a server to another port.`,
  topology: 'campus',
  byHand: `${BOX} -- ping -c3 ${MOVING}`,
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) {
      world.say('the instances are here already, from an earlier run');
      const [vm1, vm2] = [earlier.find(({ name }) => name === 'vm1')!, earlier.find(({ name }) => name === 'vm2')!];
      await world.waitFor('vm1 and vm2 being there again', () => world.ping(vm1, vm2).catch(() => false), 60_000);
      await world.matrix('the instances still talk', [vm1, vm2], true);
      return;
    }
    const scene = await begin(world, tenant);
    await toAnotherInstance(scene);
    await withoutAnnouncement(scene);
    await frozenEntry(scene);
    await toAnotherHost(scene);
    await toAnotherPort(scene);
    whicheverArping(scene);
  },
};

interface Scene {
  readonly world: World;
  readonly tenant: Tenant;
  readonly sw: LabSwitch;
  readonly networkid: string;
  readonly vm1: Guest;
  readonly vm2: Guest;
}

/** A Linux machine is the gateway, with the ARP timeout of a big router: hours. */
async function begin(world: World, tenant: Tenant): Promise<Scene> {
  const sw = await registerSwitch(world);
  await sw.trunks(['h1', 'h2', 'h3'], { managed: 'false' });
  const networkid = await tenant.network(await wireWithDhcp(world), { gateway: GATEWAY, netmask: '255.255.255.0' });
  await attach({ world, tenant, sw, networkid }, BOX, { isgateway: 'true' });
  await setAddress(world, BOX, GATEWAY);
  for (const setting of ['gc_stale_time=14400', 'base_reachable_time_ms=14400000'])
    await world.inNetwork(BOX, ['sysctl', '-qw', `net.ipv4.neigh.eth0.${setting}`]);
  world.say(`${BOX} is the gateway, ${GATEWAY}; its ARP entries live for hours, as in many routers`);
  const [vm1, vm2] = await Promise.all([
    tenant.instance('vm1', networkid, 'h1', { ipaddress: '10.30.0.1' }),
    tenant.instance('vm2', networkid, 'h2', { ipaddress: '10.30.0.2' }),
  ]);
  world.say(`vm1 on h1 has ${vm1.address} and ${vm1.mac}, vm2 on h2 has ${vm2.address} and ${vm2.mac}`);
  for (const vm of [vm1, vm2]) await world.reaches(`before: the gateway reaches ${vm.name}`, BOX, vm.address, true);
  return { world, tenant, sw, networkid, vm1, vm2 };
}

/** Puts a machine of the lab behind its own switch port into the network; the ids of the device and of what is free for it. */
async function attach(
  { tenant, sw, networkid }: Pick<Scene, 'world' | 'tenant' | 'sw' | 'networkid'>,
  name: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly deviceid: string; readonly address: string }> {
  const switchportid = await sw.port(`${name}-eth0`, { role: 'access' });
  await sw.grant(switchportid, 'acme');
  const registered = await tenant.call('registerDevice', { name, kind: 'other', switchportid });
  const deviceid = text(field(registered, 'device'), 'id');
  const member = field(await tenant.call('attachDevice', { networkid, deviceid, ...more }), 'networkmember');
  return { deviceid, address: text(member, 'ipaddress') };
}

async function give({ tenant }: Scene, guest: Guest): Promise<string> {
  const [nic] = rows(await tenant.call('listNics', { virtualmachineid: guest.id }), 'nic');
  const given = await tenant.call('addIpToNic', { nicid: text(nic, 'id'), ipaddress: MOVING });
  return text(field(given, 'nicsecondaryip'), 'id');
}

async function take({ tenant }: Scene, id: string): Promise<void> {
  await tenant.call('removeIpFromNic', { id });
}

interface Receipt {
  readonly macaddress: string;
  readonly cause: string;
  readonly result?: string;
  readonly answeredby?: string;
  readonly afterms?: number;
  readonly hostname?: string;
  readonly description: string;
}

/** The newest receipt of an address at a guest, as soon as it says what is waited for. */
async function receipt({ world }: Scene, guest: Guest, ipaddress: string, wanted: Partial<Receipt>): Promise<Receipt> {
  const found = await world.waitFor(
    `a receipt of ${ipaddress} at ${guest.name}: ${JSON.stringify(wanted)}`,
    async () => {
      const asked = { ipaddress, virtualmachineid: guest.id, listall: 'true' };
      const [newest] = rows(await world.operator('listAddressReceipts', asked), 'addressreceipt') as Receipt[];
      const fits = Object.entries(wanted).every(([key, value]) => newest?.[key as keyof Receipt] === value);
      return fits ? newest : undefined;
    },
    TOLD_MS,
  );
  world.say(`       receipt: "${found.description}"`);
  return found;
}

/** The everyday move: taken from one instance, given to another on another host. */
async function toAnotherInstance(scene: Scene): Promise<void> {
  const { world, tenant, vm1, vm2 } = scene;
  const before = await give(scene, vm1);
  await world.reaches(`${MOVING} is at vm1: the gateway reaches it`, BOX, MOVING, true);
  await receipt(scene, vm1, MOVING, { result: 'learnt' });
  const outage = await world.outage(BOX, MOVING, async () => {
    await take(scene, before);
    await give(scene, vm2);
  });
  world.say(`removeIpFromNic from vm1, addIpToNic to vm2: away for ${outage.gapMs} ms, both requests included`);
  const quick = outage.recovered && outage.gapMs < 2000;
  world.expect('S52: the gateway follows at once, not after its ARP timeout', quick, JSON.stringify(outage));
  const known = await world.neighbour(BOX, MOVING);
  world.expect("S52: its ARP entry is vm2's", known === vm2.mac, known);
  const told = await receipt(scene, vm2, MOVING, { result: 'learnt' });
  world.expect(
    'S52: the upstream was asked, and answered to the new MAC',
    told.answeredby === vm2.mac && told.cause === 'address',
    JSON.stringify(told),
  );
  const [job] = rows(await tenant.call('listAsyncJobs', { keyword: 'addIpToNic' }), 'asyncjobs');
  const done = await tenant.call('queryAsyncJobResult', { jobid: text(job, 'jobid') });
  const carried = rows(done, 'receipts').map((each) => text(each, 'description'));
  world.expect('S52: the job that moved it carries the receipt', carried.includes(told.description), carried.join());
  const events = await eventsOf(scene, 'ADDRESS.MOVED');
  world.expect('S52: and an event tells it', events.includes(told.description), events.join());
}

async function eventsOf({ tenant }: Scene, type: string): Promise<string[]> {
  return rows(await tenant.call('listEvents', { type }), 'event').map((event) => text(event, 'description'));
}

/** What it was like before: the gateway believes what it believed, and the archive's line by hand is the cure. */
async function withoutAnnouncement({ world, vm1, vm2 }: Scene): Promise<void> {
  const remember = ['ip', 'neighbour', 'replace', MOVING, 'lladdr', vm1.mac, 'dev', 'eth0', 'nud', 'reachable'];
  world.say(`the gateway is made to believe again that ${MOVING} is vm1's, as if nobody had told it`);
  // Announcements are repeated for a second: while they are, it is put right at once.
  const arrived = await world.waitFor('the entry staying as it is', async () => {
    await world.inNetwork(BOX, remember);
    const before = await world.echoesReceived(vm2);
    await world.pingFrom(BOX, MOVING);
    const after = await world.echoesReceived(vm2);
    return (await world.neighbour(BOX, MOVING)) === vm1.mac ? { requests: after - before } : undefined;
  });
  world.expect(
    'S51: nobody tells: the gateway sends to the old place, nothing arrives at the new one, and so it stays for hours',
    arrived.requests === 0,
    `${arrived.requests} requests arrived`,
  );
  const line = ['arping', '-s', MOVING, '-c', '1', '-w', '1', '-U', '-I', 'eth0', GATEWAY];
  world.say(`by hand in vm2, as the archive does it: ${line.join(' ')}`);
  await world.inNetwork(vm2, line);
  await world.reaches('S52: the line of the archive cures it as well, typed by somebody', BOX, MOVING, true);
}

/** A gateway with a static entry takes no notice of announcements: the change is made all the same, and the gateway is named. */
async function frozenEntry(scene: Scene): Promise<void> {
  const { world, tenant, vm1, vm2 } = scene;
  const [nic] = rows(await tenant.call('listNics', { virtualmachineid: vm2.id }), 'nic');
  await take(scene, text(rows(nic!, 'secondaryip')[0], 'id'));
  await world.inNetwork(BOX, ['ip', 'neigh', 'replace', MOVING, 'lladdr', vm2.mac, 'dev', 'eth0', 'nud', 'permanent']);
  world.say(`somebody has written ${MOVING} and the MAC of vm2 into the gateway's configuration; it moves to vm1`);
  await give(scene, vm1);
  world.expect('stale ARP frozen: the job does not fail for it', true);
  await world.reaches('stale ARP frozen: the gateway does not reach the address', BOX, MOVING, false);
  const stale = await receipt(scene, vm1, MOVING, { result: 'stale' });
  const parts = [`${MOVING} is at ${vm1.mac}`, GATEWAY, vm2.mac, `ip neigh del ${MOVING} dev INTERFACE`];
  const lacking = parts.filter((part) => !stale.description.includes(part));
  world.expect(
    'stale ARP frozen: the gateway, the old place and what to do are named',
    lacking.length === 0,
    `${lacking.join()} is not in "${stale.description}"`,
  );
  const events = await eventsOf(scene, 'ADDRESS.STALE');
  world.expect('stale ARP frozen: an event tells it', events.includes(stale.description), events.join());
  await world.inNetwork(BOX, ['ip', 'neigh', 'del', MOVING, 'dev', 'eth0']);
  await receipt(scene, vm1, MOVING, { result: 'learnt' });
  await world.reaches('stale ARP frozen: that helps, and the receipt says so', BOX, MOVING, true);
}

/** An instance moves with its addresses. Those of this lab are namespaces: started anew at the other host, with their files. */
async function toAnotherHost(scene: Scene): Promise<void> {
  const { world, vm1 } = scene;
  const hosts = rows(await world.operator('listHosts', { type: 'Routing' }), 'host');
  const hostid = text(
    hosts.find((host) => text(host, 'name') === 'h3'),
    'id',
  );
  const outage = await world.outage(BOX, MOVING, () =>
    world.operator('migrateVirtualMachine', { virtualmachineid: vm1.id, hostid }),
  );
  world.say(
    `migrateVirtualMachine vm1 to h3: ${MOVING} away for ${outage.gapMs} ms, of which most is the guest's start`,
  );
  world.expect(
    'S52: after a migration both addresses answer from the new host',
    outage.recovered,
    JSON.stringify(outage),
  );
  for (const address of [vm1.address, MOVING]) {
    await world.reaches(`S52: the gateway reaches ${address} at h3`, BOX, address, true);
    const told = await receipt(scene, vm1, address, { hostname: 'h3', result: 'learnt' });
    world.expect(`S52: ${address} was announced from h3`, told.cause === 'migration', JSON.stringify(told));
  }
}

/** A server's cable is pulled out and plugged in elsewhere. Address and MAC stay; the ports are told by one request. */
async function toAnotherPort(scene: Scene): Promise<void> {
  const { world, tenant, sw, networkid, vm2 } = scene;
  const { deviceid, address } = await attach(scene, SERVER);
  await setAddress(world, SERVER, address);
  await world.reaches(`${SERVER} has ${address}: the gateway reaches it`, BOX, address, true);
  const there = await sw.port('printer-eth0', { role: 'access' });
  await sw.grant(there, 'acme');
  const vlan = await tenant.vlanOf(networkid);
  const outage = await world.outage(BOX, address, async () => {
    await replug(world, SERVER, 'printer', address);
    const moved = await tenant.call('moveDevice', { id: deviceid, switchportid: there });
    world.say(`moveDevice: ${SERVER} is ${text(field(moved, 'networkmember'), 'state')} at printer-eth0`);
  });
  world.say(`the cable pulled, plugged in at printer-eth0, and moveDevice: away for ${outage.gapMs} ms`);
  world.expect('S52: the server answers from its new port', outage.recovered, JSON.stringify(outage));
  const tags = [
    await sw.vsctl('get', 'Port', `${SERVER}-eth0`, 'tag'),
    await sw.vsctl('get', 'Port', 'printer-eth0', 'tag'),
  ];
  world.expect('S52: the old port is closed, the new one open', tags.join() === `999,${vlan}`, tags.join());
  await world.reaches('S52: instances reach it there, too', vm2, address, true);
}

/** What a person does with two cables: the machines' ends change places, and each machine keeps its MAC address. */
async function replug(world: World, machine: string, other: string, address: string): Promise<void> {
  const [own, others] = [await macAt(world, machine), await macAt(world, other)];
  const at = (where: string, line: string): Promise<unknown> => world.inNetwork(where, line.split(' '));
  await at(other, `ip link set eth0 netns ${machine} name other0`);
  await at(machine, `ip link set eth0 netns ${other}`);
  await at(machine, 'ip link set other0 name eth0');
  await at(machine, `ip link set eth0 address ${own} up`);
  await at(other, `ip link set eth0 address ${others} up`);
  await setAddress(world, machine, address);
}

/** Two programs are called arping, and only one knows `-U`. Ours are frames of our own. */
function whicheverArping({ world }: Scene): void {
  const logs = ['h1', 'h2', 'h3'].map((host) =>
    readFileSync(join(labPaths(world.state).node(host), 'agent', 'steps.log'), 'utf8'),
  );
  const line = logs
    .join('\n')
    .split('\n')
    .findLast((each) => each.includes('packet-out') && each.includes(MOVING));
  world.say(`       ${line?.replace(/(ffffffffffff\w+ ?)+/, 'FRAMES ')}`);
  const own = line !== undefined && logs.every((log) => !log.includes('arping'));
  world.expect('S53: announcements need neither of the programs called arping', own, line);
}
