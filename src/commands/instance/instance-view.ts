// How an instance is shown. Apart from its commands because many of them, and job results, show one.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { clientDate, compact } from '../../api/field.ts';
import { unseal } from '../../store/seal.ts';
import type { Tables } from '../../store/schema.ts';
import { visibleRows } from '../access.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { nicView, showNics } from './nic.ts';
import type { Room } from '../room.ts';

const groupView = z.object({
  id: field.string('id of the group'),
  name: field.string('name of the group'),
});

export const instanceView = z.object({
  id: field.string('id of the instance'),
  name: field.string('host name of the instance'),
  displayname: field.string('name for people'),
  instancename: field.string('internal name, for root: i-N-VM'),
  ...ownerFields,
  created: field.date('when it was created'),
  state: field.string('Stopped, Starting, Running, Stopping, Destroyed, Expunging or Error'),
  haenable: field.boolean('whether it is restarted on another host by itself'),
  group: field.string('group it belongs to'),
  zoneid: field.string('id of the zone'),
  zonename: field.string('name of the zone'),
  hostid: field.string('id of the host it runs on, for root'),
  hostname: field.string('name of the host it runs on, for root'),
  templateid: field.string('id of the template'),
  templatename: field.string('name of the template'),
  templatedisplaytext: field.string('description of the template'),
  passwordenabled: field.boolean('whether the API sets its password'),
  password: field.string('the new password: shown once, in the result of the job that set it'),
  serviceofferingid: field.string('id of the service offering'),
  serviceofferingname: field.string('name of the service offering'),
  cpunumber: field.integer('number of virtual CPUs'),
  cpuspeed: field.integer('speed of a virtual CPU in MHz'),
  memory: field.integer('memory in MiB'),
  hypervisor: field.string('kind of hypervisor'),
  rootdeviceid: field.long('device id of the root disk'),
  rootdevicetype: field.string('kind of the root disk'),
  rootdevicecontroller: field.string('controller of the root disk'),
  optimisefor: field.string('what it is tuned for'),
  displayvm: field.boolean('whether it is shown to its owner'),
  isdynamicallyscalable: field.boolean('whether it can grow while it runs'),
  keypair: field.string('name of the SSH key pair it lets in'),
  keypairs: field.string('names of all SSH key pairs it lets in, with commas'),
  details: field.map('details given at deployment'),
  nic: field.list('network interfaces', nicView),
  securitygroup: field.list('security groups', groupView),
  affinitygroup: field.list('affinity groups', groupView.extend({ type: field.string('kind of the group') })),
  tags: field.list('tags', tagView),
});

export type InstanceView = z.infer<typeof instanceView>;

/** Kind of an instance as tags and jobs name it. */
export const TAG_KIND = 'UserVm';

/** Commands whose job result carries the password they set. */
const PASSWORD_JOBS: ReadonlySet<string> = new Set(['deployVirtualMachine', 'resetPasswordForVirtualMachine']);

/** Shows instances, in the order given. `password`: with the password the API made up, where it did. */
export async function showInstances(
  room: Room,
  rows: readonly Tables['instance'][],
  { password = false } = {},
): Promise<InstanceView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const root = room.call.caller.role === 'admin';
  const ids = rows.map((row) => row.id);
  const owner = await ownersOf(db, rows);
  const tags = await tagsOf(db, TAG_KIND, ids);
  const zones = await namesOf(
    db,
    'zone',
    rows.map((row) => row.zone),
  );
  const hosts = root
    ? await namesOf(
        db,
        'host',
        rows.map((row) => row.host),
      )
    : new Map<string, string>();
  const offerings = new Map(
    (
      await db
        .selectFrom('serviceoffering')
        .selectAll()
        .where('id', 'in', unique(rows.map((row) => row.serviceoffering)))
        .execute()
    ).map((row) => [row.id, row]),
  );
  const templates = new Map(
    (
      await db
        .selectFrom('template')
        .select(['id', 'name', 'displaytext', 'passwordenabled', 'hypervisor'])
        .where('id', 'in', unique(rows.map((row) => row.template)))
        .execute()
    ).map((row) => [row.id, row]),
  );
  const keys = await pairNames(room, rows);
  const groups = await groupsByInstance(room, ids);
  const nicRows = await db.selectFrom('nic').selectAll().where('instance', 'in', ids).orderBy('deviceid').execute();
  const nics = Map.groupBy(await showNics(room, nicRows), (nic) => nic.virtualmachineid);
  return rows.map((row) => {
    const offering = offerings.get(row.serviceoffering);
    const template = templates.get(row.template);
    return compact<InstanceView>({
      id: row.id,
      name: row.hostname,
      displayname: row.displayname,
      instancename: root ? row.name : undefined,
      ...owner(row),
      created: clientDate(row.created),
      state: row.state,
      haenable: false,
      group: row.groupname,
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      hostid: root ? row.host : undefined,
      hostname: root && row.host !== null ? hosts.get(row.host) : undefined,
      templateid: row.template,
      templatename: template?.name,
      templatedisplaytext: template?.displaytext,
      passwordenabled: template?.passwordenabled === 1,
      password: password && row.password !== null ? unseal(room.store.sealKey, row.password) : undefined,
      serviceofferingid: row.serviceoffering,
      serviceofferingname: offering?.name,
      cpunumber: offering?.cpunumber,
      cpuspeed: offering?.cpuspeed,
      memory: offering?.memory,
      hypervisor: template?.hypervisor,
      rootdeviceid: 0,
      rootdevicetype: 'ROOT',
      rootdevicecontroller: 'VIRTIO',
      optimisefor: 'Generic',
      displayvm: true,
      isdynamicallyscalable: false,
      keypair: keys(row)[0],
      keypairs: keys(row).length === 0 ? undefined : keys(row).join(','),
      details: row.details === null ? {} : (JSON.parse(row.details) as Record<string, string>),
      nic: nics.get(row.id) ?? [],
      securitygroup: [],
      affinitygroup: groups.get(row.id)?.map(({ id, name, type }) => ({ id, name, type })) ?? [],
      tags: tags(row.id),
    });
  });
}

/**
 * One instance for a job's result; undefined when it is gone. `job` is the command that was run: the one that set a
 * password shows it, though never to those who may only look.
 */
export async function viewInstance(room: Room, id: string, job?: string): Promise<InstanceView | undefined> {
  const row = await room.db
    .selectFrom('instance')
    .selectAll()
    .where('id', '=', id)
    .where(visibleRows(room.call.caller, 'instance'))
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const password = job !== undefined && PASSWORD_JOBS.has(job) && room.call.caller.role !== 'readonly';
  return (await showInstances(room, [row], { password }))[0];
}

/** The names of the key pairs an instance lets in, as far as its account still has them. */
async function pairNames(
  { db }: Room,
  rows: readonly Tables['instance'][],
): Promise<(row: Tables['instance']) => string[]> {
  const accounts = unique(rows.filter((row) => row.keypairs !== null).map((row) => row.account));
  if (accounts.length === 0) return () => [];
  const pairs = await db
    .selectFrom('sshkeypair')
    .select(['account', 'name', 'publickey'])
    .where('account', 'in', accounts)
    .execute();
  const names = new Map(pairs.map((pair) => [`${pair.account} ${pair.publickey}`, pair.name]));
  return (row) =>
    row.keypairs === null
      ? []
      : (JSON.parse(row.keypairs) as readonly string[])
          .map((key) => names.get(`${row.account} ${key}`))
          .filter((name) => name !== undefined);
}

async function groupsByInstance({ db }: Room, instances: readonly string[]) {
  const rows = await db
    .selectFrom('affinitymember')
    .innerJoin('affinitygroup', 'affinitygroup.id', 'affinitymember.affinitygroup')
    .select(['affinitymember.instance', 'affinitygroup.id', 'affinitygroup.name', 'affinitygroup.type'])
    .where('affinitymember.instance', 'in', instances)
    .orderBy('affinitygroup.name')
    .execute();
  return Map.groupBy(rows, (row) => row.instance);
}

function unique(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}
