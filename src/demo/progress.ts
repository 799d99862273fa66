// What the demo prints: lines with the time since its start, tables, and the verdict on each expectation.

export interface Progress {
  /** A line of progress, with the seconds since the start. */
  step(text: string): void;
  /** Plain text, such as a table. */
  text(text: string): void;
}

/** Prints to `write`; `now` is in milliseconds. */
export function createProgress(write: (line: string) => void, now: () => number = () => performance.now()): Progress {
  const began = now();
  return {
    step(text) {
      write(`[${((now() - began) / 1000).toFixed(1).padStart(6)} s] ${text}`);
    },
    text(text) {
      write(text);
    },
  };
}

/** Columns side by side, two spaces between them. */
export function columns(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) => `${indent}${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd()).join('\n');
}
