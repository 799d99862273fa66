// How an account is shown: with its users, and how much of each kind it has. Apart because users show accounts and accounts users.
import { sql } from 'kysely';
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { AccountTable } from '../../store/schema/account.ts';
import { ownersOf } from '../join.ts';
import { roleOf } from './role.ts';
import type { Room } from '../room.ts';
import { showUsers, userView } from './user-view.ts';

const total = (kind: string) => field.long(`how many ${kind} it has`);
const limit = (kind: string) => field.string(`how many ${kind} it may have`);
const available = (kind: string) => field.string(`how many ${kind} it may still make`);

export const accountView = z.object({
  id: field.string('id of the account'),
  name: field.string('its name'),
  accounttype: field.integer('0 user, 1 root admin, 2 domain admin, 4 read-only admin'),
  roleid: field.string('id of its role'),
  roletype: field.string('type of its role'),
  rolename: field.string('name of its role'),
  domainid: field.string('id of its domain'),
  domain: field.string('name of its domain'),
  domainpath: field.string('path of its domain'),
  state: field.string('enabled, disabled or locked'),
  networkdomain: field.string('DNS name of its networks'),
  isdefault: field.boolean('whether it is the one that came with the cloud'),
  created: field.date('when it was made'),
  vmtotal: total('instances'),
  vmlimit: limit('instances'),
  vmavailable: available('instances'),
  vmrunning: field.integer('how many instances run'),
  vmstopped: field.integer('how many instances are stopped'),
  networktotal: total('networks'),
  networklimit: limit('networks'),
  networkavailable: available('networks'),
  vpctotal: total('VPCs'),
  vpclimit: limit('VPCs'),
  vpcavailable: available('VPCs'),
  user: field.list('its users', userView),
});

const UNLIMITED = 'Unlimited';

/** Accounts as answers show them. */
export async function showAccounts(room: Room, rows: readonly AccountTable[]): Promise<z.infer<typeof accountView>[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const owner = await ownersOf(
    room.db,
    rows.map((row) => ({ account: row.id, domain: row.domain })),
  );
  const userRows = await room.db
    .selectFrom('user')
    .selectAll()
    .where('account', 'in', ids)
    .orderBy('created')
    .orderBy('username')
    .execute();
  const users = Map.groupBy(await showUsers(room, userRows), (user) => user.accountid);
  const count = async (table: 'vpc' | 'network' | 'instance', only = sql`1 = 1`): Promise<Map<string, number>> => {
    const found = await sql<{ account: string; n: number }>`
      select account, count(*) as n from ${sql.table(table)} where account in (${sql.join(ids)}) and ${only} group by account`.execute(
      room.db,
    );
    return new Map(found.rows.map((row) => [row.account, row.n]));
  };
  const networks = await count('network');
  const vpcs = await count('vpc');
  const instances = await count('instance');
  const running = await count('instance', sql`state = 'Running'`);
  return rows.map((row) => {
    const role = roleOf(row.type);
    const { domainid, domain, domainpath } = owner({ account: row.id, domain: row.domain });
    const vms = instances.get(row.id) ?? 0;
    const up = running.get(row.id) ?? 0;
    return field.compact<z.infer<typeof accountView>>({
      id: row.id,
      name: row.name,
      accounttype: row.type,
      roleid: role.id,
      roletype: role.type,
      rolename: role.name,
      domainid,
      domain,
      domainpath,
      state: row.state,
      networkdomain: row.networkdomain,
      isdefault: row.isdefault === 1,
      created: field.clientDate(row.created),
      vmtotal: vms,
      vmlimit: UNLIMITED,
      vmavailable: UNLIMITED,
      vmrunning: up,
      vmstopped: vms - up,
      networktotal: networks.get(row.id) ?? 0,
      networklimit: UNLIMITED,
      networkavailable: UNLIMITED,
      vpctotal: vpcs.get(row.id) ?? 0,
      vpclimit: UNLIMITED,
      vpcavailable: UNLIMITED,
      user: users.get(row.id) ?? [],
    });
  });
}
