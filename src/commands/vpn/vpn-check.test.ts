// checkVpn: each route and list on the way there and back is a fact of its own, and what it offers as a repair is typed as it stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../lib/id.ts';
import { cidr, formatCidr } from '../../lib/ip.ts';
import type { Body, Params, Who } from '../../../test/support/cloud.ts';
import { NOT_PASSED_ON } from '../../protocol/vpn.ts';
import { recordRouterStates } from '../../store/router-states.ts';
import { deviceRow, memberRow, portRow, switchRow } from '../../store/row.test-support.ts';
import { recordVpnRoutes, recordVpnStates } from '../../store/vpn-states.ts';
import { type PublicCloud, openCloud } from '../public/public.test-support.ts';
import { acquired, shop } from '../public/vpc-address.test-support.ts';
import { letsPass } from './list-judgement.ts';
import { freeRange } from './vpn-place.ts';

const WHO = 'acme-admin';

interface World {
  readonly cloud: PublicCloud;
  readonly vpcid: string;
  readonly vpn: string;
  readonly user: string;
}

async function worldOf(cloud: PublicCloud, more: Params = {}, cidrlist = ''): Promise<World> {
  const { vpcid } = await shop(cloud);
  const publicipid = await acquired(cloud, vpcid);
  const vpn = await cloud.made(WHO, 'createRemoteAccessVpn', { publicipid, ...more }, 'remoteaccessvpn');
  const anna = { username: 'anna', password: 'Secret.1', ...(cidrlist === '' ? {} : { cidrlist }) };
  const user = await cloud.made(WHO, 'addVpnUser', anna, 'vpnuser');
  return { cloud, vpcid, vpn: String(vpn['id']), user: String(user['id']) };
}

/** The client is in, and everything is in place. */
async function connect({ cloud, vpn, user }: World, routed = ['10.8.0.0/24']): Promise<void> {
  await cloud.callAs(WHO, 'createVpnClientProfile', { remoteaccessvpnid: vpn, vpnuserid: user });
  await cloud.settle();
  const [client] = await cloud.list(WHO, 'listVpnClients');
  const clients = [{ id: String(client!['id']), from: '198.51.100.7:40000' }];
  await recordVpnStates(cloud.store, [{ id: vpn, by: 'gw1', state: 'Running', clients }]);
  await recordVpnRoutes(cloud.store, new Map([[vpn, routed]]));
}

async function check({ cloud, vpn, user }: World, who: Who = WHO): Promise<{ result: string; facts: Body[] }> {
  const answer = await cloud.callAs(who, 'checkVpn', { vpnuserid: user, remoteaccessvpnid: vpn });
  const { result, fact } = answer['vpncheck'] as Body;
  return { result: String(result), facts: fact as Body[] };
}

const named = (facts: readonly Body[], name: string): Body[] => facts.filter((fact) => fact['name'] === name);

/** Types a repair as it stands, request by request. */
async function type(cloud: PublicCloud, repair: unknown): Promise<void> {
  let list = '';
  for (const line of String(repair).split('; ')) {
    const [command, ...words] = line.split(' ');
    const params = Object.fromEntries(words.map((word) => word.replace('THAT_LIST', list).split('='))) as Params;
    const answer = await cloud.doAs(WHO, command!, params);
    list = String((answer['networkacllist'] as Body | undefined)?.['id'] ?? list);
  }
}

test('checkVpn names the gateway that serves nothing, and the route the router does not have yet', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  await cloud.callAs(WHO, 'createVpnClientProfile', { remoteaccessvpnid: world.vpn, vpnuserid: world.user });
  const before = await check(world);
  assert.equal(before.result, 'tunnel');
  assert.equal((await check(world, 'readonly')).result, 'tunnel', 'it changes nothing, so who only reads may ask');
  assert.match(String(before.facts[0]!['description']), /no gateway node tells that it serves this VPN/);
  assert.match(
    String(named(before.facts, 'returnroute')[0]!['description']),
    /does not have the route to 10\.8\.0\.0\/24/,
  );
  await recordVpnStates(cloud.store, [{ id: world.vpn, by: 'gw1', state: 'Error', reason: 'OpenVPN does not run' }]);
  const broken = named((await check(world)).facts, 'forwarding')[0]!;
  assert.deepEqual([broken['state'], broken['description']], ['bad', 'the gateway node says: OpenVPN does not run']);
  const [told] = named((await check(world, 'admin')).facts, 'forwarding');
  assert.match(String(told!['description']), /gw1/, 'which node is the operator’s to know');
  await connect(world, []);
  const { facts } = await check(world);
  assert.deepEqual(
    [
      named(facts, 'tunnel')[0]!['state'],
      named(facts, 'forwarding')[0]!['state'],
      named(facts, 'returnroute')[0]!['state'],
    ],
    ['good', 'good', 'bad'],
    'up, and no way back: separate facts',
  );
});

test('checkVpn names tiers whose lists let nothing in from clients, and its request opens them', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  await connect(world);
  const closed = named((await check(world)).facts, 'acl');
  assert.deepEqual(closed.map(({ hop }) => hop).toSorted(), [
    'tier tier-10.1.1.0/24 of VPC blue',
    'tier tier-10.1.2.0/24 of VPC blue',
  ]);
  for (const { repair } of closed) {
    const unique = String(repair).replace('name=vpn', `name=vpn${closed.findIndex((one) => one['repair'] === repair)}`);
    await type(cloud, unique);
  }
  assert.deepEqual(named((await check(world)).facts, 'acl'), []);
  assert.equal((await check(world)).result, 'good');
});

test('checkVpn names a tier whose list lets clients in and nothing out to them, and its request opens it', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  await connect(world);
  const aclid = String(
    (await cloud.made(WHO, 'createNetworkACLList', { vpcid: world.vpcid, name: 'shut' }, 'networkacllist'))['id'],
  );
  const item = (traffictype: string, action: string): Params => ({ aclid, protocol: 'all', traffictype, action });
  await cloud.doAs(WHO, 'createNetworkACL', { ...item('ingress', 'allow'), number: '10' });
  await cloud.doAs(WHO, 'createNetworkACL', { ...item('egress', 'deny'), number: '20' });
  for (const { id } of await cloud.list(WHO, 'listNetworks', { vpcid: world.vpcid }))
    await cloud.doAs(WHO, 'replaceNetworkACLList', { aclid, networkid: String(id) });
  const { result, facts } = await check(world);
  assert.equal(result, 'acl');
  const closed = named(facts, 'acl');
  assert.equal(closed.length, 2, 'each tier once');
  assert.match(
    String(closed[0]!['description']),
    /lets nothing out to 10\.8\.0\.0\/24: instances answer who comes from there, and reach nobody there by themselves/,
  );
  const [request, hint] = String(closed[0]!['repair']).split(', ');
  assert.equal(hint, 'with a number before what denies it');
  await type(cloud, `${request} number=15`);
  assert.deepEqual([(await check(world)).result, named((await check(world)).facts, 'acl')], ['good', []]);
});

test('checkVpn names the other VPC’s missing way back to the clients, and its request adds it', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud, {}, '192.168.7.0/24');
  const green = await shop(cloud, 'green', '10.2');
  const network = String((await cloud.privateNetwork(WHO, 'between', '172.16.0.0/24'))['id']);
  const [open] = await cloud.list(WHO, 'listNetworkACLLists', { name: 'default_allow' });
  const aclid = String(open!['id']);
  await cloud.join(WHO, world.vpcid, network, '172.16.0.1', { aclid });
  await cloud.join(WHO, green.vpcid, network, '172.16.0.2');
  await cloud.route(WHO, world.vpcid, '10.2.0.0/16', '172.16.0.2');
  await connect(world, ['10.8.0.0/24', '192.168.7.0/24']);
  const before = (await check(world)).facts;
  const routes = named(before, 'pushedroute')[0]!;
  assert.match(
    String(routes['description']),
    /10\.1\.1\.0\/24, 10\.1\.2\.0\/24, 10\.2\.0\.0\/16, 172\.16\.0\.0\/24 are behind/,
  );
  const missing = named(before, 'returnroute').filter(({ state }) => state === 'bad');
  assert.deepEqual(
    missing.map(({ hop, repair }) => [hop, repair]),
    ['10.8.0.0/24', '192.168.7.0/24'].map((prefix) => [
      'the router of VPC green',
      `createStaticRoute vpcid=${green.vpcid} cidr=${prefix} nexthop=172.16.0.1`,
    ]),
  );
  assert.match(String(missing[0]!['description']), /VPC green has no static route back to 10\.8\.0\.0\/24/);
  const gateway = named(before, 'acl').find(({ hop }) => String(hop).startsWith('private gateway 172.16.0.2'));
  assert.match(
    String(gateway?.['description']),
    /its list lets nothing in from the Private network to 10\.2\.0\.0\/16/,
  );
  for (const { repair } of missing) await type(cloud, repair);
  await type(cloud, gateway!['repair']);
  const after = (await check(world)).facts;
  assert.deepEqual(
    named(after, 'returnroute').map(({ state }) => state),
    ['good', 'good', 'good', 'good'],
  );
  assert.ok(!named(after, 'acl').some(({ hop }) => String(hop).startsWith('private gateway')));
  assert.ok(
    named(after, 'acl').some(({ hop }) => hop === 'tier tier-10.2.1.0/24 of VPC green'),
    'its tiers have lists of their own',
  );
});

test('checkVpn says of another account’s VPC, and of a machine that routes, that it cannot know, and what to ask for', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  const network = String((await cloud.privateNetwork('admin', 'common', '172.16.0.0/24'))['id']);
  const foreign = await cloud.vpc('globex-admin', 'theirs', '10.3.0.0/16');
  await cloud.join('admin', world.vpcid, network, '172.16.0.1');
  await cloud.join('admin', foreign, network, '172.16.0.3');
  await cloud.route(WHO, world.vpcid, '10.3.0.0/16', '172.16.0.3');
  await cloud.route(WHO, world.vpcid, '192.168.99.0/24', '10.1.1.77');
  await connect(world);
  const unknown = named((await check(world)).facts, 'returnroute').filter(({ state }) => state === 'unknown');
  assert.deepEqual(unknown.map(({ hop }) => hop).toSorted(), [
    'machine 10.1.1.77',
    'the VPC at 172.16.0.3 in Private network common',
  ]);
  const text = JSON.stringify(unknown);
  assert.ok(!text.includes(foreign) && !text.includes('theirs'), 'neither its id nor its name');
  assert.match(text, /createStaticRoute vpcid=THEIR_VPC cidr=10\.8\.0\.0\/24 nexthop=172\.16\.0\.1/);
  const [seen] = named((await check(world, 'admin')).facts, 'returnroute').filter(({ state }) => state === 'bad');
  assert.equal(seen?.['repair'], `createStaticRoute vpcid=${foreign} cidr=10.8.0.0/24 nexthop=172.16.0.1`);
});

test('checkVpn knows what a router node of ours routes, where it is the next hop', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  const campus = await cloud.net(WHO, 'campus', { cidr: '172.16.0.0/24' });
  const meet = String((await cloud.privateNetwork(WHO, 'meet', '172.16.0.0/24'))['id']);
  const row = await cloud.store.db.selectFrom('network').selectAll().where('id', '=', campus).executeTakeFirstOrThrow();
  // Both on one wire, as a Shared and a Private network of one domain can be.
  const wire = { segment: 'vlan', vlan: row.vlan, physicalnetwork: row.physicalnetwork };
  await cloud.store.write((tx) => tx.update('network', meet, wire));
  await cloud.join(WHO, world.vpcid, meet, '172.16.0.9');
  await cloud.route(WHO, world.vpcid, '192.168.99.0/24', '172.16.0.1');
  await connect(world);
  const back = async (): Promise<Body[]> =>
    named((await check(world)).facts, 'returnroute').filter(({ hop }) => hop === 'the router of network campus');
  const [lost] = await back();
  assert.equal(lost?.['state'], 'bad');
  assert.match(String(lost?.['description']), /has no route back to 10\.8\.0\.0\/24: it sends that out/);
  const created = new Date().toISOString();
  const owner = { account: row.account, domain: row.domain };
  const ids = { device: newId(), member: newId(), route: newId() };
  await cloud.store.write(async (tx) => {
    const sw = switchRow('sw', { zone: row.zone, physicalnetwork: row.physicalnetwork! });
    const port = portRow(sw.id, 'p1');
    await tx.insert('switch', sw);
    await tx.insert('switchport', port);
    await tx.insert('device', { ...deviceRow('vpcgw', port.id), id: ids.device, ...owner });
    await tx.insert('member', {
      ...memberRow(campus, ids.device, port.id, { id: ids.member, ip: '172.16.0.9' }),
      ...owner,
    });
    await tx.insert('networkroute', {
      id: ids.route,
      network: campus,
      cidr: '10.8.0.0/24',
      member: ids.member,
      ...owner,
      created,
    });
  });
  const stateOf = async (): Promise<unknown[]> => (await back()).map(({ state }) => state);
  assert.deepEqual(await stateOf(), ['unknown'], 'no node has told yet');
  const leg = await cloud.store.db
    .selectFrom('networkrouter')
    .innerJoin('host', 'host.id', 'networkrouter.host')
    .select(['networkrouter.id', 'host.name'])
    .where('networkrouter.network', '=', campus)
    .executeTakeFirstOrThrow();
  const told = (state: 'MASTER' | 'FAULT', findings: string[] = []) =>
    recordRouterStates(cloud.store, leg.name, [{ id: leg.id, state, findings }]);
  await told('MASTER');
  assert.deepEqual(await stateOf(), ['good']);
  const secret = `${leg.name}: eth1 lost its address`;
  await told('MASTER', [secret]);
  assert.deepEqual(await stateOf(), ['unknown']);
  assert.ok(!JSON.stringify(await back()).includes(leg.name), 'which node is the operator’s to know');
  await told('FAULT');
  assert.deepEqual(await stateOf(), ['bad']);
  await cloud.store.write((tx) => tx.update('member', ids.member, { ip: '172.16.0.10' }));
  const [elsewhere] = await back();
  assert.match(
    String(elsewhere?.['description']),
    /to 172\.16\.0\.10 \(route 10\.8\.0\.0\/24\) and not to us, 172\.16\.0\.9/,
  );
  assert.equal(elsewhere?.['repair'], `deleteNetworkRoute id=${ids.route}`);
});

test('checkVpn tells a WireGuard user whose file is older than a network that he needs a new one', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud, { kind: 'wireguard' });
  await connect(world);
  const pushed = async (): Promise<Body> => named((await check(world)).facts, 'pushedroute')[0]!;
  assert.equal((await pushed())['state'], 'good');
  await cloud.tier(WHO, world.vpcid, '10.1.3.0/24');
  assert.equal((await pushed())['state'], 'good', 'a tier of the VPC is in the file from the start');
  const network = String((await cloud.privateNetwork(WHO, 'between', '172.16.0.0/24'))['id']);
  await cloud.join(WHO, world.vpcid, network, '172.16.0.1');
  const late = await pushed();
  assert.equal(late['state'], 'bad');
  assert.match(String(late['description']), /was written before 172\.16\.0\.0\/24 came/);
  await type(cloud, late['repair']);
  assert.equal((await pushed())['state'], 'good');
});

test('checkVpn of a site: what the gateway tells, what the router has, and what only the other end knows', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  const gateway = await cloud.made(WHO, 'createVpnGateway', { vpcid }, 'vpngateway');
  const office = {
    name: 'office',
    gateway: '198.51.100.9',
    cidrlist: '192.168.50.0/24',
    ipsecpsk: 'AVeryLongSecret',
    ikepolicy: 'aes256-sha256;modp2048',
    esppolicy: 'aes256-sha256;modp2048',
  };
  const other = await cloud.made(WHO, 'createVpnCustomerGateway', office, 'vpncustomergateway');
  const ends = { s2svpngatewayid: String(gateway['id']), s2scustomergatewayid: String(other['id']) };
  const id = String((await cloud.made(WHO, 'createVpnConnection', ends, 'vpnconnection'))['id']);
  const states = async (): Promise<string[]> => {
    const facts = ((await cloud.callAs(WHO, 'checkVpn', { vpnconnectionid: id }))['vpncheck'] as Body)[
      'fact'
    ] as Body[];
    return facts.filter(({ name }) => name !== 'acl').map(({ name, state }) => `${String(name)} ${String(state)}`);
  };
  assert.deepEqual(await states(), ['tunnel bad', 'forwarding bad', 'returnroute bad', 'peerroute unknown']);
  const reason = `${NOT_PASSED_ON}: forwarding was switched off`;
  await recordVpnStates(cloud.store, [{ id, by: 'gw1', state: 'Error', reason }]);
  assert.deepEqual(await states(), ['tunnel unknown', 'forwarding bad', 'returnroute bad', 'peerroute unknown']);
  await recordVpnStates(cloud.store, [{ id, by: 'gw1', state: 'Connected' }]);
  assert.deepEqual(await states(), ['tunnel good', 'forwarding good', 'returnroute bad', 'peerroute unknown']);
  await recordVpnRoutes(cloud.store, new Map([[id, ['192.168.50.0/24']]]));
  assert.deepEqual(await states(), ['tunnel good', 'forwarding good', 'returnroute good', 'peerroute unknown']);
});

test('letsPass() reads a list as the filter does: the first item that says something decides', () => {
  const item = (number: number, traffictype: string, action: string, cidrlist: string, protocol = 'all') => ({
    number,
    traffictype,
    action,
    cidrlist,
    protocol,
  });
  const clients = cidr('10.8.0.0/24');
  assert.equal(letsPass([], 'Ingress', clients), false);
  assert.equal(letsPass([], 'Egress', clients), true);
  assert.equal(letsPass([item(1, 'Egress', 'Allow', '10.0.0.0/8')], 'Ingress', clients), false);
  assert.equal(letsPass([item(1, 'Ingress', 'Allow', '10.8.0.7/32', 'tcp')], 'Ingress', clients), true);
  assert.equal(letsPass([item(1, 'Ingress', 'Allow', '10.9.0.0/24')], 'Ingress', clients), false);
  const both = [item(20, 'Ingress', 'Allow', '0.0.0.0/0'), item(10, 'Ingress', 'Deny', '10.8.0.0/16')];
  assert.equal(letsPass(both, 'Ingress', clients), false, 'numbers decide, not the order of rows');
  assert.equal(letsPass([item(10, 'Ingress', 'Deny', '10.8.0.0/16', 'tcp'), both[0]!], 'Ingress', clients), true);
  assert.equal(letsPass([item(1, 'Ingress', 'Allow', '2001:db8::/32')], 'Ingress', clients), false);
});

test('freeRange() keeps to 10.8, then to 172.31, and never gives what clients have at home', () => {
  const taken = (text: string) => ({ prefix: cidr(text), what: '', id: text });
  assert.equal(formatCidr(freeRange([])), '10.8.0.0/24');
  assert.equal(formatCidr(freeRange([taken('10.8.0.0/23')])), '10.8.2.0/24', 'the third VPN of an account');
  assert.equal(formatCidr(freeRange([taken('10.0.0.0/8'), taken('172.31.0.0/24')])), '172.31.1.0/24');
  assert.throws(() => freeRange([taken('10.0.0.0/8'), taken('172.16.0.0/12')]), /no range is free for clients/);
});

test('VPNs of an account have ranges of their own, so that one VPC can be given a route back to the clients of another', async () => {
  await using cloud = await openCloud();
  const ranges: string[] = [];
  for (const [name, net] of [
    ['blue', '10.1'],
    ['green', '10.2'],
  ] as const) {
    const { vpcid } = await shop(cloud, name, net);
    const publicipid = await acquired(cloud, vpcid);
    ranges.push(String((await cloud.made(WHO, 'createRemoteAccessVpn', { publicipid }, 'remoteaccessvpn'))['cidr']));
    if (name === 'green') await cloud.route(WHO, vpcid, ranges[0]!, '10.2.1.9');
  }
  assert.equal(new Set(ranges).size, 2, ranges.join());
});
