// The end of an instance: destroyed (it stops, keeps row and addresses, and can be recovered), then expunged (gone, its
// addresses free again): at once where asked for, else by the clock.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { flag, ref } from '../../api/param.ts';
import type { Db, Store } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import type { Tx } from '../../store/write.ts';
import { readFlag } from '../../store/setting.ts';
import { checkLimits, takenBy } from '../account/resource-count.ts';
import { visible } from '../access.ts';
import { leaveGroups } from './affinity-group.ts';
import { checkHostnameFree } from './instance-name.ts';
import { networksOf } from './instance-nics.ts';
import { dropRulesOfNic } from '../public/rule-removal.ts';
import { TAG_KIND, instanceView, showInstances, viewInstance } from './instance-view.ts';
import { type JobAnswer, type Room, type WriteRoom, jobCommand, writeCommand } from '../room.ts';
import { releaseVolumes } from './volume-row.ts';

const object = { kind: 'object', key: 'virtualmachine', view: instanceView } as const;
const idParam = ref('instance', 'The instance');

export const destroyVirtualMachine = jobCommand({
  name: 'destroyVirtualMachine',
  summary: 'Destroys an instance; with expunge=true its addresses are free again at once',
  roles: WRITERS,
  params: z.object({
    id: idParam,
    expunge: flag('Remove it at once (admins, or where allow.user.expunge.recover.vm is true)').optional(),
  }),
  answer: object,
  event: 'VM.DESTROY',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    if (want.expunge === true) {
      await requireExpunger(room, 'Parameter expunge can be passed by Admin only.');
      return expunge(room, instance);
    }
    const answer = {
      about: { type: 'VirtualMachine', id: instance.id },
      view: 'virtualmachine',
      text: `destroying instance ${instance.hostname}`,
    };
    if (instance.state === 'Destroyed') return answer;
    const destroyed = new Date().toISOString();
    await room.tx.update('instance', instance.id, { host: null, state: 'Stopping', power: 'stopped', destroyed });
    return { ...answer, enters: [{ kind: 'instance', id: instance.id, state: 'Destroyed' }] };
  },
});

export const expungeVirtualMachine = jobCommand({
  name: 'expungeVirtualMachine',
  summary: 'Removes a destroyed instance; its addresses are free again',
  roles: WRITERS,
  params: z.object({ id: idParam }),
  answer: { kind: 'success' },
  event: 'VM.EXPUNGE',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    await requireExpunger(room, 'Expunging an instance can be done by Admin only.');
    if (instance.state !== 'Destroyed') {
      throw refuse(
        'parameter',
        `Unable to expunge instance ${instance.hostname} (${instance.id}) in state ${instance.state}: destroy it first, or call destroyVirtualMachine with expunge=true`,
      );
    }
    const { about, text } = await expunge(room, instance);
    return { ...(about === undefined ? {} : { about }), text };
  },
});

export const recoverVirtualMachine = writeCommand({
  name: 'recoverVirtualMachine',
  summary: 'Makes a destroyed instance a stopped one again',
  roles: WRITERS,
  params: z.object({ id: idParam }),
  answer: object,
  event: 'VM.RECOVER',
  async write(room, want) {
    const instance = await visible(room, 'instance', want.id);
    await requireExpunger(room, 'Recovering a vm can only be done by an Admin.');
    if (instance.state !== 'Destroyed') {
      throw refuse(
        'parameter',
        `Unable to recover instance ${instance.hostname} (${instance.id}) in state ${instance.state}: only a destroyed one can be`,
      );
    }
    await checkHostnameFree(room, instance.hostname, await networksOf(room, instance.id), instance.id);
    await checkLimits(room, instance, await takenBy(room, instance, ['ROOT']));
    // On the network nothing changes: destroyed or stopped, it runs nowhere.
    await room.tx.db
      .updateTable('instance')
      .set({ state: 'Stopped', destroyed: null })
      .where('id', '=', instance.id)
      .execute();
    return { virtualmachine: await viewInstance(room, instance.id) };
  },
});

async function requireExpunger(room: Room, refusal: string): Promise<void> {
  if (room.call.caller.role !== 'user' || (await readFlag(room.db, 'allow.user.expunge.recover.vm'))) return;
  throw refuse('permission', `${refusal} Or when the allow.user.expunge.recover.vm key is set.`);
}

async function expunge(room: WriteRoom, instance: Tables['instance']): Promise<JobAnswer> {
  const [shown] = await showInstances(room, [instance]);
  await removeInstance(room.tx, instance.id);
  return {
    about: { type: 'VirtualMachine', id: instance.id },
    view: 'virtualmachine',
    // Clients expect to see it a last time, when the job is done and it is gone.
    result: { virtualmachine: { ...shown, state: 'Expunging' } },
    text: `expunging instance ${instance.hostname}`,
  };
}

/** Removes the interfaces of an instance. */
export async function removeNics(tx: Tx, instance: string): Promise<void> {
  const nics = await tx.db.selectFrom('nic').select('id').where('instance', '=', instance).execute();
  for (const nic of nics) await removeNic(tx, nic.id);
}

/** Removes an interface with the rules that lead to it; its addresses, the secondary ones, too, are free again. */
export async function removeNic(tx: Tx, id: string): Promise<void> {
  await dropRulesOfNic(tx, id);
  const further = await tx.db.selectFrom('nicaddress').select('id').where('nic', '=', id).execute();
  for (const address of further) {
    await tx.db.deleteFrom('address').where('owner', '=', address.id).execute();
    await tx.remove('nicaddress', address.id);
  }
  await tx.db.deleteFrom('address').where('owner', '=', id).execute();
  await tx.remove('nic', id);
}

/** Removes an instance with its interfaces, addresses, root disk and tags; its data disks are detached. */
export async function removeInstance(tx: Tx, id: string): Promise<void> {
  await removeNics(tx, id);
  await leaveGroups(tx, id);
  await releaseVolumes(tx, id);
  await tx.db.deleteFrom('tag').where('kind', '=', TAG_KIND).where('resource', '=', id).execute();
  await tx.remove('instance', id);
}

/** Expunges what was destroyed before an instant (ISO 8601); returns how many. Called by the clock. */
export async function expungeOverdue(store: Store, before: string): Promise<number> {
  const overdue = (db: Db) =>
    db.selectFrom('instance').select('id').where('state', '=', 'Destroyed').where('destroyed', '<', before).execute();
  if ((await overdue(store.db)).length === 0) return 0;
  return store.write(async (tx) => {
    // Asked again inside the change: one may have been recovered meanwhile.
    const rows = await overdue(tx.db);
    for (const { id } of rows) await removeInstance(tx, id);
    return rows.length;
  });
}
