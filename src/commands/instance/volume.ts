// listVolumes: the root disk of each instance, for clients that look for one. Disks are no objects of this product: a row
// here is another view of its instance, and its id follows from the instance's.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import { clientDate, compact } from '../../api/field.ts';
import { list, ref, text } from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId, visible, visibleRows } from '../access.ts';
import { namesOf, ownerFields, ownersOf, tagView } from '../join.ts';
import { listParams, named, ownedRows, page } from '../list.ts';
import { type Page, type Room, listCommand } from '../room.ts';

const volumeView = z.object({
  id: field.string('id of the volume'),
  name: field.string('name of the volume'),
  ...ownerFields,
  zoneid: field.string('id of the zone'),
  zonename: field.string('name of the zone'),
  type: field.string('always ROOT'),
  deviceid: field.long('position among the disks of the instance'),
  virtualmachineid: field.string('id of the instance'),
  vmname: field.string('host name of the instance'),
  vmdisplayname: field.string('display name of the instance'),
  vmstate: field.string('state of the instance'),
  size: field.long('size in bytes'),
  created: field.date('when it was created'),
  attached: field.date('when it was attached'),
  state: field.string('always Ready'),
  storagetype: field.string('always local'),
  hypervisor: field.string('kind of hypervisor'),
  templateid: field.string('id of the template it was made from'),
  templatename: field.string('name of that template'),
  serviceofferingid: field.string('id of the service offering of the instance'),
  serviceofferingname: field.string('name of that service offering'),
  destroyed: field.boolean('whether its instance is destroyed'),
  isextractable: field.boolean('whether it can be downloaded'),
  displayvolume: field.boolean('whether it is shown to its owner'),
  tags: field.list('tags', tagView),
});

type VolumeView = z.infer<typeof volumeView>;

/** Turns the id of an instance into that of its root disk, and back. */
function mirrored(id: string): string {
  const tail = BigInt(`0x${id.slice(24)}`) ^ 0xd15c_d15c_d15cn;
  return id.slice(0, 24) + tail.toString(16).padStart(12, '0');
}

export const listVolumes = listCommand({
  name: 'listVolumes',
  summary: 'Lists the root disks of instances',
  roles: EVERYBODY,
  params: z.object({
    id: ref('volume', 'Only this volume').optional(),
    ids: list('Only these volumes', 'volume').optional(),
    name: text('Name of the volume, whole').optional(),
    type: text('ROOT; there are no data disks').optional(),
    virtualmachineid: ref('instance', 'Only of this instance').optional(),
    zoneid: ref('zone', 'Only in this zone').optional(),
    ...listParams,
  }),
  key: 'volume',
  view: volumeView,
  async list(room, want): Promise<Page<VolumeView>> {
    if (want.id !== undefined && (await ofInstance(room, want.id)) === undefined) throw unknownId(room, 'id', want.id);
    if (want.virtualmachineid !== undefined) await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    const other = want.type !== undefined && want.type.toUpperCase() !== 'ROOT';
    if (other || (want.tags !== undefined && want.tags.length > 0)) return { count: 0, rows: [] };
    let query = room.db
      .selectFrom('instance')
      .selectAll()
      .where(await ownedRows(room, 'instance', want));
    if (want.id !== undefined) query = query.where('id', '=', mirrored(want.id));
    if (want.ids !== undefined && want.ids.length > 0) query = query.where('id', 'in', want.ids.map(mirrored));
    if (want.virtualmachineid !== undefined) query = query.where('id', '=', want.virtualmachineid);
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.name !== undefined)
      query = query.where(named('instance.name', want.name.replace(/^ROOT-([0-9]+)$/i, 'i-$1-VM')));
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await show(room, rows) };
  },
});

async function ofInstance(room: Room, volumeId: string): Promise<{ id: string } | undefined> {
  return room.db
    .selectFrom('instance')
    .select('id')
    .where('id', '=', mirrored(volumeId))
    .where(visibleRows(room.call.caller, 'instance'))
    .executeTakeFirst();
}

async function show(room: Room, rows: readonly Tables['instance'][]): Promise<VolumeView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const owner = await ownersOf(db, rows);
  const zones = await namesOf(
    db,
    'zone',
    rows.map((row) => row.zone),
  );
  const offerings = await namesOf(
    db,
    'serviceoffering',
    rows.map((row) => row.serviceoffering),
  );
  const templateIds = [...new Set(rows.map((row) => row.template))];
  const templates = new Map(
    (
      await db
        .selectFrom('template')
        .select(['id', 'name', 'size', 'hypervisor'])
        .where('id', 'in', templateIds)
        .execute()
    ).map((row) => [row.id, row]),
  );
  return rows.map((row) => {
    const template = templates.get(row.template);
    return compact<VolumeView>({
      id: mirrored(row.id),
      name: row.name.replace(/^i-([0-9]+)-VM$/, 'ROOT-$1'),
      ...owner(row),
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      type: 'ROOT',
      deviceid: 0,
      virtualmachineid: row.id,
      vmname: row.hostname,
      vmdisplayname: row.displayname,
      vmstate: row.state,
      size: template?.size,
      created: clientDate(row.created),
      attached: clientDate(row.created),
      state: 'Ready',
      storagetype: 'local',
      hypervisor: template?.hypervisor,
      templateid: row.template,
      templatename: template?.name,
      serviceofferingid: row.serviceoffering,
      serviceofferingname: offerings.get(row.serviceoffering),
      destroyed: row.state === 'Destroyed',
      isextractable: false,
      displayvolume: true,
      tags: [],
    });
  });
}
