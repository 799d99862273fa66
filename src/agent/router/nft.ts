// The words of nft(8) that the rules are made of: sets, maps and matches as text. Apart so that escaping, sorting and the traps of
// the syntax (overlapping intervals, empty sets) are dealt with once.
import { cidr, covers, formatCidr } from '../../lib/ip.ts';
import type { FirewallRuleSpec } from '../../protocol/document.ts';

/** A named set or map; with no elements it is declared empty, so that rules may speak of it. */
export function named(
  kind: 'set' | 'map',
  name: string,
  type: string,
  elements: readonly string[],
  interval = false,
): string[] {
  const some = [...new Set(elements)];
  return [
    `  ${kind} ${name} {`,
    `    type ${type}`,
    ...(interval ? ['    flags interval'] : []),
    ...(some.length === 0 ? [] : [`    elements = { ${some.join(', ')} }`]),
    '  }',
  ];
}

export function chain(name: string, hook: string | undefined, rules: readonly string[]): string[] {
  return [
    `  chain ${name} {`,
    ...(hook === undefined ? [] : [`    ${hook}`]),
    ...rules.map((rule) => `    ${rule}`),
    '  }',
  ];
}

/** A device's name as nft takes it. */
export function quoted(device: string): string {
  return `"${device}"`;
}

/** Prefixes none of which lies in another: nft refuses overlapping intervals. Canonical form, in order of address. */
export function disjoint(prefixes: readonly string[]): string[] {
  const all = prefixes.map(cidr).toSorted((a, b) => a.base - b.base || a.length - b.length);
  const kept: (typeof all)[number][] = [];
  for (const prefix of all) if (!kept.some((other) => covers(other, prefix))) kept.push(prefix);
  return kept.map(formatCidr);
}

/** `ip saddr { … } `; nothing where everybody is meant. */
export function among(field: string, prefixes: readonly string[], not = false): string {
  const some = disjoint(prefixes);
  if (some.length === 0 || some.includes('0.0.0.0/0')) return '';
  return `${field} ${not ? '!= ' : ''}{ ${some.join(', ')} } `;
}

/** Whether a list of prefixes restricts at all. */
export function restricts(prefixes: readonly string[]): boolean {
  return among('x', prefixes) !== '';
}

/** The destination port before translation (nft(8), ct expressions). */
export const ASKED_PORT = 'ct original proto-dst';

/** `80` or `80-90`. */
export function range(from: number, to: number): string {
  return from === to ? String(from) : `${from}-${to}`;
}

/**
 * A firewall rule's match, a blank at its end. Destination and port are those that were asked for: after translation they are an
 * instance's own, which no rule speaks of.
 */
export function ruleMatch(rule: FirewallRuleSpec): string {
  const where = among('ip saddr', rule.cidrs) + among('ct original ip daddr', rule.destinationCidrs);
  if (rule.protocol === 'all') return where;
  const { icmpType = -1, icmpCode = -1, startPort } = rule;
  if (rule.protocol === 'icmp') {
    const type = icmpType < 0 ? '' : `icmp type ${icmpType} ${icmpCode < 0 ? '' : `icmp code ${icmpCode} `}`;
    return `meta l4proto icmp ${type}${where}`;
  }
  const ports = startPort === undefined ? '' : `${ASKED_PORT} ${range(startPort, rule.endPort ?? startPort)} `;
  return `meta l4proto ${rule.protocol} ${ports}${where}`;
}
