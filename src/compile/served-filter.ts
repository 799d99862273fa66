// Who may use the served ports of a public address, as rules in order. Asked twice: at the wire, by the public port, and at the gateway
// helper, where the router's own networks come without having met the wire.
import { parseCidr } from '../lib/ip.ts';
import type { Rule } from './filter.ts';
import { and, within } from './match.ts';
import { senders, type PublicRule } from './public-list.ts';
import { intersection, portMatches, type PortRange, type Served } from './served-port.ts';

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

const EVERYTHING: PublicRule = { id: 'all', protocol: 'all', from: [], to: [], allow: true };

/** A prefix nobody sends from (RFC 5737): rules for the other address family alone let nobody in. */
const NOBODY = [parseCidr('0.0.0.0/32')!];

function portsIn(line: PublicRule, protocol: 'tcp' | 'udp', ports: readonly PortRange[]): readonly PortRange[] {
  if (line.protocol === 'all') return ports;
  if (line.protocol !== protocol) return [];
  return line.start === undefined ? ports : intersection(ports, { start: line.start, end: line.end ?? line.start });
}
