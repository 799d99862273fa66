import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expungeOverdue } from './instance-destroy.ts';
import type { InstanceView } from './instance-view.ts';
import { openCloud, deploy, listed, only } from './instance.test-support.ts';

test('resetPasswordForVirtualMachine makes a new password and restarts a running instance', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acmeAdmin');
  const first = await deploy(cloud, 'acmeAdmin', network, { templateid: cloud.passwordTemplate });
  await cloud.realize();
  const old = (await cloud.result('acmeAdmin', first.jobid))?.['password'];
  const { jobid } = await cloud.call('acmeAdmin', 'resetPasswordForVirtualMachine', { id: first.id });
  const fresh = (await cloud.result('acmeAdmin', jobid))?.['password'];
  assert.match(String(fresh), /^[A-Za-z0-9]{12}$/);
  assert.notEqual(fresh, old);
  assert.equal((await cloud.store.db.selectFrom('instance').select('boot').executeTakeFirstOrThrow()).boot, 1);
  const plain = await deploy(cloud, 'acmeAdmin', network);
  await cloud.realize();
  await assert.rejects(cloud.call('acmeAdmin', 'resetPasswordForVirtualMachine', { id: plain.id }), {
    message: /^Fail to reset password for the virtual machine, the template is not password enabled/,
  });
});

test('stop, start and reboot lead through their states and keep the address', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acmeAdmin', await cloud.network('acmeAdmin'));
  await cloud.realize();
  const state = async (): Promise<string | undefined> => (await only(cloud, 'admin', id)).state;
  await cloud.call('acmeAdmin', 'rebootVirtualMachine', { id });
  assert.equal(await state(), 'Running');
  assert.equal((await cloud.store.db.selectFrom('instance').select('boot').executeTakeFirstOrThrow()).boot, 1);
  await cloud.call('acmeAdmin', 'stopVirtualMachine', { id, forced: 'true' });
  assert.equal(await state(), 'Stopping');
  await cloud.realize();
  const stopped = await only(cloud, 'admin', id);
  assert.equal(stopped.state, 'Stopped');
  assert.equal(stopped.hostid, undefined);
  assert.equal(stopped.nic![0]!.ipaddress, '10.1.0.2');
  await assert.rejects(cloud.call('acmeAdmin', 'rebootVirtualMachine', { id }), { message: /state Stopped.*start it/ });
  await cloud.call('acmeAdmin', 'startVirtualMachine', { id });
  assert.equal(await state(), 'Starting');
  await cloud.realize();
  assert.equal(await state(), 'Running');
});

test('a start that is overtaken by a stop ends stopped, whatever is realized when', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acmeAdmin', await cloud.network('acmeAdmin'));
  await cloud.call('acmeAdmin', 'stopVirtualMachine', { id });
  await cloud.realize();
  assert.equal((await only(cloud, 'acmeAdmin', id)).state, 'Stopped');
});

test('starting a running instance and stopping a stopped one are done at once', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acmeAdmin', await cloud.network('acmeAdmin'));
  await cloud.realize();
  const { jobid } = await cloud.call('acmeAdmin', 'startVirtualMachine', { id });
  const job = await cloud.store.db
    .selectFrom('job')
    .selectAll()
    .where('id', '=', String(jobid))
    .executeTakeFirstOrThrow();
  assert.equal(job.status, 1);
});

test('destroyVirtualMachine keeps the address until the instance is expunged, and it can be recovered', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acmeAdmin');
  const { id } = await deploy(cloud, 'acmeAdmin', network, { name: 'web' });
  await cloud.realize();
  await cloud.call('acmeAdmin', 'destroyVirtualMachine', { id });
  await cloud.realize();
  assert.equal((await only(cloud, 'acmeAdmin', id)).state, 'Destroyed');
  await assert.rejects(cloud.call('acmeAdmin', 'startVirtualMachine', { id }), { message: /recover it first/ });
  const second = await deploy(cloud, 'acmeAdmin', network, { name: 'web' });
  assert.equal(
    (await only(cloud, 'acmeAdmin', second.id)).nic![0]!.ipaddress,
    '10.1.0.3',
    'its successor may have its name, not its address',
  );
  await assert.rejects(cloud.call('acmeAdmin', 'recoverVirtualMachine', { id }), {
    message: /hostName web already exists/,
  });
  await cloud.call('acmeAdmin', 'destroyVirtualMachine', { id: second.id, expunge: 'true' });
  const { virtualmachine } = await cloud.call('acmeAdmin', 'recoverVirtualMachine', { id });
  assert.equal((virtualmachine as InstanceView).state, 'Stopped');
  await assert.rejects(cloud.call('acmeAdmin', 'recoverVirtualMachine', { id }), { message: /only a destroyed one/ });
});

test('destroyVirtualMachine with expunge removes it, and its job still shows it', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acmeAdmin', await cloud.network('acmeAdmin'));
  await cloud.realize();
  const { jobid } = await cloud.call('acmeAdmin', 'destroyVirtualMachine', { id, expunge: 'true' });
  assert.equal((await listed(cloud, 'admin')).length, 0);
  assert.equal((await cloud.store.db.selectFrom('address').selectAll().execute()).length, 0);
  await cloud.realize();
  const shown = (await cloud.result('acmeAdmin', jobid))?.['virtualmachine'] as InstanceView;
  assert.deepEqual([shown.id, shown.state], [id, 'Expunging']);
  await assert.rejects(cloud.call('acmeAdmin', 'listVirtualMachines', { id }), {
    message: new RegExp(`Invalid parameter id value=${id} due to`),
  });
});

test('a user may expunge, recover and see destroyed instances unless the configuration says otherwise', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acmeUser');
  const [{ id }, second] = [await deploy(cloud, 'acmeUser', network), await deploy(cloud, 'acmeUser', network)];
  await cloud.realize();
  await cloud.call('acmeUser', 'destroyVirtualMachine', { id: second.id, expunge: 'true' });
  await cloud.call('acmeUser', 'destroyVirtualMachine', { id });
  await cloud.realize();
  assert.equal((await only(cloud, 'acmeUser', id)).state, 'Destroyed');
  for (const name of ['allow.user.expunge.recover.vm', 'allow.user.view.destroyed.vm']) {
    const about = { category: 'Advanced', description: '', defaultvalue: 'true', isdynamic: 1 } as const;
    await cloud.store.write((tx) => tx.insert('configuration', { name, value: 'false', ...about }));
  }
  assert.equal((await listed(cloud, 'acmeUser')).length, 0);
  await assert.rejects(cloud.call('acmeUser', 'destroyVirtualMachine', { id, expunge: 'true' }), {
    kind: 'permission',
    message: 'Parameter expunge can be passed by Admin only. Or when the allow.user.expunge.recover.vm key is set.',
  });
  await assert.rejects(cloud.call('acmeUser', 'recoverVirtualMachine', { id }), { kind: 'permission' });
  await cloud.store.write((tx) => tx.db.deleteFrom('configuration').execute());
  await cloud.call('acmeUser', 'recoverVirtualMachine', { id });
  assert.equal((await only(cloud, 'acmeUser', id)).state, 'Stopped');
});

test('expungeOverdue() removes what was destroyed long enough ago and nothing else', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acmeAdmin');
  const [old, kept] = [await deploy(cloud, 'acmeAdmin', network), await deploy(cloud, 'acmeAdmin', network)];
  await cloud.call('acmeAdmin', 'destroyVirtualMachine', { id: old.id });
  await cloud.realize();
  assert.equal(await expungeOverdue(cloud.store, '2020-01-01T00:00:00.000Z'), 0);
  assert.equal(await expungeOverdue(cloud.store, '2999-01-01T00:00:00.000Z'), 1);
  assert.deepEqual(
    (await listed(cloud, 'admin')).map((instance) => instance.id),
    [kept.id],
  );
  assert.equal((await cloud.store.db.selectFrom('address').selectAll().execute()).length, 1);
});

test('updateVirtualMachine changes names and user data, and only a host name reaches the network', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acmeAdmin');
  const { id } = await deploy(cloud, 'acmeAdmin', network, { name: 'a', userdata: 'aGk=' });
  await deploy(cloud, 'acmeAdmin', network, { name: 'other' });
  const generation = async (): Promise<number> =>
    (
      await cloud.store.db
        .selectFrom('counter')
        .select('value')
        .where('name', '=', 'generation')
        .executeTakeFirstOrThrow()
    ).value;
  const before = await generation();
  const { virtualmachine } = await cloud.call('acmeAdmin', 'updateVirtualMachine', {
    id,
    displayname: 'A',
    group: 'g',
    userdata: 'aG8=',
    details: [{ key: 'k', value: 'v' }],
  });
  const shown = virtualmachine as InstanceView;
  assert.deepEqual([shown.displayname, shown.group, shown.details], ['A', 'g', { k: 'v' }]);
  assert.equal(await generation(), before);
  assert.deepEqual(await cloud.call('acmeAdmin', 'getVirtualMachineUserData', { virtualmachineid: id }), {
    virtualmachineuserdata: { virtualmachineid: id, userdata: 'aG8=' },
  });
  await assert.rejects(cloud.call('acmeAdmin', 'updateVirtualMachine', { id, name: 'OTHER' }), {
    message: /already exists/,
  });
  await cloud.call('acmeAdmin', 'updateVirtualMachine', { id, name: 'b' });
  assert.equal(await generation(), before + 1);
  assert.equal((await only(cloud, 'acmeAdmin', id)).name, 'b');
});

test('changeServiceForVirtualMachine works on a stopped instance only', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acmeAdmin', await cloud.network('acmeAdmin'), { startvm: 'false' });
  const { virtualmachine } = await cloud.call('acmeAdmin', 'changeServiceForVirtualMachine', {
    id,
    serviceofferingid: cloud.medium,
  });
  assert.equal((virtualmachine as InstanceView).memory, 1024);
  await cloud.call('acmeAdmin', 'scaleVirtualMachine', { id, serviceofferingid: cloud.small });
  await cloud.call('acmeAdmin', 'startVirtualMachine', { id });
  await assert.rejects(
    cloud.call('acmeAdmin', 'changeServiceForVirtualMachine', { id, serviceofferingid: cloud.medium }),
    { message: /stop it first/ },
  );
});
