// What all lists have in common: whose objects are meant (account, domainid, listall, isrecursive), which page, which tags.
// The rules are CloudStack's (behaviour.md 4.6 of the fact sheets): an admin who says nothing means his own account.
import { type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import { refuse } from '../api/error.ts';
import { flag, integer, map, ref, text } from '../api/param.ts';
import { reaches, subtree, unknownId, visibleRows } from './access.ts';
import type { Page, Room } from './room.ts';

export const pageParams = {
  page: integer('Number of the page, from 1', { min: 1 }).optional(),
  pagesize: integer('Entries on a page; -1 for all', { min: -1 }).optional(),
  keyword: text('Part of the name').optional(),
};

/** For resources that belong to accounts. */
export const ownerParams = {
  account: text('List the objects of this account; with domainid').optional(),
  domainid: ref('domain', 'List the objects of this domain').optional(),
  isrecursive: flag('With domainid or listall: the domains below, too').optional(),
  listall: flag('List all objects the caller may see').optional(),
  projectid: text('Projects are not offered; -1 is accepted and means none').optional(),
};

export const tagParams = { tags: map('Tags, as tags[0].key and tags[0].value; any of them may match').optional() };

export const listParams = { ...pageParams, ...ownerParams, ...tagParams };

/** Largest page, and the default (configuration default.page.size). */
export const MAX_PAGE = 500;

interface PageWant {
  readonly page?: number | undefined;
  readonly pagesize?: number | undefined;
}

/** Runs a query page by page: how many rows match in all, and those of the page asked for. */
export async function page<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  want: PageWant,
): Promise<Page<O>> {
  const { limit, offset } = window(want);
  const paged = limit === undefined ? query : query.limit(limit).offset(offset);
  const rows = await paged.execute();
  // A short first page is the whole: no need to count.
  if (offset === 0 && (limit === undefined || rows.length < limit)) return { count: rows.length, rows };
  const counted = query
    .clearSelect()
    .clearOrderBy()
    .select(sql<number>`count(*)`.as('count'));
  const { count } = (await counted.executeTakeFirstOrThrow()) as { count: number };
  return { count, rows };
}

/** The same for a list that is already in memory. */
export function pageOf<T>(rows: readonly T[], want: PageWant): Page<T> {
  const { limit, offset } = window(want);
  return { count: rows.length, rows: limit === undefined ? rows : rows.slice(offset, offset + limit) };
}

function window({ page, pagesize }: PageWant): { limit: number | undefined; offset: number } {
  if (pagesize === -1) {
    if (page !== undefined)
      throw refuse('parameter', 'pagesize=-1 lists everything at once and cannot be combined with page');
    return { limit: undefined, offset: 0 };
  }
  if (page !== undefined && pagesize === undefined)
    throw refuse('parameter', '"pagesize" parameter is required when "page" is specified');
  if (pagesize !== undefined && page === undefined)
    throw refuse('parameter', '"page" parameter is required when "pagesize" is specified');
  if (pagesize !== undefined && pagesize > MAX_PAGE)
    throw refuse('parameter', `Page size can't exceed max allowed page size value: ${MAX_PAGE}`);
  if (pagesize === 0) throw refuse('parameter', 'pagesize must be -1 or at least 1');
  const limit = pagesize ?? MAX_PAGE;
  return { limit, offset: ((page ?? 1) - 1) * limit };
}

interface OwnerWant {
  readonly id?: unknown;
  readonly ids?: unknown;
  readonly account?: string | undefined;
  readonly domainid?: string | undefined;
  readonly isrecursive?: boolean | undefined;
  readonly listall?: boolean | undefined;
}

/** The condition on an owned table that says whose rows are meant, never more than the caller may see. */
export async function ownedRows(room: Room, table: string, want: OwnerWant): Promise<RawBuilder<SqlBool>> {
  const { caller } = room.call;
  const seen = await seenRows(room, table);
  const column = (name: string): RawBuilder<unknown> => sql.ref(`${table}.${name}`);
  if (want.domainid !== undefined || want.account !== undefined) {
    const domain = await room.db
      .selectFrom('domain')
      .select(['id', 'path'])
      .where('id', '=', want.domainid ?? caller.domainId)
      .executeTakeFirst();
    const own = domain?.id === caller.domainId;
    if (domain === undefined || !(own || reaches(caller, domain.path)))
      throw unknownId(room, 'domainid', want.domainid!);
    if (want.account !== undefined) {
      const account = await room.db
        .selectFrom('account')
        .select('id')
        .where('domain', '=', domain.id)
        .where('name', '=', want.account)
        .executeTakeFirst();
      const allowed = account !== undefined && (reaches(caller, domain.path) || account.id === caller.accountId);
      if (!allowed) throw refuse('parameter', `could not find account ${want.account} in domain ${domain.id}`);
      return sql<SqlBool>`${column('account')} = ${account.id} and ${seen}`;
    }
    const where =
      want.isrecursive === true
        ? sql<SqlBool>`${column('domain')} in (select id from ${sql.table('domain')} as chosen where ${subtree(domain.path, 'chosen')})`
        : sql<SqlBool>`${column('domain')} = ${domain.id}`;
    return sql<SqlBool>`${where} and ${seen}`;
  }
  const named = want.id !== undefined || want.ids !== undefined;
  if (caller.role === 'user' || want.listall === true || named) return seen;
  if (want.isrecursive === true) {
    return sql<SqlBool>`${column('domain')} in (select id from ${sql.table('domain')} as own where ${subtree(caller.domainPath, 'own')}) and ${seen}`;
  }
  return sql<SqlBool>`${column('account')} = ${caller.accountId}`;
}

/** What visibleRows() says, for large tables: with the domains named, rows come out of an index already in order. */
async function seenRows({ db, call: { caller } }: Room, table: string): Promise<RawBuilder<SqlBool>> {
  if (caller.role !== 'domain-admin' && caller.role !== 'readonly') return visibleRows(caller, table);
  const domains = await db
    .selectFrom('domain')
    .select('id')
    .where(subtree(caller.domainPath, 'domain'))
    .limit(2)
    .execute();
  const [only, more] = domains;
  return only === undefined || more !== undefined
    ? visibleRows(caller, table)
    : sql<SqlBool>`${sql.ref(`${table}.domain`)} = ${only.id}`;
}

/** The condition that a row carries one of the tags asked for (any may match); always true when none are asked for. */
export function taggedRows(
  table: string,
  kind: string,
  tags: readonly Record<string, string>[] | undefined,
): RawBuilder<SqlBool> {
  if (tags === undefined || tags.length === 0) return sql<SqlBool>`1 = 1`;
  const pairs = tags.map((tag) => sql<SqlBool>`(tag.key = ${tag['key'] ?? ''} and tag.value = ${tag['value'] ?? ''})`);
  return sql<SqlBool>`exists (select 1 from tag where tag.kind = ${kind} and tag.resource = ${sql.ref(`${table}.id`)} and (${sql.join(pairs, sql` or `)}))`;
}

/** Case-insensitive match of a whole name. */
export function named(column: string, value: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`lower(${sql.ref(column)}) = ${value.toLowerCase()}`;
}

/** Case-insensitive match of a part of a name. */
export function containing(column: string, value: string): RawBuilder<SqlBool> {
  const escaped = value.toLowerCase().replaceAll(/[\\%_]/g, (character) => `\\${character}`);
  return sql<SqlBool>`lower(${sql.ref(column)}) like ${`%${escaped}%`} escape '\\'`;
}

/** The same for a text in memory; whatever it is where nothing is asked for. */
export function holds(text: string | undefined, keyword: string | undefined): boolean {
  return keyword === undefined || text?.toLowerCase().includes(keyword.toLowerCase()) === true;
}
