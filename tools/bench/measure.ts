// Timing for the bench: medians of many runs, and how they are printed. Absolute times on shared machines mean little; what counts
// is a ratio of two figures of one run.

export interface Figures {
  readonly p50: number;
  readonly p95: number;
  readonly runs: number;
}

/** Milliseconds of each of `runs` runs, one after the other. */
export async function timed(runs: number, work: (run: number) => Promise<unknown>): Promise<Figures> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    await work(run);
    times.push(performance.now() - began);
  }
  return figures(times);
}

export function figures(times: readonly number[]): Figures {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p95: at(0.95), runs: sorted.length };
}

/** Runs `total` pieces of work by `workers` at once; gives pieces a second. */
export async function rate(workers: number, total: number, work: (piece: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (next < total) await work(next++);
    }),
  );
  return (total * 1000) / (performance.now() - began);
}

export interface Row {
  readonly what: string;
  readonly value: string;
  /** What the figure is meant to be. */
  readonly aim?: string;
  readonly held?: boolean;
}

export function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

export function print(rows: readonly Row[]): void {
  const width = Math.max(...rows.map((row) => row.what.length));
  const values = Math.max(...rows.map((row) => row.value.length));
  for (const { what, value, aim, held } of rows) {
    const verdict = held === undefined ? '' : held ? '  held' : '  MISSED';
    process.stdout.write(
      `${what.padEnd(width)}  ${value.padStart(values)}${aim === undefined ? '' : `   aim ${aim}${verdict}`}\n`,
    );
  }
}
