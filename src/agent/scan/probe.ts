// Whether a card reaches a host behind a member of its network, and what is missing where not: asked by frames in the card's name,
// and, the other way round, by frames to the card in the name of the host. What comes back is watched at the card's own port.
import { sleep } from '../../lib/sleep.ts';
import type { ProbeReport, ProbeSpec } from '../../protocol/document.ts';
import { ask, echo } from '../announce/frame.ts';
import { type Sight, watch } from '../announce/sight.ts';
import type { Send } from '../announce/verify.ts';

export interface ProbeWays {
  /** Device of the card's port. */
  readonly port: string;
  /** Sends frames as the card: through all rules that hold for it. */
  readonly asCard: Send;
  /** Hands frames to the card. */
  readonly toCard: Send;
}

const EVERY_MS = 150;
/** A router that finds nobody in its last network says so after three seconds (Linux asks three times, a second each). */
const LONGEST_MS = 3500;
/** A neighbour that has not answered by then will not; and who answers the host may have to ask for its gateway's MAC first. */
const NEAR_MS = 1200;

/** What was seen so far. Pure, so that it can be tested without a network. */
export function probeSights(spec: Pick<ProbeSpec, 'from' | 'via' | 'target'>): {
  see(sight: Sight): void;
  report(): ProbeReport;
} {
  const { from, via, target } = spec;
  let viaMac: string | undefined;
  let unreachableBy: string | undefined;
  let cardSendsTo: string | undefined;
  const answers = { via: false, target: false, card: false };
  return {
    see(sight) {
      if (sight.kind === 'arp') {
        if (sight.ip === via) viaMac = sight.mac;
      } else if (sight.kind === 'unreachable') {
        if (sight.to === from && sight.host === target) unreachableBy = sight.by;
      } else if (sight.to === from) {
        if (sight.from === via) answers.via = true;
        if (sight.from === target) answers.target = true;
      } else if (sight.from === from) {
        if (sight.to === via) answers.card = true;
        if (sight.to === target) cardSendsTo = sight.toMac;
      }
    },
    report: () => ({
      ...(viaMac === undefined ? {} : { viaMac }),
      viaAnswers: answers.via,
      targetAnswers: answers.target,
      // A host that answers in the end was only slow to be found.
      ...(unreachableBy === undefined || answers.target ? {} : { unreachableBy }),
      cardAnswers: answers.card,
      ...(cardSendsTo === undefined ? {} : { cardSendsTo }),
    }),
  };
}

/** Asks until all is known, or some seconds have gone. Throws a sentence where nothing can be watched. */
export async function probe(spec: ProbeSpec, ways: ProbeWays, signal: AbortSignal): Promise<ProbeReport> {
  const { mac, from, via, target } = spec;
  const { see, report } = probeSights(spec);
  const watching = await watch(ways.port, `(arp and src host ${via}) or (icmp and host ${from})`, see);
  let sequence = 0;
  const next = (): number => ++sequence & 0xffff;
  try {
    const began = Date.now();
    for (let passed = 0; passed < LONGEST_MS && !signal.aborted; passed = Date.now() - began) {
      const { viaMac, ...known } = report();
      const cardKnown = known.cardSendsTo !== undefined || passed > NEAR_MS;
      if (cardKnown && (viaMac === undefined || known.targetAnswers || known.unreachableBy !== undefined)) break;
      if (viaMac === undefined) await ways.asCard([ask(mac, from, via)]);
      else {
        await ways.asCard([via, target].map((to) => echo(mac, from, viaMac, to, next())));
        await ways.toCard([via, target].map((asker) => echo(viaMac, asker, mac, from, next())));
      }
      await sleep(EVERY_MS, signal);
    }
  } finally {
    watching.close();
  }
  return report();
}
