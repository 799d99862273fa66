// What may come in to a public address: its list (VPCs) or its firewall rules (networks) as rules. One file for both, since they are
// judged at the same two places: by public port at the wire, and after translation at the instance that has the address alone.
import { parseCidr, type Cidr } from '../lib/ip.ts';
import type { PublicAddress, FirewallRule } from '../model/public-side.ts';
import type { AclItem } from '../model/intent.ts';
import { closed, type Rule, type Rules } from './filter.ts';
import { and, within } from './match.ts';

/** A line of either kind. */
export interface PublicRule {
  readonly id: string;
  /** tcp, udp, icmp, all, or a number as text. */
  readonly protocol: string;
  readonly start?: number;
  readonly end?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  /** Who sends; empty: everybody. */
  readonly from: readonly Cidr[];
  /** Whom it is for; empty: everybody. */
  readonly to: readonly Cidr[];
  readonly allow: boolean;
}

/** The lines of an address, in order; what none names is refused. Undefined: everything passes. */
export function publicList({ acl, ingress }: PublicAddress, firewall: boolean): readonly PublicRule[] | undefined {
  if (firewall) return ingress.flatMap((rule) => firewallRule(rule, true));
  if (acl === undefined) return undefined;
  const rules = acl.items
    .filter(({ direction }) => direction === 'Ingress')
    .toSorted((a, b) => a.number - b.number)
    .flatMap(itemRule);
  const first = rules[0];
  return first !== undefined && first.allow && isEverything(first) ? undefined : rules;
}

function isEverything({ protocol, from, to }: PublicRule): boolean {
  const anybody = (prefixes: readonly Cidr[]): boolean =>
    prefixes.length === 0 || prefixes.some(({ length }) => length === 0);
  return protocol === 'all' && anybody(from) && anybody(to);
}

/** None where the rule speaks of the other address family alone. */
export function firewallRule(rule: FirewallRule, allow: boolean): readonly PublicRule[] {
  const { id, protocol, startPort, endPort, icmpType, icmpCode } = rule;
  return lineOf(rule.cidrs, rule.destinationCidrs, {
    id,
    protocol,
    allow,
    ...(startPort === undefined ? {} : { start: startPort, end: endPort ?? startPort }),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  });
}

const NUMBERS: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp' };

function itemRule(item: AclItem): readonly PublicRule[] {
  const { id, startPort, endPort, icmpType, icmpCode } = item;
  const text = item.protocol.toLowerCase();
  return lineOf(item.cidrs, [], {
    id,
    protocol: NUMBERS[text] ?? text,
    allow: item.action === 'Allow',
    ...(startPort === undefined ? {} : { start: startPort, end: endPort ?? startPort }),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  });
}

function lineOf(
  from: readonly string[],
  to: readonly string[],
  rule: Omit<PublicRule, 'from' | 'to'>,
): readonly PublicRule[] {
  const own = [from, to].map((texts) => texts.map(parseCidr).filter((prefix) => prefix !== undefined));
  const foreign = [from, to].some((texts, i) => texts.length > 0 && own[i]!.length === 0);
  return foreign ? [] : [{ ...rule, from: own[0]!, to: own[1]! }];
}

/** The lines as rules for a packet that has its final addresses and ports. */
export function rulesOf(list: readonly PublicRule[], rest: boolean): Rules {
  const rules = list.map((line): Rule => ({
    id: line.id,
    allow: line.allow,
    match: and(senders(line), receivers(line), protocolOf(line)),
  }));
  return closed(rules, rest);
}

export function senders({ from }: PublicRule): string {
  return from.length === 0 ? '' : within('ip4.src', from);
}

function receivers({ to }: PublicRule): string {
  return to.length === 0 ? '' : within('ip4.dst', to);
}

function protocolOf({ id, protocol, start, end, icmpType, icmpCode }: PublicRule): string {
  switch (protocol) {
    case 'all':
      return '';
    case 'tcp':
    case 'udp':
      if (start === undefined) return protocol;
      return start === end ? `${protocol}.dst == ${start}` : `${protocol}.dst >= ${start} && ${protocol}.dst <= ${end}`;
    case 'icmp':
      return and('icmp4', number('icmp4.type', icmpType), number('icmp4.code', icmpCode));
    default:
      if (!/^[0-9]{1,3}$/.test(protocol)) throw new Error(`rule ${id}: unknown protocol ${protocol}`);
      return `ip.proto == ${protocol}`;
  }
}

/** -1 means any, as in CloudStack. */
function number(field: string, value: number | undefined): string {
  return value === undefined || value < 0 ? '' : `${field} == ${value}`;
}
