// Who may see and use which ACL list: the global ones everybody, a VPC's own whoever may see the VPC.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visibleRows } from '../access.ts';
import type { Room } from '../room.ts';

/** Condition on `acl` rows: those the caller may see. */
export function visibleAcls(room: Room): RawBuilder<SqlBool> {
  return sql<SqlBool>`(acl.vpc is null or ${visibleRows(room.call.caller, 'acl')})`;
}

/** The list with this id, if the caller may see it; else refuses as unknown. */
export async function usableAcl(room: Room, id: string, param: string): Promise<Tables['acl']> {
  const row = await room.db
    .selectFrom('acl')
    .selectAll()
    .where('id', '=', id)
    .where(visibleAcls(room))
    .executeTakeFirst();
  if (row === undefined) throw unknownId(room, param, id);
  return row;
}

/** Name of the global list a private gateway gets when none is named. */
export const DEFAULT_DENY = 'default_deny';

/** Name of the global list an address of a VPC has where it was given none. */
export const DEFAULT_ALLOW = 'default_allow';

/** A global list by name. Bootstrap makes them; without them nothing works, so their absence is a fault of ours. */
export async function globalAcl(room: Room, name: string): Promise<Tables['acl']> {
  return room.db
    .selectFrom('acl')
    .selectAll()
    .where('vpc', 'is', null)
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
}
