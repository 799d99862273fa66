// What a range of public addresses may be: its form, its VLAN, and what it must not overlap. The refusals are CloudStack's.
import { refuse } from '../../api/error.ts';
import { cidr, contains, formatIp, ip, lengthOfNetmask, overlaps, parseIp, usable } from '../../lib/ip.ts';
import { FIRST_VLAN, LAST_VLAN, inVlanRanges, parseVlanRanges } from '../../model/vlan-range.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';
import { type PublicRange, cidrOf, vlanUri } from './public-range-view.ts';

/** A range as a caller writes it. */
export interface RangeWant {
  readonly startip?: string | undefined;
  readonly endip?: string | undefined;
  readonly gateway?: string | undefined;
  readonly netmask?: string | undefined;
}

/** Larger ones are better cut in parts: free addresses are listed one by one. */
const MOST = 65_536;

/** The addresses of a range: both ends in the subnet of the gateway, which is not one of them. */
export function readRange(want: RangeWant): Pick<PublicRange, 'startip' | 'endip' | 'gateway' | 'netmask'> {
  if (want.startip === undefined)
    throw refuse('parameter', 'StartIP or StartIPv6 is missing in the parameters!: give startip');
  if (want.gateway === undefined || want.netmask === undefined)
    throw refuse('parameter', 'Please specify a valid IP range.: gateway and netmask belong to it');
  const start = parseIp(want.startip);
  const end = parseIp(want.endip ?? want.startip);
  const gateway = parseIp(want.gateway);
  if (start === undefined || end === undefined || start > end) {
    throw refuse(
      'parameter',
      `Please specify a valid IP range.: ${want.startip}-${want.endip ?? want.startip} is none, write startip=203.0.113.10 and endip=203.0.113.20`,
    );
  }
  if (gateway === undefined) throw refuse('parameter', `Please specify a valid gateway: ${want.gateway} is no address`);
  const netmask = readNetmask(want.netmask);
  const prefix = cidr(cidrOf({ gateway: formatIp(gateway), netmask }));
  for (const [which, address] of [
    ['start', start],
    ['end', end],
  ] as const) {
    if (contains(prefix, address) && usable(prefix, address)) continue;
    throw refuse(
      'parameter',
      `Please ensure that your ${which} IP is in the same subnet as your IP range's gateway, as per the IP range's netmask.: ${formatIp(address)} is no machine's address in ${cidrOf({ gateway: formatIp(gateway), netmask })}`,
    );
  }
  if (gateway >= start && gateway <= end)
    throw refuse(
      'parameter',
      `The gateway ip ${want.gateway} should not be in the IP range ${want.startip}-${want.endip ?? want.startip}: it is another machine's`,
    );
  if (end - start + 1 > MOST)
    throw refuse(
      'parameter',
      `The IP range holds ${end - start + 1} addresses; at most ${MOST} are possible: add it in parts`,
    );
  return { startip: formatIp(start), endip: formatIp(end), gateway: formatIp(gateway), netmask };
}

function readNetmask(text: string): string {
  if ((lengthOfNetmask(text) ?? 0) === 0)
    throw refuse('parameter', `Please specify a valid netmask: ${text} is no netmask such as 255.255.255.0`);
  return text;
}

/** The number of a VLAN that no network can be given, or null for none. */
export async function readVlan(
  room: Room,
  zone: Tables['zone'],
  physical: Tables['physicalnetwork'],
  text: string | undefined,
): Promise<number | null> {
  const bare = (text ?? 'untagged').toLowerCase().replace(/^vlan:\/\//, '');
  if (bare === 'untagged') return null;
  const vlan = /^[0-9]{1,5}$/.test(bare) ? Number(bare) : Number.NaN;
  if (!(vlan >= FIRST_VLAN && vlan <= LAST_VLAN))
    throw refuse('parameter', `Invalid vlan ${text}: write untagged, or a number from ${FIRST_VLAN} to ${LAST_VLAN}`);
  const pool = parseVlanRanges(physical.vlan);
  if ('ranges' in pool && inVlanRanges(pool.ranges, vlan)) {
    throw refuse(
      'parameter',
      `The VLAN tag ${vlan} is already being used for dynamic vlan allocation for the guest network in zone ${zone.name}: choose one outside of ${physical.vlan}`,
    );
  }
  const user = await room.db
    .selectFrom('vlan')
    .innerJoin('network', 'network.id', 'vlan.network')
    .select('network.name')
    .where('vlan.physicalnetwork', '=', physical.id)
    .where('vlan.vlan', '=', vlan)
    .executeTakeFirst();
  if (user !== undefined)
    throw refuse('parameter', `The VLAN tag ${vlan} is in use by network ${user.name}: choose another`);
  return vlan;
}

/** Refuses addresses that another range has, and subnets that are elsewhere already. `itself`: the range that changes. */
export async function checkOverlap(
  room: Room,
  zone: Tables['zone'],
  range: Pick<PublicRange, 'startip' | 'endip' | 'gateway' | 'netmask' | 'vlan'>,
  itself = '',
): Promise<void> {
  const others = await room.db
    .selectFrom('publicrange')
    .selectAll()
    .where('zone', '=', zone.id)
    .where('id', '!=', itself)
    .execute();
  const prefix = cidr(cidrOf(range));
  for (const other of others) {
    if (ip(range.startip) <= ip(other.endip) && ip(other.startip) <= ip(range.endip)) {
      throw refuse(
        'parameter',
        `The IP range already has IPs that overlap with the new range. Please specify a different start IP/end IP.: ${other.startip}-${other.endip} is there already`,
      );
    }
    if (!overlaps(cidr(cidrOf(other)), prefix)) continue;
    if (other.vlan !== range.vlan) {
      throw refuse(
        'parameter',
        `The IP range with tag: ${other.vlan ?? 'untagged'} in zone ${zone.name} has overlapped with the subnet. Please specify a different gateway/netmask.: ${cidrOf(other)} is there on ${vlanUri(other.vlan)}`,
      );
    }
    if (other.gateway !== range.gateway || other.netmask !== range.netmask) {
      throw refuse(
        'parameter',
        `The subnet ${cidrOf(other)} is there with gateway ${other.gateway} and netmask ${other.netmask}. Please specify a different gateway/netmask, or the same for more addresses of it`,
      );
    }
  }
}
