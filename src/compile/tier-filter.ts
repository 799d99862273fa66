// The packet filter of a tier: its own list, those of the VPC's private gateways, and what is open whatever they say.
import { cidr, formatCidr } from '../lib/ip.ts';
import type { Tier, Vpc } from '../model/intent.ts';
import type { BalancerMember } from '../model/public-side.ts';
import { proxiedOf, reachedByHelper } from './balancer.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow, egressRules, ingressRules, prioritized, type Direction, type Rules } from './filter.ts';
import { aheadOfGateways, behindGateways } from './gateway-list.ts';
import { PRIORITY } from './guard-rail.ts';
import { HELPER_ADDRESS, STANDING_FROM_HELPER } from './helper-leg.ts';
import { and } from './match.ts';
import { portGroupName } from './names.ts';
import type { Routing } from './routing.ts';
import { staticRules } from './static-filter.ts';

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
    ...throughHelper(vpc, tier).map(({ ip, port }) =>
      open(
        `helper/${ip}:${port}`,
        'to-lport',
        `${to} && ip4.src == ${HELPER_ADDRESS} && ip4.dst == ${ip} && tcp.dst == ${port}`,
      ),
    ),
    ...(hasBalancingHelper(vpc) ? [open('helper/standing', 'to-lport', and(to, STANDING_FROM_HELPER))] : []),
    ...listRows(unit, tier.id, 'from-lport', from, aheadOfGateways(vpc, routing, egressRules(tier.acl))),
    ...listRows(unit, tier.id, 'to-lport', to, fromOutside(vpc, tier, routing)),
  ];
}

/** The tier's list, behind those of private gateways, and of public addresses that belong to one of its instances. */
function fromOutside(vpc: Vpc, tier: Tier, routing: Routing): Rules {
  const rules = behindGateways(vpc, routing, ingressRules(tier.acl));
  if (vpc.publicSide === undefined) return rules;
  // What turns round at the router comes with a public address of the VPC's own, which nobody else can have (public-filter.ts).
  const own = vpc.publicSide.addresses.map(({ ip }) => cidr(`${ip}/32`));
  const inside = routing.table.filter(
    ({ prefix, via }) => prefix.length > 0 && via.some(({ kind }) => kind !== 'public'),
  );
  return staticRules(vpc.publicSide, tier.nics, [...inside.map(({ prefix }) => prefix), ...own], rules);
}

/** Members of balancers that the gateway helper passes on: who may use those was judged by their public port. */
function throughHelper({ publicSide }: Vpc, tier: Tier): readonly BalancerMember[] {
  if (publicSide === undefined) return [];
  return reachedByHelper(publicSide).filter(({ networkId }) => networkId === tier.id);
}

function hasBalancingHelper({ publicSide }: Vpc): boolean {
  return publicSide !== undefined && (publicSide.helperLeaves === true || proxiedOf(publicSide).length > 0);
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
