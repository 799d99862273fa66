// Ranges of VLAN ids, as operators write them: "1000-1999,2100". The one place that says which numbers are VLANs at all.

/** The ids a tag can carry (IEEE 802.1Q): 0 means "no VLAN" and 4095 is reserved. */
export const FIRST_VLAN = 1;
export const LAST_VLAN = 4094;

/** The VLAN of untagged frames on a switch port that nobody configured: no network may be given it. */
export const NATIVE_VLAN = 1;

/** An inclusive range of VLAN ids. */
export interface VlanRange {
  readonly from: number;
  readonly to: number;
}

/** What became of a text: its ranges, ascending and merged, or what is wrong with it, as a sentence. */
export type VlanRanges = { readonly ranges: readonly VlanRange[] } | { readonly problem: string };

/** Parses "a-b,c,d-e". An empty text is an empty pool. The sentences begin like CloudStack's, which clients look for. */
export function parseVlanRanges(text: string): VlanRanges {
  if (text.trim() === '') return { ranges: [] };
  const ranges: VlanRange[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?\s*$/.exec(part);
    if (match === null) {
      return {
        problem: `Please provide valid vnet range. vnet range should be a coma seperated list of vlan ranges. example 500-500,600-601: "${part.trim()}" is none`,
      };
    }
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    if (from < FIRST_VLAN || to > LAST_VLAN || from > to) {
      return {
        problem: `Vnet range has to be between ${FIRST_VLAN} and ${LAST_VLAN} and start range should be lesser than or equal to stop range: "${part.trim()}" is not`,
      };
    }
    ranges.push({ from, to });
  }
  return { ranges: merge(ranges) };
}

/** The canonical text of ranges: "1000-1999,2100-2100". */
export function formatVlanRanges(ranges: readonly VlanRange[]): string {
  return ranges.map(({ from, to }) => `${from}-${to}`).join(',');
}

export function inVlanRanges(ranges: readonly VlanRange[], vlan: number): boolean {
  return ranges.some(({ from, to }) => vlan >= from && vlan <= to);
}

/** The ranges without the native VLAN and those that are kept back, in the same order. */
export function withoutVlans(ranges: readonly VlanRange[], kept: readonly VlanRange[]): VlanRange[] {
  return [{ from: NATIVE_VLAN, to: NATIVE_VLAN }, ...kept].reduce<VlanRange[]>(
    (left, { from, to }) =>
      left.flatMap((range) =>
        [
          { from: range.from, to: Math.min(range.to, from - 1) },
          { from: Math.max(range.from, to + 1), to: range.to },
        ].filter((part) => part.from <= part.to),
      ),
    [...ranges],
  );
}

/** Every id of the ranges, ascending. */
export function vlansOf(ranges: readonly VlanRange[]): number[] {
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, index) => from + index));
}

function merge(ranges: readonly VlanRange[]): VlanRange[] {
  const merged: VlanRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const before = merged.at(-1);
    if (before === undefined || range.from > before.to + 1) merged.push(range);
    else merged[merged.length - 1] = { from: before.from, to: Math.max(before.to, range.to) };
  }
  return merged;
}
