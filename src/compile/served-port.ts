// The ports of a public address that lead inside: those of its forwards and balancers, as ranges, with who may use them.
import type { PublicAddress } from '../model/public-side.ts';

export interface PortRange {
  readonly start: number;
  readonly end: number;
}

/** Ports of one protocol with the same senders. */
export interface Served {
  readonly protocol: 'tcp' | 'udp';
  readonly ports: readonly PortRange[];
  /** Who may use them; empty: everybody. */
  readonly cidrs: readonly string[];
}

/** By protocol and senders. */
export function servedBy({ forwards, balancers }: PublicAddress): readonly Served[] {
  const all = [
    ...forwards.map(({ protocol, publicPort, publicEndPort, cidrs }) => ({
      protocol,
      cidrs: cidrs.toSorted(),
      range: { start: publicPort, end: Math.max(publicPort, publicEndPort) },
    })),
    ...balancers.map(({ protocol, publicPort, cidrs }) => ({
      protocol,
      cidrs: cidrs.toSorted(),
      range: { start: publicPort, end: publicPort },
    })),
  ];
  const groups = Map.groupBy(all, ({ protocol, cidrs }) => `${protocol} ${cidrs.join(' ')}`);
  return [...groups.keys()].toSorted().map((key) => {
    const [first, ...others] = groups.get(key)!;
    return {
      protocol: first!.protocol,
      cidrs: first!.cidrs,
      ports: merged([first!, ...others].map(({ range }) => range)),
    };
  });
}

/** What of `within` is in none of the ranges, which are in ascending order. */
export function outside(ranges: readonly PortRange[], within: PortRange): readonly PortRange[] {
  const gaps: PortRange[] = [];
  let from = within.start;
  for (const { start, end } of intersection(ranges, within)) {
    if (from < start) gaps.push({ start: from, end: start - 1 });
    from = end + 1;
  }
  return from <= within.end ? [...gaps, { start: from, end: within.end }] : gaps;
}

/** Ranges in ascending order; those that touch are one. */
export function merged(ranges: readonly PortRange[]): readonly PortRange[] {
  const result: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last !== undefined && range.start <= last.end + 1)
      result[result.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    else result.push(range);
  }
  return result;
}

/** What both have. `ranges` are merged. */
export function intersection(ranges: readonly PortRange[], { start, end }: PortRange): readonly PortRange[] {
  return ranges
    .map((range) => ({ start: Math.max(start, range.start), end: Math.min(end, range.end) }))
    .filter((range) => range.start <= range.end);
}

/** Matches that together are the ports: single ones as one set, each range by itself. */
export function portMatches(protocol: 'tcp' | 'udp', ranges: readonly PortRange[]): readonly string[] {
  const field = `${protocol}.dst`;
  const single = ranges.filter(({ start, end }) => start === end).map(({ start }) => start);
  const wide = ranges.filter(({ start, end }) => start < end);
  return [
    ...(single.length === 0 ? [] : [`${field} == ${single.length === 1 ? single[0] : `{${single.join(', ')}}`}`]),
    ...wide.map(({ start, end }) => `${field} >= ${start} && ${field} <= ${end}`),
  ];
}
