// Who may tell of VPNs, and what is believed when nobody does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../test/support/cloud.ts';
import { makeVpn } from '../../test/support/vpn-things.ts';
import { compile } from '../compile/compile.ts';
import { type PublicCloud, openCloud } from '../commands/public/public.test-support.ts';
import { acquired, shop } from '../commands/public/vpc-address.test-support.ts';
import type { Intent } from '../model/intent.ts';
import type { NodeReport } from '../protocol/document.ts';
import type { VpnStatus } from '../protocol/vpn.ts';
import { createIntentCache } from '../store/load.ts';
import { helperNodes } from './helper-documents.ts';
import { createVpnRouteWatch } from './vpn-routes.ts';
import { SILENT_MS } from '../store/hosts.ts';
import { createVpnWatch, toldVpns } from './vpn-watch.ts';

const WHO = 'acme-admin';

interface World {
  readonly cloud: PublicCloud;
  readonly vpcid: string;
  readonly ids: Readonly<Record<string, string>>;
  readonly client: string;
  /** A node of the router's group. */
  readonly node: string;
  readonly intent: Intent;
}

async function worldOf(cloud: PublicCloud): Promise<World> {
  const { vpcid } = await shop(cloud);
  const ids = await makeVpn(cloud, WHO, { vpcid, publicipid: await acquired(cloud, vpcid) });
  const [client] = await cloud.list(WHO, 'listVpnClients');
  const { intent } = await createIntentCache(cloud.store).refresh();
  const [node] = helperNodes(`vpc:${vpcid}`, intent);
  assert.ok(node !== undefined, 'some node may carry the router');
  return { cloud, vpcid, ids, client: String(client!['id']), node, intent };
}

function reportOf(node: string, router: string, vpns: readonly VpnStatus[], active = true): NodeReport {
  return {
    node,
    generation: 1,
    instances: [],
    facts: {},
    helpers: [{ id: router, active, vpns }],
  } as unknown as NodeReport;
}

const told = ({ ids, client }: World): VpnStatus[] => [
  { id: ids['remoteaccessvpn']!, state: 'Running', clients: [{ id: client, from: '198.51.100.7:40000' }] },
  { id: ids['vpnconnection']!, state: 'Connected' },
];

const stateOf = async ({ cloud }: World): Promise<Body> => (await cloud.list(WHO, 'listVpnConnections'))[0]!;
const connected = ({ cloud }: World): Promise<Body[]> => cloud.list(WHO, 'listVpnClients', { connected: 'true' });

test('toldVpns() takes VPNs from nodes that may carry their router and say so, and from nobody else', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  const { intent, vpcid, node } = world;
  const vpns = told(world);
  assert.deepEqual(toldVpns(intent, reportOf(node, vpcid, vpns)), vpns);
  assert.deepEqual(toldVpns(intent, reportOf(node, vpcid, vpns, false)), [], 'it does not carry it');
  const others = [...intent.hosts.values()].map(({ name }) => name);
  const group = helperNodes(`vpc:${vpcid}`, intent);
  for (const stranger of [...others.filter((name) => !group.includes(name)), 'nobody'])
    assert.deepEqual(toldVpns(intent, reportOf(stranger, vpcid, vpns)), [], `${stranger} speaks of what is not his`);
  assert.deepEqual(toldVpns(intent, reportOf(node, world.ids['vpngateway']!, vpns)), [], 'there is no such router');
});

test('toldVpns() leaves out what a node says of VPNs of another router, and of clients of another VPN', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  const other = await shop(cloud, 'green', '10.2');
  const kind = { publicipid: await acquired(cloud, other.vpcid), kind: 'wireguard' };
  const vpn = String((await cloud.made(WHO, 'createRemoteAccessVpn', kind, 'remoteaccessvpn'))['id']);
  const { intent } = await createIntentCache(cloud.store).refresh();
  const vpns = told(world);
  assert.deepEqual(toldVpns(intent, reportOf(world.node, other.vpcid, vpns)), []);
  const mixed: VpnStatus[] = [{ id: vpn, state: 'Running', clients: [{ id: world.client }] }];
  assert.deepEqual(toldVpns(intent, reportOf(world.node, other.vpcid, mixed)), [
    { id: vpn, state: 'Running', clients: [] },
  ]);
  const running: VpnStatus[] = [{ id: world.ids['vpnconnection']!, state: 'Running' }];
  assert.deepEqual(toldVpns(intent, reportOf(world.node, world.vpcid, running)), [], 'no state of a connection');
});

test('createVpnWatch() forgets what nobody has told of for 30 s: connections are Disconnected with the reason, clients gone', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  let now = 1_000_000;
  const watch = createVpnWatch(cloud.store, () => now);
  await watch.heard(world.node, told(world));
  assert.equal((await stateOf(world))['state'], 'Connected');
  assert.equal((await connected(world)).length, 1);
  now += SILENT_MS;
  await watch.look();
  assert.equal((await stateOf(world))['state'], 'Connected', 'a takeover takes less');
  now += 1;
  await watch.look();
  const { state, reason } = await stateOf(world);
  assert.equal(state, 'Disconnected');
  assert.match(String(reason), /^no gateway node has told of it for 30 s/);
  assert.deepEqual(await connected(world), []);
  const events = await cloud.list(WHO, 'listEvents', { type: 'VPN.S2S.CONNECTION.STATE', listall: 'true' });
  assert.equal(events[0]?.['level'], 'WARN');
  await watch.look();
  const again = await cloud.list(WHO, 'listEvents', { type: 'VPN.S2S.CONNECTION.STATE', listall: 'true' });
  assert.equal(again.length, events.length, 'said once');
  await watch.heard(world.node, told(world));
  assert.equal((await stateOf(world))['state'], 'Connected', 'and back');
  assert.equal((await connected(world)).length, 1);
});

test('createVpnWatch() after a restart gives nodes as long to speak, and leaves Pending what nobody ever told of', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  const before = createVpnWatch(cloud.store);
  let now = 1_000_000;
  const watch = createVpnWatch(cloud.store, () => now);
  now += SILENT_MS + 1;
  await watch.look();
  assert.equal((await stateOf(world))['state'], 'Pending');
  await before.heard(world.node, told(world));
  const restarted = createVpnWatch(cloud.store, () => now);
  await restarted.look();
  assert.equal((await stateOf(world))['state'], 'Connected');
  now += SILENT_MS + 1;
  await restarted.look();
  assert.equal((await stateOf(world))['state'], 'Disconnected');
});

test('createVpnRouteWatch() tells the routes that routers really have, once they have them, and what changes', async () => {
  await using cloud = await openCloud();
  const world = await worldOf(cloud);
  const unit = `vpc:${world.vpcid}` as const;
  const watch = createVpnRouteWatch();
  watch.look(unit);
  const desired = compile(world.intent, undefined);
  assert.equal(watch.due(world.intent, desired, () => false).size, 0, 'not before they are there');
  const due = watch.due(world.intent, desired, () => true);
  assert.deepEqual(
    [due.get(world.ids['remoteaccessvpn']!), due.get(world.ids['vpnconnection']!)],
    [['10.8.0.0/24'], ['192.168.50.0/24']],
  );
  const generation = (): Promise<unknown> =>
    cloud.store.db.selectFrom('counter').selectAll().where('name', '=', 'generation').execute();
  const before = await generation();
  watch.look(unit);
  await watch.tell(cloud.store, world.intent, desired, () => true);
  assert.deepEqual(await generation(), before, 'nobody has to do anything for it');
  const [{ routed } = { routed: null }] = await cloud.store.db.selectFrom('remotevpn').select('routed').execute();
  assert.equal(routed, '10.8.0.0/24');
  watch.look(unit);
  assert.equal(watch.due(world.intent, desired, () => true).size, 0, 'told already');
  await cloud.callAs(WHO, 'updateVpnUser', { id: world.ids['vpnuser']!, cidrlist: '192.168.7.0/24' });
  const { intent } = await createIntentCache(cloud.store).refresh();
  watch.look(unit);
  const more = watch.due(intent, compile(intent, desired), () => true);
  assert.deepEqual(more.get(world.ids['remoteaccessvpn']!), ['10.8.0.0/24', '192.168.7.0/24']);
});
