// Ranges of public addresses: making, listing and removing them, and dedicating them to a tenant. The operator's commands; what
// tenants do with the addresses is in public-ip.ts.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId } from '../access.ts';
import { knownIds } from '../known.ts';
import { containing, page, pageParams } from '../list.ts';
import { physicalNetworkFor } from '../network/network-segment.ts';
import { refuseNetworkOverlap } from '../network/public-overlap.ts';
import { type Room, listCommand, writeCommand } from '../room.ts';
import { checkOverlap, readRange, readVlan } from './public-range-read.ts';
import { readWire6 } from './public-wire6.ts';
import { type PublicRange, publicRangeView, showRanges } from './public-range-view.ts';

const params = z.object({
  zoneid: param.ref('zone', 'The zone').optional(),
  physicalnetworkid: param.ref('physicalnetwork', 'The physical network it is outside of').optional(),
  forvirtualnetwork: param.flag('true, as where it is left out: addresses that are acquired one by one').optional(),
  networkid: param.ref('network', 'Not offered: further ranges of a Shared network').optional(),
  podid: param.ref('pod', 'Accepted: a zone has one pod').optional(),
  startip: param.text('First address').optional(),
  endip: param.text('Last address; the first where it is left out').optional(),
  gateway: param.text('Whom routers send to').optional(),
  netmask: param.text('Its netmask').optional(),
  vlan: param.text('VLAN of the addresses: N, vlan://N, or untagged, as where it is left out').optional(),
  account: param.text('Dedicate it to this account; with domainid').optional(),
  domainid: param.ref('domain', 'Dedicate it to this domain, or to an account of it').optional(),
  projectid: param.text('Projects are not offered').optional(),
  startipv6: param.text('Not offered').optional(),
  endipv6: param.text('Not offered').optional(),
  ip6gateway: param.text('Whom routers send IPv6 to; with ip6cidr').optional(),
  ip6cidr: param
    .text(
      'IPv6 prefix of the wire, a /64: routers have an address of it. A shorter one where upstream takes more for its wire: then router nodes answer there for the instances of networks in it',
    )
    .optional(),
  forsystemvms: param.flag('Only false: there are no system instances').optional(),
});

type Want = z.infer<typeof params>;

export const createVlanIpRange = writeCommand({
  name: 'createVlanIpRange',
  summary: 'Adds a range of public addresses',
  roles: ROOT,
  event: 'VLAN.IP.RANGE.CREATE',
  answer: { kind: 'object', key: 'vlan', view: publicRangeView },
  params,
  async write(room, want) {
    checkOffered(want);
    const zone = await zoneOf(room, want);
    const physical = await physicalNetworkFor(room, zone, want.physicalnetworkid);
    const range = readRange(want);
    const vlan = await readVlan(room, zone, physical, want.vlan);
    await checkOverlap(room, zone, { ...range, vlan });
    await refuseNetworkOverlap(room, zone.id, range);
    const dedicated = await dedication(room, want);
    const row: PublicRange = {
      id: newId(),
      zone: zone.id,
      physicalnetwork: physical.id,
      network: null,
      vlan,
      ...(await readWire6(room, want)),
      ...range,
      ...dedicated,
      created: new Date().toISOString(),
    };
    await room.tx.insert('publicrange', row);
    return { vlan: (await showRanges(room.db, [row]))[0] };
  },
});

function checkOffered(want: Want): void {
  if (want.forvirtualnetwork === false || want.networkid !== undefined) {
    throw refuse(
      'parameter',
      'Further ranges of a Shared network are not offered: give it startip and endip that hold all its addresses when you make it. Leave networkid out, and forvirtualnetwork or set it to true, for a range of public addresses',
    );
  }
  if (want.startipv6 !== undefined || want.endipv6 !== undefined)
    throw refuse(
      'parameter',
      'Public IPv6 addresses are not given one by one, networks are routed: give ip6cidr and ip6gateway, and leave startipv6 and endipv6 out',
    );
  if (want.forsystemvms === true)
    throw refuse('parameter', 'There are no system instances that could use the range: leave forsystemvms out');
  if (want.projectid !== undefined && want.projectid !== '-1')
    throw refuse('parameter', 'Projects are not offered here: leave projectid out, or name account and domainid');
}

async function zoneOf(room: Room, want: Want): Promise<Tables['zone']> {
  if (want.zoneid !== undefined) return existing(room, 'zone', want.zoneid, 'zoneid');
  if (want.physicalnetworkid !== undefined) {
    const physical = await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    return existing(room, 'zone', physical.zone, 'zoneid');
  }
  throw refuse('parameter', 'Please specify the zone of the IP range: give zoneid, or physicalnetworkid');
}

/** Whom a range is for: an account, a domain, or everybody. */
async function dedication(
  room: Room,
  want: { readonly account?: string | undefined; readonly domainid?: string | undefined },
): Promise<Pick<PublicRange, 'account' | 'domain'>> {
  if (want.domainid === undefined) {
    if (want.account !== undefined)
      throw refuse(
        'parameter',
        'Account must be specified with domainId parameter: account names are unique in a domain only',
      );
    return { account: null, domain: null };
  }
  const domain = await existing(room, 'domain', want.domainid, 'domainid');
  if (want.account === undefined) return { account: null, domain: domain.id };
  const account = await room.db
    .selectFrom('account')
    .select('id')
    .where('domain', '=', domain.id)
    .where('name', '=', want.account)
    .executeTakeFirst();
  if (account === undefined)
    throw refuse('parameter', `Unable to find account ${want.account} in domain ${domain.name}`);
  return { account: account.id, domain: domain.id };
}

export const listVlanIpRanges = listCommand({
  name: 'listVlanIpRanges',
  summary: 'Lists ranges of public addresses',
  roles: ROOT,
  key: 'vlaniprange',
  view: publicRangeView,
  params: z.object({
    id: param.ref('publicrange', 'The range with this id').optional(),
    zoneid: param.ref('zone', 'In this zone').optional(),
    physicalnetworkid: param.ref('physicalnetwork', 'Outside of this physical network').optional(),
    networkid: param.ref('network', 'Of this Shared network: such have none').optional(),
    podid: param.ref('pod', 'Accepted: a zone has one pod').optional(),
    vlan: param.text('On this VLAN').optional(),
    forvirtualnetwork: param.flag('true: all are').optional(),
    account: param.text('Dedicated to this account; with domainid').optional(),
    domainid: param.ref('domain', 'Dedicated to this domain').optional(),
    projectid: param.text('Projects are not offered').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await knownRange(room, want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.physicalnetworkid !== undefined)
      await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    await knownIds(room, want, { networkid: 'network' });
    const whose = await dedication(room, want);
    let query = room.db.selectFrom('publicrange').selectAll();
    for (const [column, value] of [
      ['id', want.id],
      ['zone', want.zoneid],
      ['physicalnetwork', want.physicalnetworkid],
      ['network', want.networkid],
      ['account', whose.account ?? undefined],
      ['domain', whose.domain ?? undefined],
    ] as const) {
      if (value !== undefined) query = query.where(column, '=', value);
    }
    if (want.keyword !== undefined) query = query.where(containing('startip', want.keyword));
    if (want.vlan !== undefined) {
      const bare = want.vlan.toLowerCase().replace(/^vlan:\/\//, '');
      query = bare === 'untagged' ? query.where('vlan', 'is', null) : query.where('vlan', '=', Number(bare) || -1);
    }
    if (want.forvirtualnetwork === false) return { count: 0, rows: [] };
    const { count, rows } = await page(query.orderBy('created').orderBy('id'), want);
    return { count, rows: await showRanges(room.db, rows) };
  },
});

/** The range with this id; else refuses as unknown. */
export async function knownRange(room: Room, id: string): Promise<PublicRange> {
  const row = await room.db.selectFrom('publicrange').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw unknownId(room, 'id', id);
  return row;
}

/** The addresses of a range that somebody has, or whose last owner's routers have not let go yet. */
export async function addressesInUse(room: Room, range: string): Promise<Tables['publicip'][]> {
  return room.db
    .selectFrom('publicip')
    .selectAll()
    .where('publicrange', '=', range)
    .where('state', '!=', 'Free')
    .execute();
}

export const deleteVlanIpRange = writeCommand({
  name: 'deleteVlanIpRange',
  summary: 'Removes a range of public addresses that nobody has any of',
  roles: ROOT,
  event: 'VLAN.IP.RANGE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('publicrange', 'The range') }),
  async write(room, want) {
    const range = await knownRange(room, want.id);
    const used = await addressesInUse(room, range.id);
    if (used.length > 0) {
      const some = used.slice(0, 5).map((row) => row.ip);
      throw refuse(
        'parameter',
        `${used.length}  Ips are in use. Cannot delete this vlan: ${some.join(', ')}${used.length > 5 ? ', …' : ''} of ${range.startip}-${range.endip}. Release them first`,
      );
    }
    await room.tx.db.deleteFrom('publicip').where('publicrange', '=', range.id).execute();
    await room.tx.remove('publicrange', range.id);
    return undefined;
  },
});

export const dedicatePublicIpRange = writeCommand({
  name: 'dedicatePublicIpRange',
  summary: 'Keeps a range of public addresses for a domain, or an account of it',
  roles: ROOT,
  event: 'VLAN.IP.RANGE.DEDICATE',
  answer: { kind: 'object', key: 'vlan', view: publicRangeView },
  params: z.object({
    id: param.ref('publicrange', 'The range'),
    domainid: param.ref('domain', 'The domain'),
    account: param.text('An account of it').optional(),
    projectid: param.text('Projects are not offered').optional(),
  }),
  async write(room, want) {
    const range = await knownRange(room, want.id);
    if (range.account !== null || range.domain !== null) {
      throw refuse(
        'parameter',
        `Specified Public IP range has already been dedicated: ${range.startip}-${range.endip}. Release it first`,
      );
    }
    const whose = await dedication(room, want);
    const foreign = (await addressesInUse(room, range.id)).find((row) =>
      whose.account === null ? row.domain !== whose.domain : row.account !== whose.account,
    );
    if (foreign !== undefined) {
      throw refuse(
        'parameter',
        `Public IP address in range is allocated to another account: ${foreign.ip}. It has to be released first`,
      );
    }
    await room.tx.update('publicrange', range.id, whose);
    return { vlan: (await showRanges(room.db, [{ ...range, ...whose }]))[0] };
  },
});

export const releasePublicIpRange = writeCommand({
  name: 'releasePublicIpRange',
  summary: 'Gives a dedicated range of public addresses to everybody; addresses that are in use stay',
  roles: ROOT,
  event: 'VLAN.IP.RANGE.RELEASE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('publicrange', 'The range') }),
  async write(room, want) {
    const range = await knownRange(room, want.id);
    if (range.account === null && range.domain === null)
      throw refuse(
        'parameter',
        `Specified Public IP range has not been dedicated: ${range.startip}-${range.endip} is everybody's`,
      );
    await room.tx.update('publicrange', range.id, { account: null, domain: null });
    return undefined;
  },
});
