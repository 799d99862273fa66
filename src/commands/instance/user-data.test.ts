// User data and passwords: what is taken, what is refused, and that a password is forgotten once it was taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forgetPasswords } from '../../store/taken-password.ts';
import { unseal } from '../../store/seal.ts';
import { deploy, openCloud } from './instance.test-support.ts';
import { userDataOf } from './user-data.ts';

test('userDataOf() takes base64 with blanks and in the letters of addresses, and refuses the rest with CloudStack’s texts', () => {
  assert.equal(userDataOf('aGk=\n'), 'aGk=');
  assert.equal(userDataOf('-_-_'), '+/+/');
  assert.throws(() => userDataOf('  '), /User data is too short/);
  assert.throws(() => userDataOf('no!'), /User data is not base64 encoded/);
  assert.throws(() => userDataOf('abc'), /User data is not base64 encoded/);
  const largest = Buffer.alloc(32_768);
  assert.ok(userDataOf(largest.toString('base64')));
  assert.throws(() => userDataOf(Buffer.alloc(32_769).toString('base64')), /User data is too long for POST request/);
});

test('resetUserDataForVirtualMachine changes it for a stopped instance only, and only where somebody tells it', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { startvm: 'false', userdata: 'aGk=' });
  await cloud.callAs('acme-admin', 'resetUserDataForVirtualMachine', { id, userdata: 'aG8=' });
  const shown = async (): Promise<unknown> =>
    (
      (await cloud.callAs('acme-admin', 'getVirtualMachineUserData', { virtualmachineid: id }))[
        'virtualmachineuserdata'
      ] as { userdata?: string }
    ).userdata;
  assert.equal(await shown(), 'aG8=');
  await cloud.callAs('acme-admin', 'resetUserDataForVirtualMachine', { id });
  assert.equal(await shown(), undefined);
  await cloud.callAs('acme-admin', 'startVirtualMachine', { id });
  await assert.rejects(cloud.callAs('acme-admin', 'resetUserDataForVirtualMachine', { id, userdata: 'aGk=' }), {
    message: /should be stopped to do UserData reset/,
  });
  const bare = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin', {}, 'bare'), { startvm: 'false' });
  for (const command of ['resetUserDataForVirtualMachine', 'updateVirtualMachine'])
    await assert.rejects(cloud.callAs('acme-admin', command, { id: bare.id, userdata: 'aGk=' }), {
      message: /no support for UserData service in the default network/,
    });
});

test('forgetPasswords() forgets the password that was taken: not a later one, and not at another node’s word', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), {
    templateid: cloud.passwordTemplate,
  });
  const row = () =>
    cloud.store.db
      .selectFrom('instance')
      .innerJoin('host', 'host.id', 'instance.lasthost')
      .select(['instance.onetimepassword', 'instance.passwordturn', 'instance.password', 'host.name'])
      .where('instance.id', '=', id)
      .executeTakeFirstOrThrow();
  const { name, passwordturn, onetimepassword, password } = await row();
  assert.equal(unseal(cloud.store.sealKey, onetimepassword!), unseal(cloud.store.sealKey, password!));
  await forgetPasswords(cloud.store, 'another-node', [{ instance: id, turn: passwordturn }]);
  await forgetPasswords(cloud.store, name, [{ instance: id, turn: passwordturn - 1 }]);
  assert.ok((await row()).onetimepassword !== null);
  await forgetPasswords(cloud.store, name, [{ instance: id, turn: passwordturn }]);
  assert.equal((await row()).onetimepassword, null);
});

test('resetPasswordForVirtualMachine takes a password that can be told in one word, and no other', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), {
    templateid: cloud.passwordTemplate,
    startvm: 'false',
  });
  for (const password of ['short', 'two words', 'saved_password', 'umläute!'])
    await assert.rejects(cloud.callAs('acme-admin', 'resetPasswordForVirtualMachine', { id, password }), {
      message: /The password is to be 6 to 64/,
    });
  await cloud.callAs('acme-admin', 'resetPasswordForVirtualMachine', { id, password: 'Good-enough1' });
  const row = await cloud.store.db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  assert.deepEqual([unseal(cloud.store.sealKey, row.onetimepassword!), row.passwordturn], ['Good-enough1', 2]);
});
