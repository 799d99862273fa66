// Templates: what instances are made from. How they are shown and who may see them; changing them is in template-change.ts.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import type { TemplateTable } from '../../store/schema/offering.ts';
import { existing, unknownId, visibleRows } from '../access.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { osTypeId } from './os-type.ts';
import { type Room, listCommand } from '../room.ts';

export const templateView = z.object({
  id: field.string('id of the template'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  ...ownerFields,
  zoneid: field.string('its zone; where it is in all, the first'),
  zonename: field.string('name of that zone'),
  crossZones: field.boolean('whether it is in all zones'),
  ostypeid: field.string('kind of its operating system'),
  ostypename: field.string('name of that kind'),
  format: field.string('format of the image'),
  hypervisor: field.string('KVM'),
  size: field.long('bytes'),
  url: field.string('where the image comes from'),
  templatetype: field.string('BUILTIN or USER'),
  status: field.string('Download Complete'),
  isready: field.boolean('whether instances can be made from it'),
  ispublic: field.boolean('whether everybody may use it'),
  isfeatured: field.boolean('whether it is recommended to everybody'),
  isextractable: field.boolean('whether the image may be taken out'),
  isdynamicallyscalable: field.boolean('whether its instances can grow while they run'),
  passwordenabled: field.boolean('whether instances get a password of their own'),
  sshkeyenabled: field.boolean('whether instances take SSH keys'),
  bootable: field.boolean('true'),
  requireshvm: field.boolean('true'),
  created: field.date('when it was registered'),
  tags: field.list('its tags', tagView),
});

/** Templates as their answers show them; one that is in all zones is shown in the first, as clients expect one. */
export async function showTemplates(
  room: Room,
  rows: readonly TemplateTable[],
): Promise<z.infer<typeof templateView>[]> {
  const owner = await ownersOf(room.db, rows);
  const first = rows.some((row) => row.zone === null)
    ? await room.db.selectFrom('zone').select('id').orderBy('created').orderBy('id').limit(1).executeTakeFirst()
    : undefined;
  const zoneOf = (row: TemplateTable): string | undefined => row.zone ?? first?.id;
  const zones = await namesOf(room.db, 'zone', rows.map(zoneOf));
  const tags = await tagsOf(
    room.db,
    'Template',
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const zone = zoneOf(row);
    return field.compact<z.infer<typeof templateView>>({
      id: row.id,
      name: row.name,
      displaytext: row.displaytext,
      ...owner(row),
      zoneid: zone,
      zonename: zone === undefined ? undefined : zones.get(zone),
      crossZones: row.zone === null,
      ostypeid: osTypeId(row.ostypename),
      ostypename: row.ostypename,
      format: row.format,
      hypervisor: row.hypervisor,
      size: row.size,
      url: row.url,
      templatetype: row.templatetype,
      status: row.isready === 1 ? 'Download Complete' : 'Not ready',
      isready: row.isready === 1,
      ispublic: row.ispublic === 1,
      isfeatured: row.isfeatured === 1,
      isextractable: row.isextractable === 1,
      isdynamicallyscalable: row.isdynamicallyscalable === 1,
      passwordenabled: row.passwordenabled === 1,
      sshkeyenabled: row.sshkeyenabled === 1,
      bootable: true,
      requireshvm: true,
      created: field.clientDate(row.created),
      tags: tags(row.id),
    });
  });
}

/** The template with this id if the caller may use it (his own, within his reach, or public), else refuses as unknown. */
export async function usableTemplate(room: Room, id: string, name = 'id'): Promise<TemplateTable> {
  const row = await room.db
    .selectFrom('template')
    .selectAll()
    .where('id', '=', id)
    .where('removed', '=', 0)
    .where(usableBy(room))
    .executeTakeFirst();
  if (row === undefined) throw unknownId(room, name, id);
  return row;
}

function usableBy(room: Room): RawBuilder<SqlBool> {
  return sql<SqlBool>`(template.ispublic = 1 or ${visibleRows(room.call.caller, 'template')})`;
}

const FILTERS = [
  'featured',
  'self',
  'selfexecutable',
  'sharedexecutable',
  'executable',
  'community',
  'shared',
  'all',
] as const;
type Filter = (typeof FILTERS)[number];

export const listTemplates = listCommand({
  name: 'listTemplates',
  summary: 'Lists templates',
  roles: EVERYBODY,
  key: 'template',
  view: templateView,
  params: z.object({
    templatefilter: param.text(FILTERS.join(', ')),
    id: param.ref('template', 'The template with this id').optional(),
    ids: param.list('The templates with these ids', 'template').optional(),
    name: param.text('The template of this name').optional(),
    hypervisor: param.text('KVM').optional(),
    zoneid: param.ref('zone', 'In this zone').optional(),
    showremoved: param.flag('Accepted; deleted templates are not shown').optional(),
    ...listParams,
  }),
  async list(room, want) {
    const filter = FILTERS.find((name) => name === want.templatefilter.toLowerCase());
    if (filter === undefined)
      throw refuse(
        'parameter',
        `Please specify a valid template filter; ${want.templatefilter} is none of ${FILTERS.join(', ')}`,
      );
    if (filter === 'all' && room.call.caller.role !== 'admin')
      throw refuse('parameter', 'Filter all can be specified by root admin only');
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.id !== undefined) await usableTemplate(room, want.id);
    let query = room.db
      .selectFrom('template')
      .selectAll()
      .where('removed', '=', 0)
      .where(await filtered(room, filter, want))
      .where(taggedRows('template', 'Template', want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.ids !== undefined && want.ids.length > 0) query = query.where('id', 'in', want.ids);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.hypervisor !== undefined) query = query.where(named('hypervisor', want.hypervisor));
    const { zoneid } = want;
    if (zoneid !== undefined) query = query.where((eb) => eb.or([eb('zone', '=', zoneid), eb('zone', 'is', null)]));
    const { count, rows } = await page(query.orderBy('created').orderBy('name').orderBy('id'), want);
    return { count, rows: await showTemplates(room, rows) };
  },
});

/** Which templates a filter means, never more than the caller may use. */
async function filtered(
  room: Room,
  filter: Filter,
  want: Parameters<typeof ownedRows>[2],
): Promise<RawBuilder<SqlBool>> {
  switch (filter) {
    case 'featured':
      return sql<SqlBool>`template.ispublic = 1 and template.isfeatured = 1`;
    case 'community':
      return sql<SqlBool>`template.ispublic = 1 and template.isfeatured = 0`;
    case 'executable':
      return sql<SqlBool>`template.isready = 1 and ${usableBy(room)}`;
    case 'self':
      return ownedRows(room, 'template', want);
    case 'selfexecutable':
      return sql<SqlBool>`template.isready = 1 and ${await ownedRows(room, 'template', want)}`;
    // Templates are public or their owner's: none is shared with single accounts.
    case 'shared':
    case 'sharedexecutable':
      return sql<SqlBool>`1 = 0`;
    case 'all':
      return sql<SqlBool>`1 = 1`;
    default:
      return filter satisfies never;
  }
}
