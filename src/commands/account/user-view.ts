// How a user is shown. The secret key is never shown: not even to the user, once it has been handed out.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { UserTable } from '../../store/schema/account.ts';
import { ownersOf } from '../join.ts';
import { roleOf } from './role.ts';
import type { Room } from '../room.ts';

export const userView = z.object({
  id: field.string('id of the user'),
  username: field.string('name it logs in with'),
  firstname: field.string('first name'),
  lastname: field.string('last name'),
  email: field.string('e-mail address'),
  state: field.string('enabled, disabled or locked'),
  created: field.date('when it was made'),
  accountid: field.string('id of its account'),
  account: field.string('name of its account'),
  accounttype: field.integer('0 user, 1 root admin, 2 domain admin, 4 read-only admin'),
  roleid: field.string('id of its role'),
  roletype: field.string('type of its role'),
  rolename: field.string('name of its role'),
  domainid: field.string('id of its domain'),
  domain: field.string('name of its domain'),
  timezone: field.string('time zone'),
  apikey: field.string('its API key, if it has one'),
  secretkey: field.string('a sentence in place of the secret key'),
  iscallerchilddomain: field.boolean("whether its domain is below the caller's"),
  isdefault: field.boolean('whether it is the one that came with the cloud'),
});

/** What stands where clients look for a secret key. */
export const HIDDEN = '(shown once, when the keys were registered)';

/** Users as answers show them. */
export async function showUsers(room: Room, rows: readonly UserTable[]): Promise<z.infer<typeof userView>[]> {
  if (rows.length === 0) return [];
  const { caller } = room.call;
  const owner = await ownersOf(room.db, rows);
  const accountIds = [...new Set(rows.map((row) => row.account))];
  const accountRows = await room.db.selectFrom('account').selectAll().where('id', 'in', accountIds).execute();
  const accounts = new Map(accountRows.map((row) => [row.id, row]));
  return rows.map((row) => {
    const { account, domainid, domain, domainpath = '' } = owner(row);
    const type = accounts.get(row.account)?.type ?? 0;
    const role = roleOf(type);
    // An API key is no secret, but nobody's business who could not act on the user anyway.
    const keys =
      row.apikey !== null &&
      (row.id === caller.userId || (caller.role !== 'user' && role.rank <= roleOf(caller.accountType).rank));
    return field.compact<z.infer<typeof userView>>({
      id: row.id,
      username: row.username,
      firstname: row.firstname,
      lastname: row.lastname,
      email: row.email,
      state: row.state,
      created: field.clientDate(row.created),
      accountid: row.account,
      account,
      accounttype: type,
      roleid: role.id,
      roletype: role.type,
      rolename: role.name,
      domainid,
      domain,
      timezone: row.timezone,
      apikey: keys ? row.apikey : undefined,
      secretkey: HIDDEN,
      iscallerchilddomain: domainpath.startsWith(`${caller.domainPath}/`),
      isdefault: accounts.get(row.account)?.isdefault === 1,
    });
  });
}
