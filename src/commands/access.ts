// Who may see and touch what. An object of another tenant answers exactly like an object that does not exist.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Caller } from '../api/command.ts';
import { type Refusal, refuse } from '../api/error.ts';
import type { Tables } from '../store/schema.ts';
import type { Room } from './room.ts';

/** Tables whose rows belong to an account and its domain. */
export type OwnedTable = {
  [T in keyof Tables]: Tables[T] extends { id: string; account: string; domain: string } ? T : never;
}[keyof Tables];

/** The refusal every unknown id gets; clients decide "it is gone" by this very sentence. */
export function unknownId(room: Room, param: string, value: string): Refusal {
  return refuse(
    'parameter',
    `Unable to execute API command ${room.call.command.toLowerCase()} due to invalid value. Invalid parameter ${param} value=${value} due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class.`,
  );
}

/** Which rows of an owned table the caller may see: all for root, the domain's subtree for its admins, the own account for users. */
export function visibleRows(caller: Caller, table: string): RawBuilder<SqlBool> {
  const column = (name: string): RawBuilder<unknown> => sql.ref(`${table}.${name}`);
  switch (caller.role) {
    case 'admin':
      return sql<SqlBool>`1 = 1`;
    case 'domain-admin':
    case 'readonly':
      return sql<SqlBool>`${column('domain')} in (select id from ${sql.table('domain')} as below where ${subtree(caller.domainPath, 'below')})`;
    case 'user':
      return sql<SqlBool>`${column('account')} = ${caller.accountId}`;
    default:
      return caller.role satisfies never;
  }
}

/** Condition on a domain row's path: the domain itself and all below. */
export function subtree(path: string, alias: string): RawBuilder<SqlBool> {
  // substr(): a path may hold `_` and `%`, which LIKE would read as wildcards. length(): SQL counts characters, JavaScript halves of them.
  const column = sql.ref(`${alias}.path`);
  return sql<SqlBool>`(${column} = ${path} or substr(${column}, 1, length(cast(${path} as text)) + 1) = ${`${path}/`})`;
}

/** Whether the caller's reach covers a domain with this path. */
export function reaches(caller: Caller, domainPath: string): boolean {
  if (caller.role === 'admin') return true;
  if (caller.role === 'user') return false;
  return domainPath === caller.domainPath || domainPath.startsWith(`${caller.domainPath}/`);
}

/** The row of an owned table with this id, if the caller may see it; else refuses as unknown. `param` names the parameter. */
export async function visible<T extends OwnedTable>(
  room: Room,
  table: T,
  id: string,
  param = 'id',
): Promise<Tables[T]> {
  const row = await sql<
    Tables[T]
  >`select * from ${sql.table(table)} where id = ${id} and ${visibleRows(room.call.caller, table)}`.execute(room.db);
  if (row.rows[0] === undefined) throw unknownId(room, param, id);
  return row.rows[0];
}

/** The row of a table everybody may see (zones, offerings), else refuses as unknown. */
export async function existing<
  T extends
    | 'zone'
    | 'domain'
    | 'account'
    | 'serviceoffering'
    | 'diskoffering'
    | 'networkoffering'
    | 'vpcoffering'
    | 'host'
    | 'physicalnetwork'
    | 'traffictype'
    | 'acl'
    | 'template'
    | 'switch'
    | 'switchport'
    | 'guestprefix',
>(room: Room, table: T, id: string, param = 'id'): Promise<Tables[T]> {
  const row = await sql<Tables[T]>`select * from ${sql.table(table)} where id = ${id}`.execute(room.db);
  if (row.rows[0] === undefined) throw unknownId(room, param, id);
  return row.rows[0];
}
