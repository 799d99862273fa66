// Frames that no well-behaved machine sends, byte by byte: ARP in every form, IPv4 in fragments and with protocols nobody asked for, ICMP
// errors about packets that never were, neighbour discovery, tags within tags, tunnels. Pure; `packets.ts` sends and sees them.
export const TYPE = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035, ipv6: 0x86dd, dot1q: 0x8100, dot1ad: 0x88a8 } as const;

const u8 = (...values: readonly number[]): Buffer => Buffer.from(values);
const u16 = (...values: readonly number[]): Buffer => Buffer.concat(values.map((v) => u8((v >> 8) & 255, v & 255)));
const hardware = (address: string): Buffer => Buffer.from(address.replaceAll(':', ''), 'hex');
const ip4 = (address: string): Buffer => u8(...address.split('.').map(Number));

/** The 16 bytes of an IPv6 address; a short form may have one `::`. */
export function ip6(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (text: string | undefined): string[] => (text ?? '').split(':').filter((group) => group !== '');
  const before = groups(head);
  const after = groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return u16(...[...before, ...(tail === undefined ? [] : zeros), ...after].map((group) => Number.parseInt(group, 16)));
}

export interface Arp {
  /** 1 question, 2 answer, 3 and 4 those of RARP, 8 and 9 those of InARP. */
  readonly operation: number;
  readonly sender: readonly [mac: string, ip: string];
  readonly target: readonly [mac: string, ip: string];
}

/** An ARP packet (RFC 826), of an Ethernet frame whose own addresses may say something else. */
export function arp({ operation, sender, target }: Arp): Buffer {
  const [senderMac, senderIp] = sender;
  const [targetMac, targetIp] = target;
  return Buffer.concat([
    u16(1, TYPE.ipv4, 0x0604, operation),
    hardware(senderMac),
    ip4(senderIp),
    hardware(targetMac),
    ip4(targetIp),
  ]);
}

/** One's complement sum (RFC 1071). */
function checksum(data: Buffer): number {
  const even = data.length % 2 === 0 ? data : Buffer.concat([data, u8(0)]);
  let sum = 0;
  for (let i = 0; i < even.length; i += 2) sum += even.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

export interface Ipv4 {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly data: Buffer;
  readonly timeToLive?: number;
  readonly id?: number;
  /** Where in the whole datagram the data stands, in bytes, and whether more follows. */
  readonly fragment?: { readonly at: number; readonly more: boolean };
}

/** An IPv4 packet (RFC 791); without a fragment it is not to be divided. */
export function ipv4({ from, to, protocol, data, timeToLive = 64, id = 0x1234, fragment }: Ipv4): Buffer {
  const flags = fragment === undefined ? 0x4000 : (fragment.more ? 0x2000 : 0) | (fragment.at >> 3);
  const header = Buffer.concat([
    u16(0x4500, 20 + data.length, id, flags),
    u8(timeToLive, protocol, 0, 0),
    ip4(from),
    ip4(to),
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, data]);
}

/** A UDP datagram without a checksum (RFC 768 allows that over IPv4). */
export function datagram(fromPort: number, toPort: number, data: Buffer): Buffer {
  return Buffer.concat([u16(fromPort, toPort, 8 + data.length, 0), data]);
}

/** A TCP segment (RFC 9293) with these flags: 0x02 SYN, 0x10 ACK, 0x04 RST. */
export function segment(
  { from, to }: Pick<Ipv4, 'from' | 'to'>,
  ports: readonly [number, number],
  flags: number,
  data: Buffer,
): Buffer {
  const head = Buffer.concat([u16(...ports, 0, 1, 0, 1, 0x5000 | flags, 0xffff, 0, 0), data]);
  const pseudo = Buffer.concat([ip4(from), ip4(to), u16(6, head.length)]);
  head.writeUInt16BE(checksum(Buffer.concat([pseudo, head])), 16);
  return head;
}

/** An ICMP message (RFC 792); `rest` is the second word of its header. */
export function icmp(type: number, code: number, data: Buffer, rest = 0): Buffer {
  const message = Buffer.concat([u8(type, code), u16(0, rest >>> 16, rest & 0xffff), data]);
  message.writeUInt16BE(checksum(message), 2);
  return message;
}

export interface Ipv6 {
  readonly from: string;
  readonly to: string;
  /** The first header after IPv6's own. */
  readonly next: number;
  readonly data: Buffer;
}

/** An IPv6 packet (RFC 8200) with the hop limit that neighbour discovery asks for. */
export function ipv6({ from, to, next, data }: Ipv6): Buffer {
  return Buffer.concat([u16(0x6000, 0, data.length), u8(next, 255), ip6(from), ip6(to), data]);
}

/** An ICMPv6 message (RFC 4443) with its checksum, which covers the addresses. */
export function icmp6({ from, to }: Pick<Ipv6, 'from' | 'to'>, type: number, body: Buffer): Buffer {
  const message = Buffer.concat([u8(type, 0), u16(0), body]);
  const pseudo = Buffer.concat([ip6(from), ip6(to), u16(0, message.length, 0, 58)]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2);
  return message;
}

/** An option of neighbour discovery that says a link-layer address: 1 the source's, 2 the target's (RFC 4861, 4.6.1). */
export function linkLayer(kind: 1 | 2, mac: string): Buffer {
  return Buffer.concat([u8(kind, 1), hardware(mac)]);
}

/** What a router says of itself: for half an hour it is one, and machines are to make addresses in a /64 (RFC 4861, 4.2). */
export function routerAdvertisement(prefix: string): Buffer {
  const lifetime = u8(64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0);
  const information = u8(3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0);
  return Buffer.concat([lifetime, information, ip6(prefix)]);
}

/** Puts a tag into a frame, after its addresses. */
export function tagged(frame: Buffer, vlan: number, type: number = TYPE.dot1q): Buffer {
  return Buffer.concat([frame.subarray(0, 12), u16(type, vlan), frame.subarray(12)]);
}

/** What a tunnel endpoint would take for a frame of a virtual network: Geneve (RFC 8926) to port 6081, VXLAN (RFC 7348) to 4789. */
export function tunnelled(kind: 'geneve' | 'vxlan', network: number, frame: Buffer): Buffer {
  const key = u8((network >> 16) & 255, (network >> 8) & 255, network & 255, 0);
  const head = kind === 'geneve' ? u16(0, 0x6558) : u16(0x0800, 0);
  return datagram(50_000, kind === 'geneve' ? 6081 : 4789, Buffer.concat([head, key, frame]));
}
