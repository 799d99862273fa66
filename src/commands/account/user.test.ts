// Users: who may make, see and change which, their passwords and keys.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, type Params, type Who, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

interface User {
  readonly id: string;
  readonly username: string;
  readonly state: string;
  readonly account: string;
  readonly apikey?: string;
  readonly secretkey: string;
}

const person = (username: string): Record<string, string> => ({
  username,
  password: 'secret',
  firstname: 'F',
  lastname: 'L',
  email: 'f@example.invalid',
});
const create = async (who: Who, username: string, params: Params = {}): Promise<User> =>
  (await cloud.callAs(who, 'createUser', { ...person(username), account: 'acme-user', ...params }))['user'] as User;
const users = async (who: Who, params: Params = {}): Promise<User[]> =>
  ((await cloud.callAs(who, 'listUsers', params))['user'] ?? []) as User[];
const idOf = async (who: Who): Promise<string> => (await cloud.caller(who)).userId;

test('createUser adds a user to an account of the caller domain', async () => {
  const user = await create('acme-admin', 'anna');
  assert.deepEqual([user.account, user.state], ['acme-user', 'enabled']);
  assert.equal(user.apikey, undefined);
  await assert.rejects(
    create('acme-admin', 'Anna'),
    refused(431, /^The user Anna already exists in domain ROOT\/acme$/),
  );
  await assert.rejects(create('acme-admin', ' ben'), refused(431, /must not begin or end with a blank/));
  await assert.rejects(
    create('acme-admin', 'ben', { account: 'nobody' }),
    refused(431, /Unable to find account nobody in domain/),
  );
});

test('listUsers shows each role what it may see, and never a secret key', async () => {
  const names = async (who: Who, params: Params = {}): Promise<string[]> =>
    (await users(who, params))
      .map((one) => one.username)
      .filter((name) => name.includes('-'))
      .toSorted();
  assert.deepEqual(await names('acme-admin'), ['acme-admin', 'acme-user']);
  assert.deepEqual(await names('acme-user', { listall: true }), ['acme-user']);
  assert.deepEqual(await names('admin', { listall: true }), ['acme-admin', 'acme-user', 'globex-admin']);
  assert.deepEqual(await names('acme-admin', { username: 'GLOBEX-admin', listall: true }), []);
  await assert.rejects(users('acme-admin', { id: await idOf('globex-admin') }), refused(431, /Invalid parameter id/));
  assert.ok(
    !JSON.stringify(await users('admin', { listall: true })).includes(cloud.credentials['acme-user'].secretkey),
  );
});

test('registerUserKeys gives new keys once; the old ones end, and nothing shows the secret again', async () => {
  const { id } = await create('acme-admin', 'keyed');
  const first = (await cloud.callAs('acme-admin', 'registerUserKeys', { id }))['userkeys'] as {
    apikey: string;
    secretkey: string;
  };
  const second = (await cloud.callAs('acme-admin', 'registerUserKeys', { id }))['userkeys'] as {
    apikey: string;
    secretkey: string;
  };
  assert.equal((await cloud.request(first, 'listUsers')).status, 401);
  assert.equal((await cloud.request(second, 'listUsers')).status, 200);
  const shown = JSON.stringify([
    await cloud.callAs('acme-admin', 'getUserKeys', { id }),
    await users('acme-admin', { id }),
  ]);
  assert.ok(shown.includes(second.apikey));
  assert.ok(!shown.includes(second.secretkey));
  assert.match(shown, /shown once/);
});

test('whoever changes his own password proves that he knows the old one', async () => {
  const { id } = await create('acme-admin', 'paula');
  const keys = (await cloud.callAs('acme-admin', 'registerUserKeys', { id }))['userkeys'] as { apikey: string };
  const paula = await cloud.caller(keys);
  const change = (params: Params): Promise<unknown> =>
    cloud.callAs(paula, 'updateUser', { id, password: 'new', ...params });
  await assert.rejects(change({}), refused(431, /current password must be provided/));
  await assert.rejects(change({ currentpassword: 'wrong' }), refused(431, /Current password is incorrect/));
  await change({ currentpassword: 'secret' });
  const login = (password: string): Promise<unknown> =>
    cloud.accounts.login({ username: 'paula', password, domain: 'acme', domainid: undefined });
  await login('new');
  await assert.rejects(login('secret'), refused(531, /Failed to authenticate user 'paula'/));
  await cloud.callAs('acme-admin', 'updateUser', { id, password: 'newer', firstname: 'Paula' });
  await login('newer');
});

test('a user may change himself and nobody else', async () => {
  await cloud.callAs('acme-user', 'updateUser', { id: await idOf('acme-user'), lastname: 'Changed' });
  await assert.rejects(
    cloud.callAs('acme-user', 'updateUser', { id: await idOf('acme-admin'), lastname: 'x' }),
    refused(431, /Invalid parameter id/),
  );
  await assert.rejects(
    cloud.callAs('acme-user', 'registerUserKeys', { id: await idOf('acme-admin') }),
    refused(431, /Invalid parameter id/),
  );
});

test('disableUser, lockUser, enableUser and deleteUser', async () => {
  const { id } = await create('acme-admin', 'dora');
  assert.equal(((await cloud.doAs('acme-admin', 'disableUser', { id }))['user'] as User).state, 'disabled');
  assert.equal(((await cloud.callAs('acme-admin', 'lockUser', { id }))['user'] as User).state, 'locked');
  assert.equal(((await cloud.callAs('acme-admin', 'enableUser', { id }))['user'] as User).state, 'enabled');
  assert.deepEqual(await cloud.callAs('acme-admin', 'deleteUser', { id }), { success: 'true' });
  await assert.rejects(cloud.callAs('acme-admin', 'deleteUser', { id }), refused(431, /Invalid parameter id/));
  const me = await idOf('acme-admin');
  await assert.rejects(
    cloud.callAs('acme-admin', 'disableUser', { id: me }),
    refused(531, /can't make yourself disabled/),
  );
  await assert.rejects(cloud.callAs('acme-admin', 'deleteUser', { id: me }), refused(531, /can't delete yourself/));
});
