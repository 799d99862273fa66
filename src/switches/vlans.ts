// Sets of VLANs and how people write them: `10,20-30`. Apart because every dialect of a switch wants them a little differently.

/** Lowest and highest VLAN that a frame can be in (IEEE 802.1Q, 9.6: 0 and 4095 are reserved). */
export const FIRST_VLAN = 1;
export const LAST_VLAN = 4094;

/** Sorted, each once. */
export function vlanList(vlans: Iterable<number>): readonly number[] {
  return [...new Set(vlans)].toSorted((a, b) => a - b);
}

/** Every VLAN there is. */
export function everyVlan(): readonly number[] {
  return Array.from({ length: LAST_VLAN }, (_, index) => index + FIRST_VLAN);
}

export function sameVlans(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((vlan, index) => vlan === b[index]);
}

/** Neighbouring VLANs together: [1, 2, 3, 7] is [[1, 3], [7, 7]]. Expects a sorted list. */
export function rangesOf(vlans: readonly number[]): readonly (readonly [first: number, last: number])[] {
  const ranges: [number, number][] = [];
  for (const vlan of vlans) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === vlan - 1) last[1] = vlan;
    else ranges.push([vlan, vlan]);
  }
  return ranges;
}

/** Each range as a word: `7`, `1-3`; `through` is what stands between. */
export function rangeWords(vlans: readonly number[], through = '-'): readonly string[] {
  return rangesOf(vlans).map(([first, last]) => (first === last ? `${first}` : `${first}${through}${last}`));
}
