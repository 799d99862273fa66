// Volumes as rows: how one is written, and what sizes an offering lets it have. Disks are bookkeeping here: what clients make, attach
// and resize is kept and shown, and no hypervisor hears of it.
import { refuse } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import type { Tx } from '../../store/write.ts';
import { existing, unknownId } from '../access.ts';
import type { Room } from '../room.ts';

export type Volume = Tables['volume'];

/** Kind of a volume as tags and jobs name it. */
export const VOLUME_TAG = 'Volume';

const GIB = 1_073_741_824;

/** Largest disk: CloudStack's custom.diskoffering.size.max. */
export const MAX_GIB = 1024;

/** Whole GiB that a size in bytes takes. */
export function inGiB(bytes: number): number {
  return Math.ceil(bytes / GIB);
}

/** What a disk offering and a wish (GiB) come to. */
export interface Size {
  readonly diskoffering: string;
  /** Bytes. */
  readonly size: number;
}

/** The size of a disk of this offering. Refuses a wish where the offering sets it, and none where it does not. */
export async function chosenSize(room: Room, offeringId: string, wish: number | undefined): Promise<Size> {
  const offering = await existing(room, 'diskoffering', offeringId, 'diskofferingid');
  if (offering.removed === 1) throw unknownId(room, 'diskofferingid', offeringId);
  if (offering.iscustomized === 0) {
    if (wish !== undefined && wish !== offering.disksize) {
      throw refuse(
        'parameter',
        `This disk offering does not allow custom disk sizes: ${offering.name} has ${offering.disksize} GiB. Leave size out, or choose a customized offering`,
      );
    }
    return { diskoffering: offering.id, size: offering.disksize * GIB };
  }
  if (wish === undefined || wish < 1 || wish > MAX_GIB) {
    throw refuse(
      'parameter',
      `Volume size: ${wish ?? '(none)'} is out of allowed range. Max: ${MAX_GIB}. Min: 1: ${offering.name} leaves the size to each disk, in GiB`,
    );
  }
  return { diskoffering: offering.id, size: wish * GIB };
}

/** Bytes of a root disk: as many as its template has, or the GiB wished for. Refuses fewer. */
export function rootSizeOf(template: Pick<Tables['template'], 'name' | 'size'>, wish: number | undefined): number {
  if (wish === undefined) return template.size;
  if (wish <= MAX_GIB && wish * GIB >= template.size) return wish * GIB;
  throw refuse(
    'parameter',
    `Root disk size: ${wish} GiB is out of allowed range. Max: ${MAX_GIB}. Min: ${inGiB(template.size)}, the size of template ${template.name}`,
  );
}

type NewVolume = Pick<Volume, 'name' | 'zone' | 'size' | 'account' | 'domain' | 'created'> & {
  readonly type: 'ROOT' | 'DATA';
} & Partial<Pick<Volume, 'diskoffering' | 'instance' | 'deviceid'>>;

/** Writes a new volume and gives its id; one with an instance is attached to it. */
export async function addVolume(tx: Tx, volume: NewVolume): Promise<string> {
  const id = newId();
  const attached = volume.instance === undefined ? null : volume.created;
  await tx.insert('volume', { diskoffering: null, instance: null, deviceid: null, ...volume, id, attached });
  return id;
}

/** An instance goes: its root disk with it; its data disks stay, free for another. */
export async function releaseVolumes(tx: Tx, instance: string): Promise<void> {
  const roots = await tx.db
    .selectFrom('volume')
    .select('id')
    .where('instance', '=', instance)
    .where('type', '=', 'ROOT')
    .execute();
  for (const { id } of roots) await removeVolume(tx, id);
  await tx.db
    .updateTable('volume')
    .set({ instance: null, deviceid: null, attached: null })
    .where('instance', '=', instance)
    .execute();
}

/** Removes a volume with its tags. */
export async function removeVolume(tx: Tx, id: string): Promise<void> {
  await tx.db.deleteFrom('tag').where('kind', '=', VOLUME_TAG).where('resource', '=', id).execute();
  await tx.remove('volume', id);
}
