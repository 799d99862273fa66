// IPv6 as the intent has it: always routed, never translated, and addresses are the machines' own doing (SLAAC). Apart from intent.ts
// because a network has it or not, whatever else it is.
import { macOf } from '../lib/id.ts';
import { SLAAC_LENGTH, cidr6, covers6, formatCidr6, formatIp6, linkLocalAddress, slaacAddress } from '../lib/ip6.ts';
import type { FirewallRule } from './public-side.ts';

/** Which families the networks of an offering have. */
export const INTERNET_PROTOCOLS = ['ipv4', 'dualstack', 'ipv6'] as const;
export type InternetProtocol = (typeof INTERNET_PROTOCOLS)[number];

/** A network's prefix, a /64, and its router's address there. */
export interface Network6 {
  readonly cidr: string;
  readonly gateway: string;
}

/** What may pass between a network outside a VPC and everybody else; inside, everything may. */
export interface Firewall6 {
  /** What may come in; nothing else may. */
  readonly ingress: readonly FirewallRule[];
  readonly egressDefault: 'allow' | 'deny';
  /** What may go out, where the default denies; what may not, where it allows. */
  readonly egress: readonly FirewallRule[];
}

/** A router's place outside: it has no public prefix of its own there, so whoever is upstream must send the networks' prefixes to `address`. */
export interface Uplink6 {
  /** Id of the public range whose wire it is. */
  readonly range: string;
  /** Name of the physical network the wire is on. */
  readonly physicalNetwork: string;
  /** Absent: untagged on the outside interface. */
  readonly vlan?: number;
  readonly cidr: string;
  readonly gateway: string;
  readonly address: string;
}

/** A card's address, and whom its network's router advertisements come from: nobody else's may reach it. */
export interface Nic6 {
  readonly address: string;
  /** MAC address of the router. */
  readonly router: string;
  /** Its link-local address, where the router is a machine and may be one of two: this goes from one to the other, a MAC does not. */
  readonly routerAddress?: string;
}

/**
 * The /64 of a public wire in which routers have their addresses: its gateway's. A wire's prefix may be shorter: then all of it is on the
 * wire as far as upstream knows, and it asks there for every address.
 */
export function routersPrefix(wireGateway: string): string {
  return formatCidr6(cidr6(`${wireGateway}/${SLAAC_LENGTH}`));
}

/** Whether upstream takes a network's prefix for a part of the wire: it asks for each address then, and is told no route. */
export function isOnWire(wireCidr: string, networkCidr: string): boolean {
  return covers6(cidr6(wireCidr), cidr6(networkCidr));
}

/**
 * The address of a router on a public wire. It follows from the router's id (a VPC's, a network's), so that the upstream's routes
 * stay right whatever happens to the router, and that whoever shows them need not ask the compiler.
 */
export function uplinkAddress(wireGateway: string, routerId: string): string {
  return formatIp6(slaacAddress(cidr6(routersPrefix(wireGateway)), macOf(`uplink6/${routerId}`)));
}

/** The address an instance's card gives itself in a network. */
export function cardAddress(networkCidr: string, mac: string): string {
  return formatIp6(slaacAddress(cidr6(networkCidr), mac));
}

/**
 * The MAC address of a router's port. It follows from the segment and the address, not from the port: when an address passes
 * from one VPC's gateway to another's, neighbours that remember the old one (an OVN MAC_Binding never ages) stay right.
 */
export function routerPortMac(networkId: string, address: string): string {
  return macOf(`${networkId}/${address}`);
}

/**
 * The link-local address of a network's router on the wire, whichever router node it is just now: instances keep it as their way out,
 * and it is what they know a router by.
 */
export function routerLinkAddress(networkId: string, gateway: string): string {
  return formatIp6(linkLocalAddress(routerPortMac(networkId, gateway)));
}

/** What of a public range decides whether a router's IPv6 leaves by its wire. */
interface RangeChoice {
  readonly id: string;
  readonly network: string | null;
  readonly account: string | null;
  readonly domain: string | null;
  readonly ip6cidr: string | null;
  readonly ip6gateway: string | null;
}

/**
 * The range by whose wire the IPv6 of an account's router leaves: that of its source NAT address (`preferred`) if it has IPv6, else the
 * first by id of those dedicated to the account, else of those that are everybody's.
 */
export function uplinkRange<R extends RangeChoice>(
  ranges: readonly R[],
  account: string,
  preferred: string | undefined,
): R | undefined {
  const rank = (range: R): number => {
    if (range.id === preferred) return 0;
    if (range.network !== null) return -1;
    if (range.account !== null) return range.account === account ? 1 : -1;
    return range.domain === null ? 2 : -1;
  };
  return ranges
    .filter((range) => range.ip6cidr !== null && range.ip6gateway !== null && rank(range) >= 0)
    .toSorted((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1))[0];
}
