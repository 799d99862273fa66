// How much one network may ask for: a bucket of tokens that fills with time, so that nobody's instances take the node's attention away
// from everybody else's.

export interface Limit {
  /** Whether one more is within the limit; counts it when it is. */
  takes(now: number): boolean;
}

/** `perSecond` in the long run, `burst` at once. Times are in milliseconds. */
export function createLimit(perSecond: number, burst: number): Limit {
  let tokens = burst;
  let last: number | undefined;
  return {
    takes(now) {
      tokens = Math.min(burst, tokens + (Math.max(0, now - (last ?? now)) * perSecond) / 1000);
      last = now;
      if (tokens < 1) return false;
      tokens--;
      return true;
    },
  };
}
