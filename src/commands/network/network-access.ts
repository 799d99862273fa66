// Whose networks a caller may put instances into: his own, and those that are shared with his whole domain. To change one it must
// be his: that is access.ts's business, as for everything else.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Caller } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visibleRows } from '../access.ts';
import type { Room } from '../room.ts';

type Network = Tables['network'];

/** Networks that everybody in the domain with this path may use. */
export function sharedWith({ domainId, domainPath }: Pick<Caller, 'domainId' | 'domainPath'>): RawBuilder<SqlBool> {
  const above = sql.join(pathsAbove(domainPath));
  return sql<SqlBool>`(network.shared is not null and (network.domain = ${domainId} or (network.shared = 'Subdomains'
    and network.domain in (select id from ${sql.table('domain')} as above where above.path in (${above})))))`;
}

/** ROOT/a/b is below ROOT/a and ROOT. */
function pathsAbove(path: string): string[] {
  const labels = path.split('/');
  return labels.map((_, index) => labels.slice(0, index + 1).join('/'));
}

/** Networks the caller may put instances into. */
export function usableRows(caller: Caller): RawBuilder<SqlBool> {
  return sql<SqlBool>`(${visibleRows(caller, 'network')} or ${sharedWith(caller)})`;
}

/** The network with this id if the caller may put instances into it, else refuses as unknown. */
export async function usableNetwork(room: Room, id: string, param: string): Promise<Network> {
  const row = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', id)
    .where(usableRows(room.call.caller))
    .executeTakeFirst();
  if (row === undefined) throw unknownId(room, param, id);
  return row;
}

/** Whether instances of a domain's accounts may be in a network that is not their own. */
export async function isSharedWith(
  room: Room,
  network: Pick<Network, 'id'>,
  domain: Pick<Tables['domain'], 'id' | 'path'>,
): Promise<boolean> {
  const row = await room.db
    .selectFrom('network')
    .select('id')
    .where('id', '=', network.id)
    .where(sharedWith({ domainId: domain.id, domainPath: domain.path }))
    .executeTakeFirst();
  return row !== undefined;
}

/** A network that a whole domain uses is the operator's: whoever sees it as his domain's admin may not change it. */
export function refuseSharedBy(room: Room, network: Pick<Network, 'name' | 'guesttype'>, verb: string): void {
  if (network.guesttype !== 'Shared' || room.call.caller.role === 'admin') return;
  throw refuse(
    'parameter',
    `Only Admins can ${verb} network with guest type Shared: ${network.name} is the operator's, ask him`,
  );
}
