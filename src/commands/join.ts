// What views need from other tables: names by id, owners, tags. Always for a whole page at once, never row by row.
import { sql } from 'kysely';
import { z } from 'zod';
import * as field from '../api/field.ts';
import type { Db } from '../store/open.ts';

/** Tables whose rows have a name that views of other resources show. */
type NamedTable =
  | 'zone'
  | 'domain'
  | 'vpc'
  | 'network'
  | 'networkoffering'
  | 'vpcoffering'
  | 'serviceoffering'
  | 'template'
  | 'acl'
  | 'host'
  | 'physicalnetwork'
  | 'account'
  | 'instance'
  | 'device'
  | 'switch';

/** id -> name, for the ids that exist. Nulls and repetitions among `ids` are fine. */
export async function namesOf(
  db: Db,
  table: NamedTable,
  ids: Iterable<string | null | undefined>,
): Promise<Map<string, string>> {
  const wanted = [...new Set(ids)].filter((id): id is string => typeof id === 'string');
  if (wanted.length === 0) return new Map();
  const found = await sql<{
    id: string;
    name: string;
  }>`select id, name from ${sql.table(table)} where id in (${sql.join(wanted)})`.execute(db);
  return new Map(found.rows.map((row) => [row.id, row.name]));
}

/** The fields every owned object shows. */
export const ownerFields = {
  account: field.string('the account that owns it'),
  domainid: field.string('the domain of its owner'),
  domain: field.string('name of that domain'),
  domainpath: field.string('path of that domain'),
};

interface OwnerView {
  account: string | undefined;
  domainid: string;
  domain: string | undefined;
  domainpath: string | undefined;
}

/** Gives for each owned row the owner fields of its view. */
export async function ownersOf(
  db: Db,
  rows: readonly { readonly account: string; readonly domain: string }[],
): Promise<(row: { readonly account: string; readonly domain: string }) => OwnerView> {
  const accounts = await namesOf(
    db,
    'account',
    rows.map((row) => row.account),
  );
  const domainIds = [...new Set(rows.map((row) => row.domain))];
  const domains = new Map(
    domainIds.length === 0
      ? []
      : (await db.selectFrom('domain').select(['id', 'name', 'path']).where('id', 'in', domainIds).execute()).map(
          (row) => [row.id, row],
        ),
  );
  return (row) => ({
    account: accounts.get(row.account),
    domainid: row.domain,
    domain: domains.get(row.domain)?.name,
    domainpath: domains.get(row.domain)?.path,
  });
}

export const tagView = z.object({
  key: field.string('key of the tag'),
  value: field.string('value of the tag'),
  resourcetype: field.string('kind of the tagged object'),
  resourceid: field.string('id of the tagged object'),
  ...ownerFields,
});

export type TagView = z.infer<typeof tagView>;

/** id -> tags of the objects of a kind (Vpc, Network, UserVm, …). */
export async function tagsOf(db: Db, kind: string, ids: readonly string[]): Promise<(id: string) => TagView[]> {
  if (ids.length === 0) return () => [];
  const rows = await db
    .selectFrom('tag')
    .selectAll()
    .where('kind', '=', kind)
    .where('resource', 'in', ids)
    .orderBy('key')
    .execute();
  if (rows.length === 0) return () => [];
  const owner = await ownersOf(db, rows);
  const byResource = Map.groupBy(rows, (row) => row.resource);
  return (id) =>
    (byResource.get(id) ?? []).map((row) => ({
      key: row.key,
      value: row.value,
      resourcetype: row.kind,
      resourceid: row.resource,
      ...owner(row),
    }));
}
