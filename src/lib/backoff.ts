// How long to wait before the next try at a target that failed: doubling, with a ceiling, a little random.

export interface Backoff {
  /** Milliseconds to wait now; longer each time until {@link reset}. */
  next(): number;
  /** The target answered: start small again. */
  reset(): void;
}

export function createBackoff(firstMs = 100, ceilingMs = 10_000, random: () => number = Math.random): Backoff {
  let current = firstMs;
  return {
    next() {
      const wait = current * (0.75 + random() * 0.5);
      current = Math.min(current * 2, ceilingMs);
      return Math.round(wait);
    },
    reset() {
      current = firstMs;
    },
  };
}
