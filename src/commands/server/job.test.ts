// Jobs as clients poll them, and the events that tell of them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Body, type Cloud, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import { idOf, makeVpc } from '../../../test/support/story.ts';
import { failJobs } from '../../store/settle.ts';
import { sweep } from '../../store/sweep.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

async function create(name: string): Promise<{ id: string; jobid: string }> {
  const zoneid = await idOf(cloud, 'acme-user', 'listZones', 'zone', {});
  const vpcofferingid = await idOf(cloud, 'acme-user', 'listVPCOfferings', 'vpcoffering', {
    name: 'Default VPC offering',
  });
  const answer = await cloud.callAs('acme-user', 'createVPC', {
    name,
    displaytext: name,
    cidr: '10.1.0.0/16',
    zoneid,
    vpcofferingid,
  });
  assert.deepEqual(Object.keys(answer).toSorted(), ['id', 'jobid'], 'nothing else stands in the first answer');
  return answer as { id: string; jobid: string };
}
const ask = (jobid: string, who: 'acme-user' | 'acme-admin' | 'globex-admin' | 'admin' = 'acme-user'): Promise<Body> =>
  cloud.callAs(who, 'queryAsyncJobResult', { jobid });

test('queryAsyncJobResult is pending without a result, then done with the object under its one key', async () => {
  const { id, jobid } = await create('one');
  const before = await ask(jobid);
  const { userId, accountId } = await cloud.caller('acme-user');
  assert.deepEqual(
    [
      before['jobstatus'],
      before['jobprocstatus'],
      before['jobresultcode'],
      before['jobinstanceid'],
      before['jobinstancetype'],
      before['userid'],
      before['accountid'],
      before['cmd'],
    ],
    [0, 0, 0, id, 'Vpc', userId, accountId, 'createVPC'],
  );
  assert.ok(!('jobresult' in before) && !('completed' in before));
  await cloud.settle();
  const done = await ask(jobid);
  assert.deepEqual([done['jobstatus'], done['jobresulttype']], [1, 'object']);
  assert.deepEqual(Object.keys(done['jobresult'] as Body), ['vpc']);
  assert.match(String(done['created']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$/);
  assert.equal(((done['jobresult'] as Body)['vpc'] as Body)['id'], id);
});

test('queryAsyncJobResult shows the object as it is when asked, and success once it is gone', async () => {
  const { id, jobid } = await create('two');
  await cloud.settle();
  await cloud.doAs('acme-user', 'updateVPC', { id, name: 'renamed' });
  assert.equal((((await ask(jobid))['jobresult'] as Body)['vpc'] as Body)['name'], 'renamed');
  await cloud.doAs('acme-user', 'deleteVPC', { id });
  assert.deepEqual((await ask(jobid))['jobresult'], { success: true });
});

test('a failed job has status 2, code 530 and the text', async () => {
  const { jobid } = await create('three');
  await failJobs(cloud.store, [jobid], 'h1 has not followed');
  const failed = await ask(jobid);
  assert.deepEqual(
    [failed['jobstatus'], failed['jobresultcode'], failed['jobresult']],
    [2, 530, { errorcode: 530, errortext: 'h1 has not followed' }],
  );
});

test('a job is its owner’s and his admins’, and unknown to everybody else', async () => {
  const { jobid } = await create('four');
  await cloud.settle();
  assert.equal((await ask(jobid, 'acme-admin'))['jobstatus'], 1);
  assert.equal((await ask(jobid, 'admin'))['jobstatus'], 1);
  await assert.rejects(ask(jobid, 'globex-admin'), refused(431, /Invalid parameter jobid value=/));
});

test('listAsyncJobs lists the own jobs, an admin all below him with listall', async () => {
  const count = async (who: 'acme-user' | 'acme-admin' | 'globex-admin', params = {}): Promise<unknown> =>
    (await cloud.callAs(who, 'listAsyncJobs', params))['count'] ?? 0;
  const own = await count('acme-user');
  assert.ok(Number(own) >= 4);
  assert.equal(await count('acme-admin'), 0);
  assert.equal(await count('acme-admin', { listall: true }), own);
  assert.equal(await count('globex-admin', { listall: true }), 0);
});

test('events tell of a job from Scheduled to Completed, each naming the first', async () => {
  const vpc = await makeVpc(cloud, 'acme-admin', 'told', '10.9.0.0/16');
  const body = await cloud.callAs('acme-admin', 'listEvents', { resourceid: vpc });
  const events = (
    body['event'] as {
      id: string;
      state: string;
      type: string;
      parentid?: string;
      username: string;
      description: string;
    }[]
  ).toReversed();
  assert.deepEqual(
    events.map(({ state, type, username }) => [state, type, username]),
    ['Scheduled', 'Started', 'Completed'].map((state) => [state, 'VPC.CREATE', 'acme-admin']),
  );
  assert.deepEqual(
    events.map((event) => event.parentid),
    [undefined, events[0]!.id, events[0]!.id],
  );
  assert.equal((await cloud.callAs('acme-admin', 'listEvents', { startid: events[0]!.id }))['count'], 3);
  assert.deepEqual(await cloud.callAs('globex-admin', 'listEvents', { resourceid: vpc, listall: true }), {});
  assert.deepEqual(await cloud.callAs('acme-admin', 'listEvents', { level: 'ERROR' }), {});
  for (const param of ['id', 'startid']) {
    await assert.rejects(
      cloud.callAs('globex-admin', 'listEvents', { [param]: events[0]!.id }),
      refused(431, new RegExp(`Invalid parameter ${param} value=${events[0]!.id} due to incorrect long value format`)),
      'an event of another tenant is one that does not exist',
    );
  }
  const types = (await cloud.callAs('acme-user', 'listEventTypes'))['eventtype'] as { name: string }[];
  assert.ok(types.some(({ name }) => name === 'VPC.CREATE'));
});

test('a finished job is forgotten after job.expire.minutes, and none is while it waits', async () => {
  const { jobid } = await create('six');
  const waiting = await create('seven');
  await failJobs(cloud.store, [jobid], 'h1 has not followed');
  const completed = new Date(Date.now() - 10 * 60_000).toISOString();
  await cloud.store.write((tx) =>
    tx.db.updateTable('job').set({ completed, created: completed }).where('id', 'in', [jobid, waiting.jobid]).execute(),
  );
  await sweep(cloud.store, 0);
  assert.equal((await ask(jobid))['jobstatus'], 2, 'a day, unless told otherwise');
  const keep = (value: string): Promise<Body> =>
    cloud.callAs('admin', 'updateConfiguration', { name: 'job.expire.minutes', value });
  await assert.rejects(keep('0'), refused(431, /job.expire.minutes must be at least 1; got 0/));
  await keep('9');
  await sweep(cloud.store, 0);
  await assert.rejects(ask(jobid), refused(431, /Invalid parameter jobid value=/));
  assert.equal((await ask(waiting.jobid))['jobstatus'], 0);
});
