// Legs of router nodes: who gets them, with which addresses, what is refused, and what can be done to them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { type ToldReceipt, recordReceipts } from '../../store/receipts.ts';
import { recordRouterStates } from '../../store/router-states.ts';
import { type PublicCloud, openCloud } from '../public/public.test-support.ts';
import { NOBODY, unknown } from './network.test-support.ts';

async function routersOf(cloud: PublicCloud, networkid: string): Promise<Body[]> {
  // As root: others are not told the hosts.
  return cloud.list('admin', 'listRouters', { networkid, listall: 'true' });
}

async function down(cloud: PublicCloud, name: string, state = 'Down'): Promise<void> {
  const host = await cloud.store.db.selectFrom('host').select('id').where('name', '=', name).executeTakeFirstOrThrow();
  await cloud.store.write((tx) => tx.update('host', host.id, { state }));
}

test('createNetwork by LinuxRouter takes the gateway address, an own one at the end, and a source NAT address', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'web', { cidr: '10.1.1.0/24' });
  const addresses = await cloud.store.db.selectFrom('address').selectAll().where('network', '=', id).execute();
  assert.deepEqual(addresses.map(({ ip, kind }) => [ip, kind]).toSorted(), [
    ['10.1.1.1', 'gateway'],
    ['10.1.1.254', 'router'],
  ]);
  const [router, ...others] = await routersOf(cloud, id);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [
      'state',
      'redundantstate',
      'isredundantrouter',
      'role',
      'hostname',
      'guestipaddress',
      'publicip',
      'guestnetworkid',
      'vpcid',
    ].map((key) => router?.[key]),
    ['Running', 'UNKNOWN', false, 'VIRTUAL_ROUTER', 'r1', '10.1.1.254', '203.0.113.10', id, undefined],
  );
  assert.match(String(router?.['name']), /^r-[0-9]+-VM$/);
  const [network] = await cloud.list('acme-admin', 'listNetworks', { id });
  assert.equal(network?.['gateway'], '10.1.1.1');
  // Instances are never given either of them.
  const vm = await cloud.instance('acme-admin', 'vm1', id);
  const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: vm });
  assert.equal(nic?.['ipaddress'], '10.1.1.2');
  const guest = await cloud.guest();
  await cloud.refused(
    'acme-admin',
    'deployVirtualMachine',
    { zoneid: String(network?.['zoneid']), networkids: id, ipaddress: '10.1.1.254', ...guest },
    'The requested IP is already taken!',
  );
});

test('listNetworks says which router node does not answer, since when, and what that means; a tenant reads no node', async () => {
  await using cloud = await openCloud();
  await cloud.net('acme-admin', 'alone', { cidr: '10.1.1.0/24' });
  await cloud.net('acme-admin', 'pair', { cidr: '10.1.2.0/24' }, 'LinuxRouterRedundant');
  const missing = async (who: 'admin' | 'acme-admin'): Promise<Record<string, Body[] | undefined>> =>
    Object.fromEntries(
      (await cloud.list(who, 'listNetworks', { listall: 'true' })).map((row) => [row['name'], row['notrealized']]),
    ) as Record<string, Body[] | undefined>;
  assert.deepEqual(await missing('admin'), { alone: undefined, pair: undefined });
  const since = { lastseen: '2026-11-22T12:00:00.000Z' };
  await cloud.store.write((tx) => tx.db.updateTable('host').set(since).where('name', '=', 'r1').execute());
  await down(cloud, 'r1');
  const root = await missing('admin');
  const [alone] = root['alone']!;
  assert.deepEqual([alone?.['target'], alone?.['since']], ['router node r1', '2026-11-22T12:00:00+0000']);
  assert.match(
    String(alone?.['text']),
    /^router node r1 is Down: no other routes for the network\..*nothing gets out or in/s,
  );
  assert.match(String(root['pair']?.[0]?.['text']), /the other router of the network has all of it to itself/);
  const tenant = await missing('acme-admin');
  const [router] = await cloud.list('acme-admin', 'listRouters', { state: 'Stopped' });
  assert.ok(Object.values(tenant).some((told) => told?.[0]?.['target'] === `router ${String(router?.['name'])}`));
  assert.ok(!/r1|node r/.test(JSON.stringify(tenant)), JSON.stringify(tenant));
  const alerts = await cloud.list('admin', 'listAlerts');
  assert.deepEqual(
    alerts.map(({ description }) => description),
    [
      'router node r1 is Down: nobody else routes for network alone; the other of the pair has network pair to itself. Start it, or move its routers to another node with rebootRouter',
    ],
  );
  await down(cloud, 'r1', 'Up');
  assert.deepEqual(await missing('acme-admin'), { alone: undefined, pair: undefined });
});

test('a pair of routers is on two nodes, spread by load, and only one of them is preferred as master', async () => {
  await using cloud = await openCloud({ routers: 3 });
  const first = await cloud.net('acme-admin', 'a');
  const id = await cloud.net('acme-admin', 'b', {}, 'LinuxRouterRedundant');
  assert.equal((await routersOf(cloud, first))[0]?.['hostname'], 'r1');
  const pair = await routersOf(cloud, id);
  assert.deepEqual(
    pair.map((router) => [router['hostname'], router['isredundantrouter']]),
    [
      ['r2', true],
      ['r3', true],
    ],
  );
  const legs = await cloud.store.db
    .selectFrom('networkrouter')
    .select(['priority', 'ip'])
    .where('network', '=', id)
    .orderBy('priority', 'desc')
    .execute();
  assert.deepEqual(
    legs.map(({ priority }) => priority),
    [200, 100],
  );
  assert.notEqual(legs[0]?.ip, legs[1]?.ip);
});

test('createNetwork refuses a network without free router nodes: root reads which, tenants read why', async () => {
  await using cloud = await openCloud();
  await down(cloud, 'r2');
  const params = { name: 'web', zoneid: '', cidr: '10.9.0.0/24' };
  const zoneid = String((await cloud.list('admin', 'listZones'))[0]?.['id']);
  const pair = { ...params, zoneid, networkofferingid: cloud.offering('LinuxRouterRedundant') };
  await cloud.refused(
    'admin',
    'createNetwork',
    pair,
    'needs two router nodes that are Up and free to route for 10.9.0.0/24; there is one: r1 (r2 is Down). Start the agents',
    533,
  );
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    pair,
    /there is one \(1 is Down\)\. Choose an offering that OVN routes for/,
    533,
  );
  const single = { ...pair, networkofferingid: cloud.offering('LinuxRouter') };
  await cloud.callAs('globex-admin', 'createNetwork', single);
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    { ...single, cidr: '10.9.0.128/25' },
    /there is none \(1 is Down, 1 without room for 10\.9\.0\.128\/25\)\. A router node can have each address once: leave cidr out/,
    533,
  );
  await down(cloud, 'r2', 'Up');
  assert.ok(await cloud.callAs('acme-admin', 'createNetwork', single));
});

test('createNetwork without a CIDR takes the next that no router node has; where OVN routes it is the same for all', async () => {
  await using cloud = await openCloud();
  const zoneid = String((await cloud.list('admin', 'listZones'))[0]?.['id']);
  const make = async (who: 'acme-admin' | 'globex-admin', offering: string, more: object = {}): Promise<unknown> => {
    const params = { name: 'web', zoneid, networkofferingid: cloud.offering(offering), ...more };
    return ((await cloud.callAs(who, 'createNetwork', params))['network'] as Body)['cidr'];
  };
  assert.equal(await make('acme-admin', 'LinuxRouterRedundant'), '10.1.1.0/24');
  assert.equal(await make('acme-admin', 'LinuxRouterRedundant', { cidr: '10.1.2.0/23' }), '10.1.2.0/23');
  assert.equal(await make('globex-admin', 'LinuxRouterRedundant'), '10.1.4.0/24');
  assert.equal(await make('globex-admin', 'LinuxRouter'), '10.1.5.0/24');
  assert.equal(await make('globex-admin', 'DefaultIsolatedNetworkOfferingWithSourceNatService'), '10.1.1.0/24');
});

test('createNetwork gives a network without services, and one routed, no source NAT address; and the former no router', async () => {
  await using cloud = await openCloud();
  const bare = await cloud.net('acme-admin', 'bare', {}, 'NoServices');
  assert.deepEqual(await routersOf(cloud, bare), []);
  const routed = await cloud.net('acme-admin', 'routed', {}, 'LinuxRouterRouted');
  const [router] = await routersOf(cloud, routed);
  assert.deepEqual([router?.['state'], router?.['publicip']], ['Running', undefined]);
  assert.deepEqual(await cloud.list('acme-admin', 'listPublicIpAddresses', { associatednetworkid: routed }), []);
});

test('deleteNetwork gives legs and addresses back; the public address is free once the routers let go', async () => {
  await using cloud = await openCloud({ endip: '203.0.113.10' });
  const id = await cloud.net('acme-admin', 'web');
  await cloud.callAs('acme-admin', 'deleteNetwork', { id });
  for (const table of ['networkrouter', 'address'] as const)
    assert.deepEqual(await cloud.store.db.selectFrom(table).selectAll().execute(), []);
  const zoneid = String((await cloud.list('admin', 'listZones'))[0]?.['id']);
  const again = { name: 'web', zoneid, cidr: '10.9.0.0/24', networkofferingid: cloud.offering('LinuxRouter') };
  await cloud.refused('acme-admin', 'createNetwork', again, 'in use or being released (1)', 533);
  await cloud.settle();
  assert.ok(await cloud.callAs('acme-admin', 'createNetwork', again));
});

test('deleteHost refuses a router node that routes, and names the networks', async () => {
  await using cloud = await openCloud({ routers: 1 });
  const id = await cloud.net('acme-admin', 'web');
  const host = cloud.routers[0]!;
  await cloud.refused('admin', 'deleteHost', { id: host }, 'host r1 as it routes for 1 networks: web', 530);
  await cloud.doAs('acme-admin', 'deleteNetwork', { id });
  assert.deepEqual(await cloud.callAs('admin', 'deleteHost', { id: host }), { success: 'true' });
});

test('destroyRouter moves a leg to another node with its address; rebootRouter only one whose node is away', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'web');
  const [before] = await routersOf(cloud, id);
  const router = String(before?.['id']);
  const made = async (command: string): Promise<Body> =>
    (await cloud.doAs('admin', command, { id: router }))['router'] as Body;
  assert.equal((await made('rebootRouter'))['hostname'], 'r1');
  assert.equal((await made('startRouter'))['hostname'], 'r1');
  const moved = await made('destroyRouter');
  assert.deepEqual([moved['hostname'], moved['guestipaddress']], ['r2', before?.['guestipaddress']]);
  await down(cloud, 'r2');
  assert.equal((await routersOf(cloud, id))[0]?.['state'], 'Stopped');
  await cloud.refused('acme-admin', 'startRouter', { id: router }, 'the node is Down', 530);
  assert.equal((await made('rebootRouter'))['hostname'], 'r1');
  await cloud.refused(
    'acme-admin',
    'destroyRouter',
    { id: router },
    'cannot leave its node: no other router node is Up',
    533,
  );
  await cloud.refused('acme-admin', 'stopRouter', { id: router }, 'cannot be stopped alone', 530);
  for (const command of ['startRouter', 'stopRouter', 'rebootRouter', 'destroyRouter']) {
    await cloud.refused('globex-admin', command, { id: router }, unknown('id', router));
    await cloud.refused('acme-admin', command, { id: NOBODY }, unknown('id', NOBODY));
  }
});

test('the last member of a pair stays: destroyRouter never puts both legs on one node', async () => {
  await using cloud = await openCloud({ routers: 2 });
  const id = await cloud.net('acme-admin', 'web', {}, 'LinuxRouterRedundant');
  const [router] = await routersOf(cloud, id);
  await cloud.refused('admin', 'destroyRouter', { id: String(router?.['id']) }, 'cannot leave node r1', 533);
});

test('listRouters keeps the routers of another tenant to itself, and tells Linux routers from those of VPCs', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'web');
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const names = async (params: Record<string, string>): Promise<unknown[]> =>
    (await cloud.list('acme-admin', 'listRouters', params)).map((router) => router['guestnetworkname']);
  assert.deepEqual(await names({ listall: 'true' }), ['web', 'tier-10.1.1.0/24']);
  assert.deepEqual(await names({ forvpc: 'false' }), ['web']);
  assert.deepEqual(await names({ vpcid }), ['tier-10.1.1.0/24']);
  assert.deepEqual(await names({ state: 'Stopped' }), []);
  assert.deepEqual(await cloud.list('globex-admin', 'listRouters', { listall: 'true' }), []);
  const router = String((await routersOf(cloud, id))[0]?.['id']);
  await cloud.refused('globex-admin', 'listRouters', { id: router }, unknown('id', router));
  await cloud.refused('globex-admin', 'listRouters', { networkid: id }, unknown('networkid', id));
});

test('recordRouterStates keeps what a node says of its own legs, and tells each new finding once', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'web');
  const leg = String((await routersOf(cloud, id))[0]?.['id']);
  const generation = async (): Promise<unknown> =>
    (await cloud.store.db.selectFrom('counter').selectAll().where('name', '=', 'generation').executeTakeFirst())?.value;
  const before = await generation();
  const finding = 'r1: forwarding was switched off on eth1.1234; switched on again';
  const said = { id: leg, state: 'MASTER', findings: [finding] } as const;
  await recordRouterStates(cloud.store, 'r2', [said]);
  assert.equal((await routersOf(cloud, id))[0]?.['redundantstate'], 'UNKNOWN', 'r2 has no such leg');
  for (let times = 0; times < 3; times++) await recordRouterStates(cloud.store, 'r1', [said]);
  const [router] = await routersOf(cloud, id);
  assert.deepEqual([router?.['redundantstate'], router?.['findings']], ['MASTER', [finding]]);
  const events = async (): Promise<unknown[]> =>
    (await cloud.list('admin', 'listEvents', { type: 'ROUTER.FINDING' })).map((event) => event['description']);
  assert.deepEqual(await events(), [finding]);
  await recordRouterStates(cloud.store, 'r1', [{ ...said, findings: [] }]);
  assert.deepEqual((await routersOf(cloud, id))[0]?.['findings'], []);
  await recordRouterStates(cloud.store, 'r1', [said]);
  assert.deepEqual(await events(), [finding, finding]);
  assert.equal(await generation(), before, 'a report is no change of intent');
});

test('recordRouterStates tells of a takeover: the node to root, and that there was one to the owner', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'web');
  const leg = String((await routersOf(cloud, id))[0]?.['id']);
  const says = (state: 'MASTER' | 'BACKUP'): Promise<void> =>
    recordRouterStates(cloud.store, 'r1', [{ id: leg, state, findings: [] }]);
  const told = async (who: 'admin' | 'acme-admin'): Promise<unknown[]> =>
    (await cloud.list(who, 'listEvents', { type: 'ROUTER.TAKEOVER' })).map((event) => event['description']);
  await says('MASTER');
  assert.deepEqual(await told('admin'), [], 'its first word is no takeover');
  await says('BACKUP');
  for (let times = 0; times < 3; times++) await says('MASTER');
  assert.equal((await told('admin')).length, 1);
  assert.match(String((await told('admin'))[0]), /^r1 is master for network web now: it has announced 10\./);
  assert.match(String((await told('acme-admin'))[0]), /^the other router is master for network web now/);
});

test('recordReceipts keeps what a node says of its own legs: a takeover, and whether the upstream learnt', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'web');
  const routerId = String((await routersOf(cloud, id))[0]?.['id']);
  const receipt: ToldReceipt = {
    routerId,
    ip: '203.0.113.10',
    mac: '02:00:00:00:00:01',
    moved: 1_790_000_000_000,
    cause: 'takeover',
    announced: new Date(1_790_000_000_000).toISOString(),
    upstream: '203.0.113.1',
    verdict: 'learnt',
    answeredBy: '02:00:00:00:00:01',
    afterMs: 12,
  };
  await recordReceipts(cloud.store, 'r2', [receipt]);
  const listed = (): Promise<Body[]> => cloud.list('acme-admin', 'listAddressReceipts', { networkid: id });
  assert.deepEqual(await listed(), [], 'the leg is not r2’s');
  for (let times = 0; times < 3; times++) await recordReceipts(cloud.store, 'r1', [receipt]);
  const [kept, ...others] = await listed();
  assert.deepEqual(others, []);
  assert.deepEqual(
    [kept?.['cause'], kept?.['result'], kept?.['afterms'], kept?.['nicid']],
    ['takeover', 'learnt', 12, undefined],
  );
  assert.match(
    String(kept?.['description']),
    /203\.0\.113\.10 is at 02:00:00:00:00:01 \(router of network web\) now.*203\.0\.113\.1 had learnt it 12 ms later/,
  );
});

test('instances are never placed on router nodes', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  for (const name of ['a', 'b', 'c', 'd']) await cloud.instance('acme-admin', name, networkid);
  const hosts = await cloud.store.db
    .selectFrom('instance')
    .innerJoin('host', 'host.id', 'instance.host')
    .select('host.kind')
    .distinct()
    .execute();
  assert.deepEqual(
    hosts.map(({ kind }) => kind),
    ['hypervisor'],
  );
  const zoneid = String((await cloud.list('admin', 'listZones'))[0]?.['id']);
  const guest = await cloud.guest();
  await cloud.refused(
    'admin',
    'deployVirtualMachine',
    { zoneid, ...guest, networkids: await cloud.net('admin', 'own'), hostid: cloud.routers[0]! },
    'Host r1 is a router and carries no instances',
  );
});
