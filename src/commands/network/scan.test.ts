// Scans without a wire: who may ask, how often, what is made of the answers, and who sees what of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import { until } from '../../ovn/ovsdb-server.test-support.ts';
import { recordScans, type ToldScan } from '../../store/scans.ts';
import { type NetworkCloud, NOBODY, openCloud, unknown } from './network.test-support.ts';

const PI = { ip: '10.40.0.77', mac: 'b8:27:eb:00:11:ab', vendor: 'Raspberry Pi Foundation' };

let last = 0;

interface Scanned extends NetworkCloud {
  readonly network: string;
  /** Asks for a scan and has the node asked answer it. */
  scan(...hosts: ToldScan['hosts']): Promise<void>;
  /** MAC of the first card of an instance. */
  macOf(instance: string): Promise<string>;
}

async function open(): Promise<Scanned> {
  const cloud = await openCloud();
  await addHosts(cloud.store);
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.scan.interval', value: '0' });
  const made = await cloud.networkOf('acme-admin', 'wire', 'NoServices', {
    cidr: '10.40.0.0/24',
    gateway: '10.40.0.254',
  });
  const network = String(made['id']);
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    network,
    async scan(...hosts) {
      await cloud.callAs('acme-admin', 'scanNetwork', { networkid: network });
      await answer(cloud, { hosts });
    },
    async macOf(instance) {
      const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: instance });
      return String(nic!['macaddress']);
    },
  };
}

/** The open scan is answered by the node that was asked. */
async function answer(cloud: NetworkCloud, told: Omit<ToldScan, 'id'>): Promise<void> {
  const row = await cloud.store.db
    .selectFrom('scan')
    .innerJoin('host', 'host.id', 'scan.host')
    .select(['scan.id', 'host.name'])
    .where('scan.state', '=', 'Requested')
    .executeTakeFirstOrThrow();
  await recordScans(cloud.store, row.name, [{ id: row.id, ...told }]);
}

test('scanNetwork refuses what cannot be scanned, and says what helps', async () => {
  await using cloud = await open();
  const refused = (networkid: string, text: string | RegExp, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'scanNetwork', { networkid }, text, status);
  const vpc = await cloud.vpc('acme-admin', 'v', '10.9.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpc, '10.9.1.0/24'))['id']);
  await refused(tier, /it is on no VLAN, so only our own machines are on it\. listWhoHasThisIp/);
  const wide = await cloud.networkOf('admin', 'wide', 'NoServices', { cidr: '10.32.0.0/19' });
  await cloud.refused('admin', 'scanNetwork', { networkid: String(wide['id']) }, '10.32.0.0/19 is larger than a /20');
  const bare = await cloud.networkOf('acme-admin', 'bare', 'DefaultL2NetworkOffering');
  await refused(String(bare['id']), 'it has no CIDR');
  await refused(NOBODY, unknown('networkid', NOBODY));
  await cloud.refused('globex-admin', 'scanNetwork', { networkid: cloud.network }, unknown('networkid', cloud.network));
  await cloud.store.write(async (tx) => void (await tx.db.updateTable('host').set({ state: 'Down' }).execute()));
  await refused(cloud.network, 'no hypervisor of its zone is Up', 534);
});

test('scanNetwork refuses a second scan while one runs, and too soon after; a node that never answers is given up', async () => {
  await using cloud = await open();
  const ask = { networkid: cloud.network };
  await cloud.callAs('acme-admin', 'scanNetwork', ask);
  await cloud.refused('acme-admin', 'scanNetwork', ask, /is being scanned since .*: wait for that scan to end/);
  const long = new Date(Date.now() - 600_000).toISOString();
  await cloud.store.write(async (tx) => void (await tx.db.updateTable('scan').set({ created: long }).execute()));
  await cloud.callAs('acme-admin', 'scanNetwork', ask);
  const states = await cloud.store.db.selectFrom('scan').select('state').orderBy('created').execute();
  assert.deepEqual(
    states.map(({ state }) => state),
    ['Failed', 'Requested'],
  );
  await answer(cloud, { hosts: [] });
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.scan.interval', value: '60' });
  await cloud.refused('acme-admin', 'scanNetwork', ask, /was scanned 0 s ago: it can be scanned every 60 s/);
});

test('a scan that the node cannot make fails its job with what the node said', async () => {
  await using cloud = await open();
  const { jobid } = await cloud.callAs('acme-admin', 'scanNetwork', { networkid: cloud.network });
  await answer(cloud, { hosts: [], error: 'h1 cannot scan VLAN 100: arp-scan is not installed' });
  const job = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  assert.equal(job['jobstatus'], 2);
  assert.match(JSON.stringify(job['jobresult']), /arp-scan is not installed/);
});

test('recordScans() takes an answer only from the node that was asked, and only once', async () => {
  await using cloud = await open();
  await cloud.callAs('acme-admin', 'scanNetwork', { networkid: cloud.network });
  const { id } = await cloud.store.db.selectFrom('scan').select('id').executeTakeFirstOrThrow();
  await recordScans(cloud.store, 'somebody-else', [{ id, hosts: [PI] }]);
  assert.deepEqual(await cloud.list('acme-admin', 'listNetworkNeighbors'), []);
  await answer(cloud, { hosts: [PI] });
  const asked = await cloud.store.db.selectFrom('host').select('name').execute();
  for (const { name } of asked) await recordScans(cloud.store, name, [{ id, hosts: [{ ...PI, ip: '10.40.0.78' }] }]);
  assert.equal((await cloud.list('acme-admin', 'listNetworkNeighbors')).length, 1);
});

test('S50: listNetworkNeighbors finds a MAC prefix in any spelling, and tells ours from strangers', async () => {
  await using cloud = await open();
  const instance = await cloud.deploy('acme-admin', cloud.network, { ipaddress: '10.40.0.10', name: 'web' });
  const mac = await cloud.macOf(instance);
  await cloud.scan(PI, { ip: '10.40.0.10', mac }, { ip: '10.40.0.254', mac: '02:00:00:00:00:fe' });
  for (const macaddress of ['b8:27:eb', 'B8-27-EB', 'b827.eb', PI.mac]) {
    const found = await cloud.list('acme-admin', 'listNetworkNeighbors', { macaddress });
    assert.deepEqual(
      found.map((row) => row['ipaddress']),
      [PI.ip],
      macaddress,
    );
  }
  await cloud.refused('acme-admin', 'listNetworkNeighbors', { macaddress: 'b8:2' }, /does not begin like one/);
  const all = await cloud.list('acme-admin', 'listNetworkNeighbors', { networkid: cloud.network });
  const kinds = all.map((row) => `${row['ipaddress']} ${row['kind']} ${row['known']} ${row['ownername'] ?? '-'}`);
  assert.deepEqual(kinds.toSorted(), [
    '10.40.0.10 instance true web',
    '10.40.0.254 unconfirmed false wire',
    '10.40.0.77 stranger false -',
  ]);
  assert.equal((await cloud.list('acme-admin', 'listNetworkNeighbors', { keyword: 'raspberry' })).length, 1);
  assert.deepEqual(await cloud.list('globex-admin', 'listNetworkNeighbors'), []);
});

test('strangers and addresses that two machines answer for become events, once each, and root is told the places', async () => {
  await using cloud = await open();
  const instance = await cloud.deploy('acme-admin', cloud.network, { ipaddress: '10.40.0.10', name: 'web' });
  const mac = await cloud.macOf(instance);
  const rival = { ip: '10.40.0.10', mac: PI.mac, vendor: PI.vendor };
  const told = async (type: string, who: 'admin' | 'acme-admin' = 'acme-admin'): Promise<string[]> =>
    (await cloud.list(who, 'listEvents', { type })).map((event) => String(event['description']));
  for (let round = 0; round < 2; round++) await cloud.scan({ ip: '10.40.0.10', mac }, rival);
  const [duplicate, ...others] = await told('NETWORK.DUPLICATE.ADDRESS');
  assert.deepEqual(others, []);
  assert.match(
    duplicate!,
    /^two machines answer for 10\.40\.0\.10 in network wire: \S+ \(instance web\) and b8:27:eb:00:11:ab \(an unknown machine, made by Raspberry Pi Foundation\)\. /,
  );
  assert.deepEqual(await told('NETWORK.STRANGER'), [
    'b8:27:eb:00:11:ab (an unknown machine, made by Raspberry Pi Foundation) is in network wire with address 10.40.0.10',
  ]);
  assert.match((await told('NETWORK.DUPLICATE.ADDRESS', 'admin'))[0]!, /\(instance web\) at hypervisor \S+/);
  assert.doesNotMatch(duplicate!, /hypervisor/);
});

test('an address of ours that only a stranger answers for is told, with whose it is', async () => {
  await using cloud = await open();
  await cloud.deploy('acme-admin', cloud.network, { ipaddress: '10.40.0.10', name: 'web' });
  await cloud.scan({ ip: '10.40.0.10', mac: PI.mac });
  const [event] = await cloud.list('acme-admin', 'listEvents', { type: 'NETWORK.DUPLICATE.ADDRESS' });
  assert.match(
    String(event!['description']),
    /^10\.40\.0\.10 in network wire belongs to instance web \(\S+\), but b8:27:eb:00:11:ab \(an unknown machine\) answers for it/,
  );
});

test('a stranger at a gateway address that nobody of ours has is no gateway of ours, and told', async () => {
  await using cloud = await open();
  const { jobid } = await cloud.callAs('acme-admin', 'scanNetwork', { networkid: cloud.network });
  await answer(cloud, { hosts: [{ ...PI, ip: '10.40.0.254' }] });
  await cloud.settle();
  const job = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  assert.equal((job['jobresult'] as { networkscan: { strangers: number } }).networkscan.strangers, 1);
  const [seen] = await cloud.list('acme-admin', 'listNetworkNeighbors');
  assert.deepEqual([seen!['known'], seen!['kind'], seen!['ownername']], [false, 'unconfirmed', 'wire']);
  const [event, ...more] = await cloud.list('acme-admin', 'listEvents', { type: 'NETWORK.STRANGER' });
  assert.deepEqual(more, []);
  assert.match(
    String(event!['description']),
    /^b8:27:eb:00:11:ab \(an unknown machine, .*\) answers for 10\.40\.0\.254, the address of the gateway of network wire, whose hardware address nobody has confirmed/,
  );
});

test('a machine of ours that answers for the gateway address is named, and not known to have it', async () => {
  await using cloud = await open();
  const mac = await cloud.macOf(
    await cloud.deploy('acme-admin', cloud.network, { ipaddress: '10.40.0.10', name: 'web' }),
  );
  await cloud.scan({ ip: '10.40.0.254', mac });
  const [seen] = await cloud.list('acme-admin', 'listNetworkNeighbors');
  assert.deepEqual([seen!['known'], seen!['kind'], seen!['ownername']], [false, 'instance', 'web']);
  const [event] = await cloud.list('acme-admin', 'listEvents', { type: 'NETWORK.STRANGER' });
  assert.match(
    String(event!['description']),
    /\(instance web\) uses 10\.40\.0\.254 in network wire, which was not given/,
  );
});

test('a duplicate that was mended and is back becomes a second event; the stranger behind it is told once', async () => {
  await using cloud = await open();
  const mac = await cloud.macOf(
    await cloud.deploy('acme-admin', cloud.network, { ipaddress: '10.40.0.10', name: 'web' }),
  );
  const own = { ip: '10.40.0.10', mac };
  const rival = { ...PI, ip: '10.40.0.10' };
  const count = async (type: string): Promise<number> =>
    (await cloud.list('acme-admin', 'listEvents', { type })).length;
  const seen: number[] = [];
  for (const hosts of [[own, rival], [own, rival], [own], [own, rival], [rival], [own, rival]]) {
    // Scans that end in the same millisecond would be one.
    await until(() => Date.now() > last, 'the next millisecond');
    last = Date.now();
    await cloud.scan(...hosts);
    seen.push(await count('NETWORK.DUPLICATE.ADDRESS'));
  }
  assert.deepEqual(seen, [1, 1, 1, 2, 2, 3]);
  assert.equal(await count('NETWORK.STRANGER'), 1);
});

test('deleteNetwork takes what scans found with it', async () => {
  await using cloud = await open();
  await cloud.scan(PI);
  await cloud.callAs('acme-admin', 'deleteNetwork', { id: cloud.network });
  assert.deepEqual(await cloud.list('admin', 'listNetworkNeighbors'), []);
  assert.deepEqual(await cloud.store.db.selectFrom('scan').select('id').execute(), []);
});
