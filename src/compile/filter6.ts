// The packet filters of networks in IPv6: a tier's list, and the firewall of a network outside a VPC. The same judgement as in IPv4
// (tier-filter.ts), on the same instance ports; what is always open differs, since a link cannot do without some of it.
import { cidr6, formatCidr6 } from '../lib/ip6.ts';
import type { GuestNetwork, Tier, Tier6 } from '../model/intent.ts';
import type { Firewall6, Network6 } from '../model/ipv6.ts';
import type { FirewallRule } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import {
  aclRow,
  closed,
  egressRules,
  ingressRules,
  prioritized,
  protocolMatch,
  type Direction,
  type Rules,
} from './filter.ts';
import { PRIORITY } from './guard-rail.ts';
import { and, within6 } from './match.ts';
import { portGroupName } from './names.ts';

/** Rows for the port group of a tier; none without IPv6. */
export function tierFilter6(unit: string, tier: Tier | Tier6): readonly DesiredRow[] {
  if (tier.six === undefined) return [];
  return filterRows(unit, tier.id, tier.six, egressRules(tier.acl, 6), ingressRules(tier.acl, 6));
}

/** Rows for the port group of a network outside a VPC; none without an IPv6 firewall. */
export function networkFilter6(unit: string, { id, six, firewall6 }: GuestNetwork): readonly DesiredRow[] {
  if (six === undefined || firewall6 === undefined) return [];
  return filterRows(unit, id, six, leaving(firewall6), entering(firewall6));
}

function entering({ ingress }: Firewall6): Rules {
  return closed(
    ingress.map((rule) => ({ id: rule.id, match: firewallMatch(rule), allow: true })),
    false,
  );
}

/** Where the default lets everything out, a rule says what may not. */
function leaving({ egress, egressDefault }: Firewall6): Rules {
  const free = egressDefault === 'allow';
  return closed(
    egress.map((rule) => ({ id: rule.id, match: firewallMatch(rule), allow: !free })),
    free,
  );
}

function firewallMatch(rule: FirewallRule): string {
  const ends = [
    ['ip6.src', rule.cidrs],
    ['ip6.dst', rule.destinationCidrs],
  ] as const;
  const where = ends.map(([field, cidrs]) => (cidrs.length === 0 ? '' : within6(field, cidrs.map(cidr6))));
  return and(...where, protocolMatch(rule, 6));
}

/**
 * Inside a network nothing is filtered: its prefix, link local and multicast. Neighbour discovery needs no row, OVN lets it pass any
 * list (port security and the node judge it: see guard-rail.ts).
 */
function filterRows(
  unit: string,
  networkId: string,
  six: Network6,
  egress: Rules,
  ingress: Rules,
): readonly DesiredRow[] {
  const group = portGroupName(networkId);
  const prefix = formatCidr6(cidr6(six.cidr));
  const from = `inport == @${group}`;
  const to = `outport == @${group}`;
  const open = (key: string, direction: Direction, match: string): DesiredRow =>
    aclRow(unit, networkId, `open/${key}`, direction, PRIORITY.open, match, 'allow-related');
  return [
    open('inside6', 'from-lport', `${from} && ip6.dst == {${prefix}, fe80::/10, ff00::/8}`),
    open('inside6-in', 'to-lport', `${to} && ip6.src == {${prefix}, fe80::/10}`),
    ...listRows(unit, networkId, 'from-lport', from, egress),
    ...listRows(unit, networkId, 'to-lport', to, ingress),
  ];
}

function listRows(
  unit: string,
  networkId: string,
  direction: Direction,
  port: string,
  rules: Rules,
): readonly DesiredRow[] {
  return prioritized(rules, PRIORITY.list).map(({ id, match, allow, priority }) =>
    aclRow(
      unit,
      networkId,
      `${direction}/6/${id}`,
      direction,
      priority,
      and(port, 'ip6', match),
      allow ? 'allow-related' : 'drop',
    ),
  );
}
