// Disk offerings: sizes of volumes. What is made of them is bookkeeping: see ../instance/volume-row.ts.
import { z } from 'zod';
import { EVERYBODY, ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import type { DiskOfferingTable } from '../../store/schema/offering.ts';
import { existing, unknownId } from '../access.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { limitParams, refuseLimits, sharedListParams } from './offering.ts';
import { type Room, listCommand, writeCommand } from '../room.ts';

export const diskOfferingView = z.object({
  id: field.string('id of the offering'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  disksize: field.long('size in GiB; 0 where each volume chooses'),
  iscustomized: field.boolean('whether each volume chooses its size'),
  iscustomizediops: field.boolean('false'),
  displayoffering: field.boolean('true'),
  storagetype: field.string('shared'),
  provisioningtype: field.string('thin'),
  tags: field.string('tags of its storage'),
  created: field.date('when it was made'),
});

export function showDiskOfferings(
  _room: Room,
  rows: readonly DiskOfferingTable[],
): Promise<z.infer<typeof diskOfferingView>[]> {
  return Promise.resolve(
    rows.map((row) =>
      field.compact<z.infer<typeof diskOfferingView>>({
        id: row.id,
        name: row.name,
        displaytext: row.displaytext,
        disksize: row.disksize,
        iscustomized: row.iscustomized === 1,
        iscustomizediops: false,
        displayoffering: true,
        storagetype: 'shared',
        provisioningtype: 'thin',
        tags: row.tags,
        created: field.clientDate(row.created),
      }),
    ),
  );
}

export const listDiskOfferings = listCommand({
  name: 'listDiskOfferings',
  summary: 'Lists the sizes volumes can have',
  roles: EVERYBODY,
  key: 'diskoffering',
  view: diskOfferingView,
  params: z.object({
    id: param.ref('diskoffering', 'The offering with this id').optional(),
    name: param.text('The offering of this name').optional(),
    ...sharedListParams,
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await offering(room, want.id);
    let query = room.db.selectFrom('diskoffering').selectAll().where('removed', '=', 0);
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query.orderBy('sort').orderBy('created').orderBy('id'), want);
    return { count, rows: await showDiskOfferings(room, rows) };
  },
});

export const createDiskOffering = writeCommand({
  name: 'createDiskOffering',
  summary: 'Creates a size for volumes',
  roles: ROOT,
  event: 'DISK.OFFERING.CREATE',
  answer: { kind: 'object', key: 'diskoffering', view: diskOfferingView },
  params: z.object({
    name: param.text('Name'),
    displaytext: param.text('Description', 4096),
    disksize: param.integer('Size in GiB', { type: 'long' }).optional(),
    customized: param.flag('Whether each volume chooses its size').optional(),
    tags: param.text('Tags of its storage', 4096).optional(),
    ...limitParams,
  }),
  async write(room, want) {
    refuseLimits(want, 'disk offering');
    const customized = want.customized === true;
    if (customized && want.disksize !== undefined)
      throw refuse('parameter', 'Disksize is not allowed for a customized disk offering');
    if (!customized && (want.disksize === undefined || want.disksize < 1)) {
      throw refuse('parameter', `Please specify a disksize of at least 1 Gb for ${want.name}, or customized=true`);
    }
    const row: Tables['diskoffering'] = {
      id: newId(),
      name: want.name,
      displaytext: want.displaytext,
      disksize: want.disksize ?? 0,
      iscustomized: customized ? 1 : 0,
      tags: want.tags ?? null,
      removed: 0,
      sort: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('diskoffering', row);
    return { diskoffering: (await showDiskOfferings(room, [row]))[0] };
  },
});

export const updateDiskOffering = writeCommand({
  name: 'updateDiskOffering',
  summary: 'Changes name, description or place in the list of a size',
  roles: ROOT,
  event: 'DISK.OFFERING.EDIT',
  answer: { kind: 'object', key: 'diskoffering', view: diskOfferingView },
  params: z.object({
    id: param.ref('diskoffering', 'The offering'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description', 4096).optional(),
    sortkey: param.integer('Place in lists: smaller is earlier').optional(),
    tags: param.text('Tags of its storage', 4096).optional(),
  }),
  async write(room, want) {
    const old = await offering(room, want.id);
    const row = {
      ...old,
      name: want.name ?? old.name,
      displaytext: want.displaytext ?? old.displaytext,
      sort: want.sortkey ?? old.sort,
      tags: want.tags ?? old.tags,
    };
    await room.tx.update('diskoffering', row.id, row);
    return { diskoffering: (await showDiskOfferings(room, [row]))[0] };
  },
});

export const deleteDiskOffering = writeCommand({
  name: 'deleteDiskOffering',
  summary: 'Withdraws a size for volumes',
  roles: ROOT,
  event: 'DISK.OFFERING.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('diskoffering', 'The offering') }),
  async write(room, want) {
    const row = await offering(room, want.id);
    await room.tx.update('diskoffering', row.id, { removed: 1 });
    return undefined;
  },
});

/** The offering with this id that was not deleted. */
async function offering(room: Room, id: string): Promise<DiskOfferingTable> {
  const row = await existing(room, 'diskoffering', id);
  if (row.removed === 1) throw unknownId(room, 'id', id);
  return row;
}
