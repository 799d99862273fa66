// ACL lists: named sets of rules for tiers, private gateways and public addresses of VPCs. The two global ones are everybody's and never change.
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { usableAcl, visibleAcls } from './acl-access.ts';
import { namesOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { some } from '../network/network.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';

export const aclListView = z.object({
  id: field.string('id of the list'),
  name: field.string('its name'),
  description: field.string('its description'),
  vpcid: field.string('the VPC it belongs to; absent for the global lists'),
  vpcname: field.string('name of that VPC'),
  fordisplay: field.boolean('true'),
});

type AclListView = z.infer<typeof aclListView>;

/** ACL lists as their answers show them. */
export async function showAclLists(room: Room, rows: readonly Tables['acl'][]): Promise<AclListView[]> {
  const vpcs = await namesOf(
    room.db,
    'vpc',
    rows.map((row) => row.vpc),
  );
  return rows.map((row) =>
    field.compact<AclListView>({
      id: row.id,
      name: row.name,
      description: row.description,
      vpcid: row.vpc,
      vpcname: row.vpc === null ? undefined : vpcs.get(row.vpc),
      fordisplay: true,
    }),
  );
}

/** The list with this id as a job's result shows it. */
export async function viewAclList(room: Room, id: string): Promise<AclListView | undefined> {
  return (await showAclLists(room, await room.db.selectFrom('acl').selectAll().where('id', '=', id).execute()))[0];
}

export const listNetworkACLLists = listCommand({
  name: 'listNetworkACLLists',
  summary: 'Lists ACL lists: the global ones, and those of VPCs',
  roles: EVERYBODY,
  key: 'networkacllist',
  view: aclListView,
  params: z.object({
    id: param.ref('acl', 'The list with this id').optional(),
    name: param.text('Lists of this name').optional(),
    networkid: param.ref('network', 'The list of this tier').optional(),
    vpcid: param.ref('vpc', 'Lists that can be used in this VPC: its own and the global ones').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...listParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await usableAcl(room, want.id, 'id');
    await knownIds(room, want, { networkid: 'network', vpcid: 'vpc' });
    const owned = await ownedRows(
      room,
      'acl',
      want.vpcid === undefined && want.networkid === undefined ? want : { ...want, listall: true },
    );
    let query = room.db
      .selectFrom('acl')
      .selectAll()
      .where(sql<SqlBool>`(acl.vpc is null or (${owned}))`)
      .where(taggedRows('acl', 'NetworkACLList', want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.vpcid !== undefined)
      query = query.where((eb) => eb.or([eb('vpc', 'is', null), eb('vpc', '=', want.vpcid!)]));
    if (want.networkid !== undefined)
      query = query.where('id', 'in', room.db.selectFrom('network').select('acl').where('id', '=', want.networkid));
    if (want.fordisplay === false) query = query.where(sql<SqlBool>`1 = 0`);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showAclLists(room, rows) };
  },
});

export const createNetworkACLList = jobCommand({
  name: 'createNetworkACLList',
  summary: 'Creates an empty ACL list for a VPC',
  roles: WRITERS,
  event: 'NETWORK.ACL.CREATE',
  answer: { kind: 'object', key: 'networkacllist', view: aclListView },
  params: z.object({
    name: param.text('Name of the list'),
    vpcid: param.ref('vpc', 'The VPC it belongs to'),
    description: param.text('Description').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    const vpc = await visible(room, 'vpc', want.vpcid, 'vpcid');
    const id = newId();
    await room.tx.insert('acl', {
      id,
      name: want.name,
      description: want.description ?? want.name,
      vpc: vpc.id,
      account: vpc.account,
      domain: vpc.domain,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'NetworkACLList', id },
      view: 'networkacllist',
      text: `creating ACL list ${want.name} of VPC ${vpc.name}`,
    };
  },
});

export const updateNetworkACLList = jobCommand({
  name: 'updateNetworkACLList',
  summary: 'Changes name or description of an ACL list',
  roles: WRITERS,
  event: 'NETWORK.ACL.UPDATE',
  answer: { kind: 'success' },
  params: z.object({
    id: param.ref('acl', 'The list'),
    name: param.text('New name').optional(),
    description: param.text('New description').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    const acl = await usableAcl(room, want.id, 'id');
    if (acl.vpc === null) throw refuse('parameter', `Default ACL cannot be modified: ${acl.name} is everybody's`);
    const patch: Partial<Tables['acl']> = {};
    if (want.name !== undefined && want.name !== '') patch.name = want.name;
    if (want.description !== undefined) patch.description = want.description;
    if (Object.keys(patch).length > 0) await room.tx.update('acl', acl.id, patch);
    return { about: { type: 'NetworkACLList', id: acl.id }, text: `updating ACL list ${acl.name}` };
  },
});

export const deleteNetworkACLList = jobCommand({
  name: 'deleteNetworkACLList',
  summary: 'Deletes an ACL list that nothing uses any more, with its rules',
  roles: WRITERS,
  event: 'NETWORK.ACL.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('acl', 'The list') }),
  async job(room, want) {
    const acl = await usableAcl(room, want.id, 'id');
    if (acl.vpc === null) throw refuse('parameter', `Default ACL cannot be removed: ${acl.name} is everybody's`);
    const tiers = await room.db
      .selectFrom('network')
      .select('name')
      .where('acl', '=', acl.id)
      .orderBy('name')
      .execute();
    if (tiers.length > 0) {
      throw refuse(
        'failed',
        `ACL is still associated with ${tiers.length} tier(s). Cannot delete network ACL: ${acl.name}, used by ${some(tiers.map((row) => row.name))}`,
      );
    }
    const gateways = await room.db
      .selectFrom('privategateway')
      .select('ip')
      .where('acl', '=', acl.id)
      .orderBy('ip')
      .execute();
    if (gateways.length > 0) {
      throw refuse(
        'failed',
        `ACL is still associated with ${gateways.length} private gateway(s). Cannot delete network ACL: ${acl.name}, used by ${some(gateways.map((row) => row.ip))}`,
      );
    }
    const addresses = await room.db
      .selectFrom('publicip')
      .select('ip')
      .where('acl', '=', acl.id)
      .orderBy('ip')
      .execute();
    if (addresses.length > 0) {
      throw refuse(
        'failed',
        `ACL is still associated with ${addresses.length} public ip(s). Cannot delete network ACL: ${acl.name}, used by ${some(addresses.map((row) => row.ip))}`,
      );
    }
    const items = await room.db.selectFrom('aclitem').select('id').where('acl', '=', acl.id).execute();
    for (const { id } of items) await room.tx.remove('aclitem', id);
    await room.tx.remove('acl', acl.id);
    return { about: { type: 'NetworkACLList', id: acl.id }, text: `deleting ACL list ${acl.name}` };
  },
});

/** The lists whose rules the caller may see. */
export function seenLists(room: Room) {
  return room.db.selectFrom('acl').select('acl.id').where(visibleAcls(room));
}
