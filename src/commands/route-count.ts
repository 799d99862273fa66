// How many routes a router can be given: each is a row of OVN's and a line of what every VPN client is told, and a gateway that would be
// told of too many would be told of nothing. Apart, since VPCs and networks have the same limit by different settings.
import { sql } from 'kysely';
import { refuse } from '../api/error.ts';
import { readNumber } from '../store/setting.ts';
import type { Room } from './room.ts';

const SETTINGS = { vpc: 'vpc.max.static.routes', network: 'network.max.routes' } as const;

/** Refuses one route more than a VPC or network can have. */
export async function refuseManyRoutes(
  { db }: Room,
  of: 'vpc' | 'network',
  { id, name }: { readonly id: string; readonly name: string },
): Promise<void> {
  const setting = SETTINGS[of];
  const most = await readNumber(db, setting);
  const [table, column] = of === 'vpc' ? (['staticroute', 'vpc'] as const) : (['networkroute', 'network'] as const);
  const counted = await sql<{ count: number | string }>`
    select count(*) as count from ${sql.table(table)} where ${sql.ref(column)} = ${id}`.execute(db);
  const count = Number(counted.rows[0]!.count);
  if (count < most) return;
  const what = of === 'vpc' ? `VPC ${name}` : `network ${name}`;
  const kind = of === 'vpc' ? 'static routes' : 'routes';
  throw refuse(
    'limit',
    `Maximum number of ${kind} for ${what} is ${most}, and it has ${count}: delete one, make one of several that lead the same way (10.2.0.0/15 holds 10.2.0.0/16 and 10.3.0.0/16), or ask the operator (${setting})`,
  );
}
