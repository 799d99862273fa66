// VPCs: a router and an address space of a tenant's own, in which tiers are made.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { formatCidr, isPrivate, parseCidr } from '../../lib/ip.ts';
import { servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { checkLimits } from '../account/resource-count.ts';
import { existing, visible } from '../access.ts';
import { checkNetworkDomain, defaultNetworkDomain, knownIds, openZone } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { some } from '../network/network.ts';
import { forParams, ownerOf } from '../owner.ts';
import { giveVpcSourceNat, takeBackVpc } from '../public/public-ip-give.ts';
import { changeSourceNat } from '../public/source-nat-change.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { showVpcs, vpcView } from './vpc-view.ts';

export const listVPCs = listCommand({
  name: 'listVPCs',
  summary: 'Lists VPCs with their tiers',
  roles: EVERYBODY,
  key: 'vpc',
  view: vpcView,
  params: z.object({
    id: param.ref('vpc', 'The VPC with this id').optional(),
    name: param.text('VPCs of this name').optional(),
    displaytext: param.text('VPCs with this description').optional(),
    cidr: param.text('VPCs with this address space').optional(),
    zoneid: param.ref('zone', 'VPCs in this zone').optional(),
    vpcofferingid: param.ref('vpcoffering', 'VPCs of this offering').optional(),
    supportedservices: param.list('VPCs whose offering has all of these services').optional(),
    state: param.text('VPCs in this state').optional(),
    restartrequired: param.flag('Whether they need a restart').optional(),
    fordisplay: param.flag('Whether they are shown to their owner').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'vpc' });
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.vpcofferingid !== undefined) await existing(room, 'vpcoffering', want.vpcofferingid, 'vpcofferingid');
    let query = room.db
      .selectFrom('vpc')
      .selectAll()
      .where(await ownedRows(room, 'vpc', want))
      .where(taggedRows('vpc', 'Vpc', want.tags));
    for (const [column, value] of [
      ['id', want.id],
      ['cidr', want.cidr],
      ['zone', want.zoneid],
      ['offering', want.vpcofferingid],
    ] as const) {
      if (value !== undefined) query = query.where(column, '=', value);
    }
    for (const [column, value] of [
      ['name', want.name],
      ['displaytext', want.displaytext],
      ['state', want.state],
    ] as const) {
      if (value !== undefined) query = query.where(named(column, value));
    }
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.restartrequired !== undefined) query = query.where('restartrequired', '=', want.restartrequired ? 1 : 0);
    if (want.fordisplay !== undefined) query = query.where('fordisplay', '=', want.fordisplay ? 1 : 0);
    if ((want.supportedservices?.length ?? 0) > 0) {
      // An empty list of values is no SQL on PostgreSQL; no offering has the empty id.
      query = query.where('offering', 'in', ['', ...(await offeringsWith(room, want.supportedservices ?? []))]);
    }
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showVpcs(room, rows) };
  },
});

async function offeringsWith(room: Room, services: readonly string[]): Promise<string[]> {
  const wanted = services.map((name) => name.toLowerCase());
  const rows = await room.db.selectFrom('vpcoffering').select(['id', 'services']).execute();
  const having = rows.filter((row) => {
    const names = new Set(servicesOf(row).map(({ name }) => name.toLowerCase()));
    return wanted.every((name) => names.has(name));
  });
  return having.map((row) => row.id);
}

/** What Cosmic's router VM does and a router that is nowhere cannot. */
const routerParams = {
  sourcenatlist: param
    .notOffered(
      'only tiers are translated to the address of their VPC, and not what is behind its private gateways. Give those networks a VPC with a source NAT address of its own, and leave sourcenatlist out',
    )
    .optional(),
  syslogserverlist: param
    .notOffered(
      'the router of a VPC is every hypervisor and writes no log of packets that could be sent anywhere. Log in the instances, and leave syslogserverlist out',
    )
    .optional(),
};

/** A VPC smaller than this has no room for a tier with a gateway and an instance. */
const LONGEST = 29;

export const createVPC = jobCommand({
  name: 'createVPC',
  summary: 'Creates a VPC',
  roles: WRITERS,
  event: 'VPC.CREATE',
  answer: { kind: 'object', key: 'vpc', view: vpcView },
  params: z.object({
    name: param.text('Name of the VPC'),
    displaytext: param.text('Description'),
    cidr: param.text('Its address space, a private one such as 10.1.0.0/16: all tiers lie in it'),
    vpcofferingid: param.ref('vpcoffering', 'The offering'),
    zoneid: param.ref('zone', 'The zone'),
    networkdomain: param.text('Network domain of its tiers').optional(),
    start: param.flag('Makes no difference: there is no router to start').optional(),
    sourcenatipaddress: param
      .address('Its source NAT address, a free one of the public ranges; the next free one where it is left out')
      .optional(),
    fordisplay: param.flag('Whether it is shown to its owner; for root').optional(),
    ...routerParams,
    ...forParams,
  }),
  async job(room, want) {
    const owner = await ownerOf(room, want);
    const offering = await existing(room, 'vpcoffering', want.vpcofferingid, 'vpcofferingid');
    if (offering.state !== 'Enabled') {
      throw refuse(
        'parameter',
        `Unable to find vpc offering in Enabled state by specified id: ${offering.name} is ${offering.state}`,
      );
    }
    const zone = await openZone(room, want.zoneid);
    checkCidr(want.cidr);
    await checkLimits(room, { account: owner.account.id, domain: owner.domain.id }, { vpc: 1 });
    if (want.networkdomain !== undefined) checkNetworkDomain(want.networkdomain);
    const id = newId();
    const vpc: Tables['vpc'] = {
      id,
      name: want.name,
      displaytext: want.displaytext,
      cidr: want.cidr,
      zone: zone.id,
      account: owner.account.id,
      domain: owner.domain.id,
      offering: offering.id,
      networkdomain: want.networkdomain ?? defaultNetworkDomain(owner, zone),
      state: 'Enabled',
      restartrequired: 0,
      gatewayturn: 0,
      gatewayavoid: '',
      fordisplay: want.fordisplay === false && room.call.caller.role === 'admin' ? 0 : 1,
      epoch: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('vpc', vpc);
    await giveVpcSourceNat(room, vpc, offering, want.sourcenatipaddress);
    return { id, about: { type: 'Vpc', id }, view: 'vpc', text: `creating VPC ${want.name} (${want.cidr})` };
  },
});

function checkCidr(text: string): void {
  const prefix = parseCidr(text);
  if (prefix === undefined) throw refuse('parameter', `Invalid CIDR specified ${text}: write it like 10.1.0.0/16`);
  if (!isPrivate(prefix)) {
    throw refuse(
      'parameter',
      `Guest Cidr ${text} is not RFC1918 compliant: use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16`,
    );
  }
  if (prefix.length > LONGEST) {
    throw refuse(
      'parameter',
      `Invalid CIDR specified ${text}: ${formatCidr(prefix)} has no room for a tier, a VPC needs a /${LONGEST} at least`,
    );
  }
}

export const updateVPC = jobCommand({
  name: 'updateVPC',
  summary: 'Changes a VPC',
  roles: WRITERS,
  event: 'VPC.UPDATE',
  answer: { kind: 'object', key: 'vpc', view: vpcView },
  params: z.object({
    id: param.ref('vpc', 'The VPC'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description').optional(),
    vpcofferingid: param.ref('vpcoffering', 'New offering').optional(),
    sourcenatipaddress: param
      .address('The one of its public addresses that becomes its source NAT address; the one before stays with it')
      .optional(),
    fordisplay: param.flag('Whether it is shown to its owner; for root').optional(),
    ...routerParams,
  }),
  async job(room, want) {
    const vpc = await visible(room, 'vpc', want.id);
    const patch: Partial<Tables['vpc']> = {};
    if (want.name !== undefined && want.name !== '') patch.name = want.name;
    if (want.displaytext !== undefined) patch.displaytext = want.displaytext;
    if (want.fordisplay !== undefined && room.call.caller.role === 'admin') patch.fordisplay = want.fordisplay ? 1 : 0;
    if (want.vpcofferingid !== undefined) {
      const offering = await checkedOffering(room, vpc, want.vpcofferingid);
      patch.offering = offering.id;
      await giveVpcSourceNat(room, vpc, offering);
    }
    if (Object.keys(patch).length > 0) await room.tx.update('vpc', vpc.id, patch);
    const whose = { of: 'vpc', id: vpc.id, name: vpc.name, conserve: false } as const;
    const enters =
      want.sourcenatipaddress === undefined ? [] : await changeSourceNat(room, whose, want.sourcenatipaddress);
    return { about: { type: 'Vpc', id: vpc.id }, view: 'vpc', enters, text: `updating VPC ${vpc.name}` };
  },
});

async function checkedOffering(room: Room, vpc: Tables['vpc'], id: string): Promise<Tables['vpcoffering']> {
  const offering = await existing(room, 'vpcoffering', id, 'vpcofferingid');
  if (offering.id === vpc.offering) {
    throw refuse(
      'parameter',
      'The vpc already has the specified offering, so not upgrading. Use restart+cleanup to rebuild.',
    );
  }
  if (offering.state !== 'Enabled') {
    throw refuse(
      'parameter',
      `Unable to find vpc offering in Enabled state by specified id: ${offering.name} is ${offering.state}`,
    );
  }
  const tiers = await room.db
    .selectFrom('network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .select('networkoffering.services')
    .where('network.vpc', '=', vpc.id)
    .execute();
  const offered = new Set(servicesOf(offering).map(({ name }) => name));
  const missing = [...new Set(tiers.flatMap((tier) => servicesOf(tier).map(({ name }) => name)))].filter(
    (name) => !offered.has(name),
  );
  if (missing.length > 0) {
    throw refuse(
      'parameter',
      `The new vpc offering does not support these service(s) that this vpc requires for proper operation: [${missing.join(', ')}] based on the network offerings used. Please select an offering with compatible services.`,
    );
  }
  const held = await room.db.selectFrom('publicip').select('ip').where('vpc', '=', vpc.id).orderBy('ip').execute();
  if (!offered.has('SourceNat') && held.length > 0) {
    throw refuse(
      'parameter',
      `The new vpc offering does not support these service(s) that this vpc requires for proper operation: [SourceNat] for its public addresses ${some(held.map(({ ip }) => ip))}. Please select an offering with compatible services.`,
    );
  }
  return offering;
}

export const deleteVPC = jobCommand({
  name: 'deleteVPC',
  summary: 'Deletes a VPC that has no tiers, private gateways and static routes any more',
  roles: WRITERS,
  event: 'VPC.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('vpc', 'The VPC') }),
  async job(room, want) {
    const vpc = await visible(room, 'vpc', want.id);
    await refuseUsed(room, vpc);
    await removeVpc(room, vpc);
    return { about: { type: 'Vpc', id: vpc.id }, text: `deleting VPC ${vpc.name}` };
  },
});

/** Removes the row, its public addresses and its own ACL lists. Whoever calls has made sure that nothing else hangs on it. */
export async function removeVpc(room: WriteRoom, vpc: Tables['vpc']): Promise<void> {
  const { tx } = room;
  await takeBackVpc(room, vpc.id);
  const lists = await tx.db.selectFrom('acl').select('id').where('vpc', '=', vpc.id).execute();
  for (const { id } of lists) {
    const items = await tx.db.selectFrom('aclitem').select('id').where('acl', '=', id).execute();
    for (const item of items) await tx.remove('aclitem', item.id);
    await tx.remove('acl', id);
  }
  await tx.db.deleteFrom('tag').where('kind', '=', 'Vpc').where('resource', '=', vpc.id).execute();
  await tx.remove('vpc', vpc.id);
}

async function refuseUsed(room: Room, vpc: Tables['vpc']): Promise<void> {
  const tiers = await room.db.selectFrom('network').select('name').where('vpc', '=', vpc.id).orderBy('name').execute();
  if (tiers.length > 0) {
    throw refuse(
      'failed',
      `Can't delete VPC ${vpc.name} as its used by ${tiers.length} networks: ${some(tiers.map((row) => row.name))}. Delete them first`,
    );
  }
  const routes = await room.db
    .selectFrom('staticroute')
    .select(['cidr', 'nexthop'])
    .where('vpc', '=', vpc.id)
    .orderBy('cidr')
    .execute();
  if (routes.length > 0) {
    const names = some(routes.map((row) => `${row.cidr} via ${row.nexthop}`));
    throw refuse(
      'failed',
      `Can't delete VPC ${vpc.name} as it has ${routes.length} static routes: ${names}. Delete them first`,
    );
  }
  const gateways = await room.db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .select(['privategateway.ip', 'network.name'])
    .where('privategateway.vpc', '=', vpc.id)
    .orderBy('network.name')
    .execute();
  if (gateways.length > 0) {
    const names = some(gateways.map((row) => `${row.ip} on network ${row.name}`));
    throw refuse(
      'failed',
      `Can't delete VPC ${vpc.name} as it has ${gateways.length} private gateways: ${names}. Delete them first`,
    );
  }
}
