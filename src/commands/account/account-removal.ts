// Removes an account and everything it owns, in the order in which things hang on each other. One transaction: all or nothing.
import { sql } from 'kysely';
import { refuse } from '../../api/error.ts';
import type { Tables } from '../../store/schema.ts';
import { forgetScans } from '../../store/scans.ts';
import type { AccountTable } from '../../store/schema/account.ts';
import { leaveGroups } from '../instance/affinity-group.ts';
import { removeNics } from '../instance/instance-destroy.ts';
import { releaseRouters } from '../network/network-router.ts';
import { takeBack, takeBackVpc } from '../public/public-ip-give.ts';
import { type WriteRoom, entersWhenRealized } from '../room.ts';
import { dropClientsOf, dropRemoteParts } from '../vpn/vpn-removal.ts';

/** Owned tables, whoever hangs on others first. */
const OWNED = [
  'vpnconnection',
  'vpngateway',
  'customergateway',
  'remotevpn',
  'vpnuser',
  'volume',
  'instance',
  'networkroute',
  'member',
  'device',
  'staticroute',
  'privategateway',
  'network',
  'acl',
  'vpc',
  'template',
  'sshkeypair',
  'affinitygroup',
] as const satisfies readonly (keyof Tables)[];

/** Removes the account. Refuses where something of another account stands on what would go, and names it. */
export async function removeAccount(room: WriteRoom, account: AccountTable): Promise<void> {
  await refuseNeeded(room, account);
  await refusePluggedIn(room, account);
  await revokePorts(room, 'account', account.id);
  const { db } = room.tx;
  for (const table of OWNED) {
    for (const id of await idsOf(room, table, account.id)) {
      await removeParts(room, table, id);
      await db.deleteFrom('tag').where('resource', '=', id).execute();
      await room.tx.remove(table, id);
    }
  }
  await releasePublic(room, account.id);
  await undedicate(room, 'account', account.id);
  await forgetLimits(room, 'account', account.id);
  const users = db.selectFrom('user').select('id').where('account', '=', account.id);
  await db.deleteFrom('session').where('user', 'in', users).execute();
  await db.deleteFrom('tag').where('account', '=', account.id).execute();
  await db.deleteFrom('user').where('account', '=', account.id).execute();
  await room.tx.remove('account', account.id);
}

/** A device stays in its VLAN until the switch has let go of it, and the VLAN would be somebody else's by then. */
async function refusePluggedIn(room: WriteRoom, account: AccountTable): Promise<void> {
  const rows = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .innerJoin('network', 'network.id', 'member.network')
    .select(['device.name', 'network.name as network'])
    .where('member.account', '=', account.id)
    .orderBy('device.name')
    .execute();
  if (rows.length === 0) return;
  const named = rows.slice(0, 5).map(({ name, network }) => `${name} in network ${network}`);
  throw refuse(
    'failed',
    `Can't delete account ${account.name}: devices of it are plugged in (${named.join(', ')}${rows.length > 5 ? ', …' : ''}). detachDevice first, and wait until the switch has let go`,
  );
}

/** Switch ports that were granted to what goes are granted to nobody. */
export async function revokePorts(room: WriteRoom, to: 'account' | 'domain', id: string): Promise<void> {
  const ports = await room.tx.db.selectFrom('switchport').select('id').where(to, '=', id).execute();
  for (const port of ports) await room.tx.update('switchport', port.id, { domain: null, account: null });
}

/** Ranges of public addresses that were kept for what goes are everybody's. */
export async function undedicate(room: WriteRoom, from: 'account' | 'domain', id: string): Promise<void> {
  await room.tx.db.updateTable('publicrange').set({ account: null, domain: null }).where(from, '=', id).execute();
}

/** Limits that were set for what goes. */
export async function forgetLimits(room: WriteRoom, of: 'account' | 'domain', id: string): Promise<void> {
  await room.tx.db.deleteFrom('resourcelimit').where(of, '=', id).execute();
}

/** Public addresses without a network are free again. */
async function releasePublic(room: WriteRoom, account: string): Promise<void> {
  const { db } = room.tx;
  const held = await db
    .selectFrom('publicip')
    .selectAll()
    .where('account', '=', account)
    .where('state', '=', 'Allocated')
    .execute();
  for (const row of held) await entersWhenRealized(room.tx, await takeBack(room, row));
}

/** Rows that are parts of an object and have no owner of their own. */
async function removeParts(room: WriteRoom, table: (typeof OWNED)[number], id: string): Promise<void> {
  const { db } = room.tx;
  const parts = async (part: 'aclitem', column: string): Promise<void> => {
    const rows = await sql<{ id: string }>`select id from ${sql.table(part)} where ${sql.ref(column)} = ${id}`.execute(
      db,
    );
    for (const row of rows.rows) {
      await db.deleteFrom('address').where('owner', '=', row.id).execute();
      await room.tx.remove(part, row.id);
    }
  };
  if (table === 'remotevpn') await dropRemoteParts(room.tx, id);
  if (table === 'vpnuser') await dropClientsOf(room.tx, id);
  if (table === 'instance') await removeNics(room.tx, id);
  if (table === 'instance') await leaveGroups(room.tx, id);
  if (table === 'acl') await parts('aclitem', 'acl');
  if (table === 'network') await releaseRouters(room, { id });
  if (table === 'vpc') await takeBackVpc(room, id);
  if (table === 'network') await forgetScans(room.tx, id);
  if (table === 'network') await db.deleteFrom('vlan').where('network', '=', id).execute();
  if (table === 'network') await db.deleteFrom('address').where('network', '=', id).execute();
  await db.deleteFrom('address').where('owner', '=', id).execute();
}

async function idsOf(room: WriteRoom, table: (typeof OWNED)[number], account: string): Promise<string[]> {
  const found = await sql<{ id: string }>`select id from ${sql.table(table)} where account = ${account}`.execute(
    room.db,
  );
  return found.rows.map((row) => row.id);
}

interface Holder {
  readonly what: string;
  readonly on: string;
}

/** A private gateway or an instance of another account may stand on this account's network or VPC. */
async function refuseNeeded(room: WriteRoom, account: AccountTable): Promise<void> {
  const holders = await sql<Holder>`
    select 'private gateway ' || g.ip as what, n.name as "on" from privategateway g join network n on n.id = g.network
      where n.account = ${account.id} and g.account <> ${account.id}
    union all
    select 'private gateway ' || g.ip as what, v.name as "on" from privategateway g join vpc v on v.id = g.vpc
      where v.account = ${account.id} and g.account <> ${account.id}
    union all
    select 'instance ' || i.displayname as what, n.name as "on" from nic c join instance i on i.id = c.instance join network n on n.id = c.network
      where n.account = ${account.id} and i.account <> ${account.id}
    union all
    select 'device ' || d.name as what, n.name as "on" from member m join device d on d.id = m.device join network n on n.id = m.network
      where n.account = ${account.id} and m.account <> ${account.id}
    union all
    select 'network ' || t.name as what, v.name as "on" from network t join vpc v on v.id = t.vpc
      where v.account = ${account.id} and t.account <> ${account.id}
    union all
    select 'instance ' || i.displayname as what, t.name as "on" from instance i join template t on t.id = i.template
      where t.account = ${account.id} and i.account <> ${account.id}`.execute(room.db);
  if (holders.rows.length === 0) return;
  const named = holders.rows.slice(0, 5).map(({ what, on }) => `${what} on ${on}`);
  throw refuse(
    'failed',
    `Can't delete account ${account.name}: other accounts use what it owns (${named.join(', ')}${holders.rows.length > 5 ? ', …' : ''}). Delete these first`,
  );
}
