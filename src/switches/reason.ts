// Why a port is set, in the words of a step. Apart because each driver cuts a change into steps of its own size.
import type { PortChange } from './plan.ts';
import { rangeWords, vlanList } from './vlans.ts';
import { clean, vlanText } from './wording.ts';

export interface VlanDifference {
  /** The new VLAN of untagged frames, when it changes. */
  readonly untagged?: number;
  /** VLANs to add tagged; those that were untagged before included. */
  readonly add: readonly number[];
  /** VLANs to take away; those that shall be untagged not included. */
  readonly remove: readonly number[];
}

/** What of the change is to be written, VLAN by VLAN. A port that carried every VLAN has nothing to remove by number. */
export function differenceOf({ from, to }: PortChange): VlanDifference {
  const before = from.tagged === 'all' ? [] : from.tagged;
  const after = to.tagged === 'all' ? [] : to.tagged;
  const mixed = from.mixed ?? [];
  const gone = vlanList([...before, ...mixed, ...(from.untagged ? [from.untagged] : [])]);
  return {
    ...(to.untagged === undefined || (to.untagged === from.untagged && !mixed.includes(to.untagged))
      ? {}
      : { untagged: to.untagged }),
    add: after.filter((vlan) => !before.includes(vlan) || mixed.includes(vlan)),
    remove: gone.filter((vlan) => vlan !== to.untagged && !after.includes(vlan)),
  };
}

/** Why `vlan` is added: `device fileserver needs VLAN 1234 (network blue) untagged`. */
export function needs({ spec }: PortChange, vlan: number, how: 'tagged' | 'untagged'): string {
  if (how === 'untagged' && spec.untagged === undefined) return `VLAN ${vlan} is the native one`;
  return `${clean(spec.behind)} needs ${vlanText(vlan, spec.because)} ${how}`;
}

/** Why VLANs are added tagged. */
export function addsReason(change: PortChange, vlans: readonly number[]): string {
  return vlans.map((vlan) => needs(change, vlan, 'tagged')).join('; ');
}

export function noLonger(vlans: readonly number[]): string {
  return `nobody wants VLAN ${rangeWords(vlans).join(', ')} here`;
}

/** The whole change in one reason, for switches that are told a port at a time. */
export function reasonOf(change: PortChange): string {
  const { untagged, add, remove } = differenceOf(change);
  const parts = [
    ...(untagged === undefined ? [] : [needs(change, untagged, 'untagged')]),
    ...(add.length === 0 ? [] : [addsReason(change, add)]),
    ...(remove.length === 0 ? [] : [noLonger(remove)]),
    ...(change.from.tagged === 'all' && change.to.tagged !== 'all' ? ['it carried every VLAN'] : []),
  ];
  return parts.join('; ');
}
