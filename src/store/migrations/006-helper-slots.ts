// Which of the gateway helper's addresses is a public address's, for the VPNs that end there: kept, so that it stays when others come and go.
import { type Kysely, sql } from 'kysely';
import { addColumns } from './table.ts';

/** Addresses with VPNs are given what they have had by order until now. */
export async function up(db: Kysely<never>): Promise<void> {
  await addColumns(db, 'publicip', { helperslot: 0 });
  const { rows } = await sql<{ id: string; place: string }>`
    select id, coalesce(vpc, network) as place from publicip
    where issourcenat = 0 and nic is null
      and (id in (select publicip from remotevpn) or id in (select publicip from vpngateway))
    order by case when id in (select publicip from remotevpn)
      or id in (select publicip from vpngateway where id in (select vpngateway from vpnconnection)) then 0 else 1 end, id
  `.execute(db);
  for (const addresses of Map.groupBy(rows, ({ place }) => place).values())
    for (const [index, { id }] of addresses.entries())
      await sql`update publicip set helperslot = ${index + 1} where id = ${id}`.execute(db);
}
