// Attack 10: becoming more than one is: through other users, their keys, account types, or by acting for others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BUILT_IN } from '../../src/model/built-in.ts';
import { type Cloud, type Params, openCloud } from '../support/cloud.ts';
import { refused } from '../support/refused.ts';

let cloud: Cloud;
const userOf: Record<string, string> = {};
before(async () => {
  cloud = await openCloud();
  for (const who of ['admin', 'acme-admin', 'acme-user', 'globex-admin', 'readonly'] as const)
    userOf[who] = (await cloud.caller(who)).userId;
});
after(() => cloud[Symbol.asyncDispose]());

const person = { username: 'eve', password: 'p', firstname: 'E', lastname: 'E', email: 'e@example.invalid' };
const unknown = refused(431, /Invalid parameter id value=.* entity does not exist/);

test('a domain admin touches no user of root or of a sibling domain, whichever command he tries', async () => {
  for (const target of ['admin', 'readonly', 'globex-admin']) {
    const id = userOf[target]!;
    for (const command of [
      'updateUser',
      'registerUserKeys',
      'getUserKeys',
      'disableUser',
      'enableUser',
      'lockUser',
      'deleteUser',
    ]) {
      await assert.rejects(
        cloud.callAs('acme-admin', command, { id, ...(command === 'updateUser' ? { password: 'mine now' } : {}) }),
        unknown,
        `${command} ${target}`,
      );
    }
  }
});

test('a domain admin of ROOT rules users below, but no root admin: not his password, not his keys, not his state', async () => {
  await cloud.callAs('admin', 'createAccount', {
    ...person,
    username: 'root-domain-admin',
    accounttype: 2,
    domainid: BUILT_IN.rootDomain,
  });
  const row = await cloud.store.db
    .selectFrom('user')
    .select('id')
    .where('username', '=', 'root-domain-admin')
    .executeTakeFirstOrThrow();
  const keys = (await cloud.callAs('admin', 'registerUserKeys', { id: row.id }))['userkeys'] as { apikey: string };
  const mallory = await cloud.caller(keys);
  for (const command of ['updateUser', 'registerUserKeys', 'getUserKeys', 'disableUser', 'lockUser', 'deleteUser']) {
    await assert.rejects(
      cloud.callAs(mallory, command, {
        id: userOf['admin']!,
        ...(command === 'updateUser' ? { password: 'mine now' } : {}),
      }),
      unknown,
      command,
    );
  }
  const adminAccount = BUILT_IN.adminAccount;
  for (const [command, params] of [
    ['updateAccount', { id: adminAccount, newname: 'x' }],
    ['disableAccount', { id: adminAccount, lock: false }],
    ['deleteAccount', { id: adminAccount }],
  ] as [string, Params][]) {
    await assert.rejects(cloud.callAs(mallory, command, params), unknown, command);
  }
  await assert.rejects(
    cloud.callAs(mallory, 'createUser', { ...person, account: 'admin', domainid: BUILT_IN.rootDomain }),
    refused(431, /Unable to find account admin/),
  );
  await assert.rejects(
    cloud.callAs(mallory, 'createAccount', { ...person, accounttype: 1 }),
    refused(531, /cannot create an account of type 1/),
  );
});

test('only root makes root admins, by account type or by role', async () => {
  const roles = (await cloud.callAs('admin', 'listRoles'))['role'] as { id: string; name: string }[];
  const root = roles.find(({ name }) => name === 'Root Admin')!.id;
  await assert.rejects(
    cloud.callAs('acme-admin', 'createAccount', { ...person, accounttype: 1 }),
    refused(531, /type 1/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'createAccount', { ...person, roleid: root }),
    refused(531, /type 1/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'createAccount', { ...person, roleid: root, accounttype: 0 }),
    refused(431, /not the one of role/),
  );
  const offered = (await cloud.callAs('acme-admin', 'listRoles'))['role'] as { name: string }[];
  assert.ok(!offered.some(({ name }) => name === 'Root Admin'));
});

test('nobody raises his own account or user by updating it', async () => {
  const { accountId } = await cloud.caller('acme-admin');
  await cloud
    .callAs('acme-admin', 'updateAccount', {
      id: accountId,
      accounttype: 1,
      roletype: 'Admin',
      domainid: BUILT_IN.rootDomain,
      account: 'x',
    })
    .catch(() => undefined);
  await cloud.callAs('acme-user', 'updateUser', {
    id: userOf['acme-user']!,
    account: 'acme-admin',
    accounttype: 1,
    state: 'enabled',
    domainid: BUILT_IN.rootDomain,
  });
  assert.equal((await cloud.caller('acme-admin')).role, 'domain-admin');
  const user = await cloud.caller('acme-user');
  assert.deepEqual([user.role, user.accountName, user.domainPath], ['user', 'acme-user', 'ROOT/acme']);
});

test('acting for another tenant by account and domainid is refused like for one that does not exist', async () => {
  const { domainId: globex } = await cloud.caller('globex-admin');
  const vpc = {
    name: 'v',
    displaytext: 'v',
    cidr: '10.0.0.0/16',
    zoneid: BUILT_IN.zone,
    vpcofferingid: '00000000-0000-4000-8000-000000000000',
  };
  await assert.rejects(
    cloud.callAs('acme-admin', 'createVPC', { ...vpc, account: 'globex-admin', domainid: globex }),
    refused(431, /Invalid parameter domainid/),
  );
  await assert.rejects(
    cloud.callAs('acme-user', 'createVPC', {
      ...vpc,
      account: 'acme-admin',
      domainid: (await cloud.caller('acme-user')).domainId,
    }),
    refused(431, /Unable to find account acme-admin/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'createVPC', { ...vpc, account: 'admin', domainid: BUILT_IN.rootDomain }),
    refused(431, /Invalid parameter domainid/),
  );
});

test('a read-only admin changes nothing: no command that writes is his', async () => {
  const { role } = await cloud.caller('readonly');
  for (const { name, roles, event } of cloud.registry.values()) {
    if (roles.includes(role)) assert.equal(event, undefined, `${name} leaves an event, so it writes`);
  }
});
