// The source check at the router: a packet is taken from a network only if an answer to it would be sent there. OVN's router
// has none of its own, and port security does not bind a physical machine on a VLAN.
import { cidr, covers, formatCidr } from '../lib/ip.ts';
import type { DesiredRow } from './desired.ts';
import { and, within } from './match.ts';
import { routerPortName, row, rowId } from './names.ts';
import type { Connected, Destination, Routing } from './routing.ts';

/** Logical_Router_Policy priorities: above {@link BASE} by the length of a prefix (0 to 32), so that the longest decides. */
export const BASE = 20_000;
export const OWN = 30_000;

/**
 * For a tier: sources are looked up like destinations, the longest prefix first, and must lead back to the tier. For a private
 * gateway: anything but the addresses of the VPC's own tiers and of what is behind its VPNs, since routes may be one-way and the other side may have more. For a
 * public wire: anything but what the router leads inside.
 * What the router itself answers passes here too, as if it came from where the question did; nobody else can send from its
 * addresses, OVN drops that before.
 */
export function sourceCheck(unit: string, routerId: string, routing: Routing): readonly DesiredRow[] {
  const { connected } = routing;
  if (connected.length === 0) return [];
  const tiers = [
    ...connected.filter(({ kind }) => kind === 'tier').map(({ prefix }) => prefix),
    ...(routing.behindHelper ?? []),
  ];
  const own = connected.map((segment) => ({ base: segment.own, length: 32, host: segment.own }));
  const checks = connected.flatMap((from) => {
    if (from.kind === 'tier') return tierCheck(unit, from, routing.table);
    if (from.kind === 'public') return publicCheck(unit, from, routing.table);
    if (tiers.length === 0) return [];
    const match = and(`inport == "${routerPortName(from.id)}"`, within('ip4.src', tiers));
    return [policy(unit, from.id, 'source/tiers', BASE, match, 'drop')];
  });
  return [policy(unit, routerId, 'source/own', OWN, within('ip4.src', own), 'allow'), ...checks];
}

/** What leads inside is nobody's outside. Public addresses may be: a connection to one of our own turns round at this port. */
function publicCheck(unit: string, from: Connected, table: readonly Destination[]): readonly DesiredRow[] {
  const inside = table.filter(({ via }) => via.some(({ kind }) => kind !== 'public')).map(({ prefix }) => prefix);
  const sources = inside.filter(({ length }) => length > 0);
  if (sources.length === 0) return [];
  const match = and(`inport == "${routerPortName(from.id)}"`, within('ip4.src', sources));
  return [policy(unit, from.id, 'source/inside', BASE, match, 'drop')];
}

/**
 * An instance answers its neighbour who asked at one of its public addresses. Where the gateway's chassis is the instance's own,
 * OVN gives the answer that address before it asks us (measured, 23.03; elsewhere after): it passes, as an answer and as nothing else.
 */
export function translatedAnswers(unit: string, routerId: string, addresses: readonly string[]): readonly DesiredRow[] {
  if (addresses.length === 0) return [];
  const sources = addresses.map((address) => cidr(`${address}/32`));
  const match = and('ct.rpl', within('ip4.src', sources));
  return [policy(unit, routerId, 'source/translated', OWN, match, 'allow')];
}

function tierCheck(unit: string, from: Connected, table: readonly Destination[]): readonly DesiredRow[] {
  const inport = `inport == "${routerPortName(from.id)}"`;
  const leadsBack = ({ via }: Destination): boolean => via.includes(from);
  const own = table.filter(leadsBack).map(({ prefix }) => prefix);
  const rows = table
    .filter((entry) => leadsBack(entry) || own.some((wider) => covers(wider, entry.prefix)))
    .map((entry) => {
      const prefix = formatCidr(entry.prefix);
      const action = leadsBack(entry) ? 'allow' : 'drop';
      return policy(
        unit,
        from.id,
        `source/${prefix}`,
        BASE + 1 + entry.prefix.length,
        `${inport} && ip4.src == ${prefix}`,
        action,
      );
    });
  return [...rows, policy(unit, from.id, 'source/rest', BASE, inport, 'drop')];
}

/** One row of the router's policy table. `key` is unique among those of `id`, a port's or the router's. `nexthop`: of a reroute. */
export function policy(
  unit: string,
  id: string,
  key: string,
  priority: number,
  match: string,
  action: 'allow' | 'drop' | 'reroute',
  nexthop?: string,
): DesiredRow {
  const uuid = rowId('Logical_Router_Policy', `${id}/${key}`);
  const columns = { priority, match, action, ...(nexthop === undefined ? {} : { nexthops: [nexthop] }) };
  return row('Logical_Router_Policy', uuid, { id, unit }, columns);
}
