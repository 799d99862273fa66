// What has to change at a switch: the difference between the ports it must have and the ports it has. Pure and shared by all
// drivers. A port that the document does not name is not seen here at all, so no uplink or management port can be touched.
import type { PortActual, PortSpec, SwitchActual, SwitchDocument, SwitchFinding } from '../protocol/switch.ts';
import { findingsAt, neighbourFinding } from './finding.ts';
import { everyVlan, sameVlans, vlanList } from './vlans.ts';
import { placeText } from './wording.ts';

/** What a port shall carry. `tagged` is sorted and without `untagged`. */
export interface PortVlans {
  /** As {@link PortActual.untagged}. */
  readonly untagged?: number;
  readonly tagged: readonly number[] | 'all';
}

/** One port to set, from what it is to what it shall be. `from.mixed` holds only what has to go. */
export interface PortChange {
  readonly spec: PortSpec;
  readonly from: PortActual;
  readonly to: PortVlans;
}

export interface SwitchPlan {
  readonly changes: readonly PortChange[];
  readonly findings: readonly SwitchFinding[];
  /** Sentences: why the document cannot be true there, whatever is written. */
  readonly unmet: readonly string[];
}

/** Compares the document with what the switch said of itself. */
export function planSwitch(document: SwitchDocument, actual: SwitchActual): SwitchPlan {
  const found = new Map(actual.ports.map((port) => [port.name, port]));
  const changes: PortChange[] = [];
  const findings: SwitchFinding[] = [];
  const unmet: string[] = [];
  for (const spec of document.ports) {
    const port = found.get(spec.name);
    if (port === undefined) {
      const text = `${placeText(document, spec)}: the switch has no such port; its ports are named otherwise, or it is not there any more`;
      findings.push({ port: spec.name, kind: 'unknown-port', text });
      if (spec.mode === 'set' && wantsAnything(spec)) unmet.push(text);
      continue;
    }
    const from = { ...port, mixed: wrongWay(spec, port) };
    const to = targetOf(document, spec, from);
    const seen = findingsAt(document, spec, from, to);
    findings.push(...seen);
    if (spec.mode === 'set') {
      if (!carries(from, to)) changes.push({ spec, from, to });
      unmet.push(...seen.filter((each) => takenUntagged(spec, from, each.vlan)).map((each) => each.text));
    }
    for (const { port, system } of actual.neighbours)
      if (port === spec.name) findings.push(...neighbourFinding(document, spec, system));
  }
  return { changes, findings, unmet };
}

function wantsAnything(spec: PortSpec): boolean {
  return spec.untagged !== undefined || spec.tagged.length > 0;
}

/** What the port shall carry: on a port of ours exactly what is wanted, on a node's trunk also what others have put there. */
export function targetOf(document: SwitchDocument, spec: PortSpec, from: PortActual): PortVlans {
  const trunk = spec.trunk;
  const untagged = spec.untagged ?? (trunk === undefined ? document.nativeVlan : from.untagged);
  const wanted = new Set(spec.tagged);
  const kept =
    trunk === undefined || from.tagged === 'all' ? [] : from.tagged.filter((vlan) => !trunk.retired.includes(vlan));
  const tagged = vlanList([...wanted, ...kept]).filter((vlan) => vlan !== untagged);
  return {
    ...(untagged === undefined ? {} : { untagged }),
    tagged: trunk !== undefined && from.tagged === 'all' ? 'all' : tagged,
  };
}

/** VLANs carried in a mixed way that have to go: on a node's trunk the others are its own business. */
function wrongWay({ trunk, tagged }: PortSpec, { mixed = [] }: PortActual): readonly number[] {
  if (trunk === undefined) return mixed;
  return mixed.filter((vlan) => tagged.includes(vlan) || trunk.retired.includes(vlan));
}

function carries(from: PortActual, to: PortVlans): boolean {
  if (from.mixed?.length || from.untagged !== to.untagged) return false;
  if (from.tagged === 'all' && to.tagged === 'all') return true;
  return sameVlans(vlansOf(from), vlansOf(to));
}

function vlansOf({ untagged, tagged }: PortVlans): readonly number[] {
  return tagged === 'all' ? everyVlan().filter((vlan) => vlan !== untagged) : vlanList(tagged);
}

/** A node's own untagged traffic lies in the very VLAN that is wanted tagged: it is not ours to move. */
function takenUntagged(spec: PortSpec, from: PortActual, vlan: number | undefined): boolean {
  return spec.trunk !== undefined && vlan !== undefined && from.untagged === vlan && spec.tagged.includes(vlan);
}
