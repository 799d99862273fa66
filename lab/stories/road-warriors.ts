// Story 8: road warriors. VPNs that know the way back: people, a branch office and other sites come to a VPC, and every route of the way there
// and back is made where it belongs, or named where it lacks.
//
//    the internet 198.51.100.0/24               gw1, gw2: one of them carries         VPC shop 10.1.0.0/16
//    laptop .10 (ann)      --- OpenVPN ----+                                      +--- web 10.1.1.0/24   web1
//    phone .20 (bob)       --- WireGuard --+-- 203.0.113.x  the VPN gateway ------+--- db  10.1.2.0/24   db1
//    office .50 (branch)   --- OpenVPN ----+   green 10.8.0.0/24, 10.8.1.0/24     +--- app 10.1.3.0/24   app1, later
//      officepc 192.168.50.10                                                     |
//    plant .60             --- IPsec ------+                                      +--- Private network 172.16.0.0/24
//      plantpc 192.168.60.10                                                      |
//    VPC mill 10.3.0.0/16  --- WireGuard --+                                      +--- VPC stock 10.2.0.0/16   stock1
import { field, rows, text } from '../../src/demo/answer.ts';
import { acquire, type PublicAddress } from '../../src/demo/public-side.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';
import { type Login, profileOf, roadWarrior, type VpnProgram, wireGuard } from '../../src/demo/vpn-client.ts';
import { ownServer } from './road-warriors-own-server.ts';
import { joinSites, type Neighbour, plantGone, plantJoined } from './road-warriors-sites.ts';

const ACCOUNT = 'acme-admin';
const RANGE = { startip: '203.0.113.10', endip: '203.0.113.50', gateway: '203.0.113.1', netmask: '255.255.255.0' };
const GREEN = '10.8.0.0/24';
const OFFICE = '192.168.50.0/24';
const OFFICE_PC = '192.168.50.10';
const ANN: Login = { username: 'ann', password: 'a-Secret-word-1' };
const BOB: Login = { username: 'bob', password: 'a-Secret-word-2' };
const BRANCH: Login = { username: 'branch', password: 'a-Secret-word-3' };
/** A tunnel, or an answer by another way, on a busy machine. */
const UP_MS = 40_000;
const CUT_MS = 10_000;
const SHORTLY_MS = 5_000;
/** Clients find out by themselves that they speak to nobody. */
const BACK_MS = 60_000;

export const story: Story = {
  title: 'Story 8: road warriors',
  summary:
    'VPNs that know the way back: the archive with its missing route, then people, a branch office and sites at a VPC, by OpenVPN, WireGuard and IPsec.',
  topology: 'roads',
  byHand: 'phone -- ping -c3 10.1.1.2',
  async play(world) {
    if (world.lab.sandbox.rootless)
      throw new Error(
        'the wire is asked who answers whom with tcpdump, which cannot change its user without root: use sudo',
      );
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) return again(world, earlier);
    await world.operator('createVlanIpRange', { zoneid: tenant.zoneid, vlan: '100', ...RANGE });
    await ownServer(world, tenant);
    const scene = await begin(world, tenant);
    const ann = await comeIn(scene);
    await laterTier(scene);
    await anotherVpc(scene);
    await branchOffice(scene);
    const plant = await joinSites(scene);
    await revoked(scene, ann);
    await plantJoined(scene, plant);
    await refusals(scene);
    const carrier = await gatewayLost(scene);
    await plantGone(scene, plant);
    await world.lab.perform('power-on', carrier);
  },
};

interface Scene {
  readonly world: World;
  readonly tenant: Tenant;
  /** The shop's. */
  readonly vpcid: string;
  readonly web1: Guest;
  readonly db1: Guest;
  /** Behind a Private network, and behind a site's tunnel. */
  readonly stock: Neighbour;
  readonly mill: Neighbour;
  /** Where clients come to. */
  readonly address: PublicAddress;
  /** The VPNs there. */
  readonly openvpn: string;
  readonly wireguard: string;
}

async function again(world: World, guests: readonly Guest[]): Promise<void> {
  world.say('the VPCs are here already, from an earlier run; clients have to be started by hand');
  const [web1, db1] = ['web1', 'db1'].map((name) => guests.find((guest) => guest.name === name)!);
  await world.waitFor('web1', () => world.pingFrom(web1!, db1!.address).catch(() => false), 60_000);
  await world.reaches('web1 reaches db1', web1!, db1!.address, true);
}

async function begin(world: World, tenant: Tenant): Promise<Scene> {
  const vpcid = await tenant.vpc('shop', '10.1.0.0/16');
  const inTier = async (vpc: string, gateway: string, name: string, host: string): Promise<Guest> =>
    tenant.instance(name, await tenant.tier(vpc, gateway, 'default_allow'), host);
  const neighbour = async (name: string, second: number): Promise<Neighbour> => {
    const vpc = await tenant.vpc(name, `10.${second}.0.0/16`);
    return { vpcid: vpc, guest: await inTier(vpc, `10.${second}.1.1`, `${name}1`, 'h2') };
  };
  const access = async (kind: string): Promise<string> => {
    const made = await tenant.call('createRemoteAccessVpn', { publicipid: address.id, kind });
    return text(field(made, 'remoteaccessvpn'), 'id');
  };
  const address = await acquire(tenant, { vpcid });
  const [web1, db1, stock, mill, [openvpn, wireguard]] = await Promise.all([
    inTier(vpcid, '10.1.1.1', 'web1', 'h1'),
    inTier(vpcid, '10.1.2.1', 'db1', 'h2'),
    neighbour('stock', 2),
    neighbour('mill', 3),
    // One after the other: each takes the first range that is free.
    access('openvpn').then(async (id) => [id, await access('wireguard')] as const),
  ]);
  world.say(
    `VPC shop: remote access by OpenVPN and by WireGuard at ${address.ip}; VPCs stock and mill, which it is not joined with`,
  );
  return { world, tenant, vpcid, web1, db1, stock, mill, address, openvpn, wireguard };
}

interface Client {
  readonly ip: string;
  readonly file: string;
  readonly program: VpnProgram;
}

/** Two people come, each with the one file he was given. */
async function comeIn(scene: Scene): Promise<Client> {
  const { world, tenant, web1, db1, openvpn, wireguard } = scene;
  for (const login of [ANN, BOB]) await tenant.call('addVpnUser', { ...login });
  const byOpenVpn = await profileOf(world, tenant, openvpn, ANN.username);
  const byWireGuard = await profileOf(world, tenant, wireguard, BOB.username);
  const up = async (from: string, began: number): Promise<void> => {
    await world.waitFor(`${from} and web1`, () => world.pingFrom(from, web1.address), UP_MS);
    world.say(`${from}: an answer of web1 after ${Date.now() - began} ms`);
  };
  const began = Date.now();
  const program = await roadWarrior(world, 'laptop', byOpenVpn.file, ANN);
  await up('laptop', began);
  const later = Date.now();
  await wireGuard(world, 'phone', byWireGuard.file);
  await up('phone', later);
  for (const [client, ip] of [
    ['laptop', byOpenVpn.ip],
    ['phone', byWireGuard.ip],
  ] as const) {
    await world.reaches(`S31: ${client} reaches web1 in tier web`, client, web1.address, true);
    await world.reaches(`S31: ${client} reaches db1 in tier db`, client, db1.address, true);
    await world.reaches(`S33: web1 reaches ${client}`, web1, ip, true);
    const source = await world.sourceSeen(web1, () => world.pingFrom(client, web1.address));
    if (source !== undefined) world.expect(`${client} is seen with its own address, ${ip}`, source === ip, source);
  }
  const listed = JSON.stringify(await tenant.call('listVpnClients'));
  const secrets = /PRIVATE KEY|PrivateKey|PresharedKey/;
  world.expect('a profile is shown once: lists show nothing of its keys', !secrets.test(listed), listed);
  return { ...byOpenVpn, program };
}

async function laterTier({ world, tenant, vpcid }: Scene): Promise<void> {
  const app = await tenant.tier(vpcid, '10.1.3.1', 'default_allow');
  const app1 = await tenant.instance('app1', app, 'h1');
  const began = Date.now();
  const reaches = (from: string, ms: number): Promise<boolean> =>
    world.waitFor(`${from} and app1`, () => world.pingFrom(from, app1.address), ms).catch(() => false);
  // The gateway's node lets nothing through that it was not told of: it is told beside the instance's host.
  const known = await reaches('phone', SHORTLY_MS);
  world.expect('a later tier: phone reaches it with the file it has, which names the whole VPC', known);
  const reached = await reaches('laptop', UP_MS);
  world.say(`laptop: an answer of app1 after ${Date.now() - began} ms; OpenVPN tells routes when a client connects`);
  world.expect('a later tier: laptop is told of it without being asked', reached);
}

/** The other VPC knows the shop, and nothing of those who come in there: the archive's fault once more, one hop further. */
async function anotherVpc(scene: Scene): Promise<void> {
  const { world, tenant, vpcid, web1 } = scene;
  const { vpcid: stock, guest: stock1 } = scene.stock;
  const between = await tenant.privateNetwork('172.16.0.0/24');
  await tenant.gateway(vpcid, between, '172.16.0.1', 'default_allow');
  await tenant.gateway(stock, between, '172.16.0.2', 'default_allow');
  await tenant.route(vpcid, '10.2.0.0/16', '172.16.0.2');
  await tenant.route(stock, '10.1.0.0/16', '172.16.0.1');
  await world.reaches('another VPC: web1 reaches stock1', web1, stock1.address, true);
  const told = async (): Promise<boolean> =>
    (await world.inNetwork('laptop', ['ip', 'route'])).stdout.includes('10.2.0.0/16 via 10.8.0.1') &&
    (await world.pingFrom('laptop', web1.address));
  await world.waitFor('laptop being told of 10.2.0.0/16', told, UP_MS);
  await world.reaches('another VPC: laptop is led there, and nothing comes back', 'laptop', stock1.address, false);
  const wrong = await check(scene, ANN.username, scene.openvpn);
  const repair = `createStaticRoute vpcid=${stock} cidr=${GREEN} nexthop=172.16.0.1`;
  world.expect(
    'another VPC: checkVpn names its router, the route that lacks, and the request',
    text(wrong, 'result') === 'returnroute' &&
      text(wrong, 'hop') === 'the router of VPC stock' &&
      text(wrong, 'repair').includes(repair),
    JSON.stringify(wrong),
  );
  await offered(tenant, repair);
  await world.reaches('another VPC: with that request laptop reaches stock1', 'laptop', stock1.address, true);
  const good = await check(scene, ANN.username, scene.openvpn);
  world.expect('another VPC: and checkVpn finds nothing more', text(good, 'result') === 'good', JSON.stringify(good));
}

/** Does what was offered: `command name=value …`. */
async function offered({ call }: Tenant, request: string): Promise<void> {
  const [command = '', ...params] = request.split(' ');
  await call(command, Object.fromEntries(params.map((param) => param.split('=') as [string, string])));
}

async function check({ world, tenant }: Scene, username: string, remoteaccessvpnid: string): Promise<object> {
  const vpnuserid = await userId(tenant, username);
  const found = field(await tenant.call('checkVpn', { vpnuserid, remoteaccessvpnid }), 'vpncheck');
  world.say(`checkVpn: ${text(found, 'result')}`);
  world.say(`       "${text(found, 'description')}"`);
  return found;
}

async function userId({ call }: Tenant, username: string): Promise<string> {
  return text(rows(await call('listVpnUsers', { username }), 'vpnuser')[0], 'id');
}

/** An office behind a client: nobody knows of it until it is declared, and then everybody does. */
async function branchOffice(scene: Scene): Promise<void> {
  const { world, tenant, web1, db1, openvpn } = scene;
  await tenant.call('addVpnUser', { ...BRANCH });
  const { file, ip } = await profileOf(world, tenant, openvpn, BRANCH.username);
  await roadWarrior(world, 'office', file, BRANCH);
  await world.waitFor('the office and web1', () => world.pingFrom('office', web1.address), UP_MS);
  await world.reaches('S34: the tunnel is up, the office behind it has no way', 'officepc', web1.address, false);
  const before = await check(scene, BRANCH.username, openvpn);
  const iroute = rows(before, 'fact').find((fact) => text(fact, 'name') === 'iroute');
  const said = text(iroute, 'description');
  world.say(`       iroute: ${said}`);
  world.expect(
    'S34: checkVpn says that nothing is declared behind the user, and the request that does',
    said.includes('nothing is declared behind branch') && JSON.stringify(iroute).includes('updateVpnUser'),
    said,
  );
  const id = await userId(tenant, BRANCH.username);
  const declare = (cidrlist: string): Promise<object> => tenant.call('updateVpnUser', { id, cidrlist });
  await world.refused('S34: refused: what is a tier', () => declare('10.1.1.0/24'), /overlaps 10\.1\.1\.0\/24.*tier/);
  await world.refused(
    'S34: refused: what is other clients',
    () => declare('10.8.0.128/25'),
    /overlaps 10\.8\.0\.0\/24/,
  );
  await declare(OFFICE);
  await world.waitFor('the office behind its router', () => world.pingFrom('officepc', web1.address), UP_MS);
  await world.reaches('S34: declared: officepc reaches web1', 'officepc', web1.address, true);
  await world.reaches('S34: declared: officepc reaches db1', 'officepc', db1.address, true);
  await world.reaches('S34: declared: web1 reaches officepc', web1, OFFICE_PC, true);
  await world.reaches('S34: and the client itself', web1, ip, true);
  const source = await world.sourceSeen(web1, () => world.pingFrom('officepc', web1.address));
  if (source !== undefined) world.expect('S34: nothing is translated', source === OFFICE_PC, source);
  await world.refused(
    'S34: refused: a part of it for somebody else',
    () => tenant.call('addVpnUser', { username: 'thief', password: 'a-Secret-word-4', cidrlist: '192.168.50.128/25' }),
    /overlaps 192\.168\.50\.0\/24, which is VPN user branch/,
  );
}

/** The node that carries the VPNs loses its power, and nobody does anything; gives the node, which is off still. */
async function gatewayLost({ world, vpcid, web1, mill }: Scene): Promise<string> {
  const [router] = rows(await world.operator('listRouters', { vpcid, listall: 'true' }), 'router');
  const carrier = text(router, 'hostname');
  await world.lab.perform('power-off', carrier);
  const began = Date.now();
  world.say(`${carrier}, which carries the VPNs of shop, has lost its power`);
  const comesBack = async (name: string, from: string | Guest): Promise<void> => {
    const back = await world
      .waitFor(`${name} coming back`, () => world.pingFrom(from, web1.address), BACK_MS)
      .catch(() => false);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    world.expect(`a gateway node lost: ${name} is back by itself`, back, `not within ${seconds} s`);
    if (back) world.say(`       ${name}: ${seconds} s`);
  };
  const machines = ['phone', 'officepc', 'plantpc'];
  await Promise.all([...machines.map((name) => comesBack(name, name)), comesBack('mill1', mill.guest)]);
  return carrier;
}

async function revoked({ world, tenant, web1 }: Scene, { file, program }: Client): Promise<void> {
  const began = Date.now();
  let answered = began;
  const isCut = async (): Promise<boolean> => {
    const asked = Date.now();
    if (!(await world.pingFrom('laptop', web1.address))) return true;
    answered = asked;
    return false;
  };
  const removed = tenant.call('removeVpnUser', { username: ANN.username });
  const held = await world.waitFor('ann being cut', isCut, CUT_MS).catch(() => false);
  world.say(`removeVpnUser ann: the last answer was ${answered - began} ms after the request`);
  world.expect('revoked: the running connection is cut', held);
  await removed;
  await program.end();
  const anew = await roadWarrior(world, 'laptop', file, ANN);
  const refused = async (): Promise<boolean> => /AUTH_FAILED|server-pushed-halt|TLS Error|exiting/.test(anew.log());
  const turnedAway = await world.waitFor('the same profile being refused', refused, UP_MS).catch(() => false);
  world.expect('revoked: the same profile is turned away', turnedAway, anew.log());
  await world.reaches('revoked: and reaches nobody', 'laptop', web1.address, false);
  await anew.end();
  await world.reaches('revoked: others stay', 'phone', web1.address, true);
}

async function refusals({ world, tenant, vpcid, address, openvpn }: Scene): Promise<void> {
  const { call } = tenant;
  const access = (more: Readonly<Record<string, string>>) => () =>
    call('createRemoteAccessVpn', { publicipid: address.id, ...more });
  await world.refused('refused: L2TP, and what to take instead', access({ kind: 'l2tp' }), /ikev2/);
  await world.refused('refused: a second of one kind at an address', access({ kind: 'openvpn' }), /already/);
  const other = await acquire(tenant, { vpcid });
  await world.refused(
    'refused: clients with the addresses of a tier',
    () => call('createRemoteAccessVpn', { publicipid: other.id, cidr: '10.1.1.0/24' }),
    /overlap/i,
  );
  await world.refused(
    'refused: a profile of somebody who was removed',
    () => call('createVpnClientProfile', { remoteaccessvpnid: openvpn, username: ANN.username }),
    /Could not find VPN user|being removed/,
  );
  const site = { name: 'weak', gateway: '198.51.100.70', cidrlist: '192.168.70.0/24', ipsecpsk: 'a-long-shared-key-9' };
  await world.refused(
    'refused: a policy that can be broken',
    () => call('createVpnCustomerGateway', { ...site, ikepolicy: '3des-md5;modp1024', esppolicy: '3des-md5;modp1024' }),
    /weak/,
  );
  const [end] = rows(await call('listVpnCustomerGateways'), 'vpncustomergateway');
  await world.refused(
    'refused: the other end of a connection is not deleted',
    () => call('deleteVpnCustomerGateway', { id: text(end, 'id') }),
    /still related VPN connections.*Delete them first/,
  );
}
