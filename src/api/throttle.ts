// Counts failures per name and address, and says when it is too many: guessing gets slow before it gets anywhere.
// In memory only: a restart forgives, the lock on the user (kept in the database) does not.
import { refuse } from './error.ts';

export interface Throttle {
  /** Refuses with 429 while this key has failed too often. */
  check(key: string): void;
  fail(key: string): void;
  /** Forgets the failures of this key. */
  succeed(key: string): void;
  /** Takes one failure back that was none. */
  excuse(key: string): void;
}

/** More keys than this at once are an attack by themselves; the oldest are forgotten. */
const MAX_KEYS = 10_000;

/** At most `limit` failures in `windowMs`. */
export function createThrottle(limit: number, windowMs: number, now: () => number = Date.now): Throttle {
  const failures = new Map<string, { count: number; since: number }>();
  const current = (key: string): { count: number; since: number } | undefined => {
    const entry = failures.get(key);
    if (entry === undefined || now() - entry.since < windowMs) return entry;
    failures.delete(key);
    return undefined;
  };
  return {
    check(key) {
      const entry = current(key);
      if (entry === undefined || entry.count < limit) return;
      const waitMs = entry.since + windowMs - now();
      throw refuse('throttled', `Too many failed attempts from here, please retry after ${waitMs} ms.`);
    },
    fail(key) {
      const entry = current(key);
      if (entry !== undefined) entry.count += 1;
      else {
        if (failures.size >= MAX_KEYS) failures.delete(failures.keys().next().value!);
        failures.set(key, { count: 1, since: now() });
      }
    },
    succeed(key) {
      failures.delete(key);
    },
    excuse(key) {
      const entry = current(key);
      if (entry === undefined) return;
      entry.count -= 1;
      if (entry.count === 0) failures.delete(key);
    },
  };
}
