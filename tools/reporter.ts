// What ./check shows of a test run: nothing of what passed, everything of what failed, a line of sums, and the files that took
// longest where they took minutes. The sums go to the file that TRUNKLINE_COUNTS names too, one line a run, so that ./check can
// add them up, and the files in which something failed to the one that TRUNKLINE_FAILED names.
import { appendFileSync, writeFileSync } from 'node:fs';
import type { TestEvent } from 'node:test/reporters';
import { basename, relative } from 'node:path';

/** A reporter for `node --test --test-reporter`. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failed: string[] = [];
  const files = new Set<string>();
  const slow: { name: string; seconds: number }[] = [];
  for await (const event of events) {
    if (event.type === 'test:fail') {
      const { name, details, file, line, todo } = event.data;
      // A suite, or a file, fails because a test in it did: that one is told already.
      const cause = details.error.cause;
      if (todo !== undefined || isEcho(details.error)) continue;
      const place = file === undefined ? '' : ` (${relative(process.cwd(), file)}:${line ?? 0})`;
      failed.push(name);
      files.add(file ?? name);
      yield `\n  FAILED ${name}${place}\n${indent(describe(cause ?? details.error))}\n`;
    } else if (event.type === 'test:stderr') {
      yield indent(event.data.message.trimEnd()) + '\n';
    } else if (event.type === 'test:summary' && event.data.file !== undefined) {
      slow.push({ name: basename(event.data.file, '.test.ts'), seconds: Math.round(event.data.duration_ms / 1000) });
    } else if (event.type === 'test:summary') {
      const { passed, tests, skipped } = event.data.counts;
      const missed = tests - passed - skipped - event.data.counts.todo;
      // A file that could not even be loaded counts as no test: it must not count as success either.
      const lost = event.data.success || missed > 0 ? missed : 1;
      const file = process.env['TRUNKLINE_COUNTS'];
      if (file !== undefined) appendFileSync(file, `${passed} ${lost}\n`);
      const seconds = (event.data.duration_ms / 1000).toFixed(1);
      yield `  ${passed} passed, ${lost} failed${skipped > 0 ? `, ${skipped} skipped` : ''} in ${seconds} s\n`;
      if (event.data.duration_ms > 120_000) yield `  longest: ${longest(slow)}\n`;
    }
  }
  const list = process.env['TRUNKLINE_FAILED'];
  if (list !== undefined) writeFileSync(list, [...files].map((file) => `${file}\n`).join(''));
  if (failed.length > 0) yield `  failed: ${failed.join('; ')}\n`;
}

function longest(files: readonly { name: string; seconds: number }[]): string {
  return files
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, Number(process.env['TRUNKLINE_LONGEST'] ?? 8))
    .map(({ name, seconds }) => `${name} ${seconds} s`)
    .join(', ');
}

function isEcho(error: Error & { failureType?: string }): boolean {
  return error.failureType === 'subtestsFailed';
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}
