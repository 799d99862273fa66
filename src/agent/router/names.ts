// What things of a router node are called: the one place that turns a network into device names, table numbers and marks, so that
// what is ours can be told from what is the node's own, also by somebody who only looks at `ip rule`.
import type { RouterSpec } from '../../protocol/document.ts';

/** What the driver knows of its node. */
export interface RouterContext {
  readonly node: string;
  /** Carries the networks' VLANs, tagged. */
  readonly inside: string;
  /** Leads to the outside. */
  readonly outside: string;
  /** Who makes VLAN sub-interfaces. Open vSwitch: access ports of the bridge that holds `inside`. */
  readonly vlans:
    | { readonly by: 'kernel' }
    | { readonly by: 'openvswitch'; readonly bridge: string; readonly database: string };
  /** Where the daemons' files live. */
  readonly directory: string;
  /** Device and address outside of all networks: tracked connections are sent to the peers from there. */
  readonly underlay: { readonly device: string; readonly ip: string };
  /** Next hop for networks that have no public address. */
  readonly gateway?: string;
  /** Whether the kernel balances (IPVS). */
  readonly ipvs: boolean;
  /** Whether root here is the machine's root, and not one of a user namespace, whom the kernel refuses some things. */
  readonly privileged: boolean;
  /** Whether daemons can give up being root and still read their files. */
  readonly canDropRoot: boolean;
}

/** Number that marks rules, routes and proxied neighbours as ours (RTA_PROTOCOL; 122 is free in iproute2's rt_protos). */
export const PROTOCOL = '122';
/** The connection goes to an address of this node's networks, whatever network asked. */
export const MARK_LOCAL = 0x7a00ffff;
/** Bits that say that a mark is ours. */
export const MARK_OURS = 0x7a000000;
export const MARK_MASK = 0xff000000;
/** Routing for the node's own questions, where the node has no default route itself. */
export const FALLBACK_TABLE = 70_000;
/** Order of our routing rules; the fallback comes after the node's own tables (32766, 32767). */
export const PREFERENCE = { local: 17_000, mark: 17_001, from: 17_002, fallback: 40_000 } as const;

/** The sub-interface of a network, by the archive's own form: `eth1.1234`. */
export function insideDevice(vlan: number, context: RouterContext): string {
  return `${context.inside}.${vlan}`;
}

/** Where public addresses of a VLAN live; without one, on the outside interface itself. */
export function outsideDevice(vlan: number | undefined, context: RouterContext): string {
  return vlan === undefined ? context.outside : `${context.outside}.${vlan}`;
}

/** The VLANs that a network's public addresses and its IPv6 are on; undefined: untagged. */
export function outsideVlans({ publicAddresses, six }: RouterSpec): (number | undefined)[] {
  const uplink = six?.uplink === undefined ? [] : [six.uplink.vlan];
  return [...publicAddresses.map(({ vlan }) => vlan), ...uplink];
}

/** All outside devices a network uses. */
export function outsideDevices(spec: RouterSpec, context: RouterContext): string[] {
  const used = outsideVlans(spec).map((vlan) => outsideDevice(vlan, context));
  return [...new Set([...used, ...(used.length === 0 || spec.mode === 'ROUTED' ? [context.outside] : [])])];
}

export function tableOf(vlan: number): number {
  return FALLBACK_TABLE + vlan;
}

export function markOf(vlan: number): number {
  return MARK_OURS + vlan;
}

export function hex(mark: number): string {
  return `0x${mark.toString(16)}`;
}

/** `net.ipv4.conf.eth1/1234.rp_filter`: dots of a device's name are slashes (sysctl(8)). */
export function setting(group: string, device: string, name: string): string {
  return `net.${group}.${device.replaceAll('.', '/')}.${name}`;
}

/** Label of addresses we put on a device that is not ours. */
export function labelOf(device: string): string {
  return `${device}:tl`;
}

/** What our sub-interfaces carry as their alias (ip-link(8)). */
export function aliasOf(owner: string): string {
  return `trunkline:${owner}`;
}

/** keepalived's name of a network's VRRP instance, and of the files its state changes read and write. */
export function instanceOf(spec: RouterSpec): string {
  return `n${spec.vlan}`;
}

/** Whether the gateway address goes from node to node. */
export function isPair(spec: RouterSpec): boolean {
  return spec.peers.length > 0;
}

/** A name that a tenant chose, for a comment or a sentence: one line, no quotes. */
export function spoken(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9 ._-]/g, '?').slice(0, 60);
}
