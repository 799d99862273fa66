// Networks, whatever their type: listing, changing, restarting, deleting. Making one is in network-create.ts.
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { cidr, contains, ip, parseIp } from '../../lib/ip.ts';
import { releaseVlan } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { checkNetworkDomain, knownIds } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { checkExclusion } from './network-address.ts';
import { type NetworkView, networkView, showNetworks } from './network-view.ts';
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
    acltype: param.text('Account; networks of a whole domain are not offered').optional(),
    traffictype: param.text('Guest; tenants have no others').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'network', vpcid: 'vpc' });
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.networkofferingid !== undefined)
      await existing(room, 'networkoffering', want.networkofferingid, 'networkofferingid');
    let query = room.db
      .selectFrom('network')
      .selectAll()
      .where(await ownedRows(room, 'network', want))
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
    const nothing =
      (want.acltype !== undefined && want.acltype.toLowerCase() !== 'account') ||
      (want.traffictype !== undefined && want.traffictype.toLowerCase() !== 'guest');
    if (nothing) query = query.where(sql<SqlBool>`1 = 0`);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showNetworks(room, rows) };
  },
});

function withOffering(specifyipranges: boolean | undefined, services: readonly string[]) {
  const conditions = services.map(
    (name) => sql<SqlBool>`lower(services) like ${`%"name":"${name.toLowerCase().replaceAll(/[%_"\\]/g, '')}"%`}`,
  );
  if (specifyipranges !== undefined) conditions.push(sql<SqlBool>`specifyipranges = ${specifyipranges ? 1 : 0}`);
  return sql<SqlBool>`offering in (select id from networkoffering where ${sql.join(conditions, sql` and `)})`;
}

export const updateNetwork = jobCommand({
  name: 'updateNetwork',
  summary: 'Changes a network',
  roles: WRITERS,
  event: 'NETWORK.UPDATE',
  answer: { kind: 'object', key: 'network', view: networkView },
  params: z.object({
    id: param.ref('network', 'The network'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description').optional(),
    networkdomain: param.text('New network domain').optional(),
    networkofferingid: param.ref('networkoffering', 'New offering').optional(),
    changecidr: param.flag('Accepted; the CIDR of a network does not change').optional(),
    guestvmcidr: param.text('Not offered: use ipexclusionlist to keep addresses').optional(),
    displaynetwork: param.flag('Whether it is shown to its owner; for root').optional(),
    dns1: param.address('First resolver').optional(),
    dns2: param.address('Second resolver').optional(),
    ipexclusionlist: param.text('Addresses that are never handed out: 10.1.1.2-10.1.1.9,10.1.1.20', 4096).optional(),
  }),
  async job(room, want) {
    const network = await visible(room, 'network', want.id);
    if (network.implicit === 1)
      throw refuse('parameter', "Can't update system networks: it belongs to the private gateway it was made for");
    if (want.guestvmcidr !== undefined) {
      throw refuse(
        'parameter',
        'guestvmcidr is not offered. To keep addresses for other machines, put them on the ipexclusionlist',
      );
    }
    const patch: Partial<Tables['network']> = {};
    if (want.name !== undefined && want.name !== '') patch.name = want.name;
    if (want.displaytext !== undefined) patch.displaytext = want.displaytext;
    if (want.networkdomain !== undefined) patch.networkdomain = checkedDomain(network, want.networkdomain);
    if (want.dns1 !== undefined || want.dns2 !== undefined) {
      if (network.guesttype === 'Private')
        throw refuse('parameter', 'Network of type Private does not support setting DNS servers');
      if (want.dns1 !== undefined) patch.dns1 = want.dns1;
      if (want.dns2 !== undefined) patch.dns2 = want.dns2;
    }
    if (want.displaynetwork !== undefined && room.call.caller.role === 'admin')
      patch.displaynetwork = want.displaynetwork ? 1 : 0;
    if (want.ipexclusionlist !== undefined)
      patch.ipexclusionlist = await checkedExclusion(room, network, want.ipexclusionlist);
    if (want.networkofferingid !== undefined && want.networkofferingid !== network.offering) {
      patch.offering = await checkedOffering(room, network, want.networkofferingid);
    }
    if (Object.keys(patch).length > 0) await room.tx.update('network', network.id, patch);
    return { about: { type: 'Network', id: network.id }, view: 'network', text: `updating network ${network.name}` };
  },
});

function checkedDomain(network: Tables['network'], name: string): string {
  checkNetworkDomain(name);
  if (network.guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `NetworkOffering and domain suffix upgrade can be perfomed for Isolated networks only; ${network.name} is of type ${network.guesttype}`,
    );
  }
  if (network.vpc !== null)
    throw refuse('parameter', `Network ${network.name} is a tier: its network domain is that of its VPC`);
  return name;
}

async function checkedExclusion(room: Room, network: Tables['network'], text: string): Promise<string | null> {
  if (text.trim() === '') return null;
  if (network.cidr === null)
    throw refuse('parameter', `Network ${network.name} has no CIDR that addresses could be excluded from`);
  const excluded = checkExclusion(text, network.cidr);
  const active = await room.db.selectFrom('address').select('ip').where('network', '=', network.id).execute();
  const hit = active.find((row) => excluded.some((range) => ip(row.ip) >= range.from && ip(row.ip) <= range.to));
  if (hit !== undefined) throw refuse('parameter', `Active IP ${hit.ip} exist in ipExclusionList.`);
  return text;
}

async function checkedOffering(room: Room, network: Tables['network'], id: string): Promise<string> {
  const offering = await existing(room, 'networkoffering', id, 'networkofferingid');
  if (network.guesttype !== 'Isolated' || offering.guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `NetworkOffering and domain suffix upgrade can be perfomed for Isolated networks only; network ${network.name} is ${network.guesttype}, offering ${offering.name} is ${offering.guesttype}`,
    );
  }
  if (offering.state !== 'Enabled') {
    throw refuse(
      'parameter',
      `Network offering with specified id is not in Enabled state, can't upgrade to it: ${offering.name} is ${offering.state}`,
    );
  }
  if ((offering.forvpc === 1) !== (network.vpc !== null)) {
    throw refuse(
      'parameter',
      network.vpc === null
        ? "Can't update as the new offering is a vpc offering"
        : "Can't update as the new offering is not a vpc offering",
    );
  }
  if (offering.segment !== network.segment || (offering.segment === 'vlan' && offering.specifyvlan === 1)) {
    throw refuse(
      'parameter',
      `Network ${network.name} is made of ${network.segment}, networks of offering ${offering.name} are made otherwise: make a new network instead`,
    );
  }
  return offering.id;
}

export const restartNetwork = jobCommand({
  name: 'restartNetwork',
  summary: 'Makes everything of a network anew, without a lost packet',
  roles: WRITERS,
  event: 'NETWORK.RESTART',
  answer: { kind: 'success' },
  params: z.object({
    id: param.ref('network', 'The network'),
    cleanup: param.flag('Makes no difference: there is no router to be made anew').optional(),
    makeredundant: param.flag('Makes no difference: networks are on every hypervisor anyway').optional(),
    livepatch: param.flag('Makes no difference').optional(),
  }),
  async job(room, want) {
    const network = await visible(room, 'network', want.id);
    if (network.state === 'Allocated') {
      throw refuse(
        'parameter',
        `Network is not in the right state to be restarted. Correct states are: Implemented, Setup; ${network.name} is ${network.state}`,
      );
    }
    await room.tx.update('network', network.id, { restartrequired: 0 });
    return { about: { type: 'Network', id: network.id }, text: `restarting network ${network.name}` };
  },
});

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
    if (network.guesttype === 'Shared' && role !== 'admin')
      throw refuse('parameter', 'Only Admins can delete network with guest type Shared');
    await refuseUsed(room, network);
    await removeNetwork(room, network);
    return { about: { type: 'Network', id: network.id }, text: `deleting network ${network.name}` };
  },
});

/** Removes the row and all that is its own. Whoever calls has made sure that nothing uses it. */
export async function removeNetwork(room: WriteRoom, network: Tables['network']): Promise<void> {
  const { tx } = room;
  await releaseVlan(tx, network.id);
  await tx.db.deleteFrom('address').where('network', '=', network.id).execute();
  await tx.db.deleteFrom('tag').where('kind', '=', 'Network').where('resource', '=', network.id).execute();
  await tx.remove('network', network.id);
}

async function refuseUsed(room: Room, network: Tables['network']): Promise<void> {
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
  if (network.vpc === null || network.cidr === null) return;
  const prefix = cidr(network.cidr);
  const routes = await room.db
    .selectFrom('staticroute')
    .select(['cidr', 'nexthop'])
    .where('vpc', '=', network.vpc)
    .orderBy('cidr')
    .execute();
  const route = routes.find(({ nexthop }) => contains(prefix, parseIp(nexthop) ?? -1));
  if (route !== undefined) {
    throw refuse(
      'failed',
      `Can't delete network ${network.name} as it has static routes applied pointing to the CIDR of the network (${network.cidr}). Example static route: ${route.cidr} to ${route.nexthop}. Please remove all the routes pointing to the network tier CIDR before attempting to delete it.`,
    );
  }
}

/** The first few of many names. */
export function some(names: readonly string[], most = 5): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
