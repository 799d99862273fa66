// Affinity groups: which instances of an account belong on one host, and which on different ones. They tell where an instance is
// started or moved; nothing that runs is moved because of them.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import { list, ref, text } from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import type { Tx } from '../../store/write.ts';
import { visible, visibleRows } from '../access.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { containing, named, ownedRows, ownerParams, page, pageOf, pageParams } from '../list.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { AFFINITY_TYPES, askedGroups } from './affinity.ts';
import { instanceView } from './instance-view.ts';

type AffinityGroup = Tables['affinitygroup'];

const affinityGroupView = z.object({
  id: field.string('id of the group'),
  name: field.string('its name'),
  description: field.string('its description'),
  type: field.string('its kind: listAffinityGroupTypes shows them'),
  ...ownerFields,
  virtualmachineIds: field.list('ids of the instances in it', z.string()),
});

type AffinityGroupView = z.infer<typeof affinityGroupView>;

async function showAffinityGroups(room: Room, rows: readonly AffinityGroup[]): Promise<AffinityGroupView[]> {
  if (rows.length === 0) return [];
  const owner = await ownersOf(room.db, rows);
  const members = Map.groupBy(
    await room.db
      .selectFrom('affinitymember')
      .select(['affinitygroup', 'instance'])
      .where(
        'affinitygroup',
        'in',
        rows.map((row) => row.id),
      )
      .orderBy('created')
      .execute(),
    (member) => member.affinitygroup,
  );
  return rows.map((row) =>
    field.compact<AffinityGroupView>({
      id: row.id,
      name: row.name,
      description: row.description,
      type: row.type,
      ...owner(row),
      virtualmachineIds: members.get(row.id)?.map((member) => member.instance),
    }),
  );
}

/** A group for a job's result; undefined when it is gone. */
export async function viewAffinityGroup(room: Room, id: string): Promise<AffinityGroupView | undefined> {
  const row = await room.db
    .selectFrom('affinitygroup')
    .selectAll()
    .where('id', '=', id)
    .where(visibleRows(room.call.caller, 'affinitygroup'))
    .executeTakeFirst();
  return row === undefined ? undefined : (await showAffinityGroups(room, [row]))[0];
}

export const listAffinityGroups = listCommand({
  name: 'listAffinityGroups',
  summary: 'Lists affinity groups',
  roles: EVERYBODY,
  params: z.object({
    id: ref('affinitygroup', 'Only this group').optional(),
    name: text('Its name, whole').optional(),
    type: text('Only groups of this kind').optional(),
    virtualmachineid: ref('instance', 'Only groups this instance is in').optional(),
    ...ownerParams,
    ...pageParams,
  }),
  key: 'affinitygroup',
  view: affinityGroupView,
  async list(room, want) {
    if (want.id !== undefined) await visible(room, 'affinitygroup', want.id);
    if (want.virtualmachineid !== undefined) await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    let query = room.db
      .selectFrom('affinitygroup')
      .selectAll()
      .where(await ownedRows(room, 'affinitygroup', want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('affinitygroup.name', want.name));
    if (want.type !== undefined) query = query.where(named('affinitygroup.type', want.type));
    if (want.keyword !== undefined) query = query.where(containing('affinitygroup.name', want.keyword));
    const { virtualmachineid } = want;
    if (virtualmachineid !== undefined) {
      query = query.where(({ exists, selectFrom }) =>
        exists(
          selectFrom('affinitymember')
            .select('affinitymember.id')
            .whereRef('affinitymember.affinitygroup', '=', 'affinitygroup.id')
            .where('affinitymember.instance', '=', virtualmachineid),
        ),
      );
    }
    const { count, rows } = await page(query.orderBy('name').orderBy('id'), want);
    return { count, rows: await showAffinityGroups(room, rows) };
  },
});

export const listAffinityGroupTypes = listCommand({
  name: 'listAffinityGroupTypes',
  summary: 'Lists the kinds of affinity groups',
  roles: EVERYBODY,
  params: z.object(pageParams),
  key: 'affinityGroupType',
  view: z.object({ type: field.string('the kind') }),
  list: (_, want) =>
    Promise.resolve(
      pageOf(
        Object.keys(AFFINITY_TYPES).map((type) => ({ type })),
        want,
      ),
    ),
});

export const createAffinityGroup = jobCommand({
  name: 'createAffinityGroup',
  summary: 'Makes an affinity group: instances in it are started on one host, or on different ones',
  roles: WRITERS,
  params: z.object({
    name: text('Its name'),
    type: text('Its kind, such as host anti-affinity'),
    description: text('Its description').optional(),
    ...forParams,
  }),
  answer: { kind: 'object', key: 'affinitygroup', view: affinityGroupView },
  event: 'AG.CREATE',
  async job(room, want) {
    const type = Object.keys(AFFINITY_TYPES).find((one) => one === want.type.toLowerCase());
    if (type === undefined) {
      throw refuse(
        'parameter',
        `Unable to create affinity group, invalid affinity group type ${want.type}; it must be one of ${Object.keys(AFFINITY_TYPES).join(', ')}`,
      );
    }
    if (want.name.trim() === '') throw refuse('parameter', 'Give the affinity group a name');
    const owner = await ownerOf(room, want);
    const same = await room.db
      .selectFrom('affinitygroup')
      .select('id')
      .where('account', '=', owner.account.id)
      .where('name', '=', want.name)
      .executeTakeFirst();
    if (same !== undefined) {
      throw refuse(
        'parameter',
        `Unable to create affinity group, a group with name ${want.name} already exists for account ${owner.account.name}`,
      );
    }
    const id = newId();
    await room.tx.insert('affinitygroup', {
      id,
      name: want.name,
      description: want.description ?? '',
      type,
      account: owner.account.id,
      domain: owner.domain.id,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'AffinityGroup', id },
      view: 'affinitygroup',
      text: `creating affinity group ${want.name} (${type})`,
    };
  },
});

export const deleteAffinityGroup = jobCommand({
  name: 'deleteAffinityGroup',
  summary: 'Deletes an affinity group that no instance is in',
  roles: WRITERS,
  params: z.object({
    id: ref('affinitygroup', 'The group').optional(),
    name: text('Its name, instead of its id').optional(),
    ...forParams,
  }),
  answer: { kind: 'success' },
  event: 'AG.DELETE',
  async job(room, want) {
    const group = await namedGroup(room, want);
    const members = await room.db
      .selectFrom('affinitymember')
      .innerJoin('instance', 'instance.id', 'affinitymember.instance')
      .select('instance.hostname')
      .where('affinitygroup', '=', group.id)
      .orderBy('instance.hostname')
      .execute();
    if (members.length > 0) {
      const few = members.slice(0, 5).map(({ hostname }) => hostname);
      throw refuse(
        'inUse',
        `Cannot delete affinity group ${group.name} when it's in use by virtual machines: ${few.join(', ')}${members.length > 5 ? ', …' : ''}. Take them out with updateVMAffinityGroup, or expunge them`,
      );
    }
    await room.tx.remove('affinitygroup', group.id);
    return { about: { type: 'AffinityGroup', id: group.id }, text: `deleting affinity group ${group.name}` };
  },
});

async function namedGroup(
  room: WriteRoom,
  want: { readonly id?: string | undefined; readonly name?: string | undefined; readonly account?: string | undefined },
): Promise<AffinityGroup> {
  if (want.id !== undefined && want.name !== undefined)
    throw refuse('parameter', 'Either the affinity group Id or the affinity group Name must be specified, not both');
  if (want.id !== undefined) return visible(room, 'affinitygroup', want.id);
  const { account } = await ownerOf(room, want);
  if (want.name === undefined)
    throw refuse('parameter', 'Either the affinity group Id or the affinity group Name must be specified');
  const row = await room.db
    .selectFrom('affinitygroup')
    .selectAll()
    .where('account', '=', account.id)
    .where('name', '=', want.name)
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw refuse('parameter', `Unable to find affinity group by name ${want.name} for account ${account.name}`);
}

export const updateVMAffinityGroup = jobCommand({
  name: 'updateVMAffinityGroup',
  summary: 'Says which affinity groups a stopped instance is in, instead of those it was in',
  roles: WRITERS,
  params: z.object({
    id: ref('instance', 'The instance'),
    affinitygroupids: list('Ids of the groups; empty for none', 'affinitygroup').optional(),
    affinitygroupnames: list('Names of the groups, instead of their ids').optional(),
  }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'VM.AG.UPDATE',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    if (want.affinitygroupids === undefined && want.affinitygroupnames === undefined)
      throw refuse('parameter', 'Name the groups in affinitygroupids or in affinitygroupnames; an empty list is none');
    const account = await room.db
      .selectFrom('account')
      .select(['id', 'name'])
      .where('id', '=', instance.account)
      .executeTakeFirstOrThrow();
    const groups = await askedGroups(room, account, want);
    if (instance.state !== 'Stopped') {
      throw refuse(
        'parameter',
        `Unable update affinity groups of the virtual machine ${instance.hostname} in state ${instance.state}; make sure the virtual machine is stopped`,
      );
    }
    await leaveGroups(room.tx, instance.id);
    await joinGroups(room.tx, instance.id, groups);
    return {
      about: { type: 'VirtualMachine', id: instance.id },
      view: 'virtualmachine',
      text: `changing the affinity groups of instance ${instance.hostname}`,
    };
  },
});

/** Puts an instance into groups. */
export async function joinGroups(tx: Tx, instance: string, groups: readonly { readonly id: string }[]): Promise<void> {
  const created = new Date().toISOString();
  for (const { id } of groups) await tx.insert('affinitymember', { id: newId(), affinitygroup: id, instance, created });
}

/** Takes an instance out of all groups. */
export async function leaveGroups(tx: Tx, instance: string): Promise<void> {
  await tx.db.deleteFrom('affinitymember').where('instance', '=', instance).execute();
}
