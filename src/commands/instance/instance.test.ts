// The life of an instance: stop, start, reboot, new password, change, destroy, recover, expunge.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expungeOverdue } from './instance-destroy.ts';
import type { InstanceView } from './instance-view.ts';
import { openCloud, deploy, listed, only } from './instance.test-support.ts';

test('resetPasswordForVirtualMachine makes a new password and restarts a running instance', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const first = await deploy(cloud, 'acme-admin', network, { templateid: cloud.passwordTemplate });
  await cloud.settle();
  const old = (await cloud.result('acme-admin', first.jobid))?.password;
  const { jobid } = await cloud.callAs('acme-admin', 'resetPasswordForVirtualMachine', { id: first.id });
  await cloud.settle();
  const fresh = (await cloud.result('acme-admin', jobid))?.password;
  assert.match(String(fresh), /^[A-Za-z0-9]{12}$/);
  assert.notEqual(fresh, old);
  assert.equal((await cloud.store.db.selectFrom('instance').select('boot').executeTakeFirstOrThrow()).boot, 1);
  const plain = await deploy(cloud, 'acme-admin', network);
  await cloud.settle();
  await assert.rejects(cloud.callAs('acme-admin', 'resetPasswordForVirtualMachine', { id: plain.id }), {
    message: /^Fail to reset password for the virtual machine, the template is not password enabled/,
  });
});

test('stop, start and reboot lead through their states and keep the address', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  await cloud.settle();
  const state = async (): Promise<string | undefined> => (await only(cloud, 'admin', id)).state;
  await cloud.callAs('acme-admin', 'rebootVirtualMachine', { id });
  assert.equal(await state(), 'Running');
  assert.equal((await cloud.store.db.selectFrom('instance').select('boot').executeTakeFirstOrThrow()).boot, 1);
  await cloud.callAs('acme-admin', 'stopVirtualMachine', { id, forced: 'true' });
  assert.equal(await state(), 'Stopping');
  await cloud.settle();
  const stopped = await only(cloud, 'admin', id);
  assert.equal(stopped.state, 'Stopped');
  assert.equal(stopped.hostid, undefined);
  assert.equal(stopped.nic![0]!.ipaddress, '10.1.0.2');
  await assert.rejects(cloud.callAs('acme-admin', 'rebootVirtualMachine', { id }), {
    message: /state Stopped.*start it/,
  });
  await cloud.callAs('acme-admin', 'startVirtualMachine', { id });
  assert.equal(await state(), 'Starting');
  await cloud.settle();
  assert.equal(await state(), 'Running');
});

test('a start that is overtaken by a stop ends stopped, whatever is realized when', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  await cloud.callAs('acme-admin', 'stopVirtualMachine', { id });
  await cloud.settle();
  assert.equal((await only(cloud, 'acme-admin', id)).state, 'Stopped');
});

test('starting a running instance and stopping a stopped one are done at once', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  await cloud.settle();
  const { jobid } = await cloud.callAs('acme-admin', 'startVirtualMachine', { id });
  const job = await cloud.store.db
    .selectFrom('job')
    .selectAll()
    .where('id', '=', String(jobid))
    .executeTakeFirstOrThrow();
  assert.equal(job.status, 1);
});

test('startVirtualMachine names no other host for a running instance: root is told what moves it, others that they may not', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  await cloud.settle();
  const hosts = await cloud.store.db.selectFrom('host').select(['id', 'name']).orderBy('name').execute();
  const { host } = await cloud.store.db
    .selectFrom('instance')
    .select('host')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const here = hosts.find((one) => one.id === host)!;
  const other = hosts.find((one) => one.id !== host)!;
  const start = (who: 'admin' | 'acme-admin', hostid: string): Promise<unknown> =>
    cloud.callAs(who, 'startVirtualMachine', { id, hostid });
  await assert.rejects(start('acme-admin', here.id), { message: /^Parameter hostid can only be specified by a Root/ });
  await assert.rejects(start('admin', other.id), {
    message: new RegExp(`on ${other.name}: it runs on ${here.name}. migrateVirtualMachine moves it`),
  });
  await start('admin', here.id);
});

test('destroyVirtualMachine keeps the address until the instance is expunged, and it can be recovered', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { name: 'web' });
  await cloud.settle();
  await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id });
  await cloud.settle();
  assert.equal((await only(cloud, 'acme-admin', id)).state, 'Destroyed');
  await assert.rejects(cloud.callAs('acme-admin', 'startVirtualMachine', { id }), { message: /recover it first/ });
  const second = await deploy(cloud, 'acme-admin', network, { name: 'web' });
  assert.equal(
    (await only(cloud, 'acme-admin', second.id)).nic![0]!.ipaddress,
    '10.1.0.3',
    'its successor may have its name, not its address',
  );
  await assert.rejects(cloud.callAs('acme-admin', 'recoverVirtualMachine', { id }), {
    message: /hostName web already exists/,
  });
  await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id: second.id, expunge: 'true' });
  const { virtualmachine } = await cloud.callAs('acme-admin', 'recoverVirtualMachine', { id });
  assert.equal((virtualmachine as InstanceView).state, 'Stopped');
  await assert.rejects(cloud.callAs('acme-admin', 'recoverVirtualMachine', { id }), {
    message: /only a destroyed one/,
  });
});

test('destroyVirtualMachine with expunge removes it, and its job still shows it', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  await cloud.settle();
  const { jobid } = await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id, expunge: 'true' });
  assert.equal((await listed(cloud, 'admin')).length, 0);
  assert.equal((await cloud.store.db.selectFrom('address').selectAll().execute()).length, 0);
  await cloud.settle();
  const shown = await cloud.result('acme-admin', jobid);
  assert.deepEqual([shown?.id, shown?.state], [id, 'Expunging']);
  await assert.rejects(cloud.callAs('acme-admin', 'listVirtualMachines', { id }), {
    message: new RegExp(`Invalid parameter id value=${id} due to`),
  });
});

test('a user may expunge, recover and see destroyed instances unless the configuration says otherwise', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-user');
  const [{ id }, second] = [await deploy(cloud, 'acme-user', network), await deploy(cloud, 'acme-user', network)];
  await cloud.settle();
  await cloud.callAs('acme-user', 'destroyVirtualMachine', { id: second.id, expunge: 'true' });
  await cloud.callAs('acme-user', 'destroyVirtualMachine', { id });
  await cloud.settle();
  assert.equal((await only(cloud, 'acme-user', id)).state, 'Destroyed');
  const allow = async (value: 'true' | 'false'): Promise<void> => {
    for (const name of ['allow.user.expunge.recover.vm', 'allow.user.view.destroyed.vm']) {
      await cloud.callAs('admin', 'updateConfiguration', { name, value });
    }
  };
  await allow('false');
  assert.equal((await listed(cloud, 'acme-user')).length, 0);
  await assert.rejects(cloud.callAs('acme-user', 'destroyVirtualMachine', { id, expunge: 'true' }), {
    kind: 'permission',
    message: 'Parameter expunge can be passed by Admin only. Or when the allow.user.expunge.recover.vm key is set.',
  });
  await assert.rejects(cloud.callAs('acme-user', 'recoverVirtualMachine', { id }), { kind: 'permission' });
  await allow('true');
  await cloud.callAs('acme-user', 'recoverVirtualMachine', { id });
  assert.equal((await only(cloud, 'acme-user', id)).state, 'Stopped');
});

test('expungeOverdue() removes what was destroyed long enough ago and nothing else', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const [old, kept] = [await deploy(cloud, 'acme-admin', network), await deploy(cloud, 'acme-admin', network)];
  await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id: old.id });
  await cloud.settle();
  assert.equal(await expungeOverdue(cloud.store, '2020-01-01T00:00:00.000Z'), 0);
  assert.equal(await expungeOverdue(cloud.store, '2999-01-01T00:00:00.000Z'), 1);
  assert.deepEqual(
    (await listed(cloud, 'admin')).map((instance) => instance.id),
    [kept.id],
  );
  assert.equal((await cloud.store.db.selectFrom('address').selectAll().execute()).length, 1);
});

test('updateVirtualMachine changes names and user data, and only what the guest is told reaches the network', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { name: 'a', userdata: 'aGk=' });
  await deploy(cloud, 'acme-admin', network, { name: 'other' });
  const generation = async (): Promise<number> =>
    (
      await cloud.store.db
        .selectFrom('counter')
        .select('value')
        .where('name', '=', 'generation')
        .executeTakeFirstOrThrow()
    ).value;
  const before = await generation();
  const { virtualmachine } = await cloud.callAs('acme-admin', 'updateVirtualMachine', {
    id,
    displayname: 'A',
    group: 'g',
    details: [{ key: 'k', value: 'v' }],
  });
  const shown = virtualmachine as InstanceView;
  assert.deepEqual([shown.displayname, shown.group, shown.details], ['A', 'g', { k: 'v' }]);
  assert.equal(await generation(), before);
  await cloud.callAs('acme-admin', 'updateVirtualMachine', { id, userdata: 'aG8=' });
  assert.equal(await generation(), before + 1);
  assert.deepEqual(await cloud.callAs('acme-admin', 'getVirtualMachineUserData', { virtualmachineid: id }), {
    virtualmachineuserdata: { virtualmachineid: id, userdata: 'aG8=' },
  });
  await assert.rejects(cloud.callAs('acme-admin', 'updateVirtualMachine', { id, name: 'OTHER' }), {
    message: /already exists/,
  });
  await cloud.callAs('acme-admin', 'updateVirtualMachine', { id, name: 'b' });
  assert.equal(await generation(), before + 2);
  assert.equal((await only(cloud, 'acme-admin', id)).name, 'b');
});

test('changeServiceForVirtualMachine works on a stopped instance only', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), { startvm: 'false' });
  const { virtualmachine } = await cloud.callAs('acme-admin', 'changeServiceForVirtualMachine', {
    id,
    serviceofferingid: cloud.medium,
  });
  assert.equal((virtualmachine as InstanceView).memory, 1024);
  await cloud.callAs('acme-admin', 'scaleVirtualMachine', { id, serviceofferingid: cloud.small });
  await cloud.callAs('acme-admin', 'startVirtualMachine', { id });
  await assert.rejects(
    cloud.callAs('acme-admin', 'changeServiceForVirtualMachine', { id, serviceofferingid: cloud.medium }),
    { message: /stop it first/ },
  );
});
