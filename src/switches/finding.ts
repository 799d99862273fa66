// What is to be told about one port: the VLAN that is missing, the setting somebody changed, the neighbour nobody expected. Pure.
import type { PortActual, PortSpec, SwitchDocument, SwitchFinding } from '../protocol/switch.ts';
import type { PortVlans } from './plan.ts';
import { carriesText, clean, placeText, vlanText } from './wording.ts';

/** Findings at a port that exists: a wanted VLAN each that it lacks, then one for whatever else is not as it shall be. */
export function findingsAt(
  document: SwitchDocument,
  spec: PortSpec,
  from: PortActual,
  to: PortVlans,
): readonly SwitchFinding[] {
  const place = placeText(document, spec);
  const findings = lacking(spec, from).map(({ vlan, how }): SwitchFinding => {
    const text = `${place}: ${vlanText(vlan, spec.because)} is wanted ${how}; found ${carriesText(from)}${remedy(spec, from, vlan, how)}`;
    return { port: spec.name, kind: 'missing', vlan, text };
  });
  if (spec.mode === 'set' && strange(spec, from, to)) {
    const text = `${place}: wanted ${carriesText(to)}; found ${carriesText(from)}`;
    findings.push({ port: spec.name, kind: 'changed', text });
  }
  return findings;
}

/** One finding of a port that was set: what it was before. The caller knows whether that was news. */
export function putRight(document: SwitchDocument, spec: PortSpec, from: PortActual, to: PortVlans): SwitchFinding {
  const [first, ...more] = lacking(spec, from);
  const networks = spec.tagged.concat(spec.untagged ?? []).map((vlan) => vlanText(vlan, spec.because));
  const wants = networks.length === 0 ? '' : `: ${networks.join(', ')}`;
  return {
    port: spec.name,
    kind: 'changed',
    ...(first === undefined || more.length > 0 ? {} : { vlan: first.vlan }),
    text: `${placeText(document, spec)}: found ${carriesText(from)}; set to ${carriesText(to)}${wants}`,
  };
}

function lacking(spec: PortSpec, from: PortActual): { vlan: number; how: 'tagged' | 'untagged' }[] {
  const tagged = spec.tagged.filter((vlan) => vlan !== spec.untagged && !isTagged(from, vlan));
  const untagged = spec.untagged === undefined || from.untagged === spec.untagged ? [] : [spec.untagged];
  return [
    ...untagged.map((vlan) => ({ vlan, how: 'untagged' as const })),
    ...tagged.map((vlan) => ({ vlan, how: 'tagged' as const })),
  ];
}

function isTagged(from: PortActual, vlan: number): boolean {
  if (from.untagged === vlan || from.mixed?.includes(vlan)) return false;
  return from.tagged === 'all' || from.tagged.includes(vlan);
}

/** Something other than a lack: a VLAN nobody wants there, or another one for untagged frames. */
function strange(spec: PortSpec, from: PortActual, to: PortVlans): boolean {
  if (from.mixed?.length) return true;
  if (spec.untagged === undefined && from.untagged !== to.untagged) return true;
  if (to.tagged === 'all') return false;
  const { tagged } = to;
  return from.tagged === 'all' || from.tagged.some((vlan) => !tagged.includes(vlan));
}

function remedy(spec: PortSpec, from: PortActual, vlan: number, how: string): string {
  if (spec.trunk !== undefined && from.untagged === vlan)
    return '; it is the VLAN of the untagged frames there, which are not ours to move: give one of the two another VLAN';
  return spec.mode === 'check' ? `; the port is not ours to set: add VLAN ${vlan} ${how} there` : '';
}

/** A node's port that sees another system than the one said to be behind it (LLDP); devices may call themselves anything. */
export function neighbourFinding(document: SwitchDocument, spec: PortSpec, system: string): readonly SwitchFinding[] {
  const [kind, name = ''] = spec.behind.split(' ');
  if (!['hypervisor', 'gateway', 'router'].includes(kind!) || system === '' || shortName(name) === shortName(system))
    return [];
  const text =
    `${placeText(document, spec)}: the neighbour there calls itself ${clean(system)} (LLDP), not ${clean(name)}: ` +
    'move the cable, or register the port with the node that hangs on it';
  return [{ port: spec.name, kind: 'changed', text }];
}

function shortName(name: string): string {
  return name.toLowerCase().split('.')[0]!;
}
