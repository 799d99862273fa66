// What the list of a private gateway means, in one place. Cosmic's meaning, which surprises, is kept because clients count on it:
//
// - From the VPC to the Private network everything is free, and its replies come back, whatever the list says.
// - From the Private network to a tier, the list's *Egress* items decide (cidrs: destinations in the VPC). None: all pass.
//   At least one: what no item allows is refused. So default_deny refuses, default_allow allows, and a list of Ingress items
//   only lets everything pass. What passes is then judged by the tier's own Ingress items.
// - From one Private network through the VPC to another (transit), the first one's Egress and the second one's Ingress items
//   decide.
//
// The strict alternative (Vpc.strictLists) says what it means: the list's Ingress items judge what comes in from the Private network, for
// tiers, too (cidrs: sources), its Egress items what leaves to it (cidrs: destinations), from tiers, too. Transit: what comes in by
// the first list and leaves by the second.
//
// OVN's filters at router ports know no connections, so the first two are enforced at the tier's instances, by the source:
// it belongs to the gateway that an answer would leave through. A source no route leads to is refused as soon as one gateway
// restricts anything; nobody could answer it. Transit touches no instance and is judged packet by packet, answers too.
import { formatCidr, type Cidr } from '../lib/ip.ts';
import type { AclList, PrivateGateway, Vpc } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import {
  allowsNothing,
  both,
  closed,
  egressRules,
  ingressRules,
  isFree,
  prioritized,
  when,
  type Rules,
} from './filter.ts';
import { and, within } from './match.ts';
import { routerPortName } from './names.ts';
import type { Destination, Routing } from './routing.ts';
import { policy } from './source-check.ts';

/** Logical_Router_Policy priority of the first transit rule: below the source check. */
const TRANSIT = 19_000;

/**
 * The tier's Ingress rules, with those of the gateways before them where a packet comes through one. Sources are gone through
 * the longest prefix first, as the router looks them up; each has the last word on what it covers.
 */
export function behindGateways(vpc: Vpc, routing: Routing, ingress: Rules): Rules {
  return perGateway(restrictingOf(vpc.gateways, comingIn(vpc)), 'ip4.src', routing, ingress);
}

/** The tier's Egress rules, with those of the gateways a packet would leave by: strict lists only, others let it go. */
export function aheadOfGateways(vpc: Vpc, routing: Routing, egress: Rules): Rules {
  if (vpc.strictLists !== true) return egress;
  return perGateway(restrictingOf(vpc.gateways, egressRules), 'ip4.dst', routing, egress);
}

/** What a list says of packets that come in from the Private network. */
function comingIn({ strictLists }: Vpc): (list: AclList) => Rules {
  return strictLists === true ? ingressRules : egressRules;
}

function perGateway(
  restricting: ReadonlyMap<string, Rules>,
  field: 'ip4.src' | 'ip4.dst',
  routing: Routing,
  rules: Rules,
): Rules {
  if (restricting.size === 0 || allowsNothing(rules)) return rules;
  const keyOf = ({ via }: Destination): string =>
    via
      .map(({ id }) => id)
      .filter((id) => restricting.has(id))
      .toSorted()
      .join('+');
  const entries = routing.table
    .map((entry) => ({ prefix: entry.prefix, key: keyOf(entry) }))
    .toSorted((a, b) => b.prefix.length - a.prefix.length || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const blocks = runsOf(entries).flatMap(({ key, prefixes }) => {
    const lists = key === '' ? [] : key.split('+').map((id) => restricting.get(id)!);
    return when(within(field, prefixes), formatCidr(prefixes[0]!), [...lists, rules].reduce(both));
  });
  return closed(blocks, false);
}

/** Router policies for what passes through the VPC from one Private network to another, or back into the same one. */
export function transitPolicies(unit: string, vpc: Vpc): readonly DesiredRow[] {
  return vpc.gateways.flatMap((from) =>
    vpc.gateways.flatMap((to) => {
      const leaving = vpc.strictLists === true ? egressRules : ingressRules;
      const rules = both(comingIn(vpc)(from.acl), leaving(to.acl));
      if (isFree(rules)) return [];
      const ports = `inport == "${routerPortName(from.id)}" && outport == "${routerPortName(to.id)}"`;
      return prioritized(rules, TRANSIT).map(({ id, match, allow, priority }) =>
        policy(unit, from.id, `transit/${to.id}/${id}`, priority, and(ports, match), allow ? 'allow' : 'drop'),
      );
    }),
  );
}

function restrictingOf(
  gateways: readonly PrivateGateway[],
  rulesOf: (list: AclList) => Rules,
): ReadonlyMap<string, Rules> {
  const lists = gateways.map((gateway) => [gateway.id, rulesOf(gateway.acl)] as const);
  return new Map(lists.filter(([, rules]) => !isFree(rules)));
}

function runsOf(
  entries: readonly { prefix: Cidr; key: string }[],
): readonly { key: string; prefixes: readonly Cidr[] }[] {
  const runs: { key: string; prefixes: Cidr[] }[] = [];
  for (const { prefix, key } of entries) {
    const current = runs.at(-1);
    if (current?.key === key) current.prefixes.push(prefix);
    else runs.push({ key, prefixes: [prefix] });
  }
  return runs;
}
