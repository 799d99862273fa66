// What a static route in IPv6 may say. Where it leads is the compiler's to find out: what is on no network of the VPC's is kept as Unreachable.
import { refuse } from '../../api/error.ts';
import {
  FORBIDDEN6,
  cidr6,
  contains6,
  covers6,
  formatCidr6,
  looksLikeIp6,
  parseCidr6,
  parseIp6,
  type Cidr6,
  sameCidr6,
} from '../../lib/ip6.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';

/** The destination. Refuses one, or a next hop, that no route can have, and a destination that the VPC has a route to. */
export async function checkRoute6(room: Room, vpc: Tables['vpc'], cidrText: string, nexthop: string): Promise<Cidr6> {
  if (!looksLikeIp6(cidrText) || !looksLikeIp6(nexthop)) {
    throw refuse(
      'parameter',
      `Destination ${cidrText} and next hop ${nexthop} are of different families: give both in IPv4, or both in IPv6`,
    );
  }
  const prefix = parseCidr6(cidrText);
  if (prefix === undefined)
    throw refuse('parameter', `Invalid format for cidr ${cidrText}: write it like 2001:db8:2::/48`);
  const hop = parseIp6(nexthop);
  if (hop === undefined) throw refuse('parameter', `Invalid format for ip address ${nexthop}`);
  if (FORBIDDEN6.some((range) => contains6(range, hop))) {
    throw refuse(
      'parameter',
      `Next hop ${nexthop} is invalid: routes lead to an instance's own address, not to one of its link (link local, loopback or multicast)`,
    );
  }
  if (FORBIDDEN6.some((range) => covers6(range, prefix)))
    throw refuse(
      'parameter',
      `Invalid destination ${cidrText}: it holds no machine's address (loopback, link local or multicast)`,
    );
  const routes = await room.db.selectFrom('staticroute').select(['id', 'cidr']).where('vpc', '=', vpc.id).execute();
  const twin = routes.find((route) => looksLikeIp6(route.cidr) && sameCidr6(cidr6(route.cidr), prefix));
  if (twin !== undefined) {
    throw refuse(
      'conflict',
      `New static route cidr already exists in VPC. UUID of existing static route is ${twin.id}: ${vpc.name} has ${formatCidr6(prefix)} already, delete that route to replace it`,
    );
  }
  return prefix;
}
