// Receipts as nodes tell them: kept once, shown to whom they belong, told as events when something moved or somebody did not learn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import { recordReceipts, type ToldReceipt } from '../../store/receipts.ts';
import { type NetworkCloud, openCloud } from './network.test-support.ts';

const UPSTREAM = '10.40.0.254';
const OLD = '02:00:00:00:00:01';

interface Moved extends NetworkCloud {
  /** The node that has the instance. */
  readonly node: string;
  readonly told: ToldReceipt;
  readonly jobid: string;
  events(type: string): Promise<string[]>;
}

/** An instance of acme's that got 10.40.0.77 by a job, and what its node has to say about it. */
async function open(): Promise<Moved> {
  const cloud = await openCloud();
  await addHosts(cloud.store);
  const made = await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.40.0.0/24', gateway: UPSTREAM });
  const instance = await cloud.deploy('acme-admin', String(made['id']), { ipaddress: '10.40.0.10', name: 'web' });
  const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: instance });
  const nicid = String(nic!['id']);
  const { jobid } = await cloud.callAs('acme-admin', 'addIpToNic', { nicid, ipaddress: '10.40.0.77' });
  await cloud.settle();
  const { db } = cloud.store;
  const { moved } = await db.selectFrom('nicaddress').select('moved').executeTakeFirstOrThrow();
  const { name } = await db
    .selectFrom('instance')
    .innerJoin('host', 'host.id', 'instance.host')
    .select('host.name')
    .executeTakeFirstOrThrow();
  const told: ToldReceipt = {
    nicId: nicid,
    ip: '10.40.0.77',
    mac: String(nic!['macaddress']),
    moved,
    cause: 'address',
    announced: '2026-11-22T12:00:00.000Z',
    upstream: UPSTREAM,
    verdict: 'learnt',
    answeredBy: String(nic!['macaddress']),
    afterMs: 12,
  };
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    node: name,
    told,
    jobid: String(jobid),
    events: async (type) =>
      (await cloud.list('acme-admin', 'listEvents', { type })).map((event) => String(event['description'])),
  };
}

test('recordReceipts() keeps a receipt once however often it is told; its job shows it, and an event tells it', async () => {
  await using cloud = await open();
  const before = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: cloud.jobid });
  assert.equal('receipts' in before, false);
  for (let times = 0; times < 3; times++) await recordReceipts(cloud.store, cloud.node, [{ ...cloud.told }]);
  await recordReceipts(cloud.store, cloud.node, [cloud.told, { ...cloud.told, ip: '10.40.0.10', cause: 'start' }]);
  const [receipt, ...others] = await cloud.list('acme-admin', 'listAddressReceipts', { ipaddress: '10.40.0.77' });
  assert.deepEqual(others, []);
  assert.equal(receipt!['result'], 'learnt');
  assert.equal(receipt!['afterms'], 12);
  assert.equal(receipt!['virtualmachinename'], 'web');
  assert.equal('hostname' in receipt!, false, "which node it was is the operator's business");
  const job = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: cloud.jobid });
  assert.deepEqual((job['receipts'] as { ipaddress: string }[]).map(({ ipaddress }) => ipaddress).toSorted(), [
    '10.40.0.10',
    '10.40.0.77',
  ]);
  const text = `10.40.0.77 is at ${cloud.told.mac} (web) now and was announced to all on the network; 10.40.0.254 had learnt it 12 ms later`;
  assert.deepEqual(await cloud.events('ADDRESS.MOVED'), [text], 'a start is no news');
});

test('recordReceipts() lets a node speak of its own cards only', async () => {
  await using cloud = await open();
  const other = (await cloud.store.db.selectFrom('host').select('name').execute()).find(
    ({ name }) => name !== cloud.node,
  )!;
  await recordReceipts(cloud.store, other.name, [cloud.told]);
  await recordReceipts(cloud.store, 'nobody', [cloud.told]);
  assert.deepEqual(await cloud.list('admin', 'listAddressReceipts', { listall: 'true' }), []);
});

test('an upstream that keeps an old entry is named with what to do, and once it has learnt that is told, too', async () => {
  await using cloud = await open();
  const { answeredBy: _, afterMs: __, ...base } = cloud.told;
  await recordReceipts(cloud.store, cloud.node, [{ ...base, verdict: 'stale', answeredBy: OLD }]);
  const [stale] = await cloud.events('ADDRESS.STALE');
  assert.match(
    stale!,
    /10\.40\.0\.254 still sends what is for 10\.40\.0\.77 to 02:00:00:00:00:01: it keeps an old ARP entry/,
  );
  assert.match(
    stale!,
    /On 10\.40\.0\.254 remove the entry of 10\.40\.0\.77 \(ip neigh del 10\.40\.0\.77 dev INTERFACE; clear ip arp 10\.40\.0\.77\)/,
  );
  const [shown] = await cloud.list('acme-admin', 'listAddressReceipts', { result: 'stale' });
  assert.equal(shown!['answeredby'], OLD);
  await recordReceipts(cloud.store, cloud.node, [cloud.told]);
  assert.equal((await cloud.list('acme-admin', 'listAddressReceipts')).length, 1);
  assert.match((await cloud.events('ADDRESS.MOVED'))[0]!, /had learnt it/);
});

test('an entry that can only be concluded names who had the address before', async () => {
  await using cloud = await open();
  await recordReceipts(cloud.store, cloud.node, [{ ...cloud.told, mac: OLD, moved: cloud.told.moved - 1 }]);
  const { answeredBy: _, afterMs: __, ...base } = cloud.told;
  await recordReceipts(cloud.store, cloud.node, [{ ...base, verdict: 'stale' }]);
  const [stale] = await cloud.events('ADDRESS.STALE');
  assert.match(
    stale!,
    /answers other addresses of web and not this one: it seems to keep an old ARP entry \(02:00:00:00:00:01\)/,
  );
});

test('listAddressReceipts shows nobody the receipts of others', async () => {
  await using cloud = await open();
  await recordReceipts(cloud.store, cloud.node, [cloud.told]);
  assert.deepEqual(await cloud.list('globex-admin', 'listAddressReceipts', { listall: 'true' }), []);
  const [seen] = await cloud.list('admin', 'listAddressReceipts', { listall: 'true' });
  assert.equal(seen!['hostname'], cloud.node);
});
