// listVirtualMachines: whose, which, and page by page.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { list, ref, text } from '../../api/param.ts';
import { readFlag } from '../../store/setting.ts';
import { existing, unknownId, visible, visibleRows } from '../access.ts';
import { TAG_KIND, instanceView, showInstances } from './instance-view.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { type Room, listCommand } from '../room.ts';

const STATES = ['Stopped', 'Starting', 'Running', 'Stopping', 'Migrating', 'Destroyed', 'Expunging', 'Error'];

const params = z.object({
  id: ref('instance', 'Only this instance').optional(),
  ids: list('Only these instances', 'instance').optional(),
  name: text('Host name, whole').optional(),
  state: text(`One of ${STATES.join(', ')}, or Present: all that are not destroyed`).optional(),
  zoneid: ref('zone', 'Only in this zone').optional(),
  networkid: ref('network', 'Only with an interface in this network').optional(),
  vpcid: ref('vpc', 'Only with an interface in a tier of this VPC').optional(),
  hostid: ref('host', 'Only on this host; for root').optional(),
  templateid: ref('template', 'Only from this template').optional(),
  serviceofferingid: ref('serviceoffering', 'Only with this service offering').optional(),
  affinitygroupid: ref('affinitygroup', 'Only members of this affinity group').optional(),
  keypair: text('Only those that let this SSH key pair of their account in').optional(),
  group: text('Only those of this group').optional(),
  details: list('Accepted; everything is always shown').optional(),
  ...listParams,
});

export const listVirtualMachines = listCommand({
  name: 'listVirtualMachines',
  summary: 'Lists instances',
  roles: EVERYBODY,
  params,
  key: 'virtualmachine',
  view: instanceView,
  async list(room, want) {
    await checkReferences(room, want);
    let query = room.db
      .selectFrom('instance')
      .selectAll()
      .where(await ownedRows(room, 'instance', want))
      .where(taggedRows('instance', TAG_KIND, want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.ids !== undefined && want.ids.length > 0) query = query.where('id', 'in', want.ids);
    if (want.name !== undefined) query = query.where(named('instance.hostname', want.name));
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.hostid !== undefined) query = query.where('host', '=', want.hostid);
    if (want.templateid !== undefined) query = query.where('template', '=', want.templateid);
    if (want.serviceofferingid !== undefined) query = query.where('serviceoffering', '=', want.serviceofferingid);
    if (want.networkid !== undefined) {
      query = query.where(sql<boolean>`id in (select instance from nic where network = ${want.networkid})`);
    }
    if (want.vpcid !== undefined) {
      query = query.where(
        sql<boolean>`id in (select nic.instance from nic join network on network.id = nic.network where network.vpc = ${want.vpcid})`,
      );
    }
    if (want.affinitygroupid !== undefined) {
      query = query.where(
        sql<boolean>`id in (select instance from affinitymember where affinitygroup = ${want.affinitygroupid})`,
      );
    }
    if (want.keypair !== undefined) query = query.where(await lettingIn(room, want.keypair));
    if (want.group !== undefined) query = query.where(named('instance.groupname', want.group));
    const state = want.state === undefined ? undefined : stateOf(want.state);
    if (state === 'Present') query = query.where('state', 'not in', ['Destroyed', 'Expunging']);
    else if (state !== undefined) query = query.where('state', '=', state);
    if (room.call.caller.role === 'user' && !(await readFlag(room.db, 'allow.user.view.destroyed.vm'))) {
      query = query.where('state', '!=', 'Destroyed');
    }
    if (want.keyword !== undefined) {
      const { keyword } = want;
      query = query.where((eb) =>
        eb.or([
          containing('instance.hostname', keyword),
          containing('instance.displayname', keyword),
          containing('instance.name', keyword),
        ]),
      );
    }
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showInstances(room, rows) };
  },
});

/** Ids that name nothing the caller may see are refused, as in every command. */
async function checkReferences(room: Room, want: z.infer<typeof params>): Promise<void> {
  if (want.id !== undefined) await visible(room, 'instance', want.id);
  if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
  if (want.networkid !== undefined) await visible(room, 'network', want.networkid, 'networkid');
  if (want.vpcid !== undefined) await visible(room, 'vpc', want.vpcid, 'vpcid');
  if (want.affinitygroupid !== undefined) await visible(room, 'affinitygroup', want.affinitygroupid, 'affinitygroupid');
  if (want.hostid !== undefined) {
    // Where an instance runs is the operator's business.
    if (room.call.caller.role !== 'admin') throw unknownId(room, 'hostid', want.hostid);
    await existing(room, 'host', want.hostid, 'hostid');
  }
}

function stateOf(text: string): string {
  const state = [...STATES, 'Present'].find((known) => known.toLowerCase() === text.toLowerCase());
  if (state === undefined)
    throw refuse('parameter', `Unknown state ${text.slice(0, 40)}: one of ${STATES.join(', ')}, or Present`);
  return state;
}

/** The condition that an instance lets in its account's key pair of this name. Instances keep the keys themselves. */
async function lettingIn(room: Room, keypair: string): Promise<RawBuilder<SqlBool>> {
  const pairs = await room.db
    .selectFrom('sshkeypair')
    .select(['account', 'publickey'])
    .where('name', '=', keypair)
    .where(visibleRows(room.call.caller, 'sshkeypair'))
    .execute();
  const each = pairs.map(
    ({ account, publickey }) =>
      sql<SqlBool>`(instance.account = ${account} and ${containing('instance.keypairs', JSON.stringify(publickey))})`,
  );
  return each.length === 0 ? sql<SqlBool>`1 = 0` : sql<SqlBool>`(${sql.join(each, sql` or `)})`;
}
