// OpenConfig's interfaces and switched VLANs, as far as a port's VLANs go: what to ask for, how to read it, what to write. Pure.
// Source: openconfig-vlan.yang, grouping vlan-switched-config (interface-mode, access-vlan, native-vlan, trunk-vlans).
import type { PortActual, SwitchStep } from '../protocol/switch.ts';
import type { PortChange, PortVlans } from './plan.ts';
import { reasonOf } from './reason.ts';
import { rangeWords, vlanList } from './vlans.ts';
import { at, child, element, escapeXml, type XmlElement } from './xml.ts';

const INTERFACES = 'http://openconfig.net/yang/interfaces';
const ETHERNET = 'http://openconfig.net/yang/interfaces/ethernet';
const VLAN = 'http://openconfig.net/yang/vlan';

/** Subtree filter (RFC 6241, 6): names, whether they are up, and the VLANs; nothing else of the interfaces. */
export const FILTER = element(
  'interfaces',
  { xmlns: INTERFACES },
  element(
    'interface',
    {},
    '<name/>',
    element('state', {}, '<oper-status/>'),
    element('ethernet', { xmlns: ETHERNET }, element('switched-vlan', { xmlns: VLAN }, '<config/>')),
  ),
);

/** The ports in the `data` of a reply. */
export function portsOf(data: XmlElement | undefined): readonly PortActual[] {
  const interfaces = child(data, 'interfaces')?.children.filter((each) => each.name === 'interface') ?? [];
  return interfaces.map((each) => {
    const status = at(each, 'state', 'oper-status')?.text;
    return {
      name: child(each, 'name')?.text ?? '',
      ...(status === undefined ? {} : { up: status === 'UP' }),
      ...vlansOf(at(each, 'ethernet', 'switched-vlan', 'config')),
    };
  });
}

/** A trunk without a list carries every VLAN, says the model. An interface without any of this carries nothing we know of. */
function vlansOf(config: XmlElement | undefined): PortVlans {
  const mode = child(config, 'interface-mode')?.text;
  const number = (name: string): { untagged?: number } => {
    const text = child(config, name)?.text ?? '';
    return /^\d+$/.test(text) ? { untagged: Number(text) } : {};
  };
  if (mode !== 'TRUNK') return { ...number('access-vlan'), tagged: [] };
  const native = number('native-vlan');
  const words = config?.children.filter((each) => each.name === 'trunk-vlans').map((each) => each.text) ?? [];
  if (words.length === 0) return { ...native, tagged: 'all' };
  return { ...native, tagged: vlanList(words.flatMap(rangeOf)).filter((vlan) => vlan !== native.untagged) };
}

/** `10` or `10..20`. */
function rangeOf(word: string): number[] {
  const [first = Number.NaN, last = first] = word.split('..').map(Number);
  return Number.isInteger(first) && Number.isInteger(last)
    ? Array.from({ length: last - first + 1 }, (_, index) => first + index)
    : [];
}

/** The port's leaves, in the order of the model. `native` is where a port goes that shall carry nothing at all. */
function leavesOf(
  { untagged, tagged }: PortVlans,
  native: number,
): readonly (readonly [name: string, value: string])[] {
  if (tagged !== 'all' && tagged.length === 0)
    return [
      ['interface-mode', 'ACCESS'],
      ['access-vlan', `${untagged ?? native}`],
    ];
  return [
    ['interface-mode', 'TRUNK'],
    ...(untagged === undefined ? [] : [['native-vlan', `${untagged}`] as const]),
    ...(tagged === 'all' ? [] : rangeWords(tagged, '..').map((word) => ['trunk-vlans', word] as const)),
  ];
}

/** The `config` of an edit-config: each port's VLAN settings are replaced as a whole, nothing else of the interface is. */
export function editOf(changes: readonly PortChange[], native: number): string {
  const interfaces = changes.map(({ spec, to }) =>
    element(
      'interface',
      {},
      element('name', {}, escapeXml(spec.name)),
      element(
        'ethernet',
        { xmlns: ETHERNET },
        element(
          'switched-vlan',
          { xmlns: VLAN },
          element(
            'config',
            { 'nc:operation': 'replace' },
            ...leavesOf(to, native).map(([name, value]) => element(name, {}, value)),
          ),
        ),
      ),
    ),
  );
  return element(
    'interfaces',
    { xmlns: INTERFACES, 'xmlns:nc': 'urn:ietf:params:xml:ns:netconf:base:1.0' },
    ...interfaces,
  );
}

/** The same for people: the path and its leaves. */
export function stepOf(change: PortChange, native: number): SwitchStep {
  const path = `/interfaces/interface[name=${change.spec.name}]/ethernet/switched-vlan/config`;
  const leaves = leavesOf(change.to, native).map(([name, value]) => `${name}=${value}`);
  return { port: change.spec.name, argv: ['edit-config', path, ...leaves], reason: reasonOf(change) };
}
