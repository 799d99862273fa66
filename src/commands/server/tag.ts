// Tags: words clients hang on objects. A tag belongs to whoever owns the object.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { compact } from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { visibleRows } from '../access.ts';
import { ownersOf, tagView } from '../join.ts';
import { containing, named, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';

/** Kinds that can carry tags, as the API names them, and their tables. */
export const TAGGABLE = {
  UserVm: 'instance',
  Vpc: 'vpc',
  Network: 'network',
  PrivateGateway: 'privategateway',
  StaticRoute: 'staticroute',
  NetworkACLList: 'acl',
  Template: 'template',
  PublicIpAddress: 'publicip',
  PortForwardingRule: 'portforward',
  FirewallRule: 'firewallrule',
  LoadBalancer: 'loadbalancer',
  Volume: 'volume',
} as const;

type Kind = keyof typeof TAGGABLE;

/** Kinds the API knows that cannot carry tags here, for a better refusal. */
const KNOWN = new Set([
  'nic',
  'zone',
  'domain',
  'account',
  'user',
  'snapshot',
  'iso',
  'networkacl',
  'project',
  'vpngateway',
  'customergateway',
  'vpnconnection',
  'remoteaccessvpn',
  'serviceoffering',
  'diskoffering',
  'networkoffering',
]);

/** The kind as we write it, whatever the case it was typed in. */
function kindOf(typed: string): Kind {
  const lower = typed.toLowerCase();
  const kind = (Object.keys(TAGGABLE) as Kind[]).find((one) => one.toLowerCase() === lower);
  if (kind !== undefined) return kind;
  const taggable = Object.keys(TAGGABLE).join(', ');
  if (KNOWN.has(lower))
    throw refuse('parameter', `The resource type ${typed} doesn't support resource tags; ${taggable} do`);
  throw refuse('parameter', `Invalid resource type ${typed}; it must be one of ${taggable}`);
}

interface Owned {
  readonly account: string;
  readonly domain: string;
}

/** Whose the object is. Refuses what the caller may not see, and what belongs to nobody. */
async function ownerOfResource(room: Room, kind: Kind, id: string): Promise<Owned> {
  const table = TAGGABLE[kind];
  const found = await sql<{ account: string | null; domain: string | null }>`
    select account, domain from ${sql.table(table)} where id = ${id} and ${visibleRows(room.call.caller, table)}`.execute(
    room.db,
  );
  const { account, domain } = found.rows[0] ?? { account: null, domain: null };
  if (account === null || domain === null)
    throw refuse('parameter', `Unable to find resource by uuid ${id} and type ${kind}`);
  return { account, domain };
}

const resourceParams = {
  resourceids: param.list('Ids of the objects'),
  resourcetype: param.text('Their kind, such as Vpc, Network or UserVm, in any case'),
};

/** The ids named, each once. */
function idsOf(resourceids: readonly string[]): string[] {
  if (resourceids.length === 0) throw refuse('parameter', 'Name at least one object in resourceids');
  return [...new Set(resourceids)];
}

function checkLength(what: 'key' | 'value', key: string, text: string): void {
  if (text.length <= 255) return;
  throw refuse(
    'parameter',
    `The ${what} of tag ${key.slice(0, 40)} is ${text.length} characters long; at most 255 are possible`,
  );
}

export const createTags = jobCommand({
  name: 'createTags',
  summary: 'Hangs tags on objects',
  roles: WRITERS,
  params: z.object({ ...resourceParams, tags: param.map('The tags, as tags[0].key and tags[0].value') }),
  answer: { kind: 'success' },
  event: 'CREATE_TAGS',
  async job(room, want) {
    const kind = kindOf(want.resourcetype);
    const ids = idsOf(want.resourceids);
    if (want.tags.length === 0) throw refuse('parameter', 'Name at least one tag, as tags[0].key and tags[0].value');
    for (const id of ids) {
      const { account, domain } = await ownerOfResource(room, kind, id);
      for (const tag of want.tags) {
        const key = tag['key'] ?? '';
        const value = tag['value'] ?? '';
        if (key === '') throw refuse('parameter', 'A tag has no key: give tags[0].key');
        if (value === '') throw refuse('parameter', `Value for the key ${key} is either null or empty`);
        checkLength('key', key, key);
        checkLength('value', key, value);
        const same = await room.db
          .selectFrom('tag')
          .select('value')
          .where('kind', '=', kind)
          .where('resource', '=', id)
          .where('key', '=', key)
          .executeTakeFirst();
        if (same !== undefined)
          throw refuse(
            'parameter',
            `tag ${key} already on ${kind} with id ${id}: its value is ${same.value}. Delete it first with deleteTags`,
          );
        await room.tx.insert('tag', {
          id: newId(),
          kind,
          resource: id,
          key,
          value,
          account,
          domain,
          created: new Date().toISOString(),
        });
      }
    }
    return { about: { type: kind, id: ids[0]! }, text: `creating tags on ${kind} ${ids.join(', ')}` };
  },
});

export const deleteTags = jobCommand({
  name: 'deleteTags',
  summary: 'Takes tags off objects: those named, or all',
  roles: WRITERS,
  params: z.object({
    ...resourceParams,
    tags: param.map('The tags, by key, or by key and value; all where none is named').optional(),
  }),
  answer: { kind: 'success' },
  event: 'DELETE_TAGS',
  async job(room, want) {
    const kind = kindOf(want.resourcetype);
    const ids = idsOf(want.resourceids);
    let removed = 0;
    for (const id of ids) {
      await ownerOfResource(room, kind, id);
      const result = await room.db
        .deleteFrom('tag')
        .where('kind', '=', kind)
        .where('resource', '=', id)
        .where(oneOf(want.tags))
        .executeTakeFirst();
      removed += Number(result.numDeletedRows);
    }
    if (removed === 0) throw refuse('parameter', 'Unable to find tags by parameters specified');
    return { about: { type: kind, id: ids[0]! }, text: `deleting tags of ${kind} ${ids.join(', ')}` };
  },
});

function oneOf(tags: readonly Record<string, string>[] | undefined): RawBuilder<SqlBool> {
  if (tags === undefined || tags.length === 0) return sql<SqlBool>`1 = 1`;
  const matches = tags.map((tag) =>
    tag['value'] === undefined
      ? sql`key = ${tag['key'] ?? ''}`
      : sql`(key = ${tag['key'] ?? ''} and value = ${tag['value']})`,
  );
  return sql<SqlBool>`(${sql.join(matches, sql` or `)})`;
}

export const listTags = listCommand({
  name: 'listTags',
  summary: 'Lists tags',
  roles: EVERYBODY,
  params: z.object({
    resourcetype: param.text('Kind of objects, such as Vpc').optional(),
    resourceid: param.text('Id of an object').optional(),
    key: param.text('Key of tags').optional(),
    value: param.text('Value of tags').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  key: 'tag',
  view: tagView,
  async list(room, want) {
    let query = room.db
      .selectFrom('tag')
      .selectAll()
      .where(await ownedRows(room, 'tag', { ...want, id: want.resourceid }))
      .orderBy('created')
      .orderBy('key');
    if (want.resourcetype !== undefined) query = query.where('kind', '=', kindOf(want.resourcetype));
    if (want.resourceid !== undefined) query = query.where('resource', '=', want.resourceid);
    if (want.key !== undefined) query = query.where('key', '=', want.key);
    if (want.value !== undefined) query = query.where(named('value', want.value));
    if (want.keyword !== undefined) query = query.where(containing('key', want.keyword));
    const { count, rows } = await page(query, want);
    const owner = await ownersOf(room.db, rows);
    return {
      count,
      rows: rows.map((row) =>
        compact<z.infer<typeof tagView>>({
          key: row.key,
          value: row.value,
          resourcetype: row.kind,
          resourceid: row.resource,
          ...owner(row),
        }),
      ),
    };
  },
});
