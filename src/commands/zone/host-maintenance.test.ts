// Hosts taken out of use: what is refused, what moves and in which order, and when a host is said to be empty.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { addHosts, addRouters } from '../../../test/support/hosts.ts';
import { newId } from '../../lib/id.ts';
import { createLog, silentLog } from '../../lib/log.ts';
import { recordClaims } from '../../store/gateway-claims.ts';
import { maintenanceOf } from '../../store/maintenance.ts';
import { type NetworkCloud, openCloud } from '../network/network.test-support.ts';
import { createEvacuation } from './host-evacuation.ts';

const step = (cloud: NetworkCloud): Promise<string[]> => createEvacuation(cloud.store, silentLog()).look();

async function stateOf(cloud: NetworkCloud, name: string): Promise<unknown> {
  return (await cloud.list('admin', 'listHosts', { name }))[0]?.['resourcestate'];
}

async function jobStatus(cloud: NetworkCloud, jobid: unknown): Promise<unknown> {
  return (await cloud.callAs('admin', 'queryAsyncJobResult', { jobid: String(jobid) }))['jobstatus'];
}

test('prepareHostForMaintenance lets gateways go first, then instances, and then says Maintenance', async () => {
  await using cloud = await openCloud();
  const [first, second] = await addHosts(cloud.store, 2);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const id = await cloud.deploy('admin', String(tier['id']), {
    hostid: first!,
    name: 'web',
    account: 'acme-admin',
    domainid: String(tier['domainid']),
  });
  const claim = { port: 'lrp-1', unit: `vpc:${vpcid}`, candidates: ['hv2', 'hv1'] };
  await recordClaims(cloud.store, [{ ...claim, chassis: 'hv1' }]);
  await cloud.callAs('admin', 'prepareHostForMaintenance', { id: first! });
  const instance = async () =>
    cloud.store.db.selectFrom('instance').select(['host', 'state']).where('id', '=', id).executeTakeFirstOrThrow();
  assert.deepEqual(await step(cloud), []);
  assert.equal((await instance()).state, 'Running', 'the gateway has not gone yet');
  const [host] = await cloud.list('admin', 'listHosts', { name: 'hv1' });
  assert.equal(host?.['leftonit'], 'host hv1 still carries the way out of VPC blue, has 1 instances: web');
  await recordClaims(cloud.store, [{ ...claim, chassis: 'hv2' }]);
  assert.deepEqual(await step(cloud), []);
  assert.deepEqual({ ...(await instance()) }, { host: second, state: 'Migrating' });
  assert.deepEqual(await step(cloud), [], 'it is on its way');
  await cloud.settle();
  assert.deepEqual({ ...(await instance()) }, { host: second, state: 'Running' });
  assert.deepEqual(await step(cloud), ['hv1']);
  assert.equal(await stateOf(cloud, 'hv1'), 'Maintenance');
  await cloud.refused('admin', 'prepareHostForMaintenance', { id: first! }, 'Host hv1 is in state Maintenance already');
  await cloud.refused('admin', 'updateHost', { id: first!, allocationstate: 'Enable' }, 'call cancelHostMaintenance');
  await cloud.doAs('admin', 'cancelHostMaintenance', { id: first! });
  assert.equal(await stateOf(cloud, 'hv1'), 'Enabled');
  await cloud.refused('admin', 'cancelHostMaintenance', { id: first! }, 'it is Enabled, not in maintenance');
});

test('prepareHostForMaintenance is refused for who carries what nobody else could, and for instances that can go nowhere', async () => {
  await using cloud = await openCloud();
  const [first, second] = await addHosts(cloud.store, 2);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await cloud.store.write((tx) => tx.update('host', second!, { state: 'Down' }));
  await cloud.deploy('acme-admin', String(tier['id']), { name: 'web' });
  await cloud.refused(
    'admin',
    'prepareHostForMaintenance',
    { id: first! },
    /1 of its instances can go nowhere: web\. .*hv2 is Down/,
    530,
  );
  const claim = { port: 'lrp-1', unit: `vpc:${vpcid}`, candidates: ['hv1', 'hv2'], chassis: 'hv1' };
  await recordClaims(cloud.store, [claim]);
  await cloud.refused(
    'admin',
    'prepareHostForMaintenance',
    { id: first! },
    'it carries the way out of VPC blue, and no other hypervisor that is Up and in use could',
    530,
  );
  await cloud.store.write((tx) => tx.update('host', second!, { state: 'Up' }));
  await cloud.store.write((tx) => tx.update('host', first!, { state: 'Down' }));
  await cloud.refused(
    'admin',
    'prepareHostForMaintenance',
    { id: first! },
    'it is Down, and only a host that answers',
    530,
  );
});

test('cancelHostMaintenance fails the job that waits for the host to be empty, and says why', async () => {
  await using cloud = await openCloud();
  const [first] = await addHosts(cloud.store, 2);
  const { jobid } = await cloud.callAs('admin', 'prepareHostForMaintenance', { id: first! });
  assert.match([...(await maintenanceOf(cloud.store.db)).values()].join(), /host hv1 to be said empty/);
  await cloud.callAs('admin', 'cancelHostMaintenance', { id: first! });
  assert.equal(await jobStatus(cloud, jobid), 2);
  assert.deepEqual(await step(cloud), []);
});

test('a router node in maintenance yields to the second of a pair by precedence, and its only legs go to another node', async () => {
  await using cloud = await openCloud();
  await cloud.doAs('admin', 'createVlanIpRange', {
    zoneid: (await cloud.list('admin', 'listZones'))[0]!['id'] as string,
    physicalnetworkid: (await cloud.list('admin', 'listPhysicalNetworks'))[0]!['id'] as string,
    vlan: '100',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
    startip: '203.0.113.10',
    endip: '203.0.113.50',
    forvirtualnetwork: 'true',
  });
  const nodes = await addRouters(cloud.store, 2);
  const network = { gateway: '10.9.0.1', netmask: '255.255.255.0' };
  const pair = await cloud.networkOf('acme-admin', 'pair', 'LinuxRouterRedundant', network);
  const legs = async (of: unknown) =>
    (
      await cloud.store.db
        .selectFrom('networkrouter')
        .select(['host', 'priority'])
        .where('network', '=', String(of))
        .orderBy('priority', 'desc')
        .execute()
    ).map(({ host }) => host);
  const [preferred, other] = await legs(pair['id']);
  assert.deepEqual([preferred, other].toSorted(), nodes.toSorted());
  await cloud.callAs('admin', 'prepareHostForMaintenance', { id: preferred! });
  assert.deepEqual(await legs(pair['id']), [other, preferred]);
  await cloud.refused(
    'admin',
    'prepareHostForMaintenance',
    { id: other! },
    'it routes for network pair, and no other router node',
    530,
  );
});

test('deleteHost refuses a gateway that carries something, and forgets what a dead one was said to carry', async () => {
  await using cloud = await openCloud();
  const [first] = await addHosts(cloud.store, 2);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.store.write((tx) => tx.update('vpc', vpcid, { gatewayavoid: `${first},x` }));
  await recordClaims(cloud.store, [
    { port: 'lrp-1', unit: `vpc:${vpcid}`, chassis: 'hv1', candidates: ['hv1', 'hv2'] },
  ]);
  await cloud.refused('admin', 'deleteHost', { id: first! }, 'it carries the way out of VPC blue. Have it', 530);
  await cloud.store.write((tx) => tx.update('host', first!, { state: 'Down' }));
  await cloud.callAs('admin', 'deleteHost', { id: first! });
  const vpc = await cloud.store.db.selectFrom('vpc').select('gatewayavoid').executeTakeFirstOrThrow();
  assert.equal(vpc.gatewayavoid, 'x');
  assert.deepEqual(await cloud.store.db.selectFrom('gatewayclaim').selectAll().execute(), []);
});

/** hv1, which is being emptied, with instances called web1, web2, … */
async function emptying(
  cloud: NetworkCloud,
  count: number,
): Promise<{ host: string; other: string; instances: string[] }> {
  const [host, other] = await addHosts(cloud.store, 2);
  const vpc = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const network = await cloud.tier('acme-admin', vpc, '10.1.1.0/24');
  const instances: string[] = [];
  for (let n = 1; n <= count; n++) {
    const owner = { account: 'acme-admin', domainid: String(network['domainid']) };
    instances.push(await cloud.deploy('admin', String(network['id']), { hostid: host!, name: `web${n}`, ...owner }));
  }
  await cloud.callAs('admin', 'prepareHostForMaintenance', { id: host! });
  return { host: host!, other: other!, instances };
}

async function statesOf(cloud: NetworkCloud): Promise<string[]> {
  const rows = await cloud.store.db.selectFrom('instance').select('state').orderBy('hostname').execute();
  return rows.map(({ state }) => state);
}

test('a host that dies while it is being emptied hands over nothing more, and that is told', async () => {
  await using cloud = await openCloud();
  const { host } = await emptying(cloud, 2);
  await cloud.store.write((tx) => tx.update('host', host, { state: 'Down' }));
  assert.deepEqual(await step(cloud), []);
  assert.deepEqual(await statesOf(cloud), ['Running', 'Running']);
  const text = [...(await maintenanceOf(cloud.store.db)).values()].join();
  assert.match(text, /^host hv1 still has 2 instances: web1, web2; it is Down, and only a host that answers can hand/);
  await cloud.store.write((tx) => tx.update('host', host, { state: 'Up' }));
  assert.deepEqual(await step(cloud), []);
  assert.deepEqual(await statesOf(cloud), ['Migrating', 'Migrating'], 'it answers again');
});

test('instances that can go nowhere are logged once for each reason, and hold up nobody', async () => {
  await using cloud = await openCloud();
  const { other, instances } = await emptying(cloud, 5);
  const stuck = instances.slice(0, 4);
  await together(cloud, stuck);
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-evacuation-'));
  const file = join(folder, 'log');
  const said = (): string[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { reason: string })
      .map(({ reason }) => reason);
  const evacuation = createEvacuation(cloud.store, createLog('test', 'warn', file));
  for (let n = 0; n < 3; n++) assert.deepEqual(await evacuation.look(), []);
  assert.deepEqual(await statesOf(cloud), ['Running', 'Running', 'Running', 'Running', 'Migrating']);
  assert.equal(said().length, 4);
  assert.match(said()[0]!, /^Unable to find a host to migrate web1 to: .*hv2 is Up, Enabled \(/);
  await cloud.store.write((tx) => tx.update('host', other, { state: 'Down' }));
  for (let n = 0; n < 3; n++) await evacuation.look();
  assert.deepEqual([said().length, said()[7]!.includes('hv2 is Down')], [8, true], 'another reason is told, too');
  rmSync(folder, { recursive: true });
});

/** Has instances run on one host, and nowhere else while one of them is there. */
async function together(cloud: NetworkCloud, instances: readonly string[]): Promise<void> {
  const created = new Date().toISOString();
  const owner = await cloud.store.db
    .selectFrom('instance')
    .select(['account', 'domain'])
    .where('id', '=', instances[0]!)
    .executeTakeFirstOrThrow();
  const group = newId();
  await cloud.store.write(async (tx) => {
    const type = 'host affinity';
    await tx.db
      .insertInto('affinitygroup')
      .values({ id: group, name: 'g', description: '', type, ...owner, created })
      .execute();
    for (const instance of instances)
      await tx.db
        .insertInto('affinitymember')
        .values({ id: newId(), affinitygroup: group, instance, created })
        .execute();
  });
}
