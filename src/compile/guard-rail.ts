// What no instance may send, whatever the offering and whatever its owner's lists say: it cannot take another's address,
// hand out addresses, announce itself as a router, or talk to the switches.
import { formatCidr, type Cidr } from '../lib/ip.ts';
import type { Nic } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow } from './filter.ts';

/** ACL priorities, highest first. OVN's own answers (DHCP) stand above all of them. */
export const PRIORITY = { guard: 32_000, open: 31_000, list: 30_000 } as const;

/**
 * Addresses the port may send from and receive for. Naming an IPv4 address forbids all others and, since no IPv6 address is
 * named, all of IPv6 (ovn-nb(5) Logical_Switch_Port.port_security). This is what stops router advertisements and neighbour
 * spoofing: an ACL cannot, OVN 23.03 lets both pass any list (measured). Prefixes are what the VPC routes to this instance: a
 * router or firewall appliance handles packets that are not its own. In a network without addresses any
 * IPv4 address will do, but none of IPv6: with the MAC alone, router advertisements would pass (measured).
 */
export function portSecurity(nic: Nic, routed: readonly Cidr[], addressed: boolean): readonly string[] {
  const own = addressed ? portAddresses(nic) : [nic.mac, ANY];
  return [[...own, ...routed.map(formatCidr)].join(' ')];
}

const ANY = '0.0.0.0/0';

/** Its MAC, and the addresses OVN answers ARP for in its stead. */
export function portAddresses(nic: Nic): readonly string[] {
  return [nic.mac, ...(nic.ip === undefined ? [] : [nic.ip]), ...nic.secondary];
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

/** The guard rails of a network, for its group of instance ports. */
export function guardRails(unit: string, networkId: string, group: string): readonly DesiredRow[] {
  return DROPPED.map(([key, match]) =>
    aclRow(unit, networkId, key, 'from-lport', PRIORITY.guard, `inport == @${group} && ${match}`, 'drop'),
  );
}
