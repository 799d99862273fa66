// What belongs to a gateway helper is called after its router's id, and in what nodes of one machine share, after the node, too: every
// node that may carry the router has one.

import type { VpnLacks } from './vpn-ability.ts';

export interface HelperContext {
  readonly node: string;
  /** `unix:PATH` of the node's OVS database. */
  readonly database: string;
  /** Folder of all helpers' files. */
  readonly directory: string;
  /** Whether the kernel cannot be trusted to fill in checksums (userspace datapaths). */
  readonly userspace: boolean;
  /** Whether daemons can give up being root and still read their files. */
  readonly canDropRoot: boolean;
  /** Whether the kernel has WireGuard, and ESP; otherwise programs do what it does not. */
  readonly kernelWireGuard: boolean;
  readonly kernelIpsec: boolean;
  /** Kinds of VPNs that the node cannot serve, and why. */
  readonly vpnLacks: VpnLacks;
}

/** Marks our ports in OVS: external_ids of the interface, with the helper's key. */
export const HELPER = 'trunkline-helper';

/** What everything of a helper is named by. */
export function keyOf(id: string): string {
  return id.slice(0, 8);
}

/** Name of its network namespace. */
export function netnsOf(key: string, { node }: HelperContext): string {
  return `h-${key}-${node}`;
}

/** The key of a namespace of this node's. */
export function keyOfNetns(name: string, { node }: HelperContext): string | undefined {
  const key = name.slice(2, 10);
  return name === `h-${key}-${node}` ? key : undefined;
}

/** Name of its cable on the node's side. */
export function portOf(key: string): string {
  return `h-${key}`;
}

/** The other end of the cable while it is made; later it is eth0 of the namespace. */
export function peerOf(key: string): string {
  return `hp-${key}`;
}

export function folderOf(key: string, { directory }: HelperContext): string {
  return `${directory}/${key}`;
}

/** haproxy's file. */
export function proxyFile(key: string, context: HelperContext): string {
  return `${folderOf(key, context)}/haproxy.conf`;
}

/** Says how the namespace was set up, and which one it was. */
export function wiringFile(key: string, context: HelperContext): string {
  return `${folderOf(key, context)}/wiring`;
}
