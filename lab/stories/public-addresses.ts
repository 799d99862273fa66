// Story 6: public addresses straight on the instances. Half of the range that the upstream believes to be on its own wire lives on a
// VLAN behind a router node, which forwards and answers the upstream's ARP questions for exactly the addresses that are in use.
//
//     h1          h2
//     vm1         vm2                                    upstream 203.0.113.1/24 ------ outside 198.51.100.10
//   .130 .150    .131                                         |   "who has 203.0.113.130?"
//      |          |                                           |
//   ===+==========+=== VLAN, 203.0.113.128/25 ==+==        ===+=======+===  VLAN 100, 203.0.113.0/24
//                                    .129, .254 |                     |  "that is me": proxy ARP, here and not on eth1
//                                           eth1.VLAN --- router --- eth0
import { field, rows, text } from '../../src/demo/answer.ts';
import { macAt } from '../../src/demo/by-hand.ts';
import { routerFinding, routersAre, routersOf, withoutAgent } from '../../src/demo/routers.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';

const ACCOUNT = 'acme-admin';
const CIDR = '203.0.113.128/25';
const GATEWAY = '203.0.113.129';
/** The first two are asked for by name; the router's own address is the highest. */
const MORE = ['203.0.113.150', '203.0.113.151'] as const;
const NOBODYS = '203.0.113.177';
const OFFERING = 'LinuxRouterRouted';
const UPSTREAM = 'upstream';
const OUTSIDE = '198.51.100.10';
const INSIDE_CIDR = '10.66.0.0/24';

export const story: Story = {
  title: 'Story 6: public addresses straight on the instances',
  summary: `A network has the routable range ${CIDR}. Nobody translates; a router node forwards, and answers ARP on the outside for each instance.`,
  topology: 'campus',
  byHand: 'outside -- traceroute -n 203.0.113.130',
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) return again(world, earlier);
    const scene = await begin(world, tenant);
    await oneNetwork(scene);
    await fromOutside(scene);
    await outward(scene);
    await severalAddresses(scene);
    await forwardingOff(scene);
    await proxyOff(scene);
    await proxyOnTheWrongSide(scene);
    await privateRange(scene);
    await noneDied(world);
  },
};

interface Scene {
  readonly world: World;
  readonly tenant: Tenant;
  readonly networkid: string;
  /** The sub-interface of the network at the router node. */
  readonly device: string;
  /** The router node, with its own address in the network. */
  readonly router: { readonly node: string; readonly address: string };
  readonly vm1: Guest;
  readonly vm2: Guest;
}

async function again(world: World, guests: readonly Guest[]): Promise<void> {
  world.say('the network is here already, from an earlier run');
  for (const guest of guests)
    await world.waitFor(`${guest.name}`, () => world.pingFrom(guest, GATEWAY).catch(() => false), 60_000);
  for (const guest of guests) await world.reaches(`outside reaches ${guest.name}`, 'outside', guest.address, true);
}

/** Routable addresses are the operator's to give: he makes the network, for the tenant. */
async function begin(world: World, tenant: Tenant): Promise<Scene> {
  await world.refused(
    'S21: a tenant cannot take routable addresses himself',
    () => tenant.network(OFFERING, { cidr: CIDR }),
    /not RFC1918 compliant.*Routable addresses are the operator's to give/,
  );
  const [account] = rows(await tenant.call('listAccounts'), 'account');
  const networkofferingid = await tenant.idOf('listNetworkOfferings', 'networkoffering', OFFERING);
  const made = await world.operator('createNetwork', {
    name: 'open',
    displaytext: 'public addresses',
    zoneid: tenant.zoneid,
    networkofferingid,
    gateway: GATEWAY,
    netmask: '255.255.255.128',
    account: text(account, 'name'),
    domainid: text(account, 'domainid'),
  });
  const networkid = text(field(made, 'network'), 'id');
  const vlan = await tenant.vlanOf(networkid);
  world.say(`the operator has made network open for ${ACCOUNT}: ${CIDR} on VLAN ${vlan}, offering ${OFFERING}`);
  const vm1 = await tenant.instance('vm1', networkid, 'h1');
  const vm2 = await tenant.instance('vm2', networkid, 'h2');
  const router = (await routersOf(world, networkid))[0]!;
  await routersAre(world, networkid, `${router.node} MASTER`);
  world.say(`vm1 has ${vm1.address} and vm2 ${vm2.address}; ${router.node} is their router`);
  return { world, tenant, networkid, device: `eth1.${vlan}`, router, vm1, vm2 };
}

async function oneNetwork({ world, router, vm1, vm2 }: Scene): Promise<void> {
  await world.matrix('S16: instances with public addresses talk to each other', [vm1, vm2], true);
  for (const guest of [vm1, vm2]) {
    await world.reaches(`S16: ${guest.name} reaches the router`, guest, router.address, true);
    await world.reaches(`S16: and the router ${guest.name}`, router.node, guest.address, true);
  }
}

async function fromOutside({ world, router, vm1, vm2 }: Scene): Promise<void> {
  const { stdout: routes } = await world.inNetwork('outside', ['ip', '-4', 'route']);
  const { stdout: way } = await world.inNetwork(UPSTREAM, ['ip', '-4', 'route', 'get', vm1.address]);
  world.expect(
    'S17: outside and upstream have no route to the network: the upstream believes it on its own wire',
    !routes.includes('203.0.113.') && / dev eth0 /.test(way) && !way.includes(' via '),
    `${routes}${way}`,
  );
  for (const guest of [vm1, vm2]) {
    await world.reaches(`S17: an outside host reaches ${guest.name}`, 'outside', guest.address, true);
    const mac = await world.neighbour(UPSTREAM, guest.address);
    const own = await macAt(world, router.node);
    world.expect(
      `S19: the upstream asked for ${guest.address}; ${router.node} answered`,
      mac === own,
      `${mac}, ${own}`,
    );
  }
  const { stdout: path } = await world.inNetwork('outside', ['traceroute', '-n', '-q1', '-w2', vm2.address]);
  for (const line of path.trim().split('\n').slice(1)) world.say(`       ${line}`);
  const shows = / 1 {2}198\.51\.100\.1 [^]* 2 {2}203\.0\.113\.\d+ [^]* 3 {2}203\.0\.113\.131 /.test(path);
  world.expect('S19: traceroute shows the router between upstream and instance', shows, path);
  const answers = await arping(world, NOBODYS);
  world.expect(`S19: nobody answers for ${NOBODYS}, which nobody has`, answers.length === 0, answers.join(' '));
}

/** The MACs that answer the upstream's ARP question. */
async function arping(world: World, address: string): Promise<string[]> {
  const argv = ['arping', '-b', '-c', '1', '-w', '1', '-I', 'eth0', address];
  const { stdout } = await world.inNetwork(UPSTREAM, argv);
  return [...new Set(stdout.match(/(?<=\[)[0-9A-F:]{17}(?=\])/gi))];
}

async function outward({ world, tenant, vm1, vm2 }: Scene): Promise<void> {
  const { stdout } = await world.exec(vm1, ['ip', 'route']);
  world.expect('S18: DHCP made the router the default gateway', stdout.includes(`default via ${GATEWAY} `), stdout);
  const [shown] = rows(await tenant.call('listNics', { virtualmachineid: vm1.id }), 'nic');
  world.expect('S18: and the API publishes it', text(shown, 'gateway') === GATEWAY, JSON.stringify(shown));
  await world.reaches('S18: an instance reaches the outside', vm2, OUTSIDE, true);
  const source = await world.sourceSeen('outside', () => world.pingFrom(vm1, OUTSIDE));
  if (source !== undefined)
    world.expect('S18: with its own address: nobody translates', source === vm1.address, source);
}

async function severalAddresses({ world, tenant, vm1 }: Scene): Promise<void> {
  const [nic] = rows(await tenant.call('listNics', { virtualmachineid: vm1.id }), 'nic');
  for (const ipaddress of MORE) {
    await world.reaches(`S20: before, ${ipaddress} is nobody's`, 'outside', ipaddress, false);
    await tenant.call('addIpToNic', { nicid: text(nic, 'id'), ipaddress });
    await world.exec(vm1, ['ip', 'address', 'add', `${ipaddress}/25`, 'dev', 'eth0']);
    world.say(`addIpToNic ${ipaddress}; in vm1: ip address add ${ipaddress}/25 dev eth0`);
  }
  for (const address of [vm1.address, ...MORE])
    await world.reaches(`S20: an outside host reaches vm1 by ${address}`, 'outside', address, true);
}

/** Breaks something by hand at the router node, its agent held still; expects silence, then answers, and that it is told. */
async function broken(
  { world, router, vm1 }: Scene,
  what: string,
  lines: readonly (readonly string[])[],
  told: readonly RegExp[],
): Promise<void> {
  await withoutAgent(world, router.node, async () => {
    for (const line of lines) {
      world.say(`at ${router.node}, by hand: ${line.join(' ')}`);
      const { code, stderr } = await world.exec(router.node, line);
      if (code !== 0) throw new Error(`${line.join(' ')}: ${stderr.trim()}`);
    }
    await world.exec(UPSTREAM, ['ip', 'neighbour', 'flush', 'all']);
    await world.reaches(`S17: ${what}: an outside host reaches nothing`, 'outside', vm1.address, false);
  });
  for (const says of told) await routerFinding(world, says);
  const healed = await world.waitFor('the instance', () => world.pingFrom('outside', vm1.address)).catch(() => false);
  world.expect(`S17: ${what}: put right, and the product says where and why`, healed);
}

async function forwardingOff(scene: Scene): Promise<void> {
  const { node } = scene.router;
  await broken(
    scene,
    'forwarding off',
    [['sysctl', '-w', 'net.ipv4.ip_forward=0']],
    [new RegExp(`^${node}: forwarding was switched off; switched on again$`)],
  );
}

async function proxyOff(scene: Scene): Promise<void> {
  const { router, vm1, vm2 } = scene;
  const remove = (address: string): string[] => ['ip', 'neighbour', 'del', 'proxy', address, 'dev', 'eth0'];
  await broken(
    scene,
    'proxy ARP off',
    [remove(vm1.address), remove(vm2.address)],
    [vm1, vm2].map(({ address }) => new RegExp(`^${router.node}: eth0 did not answer for ${address} any more`)),
  );
}

/** What the archive tells people to do, and does nothing: proxy ARP acts where the question arrives. */
async function proxyOnTheWrongSide(scene: Scene): Promise<void> {
  const { router, device } = scene;
  const address = MORE[0];
  await broken(
    { ...scene, vm1: { ...scene.vm1, address } },
    'proxy ARP on the wrong side',
    [
      ['sysctl', '-w', `net.ipv4.conf.${device.replace('.', '/')}.proxy_arp=1`],
      ['ip', 'neighbour', 'del', 'proxy', address, 'dev', 'eth0'],
    ],
    [
      new RegExp(`^${router.node}: eth0 did not answer for ${address} any more .proxy entry gone.; put back$`),
      new RegExp(`^${router.node}: proxy_arp was switched on on ${device}, the wrong side: .* arrive on eth0;`),
    ],
  );
}

async function privateRange({ world, tenant }: Scene): Promise<void> {
  const networkid = await tenant.network(OFFERING, { cidr: INSIDE_CIDR });
  const said = await routerFinding(world, /private \(RFC 1918\)/);
  world.expect('S21: a routed network with private addresses is warned about', said.includes(INSIDE_CIDR), said);
  const [router] = await routersOf(world, networkid);
  const shown = router?.findings.some((finding) => finding.includes('RFC 1918')) === true;
  world.expect('S21: listRouters shows it, too', shown, JSON.stringify(router));
}

async function noneDied(world: World): Promise<void> {
  const events = rows(await world.operator('listEvents', { type: 'ROUTER.FINDING', listall: 'true' }), 'event');
  const died = events.map((event) => text(event, 'description')).filter((each) => / had died/.test(each));
  world.expect('no daemon of a router node has died meanwhile', died.length === 0, died.join('; '));
}
