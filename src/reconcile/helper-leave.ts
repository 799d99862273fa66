// Helpers that are needed no more: what OVN has of them outlives the need by some seconds, so that the last words of their programs,
// which the nodes end at once, reach both ends of every connection. Apart from the loop because it remembers; a restart forgets it.
import type { GuestNetwork, Intent, UnitKey, Vpc } from '../model/intent.ts';
import { helpedRouters } from './helper-documents.ts';

/** Milliseconds in which a node has its document and has ended what ran. */
const LEAVE_MS = 5_000;

export interface Leaves {
  /** The intent as it is to be compiled. `now`: milliseconds; absent: nobody's time is over yet. */
  of(intent: Intent, now?: number): Intent;
  /** Milliseconds until somebody's time is over; undefined: nobody leaves. */
  due(now: number): number | undefined;
}

export function createLeaves(): Leaves {
  let needed: ReadonlySet<UnitKey> = new Set();
  /** Absent: its time begins with the next pass that has one. */
  const until = new Map<UnitKey, number | undefined>();
  const leaving = new WeakMap<Vpc | GuestNetwork, Vpc | GuestNetwork>();

  /** The same object for the same unit: the compiler remembers by it. */
  function stillThere<T extends Vpc | GuestNetwork>(owner: T): T {
    const { publicSide } = owner;
    if (publicSide === undefined) return owner;
    const known = leaving.get(owner) ?? { ...owner, publicSide: { ...publicSide, helperLeaves: true as const } };
    leaving.set(owner, known);
    return known as T;
  }

  return {
    of(intent, now) {
      const before = needed;
      needed = helpedRouters(intent);
      for (const key of before.difference(needed)) until.set(key, undefined);
      for (const [key, at] of until) {
        if (needed.has(key) || (now !== undefined && at !== undefined && at <= now)) until.delete(key);
        else if (now !== undefined && at === undefined) until.set(key, now + LEAVE_MS);
      }
      if (until.size === 0) return intent;
      const vpcs = new Map(intent.vpcs);
      const networks = new Map(intent.networks);
      for (const key of until.keys()) {
        const id = key.slice(key.indexOf(':') + 1);
        const vpc = vpcs.get(id);
        const network = networks.get(id);
        if (vpc !== undefined) vpcs.set(id, stillThere(vpc));
        if (network?.kind === 'guest') networks.set(id, stillThere(network));
      }
      return { ...intent, vpcs, networks };
    },
    due(now) {
      if (until.size === 0) return undefined;
      return Math.max(0, Math.min(...[...until.values()].map((at) => at ?? now)) - now);
    },
  };
}
