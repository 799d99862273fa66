// Logging in, and the sessions that come of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import type { Login } from '../../api/accounts.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const login = (username: string, password: string, domain: string | undefined): Promise<Login> =>
  cloud.accounts.login({ username, password, domain, domainid: undefined });

test('login() finds a user by domain path, letter case ignored, and by nothing else', async () => {
  const { username, password } = cloud.credentials['acme-admin'];
  assert.equal((await login('ACME-Admin', password, '/Acme')).caller.username, username);
  await assert.rejects(
    login(username, password, '/'),
    refused(531, /Failed to authenticate user 'acme-admin' in domain '\/'; please provide valid credentials/),
  );
  await assert.rejects(login(username, password, '/globex'), refused(531, /Failed to authenticate/));
  await assert.rejects(login(username, '', '/acme'), refused(531, /Failed to authenticate/));
});

test('login() disables a user after five wrong passwords, and says so to whoever knows the right one', async () => {
  const { username, password } = cloud.credentials['globex-admin'];
  for (let i = 0; i < 5; i++)
    await assert.rejects(login(username, 'wrong', '/globex'), refused(531, /Failed to authenticate/));
  await assert.rejects(
    login(username, password, '/globex'),
    refused(
      531,
      /^User globex-admin \(or their account\) in domain ROOT\/globex is disabled\/locked\. Please contact the administrator\.$/,
    ),
  );
  assert.equal((await cloud.request('globex-admin', 'listDomains')).status, 401, 'keys end, too');
  const user = await cloud.store.db
    .selectFrom('user')
    .select('id')
    .where('username', '=', username)
    .executeTakeFirstOrThrow();
  await cloud.callAs('admin', 'enableUser', { id: user.id });
  await login(username, password, '/globex');
});

test('login() never disables a root admin: nobody could enable him again', async () => {
  const { username, password } = cloud.credentials.admin;
  for (let i = 0; i < 6; i++)
    await assert.rejects(login(username, 'wrong', '/'), refused(531, /Failed to authenticate/));
  await login(username, password, '/');
});

test('session() gives the caller for cookie and key, and ends when a wrong key comes along', async () => {
  const { username, password } = cloud.credentials['acme-user'];
  const { cookie, sessionkey } = await login(username, password, '/acme');
  assert.equal((await cloud.accounts.session(cookie, sessionkey))?.username, username);
  assert.equal(await cloud.accounts.session('other', sessionkey), undefined);
  assert.equal((await cloud.accounts.session(cookie, sessionkey))?.username, username);
  assert.equal(await cloud.accounts.session(cookie, 'wrong'), undefined);
  assert.equal(await cloud.accounts.session(cookie, sessionkey), undefined);
});

test('session() ends when time is over; the database holds neither cookie nor key', async () => {
  const { username, password } = cloud.credentials['acme-user'];
  const { cookie, sessionkey } = await login(username, password, '/acme');
  const rows = JSON.stringify(await cloud.store.db.selectFrom('session').selectAll().execute());
  assert.ok(!rows.includes(cookie) && !rows.includes(sessionkey));
  await cloud.store.write((tx) =>
    tx.db
      .updateTable('session')
      .set({ expires: new Date(Date.now() - 1).toISOString() })
      .execute(),
  );
  assert.equal(await cloud.accounts.session(cookie, sessionkey), undefined);
});

test('session() is moved on by use', async () => {
  const { username, password } = cloud.credentials['acme-user'];
  const { cookie, sessionkey } = await login(username, password, '/acme');
  const soon = new Date(Date.now() + 5000).toISOString();
  await cloud.store.write((tx) => tx.db.updateTable('session').set({ expires: soon }).execute());
  await cloud.accounts.session(cookie, sessionkey);
  const { expires } = await cloud.store.db
    .selectFrom('session')
    .select('expires')
    .orderBy('created', 'desc')
    .executeTakeFirstOrThrow();
  assert.ok(expires > soon, expires);
});
