// The IPv6 of a public wire, as root adds it to a range: routers have an address on it by which whoever is upstream reaches what is behind.
import { refuse } from '../../api/error.ts';
import {
  FORBIDDEN6,
  SLAAC_LENGTH,
  contains6,
  formatCidr6,
  formatIp6,
  overlaps6,
  cidr6,
  parseCidr6,
  parseIp6,
} from '../../lib/ip6.ts';
import { fitsOnWire } from '../network/ipv6-wire.ts';
import { usedPrefixes } from '../network/ipv6-network.ts';
import type { Room } from '../room.ts';
import type { PublicRange } from './public-range-view.ts';

/** Longer ones are no network, shorter ones no wire. */
const SHORTEST = 32;

/** Both null where neither is given. The same prefix may be on several ranges: they are of one wire then. */
export async function readWire6(
  room: Room,
  { ip6cidr, ip6gateway }: { readonly ip6cidr?: string | undefined; readonly ip6gateway?: string | undefined },
): Promise<Pick<PublicRange, 'ip6cidr' | 'ip6gateway'>> {
  if (ip6cidr === undefined && ip6gateway === undefined) return { ip6cidr: null, ip6gateway: null };
  if (ip6cidr === undefined || ip6gateway === undefined)
    throw refuse('parameter', 'ip6gateway and ip6cidr should be defined together: give both, or none of them');
  const prefix = parseCidr6(ip6cidr);
  if (prefix === undefined) throw refuse('parameter', `Invalid IPv6 CIDR ${ip6cidr}: write it like 2001:db8:100::/64`);
  const text = formatCidr6(prefix);
  if (prefix.length > SLAAC_LENGTH || prefix.length < SHORTEST)
    throw refuse(
      'parameter',
      `The cidr size of IPv6 network must be /${SLAAC_LENGTH}, or from /${SHORTEST} where upstream takes more than that for its wire: ${text} is none`,
    );
  if (FORBIDDEN6.some((range) => overlaps6(range, prefix)))
    throw refuse('parameter', `IPv6 CIDR ${text} cannot be used: no machine outside has such an address`);
  const gateway = parseIp6(ip6gateway);
  if (gateway === undefined || !contains6(prefix, gateway) || gateway === prefix.base)
    throw refuse('parameter', `IPv6 gateway ${ip6gateway} should be an address of ${text}, and not its first`);
  const guests = await room.db.selectFrom('guestprefix').select('prefix').execute();
  const wire = { ip6cidr: text, ip6gateway };
  const guest = guests.find((one) => overlaps6(cidr6(one.prefix), prefix) && !fitsOnWire(wire, cidr6(one.prefix)));
  if (guest !== undefined)
    throw refuse('parameter', `IPv6 CIDR ${text} overlaps with the guest IPv6 prefix ${guest.prefix}: choose another`);
  const network = (await usedPrefixes(room.db)).find(
    (used) => used.kind === 'network' && overlaps6(used.prefix, prefix),
  );
  if (network !== undefined) throw refuse('parameter', `IPv6 CIDR ${text} is in use by ${network.by}: choose another`);
  return { ip6cidr: text, ip6gateway: formatIp6(gateway) };
}
