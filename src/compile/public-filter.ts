// The packet filter of a router's port on a public wire. Rule: stateless, and only where a packet asks for something: conntrack is
// skipped there (OVN 23.03), and what is not asked for a served port is the answer to a translated connection. Every match names the
// router's port and one of its addresses: others' packets on the same switch are never touched. Addresses that are an
// instance's alone are judged at the instance, with its connections (tier-filter.ts, guest-filter.ts).
import { cidr, parseCidr, type Cidr } from '../lib/ip.ts';
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import { prioritized, type Rule } from './filter.ts';
import { PRIORITY } from './guard-rail.ts';
import { HELPER_PREFIX } from './helper-leg.ts';
import { and, within } from './match.ts';
import { portRules } from './served-filter.ts';
import { publicSideName, row, rowId } from './names.ts';
import { publicList, senders, type PublicRule } from './public-list.ts';
import type { PublicLeg, PublicOwner } from './public-leg.ts';
import { translates } from './public-nat.ts';
import { servedBy, type Served } from './served-port.ts';
import { vpnPrefixes, withVpnPorts } from './vpn.ts';

/** Rows for the public switch; `legs` are all of the router's. */
export function publicFilter(
  unit: string,
  owner: PublicOwner,
  leg: PublicLeg,
  legs: readonly PublicLeg[],
): readonly DesiredRow[] {
  const side = withVpnPorts(owner)!;
  const port = publicSideName(leg.id, leg.wire.id);
  const to = `outport == "${port}"`;
  const make = (id: string, key: string, priority: number, match: string, action: string, direction = 'to-lport') =>
    row('ACL', rowId('ACL', `${leg.id}/${key}`), { id, unit }, { direction, priority, match, action });
  const rows = leg.addresses
    .filter(({ staticNat }) => staticNat === undefined)
    .flatMap((address) =>
      prioritized(rulesFor(leg, address, side.firewall), PRIORITY.list).map(({ id, match, allow, priority }) =>
        make(
          address.id,
          `${address.id}/${id}`,
          priority,
          and(to, `ip4.dst == ${address.ip}`, match),
          allow ? 'allow-stateless' : 'drop',
        ),
      ),
    );
  // Of all wires: what the router itself answers leaves by its default route.
  const own = side.addresses.map(({ ip }) => parseCidr(`${ip}/32`)!);
  // What another leg has on the same wire is that one's to answer for. OVN 23.03 would answer here, too, at every chassis of the group.
  const besides = legs
    .filter((other) => other !== leg && other.wire.segmentId === leg.wire.segmentId)
    .flatMap(({ addresses }) => addresses);
  const from = `inport == "${port}"`;
  const guard = (key: string, priority: number, match: string, action: string, direction: string): DesiredRow =>
    make(owner.id, `guard/${key}`, priority, match, action, direction);
  return [
    // Nobody out there has our addresses, or the helper's: the filters inside trust them.
    guard('own', PRIORITY.guard, and(to, within('ip4.src', [...own, cidr(HELPER_PREFIX)])), 'drop', 'to-lport'),
    // Whoever knows what is behind the addresses does not get there past them.
    guard('inside', PRIORITY.guard, and(to, within('ip4.dst', behind(owner, side))), 'drop', 'to-lport'),
    // Nothing leaves untranslated: conntrack lets a packet go on when no translation is left for it (measured, OVS 3.1).
    guard(
      'sent',
      PRIORITY.guard,
      and(from, within('ip4.src', [...own, ...routedIn(owner, side)])),
      'allow-stateless',
      'from-lport',
    ),
    guard('sent/rest', PRIORITY.open, and(from, 'ip4'), 'drop', 'from-lport'),
    ...besides.map((address) =>
      guard(
        `asked/${address.id}`,
        PRIORITY.guard,
        and(to, `arp.op == 1 && arp.tpa == ${address.ip}`),
        'drop',
        'to-lport',
      ),
    ),
    ...rows,
  ];
}

/** What nobody outside speaks to: the helper, what is behind its tunnels, and what is translated. */
function behind(owner: PublicOwner, { mode }: PublicSide): readonly Cidr[] {
  const networks = mode === 'NATTED' ? ('tiers' in owner ? owner.tiers : [owner]) : [];
  const own = [HELPER_PREFIX, ...networks.map((network) => network.cidr)].flatMap((text) =>
    text === undefined ? [] : cidr(text),
  );
  return [...own, ...vpnPrefixes(owner.vpn)];
}

/** Addresses that leave as they are. */
function routedIn(owner: PublicOwner, { mode }: PublicSide): readonly Cidr[] {
  if (mode === 'NATTED' || 'tiers' in owner || owner.cidr === undefined) return [];
  return [cidr(owner.cidr)];
}

function rulesFor(leg: PublicLeg, address: PublicAddress, firewall: boolean): readonly Rule[] {
  const list = publicList(address, firewall);
  const ports = servedBy(address).flatMap((served) => portRules(served, list));
  const echo = list === undefined || address.ip !== leg.own ? [] : echoRules(list);
  return [...ports, ...closedPorts(servedBy(address), translates(leg, address)), ...echo];
}

/**
 * All other ports of an address that leads inside: a forward that went away ends what was open by it, too. Conntrack forgets it
 * (port-forward.ts), but where the port is the same inside, the instance's next packet begins it anew as a connection to the world, from
 * that very port. Where networks speak to the world by the address, any port may be waiting for answers, but hardly a low one for
 * those of a high one: that is how clients ask servers. Of TCP no flag tells more, of UDP nothing does.
 */
function closedPorts(served: readonly Served[], translated: boolean): readonly Rule[] {
  const protocols = new Set(served.map(({ protocol }) => protocol));
  if (translated) {
    const last = protocols.has('tcp') ? 32_767 : 1023;
    return [{ id: 'closed/asks', match: `tcp.src >= 32768 && tcp.dst <= ${last}`, allow: false }];
  }
  if (protocols.size === 0) return [];
  return (['tcp', 'udp'] as const).map((protocol): Rule => ({
    id: `closed/${protocol}`,
    match: protocol,
    allow: false,
  }));
}

const ECHO = 'icmp4.type == 8';

/** Questions to the router's own address; whatever else of ICMP comes belongs to connections. */
function echoRules(list: readonly PublicRule[]): readonly Rule[] {
  const rules = list
    .filter(
      ({ protocol, icmpType = -1 }) => protocol === 'all' || (protocol === 'icmp' && (icmpType < 0 || icmpType === 8)),
    )
    .map((line): Rule => ({ id: `echo/${line.id}`, match: and(senders(line), ECHO), allow: line.allow }));
  return [...rules, { id: 'echo/rest', match: ECHO, allow: false }];
}
