// Brings the northbound database to the desired state: plan, commit, remember; one transaction in flight, calls that come
// meanwhile answered together by the next. Also the ear that hears when somebody else touches a row of ours.
import type { Desired } from '../compile/desired.ts';
import type { Log } from '../lib/log.ts';
import type { Client } from './client.ts';
import { FormError } from './codec.ts';
import type { DriftEntry } from './drift.ts';
import { differences, isMarked } from './ownership.ts';
import type { Change } from './change.ts';
import { planNorthbound, type FailedUnit, type Plan } from './plan.ts';
import type { RowChange } from './replica.ts';
import { stepsOf, type Step } from './steps.ts';
import { commit, FenceMovedError, generationOf, globalRow, TransactionError } from './transact.ts';
import { createWritten } from './written.ts';

export interface ApplyResult {
  /**
   * The nb_cfg that covers everything written so far; undefined when nothing had to be written and the value returned before
   * still stands. The first answer of a process, and one after a lost connection, always has it.
   */
  readonly nbCfg: number | undefined;
  /** Rows inserted, updated or deleted. */
  readonly writes: number;
  readonly touchedUnits: ReadonlySet<string>;
  /** What an engineer would have typed. Computed when read. */
  readonly steps: readonly Step[];
  /** What somebody else had changed and was put back. */
  readonly drift: readonly DriftEntry[];
  /** Units the database (or their own rows) refused; everything else has been written. Tried again at each apply. */
  readonly failed: readonly FailedUnit[];
}

export interface Writer {
  apply(desired: Desired, full: boolean): Promise<ApplyResult>;
  /** Sends a barrier that covers everything before it, though nothing is to be written; gives its nb_cfg. */
  barrier(): Promise<number>;
  onForeignChange(listener: () => void): () => void;
}

interface Round {
  desired: Desired;
  full: boolean;
  readonly callers: PromiseWithResolvers<ApplyResult>[];
}

export interface WriterOptions {
  readonly client: Client;
  /** The lowest nb_cfg a new transaction may take. */
  readonly nbCfgFloor: () => number;
  readonly log: Log;
}

export function createWriter({ client, nbCfgFloor, log }: WriterOptions): Writer {
  const { replica } = client;
  const written = createWritten();
  const listeners = new Set<() => void>();
  const ring = (): void => {
    for (const listener of listeners) listener();
  };
  let suspects = new Map<string, string>();
  let heard: RowChange[] | undefined; // changes that arrive while a transaction is in flight: ours among them
  let owed = true; // the next answer must name an nb_cfg even if it writes nothing
  let leftAt = 0; // the generation we last wrote
  let lastNbCfg = 0; // the highest nb_cfg we have answered with
  let newest: Desired | undefined;
  let next: Round | undefined;
  let busy = false;

  const nbCfgShown = (): number | undefined => {
    const row = globalRow(replica);
    return row === undefined ? undefined : (row.nb_cfg ?? 0);
  };

  /** Whether a row of ours is not as we left it, or a row has come that carries our mark. */
  const isTouched = (table: string, uuid: string): boolean => {
    const type = replica.schema.tables[table];
    const row = replica.table(table).get(uuid);
    const known = written.rows.get(uuid);
    if (known === undefined) return type?.isRoot === true && isMarked(row);
    if (row === undefined || type === undefined) return true;
    // A server that came back older may lack columns we had written: the plan will say so.
    const lacking = Object.keys(known.row.columns).some((column) => !Object.hasOwn(type.columns, column));
    return lacking || differences(known.row, type, row).length > 0;
  };

  const suspect = (changes: readonly RowChange[]): void => {
    if (written.units === undefined) return; // everything will be compared anyway
    for (const { table, uuid } of changes) if (isTouched(table, uuid)) suspects.set(uuid, table);
    if (suspects.size > 0) ring();
  };
  replica.onChange((changes) => {
    if (heard === undefined) suspect(changes);
    else heard.push(...changes);
  });
  client.onSynced(() => {
    owed = true;
    if (generationOf(replica) < leftAt) {
      log.warn(
        { generation: generationOf(replica), left: leftAt },
        'the northbound database came back older than we left it: writing everything again',
      );
      written.forget();
      suspects.clear();
      leftAt = 0;
    }
    ring();
  });

  /** Commits the changes of some units; when the database refuses them, finds by halving which units are to blame. */
  const commitUnits = async (
    units: readonly string[],
    plan: Plan,
    failed: FailedUnit[],
  ): Promise<number | undefined> => {
    const among = new Set(units);
    const changes = plan.changes.filter((change) => among.has(change.unit));
    try {
      const nbCfg = await commit(client, changes, plan.generation, Math.max(nbCfgFloor(), lastNbCfg + 1));
      lastNbCfg = Math.max(lastNbCfg, nbCfg);
      leftAt = plan.generation;
      return nbCfg;
    } catch (error) {
      // What is not the client's trouble (a lost connection, a fence) is in the units: a refusal, or a value of the wrong form.
      if (!(error instanceof TransactionError || error instanceof FormError)) throw error;
      if (units.length === 1) {
        failed.push({ unit: units[0]!, error: error.message });
        return undefined;
      }
      const half = Math.ceil(units.length / 2);
      const left = await commitUnits(units.slice(0, half), plan, failed);
      const right = await commitUnits(units.slice(half), plan, failed);
      return right ?? left;
    }
  };

  const turn = async ({ desired, full }: Round): Promise<ApplyResult> => {
    if (!client.connected()) await client.transact([]); // rejects, and says why
    const under = suspects;
    suspects = new Map();
    const plan = planNorthbound(desired, replica, written, full ? 'full' : under);
    const failed = [...plan.failed];
    let nbCfg: number | undefined;
    heard = [];
    try {
      if (plan.touchedUnits.size > 0) nbCfg = await commitUnits([...plan.touchedUnits], plan, failed);
      if (nbCfg !== undefined) await shows((shown) => (shown ?? 0) >= nbCfg!);
      failed.push(...vanished(plan.changes, failed));
      const bad = new Set(failed.map(({ unit }) => unit));
      const { fresh, gone } = plan.units;
      written.accept(
        fresh.filter(({ key }) => !bad.has(key)),
        gone.filter((key) => !bad.has(key)),
      );
      for (const { uuid, table, unit } of plan.changes) if (bad.has(unit)) suspects.set(uuid, table);
    } catch (error) {
      owed = true;
      for (const [uuid, table] of under) suspects.set(uuid, table);
      throw error;
    } finally {
      const changes = heard;
      heard = undefined;
      suspect(changes);
    }
    if (nbCfg === undefined && owed) nbCfg = nbCfgShown() ?? 0;
    owed = false;
    return answer(plan, failed, nbCfg);
  };

  const answer = (plan: Plan, failed: readonly FailedUnit[], nbCfg: number | undefined): ApplyResult => {
    const bad = new Set(failed.map(({ unit }) => unit));
    const done = plan.changes.filter(({ unit }) => !bad.has(unit));
    const writes = done.filter(({ kind }) => kind !== 'drop').length;
    let steps: readonly Step[] | undefined;
    if (writes > 0)
      log.info(
        { generation: plan.generation, nbCfg, writes, units: plan.touchedUnits.size },
        'northbound database written',
      );
    return {
      nbCfg,
      writes,
      touchedUnits: plan.touchedUnits,
      drift: plan.drift.filter(({ unit }) => !bad.has(unit)),
      failed,
      get steps() {
        return (steps ??= stepsOf(done, replica));
      },
    };
  };

  /**
   * Waits until the replica shows the nb_cfg. The server tells a client of its own changes before it answers (RFC 7047
   * §4.1.6), so this is immediate but for the followers of a cluster, and for what others wrote.
   */
  const shows = async (expected: (nbCfg: number | undefined) => boolean): Promise<void> => {
    const holds = (): boolean => expected(nbCfgShown());
    if (holds()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = replica.onChange(() => {
      if (holds()) resolve();
    });
    const timer = setTimeout(
      () =>
        reject(new Error('the northbound database does not tell of changes it has taken; still waiting after 10 s')),
      10_000,
    );
    await promise.finally(() => {
      clearTimeout(timer);
      stop();
    });
  };

  /** Rows of non-root tables that the database threw away at once because no row refers to them. */
  const vanished = (changes: readonly Change[], failed: readonly FailedUnit[]): FailedUnit[] => {
    const bad = new Set(failed.map(({ unit }) => unit));
    return changes
      .filter(({ kind, table, uuid, unit }) => kind === 'insert' && !bad.has(unit) && !replica.table(table).has(uuid))
      .map(({ table, uuid, unit }) => ({
        unit,
        error: `${table} ${uuid} was discarded by the database: no row refers to it`,
      }));
  };

  const work = async (): Promise<void> => {
    busy = true;
    await Promise.resolve(); // calls made in one go share one round
    while (next !== undefined) {
      const round = next;
      next = undefined;
      try {
        const result = await retried(() => turn(round));
        for (const { resolve } of round.callers) resolve(result);
      } catch (error) {
        for (const { reject } of round.callers) reject(error);
      }
    }
    busy = false;
  };

  /** Tries again when somebody else wrote to the database between our look and our transaction. */
  const retried = async <T>(attempt: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      const before = nbCfgShown();
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof FenceMovedError) || tries === 5) throw error;
        await shows((shown) => shown !== before);
      }
    }
  };

  return {
    apply(desired, full) {
      const caller = Promise.withResolvers<ApplyResult>();
      if (newest === undefined || desired.generation >= newest.generation) newest = desired;
      next ??= { desired: newest, full, callers: [] };
      next.desired = newest;
      next.full ||= full;
      next.callers.push(caller);
      if (!busy) void work();
      return caller.promise;
    },
    async barrier() {
      // Nothing may have been written yet by this process: then what it was last asked for counts, not what it left.
      const generation = newest?.generation ?? generationOf(replica);
      const nbCfg = await retried(() => commit(client, [], generation, Math.max(nbCfgFloor(), lastNbCfg + 1)));
      leftAt = generation;
      lastNbCfg = Math.max(lastNbCfg, nbCfg);
      await shows((shown) => (shown ?? 0) >= nbCfg);
      return nbCfg;
    },
    onForeignChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
