// How much one network may ask for, and one address in it: buckets of tokens that fill with time, so that nobody's instances take the
// node's attention away from everybody else's, nor one instance its neighbours'.

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

export interface SharedLimit {
  /** Whether one more of this source is within its share, and within that of all; counts it when it is. */
  takes(source: string, now: number): boolean;
}

/** Sources that are remembered; beyond, those that asked longest ago are as if they had never asked. */
const REMEMBERED = 4096;

/** A limit for all, and a smaller one for each source: who is beyond his own takes nothing of the others'. Each is per second, and at once. */
export function createSharedLimit(all: readonly [number, number], each: readonly [number, number]): SharedLimit {
  const common = createLimit(...all);
  const sources = new Map<string, Limit>();
  return {
    takes(source, now) {
      const own = sources.get(source) ?? createLimit(...each);
      sources.delete(source);
      sources.set(source, own);
      if (sources.size > REMEMBERED) sources.delete(sources.keys().next().value!);
      return own.takes(now) && common.takes(now);
    },
  };
}

export interface Slots {
  /** Does it if there is room, for the source and at all; undefined: there is none. */
  use<T>(source: string, action: () => Promise<T>): Promise<T | undefined>;
}

/** So many things at once, and so many of each source. */
export function createSlots(all: number, each: number): Slots {
  let open = 0;
  const sources = new Map<string, number>();
  return {
    async use(source, action) {
      const own = sources.get(source) ?? 0;
      if (open >= all || own >= each) return undefined;
      open++;
      sources.set(source, own + 1);
      try {
        return await action();
      } finally {
        open--;
        const left = sources.get(source)! - 1;
        if (left === 0) sources.delete(source);
        else sources.set(source, left);
      }
    },
  };
}
