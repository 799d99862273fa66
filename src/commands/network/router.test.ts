// The rows that stand for routers which are no machines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { addHosts } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { recordClaims } from '../../store/gateway-claims.ts';
import { NOBODY, type NetworkCloud, openCloud, unknown } from './network.test-support.ts';

async function addRange(cloud: NetworkCloud): Promise<void> {
  await cloud.doAs('admin', 'createVlanIpRange', {
    zoneid: BUILT_IN.zone,
    physicalnetworkid: BUILT_IN.physicalNetwork,
    vlan: '100',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
    startip: '203.0.113.10',
    endip: '203.0.113.50',
    forvirtualnetwork: 'true',
  });
}

test('listRouters shows one MASTER for a VPC with a network, and none before', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  assert.deepEqual(await cloud.callAs('acme-admin', 'listRouters', { vpcid }), {});
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const meet = await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24');
  await cloud.join('acme-admin', vpcid, String(meet['id']), '172.16.0.1');
  const [router, ...others] = await cloud.list('acme-admin', 'listRouters', { vpcid });
  assert.deepEqual(others, []);
  assert.deepEqual(
    [
      'state',
      'redundantstate',
      'isredundantrouter',
      'role',
      'requiresupgrade',
      'vpcname',
      'guestnetworkid',
      'guestipaddress',
    ].map((key) => router?.[key]),
    ['Running', 'MASTER', false, 'VIRTUAL_ROUTER', false, 'blue', tier['id'], '10.1.1.1'],
  );
  assert.match(String(router?.['name']), /^r-[0-9]+-VM$/);
  assert.ok(!('publicip' in router!));
  assert.equal((await cloud.list('acme-admin', 'listRouters', { keyword: '-vm' })).length, 1);
  assert.deepEqual(
    (router?.['nic'] as Body[] | undefined)?.map((nic) => nic['ipaddress']),
    ['10.1.1.1', '172.16.0.1'],
  );
  assert.equal((await cloud.list('acme-admin', 'listRouters', { networkid: String(meet['id']) })).length, 1);
  assert.equal((await cloud.list('acme-admin', 'listRouters', { id: String(router?.['id']) })).length, 1);
  assert.deepEqual(await cloud.callAs('globex-admin', 'listRouters', { listall: 'true' }), {});
  await cloud.refused(
    'globex-admin',
    'listRouters',
    { id: String(router?.['id']) },
    unknown('id', String(router?.['id'])),
  );
  await cloud.refused('acme-user', 'listRouters', {}, /listRouters/, 432);
});

test('a redundant VPC shows a MASTER and a BACKUP', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16', {
    vpcofferingid: cloud.offering('Redundant VPC offering'),
  });
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const routers = await cloud.list('admin', 'listRouters', { listall: 'true' });
  assert.deepEqual(
    routers.map((router) => [router['redundantstate'], router['isredundantrouter']]),
    [
      ['MASTER', true],
      ['BACKUP', true],
    ],
  );
  assert.notEqual(routers[0]?.['id'], routers[1]?.['id']);
});

test('rebootRouter and its like are changes of the VPC; stopRouter of one without a way out is refused', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const [router] = await cloud.list('acme-admin', 'listRouters', { vpcid });
  const id = String(router?.['id']);
  for (const command of ['rebootRouter', 'startRouter', 'destroyRouter']) {
    const result = (await cloud.doAs('acme-admin', command, { id })) as { router: Body };
    assert.equal(result.router['state'], 'Running');
    await cloud.refused('acme-admin', command, { id: NOBODY }, unknown('id', NOBODY));
  }
  await cloud.refused('acme-admin', 'stopRouter', { id }, 'cannot be stopped: it is no machine', 530);
});

/** A redundant VPC with a public address, whose way out hv1 carries of three hypervisors. */
async function carried(cloud: NetworkCloud, offering = 'Redundant VPC offering') {
  const hosts = await addHosts(cloud.store, 3);
  await addRange(cloud);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16', { vpcofferingid: cloud.offering(offering) });
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const { gatewayturn } = await carriers();
  /** OVN says who carries it; the group is in the order the compiler would give it. */
  async function claim(chassis: string, ...candidates: string[]): Promise<void> {
    await recordClaims(cloud.store, [
      { port: 'lrp-outside', unit: `vpc:${vpcid}`, chassis, candidates: [...candidates] },
    ]);
  }
  async function carriers() {
    const query = cloud.store.db.selectFrom('vpc').select(['gatewayturn', 'gatewayavoid']).where('id', '=', vpcid);
    return query.executeTakeFirstOrThrow();
  }
  async function shown(): Promise<unknown[]> {
    const rows = await cloud.list('admin', 'listRouters', { vpcid, listall: 'true' });
    return rows.map((row) => [row['hostname'], row['state'], row['redundantstate']]);
  }
  async function ids(): Promise<string[]> {
    return (await cloud.list('acme-admin', 'listRouters', { vpcid })).map((row) => String(row['id']));
  }
  await claim('hv1', 'hv1', 'hv2', 'hv3');
  return { hosts, vpcid, gatewayturn, claim, carriers, shown, ids };
}

test('a redundant router is MASTER where OVN carries it, and its rows keep their hosts when the roles change', async () => {
  await using cloud = await openCloud();
  const { claim, shown, ids, vpcid } = await carried(cloud);
  assert.deepEqual(await shown(), [
    ['hv1', 'Running', 'MASTER'],
    ['hv2', 'Running', 'BACKUP'],
  ]);
  const before = await ids();
  await claim('hv2', 'hv1', 'hv2', 'hv3');
  assert.deepEqual(await shown(), [
    ['hv1', 'Running', 'BACKUP'],
    ['hv2', 'Running', 'MASTER'],
  ]);
  assert.deepEqual(await ids(), before);
  await cloud.doAs('admin', 'updateConfiguration', { name: 'router.redundantstate.dialect', value: 'cloudstack' });
  assert.deepEqual((await shown())[1], ['hv2', 'Running', 'PRIMARY']);
  const [router] = await cloud.list('acme-admin', 'listRouters', { vpcid });
  const [leg] = router!['nic'] as Body[];
  assert.deepEqual([leg?.['traffictype'], leg?.['ipaddress']], ['Public', router!['publicip']]);
  assert.deepEqual([router!['publicnetmask'], router!['gateway']], ['255.255.255.0', '203.0.113.1']);
});

test('stopRouter keeps the way out off its host until startRouter, and is refused for the last that could carry it', async () => {
  await using cloud = await openCloud();
  const { hosts, claim, carriers, shown, ids } = await carried(cloud);
  const [first, second] = await ids();
  await cloud.doAs('acme-admin', 'stopRouter', { id: first! });
  assert.equal((await carriers()).gatewayavoid, hosts[0]);
  await claim('hv2', 'hv2', 'hv3', 'hv1');
  assert.deepEqual(await shown(), [
    ['hv1', 'Stopped', 'UNKNOWN'],
    ['hv2', 'Running', 'MASTER'],
  ]);
  await cloud.refused('acme-admin', 'rebootRouter', { id: first! }, 'is Stopped: start it with startRouter', 530);
  await cloud.store.write((tx) => tx.update('host', hosts[2]!, { state: 'Down' }));
  await cloud.refused(
    'admin',
    'stopRouter',
    { id: second!, forced: 'true' },
    'cut VPC blue off from outside (hv3 is Down, hv1 was stopped)',
    530,
  );
  await cloud.doAs('acme-admin', 'startRouter', { id: first! });
  assert.equal((await carriers()).gatewayavoid, '');
  assert.deepEqual((await shown())[0], ['hv1', 'Running', 'BACKUP']);
});

test('rebootRouter and destroyRouter turn to the next that is Up where they are the MASTER, and change nobody elsewhere', async () => {
  await using cloud = await openCloud();
  const { hosts, claim, carriers, ids, gatewayturn } = await carried(cloud);
  const [first, second] = await ids();
  await cloud.doAs('acme-admin', 'rebootRouter', { id: second! });
  assert.equal((await carriers()).gatewayturn, gatewayturn);
  await cloud.store.write((tx) => tx.update('host', hosts[1]!, { state: 'Down' }));
  await cloud.doAs('acme-admin', 'rebootRouter', { id: first! });
  assert.equal((await carriers()).gatewayturn, gatewayturn + 2, 'hv2 is Down: the one after it');
  await claim('hv3', 'hv3', 'hv1', 'hv2');
  await cloud.doAs('acme-admin', 'destroyRouter', { id: second! });
  assert.equal((await carriers()).gatewayturn, gatewayturn + 3);
});

test('a router that is no pair keeps its id wherever it is carried, and is Stopped where it was stopped', async () => {
  await using cloud = await openCloud();
  const { claim, shown, ids } = await carried(cloud, 'Default VPC offering');
  const before = await ids();
  assert.equal(before.length, 1);
  await claim('hv2', 'hv1', 'hv2', 'hv3');
  assert.deepEqual(await shown(), [['hv2', 'Running', 'MASTER']]);
  await cloud.doAs('acme-admin', 'stopRouter', { id: before[0]! });
  await claim('hv1', 'hv1', 'hv3', 'hv2');
  assert.deepEqual(await shown(), [['hv2', 'Stopped', 'UNKNOWN']]);
  assert.deepEqual(await ids(), before);
});

test('listRouters shows the router of a network outside a VPC once it is in use', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  await addRange(cloud);
  const { id } = await cloud.networkOf('acme-admin', 'solo', 'DefaultIsolatedNetworkOfferingWithSourceNatService');
  assert.deepEqual(await cloud.callAs('acme-admin', 'listRouters', { networkid: String(id) }), {});
  await cloud.deploy('acme-admin', String(id));
  const [router, ...others] = await cloud.list('acme-admin', 'listRouters', { networkid: String(id) });
  assert.deepEqual(others, []);
  assert.deepEqual(
    [router?.['guestnetworkid'], router?.['state'], router?.['redundantstate']],
    [id, 'Running', 'MASTER'],
  );
  assert.ok(!('vpcid' in router!));
  assert.deepEqual(await cloud.callAs('acme-admin', 'listRouters', { forvpc: 'true' }), {});
});

test('only root is told which hosts carry routers, and may ask by one', async () => {
  await using cloud = await openCloud();
  const [hostid = ''] = await addHosts(cloud.store);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const [seen] = await cloud.list('admin', 'listRouters', { vpcid, listall: 'true' });
  assert.ok(seen?.['hostid'] !== undefined && seen['hostname'] !== undefined);
  const [router] = await cloud.list('acme-admin', 'listRouters', { vpcid });
  assert.deepEqual([router?.['hostid'], router?.['hostname'], router?.['id']], [undefined, undefined, seen?.['id']]);
  for (const id of [hostid, NOBODY])
    await cloud.refused(
      'acme-admin',
      'listRouters',
      { hostid: id },
      'hostid can only be specified by a Root Admin',
      531,
    );
  await cloud.refused('admin', 'listRouters', { hostid: NOBODY }, unknown('hostid', NOBODY));
  const { jobid } = await cloud.callAs('acme-admin', 'rebootRouter', { id: String(router?.['id']) });
  const events = await cloud.store.db
    .selectFrom('event')
    .select('description')
    .where('type', '=', 'ROUTER.REBOOT')
    .execute();
  assert.ok(jobid !== undefined && events.length > 0);
  for (const { description } of events) assert.doesNotMatch(description, /hv[0-9]/);
});
