// The little of DNS's wire format that is needed to answer for instances: one question in, addresses and names out. Everything else
// goes through as it came, so nothing else is taken apart. Pure.
import { parseIp6 } from '../../../lib/ip6.ts';

export const TYPE = { A: 1, PTR: 12, AAAA: 28, ANY: 255 } as const;
export const RCODE = { ok: 0, format: 1, failure: 2, unknown: 3, notImplemented: 4 } as const;

const IN = 1;
const OPT = 41;
const HEADER = 12;
/** What fits into a UDP answer to who does not say more (RFC 1035 4.2.1), and the most that is sent to who does (no fragments). */
const SMALL = 512;
const LARGE = 1232;
/** Seconds an answer may be remembered. Names come and go with instances. */
const TTL = 30;

export interface Question {
  readonly id: number;
  /** In lower case, a character a byte. */
  readonly labels: readonly string[];
  readonly type: number;
  /** Whether it is a question as everybody asks it: a standard query, class IN. */
  readonly plain: boolean;
  /** Bytes of a UDP answer that the asker takes. */
  readonly room: number;
  readonly edns: boolean;
  /** Whether it asks for somebody else to be asked. */
  readonly recursion: boolean;
  /** The question as it stands in the packet. */
  readonly raw: Buffer;
}

export type Answer = { readonly ip: string } | { readonly ip6: string } | { readonly name: string };

/** Undefined for what is no query with exactly one question: it is not answered at all. */
export function parseQuestion(packet: Buffer): Question | undefined {
  if (packet.length < HEADER + 5 || packet.readUInt16BE(4) !== 1) return undefined;
  const flags = packet.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = packet[at];
    // No pointers: there is nothing before the first name to point at.
    if (length === undefined || length > 63 || at + 1 + length > packet.length) return undefined;
    if (length === 0) break;
    labels.push(packet.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += length + 1;
    if (at - HEADER > 254) return undefined;
  }
  const end = at + 5;
  if (end > packet.length) return undefined;
  const more = packet.readUInt16BE(6) === 0 && packet.readUInt16BE(8) === 0 && packet.readUInt16BE(10) > 0;
  const edns = more && end + 11 <= packet.length && packet[end] === 0 && packet.readUInt16BE(end + 1) === OPT;
  return {
    id: packet.readUInt16BE(0),
    labels,
    type: packet.readUInt16BE(at + 1),
    plain: (flags & 0x7800) === 0 && packet.readUInt16BE(at + 3) === IN,
    room: edns ? Math.min(LARGE, Math.max(SMALL, packet.readUInt16BE(end + 3))) : SMALL,
    edns,
    recursion: (flags & 0x0100) !== 0,
    raw: packet.subarray(HEADER, end),
  };
}

/** The answer. `room`: bytes it may have; one that does not fit says so, and the asker comes again by TCP. */
export function formatAnswer(
  question: Question,
  rcode: number,
  answers: readonly Answer[] = [],
  room: number = question.room,
): Buffer {
  const records = answers.map(formatRecord);
  const end = question.edns ? Buffer.from([0, 0, OPT, LARGE >> 8, LARGE & 255, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0);
  const size = HEADER + question.raw.length + end.length + records.reduce((sum, record) => sum + record.length, 0);
  const cut = size > room;
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(question.id, 0);
  // An answer, by who knows; others can be asked here, too.
  header.writeUInt16BE(0x8480 | (cut ? 0x0200 : 0) | (question.recursion ? 0x0100 : 0) | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(cut ? 0 : records.length, 6);
  header.writeUInt16BE(question.edns ? 1 : 0, 10);
  return Buffer.concat([header, question.raw, ...(cut ? [] : records), end]);
}

/** A resource record of the name asked for, which stands at the twelfth byte. */
function formatRecord(answer: Answer): Buffer {
  const [type, data] = dataOf(answer);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | HEADER, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(IN, 4);
  head.writeUInt32BE(TTL, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(answer: Answer): [number, Buffer] {
  if ('ip' in answer) return [TYPE.A, Buffer.from(answer.ip.split('.').map(Number))];
  if ('name' in answer) return [TYPE.PTR, formatName(answer.name)];
  return [TYPE.AAAA, Buffer.from(parseIp6(answer.ip6)!.toString(16).padStart(32, '0'), 'hex')];
}

function formatName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  const parts = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  return Buffer.concat([...parts, Buffer.from([0])]);
}

/** Whether a packet that came back is the answer to this question, asked under this number. */
export function isAnswerTo(packet: Buffer, id: number, raw: Buffer): boolean {
  return (
    packet.length >= HEADER + raw.length &&
    packet.readUInt16BE(0) === id &&
    (packet[2]! & 0x80) !== 0 &&
    packet.readUInt16BE(4) === 1 &&
    packet.subarray(HEADER, HEADER + raw.length).equals(raw)
  );
}

/** The same packet under another number. */
export function withId(packet: Buffer, id: number): Buffer {
  const copy = Buffer.from(packet);
  copy.writeUInt16BE(id, 0);
  return copy;
}
