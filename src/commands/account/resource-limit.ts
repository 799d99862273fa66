// Limits of accounts and domains: how many objects of each kind they may have. Who rules an account or a domain sets its limits,
// never his own.
import { z } from 'zod';
import { ADMINS, EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import { integer, ref, text } from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId } from '../access.ts';
import { listParams, ownedRows, pageOf } from '../list.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, type WriteRoom, listCommand, writeCommand } from '../room.ts';
import { domainInReach } from './domain.ts';
import {
  RESOURCE_KINDS,
  ROOT_ADMIN,
  type ResourceKind,
  defaultLimits,
  usedByAccounts,
  usedByDomain,
} from './resource-count.ts';

const holderFields = {
  account: field.string('the account; absent for a limit of a whole domain'),
  domainid: field.string('its domain'),
  domain: field.string('name of that domain'),
  domainpath: field.string('path of that domain'),
  resourcetype: field.string('number of the kind of object'),
  resourcetypename: field.string('name of the kind'),
};

const resourceLimitView = z.object({
  ...holderFields,
  max: field.long('how many there may be; -1: any number'),
});

const resourceCountView = z.object({
  ...holderFields,
  resourcecount: field.long('how many there are'),
});

/** Whose limits are meant: an account's, or with no account a domain's. */
interface Holder {
  readonly account: Tables['account'] | undefined;
  readonly domain: Tables['domain'];
}

function fieldsOf({ account, domain }: Holder, kind: ResourceKind) {
  return field.compact({
    account: account?.name,
    domainid: domain.id,
    domain: domain.name,
    domainpath: domain.path,
    resourcetype: String(RESOURCE_KINDS.indexOf(kind)),
    resourcetypename: kind,
  });
}

/** What is written down for the holder, else what the settings say. */
async function limitsOf(room: Room, { account, domain }: Holder): Promise<(kind: ResourceKind) => number> {
  const rows = await room.db
    .selectFrom('resourcelimit')
    .select(['type', 'max'])
    .where('domain', '=', domain.id)
    .where('account', account === undefined ? 'is' : '=', account?.id ?? null)
    .execute();
  const written = new Map(rows.map(({ type, max }) => [type, max]));
  const byDefault = await defaultLimits(room.db);
  return (kind) => {
    if (account?.type === ROOT_ADMIN || (account === undefined && domain.parent === null)) return -1;
    return written.get(RESOURCE_KINDS.indexOf(kind)) ?? byDefault(account === undefined ? 'domain' : 'account', kind);
  };
}

const typeParam = integer(
  'Number of the kind: 0 instances, 1 public addresses, 2 volumes, 6 networks, 7 VPCs, 8 CPUs, 9 memory (MiB)',
  {
    min: 0,
    max: RESOURCE_KINDS.length - 1,
  },
);

const kindsOf = (type: number | undefined): readonly ResourceKind[] =>
  type === undefined ? RESOURCE_KINDS : [RESOURCE_KINDS[type]!];

export const listResourceLimits = listCommand({
  name: 'listResourceLimits',
  summary: 'Lists how many objects of each kind an account or a domain may have (-1: any number)',
  roles: EVERYBODY,
  params: z.object({
    resourcetype: typeParam.optional(),
    resourcetypename: text('The kind by name, such as user_vm').optional(),
    ...listParams,
  }),
  key: 'resourcelimit',
  view: resourceLimitView,
  async list(room, want) {
    const holder = await listedHolder(room, want);
    const limits = await limitsOf(room, holder);
    const kinds = kindsOf(want.resourcetype).filter(
      (kind) => want.resourcetypename === undefined || kind === want.resourcetypename.toLowerCase(),
    );
    return pageOf(
      kinds.map((kind) => ({ ...fieldsOf(holder, kind), max: limits(kind) })),
      want,
    );
  },
});

/** The account named, the domain named without one, or the caller's account. */
async function listedHolder(
  room: Room,
  want: { readonly account?: string | undefined; readonly domainid?: string | undefined },
): Promise<Holder> {
  // Asked for its refusals: whose limits a caller may see is whose objects he may see.
  await ownedRows(room, 'account', want);
  const { caller } = room.call;
  const domain = await room.db
    .selectFrom('domain')
    .selectAll()
    .where('id', '=', want.domainid ?? caller.domainId)
    .executeTakeFirstOrThrow();
  if (want.domainid !== undefined && want.account === undefined && caller.role !== 'user')
    return { account: undefined, domain };
  let accounts = room.db.selectFrom('account').selectAll().where('domain', '=', domain.id);
  accounts =
    want.account === undefined
      ? accounts.where('id', '=', caller.accountId)
      : accounts.where('name', '=', want.account);
  return { account: await accounts.executeTakeFirst(), domain };
}

export const updateResourceLimit = writeCommand({
  name: 'updateResourceLimit',
  summary: 'Says how many objects of a kind an account or a domain may have; what is there already stays',
  roles: ADMINS,
  params: z.object({
    resourcetype: typeParam,
    max: integer('How many; -1, or left out: any number', { min: -1, type: 'long' }).optional(),
    ...forParams,
  }),
  answer: { kind: 'object', key: 'resourcelimit', view: resourceLimitView },
  event: 'RESOURCE.LIMIT.UPDATE',
  async write(room, want) {
    const holder = await ruledHolder(room, want);
    const max = want.max ?? -1;
    const kind = RESOURCE_KINDS[want.resourcetype]!;
    if (holder.account?.type === ROOT_ADMIN && max !== -1)
      throw refuse('parameter', 'Only -1 limit is supported for Root Admin accounts');
    await refuseMoreThanAbove(room, holder, kind, max);
    await room.tx.db
      .deleteFrom('resourcelimit')
      .where('domain', '=', holder.domain.id)
      .where('account', holder.account === undefined ? 'is' : '=', holder.account?.id ?? null)
      .where('type', '=', want.resourcetype)
      .execute();
    await room.tx.insert('resourcelimit', {
      id: newId(),
      account: holder.account?.id ?? null,
      domain: holder.domain.id,
      type: want.resourcetype,
      max,
      created: new Date().toISOString(),
    });
    return { resourcelimit: { ...fieldsOf(holder, kind), max } };
  },
});

/** Nobody sets his own limits; who may set whose is who may rule whom. */
async function ruledHolder(
  room: WriteRoom,
  want: {
    readonly account?: string | undefined;
    readonly domainid?: string | undefined;
    readonly projectid?: string | undefined;
  },
): Promise<Holder> {
  const { caller } = room.call;
  if (want.account === undefined && want.projectid === undefined && want.domainid !== undefined) {
    const domain = await domainInReach(room, want.domainid, 'domainid');
    if (domain.id === caller.domainId && caller.role !== 'admin') {
      throw refuse(
        'permission',
        `Cannot update resource limit for domain ${domain.name}, permission denied: the admin of a domain above sets it`,
      );
    }
    return { account: undefined, domain };
  }
  const holder = await ownerOf(room, want);
  if (holder.account.id === caller.accountId && caller.role !== 'admin') {
    throw refuse(
      'permission',
      `Unable to update resource limit for their own account ${holder.account.name}, permission denied: name another with account and domainid`,
    );
  }
  return holder;
}

/** A domain is given no more than one above it has. */
async function refuseMoreThanAbove(room: WriteRoom, holder: Holder, kind: ResourceKind, max: number): Promise<void> {
  if (holder.account !== undefined || holder.domain.parent === null) return;
  const parent = await room.db
    .selectFrom('domain')
    .selectAll()
    .where('id', '=', holder.domain.parent)
    .executeTakeFirst();
  if (parent === undefined) throw unknownId(room, 'domainid', holder.domain.id);
  const above = (await limitsOf(room, { account: undefined, domain: parent }))(kind);
  if (above < 0 || (max >= 0 && max <= above)) return;
  throw refuse(
    'parameter',
    `Domain ${parent.name}(id: ${parent.id}) has maximum allowed resource limit ${above} for ${kind}, please specify a value less than or equal to ${above}`,
  );
}

export const updateResourceCount = writeCommand({
  name: 'updateResourceCount',
  summary: 'Tells how many objects of each kind an account or a domain has; they are counted anew each time',
  roles: ADMINS,
  params: z.object({
    domainid: ref('domain', 'The domain, with all below it'),
    account: text('The account in that domain').optional(),
    resourcetype: typeParam.optional(),
    projectid: text('Projects are not offered').optional(),
  }),
  answer: { kind: 'list', key: 'resourcecount', view: resourceCountView },
  async write(room, want) {
    const domain = await domainInReach(room, want.domainid, 'domainid');
    const account = want.account === undefined ? undefined : (await ownerOf(room, want)).account;
    const holder = { account, domain };
    const counts = [];
    for (const kind of kindsOf(want.resourcetype)) {
      const resourcecount =
        account === undefined
          ? await usedByDomain(room.db, kind, domain.path)
          : ((await usedByAccounts(room.db, kind, [account.id])).get(account.id) ?? 0);
      counts.push({ ...fieldsOf(holder, kind), resourcecount });
    }
    return { count: counts.length, resourcecount: counts };
  },
});
