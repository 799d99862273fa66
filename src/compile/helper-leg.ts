// The gateway helper's place in OVN: a switch of its own with one port, behind a port of the router. What OVN cannot do for a router
// is done there, in a namespace on each node that may carry the router's public side. The port has no chassis of its own: the node
// that carries the public side plugs it, and with the next one it goes along.
import { macOf } from '../lib/id.ts';
import { cidr, formatCidr, ip, type Cidr } from '../lib/ip.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow, LARGEST_LIST, prioritized, type Rules } from './filter.ts';
import { PRIORITY } from './guard-rail.ts';
import { and } from './match.ts';
import { portGroupName, routerPortName, row, rowId, switchName, switchSideName } from './names.ts';
import type { Leg } from './router.ts';
import type { Connected, Routing } from './routing.ts';
import { policy } from './source-check.ts';

/**
 * The same for every router, since no two of them meet: IETF's own prefix (RFC 6890, 192.0.0.0/24), which no tenant may use. Not link
 * local: members answer to it by way of their gateway, and some systems take all of 169.254.0.0/16 for their own wire.
 */
export const HELPER_PREFIX = '192.0.0.16/29';
export const HELPER_GATEWAY = '192.0.0.17';
export const HELPER_ADDRESS = '192.0.0.18';
/** More of its own, for public addresses that VPNs end at (vpn.ts). */
export const HELPER_SPARES = ['192.0.0.19', '192.0.0.20', '192.0.0.21', '192.0.0.22'] as const;

/** What a helper does, as far as packets show it. */
export interface HelperTraffic {
  /** Who may use it: a list for each port of its own, whose rules all name that port. Replies pass. */
  readonly accepts: readonly Rules[];
  /** Matches of what it sends by itself. Replies pass. */
  readonly reaches: readonly string[];
  /** More of what it sends, by lists whose rules all name whose it is. */
  readonly sends?: readonly Rules[];
  /** Addresses of its own that it uses. Absent: the first. */
  readonly addresses?: readonly string[];
  /** What is behind its tunnels: packets keep those addresses. */
  readonly prefixes?: readonly Cidr[];
}

/** Id the helper's leg, switch and group are named by. */
export function helperId(routerId: string): string {
  return `helper-${routerId}`;
}

/** Name of the helper's logical port: `external_ids:iface-id` where it is plugged. */
export function helperPort(routerId: string): string {
  return rowId('Logical_Switch_Port', helperId(routerId));
}

export function helperMac(routerId: string): string {
  return macOf(helperId(routerId));
}

/** The router's port towards its helper. */
export function helperLeg(routerId: string): Leg {
  const id = helperId(routerId);
  return { id, address: HELPER_GATEWAY, network: { id, cidr: HELPER_PREFIX, segment: { kind: 'overlay' } } };
}

/** The helper's switch, with its port, which takes and sends what `traffic` says and nothing else. */
export function helperRows(unit: string, routerId: string, traffic: HelperTraffic): readonly DesiredRow[] {
  const id = helperId(routerId);
  const mark = { id, unit };
  const own = [...new Set([HELPER_ADDRESS, ...(traffic.addresses ?? [])])];
  const place = [helperMac(routerId), ...own].join(' ');
  const secured = [place, ...(traffic.prefixes ?? []).map(formatCidr)].join(' ');
  const uuid = helperPort(routerId);
  const port = row('Logical_Switch_Port', uuid, mark, { name: uuid, addresses: [place], port_security: [secured] });
  const side = row('Logical_Switch_Port', rowId('Logical_Switch_Port', switchSideName(id)), mark, {
    name: switchSideName(id),
    type: 'router',
    addresses: ['router'],
    options: { 'router-port': routerPortName(id) },
  });
  const group = portGroupName(id);
  const acls = [
    ...accepting(unit, id, `outport == @${group}`, traffic.accepts),
    ...reaching(unit, id, `inport == @${group}`, traffic),
  ];
  const name = switchName(id);
  const ports = [port.uuid, side.uuid];
  return [
    row('Logical_Switch', rowId('Logical_Switch', name), mark, { name, ports }),
    port,
    side,
    row('Port_Group', rowId('Port_Group', group), mark, {
      name: group,
      ports: [port.uuid],
      acls: acls.map((acl) => acl.uuid),
    }),
    ...acls,
  ];
}

/** Below all rules of all lists, which are about one port each and stand side by side. */
const STANDING = PRIORITY.list - LARGEST_LIST - 1;
const REST = STANDING - 1;

/**
 * Connections that balancers' clients have already, and the helper with members: they go on when a member or a balancer is no longer
 * the helper's, until one of their ends ends them. Lists that are there still cut what they deny.
 */
export const STANDING_FROM_HELPER = `ip4.src == ${HELPER_ADDRESS} && tcp && ct.est`;
const STANDING_TO_HELPER = `ip4.dst == ${HELPER_ADDRESS} && tcp && ct.est`;

function accepting(unit: string, id: string, port: string, lists: readonly Rules[]): readonly DesiredRow[] {
  return [
    ...lists.flatMap((rules) =>
      prioritized(rules, PRIORITY.list).map(({ id: key, match, allow, priority }) => {
        const action = allow ? 'allow-related' : 'drop';
        return aclRow(unit, id, `to-lport/${key}`, 'to-lport', priority, and(port, match), action);
      }),
    ),
    aclRow(unit, id, 'to-lport/standing', 'to-lport', STANDING, and(port, STANDING_TO_HELPER), 'allow-related'),
    aclRow(unit, id, 'to-lport/rest', 'to-lport', REST, and(port, 'ip4'), 'drop'),
  ];
}

function reaching(
  unit: string,
  id: string,
  port: string,
  { reaches, sends = [] }: HelperTraffic,
): readonly DesiredRow[] {
  return [
    ...reaches.map((match) =>
      aclRow(unit, id, `from-lport/${match}`, 'from-lport', PRIORITY.open, and(port, match), 'allow-related'),
    ),
    ...sends.flatMap((rules) =>
      prioritized(rules, PRIORITY.list).map(({ id: key, match, allow, priority }) => {
        const action = allow ? 'allow-related' : 'drop';
        return aclRow(unit, id, `from-lport/${key}`, 'from-lport', priority, and(port, match), action);
      }),
    ),
    aclRow(unit, id, 'from-lport/standing', 'from-lport', STANDING, and(port, STANDING_FROM_HELPER), 'allow-related'),
    aclRow(unit, id, 'from-lport/rest', 'from-lport', REST, and(port, 'ip4'), 'drop'),
  ];
}

/** Logical_Router_Policy priority: before the source check. */
const SHUT = 31_000;

/**
 * Who comes in by a private gateway has no business with the helper. (By a public wire nobody gets there but by translation:
 * public-filter.ts. The router's own networks are judged at the helper's port, as they would be at the public address.)
 */
export function helperGuard(unit: string, { connected }: Routing): readonly DesiredRow[] {
  return connected
    .filter(({ kind }) => kind === 'gateway')
    .map(({ id }) => {
      const match = `inport == "${routerPortName(id)}" && ip4.dst == ${HELPER_PREFIX}`;
      return policy(unit, id, 'helper', SHUT, match, 'drop');
    });
}

/**
 * The routing with the helper's segment and what is behind its tunnels, for the source check: nobody else sends from there. Routes of
 * tenants never lead there.
 */
export function withHelper(routing: Routing, routerId: string, behind: readonly Cidr[] = []): Routing {
  const prefix = cidr(HELPER_PREFIX);
  const id = helperId(routerId);
  const segment: Connected = {
    id,
    kind: 'tier',
    networkId: id,
    prefix,
    own: ip(HELPER_GATEWAY),
    label: 'the gateway helper',
  };
  const own = [prefix, ...behind].map((one) => ({ prefix: one, via: [segment] }));
  const table = [...routing.table, ...own].toSorted(
    (a, b) => b.prefix.length - a.prefix.length || a.prefix.base - b.prefix.base,
  );
  return { ...routing, connected: [...routing.connected, segment], table, behindHelper: behind };
}
