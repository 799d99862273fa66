// OVN's match language (ovn-sb(5) Logical_Flow.match), built from typed values only: no string a tenant typed gets in.
// Nothing here says "not": a negated prefix becomes one flow per bit, negated sets multiply, and five prefixes kept an
// ovn-controller busy for 12 s (measured). What is to be left out is matched first, at a higher priority.
import { covers, formatCidr, type Cidr } from '../lib/ip.ts';
import { byLength6, covers6, formatCidr6, type Cidr6 } from '../lib/ip6.ts';

/** Both conditions; an empty one matches everything. */
export function and(...conditions: readonly string[]): string {
  return conditions.filter((condition) => condition !== '').join(' && ');
}

/** Addresses in any of the prefixes; everything when one of them is 0.0.0.0/0. */
export function within(field: 'ip4.src' | 'ip4.dst', prefixes: readonly Cidr[]): string {
  if (prefixes.some((prefix) => prefix.length === 0)) return '';
  const [first, ...others] = outermost(prefixes, (a, b) => a.base - b.base || a.length - b.length, covers)
    .toSorted((a, b) => a.length - b.length || a.base - b.base)
    .map(formatCidr);
  if (first === undefined) throw new Error(`${field}: no prefix to match`);
  return others.length === 0 ? `${field} == ${first}` : `${field} == {${[first, ...others].join(', ')}}`;
}

/** The same in IPv6; everything when one of the prefixes is ::/0. */
export function within6(field: 'ip6.src' | 'ip6.dst', prefixes: readonly Cidr6[]): string {
  if (prefixes.some((prefix) => prefix.length === 0)) return '';
  const byPlace = (a: Cidr6, b: Cidr6): number => (a.base < b.base ? -1 : a.base > b.base ? 1 : a.length - b.length);
  const [first, ...others] = outermost(prefixes, byPlace, covers6)
    .toSorted((a, b) => a.length - b.length || byLength6(a, b))
    .map(formatCidr6);
  if (first === undefined) throw new Error(`${field}: no prefix to match`);
  return others.length === 0 ? `${field} == ${first}` : `${field} == {${[first, ...others].join(', ')}}`;
}

/**
 * Without those that another one covers, and without doubles. `byPlace` puts a prefix right before what lies in it: prefixes never
 * overlap in part, so each has to be compared with the last one kept, and with no other.
 */
function outermost<T>(
  prefixes: readonly T[],
  byPlace: (a: T, b: T) => number,
  holds: (outer: T, inner: T) => boolean,
): readonly T[] {
  const kept: T[] = [];
  for (const prefix of prefixes.toSorted(byPlace)) {
    const last = kept.at(-1);
    if (last === undefined || !holds(last, prefix)) kept.push(prefix);
  }
  return kept;
}
