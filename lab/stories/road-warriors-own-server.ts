// The first part of story 8: the archive's article. An OpenVPN server of the customer's own, in a network with a router that knows nothing of
// it. The tunnel is up, no answer comes back, and each of the two repairs is shown by itself.
import { join } from 'node:path';
import { field, rows, text } from '../../src/demo/answer.ts';
import { setAddress } from '../../src/demo/by-hand.ts';
import { registerSwitch } from '../../src/demo/lab-switch.ts';
import type { World } from '../../src/demo/story.ts';
import type { Guest, Tenant } from '../../src/demo/tenant.ts';
import { folderOf, openVpn } from '../../src/demo/vpn-client.ts';

const GREY = '10.20.0.0/24';
const ROUTER = '10.20.0.1';
const BOX = 'vpnbox';
const BOX_INSIDE = '10.20.0.250';
const BOX_OUTSIDE = '203.0.113.200';
const GREEN = '10.8.0.0/24';
/** What the server has, and what its only client gets. */
const GREEN_SERVER = '10.8.0.1';
const GREEN_CLIENT = '10.8.0.2';
const CLIENT = 'laptop';

interface Own {
  readonly world: World;
  readonly tenant: Tenant;
  readonly networkid: string;
  readonly deviceid: string;
  readonly server: Guest;
}

/** Plays it and leaves nothing of it behind in the client. */
export async function ownServer(world: World, tenant: Tenant): Promise<void> {
  const own = await greyNetwork(world, tenant);
  const [server, client] = await tunnel(own);
  await noWayBack(own);
  await repairedAtTheServer(own);
  await repairedAtTheRouter(own);
  await toldByDhcp(own);
  await separateFacts(own);
  await client!.end();
  await server!.end();
}

async function greyNetwork(world: World, tenant: Tenant): Promise<Own> {
  const sw = await registerSwitch(world);
  await sw.trunks(['h1', 'h2'], { managed: 'false' });
  const port = await sw.port(`${BOX}-eth0`, { role: 'access' });
  await sw.grant(port, 'acme');
  const networkid = await tenant.network('LinuxRouter', { cidr: GREY });
  const server = await tenant.instance('server', networkid, 'h1');
  const registered = await tenant.call('registerDevice', { name: BOX, kind: 'vpn', switchportid: port });
  const deviceid = text(field(registered, 'device'), 'id');
  await tenant.call('attachDevice', { networkid, deviceid, ipaddress: BOX_INSIDE });
  await setAddress(world, BOX, BOX_INSIDE);
  world.say(
    `the grey network is ${GREY}: server has ${server.address}, r1 is its router, ${BOX} at ${BOX_INSIDE} its VPN server`,
  );
  return { world, tenant, networkid, deviceid, server };
}

/** Certificates of their own, known to each other by fingerprint: the shortest configuration that is not broken. */
async function tunnel({ world }: Own) {
  const folder = folderOf(world);
  const fingerprint = async (who: string): Promise<string> => {
    const [key, certificate] = ['key', 'crt'].map((ending) => join(folder, `own-${who}.${ending}`));
    const made = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30'.split(' ');
    await world.exec(BOX, ['openssl', ...made, '-subj', `/CN=${who}`, '-keyout', key!, '-out', certificate!]);
    const { stdout } = await world.exec(BOX, [
      'openssl',
      'x509',
      '-in',
      certificate!,
      '-noout',
      '-fingerprint',
      '-sha256',
    ]);
    return stdout.trim().replace(/^.*=/, '');
  };
  const [serverPrint, clientPrint] = await Promise.all([fingerprint('server'), fingerprint('client')]);
  const files = (who: string): string[] => [
    '--cert',
    join(folder, `own-${who}.crt`),
    '--key',
    join(folder, `own-${who}.key`),
  ];
  const [network] = GREY.split('/');
  const told = ['--push', `route ${network} 255.255.255.0`];
  const server = await openVpn(world, BOX, 'own-server', [
    ...'--server 10.8.0.0 255.255.255.0 --topology subnet --dev tun --dh none --keepalive 5 20'.split(' '),
    ...told,
    ...files('server'),
    '--peer-fingerprint',
    clientPrint!,
  ]);
  const client = await openVpn(world, CLIENT, 'own-client', [
    ...`--client --remote ${BOX_OUTSIDE} --dev tun --nobind`.split(' '),
    ...files('client'),
    '--peer-fingerprint',
    serverPrint!,
  ]);
  await world.waitFor('the tunnel', () => world.pingFrom(CLIENT, GREEN_SERVER), 20_000);
  const { stdout } = await world.inNetwork(CLIENT, ['ip', 'route']);
  world.expect(
    `S31: the server has pushed the route to the grey network: ${CLIENT} sends it into the tunnel`,
    stdout.includes(`${GREY} via ${GREEN_SERVER} dev tun0`),
    stdout,
  );
  return [server, client];
}

async function noWayBack({ world, tenant, networkid, deviceid, server }: Own): Promise<void> {
  await world.reaches('S32: the tunnel is up: its other end answers', CLIENT, GREEN_SERVER, true);
  await world.reaches('S32: and even its address in the grey network', CLIENT, BOX_INSIDE, true);
  const before = await world.echoesReceived(server);
  await world.reaches('S32: server does not: even ping times out', CLIENT, server.address, false);
  const arrived = (await world.echoesReceived(server)) - before;
  world.expect('S32: though the request arrives: it is the answer that has no way', arrived > 0, `${arrived} requests`);
  const ask = (): Promise<object> => tenant.call('checkNetworkRoute', { networkid, ipaddress: GREEN_CLIENT });
  await world.refused(
    'S32: the product names what is missing, where answers go instead, and the request that adds it',
    ask,
    new RegExp(
      `No return route to ${GREEN_CLIENT} in network .*send their answers to ${ROUTER}.*createNetworkRoute networkid=${networkid} cidr=${GREEN} deviceid=${deviceid}`,
    ),
  );
}

/** `route add -net 10.8.0.0/24 gw …`, as in the archive, at the one machine that is to be reached. */
async function repairedAtTheServer({ world, server }: Own): Promise<void> {
  const route = ['ip', 'route', 'add', GREEN, 'via', BOX_INSIDE];
  world.say(`server: ${route.join(' ')}`);
  await world.exec(server, route);
  await bothWays(world, server, 'S33: the route on the server itself repairs it');
  await world.exec(server, ['ip', 'route', 'del', GREEN]);
  await world.reaches('S33: taken away again, it is as before', CLIENT, server.address, false);
}

/** The request that the product offered: one route at the network's router, for every machine there. */
async function repairedAtTheRouter({ world, tenant, networkid, deviceid, server }: Own): Promise<void> {
  await tenant.call('createNetworkRoute', { networkid, deviceid, cidr: GREEN });
  world.say(`createNetworkRoute: ${GREEN} is behind ${BOX}; server has no route of its own`);
  await bothWays(world, server, "S33: the route on the network's router repairs it");
  const found = await checked({ world, tenant, networkid });
  world.expect('S33: checkNetworkRoute says answered', text(found, 'result') === 'answered', JSON.stringify(found));
}

async function bothWays(world: World, server: Guest, promise: string): Promise<void> {
  await world.waitFor('an answer', () => world.pingFrom(CLIENT, server.address), 5_000).catch(() => false);
  await world.reaches(`${promise}: ${CLIENT} reaches server`, CLIENT, server.address, true);
  await world.reaches(`${promise}: server reaches ${CLIENT}`, server, GREEN_CLIENT, true);
}

/** Whoever comes after the route needs no router for it: DHCP tells him (option 121). */
async function toldByDhcp({ world, tenant, networkid }: Own): Promise<void> {
  const late = await tenant.instance('server2', networkid, 'h2');
  const { stdout } = await world.exec(late, ['ip', 'route', 'show']);
  world.expect(
    `an instance that comes later is told of ${GREEN} by DHCP (option 121)`,
    stdout.includes(`${GREEN} via ${BOX_INSIDE}`),
    stdout,
  );
  await world.reaches(`and is reached at once`, CLIENT, late.address, true);
}

/** Each route of the way is a fact by itself: the pushed one, forwarding, what is behind the client, the way back. */
async function separateFacts(own: Own): Promise<void> {
  const { world } = own;
  await world.exec(CLIENT, ['ip', 'route', 'del', GREY]);
  await world.exec(BOX, ['sysctl', '-q', '-w', 'net.ipv4.ip_forward=0']);
  world.say(`${CLIENT} loses the pushed route, and ${BOX} forwards no more`);
  const found = await checked(own);
  const facts = rows(found, 'fact');
  for (const [name, repair] of [
    ['pushedroute', 'push "route 10.20.0.0 255.255.255.0"'],
    ['forwarding', 'sysctl net.ipv4.ip_forward=1'],
    ['iroute', 'iroute 10.8.0.0 255.255.255.0'],
  ] as const) {
    const fact = facts.find((one) => text(one, 'name') === name);
    const said = fact === undefined ? 'no such fact' : `${text(fact, 'state')}: ${text(fact, 'description')}`;
    world.say(`       ${name}: ${said}`);
    const held = fact !== undefined && text(fact, 'state') !== 'good' && text(fact, 'repair').includes(repair);
    world.expect(`facts: ${name} is one of its own, with what to type`, held, JSON.stringify(fact));
  }
  await world.exec(BOX, ['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  await world.exec(CLIENT, ['ip', 'route', 'add', GREY, 'via', GREEN_SERVER]);
}

async function checked({ world, tenant, networkid }: Pick<Own, 'world' | 'tenant' | 'networkid'>): Promise<object> {
  const asked = { networkid, ipaddress: GREEN_CLIENT };
  const found = field(await tenant.call('checkNetworkRoute', asked), 'networkroutecheck');
  world.say(`checkNetworkRoute: ${text(found, 'result')}`);
  world.say(`       "${text(found, 'description')}"`);
  return found;
}
