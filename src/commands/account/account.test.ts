// Accounts: who may make, see, change and delete which.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, type Params, type Who, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import { BUILT_IN } from '../../model/built-in.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

interface Account {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly accounttype: number;
  readonly rolename: string;
  readonly domainid: string;
  readonly user: readonly { readonly id: string; readonly username: string }[];
}

let serial = 0;
const person = (): Record<string, string> => ({
  username: `p${serial++}`,
  password: 'secret',
  firstname: 'F',
  lastname: 'L',
  email: 'f@example.invalid',
});
const create = async (who: Who, params: Params = {}): Promise<Account> =>
  (await cloud.callAs(who, 'createAccount', { ...person(), accounttype: 0, ...params }))['account'] as Account;
const accounts = async (who: Who, params: Params = {}): Promise<Account[]> =>
  ((await cloud.callAs(who, 'listAccounts', params))['account'] ?? []) as Account[];
const domainOf = async (who: Who): Promise<string> => (await cloud.caller(who)).domainId;

test('createAccount makes the account with its first user, in the caller domain unless told otherwise', async () => {
  const mine = await create('acme-admin', { account: 'team' });
  assert.deepEqual(
    [mine.name, mine.state, mine.accounttype, mine.rolename, mine.domainid],
    ['team', 'enabled', 0, 'User', await domainOf('acme-admin')],
  );
  assert.equal(mine.user.length, 1);
  const theirs = await create('admin', { domainid: await domainOf('globex-admin'), accounttype: 2 });
  assert.equal(theirs.rolename, 'Domain Admin');
});

test('createAccount refuses names that are taken, in any case', async () => {
  await assert.rejects(
    create('acme-admin', { account: 'ACME-admin' }),
    refused(431, /^The specified account: ACME-admin already exists$/),
  );
  await assert.rejects(
    create('acme-admin', { username: 'Acme-User', account: 'other' }),
    refused(431, /^The user Acme-User already exists in domain ROOT\/acme$/),
  );
  assert.deepEqual(await accounts('acme-admin', { name: 'other' }), [], 'nothing is left of the refused one');
});

test('createAccount refuses account types that are none, empty passwords, and root admins outside ROOT', async () => {
  await assert.rejects(create('admin', { accounttype: 9 }), refused(431, /Invalid account type 9/));
  await assert.rejects(cloud.callAs('admin', 'createAccount', person()), refused(431, /account type nor role ID/));
  await assert.rejects(create('admin', { password: ' ' }), refused(431, /password is empty/));
  const acme = await domainOf('acme-admin');
  await assert.rejects(
    create('admin', { accounttype: 1, domainid: acme }),
    refused(431, /Invalid account type 1 given for an account in domain ROOT\/acme; unable to create user/),
  );
});

test('a domain admin makes no account mightier than himself, and none outside his domain', async () => {
  await assert.rejects(create('acme-admin', { accounttype: 1 }), refused(531, /cannot create an account of type 1/));
  await assert.rejects(
    create('acme-admin', { domainid: await domainOf('globex-admin') }),
    refused(431, /Invalid parameter domainid/),
  );
  await assert.rejects(
    create('acme-admin', { domainid: BUILT_IN.rootDomain }),
    refused(431, /Invalid parameter domainid/),
  );
  await assert.rejects(create('acme-user'), refused(432, /createAccount/));
});

test('listAccounts shows each role what it may see', async () => {
  const names = async (who: Who, params: Params = {}): Promise<string[]> =>
    (await accounts(who, params)).map((one) => one.name).filter((name) => /^(admin|readonly|acme-|globex-)/.test(name));
  assert.deepEqual(await names('admin'), ['admin', 'readonly']);
  assert.deepEqual((await names('admin', { listall: true })).toSorted(), [
    'acme-admin',
    'acme-user',
    'admin',
    'globex-admin',
    'readonly',
  ]);
  assert.deepEqual((await names('acme-admin', { listall: true })).toSorted(), ['acme-admin', 'acme-user']);
  assert.deepEqual(await names('acme-user', { listall: true }), ['acme-user']);
  assert.deepEqual(await accounts('acme-admin', { name: 'globex-admin', listall: true }), []);
  const { accountId } = await cloud.caller('globex-admin');
  await assert.rejects(accounts('acme-admin', { id: accountId }), refused(431, /Invalid parameter id value=/));
  assert.equal((await accounts('admin', { id: accountId })).length, 1);
});

test('disableAccount, lockAccount and enableAccount change the state; who is not enabled has no key and no session', async () => {
  const row = await create('acme-admin', { account: 'shaky' });
  const keys = (await cloud.callAs('acme-admin', 'registerUserKeys', { id: row.user[0]!.id }))['userkeys'] as {
    apikey: string;
    secretkey: string;
  };
  assert.equal((await cloud.request(keys, 'listVirtualMachines')).status, 200);
  const state = async (): Promise<string | undefined> => (await accounts('acme-admin', { id: row.id }))[0]?.state;
  const done = await cloud.doAs('acme-admin', 'disableAccount', { id: row.id, lock: false });
  assert.equal((done['account'] as Account).state, 'disabled');
  assert.equal((await cloud.request(keys, 'listVirtualMachines')).status, 401);
  await cloud.callAs('acme-admin', 'enableAccount', { account: 'shaky', domainid: row.domainid });
  assert.equal(await state(), 'enabled');
  await cloud.callAs('acme-admin', 'lockAccount', { account: 'shaky', domainid: row.domainid });
  assert.equal(await state(), 'locked');
  assert.equal((await cloud.request(keys, 'listVirtualMachines')).status, 401);
  await assert.rejects(
    cloud.callAs('globex-admin', 'enableAccount', { account: 'shaky', domainid: row.domainid }),
    refused(431, /Unable to find account by name shaky in domain with specified id/),
  );
});

test('the default account and the own one can neither be disabled nor deleted', async () => {
  const { accountId } = await cloud.caller('acme-admin');
  await assert.rejects(
    cloud.callAs('admin', 'deleteAccount', { id: BUILT_IN.adminAccount }),
    refused(531, /account is default/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'deleteAccount', { id: accountId }),
    refused(531, /Your own account/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'disableAccount', { id: accountId, lock: true }),
    refused(531, /Your own account/),
  );
});

test('updateAccount renames, and refuses a name that is taken', async () => {
  const row = await create('acme-admin', { account: 'old' });
  await cloud.callAs('acme-admin', 'updateAccount', { id: row.id, newname: 'new', networkdomain: 'new.example' });
  assert.equal((await accounts('acme-admin', { id: row.id }))[0]?.name, 'new');
  await assert.rejects(
    cloud.callAs('acme-admin', 'updateAccount', { id: row.id, newname: 'acme-user' }),
    refused(431, /already exists/),
  );
});

test('deleteAccount takes everything with it, succeeds again, and lists of it fail', async () => {
  const row = await create('acme-admin', { account: 'gone' });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteAccount', { id: row.id }), { success: true });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteAccount', { id: row.id }), { success: true });
  await assert.rejects(
    cloud.callAs('globex-admin', 'deleteAccount', { id: row.id }),
    refused(431, /Invalid parameter id/),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'listUsers', { account: 'gone', domainid: row.domainid }),
    refused(431, /could not find account gone/),
  );
});
