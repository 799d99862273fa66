// The frames that tell a network where an address is now, and that ask what it believes, as hexadecimal text: byte by byte, since no
// program that can send them in another machine's name is on every node (and the two called arping understand different things).
import { ip } from '../../lib/ip.ts';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const NOBODY = '00:00:00:00:00:00';
const REQUEST = '0001';
const REPLY = '0002';

/** An announcement in the form of a request (RFC 5227 section 3, `arping -U`): sender and target are the address itself. */
export function announceRequest(mac: string, address: string): string {
  return arp(BROADCAST, mac, REQUEST, mac, address, NOBODY, address);
}

/** The same in the form of an answer nobody asked for (`arping -A`): there are receivers that learn only from answers. */
export function announceReply(mac: string, address: string): string {
  return arp(BROADCAST, mac, REPLY, mac, address, mac, address);
}

/** Asks `target` who it is, in the name of the address: who is asked learns the asker (RFC 826). */
export function ask(mac: string, address: string, target: string): string {
  return arp(BROADCAST, mac, REQUEST, mac, address, NOBODY, target);
}

/**
 * An echo request (RFC 792) in the name of the address: its answer goes to the MAC under which the one asked knows the address, which is
 * the only way to see what is in a foreign ARP cache.
 */
export function echo(mac: string, address: string, toMac: string, to: string, sequence: number): string {
  const icmp = ['0800', '0000', word(IDENTIFIER), word(sequence), DATA].join('');
  const whole = icmp.slice(0, 4) + word(checksum(icmp)) + icmp.slice(8);
  const header = [
    '4500',
    word(20 + whole.length / 2),
    word(sequence),
    '0000',
    '4001',
    '0000',
    hexIp(address),
    hexIp(to),
  ].join('');
  return `${hexMac(toMac)}${hexMac(mac)}0800${header.slice(0, 20)}${word(checksum(header))}${header.slice(24)}${whole}`;
}

/** Marks our echo requests: a guest that pings by itself has another identifier. */
export const IDENTIFIER = 0x7472;
const DATA = Buffer.from('trunkline: who has this?').toString('hex');

/** Puts an 802.1Q tag into a frame. */
export function tagged(frame: string, vlan: number): string {
  return `${frame.slice(0, 24)}8100${word(vlan)}${frame.slice(24)}`;
}

function arp(
  to: string,
  from: string,
  kind: string,
  sender: string,
  senderIp: string,
  target: string,
  targetIp: string,
): string {
  const body = `000108000604${kind}${hexMac(sender)}${hexIp(senderIp)}${hexMac(target)}${hexIp(targetIp)}`;
  return `${hexMac(to)}${hexMac(from)}0806${body}`;
}

/** The Internet checksum (RFC 1071) of bytes in hexadecimal, an even number of them. */
function checksum(hex: string): number {
  let sum = 0;
  for (let at = 0; at < hex.length; at += 4) sum += Number.parseInt(hex.slice(at, at + 4), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function hexMac(mac: string): string {
  return mac.replaceAll(':', '');
}

function hexIp(address: string): string {
  return ip(address).toString(16).padStart(8, '0');
}

function word(value: number): string {
  return value.toString(16).padStart(4, '0');
}
