// How much of each kind accounts and domains have, how much they may have, and the refusal of what would be more. Nothing is kept
// that could go wrong: the rows themselves are counted, inside the change that adds one.
import { type RawBuilder, sql } from 'kysely';
import { refuse } from '../../api/error.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumbers } from '../../store/setting.ts';
import { subtree } from '../access.ts';
import type { Room } from '../room.ts';

/** Kinds of objects that can be limited. CloudStack's numbers of them are their places here. */
export const RESOURCE_KINDS = [
  'user_vm',
  'public_ip',
  'volume',
  'snapshot',
  'template',
  'project',
  'network',
  'vpc',
  'cpu',
  'memory',
  'primary_storage',
  'secondary_storage',
] as const;

export type ResourceKind = (typeof RESOURCE_KINDS)[number];

/** What the settings call them: max.account.user.vms, max.domain.user.vms. */
export const SETTING_OF: Readonly<Record<ResourceKind, string>> = {
  user_vm: 'user.vms',
  public_ip: 'public.ips',
  volume: 'volumes',
  snapshot: 'snapshots',
  template: 'templates',
  project: 'projects',
  network: 'networks',
  vpc: 'vpcs',
  cpu: 'cpus',
  memory: 'memory',
  primary_storage: 'primary.storage',
  secondary_storage: 'secondary.storage',
};

const NONE = sql`select '' as account, '' as domain, 0 as n where 1 = 0`;

/**
 * For each kind a query of account, domain and amount. What is destroyed and waits to be expunged does not count, as in CloudStack; data
 * disks of such an instance do, since they stay when it goes.
 */
const USE: Readonly<Record<ResourceKind, RawBuilder<unknown>>> = {
  user_vm: sql`select account, domain, 1 as n from instance where destroyed is null`,
  public_ip: sql`select account, domain, 1 as n from publicip where state in ('Allocating', 'Allocated')`,
  volume: sql`select v.account, v.domain, 1 as n from volume v left join instance i on i.id = v.instance where v.type = 'DATA' or i.destroyed is null`,
  snapshot: NONE,
  template: sql`select account, domain, 1 as n from template where removed = 0`,
  project: NONE,
  network: sql`select account, domain, 1 as n from network where implicit = 0 and shared is null`,
  vpc: sql`select account, domain, 1 as n from vpc`,
  cpu: sql`select i.account, i.domain, o.cpunumber as n from instance i join serviceoffering o on o.id = i.serviceoffering where i.destroyed is null`,
  memory: sql`select i.account, i.domain, o.memory as n from instance i join serviceoffering o on o.id = i.serviceoffering where i.destroyed is null`,
  // In GiB, each disk rounded up.
  primary_storage: sql`select v.account, v.domain, (v.size + 1073741823) / 1073741824 as n from volume v left join instance i on i.id = v.instance where v.type = 'DATA' or i.destroyed is null`,
  secondary_storage: sql`select account, domain, (size + 1073741823) / 1073741824 as n from template where removed = 0`,
};

/** Account -> how much of a kind it has; accounts without any are left out. */
export async function usedByAccounts(
  db: Db,
  kind: ResourceKind,
  accounts: readonly string[],
): Promise<Map<string, number>> {
  if (accounts.length === 0) return new Map();
  const { rows } = await sql<{ account: string; n: number | string }>`
    select account, sum(n) as n from (${USE[kind]}) as used where account in (${sql.join(accounts)}) group by account`.execute(
    db,
  );
  return new Map(rows.map(({ account, n }) => [account, Number(n)]));
}

/** How much of a kind a domain has, with the domains below it. */
export async function usedByDomain(db: Db, kind: ResourceKind, path: string): Promise<number> {
  const { rows } = await sql<{ n: number | string | null }>`
    select sum(n) as n from (${USE[kind]}) as used
      where domain in (select id from domain as below where ${subtree(path, 'below')})`.execute(db);
  return Number(rows[0]?.n ?? 0);
}

/** Setting -> its number, for all settings that limit; -1: any number. */
export async function defaultLimits(db: Db): Promise<(of: 'account' | 'domain', kind: ResourceKind) => number> {
  const values = await readNumbers(db, 'max.');
  return (of, kind) => values.get(`max.${of}.${SETTING_OF[kind]}`) ?? -1;
}

/** Root admins have no limits: whatever is written down for them. */
export const ROOT_ADMIN = 1;

interface Holder {
  readonly account: string;
  readonly domain: string;
}

/**
 * Refuses what would be more than the account, its domain or one above it may have: 532 for public addresses, 535 for the rest.
 * `adding`: how many of each kind the change will add.
 */
export async function checkLimits(
  room: Room,
  holder: Holder,
  adding: Readonly<Partial<Record<ResourceKind, number>>>,
): Promise<void> {
  const { db } = room;
  const account = await db
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain')
    .select(['account.id', 'account.name', 'account.type', 'account.domain', 'domain.path'])
    .where('account.id', '=', holder.account)
    .executeTakeFirstOrThrow();
  if (account.type === ROOT_ADMIN) return;
  const byDefault = await defaultLimits(db);
  const above = await db
    .selectFrom('domain')
    .select(['id', 'path'])
    .where(sql<boolean>`(path = ${account.path} or substr(${account.path}, 1, length(path) + 1) = path || '/')`)
    .orderBy('level', 'desc')
    .execute();
  const written = await db
    .selectFrom('resourcelimit')
    .select(['account', 'domain', 'type', 'max'])
    .where((eb) =>
      eb.or([
        eb('account', '=', account.id),
        eb.and([
          eb('account', 'is', null),
          eb(
            'domain',
            'in',
            above.map(({ id }) => id),
          ),
        ]),
      ]),
    )
    .execute();
  for (const [kind, more] of Object.entries(adding) as [ResourceKind, number][]) {
    const type = RESOURCE_KINDS.indexOf(kind);
    const own = written.find((row) => row.account === account.id && row.type === type)?.max;
    const max = own ?? byDefault('account', kind);
    if (max >= 0) {
      const used = (await usedByAccounts(db, kind, [account.id])).get(account.id) ?? 0;
      if (used + more > max)
        throw tooMany(kind, account, `it has ${used} of ${max}${more > 1 ? `, and this takes ${more}` : ''}`);
    }
    for (const domain of above) {
      const ofDomain = written.find(
        (row) => row.account === null && row.domain === domain.id && row.type === type,
      )?.max;
      const limit = ofDomain ?? byDefault('domain', kind);
      if (limit < 0) continue;
      const used = await usedByDomain(db, kind, domain.path);
      // How much others have is not the caller's to know.
      if (used + more > limit) throw tooMany(kind, account, `all of it may have ${limit} together`, domain.id);
    }
  }
}

function tooMany(
  kind: ResourceKind,
  account: { readonly name: string; readonly domain: string },
  figures: string,
  domain?: string,
): Error {
  const help = 'Delete some, or ask an admin for more (updateResourceLimit)';
  if (kind === 'public_ip') {
    return refuse(
      'accountLimit',
      `Maximum number of public IP addresses for account: ${account.name} has been exceeded.: ${figures}. ${help}`,
    );
  }
  const whose =
    domain === undefined ? `account name=${account.name} in domain id=${account.domain}` : `domain id=${domain}`;
  return refuse(
    'limit',
    `Maximum number of resources of type '${kind}' for ${whose} has been exceeded.: ${figures}. ${help}`,
  );
}

/** What an instance takes of its account's limits, with all its disks or only those that go with it. */
export async function takenBy(
  { db }: Room,
  instance: Pick<Tables['instance'], 'id' | 'serviceoffering'>,
  types: readonly string[] = ['ROOT', 'DATA'],
): Promise<Readonly<Partial<Record<ResourceKind, number>>>> {
  const offering = await db
    .selectFrom('serviceoffering')
    .select(['cpunumber', 'memory'])
    .where('id', '=', instance.serviceoffering)
    .executeTakeFirstOrThrow();
  const disks = await db
    .selectFrom('volume')
    .select('size')
    .where('instance', '=', instance.id)
    .where('type', 'in', [...types])
    .execute();
  const storage = disks.reduce((sum, { size }) => sum + Math.ceil(size / 1_073_741_824), 0);
  return {
    user_vm: 1,
    cpu: offering.cpunumber,
    memory: offering.memory,
    volume: disks.length,
    primary_storage: storage,
  };
}
