// The rules of ACL lists. First match in ascending order of number decides; what they mean on the wire is compile's to say.
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visible } from '../access.ts';
import { usableAcl } from './acl-access.ts';
import { type RuleWant, readRule } from './acl-rule.ts';
import { seenLists } from './acl.ts';
import { namesOf, tagView, tagsOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { listParams, ownedRows, page, taggedRows } from '../list.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';

export const aclItemView = z.object({
  id: field.string('id of the rule'),
  aclid: field.string('its list'),
  aclname: field.string('name of its list'),
  number: field.integer('its place in the list: lower ones are asked first'),
  action: field.string('Allow or Deny'),
  traffictype: field.string('Ingress: towards the tier; Egress: from it'),
  protocol: field.string('tcp, udp, icmp, all, or a protocol number'),
  startport: field.string('first port'),
  endport: field.string('last port'),
  icmptype: field.integer('ICMP type'),
  icmpcode: field.integer('ICMP code'),
  cidrlist: field.string('the other ends, comma-separated'),
  reason: field.string('why it is there'),
  state: field.string('Active'),
  fordisplay: field.boolean('true'),
  tags: field.list('its tags', tagView),
});

type AclItemView = z.infer<typeof aclItemView>;

/** Rules as their answers show them. Ports are text: the Go clients read them so. */
export async function showAclItems(room: Room, rows: readonly Tables['aclitem'][]): Promise<AclItemView[]> {
  const lists = await namesOf(
    room.db,
    'acl',
    rows.map((row) => row.acl),
  );
  const tags = await tagsOf(
    room.db,
    'NetworkACL',
    rows.map((row) => row.id),
  );
  return rows.map((row) =>
    field.compact<AclItemView>({
      id: row.id,
      aclid: row.acl,
      aclname: lists.get(row.acl),
      number: row.number,
      action: row.action,
      traffictype: row.traffictype,
      protocol: row.protocol,
      startport: row.startport === null ? undefined : String(row.startport),
      endport: row.endport === null ? undefined : String(row.endport),
      icmptype: row.icmptype,
      icmpcode: row.icmpcode,
      cidrlist: row.cidrlist,
      reason: row.reason,
      state: 'Active',
      fordisplay: true,
      tags: tags(row.id),
    }),
  );
}

/** The rule with this id as a job's result shows it. */
export async function viewAclItem(room: Room, id: string): Promise<AclItemView | undefined> {
  return (await showAclItems(room, await room.db.selectFrom('aclitem').selectAll().where('id', '=', id).execute()))[0];
}

export const listNetworkACLs = listCommand({
  name: 'listNetworkACLs',
  summary: 'Lists the rules of ACL lists',
  roles: EVERYBODY,
  key: 'networkacl',
  view: aclItemView,
  params: z.object({
    id: param.ref('aclitem', 'The rule with this id').optional(),
    aclid: param.ref('acl', 'Rules of this list').optional(),
    networkid: param.ref('network', "Rules of this tier's list").optional(),
    traffictype: param.text('Ingress or Egress').optional(),
    protocol: param.text('Rules for this protocol').optional(),
    action: param.text('Allow or Deny').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...listParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await usableItem(room, want.id);
    if (want.aclid !== undefined) await usableAcl(room, want.aclid, 'aclid');
    await knownIds(room, want, { networkid: 'network' });
    const pointed = want.id !== undefined || want.aclid !== undefined || want.networkid !== undefined;
    const owned = await ownedRows(room, 'acl', pointed ? { ...want, listall: true } : want);
    let query = room.db
      .selectFrom('aclitem')
      .selectAll()
      .where(
        'acl',
        'in',
        room.db
          .selectFrom('acl')
          .select('acl.id')
          .where(sql<SqlBool>`(acl.vpc is null or (${owned}))`),
      )
      .where(taggedRows('aclitem', 'NetworkACL', want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.aclid !== undefined) query = query.where('acl', '=', want.aclid);
    if (want.networkid !== undefined)
      query = query.where('acl', 'in', room.db.selectFrom('network').select('acl').where('id', '=', want.networkid));
    for (const [column, value] of [
      ['traffictype', want.traffictype],
      ['protocol', want.protocol],
      ['action', want.action],
    ] as const) {
      if (value !== undefined) query = query.where(sql<SqlBool>`lower(${sql.ref(column)}) = ${value.toLowerCase()}`);
    }
    if (want.keyword !== undefined) query = query.where('protocol', '=', want.keyword.toLowerCase());
    if (want.fordisplay === false) query = query.where(sql<SqlBool>`1 = 0`);
    const { count, rows } = await page(query.orderBy('acl').orderBy('number'), want);
    return { count, rows: await showAclItems(room, rows) };
  },
});

const ruleParams = {
  number: param.integer('Its place in the list; the last where it is left out').optional(),
  action: param.text('Allow or Deny; Allow where it is left out').optional(),
  traffictype: param.text('Ingress or Egress; Ingress where it is left out').optional(),
  cidrlist: param.list('The other ends; 0.0.0.0/0 where they are left out').optional(),
  startport: param.integer('First port').optional(),
  endport: param.integer('Last port').optional(),
  icmptype: param.integer('ICMP type; -1 for all').optional(),
  icmpcode: param.integer('ICMP code; -1 for all').optional(),
  fordisplay: param.flag('Only true').optional(),
  reason: param.text('Why it is there: kept and shown', 2500).optional(),
};

export const createNetworkACL = jobCommand({
  name: 'createNetworkACL',
  summary: 'Adds a rule to an ACL list',
  roles: WRITERS,
  event: 'NETWORK.ACL.ITEM.CREATE',
  answer: { kind: 'object', key: 'networkacl', view: aclItemView },
  params: z.object({
    protocol: param.text('tcp, udp, icmp, all, or a protocol number'),
    aclid: param.ref('acl', 'The list').optional(),
    networkid: param.ref('network', 'The tier whose list gets the rule; instead of aclid').optional(),
    ...ruleParams,
  }),
  async job(room, want) {
    const acl = await listFor(room, want);
    if (acl.vpc === null)
      throw refuse(
        'parameter',
        `Default ACL cannot be modified: ${acl.name} is everybody's. Create a list of the VPC's own`,
      );
    const rule = readRule(want as RuleWant, undefined, 'both');
    await refuseLongList(room, acl);
    const number = await placeOf(room, acl, want.number, undefined);
    const id = newId();
    const reason = want.reason ?? null;
    const created = new Date().toISOString();
    await room.tx.insert('aclitem', { id, acl: acl.id, number, ...rule, reason, created });
    return {
      id,
      about: { type: 'NetworkACL', id },
      view: 'networkacl',
      text: `creating rule ${number} of ACL list ${acl.name}`,
    };
  },
});

/** Rules of one list: each is judged on every hypervisor that has an instance in one of its tiers. */
const MOST_ITEMS = 500;

async function refuseLongList(room: Room, { id, name }: Tables['acl']): Promise<void> {
  const items = await room.db
    .selectFrom('aclitem')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('acl', '=', id)
    .executeTakeFirstOrThrow();
  if (Number(items.count) < MOST_ITEMS) return;
  throw refuse(
    'parameter',
    `Unable to add a rule to ACL list ${name}: it has ${items.count}, and can have at most ${MOST_ITEMS}. Delete some, or join rules for the same ports by their CIDRs`,
  );
}

/** The list meant. A tier without one gets one, as in CloudStack. */
async function listFor(
  room: WriteRoom,
  want: { readonly aclid?: string | undefined; readonly networkid?: string | undefined },
): Promise<Tables['acl']> {
  if (want.aclid !== undefined) return usableAcl(room, want.aclid, 'aclid');
  if (want.networkid === undefined)
    throw refuse('parameter', 'Cannot create Network ACL Item. ACL Id or network Id is required');
  const network = await visible(room, 'network', want.networkid, 'networkid');
  if (network.vpc === null) throw refuse('parameter', `Network: ${network.name} does not belong to VPC`);
  if (network.acl !== null) return usableAcl(room, network.acl, 'networkid');
  const acl: Tables['acl'] = {
    id: newId(),
    name: `VPC_${network.vpc}_Tier_${network.name}_ACL_${network.id}`.slice(0, 255),
    description: `made for tier ${network.name}`,
    vpc: network.vpc,
    account: network.account,
    domain: network.domain,
    created: new Date().toISOString(),
  };
  await room.tx.insert('acl', acl);
  await room.tx.update('network', network.id, { acl: acl.id });
  return acl;
}

async function placeOf(
  room: Room,
  acl: Tables['acl'],
  number: number | undefined,
  own: string | undefined,
): Promise<number> {
  const items = await room.db.selectFrom('aclitem').select(['id', 'number']).where('acl', '=', acl.id).execute();
  if (number === undefined) return Math.max(0, ...items.map((item) => item.number)) + 1;
  if (number < 1) throw refuse('parameter', `Invalid number. Number cannot be < 1: ${number}`);
  if (items.some((item) => item.number === number && item.id !== own)) {
    throw refuse('parameter', `ACL item with number ${number} already exists in ACL: ${acl.id}`);
  }
  return number;
}

export const updateNetworkACLItem = jobCommand({
  name: 'updateNetworkACLItem',
  summary: 'Changes a rule of an ACL list',
  roles: WRITERS,
  event: 'NETWORK.ACL.ITEM.UPDATE',
  answer: { kind: 'object', key: 'networkacl', view: aclItemView },
  params: z.object({
    id: param.ref('aclitem', 'The rule'),
    protocol: param.text('tcp, udp, icmp, all, or a protocol number').optional(),
    partialupgrade: param.flag('false: what is left out gets its default, instead of staying').optional(),
    ...ruleParams,
  }),
  async job(room, want) {
    const { item, acl } = await ownItem(room, want.id, 'Default ACL Items cannot be updated');
    const rule = readRule(want as RuleWant, want.partialupgrade === false ? undefined : item, 'both');
    const number = want.number === undefined ? item.number : await placeOf(room, acl, want.number, item.id);
    const reason = want.reason ?? (want.partialupgrade === false ? null : item.reason);
    await room.tx.update('aclitem', item.id, { ...rule, number, reason });
    return {
      about: { type: 'NetworkACL', id: item.id },
      view: 'networkacl',
      text: `updating rule ${number} of ACL list ${acl.name}`,
    };
  },
});

export const deleteNetworkACL = jobCommand({
  name: 'deleteNetworkACL',
  summary: 'Deletes a rule of an ACL list',
  roles: WRITERS,
  event: 'NETWORK.ACL.ITEM.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('aclitem', 'The rule') }),
  async job(room, want) {
    const { item, acl } = await ownItem(room, want.id, 'ACL Items in default ACL cannot be deleted');
    await room.tx.db.deleteFrom('tag').where('kind', '=', 'NetworkACL').where('resource', '=', item.id).execute();
    await room.tx.remove('aclitem', item.id);
    return { about: { type: 'NetworkACL', id: item.id }, text: `deleting rule ${item.number} of ACL list ${acl.name}` };
  },
});

async function usableItem(room: Room, id: string): Promise<Tables['aclitem']> {
  const item = await room.db
    .selectFrom('aclitem')
    .selectAll()
    .where('id', '=', id)
    .where('acl', 'in', seenLists(room))
    .executeTakeFirst();
  if (item === undefined) throw unknownId(room, 'id', id);
  return item;
}

/** A rule of a list that may be changed, with the list. `refusal`: for one of the global lists. */
export async function ownItem(
  room: Room,
  id: string,
  refusal: string,
): Promise<{ item: Tables['aclitem']; acl: Tables['acl'] }> {
  const item = await usableItem(room, id);
  const acl = await usableAcl(room, item.acl, 'id');
  if (acl.vpc === null) throw refuse('parameter', `${refusal}: ${acl.name} is everybody's`);
  return { item, acl };
}
