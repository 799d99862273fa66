// How volumes are shown and listed: the root disks that come with instances, and the data disks that clients make.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import { clientDate, compact } from '../../api/field.ts';
import { list, ref, text } from '../../api/param.ts';
import { existing, visible, visibleRows } from '../access.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { type Page, type Room, listCommand } from '../room.ts';
import { VOLUME_TAG, type Volume } from './volume-row.ts';

export const volumeView = z.object({
  id: field.string('id of the volume'),
  name: field.string('name of the volume'),
  ...ownerFields,
  zoneid: field.string('id of the zone'),
  zonename: field.string('name of the zone'),
  type: field.string('ROOT, or DATA'),
  deviceid: field.long('position among the disks of the instance'),
  virtualmachineid: field.string('id of the instance it is attached to'),
  vmname: field.string('host name of that instance'),
  vmdisplayname: field.string('display name of that instance'),
  vmstate: field.string('state of that instance'),
  size: field.long('size in bytes'),
  created: field.date('when it was created'),
  attached: field.date('when it was attached'),
  state: field.string('Ready, or Allocated: attached to nothing'),
  storagetype: field.string('always local'),
  provisioningtype: field.string('always thin'),
  hypervisor: field.string('kind of hypervisor'),
  diskofferingid: field.string('id of its disk offering'),
  diskofferingname: field.string('name of its disk offering'),
  diskofferingdisplaytext: field.string('description of its disk offering'),
  templateid: field.string('id of the template a root disk was made from'),
  templatename: field.string('name of that template'),
  serviceofferingid: field.string('id of the service offering of its instance, for a root disk'),
  serviceofferingname: field.string('name of that service offering'),
  destroyed: field.boolean('whether its instance is destroyed'),
  isextractable: field.boolean('whether it can be downloaded'),
  displayvolume: field.boolean('whether it is shown to its owner'),
  tags: field.list('tags', tagView),
});

type VolumeView = z.infer<typeof volumeView>;

export const listVolumes = listCommand({
  name: 'listVolumes',
  summary: 'Lists volumes: the root disks of instances, and data disks',
  roles: EVERYBODY,
  params: z.object({
    id: ref('volume', 'Only this volume').optional(),
    ids: list('Only these volumes', 'volume').optional(),
    name: text('Name of the volume, whole').optional(),
    type: text('ROOT, or DATA').optional(),
    virtualmachineid: ref('instance', 'Only of this instance').optional(),
    zoneid: ref('zone', 'Only in this zone').optional(),
    diskofferingid: ref('diskoffering', 'Only with this disk offering').optional(),
    ...listParams,
  }),
  key: 'volume',
  view: volumeView,
  async list(room, want): Promise<Page<VolumeView>> {
    if (want.id !== undefined) await visible(room, 'volume', want.id);
    if (want.virtualmachineid !== undefined) await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.diskofferingid !== undefined) await existing(room, 'diskoffering', want.diskofferingid, 'diskofferingid');
    let query = room.db
      .selectFrom('volume')
      .selectAll()
      .where(await ownedRows(room, 'volume', want))
      .where(taggedRows('volume', VOLUME_TAG, want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.ids !== undefined && want.ids.length > 0) query = query.where('id', 'in', want.ids);
    if (want.type !== undefined) query = query.where('type', '=', want.type.toUpperCase());
    if (want.virtualmachineid !== undefined) query = query.where('instance', '=', want.virtualmachineid);
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.diskofferingid !== undefined) query = query.where('diskoffering', '=', want.diskofferingid);
    if (want.name !== undefined) query = query.where(named('volume.name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('volume.name', want.keyword));
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showVolumes(room, rows) };
  },
});

/** A volume for a job's result; undefined when it is gone. */
export async function viewVolume(room: Room, id: string): Promise<VolumeView | undefined> {
  const row = await room.db
    .selectFrom('volume')
    .selectAll()
    .where('id', '=', id)
    .where(visibleRows(room.call.caller, 'volume'))
    .executeTakeFirst();
  return row === undefined ? undefined : (await showVolumes(room, [row]))[0];
}

/** Volumes as answers show them. */
export async function showVolumes(room: Room, rows: readonly Volume[]): Promise<VolumeView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const owner = await ownersOf(db, rows);
  const zones = await namesOf(
    db,
    'zone',
    rows.map((row) => row.zone),
  );
  const tags = await tagsOf(
    db,
    VOLUME_TAG,
    rows.map((row) => row.id),
  );
  const offerings = new Map(
    (await db.selectFrom('diskoffering').select(['id', 'name', 'displaytext']).execute()).map((row) => [row.id, row]),
  );
  const instances = await instancesOf(room, rows);
  return rows.map((row) => {
    const instance = row.instance === null ? undefined : instances.get(row.instance);
    const root = row.type === 'ROOT' ? instance : undefined;
    const offering = row.diskoffering === null ? undefined : offerings.get(row.diskoffering);
    return compact<VolumeView>({
      id: row.id,
      name: row.name,
      ...owner(row),
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      type: row.type,
      deviceid: row.deviceid,
      virtualmachineid: row.instance,
      vmname: instance?.hostname,
      vmdisplayname: instance?.displayname,
      vmstate: instance?.state,
      size: row.size,
      created: clientDate(row.created),
      attached: row.attached === null ? undefined : clientDate(row.attached),
      state: row.instance === null ? 'Allocated' : 'Ready',
      storagetype: 'local',
      provisioningtype: 'thin',
      hypervisor: instance?.hypervisor,
      diskofferingid: row.diskoffering,
      diskofferingname: offering?.name,
      diskofferingdisplaytext: offering?.displaytext,
      templateid: root?.template,
      templatename: root?.templatename,
      serviceofferingid: root?.serviceoffering,
      serviceofferingname: root?.offeringname,
      destroyed: root !== undefined && root.state === 'Destroyed',
      isextractable: false,
      displayvolume: true,
      tags: tags(row.id),
    });
  });
}

/** The instances that volumes are attached to, with what their volumes show of them. */
async function instancesOf({ db }: Room, rows: readonly Volume[]) {
  const ids = [...new Set(rows.map((row) => row.instance))].filter((id) => id !== null);
  if (ids.length === 0) return new Map<string, never>();
  const found = await db
    .selectFrom('instance')
    .innerJoin('template', 'template.id', 'instance.template')
    .innerJoin('serviceoffering', 'serviceoffering.id', 'instance.serviceoffering')
    .select(['instance.id', 'instance.hostname', 'instance.displayname', 'instance.state'])
    .select(['instance.template', 'instance.serviceoffering'])
    .select(['template.name as templatename', 'template.hypervisor', 'serviceoffering.name as offeringname'])
    .where('instance.id', 'in', ids)
    .execute();
  return new Map(found.map((row) => [row.id, row]));
}
