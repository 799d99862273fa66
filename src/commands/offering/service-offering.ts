// Service offerings: sizes of instances. Deleted ones stay as rows, because instances of them live on.
import { z } from 'zod';
import { EVERYBODY, ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import type { ServiceOfferingTable } from '../../store/schema/offering.ts';
import { existing, unknownId, visible } from '../access.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { limitParams, refuseLimits, sharedListParams } from './offering.ts';
import { type Room, listCommand, writeCommand } from '../room.ts';

export const serviceOfferingView = z.object({
  id: field.string('id of the offering'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  cpunumber: field.integer('processors'),
  cpuspeed: field.integer('MHz of each, as a weight'),
  memory: field.integer('memory in MiB'),
  networkrate: field.integer('Mbit/s of the network interface'),
  storagetype: field.string('shared'),
  provisioningtype: field.string('thin'),
  storagetags: field.string('tags of its storage'),
  tags: field.string('the same, as older clients read it'),
  offerha: field.boolean('whether it is started elsewhere when its host fails'),
  limitcpuuse: field.boolean('false'),
  isvolatile: field.boolean('false'),
  iscustomized: field.boolean('false: the size is fixed'),
  iscustomizediops: field.boolean('false'),
  issystem: field.boolean('whether it is for routers'),
  defaultuse: field.boolean('false'),
  created: field.date('when it was made'),
});

export function showServiceOfferings(
  _room: Room,
  rows: readonly ServiceOfferingTable[],
): Promise<z.infer<typeof serviceOfferingView>[]> {
  return Promise.resolve(
    rows.map((row) =>
      field.compact<z.infer<typeof serviceOfferingView>>({
        id: row.id,
        name: row.name,
        displaytext: row.displaytext,
        cpunumber: row.cpunumber,
        cpuspeed: row.cpuspeed,
        memory: row.memory,
        networkrate: row.networkrate,
        storagetype: 'shared',
        provisioningtype: 'thin',
        storagetags: row.tags,
        tags: row.tags,
        offerha: row.offerha === 1,
        limitcpuuse: false,
        isvolatile: false,
        iscustomized: false,
        iscustomizediops: false,
        issystem: row.issystem === 1,
        defaultuse: false,
        created: field.clientDate(row.created),
      }),
    ),
  );
}

export const listServiceOfferings = listCommand({
  name: 'listServiceOfferings',
  summary: 'Lists the sizes instances can have',
  roles: EVERYBODY,
  key: 'serviceoffering',
  view: serviceOfferingView,
  params: z.object({
    id: param.ref('serviceoffering', 'The offering with this id').optional(),
    name: param.text('The offering of this name').optional(),
    issystem: param.flag('true: those for routers; root only').optional(),
    virtualmachineid: param.ref('instance', 'What this instance could change to').optional(),
    ...sharedListParams,
    ...pageParams,
  }),
  async list(room, want) {
    const { caller } = room.call;
    if (want.issystem === true && caller.role !== 'admin')
      throw refuse('permission', "Only ROOT admins can access system's offering");
    if (want.id !== undefined) await offering(room, want.id);
    let query = room.db
      .selectFrom('serviceoffering')
      .selectAll()
      .where('removed', '=', 0)
      .where('issystem', '=', want.issystem === true ? 1 : 0);
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.virtualmachineid !== undefined) {
      const instance = await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
      query = query.where('id', '!=', instance.serviceoffering);
    }
    const { count, rows } = await page(query.orderBy('sort').orderBy('created').orderBy('id'), want);
    return { count, rows: await showServiceOfferings(room, rows) };
  },
});

export const createServiceOffering = writeCommand({
  name: 'createServiceOffering',
  summary: 'Creates a size for instances',
  roles: ROOT,
  event: 'SERVICE.OFFERING.CREATE',
  answer: { kind: 'object', key: 'serviceoffering', view: serviceOfferingView },
  params: z.object({
    name: param.text('Name'),
    displaytext: param.text('Description', 4096),
    cpunumber: param.integer('Processors, 1 to 256').optional(),
    cpuspeed: param.integer('MHz of each, as a weight').optional(),
    memory: param.integer('Memory in MiB, 32 or more').optional(),
    networkrate: param.integer('Mbit/s of the network interface; 0 or absent: no limit').optional(),
    offerha: param.flag('Whether it is started elsewhere when its host fails').optional(),
    issystem: param.flag('Whether it is for routers').optional(),
    customized: param.flag('Only false: the size is fixed').optional(),
    storagetype: param.text('shared').optional(),
    tags: param.text('Tags of its storage', 4096).optional(),
    hosttags: param.text('Not offered: any host may run it').optional(),
    ...limitParams,
  }),
  async write(room, want) {
    refuseLimits(want, 'service offering');
    if (want.customized === true)
      throw refuse(
        'parameter',
        'A size that each instance chooses (customized=true) is not offered: give cpunumber and memory',
      );
    if (want.hosttags !== undefined && want.hosttags !== '')
      throw refuse('parameter', `Host tags (${want.hosttags}) are not offered: any host may run any size`);
    if (want.storagetype !== undefined && want.storagetype.toLowerCase() !== 'shared') {
      throw refuse('parameter', `Invalid storage type ${want.storagetype} specified; supported types are: shared`);
    }
    const { cpunumber, memory, cpuspeed = 1000, networkrate } = want;
    if (cpunumber === undefined || cpunumber < 1 || cpunumber > 256) {
      throw refuse(
        'parameter',
        `Failed to create service offering ${want.name}: specify the cpu number value between 1 and 256${given(cpunumber)}`,
      );
    }
    if (memory === undefined || memory < 32) {
      throw refuse(
        'parameter',
        `Failed to create service offering ${want.name}: specify the memory value between 32 and 2147483647 MB${given(memory)}`,
      );
    }
    if (cpuspeed < 1)
      throw refuse(
        'parameter',
        `Failed to create service offering ${want.name}: specify the cpu speed value between 1 and 2147483647${given(cpuspeed)}`,
      );
    if (networkrate !== undefined && networkrate < 0) {
      throw refuse(
        'parameter',
        `Failed to create service offering ${want.name}: specify the network rate value more than 0${given(networkrate)}`,
      );
    }
    const row: Tables['serviceoffering'] = {
      id: newId(),
      name: want.name,
      displaytext: want.displaytext,
      cpunumber,
      cpuspeed,
      memory,
      tags: want.tags ?? null,
      networkrate: networkrate ?? null,
      offerha: want.offerha === true ? 1 : 0,
      issystem: want.issystem === true ? 1 : 0,
      removed: 0,
      sort: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('serviceoffering', row);
    return { serviceoffering: (await showServiceOfferings(room, [row]))[0] };
  },
});

export const updateServiceOffering = writeCommand({
  name: 'updateServiceOffering',
  summary: 'Changes name, description or place in the list of a size',
  roles: ROOT,
  event: 'SERVICE.OFFERING.EDIT',
  answer: { kind: 'object', key: 'serviceoffering', view: serviceOfferingView },
  params: z.object({
    id: param.ref('serviceoffering', 'The offering'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description', 4096).optional(),
    sortkey: param.integer('Place in lists: smaller is earlier').optional(),
    storagetags: param.text('Tags of its storage', 4096).optional(),
  }),
  async write(room, want) {
    const old = await offering(room, want.id);
    const row = {
      ...old,
      name: want.name ?? old.name,
      displaytext: want.displaytext ?? old.displaytext,
      sort: want.sortkey ?? old.sort,
      tags: want.storagetags ?? old.tags,
    };
    await room.tx.update('serviceoffering', row.id, row);
    return { serviceoffering: (await showServiceOfferings(room, [row]))[0] };
  },
});

export const deleteServiceOffering = writeCommand({
  name: 'deleteServiceOffering',
  summary: 'Withdraws a size; instances that have it keep it',
  roles: ROOT,
  event: 'SERVICE.OFFERING.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('serviceoffering', 'The offering') }),
  async write(room, want) {
    const row = await offering(room, want.id);
    await room.tx.update('serviceoffering', row.id, { removed: 1 });
    return undefined;
  },
});

/** The offering with this id that was not deleted. */
async function offering(room: Room, id: string): Promise<ServiceOfferingTable> {
  const row = await existing(room, 'serviceoffering', id);
  if (row.removed === 1) throw unknownId(room, 'id', id);
  return row;
}

function given(value: number | undefined): string {
  return value === undefined ? '; none was given' : `; ${value} was given`;
}
