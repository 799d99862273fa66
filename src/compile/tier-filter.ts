// The packet filter of a tier: its own list, those of the VPC's private gateways, and what is open whatever they say.
import { cidr, formatCidr } from '../lib/ip.ts';
import type { Tier, Vpc } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow, egressRules, ingressRules, prioritized, type Direction, type Rules } from './filter.ts';
import { behindGateways } from './gateway-list.ts';
import { PRIORITY } from './guard-rail.ts';
import { and } from './match.ts';
import { portGroupName } from './names.ts';
import type { Routing } from './routing.ts';

/**
 * Rows for the tier's port group. Traffic inside the tier is never filtered, and DHCP and what the router's own address serves
 * (ICMP, DNS, metadata, passwords) is always open. No list: nothing comes in from outside, everything goes out.
 */
export function tierFilter(unit: string, vpc: Vpc, tier: Tier, routing: Routing): readonly DesiredRow[] {
  const group = portGroupName(tier.id);
  const prefix = formatCidr(cidr(tier.cidr));
  const open = (key: string, direction: Direction, match: string): DesiredRow =>
    aclRow(unit, tier.id, `open/${key}`, direction, PRIORITY.open, match, 'allow-related');
  const from = `inport == @${group}`;
  const to = `outport == @${group}`;
  return [
    open('dhcp', 'from-lport', `${from} && udp.src == 68 && udp.dst == 67`),
    open('inside', 'from-lport', `${from} && ip4.dst == {${prefix}, 255.255.255.255, 224.0.0.0/4}`),
    open('inside-in', 'to-lport', `${to} && ip4.src == ${prefix}`),
    ...listRows(unit, tier.id, 'from-lport', from, egressRules(tier.acl)),
    ...listRows(unit, tier.id, 'to-lport', to, behindGateways(vpc, routing, ingressRules(tier.acl))),
  ];
}

/** allow-related, or replies of what one direction allows would be judged anew by the other. */
function listRows(
  unit: string,
  tierId: string,
  direction: Direction,
  port: string,
  rules: Rules,
): readonly DesiredRow[] {
  return prioritized(rules, PRIORITY.list).map(({ id, match, allow, priority }) =>
    aclRow(
      unit,
      tierId,
      `${direction}/${id}`,
      direction,
      priority,
      and(port, 'ip4', match),
      allow ? 'allow-related' : 'drop',
    ),
  );
}
