// The source check at the router in IPv6 (source-check.ts: in IPv4, and why). Apart because a network may have either family, or both.
import { covers6, formatCidr6, type Cidr6 } from '../lib/ip6.ts';
import { linkLocalAddress } from '../lib/ip6.ts';
import type { DesiredRow } from './desired.ts';
import { and, within6 } from './match.ts';
import { routerPortName } from './names.ts';
import type { Connected6, Destination6, Routing6 } from './routing6.ts';
import { BASE, OWN, policy } from './source-check.ts';

/** Ports of the router that are no tier's: their networks' members, or the outside, may be anybody. */
export interface Doors {
  /** Ids of private gateways and public legs without IPv6: nothing of it comes in there. */
  readonly shut: readonly string[];
  /** Ids of public legs with IPv6: nobody comes from outside with an address of the inside. */
  readonly open: readonly string[];
}

/**
 * Rows for the router's policy table. For a network, sources are looked up like destinations, the longest prefix first, and must lead
 * back to it. Where a network has IPv4, too, what nothing here allows is dropped by the last row of that family's check.
 */
export function sourceCheck6(
  unit: string,
  routerId: string,
  { connected, table }: Routing6,
  doors: Doors,
): readonly DesiredRow[] {
  if (connected.length === 0) return [];
  const own = connected.flatMap((segment) => [segment.own, linkLocalAddress(segment.mac)]).map(hostPrefix);
  const inside = table.map(({ prefix }) => prefix);
  return [
    policy(unit, routerId, 'source/own6', OWN, within6('ip6.src', own), 'allow'),
    ...connected.flatMap((from) => networkCheck(unit, from, table)),
    ...doors.shut.map((id) =>
      policy(unit, id, 'source/none6', BASE, `inport == "${routerPortName(id)}" && ip6`, 'drop'),
    ),
    ...doors.open.map((id) => {
      const match = and(
        `inport == "${routerPortName(id)}"`,
        within6(
          'ip6.src',
          inside.filter(({ length }) => length > 0),
        ),
      );
      return policy(unit, id, 'source/inside6', BASE, match, 'drop');
    }),
  ];
}

function networkCheck(unit: string, from: Connected6, table: readonly Destination6[]): readonly DesiredRow[] {
  const inport = `inport == "${routerPortName(from.id)}"`;
  const leadsBack = ({ via }: Destination6): boolean => via.includes(from);
  const own = table.filter(leadsBack).map(({ prefix }) => prefix);
  const rows = table
    .filter((entry) => leadsBack(entry) || own.some((wider) => covers6(wider, entry.prefix)))
    .map((entry) => {
      const prefix = formatCidr6(entry.prefix);
      const action = leadsBack(entry) ? 'allow' : 'drop';
      const priority = BASE + 1 + entry.prefix.length;
      // Every source of the family has no name in the language but the family's.
      const source = entry.prefix.length === 0 ? 'ip6' : `ip6.src == ${prefix}`;
      return policy(unit, from.id, `source/${prefix}`, priority, and(inport, source), action);
    });
  return from.alone ? [...rows, policy(unit, from.id, 'source/rest', BASE, inport, 'drop')] : rows;
}

function hostPrefix(address: bigint): Cidr6 {
  return { base: address, length: 128, host: address };
}
