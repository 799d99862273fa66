// One rule of an ACL list, read from what a caller wrote. Pure; the refusals are CloudStack's.
import { refuse } from '../../api/error.ts';
import { parseCidr } from '../../lib/ip.ts';
import { looksLikeIp6, parseCidr6 } from '../../lib/ip6.ts';
import type { Tables } from '../../store/schema.ts';

export interface RuleWant {
  readonly protocol?: string;
  readonly action?: string;
  readonly traffictype?: string;
  readonly cidrlist?: readonly string[];
  readonly startport?: number;
  readonly endport?: number;
  readonly icmptype?: number;
  readonly icmpcode?: number;
}

/** What a rule says, without whose it is and its place. */
export type Rule = Pick<
  Tables['aclitem'],
  'protocol' | 'startport' | 'endport' | 'icmptype' | 'icmpcode' | 'traffictype' | 'action' | 'cidrlist'
>;

const NAMED = ['tcp', 'udp', 'icmp', 'all'];

/** Which families the CIDRs of a rule may be of. */
export type Families = 4 | 6 | 'both';

/** The rule wanted; what is left out stays as in `was`, or gets its default. */
export function readRule(want: RuleWant, was?: Rule, families: Families = 4): Rule {
  const protocol = want.protocol === undefined ? (was?.protocol ?? 'all') : readProtocol(want.protocol);
  const sameProtocol = protocol === was?.protocol;
  const icmp = protocol === 'icmp' || protocol === '1' || (families !== 4 && protocol === '58');
  return {
    protocol,
    action: readAction(want.action) ?? was?.action ?? 'Allow',
    traffictype: readDirection(want.traffictype) ?? was?.traffictype ?? 'Ingress',
    cidrlist:
      readCidrs(want.cidrlist, families) ?? was?.cidrlist ?? (isOnlyIp6(protocol, families) ? '::/0' : '0.0.0.0/0'),
    ...readPorts(want, protocol, icmp, sameProtocol ? was : undefined),
    ...readIcmp(want, icmp, sameProtocol ? was : undefined, isOnlyIp6(protocol, families) ? 255 : 40),
  };
}

function isOnlyIp6(protocol: string, families: Families): boolean {
  return families === 6 || (families === 'both' && protocol === '58');
}

function readProtocol(text: string): string {
  const lower = text.toLowerCase();
  if (NAMED.includes(lower)) return lower;
  if (!/^-?[0-9]+$/.test(text))
    throw refuse('parameter', `Invalid protocol: ${text}. It can be ${NAMED.join(', ')}, or a number from 0 to 255`);
  const number = Number(text);
  if (number < 0 || number > 255)
    throw refuse('parameter', `Invalid protocol number: ${text}. Protocol numbers are 0 to 255`);
  return String(number);
}

function readAction(text: string | undefined): 'Allow' | 'Deny' | undefined {
  if (text === undefined) return undefined;
  const lower = text.toLowerCase();
  if (lower === 'allow') return 'Allow';
  if (lower === 'deny') return 'Deny';
  throw refuse('parameter', `Invalid action. Allowed actions are Allow and Deny: ${text}`);
}

function readDirection(text: string | undefined): 'Ingress' | 'Egress' | undefined {
  if (text === undefined) return undefined;
  const lower = text.toLowerCase();
  if (lower === 'ingress') return 'Ingress';
  if (lower === 'egress') return 'Egress';
  throw refuse('parameter', `Invalid traffictype ${text}: it can be Ingress or Egress`);
}

/** CIDRs of one rule: each is an address match on every hypervisor. */
const MOST_CIDRS = 256;

function readCidrs(list: readonly string[] | undefined, families: Families): string | undefined {
  if (list === undefined || list.length === 0) return undefined;
  if (list.length > MOST_CIDRS) {
    throw refuse(
      'parameter',
      `A rule with ${list.length} CIDRs is too large: it can have at most ${MOST_CIDRS}. Join neighbours in wider CIDRs, or make several rules`,
    );
  }
  const bad = list.find((text) =>
    looksLikeIp6(text)
      ? families === 4 || parseCidr6(text) === undefined
      : families === 6 || parseCidr(text) === undefined,
  );
  if (bad !== undefined) {
    const like = { 4: '10.2.0.0/16', 6: '2001:db8:1::/48', both: '10.2.0.0/16 or 2001:db8:1::/48' }[families];
    throw refuse('parameter', `Source cidrs formatting error ${bad}: write it like ${like}`);
  }
  return list.join(',');
}

function readPorts(
  { startport, endport }: RuleWant,
  protocol: string,
  icmp: boolean,
  was: Rule | undefined,
): Pick<Rule, 'startport' | 'endport'> {
  if (startport === undefined && endport === undefined)
    return { startport: was?.startport ?? null, endport: was?.endport ?? null };
  if (icmp) throw refuse('parameter', "Can't specify start/end port when protocol is ICMP");
  if (protocol === 'all') throw refuse('parameter', "start port and end port must be null if protocol = 'all'");
  if (!['tcp', 'udp', '6', '17', '132'].includes(protocol))
    throw refuse('parameter', `Protocol ${protocol} has no ports: leave startport and endport out`);
  const start = startport ?? was?.startport ?? endport!;
  const end = endport ?? (startport === undefined ? (was?.endport ?? start) : startport);
  for (const port of [start, end]) {
    if (port < 1 || port > 65535)
      throw refuse('parameter', `publicPort is an invalid value: ${port}. Ports are 1 to 65535`);
  }
  if (start > end) throw refuse('parameter', `Start port can't be bigger than end port: ${start} and ${end}`);
  return { startport: start, endport: end };
}

function readIcmp(
  { icmptype, icmpcode }: RuleWant,
  icmp: boolean,
  was: Rule | undefined,
  /** The highest type that has codes. */
  coded: number,
): Pick<Rule, 'icmptype' | 'icmpcode'> {
  if (!icmp) {
    if (icmptype !== undefined || icmpcode !== undefined)
      throw refuse('parameter', 'Can specify icmpCode and icmpType for ICMP protocol only');
    return { icmptype: null, icmpcode: null };
  }
  const type = icmptype ?? was?.icmptype ?? null;
  const code = icmpcode ?? was?.icmpcode ?? null;
  if (type !== null && type !== -1 && (type < 0 || type > 255)) {
    throw refuse('parameter', `Invalid icmp type; should belong to [0-255] range: ${type}`);
  }
  if (code !== null && code !== -1 && (code < 0 || code > 15 || type === null || type === -1 || type > coded)) {
    throw refuse(
      'parameter',
      `Invalid icmp code; should belong to [0-15] range and can be defined when icmpType belongs to [0-${coded}] range: ${code}`,
    );
  }
  return { icmptype: type, icmpcode: code };
}
