// How an account is shown: with its users, and how much of each kind it has. Apart because users show accounts and accounts users.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { AccountTable } from '../../store/schema/account.ts';
import { ownersOf } from '../join.ts';
import { RESOURCE_KINDS, ROOT_ADMIN, defaultLimits, usedByAccounts } from './resource-count.ts';
import { roleOf } from './role.ts';
import type { Room } from '../room.ts';
import { showUsers, userView } from './user-view.ts';

/** Names of the kinds in the fields, and what limits call them. */
const KINDS = {
  vm: 'user_vm',
  ip: 'public_ip',
  volume: 'volume',
  template: 'template',
  network: 'network',
  vpc: 'vpc',
  cpu: 'cpu',
  memory: 'memory',
  primarystorage: 'primary_storage',
} as const;

type KindFields<K extends string> = { [F in `${K}total`]: ReturnType<typeof field.long> } & {
  [F in `${K}limit` | `${K}available`]: ReturnType<typeof field.string>;
};

function kindFields<K extends keyof typeof KINDS>(name: K, things: string): KindFields<K> {
  return {
    [`${name}total`]: field.long(`how many ${things} it has`),
    [`${name}limit`]: field.string(`how many ${things} it may have`),
    [`${name}available`]: field.string(`how many ${things} it may still make`),
  } as KindFields<K>;
}

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
  ...kindFields('vm', 'instances'),
  vmrunning: field.integer('how many instances run'),
  vmstopped: field.integer('how many instances are stopped'),
  ...kindFields('ip', 'public addresses'),
  ...kindFields('volume', 'volumes'),
  ...kindFields('template', 'templates'),
  ...kindFields('network', 'networks'),
  ...kindFields('vpc', 'VPCs'),
  ...kindFields('cpu', 'CPUs'),
  ...kindFields('memory', 'MiB of memory'),
  ...kindFields('primarystorage', 'GiB of volumes'),
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
  const states = await room.db
    .selectFrom('instance')
    .select(['account', 'state'])
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('account', 'in', ids)
    .where('destroyed', 'is', null)
    .groupBy(['account', 'state'])
    .execute();
  const instances = (account: string, running: boolean): number =>
    states
      .filter((row) => row.account === account && (row.state === 'Running') === running)
      .reduce((sum, { n }) => sum + Number(n), 0);
  const figures = await figuresOf(room, rows);
  return rows.map((row) => {
    const role = roleOf(row.type);
    const { domainid, domain, domainpath } = owner({ account: row.id, domain: row.domain });
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
      ...figures(row),
      vmrunning: instances(row.id, true),
      vmstopped: instances(row.id, false),
      user: users.get(row.id) ?? [],
    });
  });
}

/** What each account has of every kind, may have, and may still make. */
async function figuresOf(
  { db }: Room,
  rows: readonly AccountTable[],
): Promise<(row: AccountTable) => Record<string, number | string>> {
  const ids = rows.map((row) => row.id);
  const written = await db
    .selectFrom('resourcelimit')
    .select(['account', 'type', 'max'])
    .where('account', 'in', ids)
    .execute();
  const limits = new Map(written.map(({ account, type, max }) => [`${account} ${type}`, max]));
  const byDefault = await defaultLimits(db);
  const used = new Map<string, Map<string, number>>();
  for (const kind of Object.values(KINDS)) used.set(kind, await usedByAccounts(db, kind, ids));
  return (row) =>
    Object.fromEntries(
      Object.entries(KINDS).flatMap(([name, kind]) => {
        const total = used.get(kind)?.get(row.id) ?? 0;
        const own = limits.get(`${row.id} ${RESOURCE_KINDS.indexOf(kind)}`);
        const max = row.type === ROOT_ADMIN ? -1 : (own ?? byDefault('account', kind));
        return [
          [`${name}total`, total],
          [`${name}limit`, max < 0 ? UNLIMITED : String(max)],
          [`${name}available`, max < 0 ? UNLIMITED : String(Math.max(0, max - total))],
        ];
      }),
    );
}
