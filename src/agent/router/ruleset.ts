// The node's rules as one nftables table, from all its networks: who may speak with whom, and under which address. Replaced as a
// whole, in one transaction, so that no packet ever sees half of it. Pure.
import type { PublicAddressSpec, RouterSpec } from '../../protocol/document.ts';
import {
  hex,
  insideDevice,
  isPair,
  MARK_LOCAL,
  MARK_MASK,
  MARK_OURS,
  markOf,
  outsideDevices,
  spoken,
  type RouterContext,
} from './names.ts';
import { among, ASKED_PORT, chain, disjoint, named, quoted, restricts, ruleMatch, range } from './nft.ts';
import { arrival6, FORWARD6, INPUT6, tables6 } from './ruleset6.ts';
import { withSix } from './six.ts';
import { behind, mayLeave, translate } from './translation.ts';

export const TABLE = 'trunkline_router';

/** The table's text, without what replaces the old one. `closing`: our devices that are about to go. */
export function ruleset(specs: readonly RouterSpec[], closing: readonly string[], context: RouterContext): string {
  const inside = specs.map((spec) => quoted(insideDevice(spec.vlan, context)));
  const outside = [...new Set([context.outside, ...specs.flatMap((spec) => outsideDevices(spec, context))])].map(
    quoted,
  );
  const natted = specs.filter((spec) => spec.mode === 'NATTED');
  const routed = specs.filter((spec) => spec.mode === 'ROUTED');
  const open = routed.filter((spec) => !spec.firewall);
  const six = withSix(specs);
  const nat = translate(specs, context.ipvs);
  const addresses = specs.flatMap((spec) => spec.publicAddresses.map((address) => ({ spec, address })));
  const device = (spec: RouterSpec): string => quoted(insideDevice(spec.vlan, context));
  /** Answers to what is behind members, of whose requests nothing was seen; none where nothing is behind any. */
  const toBehind = ({ vlan, routes }: RouterSpec): string[] =>
    routes.length === 0
      ? []
      : [
          `iifname ${quoted(insideDevice(vlan, context))} ct state invalid ${among(
            'ip daddr',
            routes.map((route) => route.cidr),
          )}`,
        ];
  const own = specs.flatMap((spec) => [spec.ip, spec.gateway].map((address) => `${device(spec)} . ${address}`));

  return [
    `table inet ${TABLE} {`,
    ...named('set', 'tl_inside', 'ifname', inside),
    ...named('set', 'tl_outside', 'ifname', outside),
    ...named('set', 'tl_closing', 'ifname', closing.map(quoted)),
    ...named('set', 'tl_private', 'ipv4_addr', disjoint(natted.map((spec) => spec.cidr)), true),
    ...named('set', 'tl_may_leave', 'mark . ipv4_addr', specs.flatMap(mayLeave), true),
    ...named(
      'set',
      'tl_public',
      'ipv4_addr',
      addresses.map(({ address }) => address.ip),
    ),
    ...named('set', 'tl_own', 'ifname . ipv4_addr', own),
    ...named(
      'set',
      'tl_peers',
      'ifname . ipv4_addr',
      specs.flatMap((spec) => spec.peers.map((peer) => `${device(spec)} . ${peer}`)),
    ),
    ...named('set', 'tl_dhcp', 'ifname', specs.filter((spec) => spec.dhcp !== undefined).map(device)),
    ...named('set', 'tl_dns', 'ifname', specs.filter((spec) => spec.dns !== undefined).map(device)),
    ...named('set', 'tl_open', 'ifname', open.map(device)),
    ...named('set', 'tl_routed', 'ifname', routed.map(device)),
    ...named('set', 'tl_served', 'ipv4_addr . inet_proto . inet_service', nat.served),
    ...named('map', 'tl_static_in', 'ipv4_addr : ipv4_addr', nat.staticIn),
    ...named('map', 'tl_static_out', 'mark . ipv4_addr : ipv4_addr', nat.staticOut),
    ...named('map', 'tl_forwards', 'ipv4_addr . inet_proto . inet_service : ipv4_addr', nat.forwards, true),
    ...named('map', 'tl_shifted', 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service', nat.shifted),
    ...named('map', 'tl_sources', 'mark . ipv4_addr : ipv4_addr', nat.sources, true),
    ...specs.flatMap((spec) => egress(spec)),
    ...addresses.flatMap(({ spec, address }) => ingress(spec, address)),
    ...named(
      'map',
      'tl_to',
      'ipv4_addr : verdict',
      addresses.map(({ address }) => `${address.ip} : goto ${ingressName(address)}`),
    ),
    ...named(
      'map',
      'tl_from',
      'ifname : verdict',
      specs.map((spec) => `${device(spec)} : jump tl_egress_${spec.vlan}`),
    ),
    ...(six.length === 0 ? [] : tables6(six, context)),
    ...chain('tl_arrive', 'type filter hook prerouting priority mangle; policy accept;', [
      'iifname @tl_closing drop',
      // What a strict rp_filter would do, and knowing what lies behind members.
      ...specs.map((spec) => `iifname ${device(spec)} ${among('ip saddr', [...behind(spec), '0.0.0.0/32'], true)}drop`),
      ...arrival6(six, context),
      'iifname @tl_outside ip saddr @tl_private drop',
      // The network that asked decides which table routes the packets, both ways.
      ...specs.map(
        (spec) =>
          `iifname ${device(spec)} ct direction original meta mark set ${hex(markOf(spec.vlan))} ct mark set meta mark`,
      ),
      `ct direction reply ct mark & ${hex(MARK_MASK)} == ${hex(MARK_OURS)} meta mark set ct mark`,
      // What comes from behind a member goes to its instance at once, and only the instance's answer comes by here: it belongs to
      // nothing that was seen.
      ...specs.flatMap((spec) => toBehind(spec).map((match) => `${match}meta mark set ${hex(markOf(spec.vlan))}`)),
    ]),
    ...chain('tl_dnat', 'type nat hook prerouting priority dstnat; policy accept;', [
      'iifname != @tl_inside iifname != @tl_outside accept',
      'dnat ip to ip daddr . meta l4proto . th dport map @tl_shifted',
      'dnat ip to ip daddr . meta l4proto . th dport map @tl_forwards',
      ...nat.balanced,
      'dnat ip to ip daddr map @tl_static_in',
    ]),
    ...chain('tl_translated', 'type filter hook prerouting priority dstnat + 10; policy accept;', [
      `ct direction original ct status dnat meta mark set ${hex(MARK_LOCAL)}`,
    ]),
    ...chain('tl_forward', 'type filter hook forward priority filter; policy accept;', [
      'iifname @tl_closing drop',
      'oifname @tl_closing drop',
      // The node forwards since it routes: that is no way from outside to where the hypervisors and the server are.
      ...underlay(context).map((one) => `iifname @tl_outside oifname ${quoted(one)} ct state new drop`),
      'iifname != @tl_inside oifname != @tl_inside accept',
      `meta nfproto ipv6 ${six.length === 0 ? 'drop' : `goto ${FORWARD6}`}`,
      'ct state established,related accept',
      ...specs.flatMap((spec) => toBehind(spec).map((match) => `${match}oifname ${device(spec)} accept`)),
      'ct state invalid drop',
      ...specs.map((spec) => `iifname ${device(spec)} oifname ${device(spec)} ct status & dnat == 0 accept`),
      'iifname vmap @tl_from',
      'ct status dnat ct original ip daddr vmap @tl_to',
      'oifname @tl_open accept',
      'iifname @tl_inside oifname @tl_outside ct mark . ip saddr @tl_may_leave accept',
      'drop',
    ]),
    ...chain('tl_snat', 'type nat hook postrouting priority srcnat; policy accept;', [
      // Out, or to another network by its public address: under the own public address. Else answers would not come by here.
      'oifname @tl_outside jump tl_speak_as',
      'oifname @tl_routed jump tl_speak_as',
      'ct status dnat oifname @tl_inside jump tl_speak_as',
      ...specs.map(
        (spec) =>
          `ct status dnat oifname ${device(spec)} ${among('ip saddr', behind(spec))}snat ip to ${isPair(spec) ? spec.gateway : spec.ip}`,
      ),
    ]),
    ...chain('tl_speak_as', undefined, [
      // By the network that asked, too: another one may have the same addresses behind a member.
      'snat ip to ct mark . ip saddr map @tl_static_out',
      'snat ip to ct mark . ip saddr map @tl_sources',
    ]),
    ...chain('tl_input', 'type filter hook input priority filter; policy accept;', [
      'iifname @tl_closing drop',
      'iifname != @tl_inside iifname != @tl_outside accept',
      ...(six.length === 0 ? ['iifname @tl_outside meta nfproto ipv6 accept'] : [`meta nfproto ipv6 goto ${INPUT6}`]),
      'iifname @tl_outside ip daddr != @tl_public accept',
      'ct state established,related accept',
      'ct state invalid drop',
      // A firewall rule opens what is behind the address, never the node's own services on it.
      'ip daddr @tl_public meta l4proto icmp ip daddr vmap @tl_to',
      'ip daddr . meta l4proto . th dport @tl_served ip daddr vmap @tl_to',
      'ip daddr @tl_public drop',
      'iifname . ip saddr @tl_peers ip protocol vrrp ip ttl 255 accept',
      'iifname @tl_dhcp udp dport 67 accept',
      'iifname . ip daddr @tl_own icmp type echo-request accept',
      'iifname @tl_dns iifname . ip daddr @tl_own meta l4proto { tcp, udp } th dport 53 accept',
      'drop',
    ]),
    ...chain('tl_answer', 'type route hook output priority mangle; policy accept;', [
      `ct direction reply ct mark & ${hex(MARK_MASK)} == ${hex(MARK_OURS)} meta mark set ct mark`,
    ]),
    '}',
    '',
  ].join('\n');
}

/** The device of the node's own traffic, where it is not the one that leads outside. */
function underlay({ underlay: { device }, outside }: RouterContext): string[] {
  return device === outside ? [] : [device];
}

/** What instances may ask for outside: a list of exceptions from the network's rule. */
function egress(spec: RouterSpec): string[] {
  const deny = spec.egressDefault === 'deny';
  const rules = spec.egress.map(
    (rule) => `${ruleMatch(rule)}${deny ? 'return' : 'reject with icmpx type admin-prohibited'}`,
  );
  return chain(`tl_egress_${spec.vlan}`, undefined, [
    `# ${spoken(spec.name)}`,
    ...rules,
    ...(deny ? ['reject with icmpx type admin-prohibited'] : []),
  ]);
}

function ingressName(address: PublicAddressSpec): string {
  return `tl_to_${address.ip.replaceAll('.', '_')}`;
}

/** Who may ask what of a public address. Ports are those that were asked for, before translation. */
function ingress(spec: RouterSpec, address: PublicAddressSpec): string[] {
  const { forwards, balancers } = address;
  const limits = [
    ...forwards.map(({ protocol, publicPort, publicEndPort, cidrs }) => ({
      protocol,
      ports: range(publicPort, publicEndPort),
      cidrs,
    })),
    ...balancers.map(({ protocol, publicPort, cidrs }) => ({ protocol, ports: String(publicPort), cidrs })),
  ].filter(({ cidrs }) => restricts(cidrs));
  return chain(ingressName(address), undefined, [
    `# ${spoken(spec.name)}`,
    ...limits.map(
      ({ protocol, ports, cidrs }) =>
        `meta l4proto ${protocol} ${ASKED_PORT} ${ports} ${among('ip saddr', cidrs, true)}drop`,
    ),
    ...(spec.firewall ? [...address.ingress.map((rule) => `${ruleMatch(rule)}accept`), 'drop'] : ['accept']),
  ]);
}
