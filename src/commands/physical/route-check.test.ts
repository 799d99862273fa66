// checkNetworkRoute without a wire: who may ask, in whose name, and what becomes of the node's answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { recordScans, type ToldScan } from '../../store/scans.ts';
import { createIntentCache } from '../../store/load.ts';
import { NOBODY, unknown } from '../network/network.test-support.ts';
import { type PhysicalCloud, office, openPhysical } from './physical.test-support.ts';

const HOST = '192.168.50.10';
const VIA_MAC = 'd6:0f:b0:ad:4f:f2';
const good = { viaMac: VIA_MAC, viaAnswers: true, targetAnswers: true, cardAnswers: true, cardSendsTo: VIA_MAC };

/** The office behind vpnbox, the gateway of a network; its id and the route's. */
async function open(cloud: PhysicalCloud): Promise<{ networkid: string; id: string }> {
  const { networkid, port } = await office(cloud);
  const deviceid = await cloud.device('acme-admin', 'vpnbox', { kind: 'vpn' });
  await cloud.attach('acme-admin', networkid, deviceid, { switchportid: port, isgateway: 'true' });
  const { id } = await cloud.callAs('acme-admin', 'createNetworkRoute', {
    networkid,
    deviceid,
    cidr: '192.168.50.0/24',
  });
  await cloud.settle();
  return { networkid, id: String(id) };
}

/** The open question as the node finds it in its document, and its answer. */
async function answer(cloud: PhysicalCloud, told: Omit<ToldScan, 'id' | 'hosts'>): Promise<unknown> {
  const { intent } = await createIntentCache(cloud.store).refresh();
  const host = [...intent.hosts.values()].find(({ scans }) => scans.length > 0);
  const [scan] = host?.scans ?? [];
  assert.ok(host !== undefined && scan !== undefined);
  await recordScans(cloud.store, host.name, [{ id: scan.id, hosts: [], ...told }]);
  return scan.probe;
}

async function check(cloud: PhysicalCloud, id: string, told: Omit<ToldScan, 'id' | 'hosts'>): Promise<Body> {
  const { jobid } = await cloud.callAs('acme-admin', 'checkNetworkRoute', { id, ipaddress: HOST });
  await answer(cloud, told);
  await cloud.settle();
  return cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
}

const resultOf = (job: Body): Body => (job['jobresult'] as Body)['networkroutecheck'] as Body;

test('checkNetworkRoute has the node ask in the name of an instance, and its job ends with what that means', async () => {
  await using cloud = await openPhysical();
  const { networkid, id } = await open(cloud);
  const instance = await cloud.deploy('acme-admin', networkid, { name: 'web' });
  const { jobid } = await cloud.callAs('acme-admin', 'checkNetworkRoute', { id, ipaddress: HOST });
  const probe = (await answer(cloud, { probe: good })) as Readonly<Record<string, string>>;
  const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: instance });
  assert.deepEqual(
    [probe['mac'], probe['from'], probe['target']],
    [nic?.['macaddress'], nic?.['ipaddress'], HOST],
    'the question is in the document',
  );
  await cloud.settle();
  const result = resultOf(await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) }));
  assert.deepEqual([result['state'], result['result'], result['devicename']], ['Done', 'answered', 'vpnbox']);
  assert.match(String(result['description']), /192\.168\.50\.10 answers web .* through vpnbox/);
  assert.equal((await createIntentCache(cloud.store).refresh()).intent.hosts.values().next().value?.scans.length, 0);
  assert.deepEqual(await cloud.list('acme-admin', 'listNetworkNeighbors', {}), [], 'it is no scan of the network');
});

test('S30: a host that is silent behind a device that answers gives the route the office lacks', async () => {
  await using cloud = await openPhysical();
  const { networkid, id } = await open(cloud);
  await cloud.deploy('acme-admin', networkid, { name: 'web' });
  const result = resultOf(await check(cloud, id, { probe: { ...good, targetAnswers: false } }));
  assert.deepEqual([result['result'], result['hop']], ['hostsilent', 'the gateway of 192.168.50.0/24']);
  assert.equal(result['repair'], 'ip route add 10.1.1.0/24 via VPN_DEVICE');
});

test('a device that is silent gives its port, and what the switch says of it', async () => {
  await using cloud = await openPhysical();
  const { networkid, id } = await open(cloud);
  await cloud.deploy('acme-admin', networkid, { name: 'web' });
  await cloud.callAs('admin', 'updateSwitch', { id: cloud.switchid, apply: 'false' });
  cloud.table.ports.set('p1', { name: 'p1', untagged: 666, tagged: [] });
  await cloud.follow();
  const silent = { viaAnswers: false, targetAnswers: false, cardAnswers: false };
  const result = resultOf(await check(cloud, id, { probe: silent }));
  assert.deepEqual([result['result'], result['hop']], ['devicesilent', 'switch sw, port p1']);
  assert.match(String(result['description']), /port p1 \(device vpnbox\): it does not carry the network untagged/);
});

test('a node that cannot ask fails the job with its reason', async () => {
  await using cloud = await openPhysical();
  const { networkid, id } = await open(cloud);
  await cloud.deploy('acme-admin', networkid, { name: 'web' });
  const job = await check(cloud, id, { error: 'hv1 cannot ask in the name of 10.1.1.3: its card is not plugged in' });
  assert.equal(job['jobstatus'], 2);
  assert.match(JSON.stringify(job['jobresult']), /its card is not plugged in/);
});

test('checkNetworkRoute refuses what nobody can ask, and shows nobody the routes of others', async () => {
  await using cloud = await openPhysical();
  const { networkid, id } = await open(cloud);
  const refused = (more: object, text: string | RegExp, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'checkNetworkRoute', { id, ipaddress: HOST, ...more }, text, status);
  await refused({}, /none of yours runs there\. Start or deploy one/, 534);
  const instance = await cloud.deploy('acme-admin', networkid, { name: 'web' });
  await refused({ ipaddress: '192.168.51.10' }, '192.168.51.10 is not in 192.168.50.0/24');
  await refused({ id: NOBODY }, unknown('id', NOBODY));
  await cloud.refused('globex-admin', 'checkNetworkRoute', { id, ipaddress: HOST }, unknown('id', id));
  await cloud.callAs('acme-admin', 'checkNetworkRoute', { id, ipaddress: HOST, virtualmachineid: instance });
  await refused({}, /is being checked since .*: wait for that check to end/);
});

test('a check whose route goes meanwhile ends by itself', async () => {
  await using cloud = await openPhysical();
  const { networkid, id } = await open(cloud);
  await cloud.deploy('acme-admin', networkid, { name: 'web' });
  const { jobid } = await cloud.callAs('acme-admin', 'checkNetworkRoute', { id, ipaddress: HOST });
  await cloud.callAs('acme-admin', 'deleteNetworkRoute', { id });
  const { intent } = await createIntentCache(cloud.store).refresh();
  assert.ok(
    [...intent.hosts.values()].every(({ scans }) => scans.length === 0),
    'nobody is asked any more',
  );
  await cloud.settle();
  const result = resultOf(await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) }));
  assert.match(String(result['errortext']), /is gone, so nobody was asked/);
});

test('S32: checkNetworkRoute by network names the route that lacks, and the request that adds it', async () => {
  await using cloud = await openPhysical();
  const { networkid } = await open(cloud);
  await cloud.deploy('acme-admin', networkid, { name: 'web' });
  const asked = { networkid, ipaddress: '10.8.0.6' };
  await cloud.refused(
    'acme-admin',
    'checkNetworkRoute',
    asked,
    /^No return route to 10\.8\.0\.6 in network .*even ping times out/,
  );
  const device = String((await cloud.list('acme-admin', 'listDevices'))[0]!['id']);
  const request = `createNetworkRoute networkid=${networkid} cidr=10.8.0.0/24 deviceid=${device}`;
  await cloud.refused('acme-admin', 'checkNetworkRoute', asked, request);
  await cloud.doAs('acme-admin', 'createNetworkRoute', { networkid, cidr: '10.8.0.0/24', deviceid: device });
  const { jobid } = await cloud.callAs('acme-admin', 'checkNetworkRoute', asked);
  const { cardSendsTo: _, ...lost } = good;
  await answer(cloud, { probe: lost });
  await cloud.settle();
  const result = resultOf(await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) }));
  const bad = (result['fact'] as Body[]).filter(({ state }) => state === 'bad');
  assert.deepEqual(
    bad.map(({ name, hop }) => [name, hop]),
    [['returnroute', 'instance web']],
  );
  await cloud.refused('globex-admin', 'checkNetworkRoute', asked, unknown('networkid', networkid));
});
