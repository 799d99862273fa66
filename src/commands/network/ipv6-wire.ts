// Prefixes of networks that lie on a public wire: upstream asks there for every address instead of sending the whole to a router. A router
// node answers, address by address; nobody else can, and a pair cannot either.
import { refuse } from '../../api/error.ts';
import { type Cidr6, SLAAC_LENGTH, cidr6, covers6, formatCidr6, overlaps6 } from '../../lib/ip6.ts';
import { isOnWire, routersPrefix } from '../../model/ipv6.ts';
import { isRedundant, routedBy, servicesOf } from '../../model/network-service.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';

/** The IPv6 of a public wire. */
export interface Wire6 {
  readonly ip6cidr: string;
  readonly ip6gateway: string;
}

/** Those of the zone's wires, or of all, that upstream takes for more than routers have their addresses in. */
export async function wideWires(db: Db, zone?: string): Promise<Wire6[]> {
  let query = db.selectFrom('publicrange').select(['ip6cidr', 'ip6gateway']).where('ip6cidr', 'is not', null);
  if (zone !== undefined) query = query.where('zone', '=', zone);
  return (await query.execute()).flatMap(({ ip6cidr, ip6gateway }) =>
    ip6cidr === null || ip6gateway === null || cidr6(ip6cidr).length === SLAAC_LENGTH ? [] : [{ ip6cidr, ip6gateway }],
  );
}

/** Whether a prefix of networks may lie on a wire: all of it, and beside what routers have their addresses in. */
export function fitsOnWire({ ip6cidr, ip6gateway }: Wire6, prefix: Cidr6): boolean {
  return covers6(cidr6(ip6cidr), prefix) && !overlaps6(prefix, cidr6(routersPrefix(ip6gateway)));
}

type Offering = Pick<Tables['networkoffering'], 'name' | 'services' | 'capabilities'>;

/** Whether somebody can answer on a wire for the instances of networks of this offering. */
export function canAnswer(offering: Offering): boolean {
  return routedBy(servicesOf(offering)) === 'LinuxRouter' && !isRedundant(offering);
}

/** Refuses a network with this prefix whose router could not answer for its instances on the wire that it lies on. */
export async function refuseUnanswered(db: Db, zone: string, prefix: string, offering: Offering): Promise<void> {
  if (canAnswer(offering)) return;
  const wire = (await wideWires(db, zone)).find(({ ip6cidr }) => isOnWire(ip6cidr, prefix));
  if (wire === undefined) return;
  const why =
    routedBy(servicesOf(offering)) === 'LinuxRouter'
      ? 'a pair of router nodes cannot: after a takeover nobody could tell upstream where they are'
      : 'OVN does not';
  throw refuse(
    'parameter',
    `IPv6 prefix ${formatCidr6(cidr6(prefix))} lies on the public wire ${wire.ip6cidr}, where upstream asks for each address and somebody has to answer for the instances: with offering ${offering.name} ${why}. Use an offering by a single LinuxRouter, or a prefix that upstream sends to a router (createGuestNetworkIpv6Prefix)`,
  );
}
