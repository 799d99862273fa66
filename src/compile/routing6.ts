// Where a router sends IPv6: its connected networks, and its static routes sorted into those that work and those that OVN would take
// and silently drop. routing.ts says the same of IPv4, where there are Private networks besides.
import {
  FORBIDDEN6,
  byLength6,
  cidr6,
  contains6,
  covers6,
  formatCidr6,
  formatIp6,
  ip6,
  sameCidr6,
  type Cidr6,
  type Ip6,
} from '../lib/ip6.ts';
import type { Vpc } from '../model/intent.ts';
import type { Network6 } from '../model/ipv6.ts';
import type { Finding } from './desired.ts';

/** A network the router has a port on. */
export interface Connected6 {
  /** Id the router port is named by. */
  readonly id: string;
  readonly prefix: Cidr6;
  /** The router's own address on it. */
  readonly own: Ip6;
  /** Whether there is no IPv4 on it. */
  readonly alone: boolean;
  readonly mac: string;
  /** How a tenant would name it. */
  readonly label: string;
}

/** A static route that has a row. */
export interface Path6 {
  readonly id: string;
  readonly prefix: Cidr6;
  readonly nextHop: Ip6;
  readonly via: Connected6;
}

export interface Destination6 {
  readonly prefix: Cidr6;
  readonly via: readonly Connected6[];
}

export interface Routing6 {
  readonly connected: readonly Connected6[];
  readonly paths: readonly Path6[];
  /** Connected networks and paths together, the longest prefix first, as the router looks them up. */
  readonly table: readonly Destination6[];
  readonly findings: readonly Finding[];
}

/** What `connected6` takes of a tier or a guest network. */
interface Routed6 {
  readonly id: string;
  readonly name: string;
  readonly gateway?: string | undefined;
  readonly six: Network6;
}

/** A network of the router's; `mac` is its port's there, `kind` what tenants call it. */
export function connected6({ id, name, gateway, six }: Routed6, mac: string, kind: 'tier' | 'network'): Connected6 {
  const prefix = cidr6(six.cidr);
  const label = `${kind} ${name} (${formatCidr6(prefix)})`;
  return { id, prefix, own: ip6(six.gateway), alone: gateway === undefined, mac, label };
}

/** What a VPC's router does in IPv6; `connected` are its tiers that have it. */
export function routingOf6(vpc: Vpc, connected: readonly Connected6[]): Routing6 {
  const paths: Path6[] = [];
  const findings: Finding[] = [];
  const seen = new Map<string, string>();
  for (const { id, cidr, nextHop: hop } of vpc.routes6 ?? []) {
    const prefix = cidr6(cidr);
    const nextHop = ip6(hop);
    const via = connected.find((segment) => contains6(segment.prefix, nextHop));
    const key = `${formatCidr6(prefix)} ${formatIp6(nextHop)}`;
    const why = whyUnreachable(vpc, connected, prefix, nextHop, via) ?? whyTwice(seen.get(key));
    if (why !== undefined || via === undefined) {
      findings.push({
        kind: 'static-route',
        id,
        text: `Static route ${formatCidr6(prefix)} via ${formatIp6(nextHop)} carries no traffic: ${why}`,
      });
      continue;
    }
    seen.set(key, id);
    paths.push({ id, prefix, nextHop, via });
  }
  return { connected, paths, table: tableOf(connected, paths), findings };
}

function whyUnreachable(
  vpc: Vpc,
  connected: readonly Connected6[],
  prefix: Cidr6,
  nextHop: Ip6,
  via: Connected6 | undefined,
): string | undefined {
  const hop = formatIp6(nextHop);
  if (via === undefined) {
    return (
      `${hop} is on no network with IPv6 that VPC ${vpc.name} is connected to (${listOf(connected)}). ` +
      `Private networks have IPv4 only: choose the address of an instance in one of its tiers as next hop.`
    );
  }
  if (nextHop === via.own) {
    return (
      `${hop} is the VPC's own address on ${via.label}, so packets would be sent to the router they are at. ` +
      `Choose the address of another machine there.`
    );
  }
  if (nextHop === via.prefix.base)
    return `${hop} is the address of every router of ${via.label}, and no machine's own. Choose a machine's address there.`;
  const forbidden = FORBIDDEN6.find((range) => covers6(range, prefix));
  if (forbidden !== undefined) {
    return (
      `${formatCidr6(prefix)} lies in ${formatCidr6(forbidden)}, which is reserved (loopback, link local, multicast, IPv4 in disguise) ` +
      `and never routed. Choose a prefix outside of it.`
    );
  }
  const inside = connected.find((segment) => covers6(segment.prefix, prefix));
  if (inside === undefined) return undefined;
  if (sameCidr6(inside.prefix, prefix)) {
    return (
      `it is exactly ${inside.label}, which the VPC is connected to, and a connected network always wins. ` +
      `Delete the route; machines there are reached directly.`
    );
  }
  return (
    `it lies inside ${inside.label}, which the VPC is connected to, and would take addresses away from machines there. ` +
    `Choose a prefix outside of ${formatCidr6(inside.prefix)}.`
  );
}

function whyTwice(other: string | undefined): string | undefined {
  return other === undefined ? undefined : `route ${other} of the same VPC says the same. Delete one of the two.`;
}

function listOf(connected: readonly Connected6[]): string {
  if (connected.length === 0) return 'it has no tier with IPv6 yet';
  const shown = connected.slice(0, 6).map(({ label }) => label);
  const rest = connected.length - shown.length;
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${rest} more`;
}

function tableOf(connected: readonly Connected6[], paths: readonly Path6[]): readonly Destination6[] {
  const byPrefix = new Map<string, { prefix: Cidr6; via: Connected6[] }>();
  for (const segment of connected)
    byPrefix.set(formatCidr6(segment.prefix), { prefix: segment.prefix, via: [segment] });
  for (const { prefix, via } of paths) {
    const known = byPrefix.get(formatCidr6(prefix));
    if (known === undefined) byPrefix.set(formatCidr6(prefix), { prefix, via: [via] });
    else if (!known.via.includes(via)) known.via.push(via);
  }
  return [...byPrefix.values()].toSorted((a, b) => byLength6(a.prefix, b.prefix));
}
