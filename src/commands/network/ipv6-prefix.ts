// The prefixes that networks get their IPv6 from: the operator's commands. Whoever is upstream sends all of a prefix to the zone, and of
// each network to its router (the ip6routes of networks and VPCs).
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import {
  FORBIDDEN6,
  type Cidr6,
  SLAAC_LENGTH,
  cidr6,
  covers6,
  formatCidr6,
  overlaps6,
  parseCidr6,
  subnets6,
} from '../../lib/ip6.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import { containing, page, pageParams } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { some } from './network.ts';
import { usedPrefixes } from './ipv6-network.ts';
import { fitsOnWire } from './ipv6-wire.ts';

type Prefix = Tables['guestprefix'];

export const guestPrefixView = z.object({
  id: field.string('id of the prefix'),
  prefix: field.string('the prefix'),
  zoneid: field.string('its zone'),
  totalsubnets: field.integer('networks it has room for'),
  usedsubnets: field.integer('networks that have a part of it'),
  availablesubnets: field.integer('networks it still has room for'),
  created: field.date('when it was made'),
});

type GuestPrefixView = z.infer<typeof guestPrefixView>;

async function showPrefixes(room: Room, rows: readonly Prefix[]): Promise<GuestPrefixView[]> {
  const used = await usedPrefixes(room.db);
  return rows.map((row) => {
    const prefix = cidr6(row.prefix);
    const total = Number(subnets6(prefix, SLAAC_LENGTH));
    const taken = used.filter((one) => covers6(prefix, one.prefix)).length;
    return {
      id: row.id,
      prefix: row.prefix,
      zoneid: row.zone,
      totalsubnets: total,
      usedsubnets: taken,
      availablesubnets: total - taken,
      created: field.clientDate(row.created),
    };
  });
}

/** The prefix with this id as a job's result shows it. */
export async function viewGuestPrefix(room: Room, id: string): Promise<GuestPrefixView | undefined> {
  return (
    await showPrefixes(room, await room.db.selectFrom('guestprefix').selectAll().where('id', '=', id).execute())
  )[0];
}

/** Longer ones hold no network, shorter ones more than any zone has. */
const LENGTHS = { shortest: 32, longest: SLAAC_LENGTH } as const;

export const createGuestNetworkIpv6Prefix = jobCommand({
  name: 'createGuestNetworkIpv6Prefix',
  summary: 'Adds a prefix that networks of a zone get their IPv6 from',
  roles: ROOT,
  event: 'NETWORK.GUEST.IPV6.PREFIX.CREATE',
  answer: { kind: 'object', key: 'guestnetworkipv6prefix', view: guestPrefixView },
  params: z.object({
    prefix: param.text(
      `The prefix, from /${LENGTHS.shortest} to /${LENGTHS.longest}: each network gets a /${SLAAC_LENGTH} of it`,
    ),
    zoneid: param.ref('zone', 'The zone'),
  }),
  async job(room, want) {
    const zone = await existing(room, 'zone', want.zoneid, 'zoneid');
    const prefix = parseCidr6(want.prefix);
    if (prefix === undefined)
      throw refuse('parameter', `Invalid IPv6 prefix: ${want.prefix}. Write it like 2001:db8:100::/48`);
    const text = formatCidr6(prefix);
    if (prefix.length < LENGTHS.shortest || prefix.length > LENGTHS.longest) {
      throw refuse(
        'parameter',
        `IPv6 prefix ${text} must be from /${LENGTHS.shortest} to /${LENGTHS.longest}: each network gets a /${SLAAC_LENGTH} of it`,
      );
    }
    if (FORBIDDEN6.some((range) => overlaps6(range, prefix)))
      throw refuse('parameter', `IPv6 prefix ${text} cannot be used: it holds addresses that are never a network's`);
    const rows = await room.db.selectFrom('guestprefix').selectAll().execute();
    const other = rows.find((row) => overlaps6(cidr6(row.prefix), prefix));
    if (other !== undefined)
      throw refuse('parameter', `IPv6 prefix ${text} overlaps with the existing one ${other.prefix}`);
    await refuseOverWire(room, prefix);
    const id = newId();
    await room.tx.insert('guestprefix', { id, zone: zone.id, prefix: text, created: new Date().toISOString() });
    return {
      id,
      about: { type: 'GuestNetworkIpv6Prefix', id },
      view: 'guestnetworkipv6prefix',
      text: `adding the guest IPv6 prefix ${text} to zone ${zone.name}`,
    };
  },
});

/** What is on a wire is in its prefix as a whole, and none of it the routers' own. */
async function refuseOverWire(room: Room, prefix: Cidr6): Promise<void> {
  const ranges = await room.db.selectFrom('publicrange').select(['startip', 'ip6cidr', 'ip6gateway']).execute();
  for (const { startip, ip6cidr, ip6gateway } of ranges) {
    if (ip6cidr === null || ip6gateway === null || !overlaps6(cidr6(ip6cidr), prefix)) continue;
    if (fitsOnWire({ ip6cidr, ip6gateway }, prefix)) continue;
    throw refuse(
      'parameter',
      `IPv6 prefix ${formatCidr6(prefix)} overlaps with ${ip6cidr}, which is the public range from ${startip}: a prefix on a wire is a part of it, beside the /${SLAAC_LENGTH} of its gateway ${ip6gateway}`,
    );
  }
}

export const deleteGuestNetworkIpv6Prefix = jobCommand({
  name: 'deleteGuestNetworkIpv6Prefix',
  summary: 'Removes a prefix that no network has a part of',
  roles: ROOT,
  event: 'NETWORK.GUEST.IPV6.PREFIX.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('guestprefix', 'The prefix') }),
  async job(room, want) {
    const row = await existing(room, 'guestprefix', want.id);
    const prefix = cidr6(row.prefix);
    const users = (await usedPrefixes(room.db)).filter((one) => covers6(prefix, one.prefix));
    if (users.length > 0) {
      throw refuse(
        'failed',
        `Can't delete the guest IPv6 prefix ${row.prefix} as ${users.length} networks have a part of it: ${some(users.map(({ by }) => by))}. Delete them first`,
      );
    }
    await room.tx.remove('guestprefix', row.id);
    return { text: `removing the guest IPv6 prefix ${row.prefix}` };
  },
});

export const listGuestNetworkIpv6Prefixes = listCommand({
  name: 'listGuestNetworkIpv6Prefixes',
  summary: 'Lists the prefixes that networks get their IPv6 from',
  roles: ROOT,
  key: 'guestnetworkipv6prefix',
  view: guestPrefixView,
  params: z.object({
    id: param.ref('guestprefix', 'The prefix with this id').optional(),
    zoneid: param.ref('zone', 'Prefixes of this zone').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await existing(room, 'guestprefix', want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    let query = room.db.selectFrom('guestprefix').selectAll();
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.keyword !== undefined) query = query.where(containing('prefix', want.keyword));
    const { count, rows } = await page(query.orderBy('created').orderBy('id'), want);
    return { count, rows: await showPrefixes(room, rows) };
  },
});
