// Whether a network ACL list lets anything pass between an address range and the tier or gateway it is on: the same reading of a list as
// the compiler's filter (first match in ascending number decides), for an answer and not for packets. Pure.
import { type Cidr, covers, overlaps, parseCidr } from '../../lib/ip.ts';

/** An item as its row has it. */
export interface ListItem {
  readonly number: number;
  readonly protocol: string;
  readonly traffictype: string;
  readonly action: string;
  readonly cidrlist: string;
}

/**
 * Whether anything at all may pass between `end` and what the list is on: some protocol, some address of it. Of Egress nothing said is
 * everything allowed; of Ingress it is nothing.
 */
export function letsPass(items: readonly ListItem[], direction: 'Ingress' | 'Egress', end: Cidr): boolean {
  const own = items.filter(({ traffictype }) => traffictype === direction).toSorted((a, b) => a.number - b.number);
  if (own.length === 0) return direction === 'Egress';
  for (const { protocol, action, cidrlist } of own) {
    const texts = cidrlist.split(',').map((text) => text.trim());
    const prefixes = texts.flatMap((text) => parseCidr(text) ?? []);
    // Only of IPv6.
    if (prefixes.length === 0 && texts.some((text) => text !== '')) continue;
    const all = prefixes.length === 0;
    if (action === 'Allow' && (all || prefixes.some((prefix) => overlaps(prefix, end)))) return true;
    if (action === 'Deny' && isAny(protocol) && (all || prefixes.some((prefix) => covers(prefix, end)))) return false;
  }
  return false;
}

function isAny(protocol: string): boolean {
  return protocol.toLowerCase() === 'all' || protocol === '-1';
}
