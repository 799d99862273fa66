// IPv4 addresses and prefixes as plain numbers: parsed once where they enter, compared as values ever after.
// Apart from everything because every layer speaks of addresses and none may disagree about what one is.

/** An IPv4 address: an unsigned 32-bit integer. */
export type Ip4 = number & { readonly __ip4?: never };

/** A prefix. `base` is the network address; `host` keeps the bits as typed (10.0.0.1/24 has base 10.0.0.0). */
export interface Cidr {
  readonly base: Ip4;
  readonly length: number;
  readonly host: Ip4;
}

const OCTET = /^(0|[1-9][0-9]{0,2})$/;

/** Parses dotted-quad notation strictly (no leading zeros, no short forms). Undefined when it is not an address. */
export function parseIp(text: string): Ip4 | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!OCTET.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

/** Whether a text is an IPv4 address and a port: `203.0.113.7:51820`. */
export function isEndpoint(text: string): boolean {
  const [, address = '', port = ''] = /^([0-9.]{7,15}):([1-9][0-9]{0,4})$/.exec(text) ?? [];
  return parseIp(address) !== undefined && Number(port) <= 65_535;
}

/** Like {@link parseIp}, for text that was validated before: anything else is a bug and throws. */
export function ip(text: string): Ip4 {
  const value = parseIp(text);
  if (value === undefined) throw new Error(`not an IPv4 address: ${text}`);
  return value;
}

/** Parses `a.b.c.d/len`, host bits allowed. Undefined when it is not a prefix. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]?)$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  if (length > 32) return undefined;
  const host = parseIp(text.slice(0, slash));
  if (host === undefined) return undefined;
  return { base: network(host, length), length, host };
}

/** Like {@link parseCidr}, for text that was validated before: anything else is a bug and throws. */
export function cidr(text: string): Cidr {
  const value = parseCidr(text);
  if (value === undefined) throw new Error(`not an IPv4 prefix: ${text}`);
  return value;
}

export function formatIp(value: Ip4): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** The prefix in canonical form, host bits cleared. */
export function formatCidr(prefix: Cidr): string {
  return `${formatIp(prefix.base)}/${prefix.length}`;
}

/** `10.1.1.1/24`: an address with the length of its network. */
export function formatHost(address: Ip4, prefix: Cidr): string {
  return `${formatIp(address)}/${prefix.length}`;
}

/** Number of addresses in the prefix, network and broadcast included. */
export function size(prefix: Cidr): number {
  return 2 ** (32 - prefix.length);
}

export function first(prefix: Cidr): Ip4 {
  return prefix.base;
}

/** The last address of the prefix: the broadcast address up to /30. */
export function last(prefix: Cidr): Ip4 {
  return prefix.base + size(prefix) - 1;
}

export function contains(prefix: Cidr, address: Ip4): boolean {
  return address >= prefix.base && address <= last(prefix);
}

/** Whether every address of `inner` lies in `outer`. */
export function covers(outer: Cidr, inner: Cidr): boolean {
  return inner.length >= outer.length && contains(outer, inner.base);
}

/** Whether the two prefixes share an address: one of them then covers the other. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return covers(a, b) || covers(b, a);
}

export function sameCidr(a: Cidr, b: Cidr): boolean {
  return a.base === b.base && a.length === b.length;
}

/** Whether a machine can have this address on a network of this prefix: neither network nor broadcast address. */
export function usable(prefix: Cidr, address: Ip4): boolean {
  if (!contains(prefix, address)) return false;
  if (prefix.length >= 31) return true;
  return address !== prefix.base && address !== last(prefix);
}

/** The lowest address a machine can have: where gateways are put by convention. */
export function firstUsable(prefix: Cidr): Ip4 {
  return prefix.length >= 31 ? prefix.base : prefix.base + 1;
}

export function netmask(prefix: Cidr): string {
  return formatIp(mask(prefix.length));
}

/** The prefix length of a dotted netmask; undefined when its ones are not contiguous. */
export function lengthOfNetmask(text: string): number | undefined {
  const value = parseIp(text);
  if (value === undefined) return undefined;
  for (let length = 0; length <= 32; length++) if (mask(length) === value) return length;
  return undefined;
}

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map(cidr);

/** Whether the prefix lies in one of the private ranges (RFC 1918). */
export function isPrivate(prefix: Cidr): boolean {
  return PRIVATE.some((range) => covers(range, prefix));
}

/** Prefixes no tenant network may use: this host, loopback, link local (metadata), IETF's own (gateway helpers), multicast, reserved. */
export const FORBIDDEN = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
].map(cidr);

function mask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

function network(address: Ip4, length: number): Ip4 {
  return (address & mask(length)) >>> 0;
}
