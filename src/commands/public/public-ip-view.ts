// Public addresses as answers show them, and which of them a caller may use.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visible } from '../access.ts';
import { DEFAULT_ALLOW } from '../vpc/acl-access.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import type { Room } from '../room.ts';
import { vlanUri } from './public-range-view.ts';

export type PublicIp = Tables['publicip'];

/** Kind of its tags. */
export const PUBLIC_IP_TAG = 'PublicIpAddress';

export const publicIpView = z.object({
  id: field.string('id of the address'),
  ipaddress: field.string('the address'),
  state: field.string('Allocating, Allocated, Releasing or Free'),
  allocated: field.date('when it was acquired'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  physicalnetworkid: field.string('the physical network it is outside of'),
  vlanid: field.string('the range it is of'),
  vlanname: field.string('VLAN of the range; for root'),
  issourcenat: field.boolean('whether what leaves its network gets this address'),
  isstaticnat: field.boolean('whether all of it leads to one instance'),
  issystem: field.boolean('false'),
  isportable: field.boolean('false'),
  forvirtualnetwork: field.boolean('true'),
  networkid: field.string('the network it leads to'),
  associatednetworkid: field.string('the same'),
  associatednetworkname: field.string('name of that network'),
  vpcid: field.string('the VPC it leads to'),
  vpcname: field.string('name of that VPC'),
  aclid: field.string('of a VPC: the ACL list that is gone through before anything is translated'),
  aclname: field.string('name of that list'),
  virtualmachineid: field.string('static NAT: the instance it leads to'),
  virtualmachinename: field.string('name of that instance'),
  virtualmachinedisplayname: field.string('display name of that instance'),
  vmipaddress: field.string('static NAT: address of the instance'),
  fordisplay: field.boolean('true'),
  ...ownerFields,
  tags: field.list('its tags', tagView),
});

export type PublicIpView = z.infer<typeof publicIpView>;

/** Name and display name of the instances behind interfaces, by the interface's id. */
export async function instancesBehind(
  db: Db,
  nics: Iterable<string | null>,
): Promise<Map<string, { id: string; hostname: string; displayname: string }>> {
  const ids = [...new Set(nics)].filter((id) => id !== null);
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select(['nic.id as nic', 'instance.id', 'instance.hostname', 'instance.displayname'])
    .where('nic.id', 'in', ids)
    .execute();
  return new Map(rows.map(({ nic, ...instance }) => [nic, instance]));
}

/** Addresses as their answers show them, in the order given. */
export async function showPublicIps(room: Room, rows: readonly PublicIp[]): Promise<PublicIpView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const ranges = new Map(
    (
      await db
        .selectFrom('publicrange')
        .selectAll()
        .where('id', 'in', [...new Set(rows.map((row) => row.publicrange))])
        .execute()
    ).map((range) => [range.id, range]),
  );
  const zones = await namesOf(
    db,
    'zone',
    [...ranges.values()].map((range) => range.zone),
  );
  const networks = await namesOf(
    db,
    'network',
    rows.map((row) => row.network),
  );
  const vpcs = await namesOf(
    db,
    'vpc',
    rows.map((row) => row.vpc),
  );
  const instances = await instancesBehind(
    db,
    rows.map((row) => row.nic),
  );
  const lists = await aclsOf(db, rows);
  const owner = await ownersOf(db, rows);
  const tags = await tagsOf(
    db,
    PUBLIC_IP_TAG,
    rows.filter((row) => row.state !== 'Free').map((row) => row.id),
  );
  const root = room.call.caller.role === 'admin';
  return rows.map((row) => {
    const range = ranges.get(row.publicrange);
    const instance = row.nic === null ? undefined : instances.get(row.nic);
    const free = row.state === 'Free';
    return field.compact<PublicIpView>({
      id: row.id,
      ipaddress: row.ip,
      state: row.state,
      allocated: free ? undefined : field.clientDate(row.created),
      zoneid: range?.zone,
      zonename: range === undefined ? undefined : zones.get(range.zone),
      physicalnetworkid: range?.physicalnetwork,
      vlanid: row.publicrange,
      vlanname: root && range !== undefined ? vlanUri(range.vlan) : undefined,
      issourcenat: row.issourcenat === 1,
      isstaticnat: row.nic !== null,
      issystem: false,
      isportable: false,
      forvirtualnetwork: true,
      networkid: row.network,
      associatednetworkid: row.network,
      associatednetworkname: row.network === null ? undefined : networks.get(row.network),
      vpcid: row.vpc,
      vpcname: row.vpc === null ? undefined : vpcs.get(row.vpc),
      ...lists(row),
      virtualmachineid: instance?.id,
      virtualmachinename: instance?.hostname,
      virtualmachinedisplayname: instance?.displayname,
      vmipaddress: row.vmip,
      fordisplay: true,
      ...(free ? {} : owner(row)),
      tags: tags(row.id),
    });
  });
}

/** The list of an address of a VPC; one that was given none has default_allow. */
async function aclsOf(
  db: Db,
  rows: readonly PublicIp[],
): Promise<(row: PublicIp) => { readonly aclid?: string | undefined; readonly aclname?: string | undefined }> {
  const ofVpc = rows.filter(({ vpc }) => vpc !== null);
  if (ofVpc.length === 0) return () => ({});
  const open = await db
    .selectFrom('acl')
    .select('id')
    .where('vpc', 'is', null)
    .where('name', '=', DEFAULT_ALLOW)
    .executeTakeFirst();
  const names = await namesOf(db, 'acl', [open?.id ?? null, ...ofVpc.map(({ acl }) => acl)]);
  return ({ vpc, acl }) => {
    const aclid = acl ?? open?.id;
    return vpc === null || aclid === undefined ? {} : { aclid, aclname: names.get(aclid) };
  };
}

/** The address with this id as a job's result shows it. */
export async function viewPublicIp(room: Room, id: string): Promise<PublicIpView | undefined> {
  return (
    await showPublicIps(room, await room.db.selectFrom('publicip').selectAll().where('id', '=', id).execute())
  )[0];
}

/** The address with this id, if the caller may see it and its owner still has it; else refuses as unknown. */
export async function heldAddress(room: Room, id: string, param: string): Promise<PublicIp> {
  const row = await visible(room, 'publicip', id, param);
  if (!isHeld(row)) throw unknownId(room, param, id);
  return row;
}

/** Whether its owner has it: not one that was released. */
export function isHeld(row: Pick<PublicIp, 'state'>): boolean {
  return row.state === 'Allocating' || row.state === 'Allocated';
}
