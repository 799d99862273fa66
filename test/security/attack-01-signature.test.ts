// Attack 1: calling without proof, or with somebody else's.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../support/cloud.ts';
import { get, sign } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const TEXT = 'unable to verify user credentials and/or request signature';

test('no key, no signature, an empty or unknown key, and the signature of another key are 401 with one and the same text', async () => {
  const { admin, 'acme-user': user } = cloud.credentials;
  const command = 'command=listZones';
  const tries: Record<string, string[]> = {
    nothing: [command, 'response=json'],
    'no signature': [command, `apikey=${admin.apikey}`, 'response=json'],
    'empty signature': [command, `apikey=${admin.apikey}`, 'signature=', 'response=json'],
    'empty key': sign([command], { apikey: '', secretkey: '' }),
    'unknown key': sign([command], { apikey: 'nobody', secretkey: admin.secretkey }),
    'empty secret': sign([command], { apikey: admin.apikey, secretkey: '' }),
    'the secret of another': sign([command], { apikey: admin.apikey, secretkey: user.secretkey }),
    'the key as secret': sign([command], { apikey: admin.apikey, secretkey: admin.apikey }),
  };
  for (const [what, pairs] of Object.entries(tries)) {
    const { status, body } = await get(cloud, pairs);
    assert.deepEqual([status, body['errorcode'], body['errortext']], [401, 401, TEXT], what);
  }
  assert.equal((await get(cloud, sign([command], admin))).status, 200, 'the right one works');
});

test('a caller cannot say who he is: account and user parameters change nothing', async () => {
  const { userId } = await cloud.caller('admin');
  const { body } = await get(
    cloud,
    sign(
      ['command=listUsers', `userid=${userId}`, 'accountid=1', 'role=admin', 'listall=true'],
      cloud.credentials['acme-user'],
    ),
  );
  assert.equal(body['count'], 1);
});

test('keys of a disabled or locked user, of a disabled account and of an inactive domain are worth nothing', async () => {
  const { 'acme-user': keys } = cloud.credentials;
  const { userId, accountId, domainId } = await cloud.caller('acme-user');
  const works = async (): Promise<boolean> => (await get(cloud, sign(['command=listZones'], keys))).status === 200;
  const set = (table: 'user' | 'account' | 'domain', id: string, state: string): Promise<unknown> =>
    cloud.store.write((tx) => tx.db.updateTable(table).set({ state }).where('id', '=', id).execute());
  for (const [table, id, states, back] of [
    ['user', userId, ['disabled', 'locked'], 'enabled'],
    ['account', accountId, ['disabled', 'locked'], 'enabled'],
    ['domain', domainId, ['Inactive'], 'Active'],
  ] as const) {
    for (const state of states) {
      await set(table, id, state);
      assert.equal(await works(), false, `${table} ${state}`);
    }
    await set(table, id, back);
    assert.equal(await works(), true, `${table} ${back}`);
  }
});
