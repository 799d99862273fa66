// Domains: the tree of tenants. Who administers a domain administers all below it; nobody sees what is beside it.
import { sql } from 'kysely';
import { z } from 'zod';
import { ROOT, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { DomainTable } from '../../store/schema/account.ts';
import { reaches, subtree, unknownId } from '../access.ts';
import { forgetLimits, removeAccount, revokePorts, undedicate } from './account-removal.ts';
import { namesOf } from '../join.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { checkNetworkDomain } from '../known.ts';
import { type Room, type WriteRoom, jobCommand, listCommand, writeCommand } from '../room.ts';

export const domainView = z.object({
  id: field.string('id of the domain'),
  name: field.string('its name'),
  level: field.integer('how deep it is: 0 for ROOT'),
  parentdomainid: field.string('id of the domain above'),
  parentdomainname: field.string('name of the domain above'),
  haschild: field.boolean('whether there are domains below'),
  path: field.string('names from ROOT down to it'),
  networkdomain: field.string('DNS name of its networks'),
  state: field.string('Active'),
  created: field.date('when it was made'),
});

/** Domains as answers show them. */
export async function showDomains(room: Room, rows: readonly DomainTable[]): Promise<z.infer<typeof domainView>[]> {
  if (rows.length === 0) return [];
  const parents = await namesOf(
    room.db,
    'domain',
    rows.map((row) => row.parent),
  );
  const ids = rows.map((row) => row.id);
  const withChildren = await room.db
    .selectFrom('domain')
    .select('parent')
    .where('parent', 'in', ids)
    .distinct()
    .execute();
  const above = new Set(withChildren.map((row) => row.parent));
  return rows.map((row) =>
    field.compact<z.infer<typeof domainView>>({
      id: row.id,
      name: row.name,
      level: row.level,
      parentdomainid: row.parent,
      parentdomainname: row.parent === null ? undefined : parents.get(row.parent),
      haschild: above.has(row.id),
      path: row.path,
      networkdomain: row.networkdomain,
      state: row.state,
      created: field.clientDate(row.created),
    }),
  );
}

/** The domain with this id, if it lies in the caller's reach; else refuses as unknown. */
export async function domainInReach(room: Room, id: string, param: string): Promise<DomainTable> {
  const row = await room.db.selectFrom('domain').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !(row.id === room.call.caller.domainId || reaches(room.call.caller, row.path)))
    throw unknownId(room, param, id);
  return row;
}

const byPath = (room: Room) => room.db.selectFrom('domain').selectAll().orderBy('level').orderBy('path');

export const listDomains = listCommand({
  name: 'listDomains',
  summary: 'Lists domains',
  roles: WATCHERS,
  params: z.object({
    id: param.ref('domain', 'Id of a domain').optional(),
    name: param.text('Name of domains').optional(),
    level: param.integer('Depth of domains').optional(),
    listall: param.flag('All domains the caller may see; otherwise a domain admin sees his own').optional(),
    ...pageParams,
  }),
  key: 'domain',
  view: domainView,
  async list(room, want) {
    const { caller } = room.call;
    let query = byPath(room);
    if (want.id !== undefined) query = query.where('id', '=', (await domainInReach(room, want.id, 'id')).id);
    else if (caller.role !== 'admin')
      query = query.where(
        want.listall === true ? subtree(caller.domainPath, 'domain') : sql<boolean>`id = ${caller.domainId}`,
      );
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.level !== undefined) query = query.where('level', '=', want.level);
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query, want);
    return { count, rows: await showDomains(room, rows) };
  },
});

export const listDomainChildren = listCommand({
  name: 'listDomainChildren',
  summary: 'Lists the domains below a domain',
  roles: WATCHERS,
  params: z.object({
    id: param.ref('domain', "The domain above; the caller's own where none is named").optional(),
    name: param.text('Name of domains').optional(),
    isrecursive: param.flag('The whole tree below, not only the next level').optional(),
    listall: param.flag('Accepted; says nothing here').optional(),
    ...pageParams,
  }),
  key: 'domain',
  view: domainView,
  async list(room, want) {
    const top = await domainInReach(room, want.id ?? room.call.caller.domainId, 'id');
    let query = byPath(room).where('id', '!=', top.id);
    query = want.isrecursive === true ? query.where(subtree(top.path, 'domain')) : query.where('parent', '=', top.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query, want);
    return { count, rows: await showDomains(room, rows) };
  },
});

export const createDomain = writeCommand({
  name: 'createDomain',
  summary: 'Creates a domain',
  roles: ROOT,
  params: z.object({
    name: param.text('Name of the domain, unique below its parent'),
    parentdomainid: param.ref('domain', 'The domain above; ROOT where none is named').optional(),
    networkdomain: param.text('DNS name of its networks').optional(),
  }),
  answer: { kind: 'object', key: 'domain', view: domainView },
  event: 'DOMAIN.CREATE',
  async write(room, want) {
    const parent = await domainInReach(room, want.parentdomainid ?? room.call.caller.domainId, 'parentdomainid');
    if (want.networkdomain !== undefined) checkNetworkDomain(want.networkdomain);
    await checkName(room, want.name, parent);
    const row: DomainTable = {
      id: newId(),
      name: want.name,
      path: `${parent.path}/${want.name}`,
      parent: parent.id,
      level: parent.level + 1,
      networkdomain: want.networkdomain ?? null,
      state: 'Active',
      created: new Date().toISOString(),
    };
    await room.tx.insert('domain', row);
    return { domain: (await showDomains(room, [row]))[0] };
  },
});

const MAX_LEVEL = 32;

/** A name is a step of a path, and logging in names the path: so no slash, no blank ends, and unique whatever the case. */
async function checkName(room: Room, name: string, parent: DomainTable, except?: string): Promise<void> {
  if (name.includes('/') || name.trim() !== name) {
    throw refuse('parameter', `Invalid domain name ${name}: it must not contain "/" nor begin or end with a blank`);
  }
  if (parent.level >= MAX_LEVEL) throw refuse('parameter', `Domains cannot be nested deeper than ${MAX_LEVEL} levels`);
  const same = await room.db
    .selectFrom('domain')
    .select('id')
    .where('parent', '=', parent.id)
    .where(named('name', name))
    .where('id', '!=', except ?? '')
    .executeTakeFirst();
  if (same !== undefined)
    throw refuse('parameter', `Domain with name ${name} already exists for the parent id=${parent.id}`);
}

export const updateDomain = writeCommand({
  name: 'updateDomain',
  summary: "Changes a domain's name or network domain",
  roles: ROOT,
  params: z.object({
    id: param.ref('domain', 'The domain'),
    name: param.text('Its new name').optional(),
    networkdomain: param.text('DNS name of its networks').optional(),
  }),
  answer: { kind: 'object', key: 'domain', view: domainView },
  event: 'DOMAIN.UPDATE',
  async write(room, want) {
    const row = await domainInReach(room, want.id, 'id');
    if (want.networkdomain !== undefined && want.networkdomain !== '') checkNetworkDomain(want.networkdomain);
    const networkdomain =
      want.networkdomain === undefined ? row.networkdomain : want.networkdomain === '' ? null : want.networkdomain;
    if (want.name === undefined || want.name === row.name) {
      await room.tx.update('domain', row.id, { networkdomain });
    } else {
      if (row.parent === null) throw refuse('permission', "Can't rename the ROOT domain");
      const parent = await room.db
        .selectFrom('domain')
        .selectAll()
        .where('id', '=', row.parent)
        .executeTakeFirstOrThrow();
      await checkName(room, want.name, parent, row.id);
      const path = `${parent.path}/${want.name}`;
      await room.tx.update('domain', row.id, { name: want.name, networkdomain });
      await sql`update domain set path = ${path} || substr(path, length(cast(${row.path} as text)) + 1) where ${subtree(row.path, 'domain')}`.execute(
        room.db,
      );
    }
    const now = await room.db.selectFrom('domain').selectAll().where('id', '=', row.id).executeTakeFirstOrThrow();
    return { domain: (await showDomains(room, [now]))[0] };
  },
});

export const deleteDomain = jobCommand({
  name: 'deleteDomain',
  summary: 'Deletes a domain',
  roles: ROOT,
  params: z.object({
    id: param.ref('domain', 'The domain'),
    cleanup: param.flag('Delete its accounts, all they own, and the domains below, too').optional(),
  }),
  answer: { kind: 'success' },
  event: 'DOMAIN.DELETE',
  async job(room, want) {
    const row = await domainInReach(room, want.id, 'id');
    if (row.parent === null) throw refuse('permission', "Can't delete ROOT domain");
    if (want.cleanup !== true) await refuseFull(room, row);
    const below = await room.db
      .selectFrom('domain')
      .selectAll()
      .where(subtree(row.path, 'domain'))
      .orderBy('level', 'desc')
      .execute();
    for (const domain of below) {
      const accounts = await room.db.selectFrom('account').selectAll().where('domain', '=', domain.id).execute();
      for (const account of accounts) await removeAccount(room, account);
      await refuseShared(room, domain);
      await revokePorts(room, 'domain', domain.id);
      await undedicate(room, 'domain', domain.id);
      await forgetLimits(room, 'domain', domain.id);
      await room.tx.remove('domain', domain.id);
    }
    return { about: { type: 'Domain', id: row.id }, text: `deleting domain ${row.path}` };
  },
});

/** A network of another account may be shared with the domain: what becomes of it is not ours to decide. */
async function refuseShared(room: WriteRoom, domain: DomainTable): Promise<void> {
  const shared = await room.db
    .selectFrom('network')
    .select('name')
    .where('domain', '=', domain.id)
    .orderBy('name')
    .execute();
  if (shared.length === 0) return;
  throw refuse(
    'failed',
    `Can't delete domain ${domain.path}: ${listed('network', shared)} shared with it belong to other accounts. Delete them first`,
  );
}

async function refuseFull(room: WriteRoom, domain: DomainTable): Promise<void> {
  const accounts = await room.db
    .selectFrom('account')
    .select('name')
    .where('domain', '=', domain.id)
    .orderBy('name')
    .execute();
  const children = await room.db
    .selectFrom('domain')
    .select('name')
    .where('parent', '=', domain.id)
    .orderBy('name')
    .execute();
  const holds = [listed('account', accounts), listed('domain', children)].filter((text) => text !== '');
  if (holds.length === 0) return;
  throw refuse(
    'failed',
    `Can't delete the domain yet because it has ${holds.join(' and ')}; delete them first, or give cleanup=true`,
  );
}

/** `2 accounts (a, b)`; empty for none. */
function listed(kind: string, rows: readonly { readonly name: string }[]): string {
  if (rows.length === 0) return '';
  const names = rows.slice(0, 10).map((row) => row.name);
  return `${rows.length} ${kind}${rows.length === 1 ? '' : 's'} (${names.join(', ')}${rows.length > names.length ? ', …' : ''})`;
}
