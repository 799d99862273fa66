// Packet filter lists as OVN understands them: from CloudStack's items to ordered rules, from ordered rules to rows. Semantics
// (Cosmic and CloudStack): new connections are judged, their replies pass; the first match in ascending number decides.
import { cidr } from '../lib/ip.ts';
import { cidr6 } from '../lib/ip6.ts';
import type { AclItem, AclList } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { row, rowId } from './names.ts';
import { and, within, within6 } from './match.ts';

/** One step of a first-match list. */
export interface Rule {
  /** Unique in its list. */
  readonly id: string;
  /** Empty: everything. */
  readonly match: string;
  readonly allow: boolean;
}

/** First match decides. The last rule matches everything, and no other does. */
export type Rules = readonly Rule[];

/** 4, or 6. A list holds items of both, and is gone through for each by itself. */
export type Family = 4 | 6;

/** Towards the instances. `cidrs` are sources; what no item names is denied. */
export function ingressRules(list: AclList | undefined, family: Family = 4): Rules {
  return closed(rulesOf(itemsOf(list, 'Ingress'), family), false);
}

/** Away from the instances. `cidrs` are destinations; without any Egress item all is free, with one the rest is denied. */
export function egressRules(list: AclList | undefined, family: Family = 4): Rules {
  const items = itemsOf(list, 'Egress');
  return closed(rulesOf(items, family), items.length === 0);
}

/** Makes a list of it: ended at the first rule that matches everything, or by one that gives `rest`. */
export function closed(rules: readonly Rule[], rest: boolean): Rules {
  const end = rules.findIndex(({ match }) => match === '');
  return end < 0 ? [...rules, { id: 'rest', match: '', allow: rest }] : rules.slice(0, end + 1);
}

/** What passes both lists. Their lengths multiply: what comes after {@link LARGEST_LIST} rules is denied, and never made. */
export function both(first: Rules, second: Rules): Rules {
  const rules: Rule[] = [];
  for (const one of first) {
    const more = one.allow
      ? second.map((two) => ({ id: `${one.id}+${two.id}`, match: and(one.match, two.match), allow: two.allow }))
      : [one];
    if (rules.length + more.length > LARGEST_LIST) return cut([...rules, ...more]);
    rules.push(...more);
  }
  return rules;
}

/** The beginning of rules that are too many, and nothing after it. */
export function cut(rules: readonly Rule[]): Rules {
  return rules.length <= LARGEST_LIST ? closed(rules, false) : closed(rules.slice(0, LARGEST_LIST - 1), false);
}

/** The rules for packets that also match `condition`; what does not match it is left to whatever follows. */
export function when(condition: string, prefix: string, rules: Rules): readonly Rule[] {
  return rules.map(({ id, match, allow }) => ({ id: `${prefix}/${id}`, match: and(condition, match), allow }));
}

export function isFree(rules: Rules): boolean {
  return rules[0]!.allow && rules[0]!.match === '';
}

export function allowsNothing(rules: Rules): boolean {
  return rules.every(({ allow }) => !allow);
}

/** Rules that one list may become. Beyond, everything is denied: a list nobody can read must not open a network. */
export const LARGEST_LIST = 15_000;

/**
 * Numbers the rules with falling priorities from `top`. Neighbours with the same verdict share one, since between them
 * the order does not matter: fewer rows change when an item is added.
 */
export function prioritized(rules: Rules, top: number): readonly (Rule & { readonly priority: number })[] {
  const kept = rules.length <= LARGEST_LIST ? rules : cut(rules);
  let priority = top;
  return kept.map((rule, index) => {
    if (index > 0 && kept[index - 1]!.allow !== rule.allow) priority--;
    return { ...rule, priority };
  });
}

export type Direction = 'from-lport' | 'to-lport';

/** One ACL row. `key` is unique among the network's ACLs. */
export function aclRow(
  unit: string,
  networkId: string,
  key: string,
  direction: Direction,
  priority: number,
  match: string,
  action: 'allow' | 'allow-related' | 'drop',
): DesiredRow {
  return row(
    'ACL',
    rowId('ACL', `${networkId}/${key}`),
    { id: networkId, unit },
    { direction, priority, match, action },
  );
}

function itemsOf(list: AclList | undefined, direction: 'Ingress' | 'Egress'): readonly AclItem[] {
  if (list === undefined) return [];
  return list.items.filter((item) => item.direction === direction).toSorted((a, b) => a.number - b.number);
}

function rulesOf(items: readonly AclItem[], family: Family): readonly Rule[] {
  return items
    .filter((item) => isAbout(item, family))
    .map((item) => ({
      id: item.id,
      match: and(otherEnd(item, family), protocolMatch(item, family)),
      allow: item.action === 'Allow',
    }));
}

/** Without any CIDR, or any of the family, an item is about both or about the other; ICMP has a number of its own in each. */
function isAbout({ cidrs, cidrs6 = [], protocol }: AclItem, family: Family): boolean {
  if (protocol === (family === 6 ? '1' : '58')) return false;
  return family === 6 ? cidrs6.length > 0 || cidrs.length === 0 : cidrs.length > 0 || cidrs6.length === 0;
}

function otherEnd({ direction, cidrs, cidrs6 = [] }: AclItem, family: Family): string {
  const end = direction === 'Ingress' ? 'src' : 'dst';
  if (family === 6) return cidrs6.length === 0 ? '' : within6(`ip6.${end}`, cidrs6.map(cidr6));
  return cidrs.length === 0 ? '' : within(`ip4.${end}`, cidrs.map(cidr));
}

const NAMED: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmp', '132': 'sctp' };

/** What of a packet an item or a rule asks besides its ends. */
export function protocolMatch(
  item: Pick<AclItem, 'id' | 'protocol' | 'startPort' | 'endPort' | 'icmpType' | 'icmpCode'>,
  family: Family,
): string {
  const text = item.protocol.toLowerCase();
  const protocol = NAMED[text] ?? text;
  switch (protocol) {
    case 'all':
      return '';
    case 'tcp':
    case 'udp':
    case 'sctp':
      return and(protocol, portMatch(`${protocol}.dst`, item));
    case 'icmp': {
      const name = `icmp${family}`;
      return and(name, numberMatch(`${name}.type`, item.icmpType), numberMatch(`${name}.code`, item.icmpCode));
    }
    default: {
      if (!/^[0-9]{1,3}$/.test(protocol)) throw new Error(`ACL item ${item.id}: unknown protocol ${item.protocol}`);
      return `ip.proto == ${protocol}`;
    }
  }
}

function portMatch(field: string, { startPort, endPort }: Pick<AclItem, 'startPort' | 'endPort'>): string {
  if (startPort === undefined) return '';
  if (endPort === undefined || endPort === startPort) return `${field} == ${startPort}`;
  return `${field} >= ${startPort} && ${field} <= ${endPort}`;
}

/** -1 means any, as in CloudStack. */
function numberMatch(field: string, value: number | undefined): string {
  return value === undefined || value < 0 ? '' : `${field} == ${value}`;
}
