// What a router may send to a public wire in IPv6: only from its own networks. Nothing is translated there, so the source says whose a
// packet is; and a static route would do to let an instance send from any prefix it names (port security and the source check
// at the router follow the routes). Apart from public-filter.ts, since IPv6 may leave by a port of its own.
import { cidr6, parseCidr6 } from '../lib/ip6.ts';
import type { DesiredRow } from './desired.ts';
import { PRIORITY } from './guard-rail.ts';
import { and, within6 } from './match.ts';
import { publicSideName, row, rowId } from './names.ts';
import type { PublicOwner, PublicUplink } from './public-leg.ts';

/** Rows for the public switch. `alone`: the port is no leg, and IPv4 has no business there. */
export function uplinkFilter(
  unit: string,
  owner: PublicOwner,
  { id, wire, six }: PublicUplink,
  alone: boolean,
): readonly DesiredRow[] {
  const port = publicSideName(id, wire.id);
  const make = (key: string, priority: number, match: string, action: string, direction: string): DesiredRow =>
    row('ACL', rowId('ACL', `${id}/guard/${key}`), { id: owner.id, unit }, { direction, priority, match, action });
  const [from, to] = [`inport == "${port}"`, `outport == "${port}"`];
  const own = [LINK_LOCAL, parseCidr6(`${six.address}/128`)!, ...prefixesOf(owner)];
  return [
    make('sent6', PRIORITY.guard, and(from, within6('ip6.src', own)), 'allow-stateless', 'from-lport'),
    make('sent6/rest', PRIORITY.open, and(from, 'ip6'), 'drop', 'from-lport'),
    ...(alone
      ? [
          make('sent4', PRIORITY.open, and(from, 'ip4'), 'drop', 'from-lport'),
          make('own4', PRIORITY.guard, and(to, 'ip4'), 'drop', 'to-lport'),
        ]
      : []),
  ];
}

const LINK_LOCAL = cidr6('fe80::/10');

function prefixesOf(owner: PublicOwner): readonly ReturnType<typeof cidr6>[] {
  const networks = 'tiers' in owner ? [...owner.tiers, ...(owner.tiers6 ?? [])] : [owner];
  return networks.flatMap(({ six }) => (six === undefined ? [] : [cidr6(six.cidr)]));
}
