// Attack 7: using a command one's role does not have. The matrix itself is test/contract/golden/roles.txt; here it is put to the test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Command, registry } from '../../src/api/command.ts';
import { createApp } from '../../src/api/app.ts';
import { type Cloud, type Who, openCloud } from '../support/cloud.ts';
import { get, sign } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const PEOPLE: readonly Who[] = ['admin', 'acme-admin', 'readonly', 'acme-user'];

test('each role gets exactly the commands that name it; all others answer like commands that do not exist', async () => {
  for (const who of PEOPLE) {
    const { role } = await cloud.caller(who);
    for (const { name, roles } of cloud.registry.values()) {
      if (name === 'login' || name === 'logout') continue;
      // Without parameters, so that nothing happens: what matters is whether it is 432.
      const allowed = roles.includes(role);
      if (allowed && !name.startsWith('list')) continue;
      const { status, envelope } = await cloud.request(who, name);
      assert.equal(status === 432, !allowed, `${name} as ${who}: ${status}`);
      if (!allowed) assert.equal(envelope, 'errorresponse');
    }
  }
});

test('a command that names no roles is refused to everybody, root included', async () => {
  const nobody: Command = { ...cloud.registry.get('listZones')!, name: 'listSecrets', roles: [] };
  const app = createApp({ registry: registry([nobody]), accounts: cloud.accounts, log: cloud.house.log });
  for (const who of PEOPLE) {
    const response = await app.request(
      `/client/api?${sign(['command=listSecrets'], cloud.credentials[who]).join('&')}`,
    );
    assert.equal(response.status, 432, who);
  }
});

test('what a role was is looked up at each call', async () => {
  const keys = cloud.credentials['globex-admin'];
  assert.equal((await get(cloud, sign(['command=listDomains'], keys))).status, 200);
  const { accountId } = await cloud.caller('globex-admin');
  await cloud.store.write((tx) => tx.update('account', accountId, { type: 0 }));
  assert.equal((await get(cloud, sign(['command=listDomains'], keys))).status, 432);
});
