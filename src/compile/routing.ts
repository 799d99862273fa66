// Where a VPC's router sends what: its connected segments, and its static routes sorted into those that work and those that
// OVN would take and silently drop (northd: "No path for static route"), or let win over a connected network. The latter get
// no row but a finding, a sentence for the tenant.
import {
  contains,
  covers,
  FORBIDDEN,
  formatCidr,
  formatIp,
  ip,
  cidr,
  sameCidr,
  usable,
  type Cidr,
  type Ip4,
} from '../lib/ip.ts';
import type { Vpc } from '../model/intent.ts';
import type { DesiredRow, Finding } from './desired.ts';
import { row, rowId, routerPortName } from './names.ts';

/** A network the router has a port on. */
export interface Connected {
  /** Id the router port is named by: the tier's or the private gateway's. */
  readonly id: string;
  readonly kind: 'tier' | 'gateway' | 'public';
  readonly networkId: string;
  readonly prefix: Cidr;
  /** The router's own address on it. */
  readonly own: Ip4;
  /** How a tenant would name it. */
  readonly label: string;
}

/** A static route that has a row. */
export interface Path {
  readonly id: string;
  readonly prefix: Cidr;
  readonly nextHop: Ip4;
  readonly via: Connected;
}

/** A prefix and the segments it is reached through: more than one where routes share a prefix (equal-cost paths). */
export interface Destination {
  readonly prefix: Cidr;
  readonly via: readonly Connected[];
}

export interface Routing {
  readonly connected: readonly Connected[];
  readonly paths: readonly Path[];
  /** Connected networks and paths together, the longest prefix first, as the router looks them up. */
  readonly table: readonly Destination[];
  /** What is behind tunnels that end at the gateway helper. */
  readonly behindHelper?: readonly Cidr[];
  readonly findings: readonly Finding[];
}

export function routingOf(vpc: Vpc): Routing {
  const connected = connectedOf(vpc);
  const paths: Path[] = [];
  const findings: Finding[] = [];
  const seen = new Map<string, string>();
  for (const { id, cidr: text, nextHop: hopText } of vpc.routes) {
    const prefix = cidr(text);
    const nextHop = ip(hopText);
    const via = connected.find((segment) => contains(segment.prefix, nextHop));
    const key = `${formatCidr(prefix)} ${hopText}`;
    const why = whyUnreachable(vpc, connected, prefix, nextHop, hopText, via) ?? whyTwice(seen.get(key));
    if (why !== undefined || via === undefined) {
      findings.push({
        kind: 'static-route',
        id,
        text: `Static route ${formatCidr(prefix)} via ${hopText} carries no traffic: ${why}`,
      });
      continue;
    }
    seen.set(key, id);
    paths.push({ id, prefix, nextHop, via });
  }
  return { connected, paths, table: tableOf(connected, paths), findings };
}

function connectedOf(vpc: Vpc): readonly Connected[] {
  return [
    ...vpc.tiers.map((tier): Connected => {
      const prefix = cidr(tier.cidr);
      const label = `tier ${tier.name} (${formatCidr(prefix)})`;
      return { id: tier.id, kind: 'tier', networkId: tier.id, prefix, own: ip(tier.gateway), label };
    }),
    ...vpc.gateways.map((gateway): Connected => {
      const prefix = cidr(gateway.network.cidr);
      const label = `Private network ${gateway.network.name} (${formatCidr(prefix)})`;
      return { id: gateway.id, kind: 'gateway', networkId: gateway.network.id, prefix, own: ip(gateway.ip), label };
    }),
  ];
}

function whyUnreachable(
  vpc: Vpc,
  connected: readonly Connected[],
  prefix: Cidr,
  nextHop: Ip4,
  hop: string,
  via: Connected | undefined,
): string | undefined {
  if (via === undefined) {
    return (
      `${hop} is on no network that VPC ${vpc.name} is connected to (${listOf(connected)}). ` +
      `Give the VPC a private gateway on the Private network of ${hop}, or choose a next hop on one of its networks.`
    );
  }
  if (nextHop === via.own) {
    return (
      `${hop} is the VPC's own address on ${via.label}, so packets would be sent to the router they are at. ` +
      `Choose the address of another machine or of another VPC's gateway there.`
    );
  }
  if (!usable(via.prefix, nextHop)) {
    return `${hop} is the network or broadcast address of ${via.label}, which no machine has. Choose a machine's address there.`;
  }
  const forbidden = FORBIDDEN.find((range) => covers(range, prefix));
  if (forbidden !== undefined) {
    return (
      `${formatCidr(prefix)} lies in ${formatCidr(forbidden)}, which is reserved (this host, loopback, link local, multicast) ` +
      `and never routed. Choose a prefix outside of it.`
    );
  }
  const inside = connected.find((segment) => covers(segment.prefix, prefix));
  if (inside === undefined) return undefined;
  if (sameCidr(inside.prefix, prefix)) {
    return (
      `it is exactly ${inside.label}, which the VPC is connected to, and a connected network always wins. ` +
      `Delete the route; machines there are reached directly.`
    );
  }
  return (
    `it lies inside ${inside.label}, which the VPC is connected to, and would take addresses away from machines there. ` +
    `Choose a prefix outside of ${formatCidr(inside.prefix)}.`
  );
}

function whyTwice(other: string | undefined): string | undefined {
  return other === undefined ? undefined : `route ${other} of the same VPC says the same. Delete one of the two.`;
}

function listOf(connected: readonly Connected[]): string {
  if (connected.length === 0) return 'it has no tier and no private gateway yet';
  const shown = connected.slice(0, 6).map(({ label }) => label);
  const rest = connected.length - shown.length;
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${rest} more`;
}

function tableOf(connected: readonly Connected[], paths: readonly Path[]): readonly Destination[] {
  const byPrefix = new Map<string, { prefix: Cidr; via: Connected[] }>();
  for (const segment of connected) byPrefix.set(formatCidr(segment.prefix), { prefix: segment.prefix, via: [segment] });
  for (const { prefix, via } of paths) {
    const known = byPrefix.get(formatCidr(prefix));
    if (known === undefined) byPrefix.set(formatCidr(prefix), { prefix, via: [via] });
    else if (!known.via.includes(via)) known.via.push(via);
  }
  return [...byPrefix.values()].toSorted((a, b) => b.prefix.length - a.prefix.length || a.prefix.base - b.prefix.base);
}

/** The row of a static route. */
export function pathRow(unit: string, path: Path): DesiredRow {
  return row(
    'Logical_Router_Static_Route',
    rowId('Logical_Router_Static_Route', path.id),
    { id: path.id, unit },
    {
      ip_prefix: formatCidr(path.prefix),
      nexthop: formatIp(path.nextHop),
      output_port: [routerPortName(path.via.id)],
    },
  );
}
