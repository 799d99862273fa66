// What no instance may send, whatever the offering and whatever its owner's lists say: it cannot take another's address,
// hand out addresses, announce itself as a router, or talk to the switches.
import type { Nic } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow } from './filter.ts';

/** ACL priorities, highest first. OVN's own answers (DHCP) stand above all of them. */
export const PRIORITY = { guard: 32_000, open: 31_000, list: 30_000 } as const;

/**
 * Addresses the port may send from and receive for. Naming an IPv4 address forbids all others and, since no IPv6 address is
 * named, all of IPv6 (ovn-nb(5) Logical_Switch_Port.port_security). This is what stops router advertisements and neighbour
 * spoofing: an ACL cannot, OVN 23.03 lets both pass any list, whatever its stage (measured). Naming an IPv6 address lets that one, the
 * link-local one that follows from the MAC, and neighbour discovery about the two pass; and router advertisements, from there (measured),
 * which is why the node makes those void that are not of the network's router (agent/guard). Prefixes are what the VPC routes to this instance: a
 * router or firewall appliance handles packets that are not its own. In a network without addresses any
 * IPv4 address will do, but none of IPv6: with the MAC alone, router advertisements would pass (measured).
 */
export function portSecurity(nic: Nic, routed: readonly string[], addressed: boolean): readonly string[] {
  const own = addressed ? portAddresses(nic) : [nic.mac, ANY];
  return [[...own, ...routed].join(' ')];
}

const ANY = '0.0.0.0/0';

/** Its MAC, and the addresses OVN answers ARP and neighbour solicitations for in its stead. */
export function portAddresses(nic: Nic): readonly string[] {
  const { mac, ip, secondary, ip6 } = nic;
  return [mac, ...(ip === undefined ? [] : [ip]), ...secondary, ...(ip6 === undefined ? [] : [ip6])];
}

/**
 * Drops that port security does not cover. A DHCP server is known by the port it answers to, not the one it answers from,
 * since a client looks at nothing else (RFC 2131). 01:80:c2:00:00:00 to :0f is what bridges keep for themselves: spanning
 * tree, LACP, LLDP (IEEE 802.1Q, table 8-1).
 */
const DROPPED: readonly (readonly [key: string, match: string])[] = [
  ['guard/dhcp-server', 'udp.dst == 68'],
  ['guard/bridge', 'eth.dst == 01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0'],
];

/** The same where there is IPv6 (RFC 8415: clients listen on 546). */
const DROPPED6: typeof DROPPED = [['guard/dhcp6-server', 'udp.dst == 546']];

/** The guard rails of a network, for its group of instance ports. */
export function guardRails(unit: string, networkId: string, group: string, six: boolean): readonly DesiredRow[] {
  return [...DROPPED, ...(six ? DROPPED6 : [])].map(([key, match]) =>
    aclRow(unit, networkId, key, 'from-lport', PRIORITY.guard, `inport == @${group} && ${match}`, 'drop'),
  );
}
