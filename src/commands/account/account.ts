// Accounts: who owns things. An account is in a domain, has a role, and has users who act for it.
import { sql } from 'kysely';
import { z } from 'zod';
import { ADMINS, EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { hashPassword } from '../../store/password.ts';
import type { AccountTable } from '../../store/schema/account.ts';
import { reaches, subtree, unknownId } from '../access.ts';
import { removeAccount } from './account-removal.ts';
import { accountView, showAccounts } from './account-view.ts';
import { domainInReach } from './domain.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { checkNetworkDomain } from '../known.ts';
import { accountTypeOf, roleOf } from './role.ts';
import { type Room, type WriteRoom, jobCommand, listCommand, writeCommand } from '../room.ts';
import { addUser, checkPassword, personParams } from './user.ts';

/** Refuses an account the caller may not rule: it is not in his reach, or it may do more than he. Unknown and forbidden answer alike. */
export async function ruledAccount(room: Room, id: string, name = 'id'): Promise<AccountTable> {
  const { caller } = room.call;
  const row = await room.db
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain')
    .selectAll('account')
    .select('domain.path as path')
    .where('account.id', '=', id)
    .executeTakeFirst();
  if (row === undefined || !reaches(caller, row.path)) throw unknownId(room, name, id);
  const { path: _, ...account } = row;
  if (roleOf(account.type).rank > roleOf(caller.accountType).rank) throw unknownId(room, name, id);
  return account;
}

/** By id, or by account and domainid: the two ways in which clients name accounts. */
async function namedAccount(
  room: Room,
  want: { id?: string | undefined; account?: string | undefined; domainid?: string | undefined },
): Promise<AccountTable> {
  if (want.id !== undefined) return ruledAccount(room, want.id);
  if (want.account === undefined || want.domainid === undefined) {
    throw refuse('parameter', 'Account must be specified by id, or by account with domainId parameter');
  }
  const row = await room.db
    .selectFrom('account')
    .select('id')
    .where('domain', '=', want.domainid)
    .where(named('name', want.account))
    .executeTakeFirst();
  const missing = refuse(
    'parameter',
    `Unable to find account by name ${want.account} in domain with specified id ${want.domainid}`,
  );
  if (row === undefined) throw missing;
  return ruledAccount(room, row.id).catch(() => Promise.reject(missing));
}

const byNameParams = {
  id: param.ref('account', 'The account').optional(),
  account: param.text('Its name, with domainid, instead of its id').optional(),
  domainid: param.ref('domain', 'Its domain').optional(),
};

export const listAccounts = listCommand({
  name: 'listAccounts',
  summary: 'Lists accounts',
  roles: EVERYBODY,
  params: z.object({
    id: param.ref('account', 'Id of an account').optional(),
    name: param.text('Name of accounts').optional(),
    accounttype: param.integer('0 user, 1 root admin, 2 domain admin, 4 read-only admin').optional(),
    state: param.text('enabled, disabled or locked').optional(),
    domainid: param.ref('domain', 'Accounts of this domain').optional(),
    isrecursive: param.flag('The domains below, too').optional(),
    listall: param.flag('All accounts the caller may see').optional(),
    ...pageParams,
  }),
  key: 'account',
  view: accountView,
  async list(room, want) {
    const { caller } = room.call;
    let query = room.db
      .selectFrom('account')
      .innerJoin('domain', 'domain.id', 'account.domain')
      .selectAll('account')
      .orderBy('domain.level')
      .orderBy('account.created')
      .orderBy('account.name');
    query = query.where(
      caller.role === 'user'
        ? sql<boolean>`account.id = ${caller.accountId}`
        : caller.role === 'admin'
          ? sql<boolean>`1 = 1`
          : subtree(caller.domainPath, 'domain'),
    );
    if (want.domainid !== undefined) {
      const domain = await domainInReach(room, want.domainid, 'domainid');
      query = query.where(
        want.isrecursive === true ? subtree(domain.path, 'domain') : sql<boolean>`domain.id = ${domain.id}`,
      );
    } else if (want.id === undefined && want.listall !== true && caller.role !== 'user') {
      query = query.where(
        want.isrecursive === true ? subtree(caller.domainPath, 'domain') : sql<boolean>`domain.id = ${caller.domainId}`,
      );
    }
    if (want.id !== undefined) query = query.where('account.id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('account.name', want.name));
    if (want.accounttype !== undefined) query = query.where('account.type', '=', want.accounttype);
    if (want.state !== undefined) query = query.where(named('account.state', want.state));
    if (want.keyword !== undefined) query = query.where(containing('account.name', want.keyword));
    const { count, rows } = await page(query, want);
    if (want.id !== undefined && count === 0) throw unknownId(room, 'id', want.id);
    return { count, rows: await showAccounts(room, rows) };
  },
});

export const createAccount = writeCommand({
  name: 'createAccount',
  summary: 'Creates an account and its first user',
  roles: ADMINS,
  params: z.object({
    ...personParams,
    account: param.text("Name of the account; the user's where none is given").optional(),
    domainid: param.ref('domain', "Domain of the account; the caller's where none is named").optional(),
    accounttype: param.integer('0 user, 1 root admin, 2 domain admin, 4 read-only admin').optional(),
    roleid: param.ref('role', 'The role, instead of its account type').optional(),
    networkdomain: param.text('DNS name of its networks').optional(),
  }),
  answer: { kind: 'object', key: 'account', view: accountView },
  event: 'ACCOUNT.CREATE',
  prepare: async (_, want) => ({ ...want, password: await hashPassword(checkPassword(want.password)) }),
  async write(room, want) {
    const { caller } = room.call;
    const type = accountTypeOf(want);
    const domain = await domainInReach(room, want.domainid ?? caller.domainId, 'domainid');
    if (roleOf(type).rank > roleOf(caller.accountType).rank) {
      throw refuse(
        'permission',
        `A ${roleOf(caller.accountType).name} cannot create an account of type ${type} (${roleOf(type).name}): it would be able to do more than its maker`,
      );
    }
    if (type === 1 && domain.parent !== null) {
      throw refuse(
        'parameter',
        `Invalid account type ${type} given for an account in domain ${domain.path}; unable to create user. Root admins belong to ROOT`,
      );
    }
    if (want.networkdomain !== undefined) checkNetworkDomain(want.networkdomain);
    const name = want.account ?? want.username;
    if (name.trim() === '' || name.trim() !== name)
      throw refuse('parameter', `Invalid account name "${name}": it must not be empty, nor begin or end with a blank`);
    const same = await room.db
      .selectFrom('account')
      .select('id')
      .where('domain', '=', domain.id)
      .where(named('name', name))
      .executeTakeFirst();
    if (same !== undefined) throw refuse('parameter', `The specified account: ${name} already exists`);
    const row: AccountTable = {
      id: newId(),
      name,
      domain: domain.id,
      type,
      state: 'enabled',
      networkdomain: want.networkdomain ?? null,
      isdefault: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('account', row);
    await addUser(room, row, want);
    return { account: (await showAccounts(room, [row]))[0] };
  },
});

export const updateAccount = writeCommand({
  name: 'updateAccount',
  summary: "Changes an account's name or network domain",
  roles: ADMINS,
  params: z.object({
    ...byNameParams,
    newname: param.text('Its new name').optional(),
    networkdomain: param.text('DNS name of its networks; empty for none').optional(),
  }),
  answer: { kind: 'object', key: 'account', view: accountView },
  event: 'ACCOUNT.UPDATE',
  async write(room, want) {
    const row = await namedAccount(room, want);
    if (want.networkdomain !== undefined && want.networkdomain !== '') checkNetworkDomain(want.networkdomain);
    if (want.newname !== undefined && want.newname !== row.name) {
      const same = await room.db
        .selectFrom('account')
        .select('id')
        .where('domain', '=', row.domain)
        .where(named('name', want.newname))
        .where('id', '!=', row.id)
        .executeTakeFirst();
      if (same !== undefined) throw refuse('parameter', `The specified account: ${want.newname} already exists`);
    }
    await room.tx.update('account', row.id, {
      name: want.newname ?? row.name,
      networkdomain:
        want.networkdomain === undefined ? row.networkdomain : want.networkdomain === '' ? null : want.networkdomain,
    });
    return { account: await shown(room, row.id) };
  },
});

/** An account, for the result of a job about it. */
export async function viewAccount(room: Room, id: string): Promise<object | undefined> {
  const row = await room.db.selectFrom('account').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : (await showAccounts(room, [row]))[0];
}

async function shown(room: Room, id: string): Promise<z.infer<typeof accountView> | undefined> {
  const row = await room.db.selectFrom('account').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return (await showAccounts(room, [row]))[0];
}

/** Sets the state. Who is no longer enabled is logged out; what runs for the account goes on running. */
async function enter(room: WriteRoom, row: AccountTable, state: 'enabled' | 'disabled' | 'locked'): Promise<void> {
  if (row.isdefault === 1 && state !== 'enabled')
    throw refuse('permission', `The account ${row.name} is default and can't be ${state}`);
  if (row.id === room.call.caller.accountId && state !== 'enabled')
    throw refuse('permission', `Your own account can't be ${state}: nobody of it could undo that`);
  await room.tx.update('account', row.id, { state });
  const users = room.db.selectFrom('user').select('id').where('account', '=', row.id);
  if (state !== 'enabled') await room.db.deleteFrom('session').where('user', 'in', users).execute();
}

export const enableAccount = writeCommand({
  name: 'enableAccount',
  summary: 'Enables an account that was disabled or locked',
  roles: ADMINS,
  params: z.object(byNameParams),
  answer: { kind: 'object', key: 'account', view: accountView },
  event: 'ACCOUNT.ENABLE',
  async write(room, want) {
    const row = await namedAccount(room, want);
    await enter(room, row, 'enabled');
    return { account: await shown(room, row.id) };
  },
});

export const lockAccount = writeCommand({
  name: 'lockAccount',
  summary: 'Locks an account: its users can do nothing until it is enabled',
  roles: ADMINS,
  params: z.object({ account: param.text('Its name'), domainid: param.ref('domain', 'Its domain') }),
  answer: { kind: 'object', key: 'account', view: accountView },
  event: 'ACCOUNT.LOCK',
  async write(room, want) {
    const row = await namedAccount(room, want);
    await enter(room, row, 'locked');
    return { account: await shown(room, row.id) };
  },
});

export const disableAccount = jobCommand({
  name: 'disableAccount',
  summary: 'Disables or locks an account: its users can do nothing until it is enabled',
  roles: ADMINS,
  params: z.object({ ...byNameParams, lock: param.flag('Lock it instead') }),
  answer: { kind: 'object', key: 'account', view: accountView },
  event: 'ACCOUNT.DISABLE',
  async job(room, want) {
    const row = await namedAccount(room, want);
    await enter(room, row, want.lock ? 'locked' : 'disabled');
    return {
      about: { type: 'Account', id: row.id },
      view: 'account',
      text: `${want.lock ? 'locking' : 'disabling'} account ${row.name}`,
    };
  },
});

export const deleteAccount = jobCommand({
  name: 'deleteAccount',
  summary: 'Deletes an account, its users, and everything it owns',
  roles: ADMINS,
  params: z.object({ id: param.ref('account', 'The account') }),
  answer: { kind: 'success' },
  event: 'ACCOUNT.DELETE',
  async job(room, want) {
    const about = { type: 'Account', id: want.id };
    // Clients delete twice and expect the second to succeed as well.
    if (await wasDeleted(room, want.id)) return { about, text: `account ${want.id} was deleted before` };
    const row = await ruledAccount(room, want.id);
    if (row.isdefault === 1) throw refuse('permission', "The account is default and can't be removed");
    if (row.id === room.call.caller.accountId) throw refuse('permission', "Your own account can't be removed");
    await removeAccount(room, row);
    return { about, text: `deleting account ${row.name}` };
  },
});

async function wasDeleted(room: Room, id: string): Promise<boolean> {
  const { caller } = room.call;
  const row = await room.db
    .selectFrom('event')
    .innerJoin('domain', 'domain.id', 'event.domain')
    .select('domain.path as path')
    .where('event.resource', '=', id)
    .where('event.type', '=', 'ACCOUNT.DELETE')
    .executeTakeFirst();
  return row !== undefined && reaches(caller, row.path);
}
