// The router guard of one card, in nftables' words: what a machine may hear about routers, and from whom.
import type { Chain } from './read.ts';

export const TABLE = 'trunkline-guard';

/**
 * A chain is named after its device and the kernel's number for it: a device that is made anew by the same name has another. What becomes
 * of a chain whose device goes differs from kernel to kernel; gone, left behind, or taken up again by name.
 */
export function chainName(device: string, index: number): string {
  return `${device}_${index}`;
}

/**
 * The commands that put a chain on a device, whatever is there of it. It makes void what changes a machine's routes (router
 * advertisements, redirects) and what asks it to say which groups it is in, unless the network's router sent it; and neighbour discovery
 * in fragments, which could hide any of these (RFC 6980). On the way out to the card, where OVS in user space and in the kernel both pass.
 *
 * Rule: a hop limit of 0, and no drop. Every receiver must ignore such messages then (RFC 4861, 6.1.2 and 8.1; RFC 3810, 6.2). Of a frame
 * dropped here the kernel says to OVS in user space that the card is full, and OVS gives up the rest of its batch: one instance's
 * advertisements would cost others their packets (measured: the harmless frame behind six of them was lost).
 *
 * `router`: its MAC address, or on a wire its link-local one.
 */
export function chainCommands(name: string, device: string, router: string): string {
  const at = `netdev ${TABLE} ${name}`;
  return [
    `add table netdev ${TABLE}`,
    `add chain ${at} { type filter hook egress device "${device}" priority 0; policy accept; }`,
    `flush chain ${at}`,
    `add rule ${at} ${fromOthers(router)} ip6 hoplimit set 0`,
    `add rule ${at} exthdr frag exists ip6 saddr fe80::/10 ip6 hoplimit set 0`,
  ].join('; ');
}

/**
 * What only the network's router may say. On a wire it is a machine, or one of two, and known by the address that goes from one to the
 * other; no instance can send from it, port security sees to that. There switches may ask for groups: who is in none for them hears nothing.
 */
function fromOthers(router: string): string {
  return router.startsWith('fe80:')
    ? `icmpv6 type { nd-router-advert, nd-redirect } ip6 saddr != ${router}`
    : `icmpv6 type { mld-listener-query, nd-router-advert, nd-redirect } ether saddr != ${router}`;
}

const RULES = 2;

/** Whether the chain is the one that {@link chainCommands} makes. */
export function isWhole(chain: Chain | undefined, router: string): boolean {
  return chain?.rules === RULES && chain.routers.length === 1 && chain.routers[0] === router;
}
