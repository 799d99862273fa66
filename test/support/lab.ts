// A lab of a test's own: in a folder of its own, ended and removed with the test.
import { mkdtempSync, rmSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type Lab, type LabOptions, startLab } from '../../src/lab/start.ts';
import { sleep } from '../../src/lib/sleep.ts';

export interface TestLab extends Lab {
  readonly state: string;
}

/** Anything a clean-up can be tied to: a test, or a suite's `after`. */
export type Scope = Pick<TestContext, 'after'> | { after(work: () => Promise<void>): void };

const stacks = new WeakMap<Scope, (() => Promise<void>)[]>();

/** Does `work` after the test, the last one registered first: what was made last is undone first. */
export function afterwards(scope: Scope, work: () => Promise<void>): void {
  const stack = stacks.get(scope);
  if (stack !== undefined) {
    stack.push(work);
    return;
  }
  const own = [work];
  stacks.set(scope, own);
  scope.after(async () => {
    for (const each of own.toReversed()) await each();
  });
}

/** A short-named folder in /tmp (unix socket paths are limited), removed after the test. */
export function temporaryState(scope: Scope): string {
  const state = mkdtempSync('/tmp/tl-');
  afterwards(scope, () => Promise.resolve(rmSync(state, { recursive: true, force: true, maxRetries: 5 })));
  return state;
}

/** Starts a lab; without agents unless asked for. */
export async function labForTest(scope: Scope, options: Partial<LabOptions> = {}): Promise<TestLab> {
  const state = options.state ?? temporaryState(scope);
  const lab = await startLab({ agents: false, ...options, state });
  afterwards(scope, () => lab.stop());
  return { ...lab, state };
}

/** Waits until `look` answers something, and returns it. Throws, naming `what`, when it has not within `ms`. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  ms = 10_000,
): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(20);
  }
}
