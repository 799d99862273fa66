// IPv6 addresses and prefixes as plain 128-bit numbers, like ip.ts for the other family. What a tenant may type is read strictly: one
// family is never smuggled into the other, and an address means the same on every machine.

/** An IPv6 address: an unsigned 128-bit integer. */
export type Ip6 = bigint & { readonly __ip6?: never };

/** A prefix. `base` is the network address; `host` keeps the bits as typed (2001:db8::1/64 has base 2001:db8::). */
export interface Cidr6 {
  readonly base: Ip6;
  readonly length: number;
  readonly host: Ip6;
}

const GROUP = /^[0-9a-fA-F]{1,4}$/;
const ALL = (1n << 128n) - 1n;

/**
 * Parses the text forms of RFC 4291, 2.2 but for two: zone ids (fe80::1%eth0) mean something on one machine only, and dotted quads
 * (::ffff:10.0.0.1, and such addresses in hexadecimal) are IPv4 in disguise. Undefined when it is not an address.
 */
export function parseIp6(text: string): Ip6 | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = groups.flat();
  if (!given.every((group) => GROUP.test(group))) return undefined;
  const missing = 8 - given.length;
  // `::` stands for one group at least (RFC 5952, 4.2.2 wants two of who writes it).
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const zeros = Array.from({ length: missing }, () => '0');
  const all = [...groups[0]!, ...zeros, ...(groups[1] ?? [])];
  const value = all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return value >> 32n === 0xffffn ? undefined : value;
}

/** Like {@link parseIp6}, for text that was validated before: anything else is a bug and throws. */
export function ip6(text: string): Ip6 {
  const value = parseIp6(text);
  if (value === undefined) throw new Error(`not an IPv6 address: ${text}`);
  return value;
}

/** Parses `2001:db8::/64`, host bits allowed. Undefined when it is not a prefix. */
export function parseCidr6(text: string): Cidr6 | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  const host = parseIp6(text.slice(0, slash));
  if (length > 128 || host === undefined) return undefined;
  return { base: host & mask(length), length, host };
}

/** Like {@link parseCidr6}, for text that was validated before: anything else is a bug and throws. */
export function cidr6(text: string): Cidr6 {
  const value = parseCidr6(text);
  if (value === undefined) throw new Error(`not an IPv6 prefix: ${text}`);
  return value;
}

/** Whether the text is of this family at all, right or wrong: what is said about it is about IPv6. */
export function looksLikeIp6(text: string): boolean {
  return text.includes(':');
}

/** The one recommended text form: lower case, no leading zeros, the longest run of zero groups (the first of equals) as `::` (RFC 5952, 4). */
export function formatIp6(value: Ip6): string {
  const groups = Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(112 - 16 * at)) & 0xffffn));
  let [start, length] = [0, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (groups[end] === 0) end++;
    if (end - at > length) [start, length] = [at, end - at];
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The prefix in canonical form, host bits cleared. */
export function formatCidr6(prefix: Cidr6): string {
  return `${formatIp6(prefix.base)}/${prefix.length}`;
}

/** `2001:db8::1/64`: an address with the length of its network. */
export function formatHost6(address: Ip6, prefix: Cidr6): string {
  return `${formatIp6(address)}/${prefix.length}`;
}

export function last6(prefix: Cidr6): Ip6 {
  return prefix.base | (ALL & ~mask(prefix.length));
}

export function contains6(prefix: Cidr6, address: Ip6): boolean {
  return (address & mask(prefix.length)) === prefix.base;
}

/** Whether every address of `inner` lies in `outer`. */
export function covers6(outer: Cidr6, inner: Cidr6): boolean {
  return inner.length >= outer.length && contains6(outer, inner.base);
}

/** Whether the two prefixes share an address: one of them then covers the other. */
export function overlaps6(a: Cidr6, b: Cidr6): boolean {
  return covers6(a, b) || covers6(b, a);
}

export function sameCidr6(a: Cidr6, b: Cidr6): boolean {
  return a.base === b.base && a.length === b.length;
}

/** Orders prefixes: the longest first, then by base. For tables that are looked up from the top. */
export function byLength6(a: Cidr6, b: Cidr6): number {
  return b.length - a.length || (a.base < b.base ? -1 : a.base > b.base ? 1 : 0);
}

/** How many prefixes of `length` a prefix holds. */
export function subnets6(prefix: Cidr6, length: number): bigint {
  return length < prefix.length ? 0n : 1n << BigInt(length - prefix.length);
}

/** The `index`th prefix of `length` in a prefix. */
export function subnet6(prefix: Cidr6, length: number, index: bigint): Cidr6 {
  const base = prefix.base + (index << BigInt(128 - length));
  return { base, length, host: base };
}

/** Length of a network in which machines make up their addresses by themselves (RFC 4291, 2.5.1; RFC 4862, 5.5.3). */
export const SLAAC_LENGTH = 64;

/** The address that a machine with this MAC gives itself in a /64: the modified EUI-64 (RFC 4291, appendix A). */
export function slaacAddress(prefix: Cidr6, mac: string): Ip6 {
  const octets = mac.split(':').map((octet) => BigInt(`0x${octet}`));
  if (octets.length !== 6 || prefix.length !== SLAAC_LENGTH)
    throw new Error(`no address follows from ${mac} in ${formatCidr6(prefix)}`);
  const [a, b, c, d, e, f] = octets as [bigint, bigint, bigint, bigint, bigint, bigint];
  const eui = [a ^ 2n, b, c, 0xffn, 0xfen, d, e, f].reduce((sum, octet) => (sum << 8n) | octet, 0n);
  return prefix.base | eui;
}

const LINK_LOCAL = { base: 0xfe80n << 112n, length: 64, host: 0xfe80n << 112n };

/** The address a machine with this MAC has on its link before anybody tells it anything. */
export function linkLocalAddress(mac: string): Ip6 {
  return slaacAddress(LINK_LOCAL, mac);
}

/** Whether the text is a link-local address. */
export function isLinkLocal(text: string): boolean {
  const address = parseIp6(text);
  return address !== undefined && contains6(LINK_LOCAL, address);
}

/** What no tenant network may use: unspecified, loopback and IPv4 in disguise, the former site local, link local, multicast. */
export const FORBIDDEN6 = ['::/8', 'fec0::/10', 'fe80::/10', 'ff00::/8'].map(cidr6);

function mask(length: number): bigint {
  return ALL ^ (ALL >> BigInt(length));
}
