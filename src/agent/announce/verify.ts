// Asks an upstream whether it learnt where addresses are now. An echo request in an address's name is answered to the MAC the upstream has
// for it: seen at the card's own port it has learnt; seen at the uplink with another MAC, or not at all while other addresses of the card
// are answered, it keeps an older entry.
import { sleep } from '../../lib/sleep.ts';
import type { ReceiptReport } from '../../protocol/document.ts';
import { ask, echo } from './frame.ts';
import { type Sight, type Watch, answersOf, watch } from './sight.ts';

export interface Question {
  readonly mac: string;
  readonly upstream: string;
  /** The addresses that moved. */
  readonly addresses: readonly string[];
  /** Another address of the same card, which did not move: shows whether the upstream answers echo requests at all. */
  readonly control?: string;
  /** Device of the card's port. */
  readonly port: string;
  /** Devices that lead out of the node, where answers to other MACs may pass. */
  readonly uplinks: readonly string[];
}

export interface Finding {
  readonly verdict: NonNullable<ReceiptReport['verdict']>;
  readonly answeredBy?: string;
  /** When the upstream's first answer to that MAC passed, in milliseconds since 1970. */
  readonly at?: number;
}

/** Sends frames as the card. */
export type Send = (frames: readonly string[]) => Promise<void>;

/** What has been seen so far: pure, so that the verdict can be tested without a network. */
export interface Seen {
  /** MAC of the upstream itself; undefined while it has answered no ARP. */
  readonly upstreamMac: string | undefined;
  /** Address -> the answers to it, oldest first. */
  readonly echoes: ReadonlyMap<string, readonly { readonly toMac: string; readonly at: number }[]>;
}

/** Often at first: an answer takes a millisecond, and how long it took is told. */
const EVERY_MS = 40;
/** How long the card's own port is watched before it is looked elsewhere. */
const FIRST_MS = 400;
const SECOND_MS = 800;

/** What is to be said of one address, as far as it was seen. */
export function judge(address: string, question: Pick<Question, 'mac' | 'control'>, seen: Seen): Finding {
  const answers = seen.echoes.get(address) ?? [];
  const right = answers.find(({ toMac }) => toMac === question.mac);
  // An entry that changes while we watch is a late one, not a stale one: the newest answer counts.
  const last = answers.at(-1);
  if (right !== undefined && last?.toMac === question.mac)
    return { verdict: 'learnt', answeredBy: question.mac, at: right.at };
  if (last !== undefined) return { verdict: 'stale', answeredBy: last.toMac, at: last.at };
  const answersOthers =
    question.control !== undefined &&
    (seen.echoes.get(question.control) ?? []).some(({ toMac }) => toMac === question.mac);
  if (answersOthers) return { verdict: 'stale' };
  return { verdict: seen.upstreamMac === undefined ? 'silent' : 'mute' };
}

/** Asks until every address is known to be learnt, or a second and a bit has gone. Throws a sentence where nothing can be watched. */
export async function verify(
  question: Question,
  send: Send,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Finding>> {
  const { mac, upstream, addresses, control } = question;
  const echoes = new Map<string, { toMac: string; at: number }[]>();
  let upstreamMac: string | undefined;
  const see = (sight: Sight): void => {
    if (sight.kind === 'arp') {
      if (sight.ip === upstream) upstreamMac = sight.mac;
    } else if (sight.kind === 'echo' && sight.from === upstream) {
      const known = echoes.get(sight.to) ?? [];
      echoes.set(sight.to, [...known, { toMac: sight.toMac, at: sight.at }]);
    }
  };
  const findings = (): Map<string, Finding> =>
    new Map(addresses.map((address) => [address, judge(address, question, { upstreamMac, echoes })]));
  const learnt = (): boolean => [...findings().values()].every(({ verdict }) => verdict === 'learnt');
  let sequence = 0;
  const round = async (): Promise<void> => {
    const known = upstreamMac;
    const who = [...addresses, ...(control === undefined ? [] : [control])];
    const frames =
      known === undefined
        ? addresses.map((address) => ask(mac, address, upstream))
        : who.map((address) => echo(mac, address, known, upstream, ++sequence & 0xffff));
    await send(frames);
  };
  const watches: Watch[] = [];
  try {
    watches.push(await watch(question.port, answersOf(upstream), see));
    await askFor(FIRST_MS);
    if (!learnt() && upstreamMac !== undefined) {
      for (const uplink of question.uplinks) watches.push(await watch(uplink, answersOf(upstream), see));
      await askFor(SECOND_MS);
    }
  } finally {
    for (const one of watches) one.close();
  }
  return findings();

  async function askFor(ms: number): Promise<void> {
    for (const until = Date.now() + ms; Date.now() < until && !learnt() && !signal.aborted;) {
      await round();
      await sleep(EVERY_MS, signal);
    }
  }
}
