// The frame that tells a network in IPv6 where an address is now (frame.ts: in IPv4), as hexadecimal text.
import { ip6 } from '../../lib/ip6.ts';

const EVERYBODY = { mac: '333300000001', ip: 'ff020000000000000000000000000001' } as const;

/**
 * A neighbour advertisement that nobody asked for (RFC 4861, 7.2.6), of a router, to override what is known: from the address itself to
 * all nodes of the link. Switches learn the way to the MAC by it, whoever listens.
 */
export function announceNeighbour(mac: string, address: string): string {
  const hardware = mac.replaceAll(':', '');
  const own = ip6(address).toString(16).padStart(32, '0');
  const body = `a0000000${own}0201${hardware}`;
  const length = (4 + body.length / 2).toString(16).padStart(4, '0');
  const pseudo = `${own}${EVERYBODY.ip}0000${length}0000003a`;
  const message = `8800${checksum(`${pseudo}88000000${body}`)}${body}`;
  return `${EVERYBODY.mac}${hardware}86dd60000000${length}3aff${own}${EVERYBODY.ip}${message}`;
}

/** The Internet checksum (RFC 1071) of an even number of bytes in hexadecimal. */
function checksum(hex: string): string {
  let sum = 0;
  for (let at = 0; at < hex.length; at += 4) sum += Number.parseInt(hex.slice(at, at + 4), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return (~sum & 0xffff).toString(16).padStart(4, '0');
}
