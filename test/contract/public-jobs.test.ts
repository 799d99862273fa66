// What a job about the public side of a VPC promises: when it is done, every chassis that carries it has said so. Over the real loop and
// real OVN databases; the chassis are rows that report when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../../src/commands/public/public.test-support.ts';
import { run } from '../../src/lib/run.ts';
import { silentLog } from '../../src/lib/log.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { createNorthbound } from '../../src/ovn/northbound.ts';
import { startOvsdbServer, until } from '../../src/ovn/ovsdb-server.test-support.ts';
import { createReconciler } from '../../src/reconcile/loop.ts';
import { createIntentCache } from '../../src/store/load.ts';

const HOSTS = ['hv1', 'hv2', 'hv3'] as const;

test('a job about public addresses ends when the last chassis has the change, and its rows are Allocated and Active from then on', async () => {
  await using cloud = await openCloud({ routers: 0 });
  const { store } = cloud;
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { id: web } = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const vm = await cloud.instance('acme-admin', 'vm1', String(web));
  await cloud.settle();

  const [nb, sb] = [await startOvsdbServer('ovn-nb'), await startOvsdbServer('ovn-sb')];
  const southbound = (...words: string[]): Promise<unknown> => run(['ovn-sbctl', `--db=${sb.remote}`, ...words]);
  const reports = async (name: string): Promise<void> => {
    const now = (await nb.nbctl('get', 'NB_Global', '.', 'nb_cfg')).trim();
    await southbound('set', 'Chassis_Private', name, `nb_cfg=${now}`);
  };
  const northbound = createNorthbound({ nb: nb.remote, sb: sb.remote, log: silentLog() });
  const reconciler = createReconciler({
    store,
    cache: createIntentCache(store),
    northbound,
    log: silentLog(),
    jobLimitMs: 60_000,
  });
  const state = async (table: 'publicip' | 'portforward', id: string): Promise<string> =>
    (await store.db.selectFrom(table).select('state').where('id', '=', id).executeTakeFirstOrThrow()).state;
  const isDone = async (jobid: unknown): Promise<boolean> => {
    const { jobstatus } = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
    return jobstatus === 1;
  };
  /** Asks, sees that nothing is done before all have reported, and gives the object's id once it is. */
  const realized = async (
    command: string,
    params: Record<string, string>,
    table: 'publicip' | 'portforward',
    [before, after]: readonly [string, string],
    inNorthbound: string,
  ): Promise<string> => {
    const { id, jobid } = await cloud.callAs('acme-admin', command, params);
    await until(async () => (await nb.nbctl('show')).length > 0 && (await dump()).includes(inNorthbound), command);
    for (const name of HOSTS) {
      await sleep(100);
      assert.equal(await isDone(jobid), false, `${command} waits for ${name}`);
      assert.equal(await state(table, String(id)), before);
      await reports(name);
    }
    await until(() => isDone(jobid), `the job of ${command} ending`);
    assert.equal(await state(table, String(id)), after);
    return String(id);
  };
  const dump = async (): Promise<string> =>
    (await nb.nbctl('list', 'NAT')) + (await nb.nbctl('list', 'Load_Balancer')) + (await nb.nbctl('list', 'ACL'));
  try {
    for (const name of HOSTS) {
      await southbound('chassis-add', name, 'geneve', `192.0.2.${name.slice(2)}`);
      await southbound('create', 'Chassis_Private', `name=${name}`, 'nb_cfg=0');
    }
    reconciler.start();
    northbound.start().catch(() => undefined);
    await until(async () => (await dump()).includes('203.0.113.10'), 'the source NAT address in OVN');
    const address = await realized(
      'associateIpAddress',
      { vpcid },
      'publicip',
      ['Allocating', 'Allocated'],
      '203.0.113.10',
    );
    await realized(
      'createPortForwardingRule',
      { ipaddressid: address, protocol: 'tcp', publicport: '2222', privateport: '22', virtualmachineid: vm },
      'portforward',
      ['Add', 'Active'],
      '203.0.113.11:2222',
    );
    const { jobid } = await cloud.callAs('acme-admin', 'disassociateIpAddress', { id: address });
    await until(async () => !(await dump()).includes('203.0.113.11:2222'), 'the forward gone from OVN');
    await sleep(100);
    assert.deepEqual([await isDone(jobid), await state('publicip', address)], [false, 'Releasing']);
    for (const name of HOSTS) await reports(name);
    await until(() => isDone(jobid), 'the job of disassociateIpAddress ending');
    assert.equal(await state('publicip', address), 'Free');
  } finally {
    await reconciler.close();
    northbound.close();
    await nb.close();
    await sb.close();
  }
});
