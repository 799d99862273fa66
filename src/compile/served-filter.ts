// Who may use the served ports of a public address, as rules in order. Asked twice: at the wire, by the public port, and at the gateway
// helper, where the router's own networks come without having met the wire.
import { parseCidr } from '../lib/ip.ts';
import type { Rule } from './filter.ts';
import { and, within } from './match.ts';
import type { PublicAddress } from '../model/public-side.ts';
import { publicList, senders, type PublicRule } from './public-list.ts';
import { intersection, merged, outside, portMatches, servedBy, type PortRange, type Served } from './served-port.ts';

/**
 * First match, for the served ports only; what no line lets in is refused. `matchesOf` says the ports where they are not those of
 * the packet any more.
 */
export function portRules(
  { protocol, ports, cidrs: texts }: Served,
  list: readonly PublicRule[] | undefined,
  matchesOf = (ranges: readonly PortRange[]): readonly string[] => portMatches(protocol, ranges),
): readonly Rule[] {
  const cidrs = texts.map(parseCidr).filter((prefix) => prefix !== undefined);
  const restricted = texts.length > 0;
  const clients =
    cidrs.some(({ length }) => length === 0) || !restricted ? '' : within('ip4.src', cidrs.length > 0 ? cidrs : NOBODY);
  const key = `${protocol}/${texts.join(',')}`;
  const lines = list ?? [EVERYTHING];
  const rules = lines.flatMap((line) =>
    matchesOf(portsIn(line, protocol, ports)).map((match): Rule => ({
      id: `${key}/${line.id}/${match}`,
      match: and(line.allow ? clients : '', senders(line), match),
      allow: line.allow,
    })),
  );
  if (list === undefined && !restricted) return rules;
  const rest = matchesOf(ports).map((match): Rule => ({ id: `${key}/rest/${match}`, match, allow: false }));
  return [...rules, ...rest];
}

/** Where connections of most systems begin (RFC 6335 leaves 49152 and up to them, Linux takes 32768 and up). */
const HIGH = { start: 32_768, end: 65_535 };
const ALL = { start: 1024, end: 65_535 };

/**
 * The ports that source NAT on an address may choose; undefined: any, and then a connection keeps its own, so that another gateway that
 * takes over in the middle of it gives it the same again. From a range OVS 3.1 takes one that differs from node to node. So there is one
 * only where it must be: the wire knows no connections, and would refuse answers that look like questions to a high port that not everybody may ask.
 */
export function translationPorts(address: PublicAddress, firewall: boolean): PortRange | undefined {
  const list = publicList(address, firewall);
  const judged = merged(servedBy(address).flatMap((served) => judgedPorts(served, list)));
  return intersection(judged, HIGH).length === 0 ? undefined : (widestGap(judged, HIGH) ?? widestGap(judged, ALL));
}

/** Served ports that not everybody may use. */
function judgedPorts(
  { protocol, ports, cidrs }: Served,
  list: readonly PublicRule[] = [EVERYTHING],
): readonly PortRange[] {
  if (cidrs.length > 0) return ports;
  const denied: PortRange[] = [];
  let left = ports;
  for (const line of list) {
    const named = portsIn(line, protocol, left);
    if (!line.allow) denied.push(...named);
    else if (senders(line) === '') left = left.flatMap((range) => outside(named, range));
  }
  return [...denied, ...left];
}

function widestGap(taken: readonly PortRange[], within: PortRange): PortRange | undefined {
  return outside(taken, within).toSorted((a, b) => b.end - b.start - (a.end - a.start))[0];
}

const EVERYTHING: PublicRule = { id: 'all', protocol: 'all', from: [], to: [], allow: true };

/** A prefix nobody sends from (RFC 5737): rules for the other address family alone let nobody in. */
const NOBODY = [parseCidr('0.0.0.0/32')!];

function portsIn(line: PublicRule, protocol: 'tcp' | 'udp', ports: readonly PortRange[]): readonly PortRange[] {
  if (line.protocol === 'all') return ports;
  if (line.protocol !== protocol) return [];
  return line.start === undefined ? ports : intersection(ports, { start: line.start, end: line.end ?? line.start });
}
