// The packet filter of a network outside VPCs that OVN routes for: what its instances may send, and what may come in to addresses that are
// an instance's alone. Apart from the tiers', which have lists; what is forwarded is judged at the wire (public-filter.ts).
import { cidr, formatCidr } from '../lib/ip.ts';
import type { GuestNetwork } from '../model/intent.ts';
import type { PublicSide } from '../model/public-side.ts';
import { HELPER_PREFIX } from './helper-leg.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow, isFree, prioritized, when, type Direction, type Rule, type Rules } from './filter.ts';
import { PRIORITY } from './guard-rail.ts';
import { and, within } from './match.ts';
import { portGroupName } from './names.ts';
import { firewallRule, publicList, rulesOf } from './public-list.ts';
import { staticRules } from './static-filter.ts';
import { vpnPrefixes } from './vpn.ts';

const FREE: Rules = [{ id: 'rest', match: '', allow: true }];

/**
 * Rows for the network's port group; none where everything passes. Traffic inside is never filtered, DHCP is open, and connections to own
 * public addresses turn round at the router: they are nobody's from outside.
 */
export function guestFilter(unit: string, network: GuestNetwork): readonly DesiredRow[] {
  const { publicSide: side, cidr: range, id } = network;
  if (side === undefined || range === undefined) return [];
  const sends = egressRules(side);
  const receives = ingressRules(network, side);
  if (isFree(sends) && isFree(receives)) return [];
  const group = portGroupName(id);
  const prefix = formatCidr(cidr(range));
  // What is behind its VPNs is not outside, either: rules of egress are about the public side.
  const free = [prefix, '255.255.255.255', '224.0.0.0/4', ...vpnPrefixes(network.vpn).map(formatCidr)];
  const from = `inport == @${group}`;
  const to = `outport == @${group}`;
  const open = (key: string, direction: Direction, match: string): DesiredRow =>
    aclRow(unit, id, `open/${key}`, direction, PRIORITY.open, match, 'allow-related');
  const list = (direction: Direction, port: string, rules: Rules): readonly DesiredRow[] =>
    prioritized(rules, PRIORITY.list).map(({ id: key, match, allow, priority }) =>
      aclRow(
        unit,
        id,
        `${direction}/${key}`,
        direction,
        priority,
        and(port, 'ip4', match),
        allow ? 'allow-related' : 'drop',
      ),
    );
  return [
    open('dhcp', 'from-lport', `${from} && udp.src == 68 && udp.dst == 67`),
    open('inside', 'from-lport', `${from} && ip4.dst == {${free.join(', ')}}`),
    open('inside-in', 'to-lport', `${to} && ip4.src == ${prefix}`),
    ...list('from-lport', from, sends),
    ...list('to-lport', to, receives),
  ];
}

/** What rules say is the exception: refused where all is free, free where all is refused. */
function egressRules({ egress, egressDefault }: PublicSide): Rules {
  const free = egressDefault === 'allow';
  return rulesOf(
    egress.flatMap((rule) => firewallRule(rule, !free)),
    free,
  );
}

function ingressRules(network: GuestNetwork, side: PublicSide): Rules {
  if (side.mode === 'NATTED') {
    const inside = [
      ...side.addresses.map(({ ip }) => cidr(`${ip}/32`)),
      cidr(HELPER_PREFIX),
      ...vpnPrefixes(network.vpn),
      // The office behind a device of the network is no stranger.
      ...network.routes.map((route) => cidr(route.cidr)),
    ];
    return staticRules(side, network.nics, inside, FREE);
  }
  // Nothing is translated: the rules of the router's own address are the network's.
  const own = side.addresses[0];
  const list = own === undefined ? undefined : publicList(own, side.firewall);
  if (list === undefined) return FREE;
  const helper: readonly Rule[] = when(within('ip4.src', [cidr(HELPER_PREFIX)]), 'helper', FREE);
  return [...helper, ...rulesOf(list, false)];
}
