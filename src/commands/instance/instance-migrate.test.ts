// Moving an instance: both places know of it until it is there, and whatever happens there is one instance, whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Intent } from '../../model/intent.ts';
import { createIntentCache } from '../../store/load.ts';
import { failJobs, pending } from '../../store/settle.ts';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, deploy, only, openCloud } from './instance.test-support.ts';

/** An instance on hv1. */
async function placed(cloud: Cloud): Promise<string> {
  const network = await cloud.network('admin');
  const { id } = await deploy(cloud, 'admin', network, { hostid: cloud.hosts[0]!, name: 'web' });
  await cloud.settle();
  return id;
}

const intentOf = async (cloud: Cloud): Promise<Intent> => (await createIntentCache(cloud.store).reload()).intent;

/** `hv1: running hv1>hv2`: what each hypervisor is told of the instance. */
async function told(cloud: Cloud): Promise<string[]> {
  const { hosts } = await intentOf(cloud);
  return [...hosts.values()]
    .flatMap(({ name, instances }) =>
      instances.map(({ power, migration }) => {
        const way = migration === undefined ? '' : ` ${migration.from}>${migration.to}`;
        return `${name}: ${power}${way}`;
      }),
    )
    .toSorted();
}

test('migrateVirtualMachine tells both hypervisors, and the source lets go when the instance is there', async () => {
  await using cloud = await openCloud();
  const id = await placed(cloud);
  const before = await cloud.store.db.selectFrom('nic').select('moved').executeTakeFirstOrThrow();
  const { jobid } = await cloud.callAs('admin', 'migrateVirtualMachine', {
    virtualmachineid: id,
    hostid: cloud.hosts[1]!,
  });
  const moving = await only(cloud, 'admin', id);
  assert.deepEqual([moving.state, moving.hostname], ['Migrating', 'hv2']);
  assert.deepEqual(await told(cloud), ['hv1: running hv1>hv2', 'hv2: running hv1>hv2']);
  const { networks } = await intentOf(cloud);
  const [nic] = [...networks.values()].flatMap((network) => network.nics);
  assert.deepEqual([nic?.host, nic?.movingFrom], ['hv2', 'hv1']);
  const after = await cloud.store.db.selectFrom('nic').select('moved').executeTakeFirstOrThrow();
  assert.ok(after.moved > before.moved);
  const { value: asked } = await cloud.store.db
    .selectFrom('counter')
    .select('value')
    .where('name', '=', 'generation')
    .executeTakeFirstOrThrow();
  await cloud.settle();
  const result = await cloud.result('admin', jobid);
  assert.deepEqual([result?.state, result?.hostid], ['Running', cloud.hosts[1]]);
  assert.deepEqual(await told(cloud), ['hv2: running']);
  assert.ok((await intentOf(cloud)).generation > asked, 'letting go is a change of its own');
});

test('migrateVirtualMachine leaves the instance whole when it fails: it can be called back, or goes on later', async () => {
  await using cloud = await openCloud();
  const id = await placed(cloud);
  const go = (hostid: string | undefined): Promise<Record<string, unknown>> =>
    cloud.callAs('admin', 'migrateVirtualMachine', { virtualmachineid: id, hostid: hostid! });
  const { jobid } = await go(cloud.hosts[1]);
  const waiting = (await pending(cloud.store)).flatMap(({ jobs }) => jobs.map((job) => job.id));
  await failJobs(cloud.store, waiting, 'hv2 does not answer');
  const job = await cloud.callAs('admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  assert.equal(job['jobstatus'], 2);
  assert.deepEqual(await told(cloud), ['hv1: running hv1>hv2', 'hv2: running hv1>hv2'], 'hv1 keeps it meanwhile');
  await assert.rejects(
    go(cloud.hosts[2]),
    refused(530, /it is on its way from hv1 to hv2\. Wait until it is there, or move it back to hv1/),
  );
  await go(cloud.hosts[0]);
  assert.deepEqual(await told(cloud), ['hv1: running hv2>hv1', 'hv2: running hv2>hv1']);
  await cloud.settle();
  assert.deepEqual(await told(cloud), ['hv1: running']);
  assert.equal((await only(cloud, 'admin', id)).state, 'Running');
});

test('an instance stopped on its way stops in both places, and one of them forgets it', async () => {
  await using cloud = await openCloud();
  const id = await placed(cloud);
  await cloud.callAs('admin', 'migrateVirtualMachine', { virtualmachineid: id, hostid: cloud.hosts[1]! });
  await cloud.callAs('admin', 'stopVirtualMachine', { id });
  assert.deepEqual(await told(cloud), ['hv1: stopped', 'hv2: stopped']);
  await cloud.settle();
  assert.deepEqual(await told(cloud), ['hv2: stopped']);
  assert.equal((await only(cloud, 'admin', id)).state, 'Stopped');
});

test('migrateVirtualMachine chooses the least loaded hypervisor with autoselect', async () => {
  await using cloud = await openCloud();
  const id = await placed(cloud);
  await deploy(cloud, 'admin', await cloud.network('admin'), { hostid: cloud.hosts[1]! });
  await cloud.callAs('admin', 'migrateVirtualMachine', { virtualmachineid: id, autoselect: 'true' });
  assert.equal((await only(cloud, 'admin', id)).hostname, 'hv3');
});

test('migrateVirtualMachine refuses what cannot be, in CloudStack words, and is for root alone', async () => {
  await using cloud = await openCloud();
  const id = await placed(cloud);
  const go = (hostid: string, more = {}): Promise<unknown> =>
    cloud.callAs('admin', 'migrateVirtualMachine', { virtualmachineid: id, hostid, ...more });
  await assert.rejects(go(cloud.hosts[0]!), refused(431, /^Cannot migrate VM, VM is already presnt on this host/));
  await cloud.store.write((tx) => tx.update('host', cloud.hosts[1]!, { resourcestate: 'Maintenance' }));
  await assert.rejects(
    go(cloud.hosts[1]!),
    refused(431, /destination host is not in correct state, has status: Up, state: Maintenance; hv2 must be/),
  );
  await assert.rejects(
    cloud.callAs('admin', 'migrateVirtualMachine', { virtualmachineid: id }),
    refused(431, /^Either hostId or autoselect=true must be specified/),
  );
  await assert.rejects(go(id), refused(431, /Invalid parameter hostid value=/));
  await cloud.store.write((tx) => tx.update('host', cloud.hosts[0]!, { state: 'Down' }));
  await assert.rejects(go(cloud.hosts[2]!), refused(530, /host hv1 that runs it is Down/));
  await cloud.doAs('admin', 'stopVirtualMachine', { id });
  await assert.rejects(
    go(cloud.hosts[2]!),
    refused(431, /^VM is not Running, unable to migrate the vm with specified id: web is Stopped/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'migrateVirtualMachine', { virtualmachineid: id, hostid: cloud.hosts[2]! }),
    { kind: 'unsupported' },
  );
});
