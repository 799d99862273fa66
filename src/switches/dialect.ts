// The lines that set ports, in the words of four kinds of switch: what the network team types where no driver may. Each stanza sets a
// port as a whole and may be typed twice. Pure; nothing a tenant chose gets into a line, but for comments.
import type { PortSpec, SwitchDocument } from '../protocol/switch.ts';
import { rangeWords, vlanList } from './vlans.ts';
import { portText, vlanText } from './wording.ts';

export interface Dialect {
  /** What starts a comment. */
  readonly comment: string;
  /** VLANs that must exist, before the ports that carry them. */
  vlans(vlans: readonly number[]): readonly string[];
  /** An access port, or a trunk with the VLAN of its untagged frames. */
  port(name: string, untagged: number, tagged: readonly number[]): readonly string[];
  /** The trunk of a node: VLANs more and less, all else as it is. */
  trunk(name: string, add: readonly number[], remove: readonly number[]): readonly string[];
  /** What makes it last. */
  readonly end: readonly string[];
}

export type DialectName = 'cisco-ios' | 'arista-eos' | 'junos' | 'sonic';

/** Longest list of VLANs on one line: IOS takes no line of more than 254 characters. */
const WORDS_A_LINE = 20;
const LONGEST_REMARK = 220;

/** Cisco IOS and Arista EOS differ in little: what may stand on one line, and how the running configuration is kept. */
function iosLike(end: readonly string[]): Dialect {
  return {
    comment: '!',
    vlans: (vlans) => vlans.filter((vlan) => vlan !== 1).flatMap((vlan) => [`vlan ${vlan}`, ' exit']),
    port: (name, untagged, tagged) =>
      tagged.length === 0
        ? [
            `interface ${name}`,
            ' switchport',
            ' switchport mode access',
            ` switchport access vlan ${untagged}`,
            ' exit',
          ]
        : [
            `interface ${name}`,
            ' switchport',
            ` switchport trunk native vlan ${untagged}`,
            ...lists(vlanList([untagged, ...tagged]), ' switchport trunk allowed vlan'),
            ' switchport mode trunk',
            ' exit',
          ],
    trunk: (name, add, remove) => [
      `interface ${name}`,
      ...rangeLines(add, ' switchport trunk allowed vlan add'),
      ...rangeLines(remove, ' switchport trunk allowed vlan remove'),
      ' exit',
    ],
    end,
  };
}

function lists(vlans: readonly number[], command: string): readonly string[] {
  return rangeLines(vlans, command).map((line, index) =>
    index === 0 ? line : line.replace(command, `${command} add`),
  );
}

function rangeLines(vlans: readonly number[], command: string): readonly string[] {
  const words = rangeWords(vlans);
  return Array.from(
    { length: Math.ceil(words.length / WORDS_A_LINE) },
    (_, index) => `${command} ${words.slice(index * WORDS_A_LINE, (index + 1) * WORDS_A_LINE).join(',')}`,
  );
}

/** Juniper's EX and QFX with Enhanced Layer 2 Software: a native VLAN must be a member of the trunk too. */
const junos: Dialect = {
  comment: '#',
  vlans: (vlans) => vlans.filter((vlan) => vlan !== 1).map((vlan) => `set vlans trunkline-${vlan} vlan-id ${vlan}`),
  port(name, untagged, tagged) {
    const family = `interfaces ${name} unit 0 family ethernet-switching`;
    const members = vlanList([untagged, ...tagged]);
    return [
      `delete interfaces ${name} native-vlan-id`,
      `delete ${family} vlan`,
      ...(tagged.length === 0 ? [] : [`set interfaces ${name} native-vlan-id ${untagged}`]),
      `set ${family} interface-mode ${tagged.length === 0 ? 'access' : 'trunk'}`,
      ...rangeWords(members).map((word) => `set ${family} vlan members ${word}`),
    ];
  },
  trunk(name, add, remove) {
    const members = `interfaces ${name} unit 0 family ethernet-switching vlan members`;
    return [...add.map((vlan) => `set ${members} ${vlan}`), ...remove.map((vlan) => `delete ${members} ${vlan}`)];
  },
  end: ['commit'],
};

/** SONiC's own command line, in its shell. It has no "set to exactly": members that are not wanted are looked up and taken out. */
const sonic: Dialect = {
  comment: '#',
  vlans: (vlans) => vlans.map((vlan) => `sudo config vlan add ${vlan} || true`),
  port(name, untagged, tagged) {
    const members = `for key in $(sonic-db-cli CONFIG_DB keys 'VLAN_MEMBER|*|${name}')`;
    const wanted = [`'untagged ${untagged}'`, ...tagged.map((vlan) => `'tagged ${vlan}'`)].join(' | ');
    return [
      `${members}; do vlan=\${key#*Vlan}; vlan=\${vlan%%|*}; ` +
        `case "$(sonic-db-cli CONFIG_DB hget "$key" tagging_mode) $vlan" in ${wanted}) ;; ` +
        `*) sudo config vlan member del "$vlan" ${name} ;; esac; done`,
      `sudo config vlan member add -u ${untagged} ${name} || true`,
      ...tagged.map((vlan) => `sudo config vlan member add ${vlan} ${name} || true`),
    ];
  },
  trunk: (name, add, remove) => [
    ...add.map((vlan) => `sudo config vlan member add ${vlan} ${name} || true`),
    ...remove.map((vlan) => `sudo config vlan member del ${vlan} ${name} || true`),
  ],
  end: ['sudo config save -y'],
};

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  'cisco-ios': iosLike(['end', 'copy running-config startup-config']),
  'arista-eos': iosLike(['end', 'write memory']),
  junos,
  sonic,
};

/** Everything to type for the document's ports, in the order to type it; none when no port of it is to be set. */
export function linesFor(document: SwitchDocument, dialect: Dialect): readonly string[] {
  const set = document.ports.filter((spec) => spec.mode === 'set');
  const stanzas = set.flatMap((spec) => stanzaOf(document, spec, dialect));
  const checks = document.ports
    .filter((spec) => spec.mode === 'check' && (spec.untagged !== undefined || spec.tagged.length > 0))
    .map((spec) => remark(dialect, `${portText(spec)} is not ours to set: see that it carries ${wantedText(spec)}`));
  if (stanzas.length === 0) return checks;
  const vlans = vlanList(set.flatMap((spec) => vlansOf(document, spec)));
  return [...checks, ...dialect.vlans(vlans), ...stanzas, ...dialect.end];
}

function vlansOf(document: SwitchDocument, spec: PortSpec): number[] {
  const untagged = spec.untagged ?? (spec.trunk === undefined ? document.nativeVlan : undefined);
  return [...spec.tagged, ...(untagged === undefined ? [] : [untagged])];
}

function stanzaOf(document: SwitchDocument, spec: PortSpec, dialect: Dialect): readonly string[] {
  const comment = remark(dialect, `${portText(spec)}: ${wantedText(spec)}`);
  if (spec.trunk !== undefined) {
    const lines =
      spec.trunk.retired.length + spec.tagged.length === 0
        ? []
        : dialect.trunk(spec.name, spec.tagged, spec.trunk.retired);
    return lines.length === 0 ? [] : [comment, ...lines];
  }
  const untagged = spec.untagged ?? document.nativeVlan;
  const tagged = vlanList(spec.tagged).filter((vlan) => vlan !== untagged);
  return [comment, ...dialect.port(spec.name, untagged, tagged)];
}

function wantedText(spec: PortSpec): string {
  const words = [
    ...(spec.untagged === undefined ? [] : [`${vlanText(spec.untagged, spec.because)} untagged`]),
    ...spec.tagged.map((vlan) => `${vlanText(vlan, spec.because)} tagged`),
  ];
  return words.length === 0 ? 'no network' : words.join(', ');
}

/** A line for people; cut, since a switch takes no line longer than a command. */
function remark({ comment }: Dialect, text: string): string {
  return `${comment} ${text.length > LONGEST_REMARK ? `${text.slice(0, LONGEST_REMARK)}...` : text}`;
}
