// A small reading of compiled rows for tests: what OVN would do with a packet, as far as the compiler uses its language. Apart
// from the compiler on purpose: it knows the matches, not how they came about.
import { cidr, contains, ip } from '../lib/ip.ts';
import type { Desired, DesiredRow } from './desired.ts';

export function rowsOf(desired: Desired, table?: string): readonly DesiredRow[] {
  const rows = [...desired.units.values()].flatMap((unit) => unit.rows);
  return table === undefined ? rows : rows.filter((row) => row.table === table);
}

/** A packet: the fields matches speak of. */
export type Packet = Readonly<Record<string, string | number>>;

/** Whether a match holds for the packet. Ports in groups are written `@group` in the packet. Throws on what it cannot read. */
export function holds(match: string, packet: Packet): boolean {
  return match.split(' && ').every((term) => holdsTerm(term, packet));
}

/** The action of the first row that matches, by falling priority; undefined when none does. Throws when the order matters and is not said. */
export function verdict(rows: readonly DesiredRow[], packet: Packet): string | undefined {
  const hits = rows.filter((row) => holds(String(row.columns['match']), packet));
  const best = Math.max(...hits.map((row) => Number(row.columns['priority'])));
  const actions = new Set(
    hits.filter((row) => row.columns['priority'] === best).map((row) => String(row.columns['action'])),
  );
  if (actions.size > 1) throw new Error(`two verdicts at priority ${best}: ${[...actions].join(', ')}`);
  return [...actions][0];
}

function holdsTerm(term: string, packet: Packet): boolean {
  const compared = /^(\S+) (==|>=|<=) (.+)$/.exec(term);
  if (compared === null) return protocolOf(packet, term);
  const [, field, operator, text] = compared;
  const actual = packet[field!];
  if (actual === undefined) return false;
  const values = text!.startsWith('{') ? text!.slice(1, -1).split(', ') : [text!];
  if (operator === '>=') return Number(actual) >= Number(text);
  if (operator === '<=') return Number(actual) <= Number(text);
  return values.some((value) => equals(field!, actual, value.replaceAll('"', '')));
}

function protocolOf(packet: Packet, name: string): boolean {
  if (name === 'ct.rpl' || name === 'ct.est') return packet[name] === 1;
  if (name === 'ip4') return packet['ip4.src'] !== undefined;
  if (['tcp', 'udp', 'sctp', 'icmp4'].includes(name)) return packet['protocol'] === name;
  throw new Error(`cannot read the match term ${name}`);
}

function equals(field: string, actual: string | number, value: string): boolean {
  if (field.startsWith('ip4.')) return contains(cidr(value.includes('/') ? value : `${value}/32`), ip(String(actual)));
  return String(actual) === value;
}
