// How findings and reasons name a port and what it carries. Apart so that all drivers say the same thing in the same words.
import type { PortActual, PortSpec, SwitchDocument } from '../protocol/switch.ts';
import { rangeWords } from './vlans.ts';

const LONGEST_NAME = 80;

/** A name somebody chose, fit for a line of text: no control character could start a line of its own. */
export function clean(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > LONGEST_NAME ? `${plain.slice(0, LONGEST_NAME)}...` : plain;
}

/** `port swp1 (hypervisor h1)` */
export function portText(spec: Pick<PortSpec, 'name' | 'behind'>): string {
  return `port ${clean(spec.name)} (${clean(spec.behind)})`;
}

/** `switch core1, port swp1 (hypervisor h1)` */
export function placeText(document: Pick<SwitchDocument, 'name'>, spec: Pick<PortSpec, 'name' | 'behind'>): string {
  return `switch ${clean(document.name)}, ${portText(spec)}`;
}

/** `VLAN 1234 (network blue)`; without the network when nobody said which. */
export function vlanText(vlan: number, because: PortSpec['because']): string {
  const networks = because[vlan];
  return networks === undefined || networks === '' ? `VLAN ${vlan}` : `VLAN ${vlan} (network ${clean(networks)})`;
}

/** What a port carries: `untagged 1, tagged 10-12, 1234`. */
export function carriesText(port: Pick<PortActual, 'untagged' | 'tagged' | 'mixed'>): string {
  const untagged = port.untagged === undefined ? 'nothing untagged' : `untagged ${port.untagged}`;
  const words = port.tagged === 'all' ? ['all'] : rangeWords(port.tagged);
  const tagged = words.length === 0 ? 'nothing tagged' : `tagged ${words.join(', ')}`;
  const mixed = port.mixed?.length
    ? [`tagged one way and untagged the other ${rangeWords(port.mixed).join(', ')}`]
    : [];
  return [untagged, tagged, ...mixed].join(', ');
}
