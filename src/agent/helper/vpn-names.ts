// What belongs to a VPN in a gateway helper is called after the VPN's id: a folder of its own, and a device where it has one.
import { createHash } from 'node:crypto';
import { TUNNEL_MTU, TUNNEL_OVERHEAD } from '../../protocol/vpn.ts';
import { type HelperContext, folderOf } from './names.ts';

/** Folder of strongSwan's, which serves all of a helper's IPsec. */
export const IPSEC = 'ipsec';
/** Folder of what holds for all of them: the packet filter. */
export const FILTER = 'filter';
/** nftables' name of it. */
export const FILTER_TABLE = 'trunkline-vpn';
/** Folder of WireGuard's one device for all sites: they come to one port. Unlike the others it has the helper in its name, as its device must. */
export function sitesPart(key: string): string {
  return `sites-${key}`;
}

/** strongSwan's device where it encrypts by itself. */
export const IPSEC_DEVICE = 'ipsec0';

export function vpnsFolder(key: string, context: HelperContext): string {
  return `${folderOf(key, context)}/vpn`;
}

/** `part`: a VPN's id, {@link IPSEC}, {@link FILTER} or {@link sitesPart}. */
export function partFolder(key: string, part: string, context: HelperContext): string {
  return `${vpnsFolder(key, context)}/${part}`;
}

/** Unique on the machine: control sockets of all namespaces lie in one folder (/var/run/wireguard). */
export function deviceOf(part: string, { node }: HelperContext): string {
  return `tv${createHash('sha256').update(`${node}/${part}`).digest('hex').slice(0, 10)}`;
}

/** Bytes of a packet inside a tunnel, where an outer one may have `mtu`; the same for all kinds. */
export function tunnelMtu(mtu: number): number {
  return Math.min(TUNNEL_MTU, mtu - TUNNEL_OVERHEAD);
}
