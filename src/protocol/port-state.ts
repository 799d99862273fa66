// Whether a switch port carries what it must, by what the switch said of it: pure. Apart from the drivers, because whoever shows or
// waits for a port must come to the same answer as who sets it.
import type { PortActual, PortSpec } from './switch.ts';

/** Whether frames of a VLAN pass the port in this form. A trunk of all VLANs carries each one but its untagged one, tagged. */
export function carries(port: PortActual, vlan: number, form: 'tagged' | 'untagged'): boolean {
  if (port.mixed?.includes(vlan) === true) return false;
  if (form === 'untagged') return port.untagged === vlan;
  return port.untagged !== vlan && (port.tagged === 'all' || port.tagged.includes(vlan));
}

/**
 * What is wrong with a port, as half a sentence (`VLAN 1234 (office) is not on it, tagged`); undefined when it is as wanted.
 * `actual` is undefined when the switch has no such port.
 */
export function wrongWith(spec: PortSpec, nativeVlan: number, actual: PortActual | undefined): string | undefined {
  if (actual === undefined) return 'the switch has no such port';
  const named = (vlan: number): string => {
    const networks = spec.because[vlan];
    return networks === undefined ? `VLAN ${vlan}` : `VLAN ${vlan} (${networks})`;
  };
  const missing = spec.tagged.filter((vlan) => !carries(actual, vlan, 'tagged'));
  if (missing.length > 0) return `${missing.map(named).join(', ')} is not on it, tagged`;
  if (spec.trunk !== undefined) {
    const left = actual.tagged === 'all' ? [] : spec.trunk.retired.filter((vlan) => carries(actual, vlan, 'tagged'));
    return left.length === 0
      ? undefined
      : `it still carries VLAN ${left.join(', ')}, which nobody needs there any more`;
  }
  const wanted = spec.untagged ?? nativeVlan;
  // A port that says nothing of its untagged VLAN is in none: as good as the native one, but no network's.
  if (actual.untagged !== wanted && (actual.untagged !== undefined || spec.untagged !== undefined)) {
    const found = actual.untagged === undefined ? 'none' : `VLAN ${actual.untagged}`;
    return `its untagged VLAN is ${found}, wanted ${named(wanted)}`;
  }
  if (actual.mixed !== undefined && actual.mixed.length > 0)
    return `VLAN ${actual.mixed.join(', ')} goes in one way and out the other, tagged and untagged`;
  if (actual.tagged === 'all') return 'it carries all VLANs, tagged';
  const extra = actual.tagged.filter((vlan) => !spec.tagged.includes(vlan));
  return extra.length === 0 ? undefined : `it carries VLAN ${extra.join(', ')} besides, tagged`;
}
