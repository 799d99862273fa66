// Whether a network's CIDR and the wires of public addresses can be beside each other: routers have a leg in both, and announce on the
// wire what is theirs. Apart from both, because each side asks when it is made.
import { refuse } from '../../api/error.ts';
import { type Cidr, cidr, contains, ip, last, overlaps } from '../../lib/ip.ts';
import { routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { type PublicRange, cidrOf } from '../public/public-range-view.ts';
import type { Room } from '../room.ts';

type Addressed = Pick<PublicRange, 'startip' | 'endip' | 'gateway' | 'netmask'>;
type Mode = Pick<Tables['networkoffering'], 'services' | 'networkmode'>;

/** Refuses the CIDR of a new network that would meet a public wire of the zone, or another network whose addresses nobody translates. */
export async function refusePublicOverlap(
  room: Room,
  zone: string,
  offering: Mode,
  networkCidr: string,
): Promise<void> {
  if (routedBy(servicesOf(offering)) === 'None') return;
  const prefix = cidr(networkCidr);
  const ranges = await room.db.selectFrom('publicrange').selectAll().where('zone', '=', zone).execute();
  for (const range of ranges) {
    const met = meeting(prefix, offering, range);
    if (met !== undefined)
      throw refuse(
        'parameter',
        `Network cidr ${networkCidr} overlaps with ${met} of the zone's public addresses: its router would take them for its own. Choose another cidr`,
      );
  }
  if (offering.networkmode !== 'ROUTED') return;
  const other = (await networksOf(room, zone)).find(
    (one) => one.networkmode === 'ROUTED' && overlaps(cidr(one.cidr), prefix),
  );
  if (other === undefined) return;
  // Its name only to root: it may be anybody's.
  const whose = room.call.caller.role === 'admin' ? `network ${other.name} (${other.cidr})` : 'another network';
  throw refuse(
    'parameter',
    `Network cidr ${networkCidr} overlaps with that of ${whose} of the zone: nobody translates their addresses, so each can be in one network only. Choose another cidr`,
  );
}

/** Refuses a range of public addresses on whose wire a network of the zone is already. */
export async function refuseNetworkOverlap(room: Room, zone: string, range: Addressed): Promise<void> {
  for (const network of await networksOf(room, zone)) {
    const met = meeting(cidr(network.cidr), network, range);
    if (met !== undefined)
      throw refuse(
        'parameter',
        `The IP range ${range.startip}-${range.endip} cannot be used: ${met} overlaps with network ${network.name} (${network.id}), which has ${network.cidr}. Choose other addresses, or delete the network first`,
      );
  }
}

/**
 * What of a range a network's CIDR meets. Where addresses are translated nothing of the wire may be inside. Where they are not, the network
 * may be a part of the wire, but for the gateway there and for what is given out.
 */
function meeting(prefix: Cidr, { networkmode }: Pick<Mode, 'networkmode'>, range: Addressed): string | undefined {
  if (networkmode !== 'ROUTED') {
    const wire = cidrOf(range);
    return overlaps(cidr(wire), prefix) ? `the subnet ${wire}` : undefined;
  }
  if (contains(prefix, ip(range.gateway))) return `the gateway ${range.gateway}`;
  const apart = ip(range.endip) < prefix.base || ip(range.startip) > last(prefix);
  return apart ? undefined : `the range ${range.startip}-${range.endip}`;
}

interface Routed {
  readonly id: string;
  readonly name: string;
  readonly cidr: string;
  readonly networkmode: string;
}

/** The zone's networks with IPv4 that have a router. */
async function networksOf(room: Room, zone: string): Promise<Routed[]> {
  const rows = await room.db
    .selectFrom('network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .select(['network.id', 'network.name', 'network.cidr', 'networkoffering.services', 'networkoffering.networkmode'])
    .where('network.zone', '=', zone)
    .where('network.cidr', 'is not', null)
    .execute();
  return rows.flatMap(({ cidr: own, services, ...row }) =>
    own === null || routedBy(servicesOf({ services })) === 'None' ? [] : [{ ...row, cidr: own }],
  );
}
