// How close passes follow each other. A change alone is compiled at once; where changes pour in, each pass would make OVN compute all
// of it again for a few of them, and what asks for the changes waits for the processor that takes.

/** Passes in a row that found changes, until it counts as a stream. */
const FEW = 3;
const STEP_MS = 20;
const MOST_MS = 200;

export interface Pace {
  /** After a pass: milliseconds to leave until the next. `found`: it had changes to compile. */
  after(found: boolean): number;
}

export function createPace(): Pace {
  let row = 0;
  return {
    after(found) {
      row = found ? row + 1 : 0;
      return Math.min(MOST_MS, Math.max(0, row - FEW) * STEP_MS);
    },
  };
}
