// Story 3: networks with no router, as VLANs on the wire, and nothing that runs on their account.
//
//        h1                      h2
//        red1   red2   blue1     red3   blue2       red and blue have the same addresses, 10.20.0.0/24
//          |      |      |         |      |
//        ==+======+======|=========+======|======   VLAN of red      one trunk per hypervisor
//                 =======+================+======   VLAN of blue     carries both, tagged
import { field, rows, text } from '../../src/demo/answer.ts';
import { resume, setAddress } from '../../src/demo/by-hand.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';

const ACCOUNT = 'acme-admin';
const CIDR = '10.20.0.0/24';
const OFFERING = 'Wire only';
const BY_HAND = 'Wire only, VLAN by hand';

export const story: Story = {
  title: 'Story 3: a network with no router',
  summary: `An operator makes an offering with no service at all; a tenant makes two networks ${CIDR} of it. They are VLANs, and nothing else.`,
  byHand: 'red1 -- ping -c3 10.20.0.13',
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = await findGuests(tenant);
    if (earlier.length > 0) {
      world.say('the networks are here already, from an earlier run');
      await resume(world, earlier);
      await world.matrix('red still talks', earlier, true);
      return;
    }
    await makeOfferings(world);
    const red = await tenant.network(OFFERING, { cidr: CIDR });
    const blue = await tenant.network(OFFERING, { cidr: CIDR });
    const vlans = { red: await tenant.vlanOf(red), blue: await tenant.vlanOf(blue) };
    world.say(`red is VLAN ${vlans.red}, blue is VLAN ${vlans.blue}, both from the pool`);
    world.expect('S05: each network has a VLAN of its own', vlans.red !== vlans.blue, JSON.stringify(vlans));

    const place = (name: string, network: string, host: string, ipaddress: string): Promise<Guest> =>
      deploy(world, tenant, { name, network, host, ipaddress });
    const [red1, red2, red3, blue1, blue2] = await Promise.all([
      place('red1', red, 'h1', '10.20.0.11'),
      place('red2', red, 'h1', '10.20.0.12'),
      place('red3', red, 'h2', '10.20.0.13'),
      place('blue1', blue, 'h1', '10.20.0.21'),
      place('blue2', blue, 'h2', '10.20.0.22'),
    ]);
    await noRouter(world, [red, blue]);

    await world.matrix('S08: red: on one host and across hosts, without further setup', [red1, red2, red3], true);
    await world.matrix('S08: blue across hosts', [blue1, blue2], true);
    for (const [from, to] of [
      [red1, blue1],
      [red1, blue2],
      [blue2, red3],
    ] as const) {
      await neverMeet(world, from, to);
    }
    await tagsOnTheWire(world, { ...vlans, pairs: { red: [red1, red3], blue: [blue1, blue2] } });
    await withoutTheVlan(world, vlans.red, [red1, red2, red3]);
    await withServices(world, tenant, red1);
    await vlansByHand(world, tenant, vlans.red);
  },
};

/** What an operator does once, by request and not by ticking nothing in a form. */
async function makeOfferings({ operator, expect }: World): Promise<void> {
  const make = async (name: string, specifyvlan: boolean): Promise<void> => {
    const had = rows(await operator('listNetworkOfferings', { name }), 'networkoffering');
    if (had.length > 0) return;
    const made = await operator('createNetworkOffering', {
      name,
      displaytext: name,
      traffictype: 'Guest',
      guestiptype: 'Isolated',
      supportedservices: '',
      specifyvlan: `${specifyvlan}`,
    });
    const id = text(field(made, 'networkoffering'), 'id');
    await operator('updateNetworkOffering', { id, state: 'Enabled' });
  };
  await make(OFFERING, false);
  await make(BY_HAND, true);
  await operator('updateConfiguration', { name: 'network.vlan.tenants', value: '2,4094' });
  const shown = rows(await operator('listNetworkOfferings', { name: OFFERING }), 'networkoffering');
  const offering = shown.find((row) => text(row, 'name') === OFFERING);
  const services = rows(offering ?? {}, 'service').length;
  expect('S01: there is an offering with no service', services === 0, `it has ${services}`);
}

/** Nobody serves DHCP on such a wire: the address is the one that was allocated and published, set by hand. */
async function deploy(
  world: World,
  tenant: Tenant,
  { name, network, host, ipaddress }: { name: string; network: string; host: string; ipaddress: string },
): Promise<Guest> {
  const guest = await tenant.instance(name, network, host, { ipaddress });
  await setAddress(world, guest, guest.address);
  world.say(
    `${name} on ${host}: the answer says ${guest.address}; \`ip address add ${guest.address}/24 dev eth0\` in it`,
  );
  return guest;
}

async function findGuests(tenant: Tenant): Promise<Guest[]> {
  const all = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
  return all.filter(({ name }) => /^red[123]$/.test(name));
}

async function noRouter(world: World, networks: readonly string[]): Promise<void> {
  const found = await Promise.all(
    networks.map(async (networkid) =>
      rows(await world.operator('listRouters', { networkid, listall: 'true' }), 'router'),
    ),
  );
  world.expect('S02: no router exists, with instances running', found.flat().length === 0, JSON.stringify(found));
}

/** Same wire, same prefix, and not even the question arrives. */
async function neverMeet(world: World, from: Guest, to: Guest): Promise<void> {
  const before = await world.echoesReceived(to);
  await world.reaches(
    `S05: ${from.name} does not reach ${to.name}, which has an address of the same prefix`,
    from,
    to.address,
    false,
  );
  const arrived = (await world.echoesReceived(to)) - before;
  const mac = await world.neighbour(from, to.address);
  const seen = `${arrived} requests arrived, the ARP cache says ${mac ?? 'nothing'}`;
  world.expect(`S05: not even ${from.name}'s ARP question is answered`, arrived === 0 && mac === undefined, seen);
}

interface Tagged {
  readonly red: number;
  readonly blue: number;
  readonly pairs: Readonly<Record<'red' | 'blue', readonly [Guest, Guest]>>;
}

async function tagsOnTheWire(world: World, { pairs, ...vlans }: Tagged): Promise<void> {
  for (const colour of ['red', 'blue'] as const) {
    const [from, to] = pairs[colour];
    const seen = await world.tagsSeen('h2-eth0', () => world.ping(from, to), `ether host ${from.mac} and vlan`);
    if (seen === undefined) return world.say('       frames are not looked at: tcpdump cannot run without root here');
    const promise = `S05: ${colour}'s frames cross the switch with tag ${vlans[colour]}, and no other`;
    world.expect(promise, seen.vlans.join() === `${vlans[colour]}`, JSON.stringify(seen));
  }
}

/** The archive's classic: somebody forgot the VLAN on the switch. */
async function withoutTheVlan(
  world: World,
  vlan: number,
  [one, near, far]: readonly [Guest, Guest, Guest],
): Promise<void> {
  const port = ['Port', 'h2-eth0'];
  world.say(`VLAN ${vlan} is taken off the switch port of h2, by hand`);
  await world.exec('sw', ['ovs-vsctl', 'set', ...port, 'trunks=1']);
  try {
    await world.reaches(
      'S09: without the VLAN on the switch, instances of one host still talk',
      one,
      near.address,
      true,
    );
    await world.reaches('S09: and those of two hosts do not', one, far.address, false);
  } finally {
    await world.exec('sw', ['ovs-vsctl', 'clear', ...port, 'trunks']);
  }
  await world.reaches('S09: with the VLAN back, they do', one, far.address, true);
}

/** For comparison: the default offering brings its gateway with it, and nobody had to ask for one. */
async function withServices(world: World, tenant: Tenant, lonely: Guest): Promise<void> {
  const network = await tenant.network('DefaultIsolatedNetworkOfferingWithSourceNatService', {
    gateway: '10.30.0.1',
    netmask: '255.255.255.0',
  });
  const guest = await tenant.instance('served', network, 'h3');
  await world.reaches('S03: a network with services has a gateway that answers', guest, '10.30.0.1', true);
  await world.reaches('S03: on a network without, nobody is the gateway', lonely, '10.20.0.1', false);
}

async function vlansByHand(world: World, tenant: Tenant, taken: number): Promise<void> {
  const make = (vlan: number): Promise<string> => tenant.network(BY_HAND, { cidr: '10.40.0.0/24', vlan: `${vlan}` });
  for (const vlan of [0, 4095, 4096])
    await world.refused(`S06: VLAN ${vlan} is refused`, () => make(vlan), /1 (to|and|-) ?4094/);
  await world.refused(`S06: VLAN ${taken}, which red has, is refused`, () => make(taken), /already|in use|taken/i);
  const edges = [await tenant.vlanOf(await make(4094)), await tenant.vlanOf(await make(2))];
  world.expect('S06: VLANs 2 and 4094 are taken by hand', edges.join() === '4094,2', edges.join());
}
