// Frames byte by byte, sent and seen in a guest's own network namespace or on a lab node: for tests of what must not pass.
import { spawn } from 'node:child_process';
import { insideArgv } from '../../src/lab/exec.ts';
import { enter, sandboxEnv } from '../../src/lab/sandbox.ts';
import type { Lab } from '../../src/lab/start.ts';
import { run } from '../../src/lib/run.ts';
import type { Guest } from './tenant-lab.ts';

const SCRIPT = new URL('packets.py', import.meta.url).pathname;

export interface Frame {
  /** VLAN id of its tag. */
  readonly vlan: number | undefined;
  readonly bytes: Buffer;
}

function inside(lab: Lab, guest: Pick<Guest, 'id'>, argv: readonly string[]): string[] {
  const netns = `--net=/run/netns/i-${guest.id.slice(0, 8)}`;
  // Entering the sandbox forks: what runs there dies with the one that can be signalled from here.
  const tied = ['setpriv', '--pdeathsig', 'KILL', '--'];
  return enter(lab.sandbox, [...tied, 'nsenter', netns, '--', '/usr/bin/python3', SCRIPT, ...argv]);
}

/** Sends frames from a guest's first card, whatever they say. */
export async function send(lab: Lab, guest: Pick<Guest, 'id'>, ...frames: readonly Buffer[]): Promise<void> {
  const argv = ['send', 'eth0', ...frames.map((frame) => frame.toString('hex'))];
  await run(inside(lab, guest, argv), { env: sandboxEnv() });
}

/** The same from an interface of a lab node. */
export async function sendOn(state: string, node: string, device: string, ...frames: readonly Buffer[]): Promise<void> {
  const argv = ['/usr/bin/python3', SCRIPT, 'send', device, ...frames.map((frame) => frame.toString('hex'))];
  await run(insideArgv(state, node, argv), { env: sandboxEnv() });
}

/** Whether an IP packet of `bytes` gets through undivided, and its answer back. */
export async function fits(lab: Lab, from: Guest, to: Guest, bytes: number): Promise<string> {
  const argv = inside(lab, from, ['fits', to.address, String(bytes)]);
  return (await run(argv, { env: sandboxEnv() })).stdout.trim();
}

/** Something done while frames are listened for: it is given the list that grows with them. */
export type Work = (heard: readonly Frame[]) => Promise<unknown>;

/** The frames that came in at a guest's first card while `work` ran, and shortly after. */
export function seenBy(lab: Lab, guest: Pick<Guest, 'id'>, work: Work): Promise<Frame[]> {
  return listen(inside(lab, guest, ['listen', 'eth0', '20']), work);
}

/** The same at an interface of a lab node. */
export function seenOn(state: string, node: string, device: string, work: Work): Promise<Frame[]> {
  return listen(insideArgv(state, node, ['/usr/bin/python3', SCRIPT, 'listen', device, '20']), work);
}

/** Frames take a millisecond; what has not come by then was dropped. */
const SHORTLY_MS = 300;

async function listen([program, ...argv]: string[], work: Work): Promise<Frame[]> {
  const child = spawn(program!, argv, { env: sandboxEnv(), stdio: ['ignore', 'pipe', 'inherit'] });
  const frames: Frame[] = [];
  const ready = Promise.withResolvers<void>();
  // Line by line, by hand: where the listener is stopped in the middle of a frame, what there is of it is no frame.
  let begun = '';
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (begun + chunk).split('\n');
    begun = lines.pop()!;
    for (const line of lines) {
      if (line === 'ready') {
        ready.resolve();
        continue;
      }
      const [vlan, hex] = line.split(' ');
      frames.push({ vlan: vlan === '-' ? undefined : Number(vlan), bytes: Buffer.from(hex!, 'hex') });
    }
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      ready.reject(new Error('nothing can listen here'));
      resolve();
    });
  });
  try {
    await ready.promise;
    await work(frames);
    await new Promise((resolve) => setTimeout(resolve, SHORTLY_MS));
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  return frames;
}

const mac = (address: string): Buffer => Buffer.from(address.replaceAll(':', ''), 'hex');
const ip = (address: string): Buffer => Buffer.from(address.split('.').map(Number));
const u16 = (...values: readonly number[]): Buffer => Buffer.concat(values.map((v) => Buffer.from([v >> 8, v & 255])));

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

/** An Ethernet II frame; `kind` is its type. */
export function ethernet(to: string, from: string, kind: number, payload: Buffer): Buffer {
  return Buffer.concat([mac(to), mac(from), u16(kind), payload, Buffer.alloc(Math.max(0, 46 - payload.length))]);
}

/** An IPv4 packet with a UDP datagram in it, its checksum left out (RFC 768 allows that). */
export function udp(from: string, fromPort: number, to: string, toPort: number, data: Buffer): Buffer {
  const datagram = Buffer.concat([u16(fromPort, toPort, 8 + data.length, 0), data]);
  const header = Buffer.concat([
    u16(0x4500, 20 + datagram.length, 0x1234, 0x4000),
    Buffer.from([64, 17, 0, 0]),
    ip(from),
    ip(to),
  ]);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return Buffer.concat([header, datagram]);
}

/** An ARP answer (RFC 826): `address` is at `hardware`. */
export function arpReply(hardware: string, address: string, toHardware: string, toAddress: string): Buffer {
  return Buffer.concat([u16(1, 0x0800, 0x0604, 2), mac(hardware), ip(address), mac(toHardware), ip(toAddress)]);
}

/** A DHCP message (RFC 2131): 1 discover from `hardware`, or 2 an offer of `offered` by `server`. */
export function dhcp(
  kind: 1 | 2,
  transaction: number,
  hardware: string,
  offered = '0.0.0.0',
  server = '0.0.0.0',
): Buffer {
  const head = Buffer.alloc(236);
  head.set([kind, 1, 6, 0]);
  head.writeUInt32BE(transaction, 4);
  head.writeUInt16BE(0x8000, 10); // answer by broadcast
  ip(offered).copy(head, 16);
  mac(hardware).copy(head, 28);
  const identifier = kind === 2 ? [54, 4, ...ip(server)] : [];
  return Buffer.concat([head, Buffer.from([99, 130, 83, 99, 53, 1, kind, ...identifier, 255])]);
}
