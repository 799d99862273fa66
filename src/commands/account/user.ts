// Users: who acts for an account. A user is unique by name in its domain; logging in and signing are proven with what is kept here.
import { sql } from 'kysely';
import { z } from 'zod';
import { ADMINS, EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { MAX_PASSWORD, hashPassword, verifyPassword } from '../../store/password.ts';
import type { AccountTable, UserTable } from '../../store/schema/account.ts';
import { reaches, unknownId, visibleRows } from '../access.ts';
import { containing, named, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { ownerOf } from '../owner.ts';
import { roleOf } from './role.ts';
import { type Room, type WriteRoom, jobCommand, listCommand, writeCommand } from '../room.ts';
import { showUsers, userView } from './user-view.ts';

export const personParams = {
  username: param.text('Name to log in with, unique in the domain'),
  password: param.text('Password, as typed', MAX_PASSWORD),
  firstname: param.text('First name'),
  lastname: param.text('Last name'),
  email: param.text('E-mail address'),
  timezone: param.text('Time zone, such as Europe/Amsterdam').optional(),
};

interface Person {
  readonly username: string;
  /** Hashed already. */
  readonly password: string;
  readonly firstname: string;
  readonly lastname: string;
  readonly email: string;
  readonly timezone?: string | undefined;
}

/** The password, unless it is one nobody should have. */
export function checkPassword(password: string): string {
  if (password.trim() === '') throw refuse('parameter', 'The password is empty: anybody could log in');
  return password;
}

/** Makes a user of an account. `person.password` is hashed already. */
export async function addUser(room: WriteRoom, account: AccountTable, person: Person): Promise<UserTable> {
  await checkUsername(room, person.username, account.domain);
  const row: UserTable = {
    id: newId(),
    account: account.id,
    domain: account.domain,
    username: person.username,
    password: person.password,
    firstname: person.firstname,
    lastname: person.lastname,
    email: person.email,
    timezone: person.timezone ?? null,
    state: 'enabled',
    apikey: null,
    secretkey: null,
    failedlogins: 0,
    created: new Date().toISOString(),
  };
  await room.tx.insert('user', row);
  return row;
}

async function checkUsername(room: Room, username: string, domain: string, except = ''): Promise<void> {
  if (username.trim() === '') throw refuse('parameter', 'Username is empty');
  if (username.trim() !== username)
    throw refuse('parameter', `Invalid user name "${username}": it must not begin or end with a blank`);
  const same = await room.db
    .selectFrom('user')
    .innerJoin('domain', 'domain.id', 'user.domain')
    .select('domain.path as path')
    .where('user.domain', '=', domain)
    .where('user.id', '!=', except)
    .where(named('user.username', username))
    .executeTakeFirst();
  if (same !== undefined) throw refuse('parameter', `The user ${username} already exists in domain ${same.path}`);
}

/**
 * The user with this id, if the caller may change it: himself, or one in his reach whose role does not exceed his own. A
 * domain admin of ROOT thus never touches a root admin. All others answer as unknown.
 */
export async function ruledUser(room: Room, id: string): Promise<UserTable> {
  const { caller } = room.call;
  const row = await room.db
    .selectFrom('user')
    .innerJoin('account', 'account.id', 'user.account')
    .innerJoin('domain', 'domain.id', 'user.domain')
    .selectAll('user')
    .select(['account.type as type', 'domain.path as path'])
    .where('user.id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw unknownId(room, 'id', id);
  const { type, path, ...user } = row;
  const mine = user.id === caller.userId;
  if (!mine && !(reaches(caller, path) && roleOf(type).rank <= roleOf(caller.accountType).rank))
    throw unknownId(room, 'id', id);
  return user;
}

export const listUsers = listCommand({
  name: 'listUsers',
  summary: 'Lists users',
  roles: EVERYBODY,
  params: z.object({
    id: param.ref('user', 'Id of a user').optional(),
    username: param.text('Name of users').optional(),
    accounttype: param.integer('Users of accounts of this type').optional(),
    state: param.text('enabled, disabled or locked').optional(),
    account: ownerParams.account,
    domainid: ownerParams.domainid,
    isrecursive: ownerParams.isrecursive,
    listall: ownerParams.listall,
    ...pageParams,
  }),
  key: 'user',
  view: userView,
  async list(room, want) {
    const { caller } = room.call;
    // An admin who says nothing means his domain's users, not only his own account's: user lists are for administering.
    const said =
      want.domainid !== undefined ||
      want.account !== undefined ||
      caller.role === 'user' ||
      want.listall === true ||
      want.id !== undefined;
    const owned = said
      ? await ownedRows(room, 'user', want)
      : await ownedRows(room, 'user', { ...want, domainid: caller.domainId });
    let query = room.db
      .selectFrom('user')
      .innerJoin('account', 'account.id', 'user.account')
      .selectAll('user')
      .where(owned)
      .orderBy('user.created')
      .orderBy('user.username');
    if (want.id !== undefined) query = query.where('user.id', '=', want.id);
    if (want.username !== undefined) query = query.where(named('user.username', want.username));
    if (want.accounttype !== undefined) query = query.where('account.type', '=', want.accounttype);
    if (want.state !== undefined) query = query.where(named('user.state', want.state));
    if (want.keyword !== undefined) query = query.where(containing('user.username', want.keyword));
    const { count, rows } = await page(query, want);
    if (want.id !== undefined && count === 0) await refuseUnseen(room, want.id);
    return { count, rows: await showUsers(room, rows) };
  },
});

/** An id nobody has, or not for the caller, is a refusal; one that the other filters left out is an empty list. */
async function refuseUnseen(room: Room, id: string): Promise<void> {
  const seen = await room.db
    .selectFrom('user')
    .select('id')
    .where('id', '=', id)
    .where(visibleRows(room.call.caller, 'user'))
    .executeTakeFirst();
  if (seen === undefined) throw unknownId(room, 'id', id);
}

export const createUser = writeCommand({
  name: 'createUser',
  summary: 'Creates a user of an account',
  roles: ADMINS,
  params: z.object({
    ...personParams,
    account: param.text('Name of the account'),
    domainid: param.ref('domain', "Its domain; the caller's where none is named").optional(),
  }),
  answer: { kind: 'object', key: 'user', view: userView },
  event: 'USER.CREATE',
  prepare: async (_, want) => ({ ...want, password: await hashPassword(checkPassword(want.password)) }),
  async write(room, want) {
    const { caller } = room.call;
    const domainid = want.domainid ?? caller.domainId;
    const { account } = await ownerOf(room, { account: want.account, domainid });
    if (roleOf(account.type).rank > roleOf(caller.accountType).rank)
      throw refuse('parameter', `Unable to find account ${want.account} in domain ${domainid}`);
    const row = await addUser(room, account, want);
    return { user: (await showUsers(room, [row]))[0] };
  },
});

const keysAreMade = param
  .notOffered('keys are made here and not given. registerUserKeys makes the user a new pair')
  .optional();

const updateParams = z.object({
  id: param.ref('user', 'The user'),
  username: param.text('Its new name').optional(),
  firstname: param.text('First name').optional(),
  lastname: param.text('Last name').optional(),
  email: param.text('E-mail address').optional(),
  timezone: param.text('Time zone').optional(),
  password: param.text('Its new password', MAX_PASSWORD).optional(),
  currentpassword: param.text('The present password; whoever changes his own has to give it', MAX_PASSWORD).optional(),
  userapikey: keysAreMade,
  usersecretkey: keysAreMade,
});

export const updateUser = writeCommand({
  name: 'updateUser',
  summary: "Changes a user's names, address or password",
  roles: WRITERS,
  params: updateParams,
  answer: { kind: 'object', key: 'user', view: userView },
  event: 'USER.UPDATE',
  async prepare(room, want) {
    if (want.password === undefined) return want;
    await provePassword(room, await ruledUser(room, want.id), want.currentpassword);
    return { ...want, password: await hashPassword(checkPassword(want.password)) };
  },
  async write(room, want) {
    const row = await ruledUser(room, want.id);
    if (want.username !== undefined) await checkUsername(room, want.username, row.domain, row.id);
    // Whoever is logged in by the old password is logged out.
    if (want.password !== undefined) await room.db.deleteFrom('session').where('user', '=', row.id).execute();
    await room.tx.update('user', row.id, {
      username: want.username ?? row.username,
      firstname: want.firstname ?? row.firstname,
      lastname: want.lastname ?? row.lastname,
      email: want.email ?? row.email,
      timezone: want.timezone ?? row.timezone,
      password: want.password ?? row.password,
    });
    return { user: await shown(room, row.id) };
  },
});

/** Whoever changes his own password proves that he knows it: an open session is not enough. */
async function provePassword(room: Room, row: UserTable, current: string | undefined): Promise<void> {
  if (row.id !== room.call.caller.userId || room.call.caller.role === 'admin') return;
  if (current === undefined)
    throw refuse('parameter', 'To set a new password the current password must be provided, as currentpassword');
  if (!(await verifyPassword(current, row.password))) throw refuse('parameter', 'Current password is incorrect.');
}

/** A user, for the result of a job about it. */
export async function viewUser(room: Room, id: string): Promise<object | undefined> {
  const row = await room.db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : (await showUsers(room, [row]))[0];
}

async function shown(room: Room, id: string): Promise<z.infer<typeof userView> | undefined> {
  const row = await room.db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return (await showUsers(room, [row]))[0];
}

/** Sets the state. Enabling forgives failed logins; anything else logs the user out. */
async function enter(room: WriteRoom, id: string, state: 'enabled' | 'disabled' | 'locked'): Promise<UserTable> {
  const row = await ruledUser(room, id);
  if (state !== 'enabled' && row.id === room.call.caller.userId)
    throw refuse('permission', `You can't make yourself ${state}: you could not undo it`);
  await room.tx.update('user', row.id, { state, failedlogins: 0 });
  if (state !== 'enabled') await room.db.deleteFrom('session').where('user', '=', row.id).execute();
  return row;
}

const userId = z.object({ id: param.ref('user', 'The user') });

export const enableUser = writeCommand({
  name: 'enableUser',
  summary: 'Enables a user who was disabled or locked',
  roles: ADMINS,
  params: userId,
  answer: { kind: 'object', key: 'user', view: userView },
  event: 'USER.ENABLE',
  async write(room, want) {
    const { id } = await enter(room, want.id, 'enabled');
    return { user: await shown(room, id) };
  },
});

export const lockUser = writeCommand({
  name: 'lockUser',
  summary: 'Locks a user: he can do nothing until he is enabled',
  roles: ADMINS,
  params: userId,
  answer: { kind: 'object', key: 'user', view: userView },
  event: 'USER.LOCK',
  async write(room, want) {
    const { id } = await enter(room, want.id, 'locked');
    return { user: await shown(room, id) };
  },
});

export const disableUser = jobCommand({
  name: 'disableUser',
  summary: 'Disables a user: he can do nothing until he is enabled',
  roles: ADMINS,
  params: userId,
  answer: { kind: 'object', key: 'user', view: userView },
  event: 'USER.DISABLE',
  async job(room, want) {
    const { id, username } = await enter(room, want.id, 'disabled');
    return { about: { type: 'User', id }, view: 'user', text: `disabling user ${username}` };
  },
});

export const deleteUser = writeCommand({
  name: 'deleteUser',
  summary: 'Deletes a user',
  roles: ADMINS,
  params: userId,
  answer: { kind: 'success' },
  event: 'USER.DELETE',
  async write(room, want) {
    const row = await ruledUser(room, want.id);
    if (row.id === room.call.caller.userId) throw refuse('permission', "You can't delete yourself");
    const [{ n } = { n: 0 }] = (
      await sql<{ n: number }>`select count(*) as n from ${sql.table('user')} where account = ${row.account}`.execute(
        room.db,
      )
    ).rows;
    const account = await room.db
      .selectFrom('account')
      .selectAll()
      .where('id', '=', row.account)
      .executeTakeFirstOrThrow();
    if (account.isdefault === 1 && n === 1) throw refuse('permission', "The user is default and can't be removed");
    await room.db.deleteFrom('session').where('user', '=', row.id).execute();
    await room.tx.remove('user', row.id);
    return undefined;
  },
});
