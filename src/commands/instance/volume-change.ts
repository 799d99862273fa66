// Data disks: made, attached, detached, resized, deleted. Kept and shown for clients that manage disks; a guest gets no device from it.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { flag, integer, ref, text } from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { checkLimits } from '../account/resource-count.ts';
import { unknownId, visible } from '../access.ts';
import { openZone } from '../known.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type JobAnswer, type WriteRoom, jobCommand, writeCommand } from '../room.ts';
import { MAX_GIB, type Volume, addVolume, chosenSize, inGiB, removeVolume } from './volume-row.ts';
import { volumeView } from './volume.ts';

const object = { kind: 'object', key: 'volume', view: volumeView } as const;

function about(id: string, text: string): JobAnswer {
  return { about: { type: 'Volume', id }, view: 'volume', text };
}

export const createVolume = jobCommand({
  name: 'createVolume',
  summary: 'Makes a data disk; it is bookkeeping: no guest gets a device',
  roles: WRITERS,
  params: z.object({
    name: text('Its name; made up when left out').optional(),
    diskofferingid: ref('diskoffering', 'Its disk offering').optional(),
    size: integer('Size in GiB, where the offering leaves the choice', { min: 1, type: 'long' }).optional(),
    zoneid: ref('zone', 'The zone').optional(),
    virtualmachineid: ref('instance', 'Instance it is attached to at once').optional(),
    snapshotid: ref('snapshot', 'Not offered: there are no snapshots').optional(),
    ...forParams,
  }),
  answer: object,
  event: 'VOLUME.CREATE',
  async job(room, want) {
    if (want.snapshotid !== undefined) throw unknownId(room, 'snapshotid', want.snapshotid);
    if (want.diskofferingid === undefined)
      throw refuse('parameter', 'Either disk Offering Id or snapshot Id must be passed whilst creating volume');
    const instance =
      want.virtualmachineid === undefined
        ? undefined
        : await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    const zoneid = want.zoneid ?? instance?.zone;
    if (zoneid === undefined) throw refuse('parameter', 'Please specify a zone to create the volume in: zoneid');
    const zone = await openZone(room, zoneid);
    const { diskoffering, size } = await chosenSize(room, want.diskofferingid, want.size);
    const owner = await ownerOf(room, want);
    await checkLimits(
      room,
      { account: owner.account.id, domain: owner.domain.id },
      { volume: 1, primary_storage: inGiB(size) },
    );
    const created = new Date().toISOString();
    const holder = { zone: zone.id, account: owner.account.id, domain: owner.domain.id, created };
    const id = await addVolume(room.tx, {
      ...holder,
      name: want.name ?? `DATA-${created}`,
      type: 'DATA',
      size,
      diskoffering,
    });
    if (instance !== undefined) await attach(room, await visible(room, 'volume', id), instance, undefined);
    return { id, ...about(id, `creating volume ${want.name ?? id} of ${inGiB(size)} GiB`) };
  },
});

/** Disks an instance can have beside its root disk: CloudStack's limit for KVM is of this order. */
const MOST_DISKS = 13;

/** Where the CD drive of CloudStack's guests sits: nothing is attached there. */
const CD_DRIVE = 3;

async function attach(
  room: WriteRoom,
  volume: Volume,
  instance: Tables['instance'],
  wish: number | undefined,
): Promise<void> {
  const named = `${volume.name} (${volume.id})`;
  if (volume.type !== 'DATA') throw refuse('parameter', `Please specify a data volume: ${named} is a root disk`);
  if (volume.instance !== null)
    throw refuse(
      'parameter',
      `Please specify a volume that is not attached to any VM: ${named} is; detachVolume first`,
    );
  if (instance.state !== 'Running' && instance.state !== 'Stopped') {
    throw refuse(
      'parameter',
      `Please specify a VM that is either running or stopped: ${instance.hostname} is ${instance.state}`,
    );
  }
  if (volume.account !== instance.account)
    throw refuse(
      'permission',
      `Unable to attach volume ${named}: it belongs to another account than ${instance.hostname}`,
    );
  if (volume.zone !== instance.zone)
    throw refuse('parameter', `Please specify a VM that is in the same zone as the volume ${named}`);
  const rows = await room.db.selectFrom('volume').select('deviceid').where('instance', '=', instance.id).execute();
  const taken = new Set(rows.map(({ deviceid }) => deviceid));
  if (taken.size > MOST_DISKS) {
    throw refuse(
      'parameter',
      `The specified VM already has the maximum number of data disks (${MOST_DISKS}) attached. Please specify another VM.`,
    );
  }
  if (wish !== undefined && (wish === 0 || wish === CD_DRIVE || taken.has(wish)))
    throw refuse('parameter', `deviceId ${wish} is used by ${instance.hostname}: choose another, or leave it out`);
  let free = 1;
  while (free === CD_DRIVE || taken.has(free)) free++;
  const deviceid = wish ?? free;
  await room.tx.update('volume', volume.id, { instance: instance.id, deviceid, attached: new Date().toISOString() });
}

export const attachVolume = jobCommand({
  name: 'attachVolume',
  summary: 'Attaches a data disk to an instance, on paper',
  roles: WRITERS,
  params: z.object({
    id: ref('volume', 'The volume'),
    virtualmachineid: ref('instance', 'The instance'),
    deviceid: integer('Position among its disks; the first free one when left out', {
      min: 0,
      max: 15,
      type: 'long',
    }).optional(),
  }),
  answer: object,
  event: 'VOLUME.ATTACH',
  async job(room, want) {
    const volume = await visible(room, 'volume', want.id);
    const instance = await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    await attach(room, volume, instance, want.deviceid);
    return about(volume.id, `attaching volume ${volume.name} to ${instance.hostname}`);
  },
});

export const detachVolume = jobCommand({
  name: 'detachVolume',
  summary: 'Detaches a data disk from its instance, on paper',
  roles: WRITERS,
  params: z.object({
    id: ref('volume', 'The volume').optional(),
    virtualmachineid: ref('instance', 'The instance, with deviceid, instead of the id').optional(),
    deviceid: integer('Position among its disks', { min: 0, type: 'long' }).optional(),
  }),
  answer: object,
  event: 'VOLUME.DETACH',
  async job(room, want) {
    const volume = await detached(room, want);
    if (volume.instance === null)
      throw refuse('parameter', `The specified volume is not attached to a VM: ${volume.name} (${volume.id})`);
    if (volume.type !== 'DATA')
      throw refuse('parameter', `Please specify a data volume: ${volume.name} (${volume.id}) is a root disk`);
    await room.tx.update('volume', volume.id, { instance: null, deviceid: null, attached: null });
    return about(volume.id, `detaching volume ${volume.name}`);
  },
});

interface DetachWant {
  readonly id?: string | undefined;
  readonly virtualmachineid?: string | undefined;
  readonly deviceid?: number | undefined;
}

async function detached(room: WriteRoom, want: DetachWant): Promise<Volume> {
  const { id, virtualmachineid, deviceid } = want;
  if (id !== undefined && virtualmachineid === undefined && deviceid === undefined) return visible(room, 'volume', id);
  if (id !== undefined || virtualmachineid === undefined || deviceid === undefined)
    throw refuse('parameter', 'Please provide either a volume id, or a tuple(device id, instance id)');
  const instance = await visible(room, 'instance', virtualmachineid, 'virtualmachineid');
  const row = await room.db
    .selectFrom('volume')
    .selectAll()
    .where('instance', '=', instance.id)
    .where('deviceid', '=', deviceid)
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw refuse(
    'parameter',
    `${instance.hostname} has no volume with deviceid ${deviceid}; listVolumes shows those it has`,
  );
}

export const resizeVolume = jobCommand({
  name: 'resizeVolume',
  summary: 'Changes the size of a volume, on paper',
  roles: WRITERS,
  params: z.object({
    id: ref('volume', 'The volume'),
    size: integer('New size in GiB', { min: 1, type: 'long' }).optional(),
    diskofferingid: ref('diskoffering', 'New disk offering').optional(),
    shrinkok: flag('Whether it may become smaller').optional(),
  }),
  answer: object,
  event: 'VOLUME.RESIZE',
  async job(room, want) {
    const volume = await visible(room, 'volume', want.id);
    const offering = want.diskofferingid ?? volume.diskoffering;
    if (want.size === undefined && want.diskofferingid === undefined)
      throw refuse('parameter', 'Name the new size in size, or a new disk offering in diskofferingid');
    if (offering === null && (want.size ?? 0) > MAX_GIB)
      throw refuse('parameter', `Volume size: ${want.size} is out of allowed range. Max: ${MAX_GIB}. Min: 1`);
    const patch =
      offering === null ? { size: (want.size ?? 0) * 1_073_741_824 } : await chosenSize(room, offering, want.size);
    if (patch.size < volume.size && (want.shrinkok !== true || volume.type === 'ROOT')) {
      throw refuse(
        'parameter',
        `Going from existing size of ${volume.size} to size of ${patch.size} would shrink the volume.Need to sign off by supplying the shrinkok parameter with value of true.${volume.type === 'ROOT' ? ' A root disk is never made smaller' : ''}`,
      );
    }
    const holder = { account: volume.account, domain: volume.domain };
    await checkLimits(room, holder, { primary_storage: Math.max(0, inGiB(patch.size) - inGiB(volume.size)) });
    await room.tx.update('volume', volume.id, patch);
    return about(volume.id, `resizing volume ${volume.name} to ${inGiB(patch.size)} GiB`);
  },
});

export const deleteVolume = writeCommand({
  name: 'deleteVolume',
  summary: 'Deletes a data disk that is attached to nothing',
  roles: WRITERS,
  params: z.object({ id: ref('volume', 'The volume') }),
  answer: { kind: 'success' },
  event: 'VOLUME.DELETE',
  async write(room, want) {
    const volume = await visible(room, 'volume', want.id);
    if (volume.instance !== null) {
      throw refuse(
        'parameter',
        `Please specify a volume that is not attached to any VM: ${volume.name} (${volume.id}) is${volume.type === 'ROOT' ? ' a root disk, and goes with its instance' : '; detachVolume first'}`,
      );
    }
    await removeVolume(room.tx, volume.id);
    return undefined;
  },
});
