// Networks, whatever their type: listing and deleting. Making one is in network-create.ts, changing one in network-update.ts.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { cidr, contains, parseIp } from '../../lib/ip.ts';
import { cidr6, contains6, ip6, looksLikeIp6 } from '../../lib/ip6.ts';
import { releaseVlan } from '../../store/allocate.ts';
import { forgetScans } from '../../store/scans.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { knownIds } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { refuseSharedBy, sharedWith, usableNetwork } from './network-access.ts';
import { releaseRouters } from './network-router.ts';
import { type NetworkView, networkView, showNetworks } from './network-view.ts';
import { refuseMembers } from '../physical/network-members.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';

/** The network with this id as a job's result shows it. */
export async function viewNetwork(room: Room, id: string): Promise<NetworkView | undefined> {
  return (await showNetworks(room, await room.db.selectFrom('network').selectAll().where('id', '=', id).execute()))[0];
}

export const listNetworks = listCommand({
  name: 'listNetworks',
  summary: 'Lists networks: tiers of VPCs, Private networks, and networks that stand alone',
  roles: EVERYBODY,
  key: 'network',
  view: networkView,
  params: z.object({
    id: param.ref('network', 'The network with this id').optional(),
    name: param.text('Networks of this name').optional(),
    zoneid: param.ref('zone', 'Networks in this zone').optional(),
    type: param.text('Networks of this type: Isolated, Shared, L2 or Private').optional(),
    vpcid: param.ref('vpc', 'The tiers of this VPC').optional(),
    networkofferingid: param.ref('networkoffering', 'Networks of this offering').optional(),
    physicalnetworkid: param.ref('physicalnetwork', 'Networks carried by this physical network').optional(),
    supportedservices: param.list('Networks with all of these services').optional(),
    vlan: param.text('Networks on this VLAN; for root').optional(),
    issystem: param.flag('true: the networks that were made for private gateways').optional(),
    forvpc: param.flag('Whether they are tiers').optional(),
    canusefordeploy: param.flag('Whether instances can be deployed in them').optional(),
    restartrequired: param.flag('Whether they need a restart').optional(),
    specifyipranges: param.flag('Whether their range is given by hand').optional(),
    displaynetwork: param.flag('Whether they are shown to their owner').optional(),
    acltype: param.text('Account, or Domain for those that a whole domain may use').optional(),
    traffictype: param.text('Guest; tenants have no others').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { vpcid: 'vpc' });
    if (want.id !== undefined) await usableNetwork(room, want.id, 'id');
    if (want.physicalnetworkid !== undefined)
      await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.networkofferingid !== undefined)
      await existing(room, 'networkoffering', want.networkofferingid, 'networkofferingid');
    let query = room.db
      .selectFrom('network')
      .selectAll()
      .where(await listedRows(room, want))
      .where(taggedRows('network', 'Network', want.tags));
    if (want.id === undefined) query = query.where('implicit', '=', want.issystem === true ? 1 : 0);
    else query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.type !== undefined) query = query.where(named('guesttype', want.type));
    for (const [column, value] of [
      ['zone', want.zoneid],
      ['vpc', want.vpcid],
      ['offering', want.networkofferingid],
      ['physicalnetwork', want.physicalnetworkid],
    ] as const) {
      if (value !== undefined) query = query.where(column, '=', value);
    }
    if (want.forvpc !== undefined) query = query.where('vpc', want.forvpc ? 'is not' : 'is', null);
    if (want.canusefordeploy !== undefined)
      query = query.where('guesttype', want.canusefordeploy ? '!=' : '=', 'Private');
    if (want.restartrequired !== undefined) query = query.where('restartrequired', '=', want.restartrequired ? 1 : 0);
    if (want.displaynetwork !== undefined) query = query.where('displaynetwork', '=', want.displaynetwork ? 1 : 0);
    if (want.vlan !== undefined) {
      // What nobody but root is shown, nobody but root can search by.
      const vlan = room.call.caller.role === 'admin' ? Number(want.vlan.replace(/^vlan:\/\//, '')) : Number.NaN;
      query = query.where('vlan', '=', Number.isInteger(vlan) ? vlan : -1);
    }
    if (want.specifyipranges !== undefined || (want.supportedservices?.length ?? 0) > 0) {
      query = query.where(withOffering(want.specifyipranges, want.supportedservices ?? []));
    }
    if (want.acltype !== undefined) query = query.where('shared', isDomain(want.acltype) ? 'is not' : 'is', null);
    if (want.traffictype !== undefined && want.traffictype.toLowerCase() !== 'guest')
      query = query.where(sql<SqlBool>`1 = 0`);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showNetworks(room, rows) };
  },
});

/** What the owner parameters mean, and what is shared with the caller's domain: that is his to use without being his. */
async function listedRows(room: Room, want: Parameters<typeof ownedRows>[2]): Promise<RawBuilder<SqlBool>> {
  const owned = await ownedRows(room, 'network', want);
  if (want.account !== undefined || want.domainid !== undefined) return owned;
  return sql<SqlBool>`((${owned}) or ${sharedWith(room.call.caller)})`;
}

function isDomain(acltype: string): boolean {
  const kind = acltype.toLowerCase();
  if (kind === 'domain' || kind === 'account') return kind === 'domain';
  throw refuse('parameter', `Incorrect aclType specified: ${acltype}. Supported are: Account, Domain`);
}

function withOffering(specifyipranges: boolean | undefined, services: readonly string[]) {
  const conditions = services.map(
    (name) => sql<SqlBool>`lower(services) like ${`%"name":"${name.toLowerCase().replaceAll(/[%_"\\]/g, '')}"%`}`,
  );
  if (specifyipranges !== undefined) conditions.push(sql<SqlBool>`specifyipranges = ${specifyipranges ? 1 : 0}`);
  return sql<SqlBool>`offering in (select id from networkoffering where ${sql.join(conditions, sql` and `)})`;
}

export const deleteNetwork = jobCommand({
  name: 'deleteNetwork',
  summary: 'Deletes a network that nothing uses any more',
  roles: WRITERS,
  event: 'NETWORK.DELETE',
  answer: { kind: 'success' },
  params: z.object({
    id: param.ref('network', 'The network'),
    forced: param.flag('Makes no difference: what uses the network is never cut off; for root').optional(),
  }),
  async job(room, want) {
    const network = await visible(room, 'network', want.id);
    const { role } = room.call.caller;
    if (want.forced === true && role !== 'admin')
      throw refuse('parameter', "Delete network with 'forced' option can only be called by root admins");
    refuseSharedBy(room, network, 'delete');
    await refuseUsed(room, network);
    await removeNetwork(room, network);
    return { about: { type: 'Network', id: network.id }, text: `deleting network ${network.name}` };
  },
});

/** Removes the row and all that is its own. Whoever calls has made sure that nothing uses it. */
export async function removeNetwork(room: WriteRoom, network: Tables['network']): Promise<void> {
  const { tx } = room;
  await releaseRouters(room, network);
  await releaseVlan(tx, network.id);
  await tx.db.deleteFrom('address').where('network', '=', network.id).execute();
  await tx.db.deleteFrom('tag').where('kind', '=', 'Network').where('resource', '=', network.id).execute();
  await forgetScans(tx, network.id);
  await tx.remove('network', network.id);
}

async function refuseUsed(room: Room, network: Tables['network']): Promise<void> {
  await refuseMembers(room, network);
  const instances = await room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select(['instance.displayname', 'instance.state'])
    .where('nic.network', '=', network.id)
    .orderBy('instance.displayname')
    .execute();
  if (instances.length > 0) {
    const names = some(
      instances.map((row) =>
        row.state === 'Destroyed' ? `${row.displayname} (destroyed, not yet expunged)` : row.displayname,
      ),
    );
    throw refuse(
      'failed',
      `Can't delete network ${network.name} as it is used by ${instances.length} instances: ${names}. Destroy and expunge them first`,
    );
  }
  const gateways = await room.db
    .selectFrom('privategateway')
    .innerJoin('vpc', 'vpc.id', 'privategateway.vpc')
    .select(['privategateway.ip', 'privategateway.domain', 'vpc.name'])
    .where('privategateway.network', '=', network.id)
    .orderBy('vpc.name')
    .execute();
  if (gateways.length > 0) {
    const names = some(
      gateways.map((row) =>
        row.domain === network.domain ? `${row.ip} of VPC ${row.name}` : `${row.ip} of a VPC of another domain`,
      ),
    );
    throw refuse(
      'failed',
      `Can't delete network ${network.name} as it is used by ${gateways.length} private gateways: ${names}. Delete them first`,
    );
  }
  if (network.vpc === null) return;
  const routes = await room.db
    .selectFrom('staticroute')
    .select(['cidr', 'nexthop'])
    .where('vpc', '=', network.vpc)
    .orderBy('cidr')
    .execute();
  const route = routes.find(({ nexthop }) => isWithin(network, nexthop));
  if (route !== undefined) {
    const range = looksLikeIp6(route.nexthop) ? network.ip6cidr : network.cidr;
    throw refuse(
      'failed',
      `Can't delete network ${network.name} as it has static routes applied pointing to the CIDR of the network (${range}). Example static route: ${route.cidr} to ${route.nexthop}. Please remove all the routes pointing to the network tier CIDR before attempting to delete it.`,
    );
  }
}

function isWithin({ cidr: four, ip6cidr }: Tables['network'], address: string): boolean {
  if (looksLikeIp6(address)) return ip6cidr !== null && contains6(cidr6(ip6cidr), ip6(address));
  return four !== null && contains(cidr(four), parseIp(address) ?? -1);
}

/** The first few of many names. */
export function some(names: readonly string[], most = 5): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
