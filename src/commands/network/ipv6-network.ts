// The IPv6 of a new network: a /64 from the zone's guest prefixes, or the one root names. Machines make their addresses in it by
// themselves, so nothing of it is handed out.
import { refuse } from '../../api/error.ts';
import {
  type Cidr6,
  FORBIDDEN6,
  SLAAC_LENGTH,
  cidr6,
  contains6,
  covers6,
  formatCidr6,
  formatIp6,
  overlaps6,
  parseCidr6,
  parseIp6,
  subnet6,
  subnets6,
} from '../../lib/ip6.ts';
import { isOnWire, routersPrefix } from '../../model/ipv6.ts';
import type { Tables } from '../../store/schema.ts';
import type { Db } from '../../store/open.ts';
import type { Room } from '../room.ts';
import { canAnswer, refuseUnanswered, wideWires } from './ipv6-wire.ts';

type Offering = Pick<Tables['networkoffering'], 'name' | 'internetprotocol' | 'services' | 'capabilities'>;

export interface Ipv6Want {
  readonly ip6cidr?: string | undefined;
  readonly ip6gateway?: string | undefined;
  readonly startipv6?: string | undefined;
  readonly endipv6?: string | undefined;
}

/** What the network's row holds of it. */
export type Ipv6Addresses = Pick<Tables['network'], 'ip6cidr' | 'ip6gateway'>;

/** The prefix of a network of this offering; both null where it has no IPv6. Refuses with 533 where the zone has none left. */
export async function ipv6For(
  room: Room,
  want: Ipv6Want,
  offering: Offering,
  zone: Tables['zone'],
): Promise<Ipv6Addresses> {
  if (offering.internetprotocol === 'ipv4') return { ip6cidr: null, ip6gateway: null };
  if (want.startipv6 !== undefined || want.endipv6 !== undefined) {
    throw refuse(
      'parameter',
      'IPv6 addresses are not handed out, machines make them of their MAC address (SLAAC): leave startipv6 and endipv6 out',
    );
  }
  const prefix =
    want.ip6cidr === undefined ? await nextPrefix(room, zone, offering) : await namedPrefix(room, want.ip6cidr);
  await refuseUnanswered(room.db, zone.id, formatCidr6(prefix), offering);
  return { ip6cidr: formatCidr6(prefix), ip6gateway: gatewayOf(want.ip6gateway, want.ip6cidr, prefix) };
}

/** Refuses parameters of a family that the network will not have. */
export function checkFamilies(
  want: Ipv6Want & {
    readonly cidr?: string | undefined;
    readonly gateway?: string | undefined;
    readonly netmask?: string | undefined;
    readonly startip?: string | undefined;
    readonly endip?: string | undefined;
    readonly ipexclusionlist?: string | undefined;
  },
  { name, internetprotocol }: Offering,
): void {
  if (internetprotocol === 'ipv4') {
    if ([want.ip6cidr, want.ip6gateway, want.startipv6, want.endipv6].every((value) => value === undefined)) return;
    throw refuse(
      'parameter',
      `Can only support create IPv6 network with advance shared network!, or with an offering whose internetprotocol is dualstack or ipv6: ${name} is for IPv4 only. Leave the IPv6 parameters out, or choose such an offering`,
    );
  }
  if (internetprotocol !== 'ipv6') return;
  const given = (['cidr', 'gateway', 'netmask', 'startip', 'endip', 'ipexclusionlist'] as const).filter(
    (key) => want[key] !== undefined,
  );
  if (given.length === 0) return;
  throw refuse(
    'parameter',
    `A network of offering ${name} has no IPv4, so ${given.join(', ')} cannot be given: leave it out, or choose an offering with internetprotocol dualstack`,
  );
}

async function namedPrefix(room: Room, text: string): Promise<Cidr6> {
  if (room.call.caller.role !== 'admin') {
    throw refuse(
      'permission',
      "Only ROOT admin is allowed to specify ip6cidr: routable prefixes are the operator's to give. Leave it out, and the network gets one",
    );
  }
  const prefix = parseCidr6(text);
  if (prefix === undefined)
    throw refuse(
      'parameter',
      `Invalid format for the IPv6 CIDR parameter: ${text} is no prefix such as 2001:db8:1:2::/64`,
    );
  if (prefix.length !== SLAAC_LENGTH) {
    throw refuse(
      'parameter',
      `The cidr size of IPv6 network must be /${SLAAC_LENGTH}: ${formatCidr6(prefix)} is none, and machines cannot make addresses in another (SLAAC)`,
    );
  }
  if (FORBIDDEN6.some((range) => overlaps6(range, prefix))) {
    throw refuse(
      'parameter',
      `IPv6 cidr ${formatCidr6(prefix)} cannot be used: it holds addresses that are never a network's (loopback, link local, multicast or IPv4 in disguise)`,
    );
  }
  const user = (await usedPrefixes(room.db)).find((used) => overlaps6(used.prefix, prefix));
  if (user !== undefined)
    throw refuse(
      'parameter',
      `IPv6 cidr ${formatCidr6(prefix)} is in use by ${user.by}: ${formatCidr6(user.prefix)}. Choose another`,
    );
  return prefix;
}

function gatewayOf(text: string | undefined, cidrText: string | undefined, prefix: Cidr6): string {
  if (text === undefined) return formatIp6(prefix.base + 1n);
  if (cidrText === undefined) throw refuse('parameter', 'ip6gateway goes with ip6cidr: give both, or none of them');
  const gateway = parseIp6(text);
  if (gateway === undefined)
    throw refuse('parameter', `Invalid format for the IPv6 gateway parameter: ${text} is no address`);
  // The first address of a prefix is that of all its routers (RFC 4291, 2.6.1).
  if (!contains6(prefix, gateway) || gateway === prefix.base)
    throw refuse(
      'parameter',
      `The IPv6 gateway ${text} should be an address of the network ${formatCidr6(prefix)}, and not its first`,
    );
  return formatIp6(gateway);
}

/** Of a prefix that whoever routes for the network can have, if there is one. */
async function nextPrefix(room: Room, zone: Tables['zone'], offering: Offering): Promise<Cidr6> {
  const pools = await room.db
    .selectFrom('guestprefix')
    .selectAll()
    .where('zone', '=', zone.id)
    .orderBy('created')
    .orderBy('id')
    .execute();
  if (pools.length === 0) {
    throw refuse(
      'capacity',
      `Unable to allocate an IPv6 prefix: zone ${zone.name} has no guest IPv6 prefix. Its operator adds one with createGuestNetworkIpv6Prefix`,
    );
  }
  const used = await usedPrefixes(room.db);
  const wires = canAnswer(offering) ? [] : await wideWires(room.db, zone.id);
  const onWire = (pool: { readonly prefix: string }): boolean =>
    wires.some(({ ip6cidr }) => isOnWire(ip6cidr, pool.prefix));
  for (const pool of pools.toSorted((a, b) => Number(onWire(a)) - Number(onWire(b)))) {
    const found = freeIn(
      cidr6(pool.prefix),
      used.map(({ prefix }) => prefix),
    );
    if (found !== undefined) return found;
  }
  throw refuse(
    'capacity',
    `Unable to allocate an IPv6 prefix: all networks of ${pools.map(({ prefix }) => prefix).join(', ')} in zone ${zone.name} are in use`,
  );
}

/** The first /64 of a pool that nothing uses. */
function freeIn(pool: Cidr6, used: readonly Cidr6[]): Cidr6 | undefined {
  const whole = used.some((one) => covers6(one, pool));
  if (whole) return undefined;
  const taken = new Set(
    used.filter((one) => covers6(pool, one) && one.length === SLAAC_LENGTH).map(({ base }) => base),
  );
  const most = subnets6(pool, SLAAC_LENGTH);
  for (let index = 0n; index < most; index++) {
    const candidate = subnet6(pool, SLAAC_LENGTH, index);
    if (!taken.has(candidate.base)) return candidate;
  }
  return undefined;
}

/** A prefix that a network has, or routers on a public wire; `by` names it in a sentence. */
interface UsedPrefix {
  readonly kind: 'network' | 'wire';
  readonly prefix: Cidr6;
  readonly by: string;
}

/** Every IPv6 prefix that something has: networks, and routers on public wires. */
export async function usedPrefixes(db: Db): Promise<UsedPrefix[]> {
  const networks = await db
    .selectFrom('network')
    .select(['name', 'ip6cidr'])
    .where('ip6cidr', 'is not', null)
    .execute();
  const ranges = await db
    .selectFrom('publicrange')
    .select(['startip', 'ip6gateway'])
    .where('ip6gateway', 'is not', null)
    .execute();
  return [
    ...networks.map(({ name, ip6cidr }) => ({
      kind: 'network' as const,
      prefix: cidr6(ip6cidr!),
      by: `network ${name}`,
    })),
    ...ranges.map(({ startip, ip6gateway }) => ({
      kind: 'wire' as const,
      prefix: cidr6(routersPrefix(ip6gateway!)),
      by: `the public range from ${startip}`,
    })),
  ];
}
