// The agent's loop: look, run what differs, look again, until nothing differs; then the document is true and is reported so.
// Knows drivers only by their interface.
import { createBackoff, type Backoff } from '../lib/backoff.ts';
import type { Bell } from '../lib/bell.ts';
import type { Log } from '../lib/log.ts';
import type { InstanceStatus, NodeDocument, ReceiptReport, RouterStatus, ScanReport } from '../protocol/document.ts';
import type { HelperStatus } from '../protocol/helper.ts';
import type { TakenReport } from '../protocol/services.ts';
import type { Blame, Driver, Wait, Work } from './driver.ts';
import { runSteps, type StepLog } from './step.ts';

/** What came of a pass: what the report says. */
export interface Outcome {
  /** The document's generation; undefined while something of it is not true. */
  readonly realized: number | undefined;
  readonly error: string | undefined;
  readonly instances: readonly InstanceStatus[];
  readonly routers: readonly RouterStatus[];
  readonly receipts: readonly ReceiptReport[];
  readonly scans: readonly ScanReport[];
  readonly helpers: readonly HelperStatus[];
  readonly taken: readonly TakenReport[];
}

export interface Loop {
  /** Looks and acts until stopped. Calls `tell` after each pass. */
  run(document: () => NodeDocument | undefined, tell: (outcome: Outcome) => void, signal: AbortSignal): Promise<void>;
}

const AT_ONCE = 4;
/** A wait that lasts longer is an error to tell. */
const PATIENCE_MS = 5000;
/** How often to look when nothing is to be done: what somebody else changed on the node is put right within this. */
const IDLE_MS = 2000;
/** Passes in a row that may find something to do before it is called a fault. */
const MAX_BUSY = 30;

export function createLoop(drivers: readonly Driver[], bell: Bell, steps: StepLog, log: Log): Loop {
  const failing = new Map<string, { backoff: Backoff; until: number; error: string; blame: Blame | undefined }>();
  const waiting = new Map<string, number>();

  /** One pass over all drivers. */
  async function pass(
    document: NodeDocument,
  ): Promise<Outcome & { readonly ran: number; readonly waits: readonly Wait[] }> {
    const now = Date.now();
    const looks = await Promise.all(
      drivers.map((driver) => guard(driver.name, driver.name, () => driver.look(document, now))),
    );
    const plans = looks.filter((plan) => plan !== undefined);
    const work = plans.flatMap((plan) => plan.work);
    // A target that has nothing left to do has been put right, by us or by somebody else.
    const busy = new Set([...work.map(({ target }) => target), ...drivers.map(({ name }) => name)]);
    for (const target of failing.keys()) if (!busy.has(target)) failing.delete(target);
    const due = work.filter(({ target }) => (failing.get(target)?.until ?? 0) <= now);
    await inParallel(due, (one) => attempt(one, document));

    const waits = plans.flatMap((plan) => plan.waits);
    for (const what of waiting.keys()) if (!waits.some((wait) => wait.what === what)) waiting.delete(what);
    for (const { what } of waits) if (!waiting.has(what)) waiting.set(what, now);
    const long = waits.filter(({ what }) => now - waiting.get(what)! >= PATIENCE_MS);
    const instances = plans
      .flatMap((plan) => plan.instances)
      .map((status): InstanceStatus => {
        const error = status.error ?? errorOf(status.id) ?? long.find((wait) => blamed(wait) === status.id)?.what;
        return error === undefined ? status : { ...status, error };
      });
    const routers = plans
      .flatMap((plan) => plan.routers ?? [])
      .map((status): RouterStatus => {
        const error = status.error ?? errorOf(status.id);
        return error === undefined ? status : { ...status, error };
      });
    const helpers = plans
      .flatMap((plan) => plan.helpers ?? [])
      .map((status): HelperStatus => {
        const error = errorOf(status.id) ?? long.find((wait) => blamed(wait) === status.id)?.what;
        return error === undefined ? status : { ...status, error };
      });
    const error = [...failing.values()][0]?.error ?? long[0]?.what;
    // An instance or a network that is broken says so itself and holds up nobody else's.
    const broken = new Set(
      [...instances, ...routers, ...helpers].filter((status) => status.error !== undefined).map(({ id }) => id),
    );
    const apart = new Set([...failing].filter(([, { blame }]) => blame === 'itself').map(([target]) => target));
    const open = [
      ...work.filter(({ target }) => !apart.has(target)),
      ...waits.filter((wait) => !(wait.blame === 'itself' && long.includes(wait))),
      ...[...failing].map(([target, { blame }]) => ({ target, blame })).filter(({ target }) => !apart.has(target)),
    ];
    const settled = open.every((one) => broken.has(blamed(one)));
    const receipts = plans.flatMap((plan) => plan.receipts ?? []);
    const scans = plans.flatMap((plan) => plan.scans ?? []);
    const taken = plans.flatMap((plan) => plan.taken ?? []);
    const realized = settled ? document.generation : undefined;
    return { realized, error, instances, routers, receipts, scans, helpers, taken, waits, ran: due.length };
  }

  async function attempt(work: Work, document: NodeDocument): Promise<void> {
    const attempted = async (): Promise<true> => {
      await runSteps(work.steps, steps);
      return true;
    };
    const done = await guard(work.target, work.label, attempted, work.blame);
    const level = work.steps.every((step) => step.routine === true) ? 'debug' : 'info';
    log[level](
      { generation: document.generation, target: work.label, steps: work.steps.length, done: done === true },
      'steps run',
    );
  }

  /** What failed for an instance, a router or a helper. */
  function errorOf(id: string): string | undefined {
    return failing.get(id)?.error ?? [...failing.values()].find(({ blame }) => isId(blame) && blame.id === id)?.error;
  }

  /** Does it; a failure is noted with the target, which is left alone for a while, so that it starves no other. */
  async function guard<T>(
    target: string,
    label: string,
    action: () => Promise<T>,
    blame?: Blame,
  ): Promise<T | undefined> {
    try {
      const result = await action();
      failing.delete(target);
      return result;
    } catch (error) {
      const known = failing.get(target);
      const backoff = known?.backoff ?? createBackoff(100, 5000);
      const sentence = `${label}: ${(error as Error).message}`;
      failing.set(target, { backoff, until: Date.now() + backoff.next(), error: sentence, blame });
      if (known?.error !== sentence)
        log.error({ target: label, err: (error as Error).message }, 'failed; tried again later');
      return undefined;
    }
  }

  return {
    async run(document, tell, signal) {
      let busy = 0;
      while (!signal.aborted) {
        const current = document();
        if (current === undefined) {
          await bell.wait(IDLE_MS, signal);
          continue;
        }
        const outcome = await pass(current);
        busy = outcome.ran > 0 ? busy + 1 : 0;
        if (busy >= MAX_BUSY)
          tell({
            ...outcome,
            error: outcome.error ?? 'what was put right does not stay so: something else changes it back',
          });
        else tell(outcome);
        if (outcome.realized !== undefined) await bell.wait(IDLE_MS, signal);
        else if (outcome.ran === 0 || failing.size > 0 || busy >= MAX_BUSY)
          await bell.wait(pauseOf(outcome.waits), signal);
      }
    },
  };

  /** Short at first, since most waits are short; the bell cuts it anyway when OVS has news. */
  function pauseOf(waits: readonly Wait[]): number {
    const now = Date.now();
    const youngest = Math.max(...waits.map(({ what }) => waiting.get(what) ?? now), -Infinity);
    const next = Math.min(...[...failing.values()].map(({ until }) => until - now), 1000);
    const byWaits = waits.length === 0 ? 1000 : 25 + (now - youngest) / 10;
    return Math.max(20, Math.min(next, byWaits, 1000));
  }
}

function isId(blame: Blame | undefined): blame is Exclude<Blame, string> {
  return blame !== undefined && blame !== 'itself';
}

/** Whose error it is. */
function blamed({ target, blame }: Pick<Work, 'target'> & { readonly blame?: Blame | undefined }): string {
  return isId(blame) ? blame.id : target;
}

async function inParallel<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await action(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
