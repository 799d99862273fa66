// Story 11: everything the virtual router did, without one. The services come from OVN on the hypervisors and gateway nodes, and from small
// helpers where OVN has no answer.
//
//      h1        h2          h3                gw1   gw2   witness
//      web1      web2  db    web3                |     |
//        |         |    |      |       carries the way out: one of them
//     ===+=========+====|======+===  web 10.1.1.0/24 ---+
//     ==================+==========  db  10.1.2.0/24 ---+-- VLAN 100, 203.0.113.0/24 -- upstream -- outside, 8.8.8.8
//                                    and IPv6 of each        2001:db8:100::/64
import { field, rows, text } from '../../src/demo/answer.ts';
import {
  acquire,
  dualVpc,
  listOf,
  openPublicSide,
  type PublicAddress,
  routeSix,
  sixOf,
  sourceNatOf,
} from '../../src/demo/public-side.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type More, type Tenant } from '../../src/demo/tenant.ts';
import { answersAs, rateOf, serveName, whoAnswers } from '../../src/demo/web-server.ts';
import {
  gatewayLost,
  helperFails,
  restarted,
  routerOf,
  type Shop,
  stopped,
} from './without-a-virtual-router-operation.ts';

const ACCOUNT = 'acme-admin';
const WORLD = '8.8.8.8';
const OUTSIDE = '198.51.100.10';
/** What DHCP of tier web names: names, user data, keys and passwords are there. */
const SERVICE = '10.1.1.254';
/** Exactly as many public addresses as the story uses: the next one is refused. */
const RANGE = [10, 14] as const;
const RESOLVER = { node: 'h3', address: '192.0.2.13', name: 'www.example.net', is: '198.51.100.80' };
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMfhNYJGr986/JqpWUr9yaQZLKi7ksQ74zdJCkRW8QMb laptop';
const USER_DATA = '#!/bin/sh\necho "$(hostname) was told" >/root/told\n';

export const story: Story = {
  title: 'Story 11: everything the virtual router did, without one',
  summary:
    'NAT, forwards, lists, balancing, names, first boot, IPv6 and rates; restarted, stopped, and a gateway node lost. No router VM.',
  topology: 'region',
  byHand: `outside -- ping -c3 203.0.113.${RANGE[0] + 1}`,
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) return again(world, earlier);
    const scene = await begin(world, tenant);
    await noMachine(scene);
    await names(scene);
    await firstBoot(scene);
    const own = await translated(scene);
    await forwards(scene);
    await lists(scene);
    await balancing(scene);
    await isolated(scene);
    await noneLeft(scene);
    await restarted(scene, own);
    await stopped(scene, own);
    await gatewayLost(scene, own);
  },
};

interface Scene extends Shop {
  readonly web: string;
  readonly db: string;
  readonly web2: Guest;
  readonly web3: Guest;
}

async function again(world: World, guests: readonly Guest[]): Promise<void> {
  world.say('the VPC is here already, from an earlier run');
  const web1 = guests.find(({ name }) => name === 'web1')!;
  await world.waitFor('web1', () => world.pingFrom(web1, WORLD).catch(() => false), 60_000);
  await world.reaches('outside reaches web1', 'outside', `203.0.113.${RANGE[0] + 1}`, true);
}

async function begin(world: World, tenant: Tenant): Promise<Scene> {
  await openPublicSide(world, RANGE, RESOLVER);
  world.say(`the operator has given the zone 203.0.113.${RANGE.join('-')}, a prefix for instances, and a resolver`);
  const [vpcid = '', web = '', db = ''] = await dualVpc(tenant, 'shop', '10.1.0.0/16', {
    web: '10.1.1.1',
    db: '10.1.2.1',
  });
  await tenant.call('registerSSHKeyPair', { name: 'laptop', publickey: KEY });
  const featured = { templatefilter: 'featured' };
  const templateid = await tenant.idOf('listTemplates', 'template', 'tiny linux kvm with password', featured);
  const userdata = Buffer.from(USER_DATA).toString('base64');
  const [web1, web2, web3, base] = await Promise.all([
    tenant.instance('web1', web, 'h1', { keypair: 'laptop', userdata, templateid }),
    tenant.instance('web2', web, 'h2'),
    tenant.instance('web3', web, 'h3'),
    tenant.instance('db', db, 'h2'),
  ]);
  await Promise.all([web1, web2, web3, base].map((guest) => serveName(world, guest, [80, 8000, 8001, 8002])));
  return { world, tenant, vpcid, web, db, web1, web2, web3, base };
}

async function noMachine(scene: Scene): Promise<void> {
  const { world } = scene;
  const { hostname, state, version } = await routerOf(scene);
  world.say(`listRouters: ${version}, ${state}; its way out is carried by ${hostname}`);
  const { stdout } = await world.exec('central', ['ls', '/run/netns']);
  const machines = stdout.split('\n').filter((name) => /^[ih]-/.test(name));
  world.expect(
    "no router VM anywhere: all that runs is the tenant's four instances",
    version === 'distributed' && machines.length === 4,
    `${version}; ${machines.join(' ')}`,
  );
}

async function resolve({ world }: Scene, guest: Guest, ...question: readonly string[]): Promise<string | undefined> {
  const { stdout } = await world.exec(guest, ['timeout', '3', 'nslookup', '-type=a', ...question]);
  return /^Name:[^]*?^Address: +([0-9.]+)$/m.exec(stdout)?.[1];
}

async function names(scene: Scene): Promise<void> {
  const { world, web1, base } = scene;
  const { stdout: routes } = await world.exec(web1, ['ip', 'route']);
  world.expect('DHCP: address and default route', routes.includes('default via 10.1.1.1 '), routes);
  const [known, asked] = [await resolve(scene, web1, 'db'), await resolve(scene, web1, RESOLVER.name)];
  world.expect(
    `DNS: web1 knows the other tier's db, and ${RESOLVER.name} is asked of the zone's resolver`,
    known === base.address && asked === RESOLVER.is,
    `${known}, ${asked}`,
  );
}

async function firstBoot(scene: Scene): Promise<void> {
  const { world, web1, base } = scene;
  const has = async (command: string, wanted: RegExp): Promise<boolean> =>
    wanted.test((await world.exec(web1, ['sh', '-c', command])).stdout);
  const told = await world
    .waitFor('user data', () => has('cat /root/told /root/.ssh/authorized_keys', /^web1 was told\nssh-ed25519 /))
    .catch(() => false);
  world.expect('first boot: web1 has run its user data and has the SSH key', told);
  const request = `wget -q -O - --header 'DomU_Request: send_my_password' http://${SERVICE}:8080/`;
  const taken = async (): Promise<boolean> =>
    (await has(request, /^saved_password$/)) && (await has('cat /etc/shadow', /^root:\$6\$/));
  const once = await world.waitFor('the password being taken', taken).catch(() => false);
  world.expect('first boot: the password was told once, and now it is gone', once);
  const theirs = ['timeout', '2', 'wget', '-q', '-O', '-', `http://${SERVICE}/latest/user-data`];
  const [name, data] = await Promise.all([resolve(scene, base, 'web1', SERVICE), world.exec(base, theirs)]);
  world.expect(
    'refused: the service of tier web tells db in the other tier nothing, neither names nor user data',
    name === undefined && data.code !== 0,
    `${name}, ${data.stdout}`,
  );
}

/** Source NAT of the VPC, and static NAT of web1: the address. */
async function translated({ world, tenant, vpcid, web, web1, web2, base }: Scene): Promise<PublicAddress> {
  const { ip } = await sourceNatOf(tenant, { vpcid });
  await world.reaches(`source NAT: db reaches ${WORLD}`, base, WORLD, true);
  const shared = await world.sourceSeen('outside', () => world.pingFrom(base, OUTSIDE));
  if (shared !== undefined) world.expect(`source NAT: outside sees ${ip}`, shared === ip, shared);
  const own = await acquire(tenant, { vpcid });
  const early = await Promise.all([web1.address, own.ip].map((address) => world.pingFrom('outside', address)));
  world.expect(
    `refused: outside reaches neither ${web1.address} nor, before static NAT, ${own.ip}`,
    !early.includes(true),
    early.join(),
  );
  const enable = (guest: Guest): Promise<object> =>
    tenant.call('enableStaticNat', { ipaddressid: own.id, virtualmachineid: guest.id, networkid: web });
  await enable(web1);
  // Its answer comes before the network has it, as in CloudStack.
  await world.waitFor('static NAT', async () => (await whoAnswers(world, 'outside', own.ip)) !== undefined);
  await answersAs(world, `static NAT: now ${own.ip} is web1`, 'outside', own.ip, 'web1');
  const source = await world.sourceSeen('outside', () => world.pingFrom(web1, OUTSIDE));
  if (source !== undefined) world.expect('static NAT: web1 goes out by it, too', source === own.ip, source);
  await world.refused('static NAT: refused: one address for two instances', () => enable(web2), /already assigned/);
  return own;
}

async function forwards({ world, tenant, vpcid, web2, web }: Scene): Promise<void> {
  const shared = await acquire(tenant, { vpcid });
  const forward = (ports: More): Promise<object> =>
    tenant.call('createPortForwardingRule', {
      ipaddressid: shared.id,
      virtualmachineid: web2.id,
      networkid: web,
      protocol: 'tcp',
      ...ports,
    });
  await forward({ publicport: '2222', privateport: '80' });
  await forward({ publicport: '8000', publicendport: '8001', privateport: '8000', privateendport: '8001' });
  const asked = (from: string, port: number): Promise<string | undefined> =>
    whoAnswers(world, from, `${shared.ip}:${port}`);
  const who = await Promise.all([2222, 8001, 8002].map((port) => asked('outside', port)));
  world.expect(
    `forward: port 2222 of ${shared.ip} and a range are web2; refused: the port after the range`,
    who.join() === 'web2,web2,',
    who.join(),
  );
  await world.refused(
    'forward: refused: the same port twice, and the other rule is named',
    () => forward({ publicport: '2222', privateport: '81' }),
    /conflicts with rule [0-9a-f-]{36} which has 2222-2222/,
  );
  const denied = { action: 'deny', protocol: 'tcp', startport: '2222', endport: '2222', cidrlist: `${OUTSIDE}/32` };
  const aclid = await listOf(tenant, vpcid, 'strangers', [denied, { action: 'allow', protocol: 'all' }]);
  await tenant.call('replaceNetworkACLList', { aclid, publicipid: shared.id });
  const seen = await Promise.all([asked('outside', 2222), asked('upstream', 2222)]);
  world.expect(
    'list on a public address: whom it names is refused, others are not',
    seen.join() === ',web2',
    seen.join(),
  );
}

/** A list on tier db, in both families. */
async function lists({ world, tenant, vpcid, web, db, web1, base }: Scene): Promise<void> {
  await routeSix(world, tenant, [web, db]);
  const [front, back] = [await sixOf(tenant, web1), await sixOf(tenant, base)];
  await world.waitFor('IPv6', () => world.pingFrom('outside', back)).catch(() => undefined);
  await world.reaches(`IPv6: outside reaches db at ${back}, routed`, 'outside', back, true);
  const only = { action: 'allow', protocol: 'tcp', startport: '80', endport: '80', cidrlist: '10.1.1.0/24' };
  const aclid = await listOf(tenant, vpcid, 'only-web', [only]);
  await tenant.call('replaceNetworkACLList', { aclid, networkid: db });
  const [allowed, ...pings] = await Promise.all([
    whoAnswers(world, web1, base.address),
    world.pingFrom(web1, base.address),
    world.pingFrom('outside', back),
    world.pingFrom('outside', front),
  ]);
  world.expect(
    'list on a tier: what it allows; refused: what it does not, in both families; the other tier is open',
    allowed === 'db' && pings.join() === 'false,false,true',
    `${allowed}, ${pings.join()}`,
  );
  const open = await tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
  await tenant.call('replaceNetworkACLList', { aclid: open, networkid: db });
}

async function balancing(scene: Scene): Promise<void> {
  const { world, tenant, vpcid, web, web1, web2, web3 } = scene;
  const { id, ip } = await acquire(tenant, { vpcid });
  const rule = async (algorithm: string, publicport: string): Promise<string> => {
    const params = { publicipid: id, networkid: web, name: algorithm, algorithm, publicport, privateport: '80' };
    return text(field(await tenant.call('createLoadBalancerRule', params), 'loadbalancer'), 'id');
  };
  const members = [web1, web2, web3].map((guest) => guest.id).join(',');
  const assign = (ruleid: string): Promise<object> =>
    tenant.call('assignToLoadBalancerRule', { id: ruleid, virtualmachineids: members });
  const answering = async (count: number): Promise<string> => {
    const answers = new Set<string>();
    for (let turn = 0; turn < count; turn++) answers.add((await whoAnswers(world, 'outside', ip, 5)) ?? 'nobody');
    return [...answers].toSorted().join(' ');
  };
  const turns = await rule('roundrobin', '80');
  await answersAs(world, 'balancing: refused: a rule without members', 'outside', ip, undefined);
  await assign(turns);
  const all = await answering(24);
  world.expect('balancing: every member is reached', all === 'web1 web2 web3', all);
  const times = { intervaltime: '3', responsetimeout: '2', healthythreshold: '1', unhealthythreshold: '2' };
  await tenant.call('createLBHealthCheckPolicy', { lbruleid: turns, ...times });
  await world.exec(web3, ['killall', 'httpd']);
  // As often as chance alone would not leave it out.
  const without = async (): Promise<boolean> => (await answering(40)) === 'web1 web2';
  const out = await world.waitFor('the dead member being left out', without, 30_000).catch(() => false);
  world.expect('balancing: a dead member is left out', out);
  await tenant.call('createLBStickinessPolicy', { lbruleid: turns, name: 'stay', methodname: 'SourceBased' });
  const stays = await answering(8);
  world.expect('balancing: a sticky rule keeps a client with one member', /^web[12]$/.test(stays), stays);
  await helperFails(scene, async () => assign(await rule('leastconn', '81')), `${ip}:81`);
}

/** A network outside VPCs, with firewall and egress rules; and an instance whose offering has a rate. */
async function isolated({ world, tenant }: Scene): Promise<void> {
  const { call } = tenant;
  const networkid = await tenant.network('DefaultIsolatedNetworkOfferingWithSourceNatService', { cidr: '10.5.0.0/24' });
  const size = { name: 'slow', displaytext: 'slow', cpunumber: '1', cpuspeed: '500', memory: '128', networkrate: '8' };
  const serviceofferingid = text(field(await world.operator('createServiceOffering', size), 'serviceoffering'), 'id');
  const [desk, slow] = await Promise.all([
    tenant.instance('desk', networkid, 'h1'),
    tenant.instance('slow', networkid, 'h3', { serviceofferingid }),
  ]);
  const bytes = 3_000_000;
  await Promise.all([desk, slow].map((guest) => serveName(world, guest, [80], bytes)));
  const { id, ip } = await sourceNatOf(tenant, { associatednetworkid: networkid });
  const ports = { protocol: 'tcp', publicport: '80', privateport: '80', openfirewall: 'false' };
  await call('createPortForwardingRule', { ipaddressid: id, virtualmachineid: desk.id, ...ports });
  const through = async (): Promise<string> => {
    const [out, into] = await Promise.all([world.pingFrom(desk, WORLD), whoAnswers(world, 'outside', ip)]);
    return `out ${out}, in ${into}`;
  };
  const before = await through();
  const nothing = 'out false, in undefined';
  world.expect('firewall: refused: nothing goes out or in before a rule says so', before === nothing, before);
  await call('createEgressFirewallRule', { networkid, protocol: 'icmp', icmptype: '8', icmpcode: '-1' });
  await call('createFirewallRule', { ipaddressid: id, protocol: 'tcp', startport: '80', endport: '80' });
  const after = await through();
  world.expect('firewall: what the rules let out and in', after === 'out true, in desk', after);
  // Of 8 Mbit/s one second's share comes at once: 3 MB take two seconds.
  const rates = [await rateOf(world, desk, slow, bytes), await rateOf(world, slow, desk, bytes)];
  const shown = rates.map((rate) => `${rate.toFixed(1)} Mbit/s`).join(' and ');
  const kept = rates.every((rate) => rate < 13 && rate > 2);
  world.expect('rate: 8 Mbit/s and its burst, what slow sends and what it receives', kept, shown);
}

async function noneLeft({ world, tenant, vpcid }: Scene): Promise<void> {
  await world.refused(
    'no public address left: it is said where, and what helps',
    () => acquire(tenant, { vpcid }),
    /Insufficient address capacity: .* all in zone .* are in use.*Release one/,
  );
}
