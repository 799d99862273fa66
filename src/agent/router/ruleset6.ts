// The rules of networks with IPv6: chains that those of ruleset.ts hand every IPv6 packet to. Apart because nothing is translated here, so
// what is asked for is what arrives, and a prefix alone says whose a packet is. Pure.
import { cidr6, covers6, formatCidr6 } from '../../lib/ip6.ts';
import type { FirewallRuleSpec } from '../../protocol/document.ts';
import { insideDevice, outsideDevice, spoken, type RouterContext } from './names.ts';
import { chain, named, quoted, range } from './nft.ts';
import type { Spec6 } from './six.ts';

/** Names of the chains that judge a packet on its way, and one for the node itself. */
export const FORWARD6 = 'tl_forward6';
export const INPUT6 = 'tl_input6';

const REJECT = 'reject with icmpx type admin-prohibited';

/** For the chain where packets arrive: from a network comes only what is of it. */
export function arrival6(specs: readonly Spec6[], context: RouterContext): string[] {
  return specs.map(
    ({ vlan, six }) =>
      `iifname ${quoted(insideDevice(vlan, context))} ip6 saddr != { ${prefixOf(six.cidr)}, fe80::/10, ::/128 } drop`,
  );
}

export function tables6(specs: readonly Spec6[], context: RouterContext): string[] {
  const device = ({ vlan }: Spec6): string => quoted(insideDevice(vlan, context));
  const uplinks = specs.flatMap(({ six }) => (six.uplink === undefined ? [] : [six.uplink]));
  return [
    ...named(
      'set',
      'tl_uplink6',
      'ipv6_addr',
      uplinks.map(({ address }) => address),
    ),
    ...named('set', 'tl_routers6', 'ipv6_addr', [
      ...specs.flatMap(({ six }) => [six.gateway, six.link]),
      ...uplinks.map(({ address }) => address),
    ]),
    ...named(
      'set',
      'tl_own6',
      'ifname . ipv6_addr',
      specs.flatMap((spec) => [spec.six.gateway, spec.six.link].map((address) => `${device(spec)} . ${address}`)),
    ),
    ...named(
      'set',
      'tl_leave6',
      'ifname . ifname',
      specs.flatMap((spec) =>
        spec.six.uplink === undefined
          ? []
          : [`${device(spec)} . ${quoted(outsideDevice(spec.six.uplink.vlan, context))}`],
      ),
    ),
    ...specs.flatMap((spec) => [...leaving(spec), ...entering(spec)]),
    ...named(
      'map',
      'tl_from6',
      'ifname : verdict',
      specs.map((spec) => `${device(spec)} : jump tl_egress6_${spec.vlan}`),
    ),
    ...named(
      'map',
      'tl_to6',
      'ifname : verdict',
      specs.map((spec) => `${device(spec)} : goto tl_to6_${spec.vlan}`),
    ),
    ...chain(FORWARD6, undefined, [
      'ct state established,related accept',
      'ct state invalid drop',
      ...specs.map((spec) => `iifname ${device(spec)} oifname ${device(spec)} accept`),
      'iifname vmap @tl_from6',
      'oifname vmap @tl_to6',
      'iifname . oifname @tl_leave6 accept',
      'drop',
    ]),
    ...chain(INPUT6, undefined, [
      // What a link cannot do without; conntrack has no opinion of it.
      'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
      'iifname @tl_inside icmpv6 type nd-router-solicit accept',
      'ct state established,related accept',
      'ct state invalid drop',
      'iifname . ip6 daddr @tl_own6 icmpv6 type echo-request accept',
      'iifname @tl_outside ip6 daddr @tl_uplink6 icmpv6 type echo-request accept',
      // The router's addresses are no place for the node's own services.
      'ip6 daddr @tl_routers6 drop',
      'iifname @tl_outside accept',
      'drop',
    ]),
  ];
}

/** What instances may ask for outside, and in other networks. */
function leaving({ vlan, name, six }: Spec6): string[] {
  const deny = six.egressDefault === 'deny';
  return chain(`tl_egress6_${vlan}`, undefined, [
    `# ${spoken(name)}`,
    ...six.egress.map((rule) => `${ruleMatch6(rule)}${deny ? 'return' : REJECT}`),
    ...(deny ? [REJECT] : []),
  ]);
}

/** What may come in. Nobody comes from elsewhere with an address of the network. */
function entering({ vlan, name, six }: Spec6): string[] {
  return chain(`tl_to6_${vlan}`, undefined, [
    `# ${spoken(name)}`,
    `ip6 saddr ${prefixOf(six.cidr)} drop`,
    ...six.ingress.map((rule) => `${ruleMatch6(rule)}accept`),
    'drop',
  ]);
}

/** A rule's match, a blank at its end. */
function ruleMatch6(rule: FirewallRuleSpec): string {
  const where = among6('ip6 saddr', rule.cidrs) + among6('ip6 daddr', rule.destinationCidrs);
  if (rule.protocol === 'all') return where;
  const { icmpType = -1, icmpCode = -1, startPort } = rule;
  if (rule.protocol === 'icmp') {
    const type = icmpType < 0 ? '' : `icmpv6 type ${icmpType} ${icmpCode < 0 ? '' : `icmpv6 code ${icmpCode} `}`;
    return `meta l4proto ipv6-icmp ${type}${where}`;
  }
  const ports = startPort === undefined ? '' : `th dport ${range(startPort, rule.endPort ?? startPort)} `;
  return `meta l4proto ${rule.protocol} ${ports}${where}`;
}

/** `ip6 saddr { … } `; nothing where everybody is meant. nft refuses overlapping intervals, so none of them lies in another. */
function among6(field: string, prefixes: readonly string[]): string {
  const all = prefixes.map(cidr6);
  if (all.length === 0 || all.some(({ length }) => length === 0)) return '';
  const widest = all.toSorted((a, b) => a.length - b.length);
  const apart = widest.filter((one, index) => !widest.slice(0, index).some((other) => covers6(other, one)));
  return `${field} { ${apart.map(formatCidr6).join(', ')} } `;
}

function prefixOf(text: string): string {
  return formatCidr6(cidr6(text));
}
