// Attack 5: sessions. Empty passwords, cookies brought along, cross-site requests, sessions that should be over.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../support/cloud.ts';
import { get, post } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

async function login(
  headers: Record<string, string> = {},
): Promise<{ cookie: string; key: string; jsessionid: string; flags: string[] }> {
  const { username, password } = cloud.credentials['acme-admin'];
  const body = ['command=login', 'response=json', `username=${username}`, `password=${password}`, 'domain=/acme'].join(
    '&',
  );
  const answer = await cloud.fetch('/client/api', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });
  assert.equal(answer.status, 200, answer.text);
  const flags = answer.headers.getSetCookie();
  const cookie = flags.map((one) => one.split(';')[0]).join('; ');
  return {
    cookie,
    flags,
    key: `sessionkey=${encodeURIComponent(String(answer.body['sessionkey']))}`,
    jsessionid: /JSESSIONID=([^;]+)/.exec(cookie)![1]!,
  };
}

const listed = async (cookie: string, ...pairs: string[]): Promise<number> =>
  (await get(cloud, ['command=listDomains', 'response=json', ...pairs], { headers: { cookie } })).status;

test('an empty, missing or blank password never logs in', async () => {
  for (const password of [['password='], [], ['password=%20'], ['password=%00']]) {
    const { status } = await post(cloud, ['command=login', 'response=json', 'username=admin', 'domain=/', ...password]);
    assert.ok([431, 531].includes(status), `${password.join()} gives ${status}`);
  }
});

test('a session cookie brought along is never taken over', async () => {
  const { jsessionid } = await login({ cookie: 'JSESSIONID=attackers-choice; sessionkey=attackers-key' });
  assert.notEqual(jsessionid, 'attackers-choice');
  assert.notEqual((await login()).jsessionid, jsessionid, 'each login has its own');
});

test('the cookie alone changes and shows nothing (cross-site requests), nor does the key alone or the key of another session', async () => {
  const { cookie, key } = await login();
  const other = await login();
  assert.equal(await listed(cookie), 401);
  assert.equal(await listed('', key), 401);
  assert.equal(await listed(cookie, key), 200);
  assert.equal(await listed(cookie, other.key), 401);
  assert.equal(await listed(cookie, key), 401, 'a wrong key ended the session');
});

test('both cookies are out of reach of scripts and other sites', async () => {
  const { flags } = await login();
  for (const flag of flags) {
    assert.match(flag, /HttpOnly/);
    assert.match(flag, /SameSite=Lax/);
  }
});

test('logout, a new password and disabling the user end a session', async () => {
  const first = await login();
  await get(cloud, ['command=logout', 'response=json'], { headers: { cookie: first.cookie } });
  assert.equal(await listed(first.cookie, first.key), 401);

  const second = await login();
  const { userId } = await cloud.caller('acme-admin');
  await cloud.callAs('admin', 'disableUser', { id: userId });
  assert.equal(await listed(second.cookie, second.key), 401);
  await cloud.callAs('admin', 'enableUser', { id: userId });
  assert.equal(await listed(second.cookie, second.key), 401, 'the old session does not come back');

  const third = await login();
  await cloud.callAs('admin', 'updateUser', { id: userId, password: 'changed' });
  assert.equal(await listed(third.cookie, third.key), 401);
});

test('a password in a query string is refused, so that it does not become a habit', async () => {
  const { status } = await get(cloud, [
    'command=login',
    'response=json',
    'username=admin',
    `password=${cloud.credentials.admin.password}`,
    'domain=/',
  ]);
  assert.equal(status, 405);
});
