// OVN's match language (ovn-sb(5) Logical_Flow.match), built from typed values only: no string a tenant typed gets in.
import { covers, formatCidr, type Cidr } from '../lib/ip.ts';

/** A condition nothing meets. */
export const NEVER = '0';

/** Both conditions; an empty one matches everything. */
export function and(...conditions: readonly string[]): string {
  return conditions.filter((condition) => condition !== '').join(' && ');
}

/** Addresses in any of the prefixes; everything when one of them is 0.0.0.0/0. */
export function within(field: 'ip4.src' | 'ip4.dst', prefixes: readonly Cidr[]): string {
  if (prefixes.some((prefix) => prefix.length === 0)) return '';
  const [first, ...others] = outermost(prefixes).map(formatCidr);
  if (first === undefined) return NEVER;
  return others.length === 0 ? `${field} == ${first}` : `${field} == {${[first, ...others].join(', ')}}`;
}

/** Addresses in none of the prefixes; {@link NEVER} when one of them is 0.0.0.0/0. */
export function outside(field: 'ip4.src' | 'ip4.dst', prefixes: readonly Cidr[]): string {
  if (prefixes.length === 0) return '';
  const inner = within(field, prefixes);
  return inner === '' ? NEVER : `!(${inner})`;
}

/** Without those that another one covers, and without doubles. */
function outermost(prefixes: readonly Cidr[]): readonly Cidr[] {
  if (prefixes.length === 1) return prefixes;
  const kept: Cidr[] = [];
  for (const prefix of prefixes.toSorted((a, b) => a.length - b.length || a.base - b.base)) {
    if (!kept.some((wider) => covers(wider, prefix))) kept.push(prefix);
  }
  return kept;
}
