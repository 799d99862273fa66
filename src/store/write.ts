// The one way to change the state. Changes queue up and share one transaction on disk (group commit), each in a savepoint
// of its own: one that throws leaves no trace and does not disturb its neighbours. A change that touches the network gets
// a generation, and rings the bell once it is safe on disk.
import { setImmediate } from 'node:timers/promises';
import { type Insertable, type Kysely, type Transaction, type Updateable, sql } from 'kysely';
import { INTENT_TABLES, type IntentTable, type ObjectTable, type Tables } from './schema.ts';

/** What a change may do: read, and write rows in ways that note what was touched. */
export interface Tx {
  /** For reading inside the change, and for tables that are no intent (jobs, events, sessions, tags). */
  readonly db: Transaction<Tables>;
  insert<T extends keyof Tables>(table: T, row: Insertable<Tables[T]>): Promise<void>;
  update<T extends ObjectTable>(table: T, id: string, patch: Updateable<Tables[T]>): Promise<void>;
  remove(table: ObjectTable, id: string): Promise<void>;
  /** Notes that an object must be looked at again though its row is the same. */
  touch(table: IntentTable, id: string): Promise<void>;
  /** The next number of a counter, never given twice; the last of `count` of them. */
  next(counter: 'generation' | 'instance' | 'event', count?: number): Promise<number>;
  /** The generation of this change; the first call draws it. */
  generation(): Promise<number>;
  /** Whether anything of the intent was touched so far. */
  touched(): boolean;
}

export interface Writer {
  /** Runs `change` and resolves after it is safe on disk. What it throws is thrown here, and nothing of it is kept. */
  <T>(change: (tx: Tx) => Promise<T>): Promise<T>;
  /** Called after each commit that drew a generation: it touched the intent, or somebody waits for it. */
  onChange(listener: () => void): void;
  /** Resolves when nothing is queued. */
  idle(): Promise<void>;
}

interface Queued {
  readonly change: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** More would make the first of a batch wait long for the last. */
const BATCH = 64;

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: unknown };

/** `lock`: run first in each transaction, where a standby shares the database. The bell rings in this process alone. */
export function createWriter(db: Kysely<Tables>, lock?: (tx: Transaction<Tables>) => Promise<void>): Writer {
  const queue: Queued[] = [];
  const listeners: (() => void)[] = [];
  let running: Promise<void> | undefined;

  async function runBatch(batch: readonly Queued[]): Promise<void> {
    const outcomes: Outcome[] = [];
    let drew = false;
    try {
      await db.transaction().execute(async (transaction) => {
        await lock?.(transaction);
        for (const { change } of batch) {
          await sql`savepoint one`.execute(transaction);
          const tx = createTx(transaction);
          try {
            const value = await change(tx);
            await sql`release savepoint one`.execute(transaction);
            outcomes.push({ ok: true, value });
            drew ||= tx.drew();
          } catch (reason) {
            await sql`rollback to savepoint one`.execute(transaction);
            await sql`release savepoint one`.execute(transaction);
            outcomes.push({ ok: false, reason });
          }
        }
      });
    } catch (reason) {
      for (const { reject } of batch) reject(reason);
      return;
    }
    if (drew) for (const listener of listeners) listener();
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[index]!;
      if (outcome.ok) resolve(outcome.value);
      else reject(outcome.reason);
    }
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      // SQLite answers at once, and so nothing new is heard while a batch runs: first everybody who has come by now.
      await setImmediate();
      await runBatch(queue.splice(0, BATCH));
    }
    running = undefined;
  }

  const writer = <T>(change: (tx: Tx) => Promise<T>): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    queue.push({ change, resolve, reject });
    running ??= drain();
    return promise as Promise<T>;
  };
  return Object.assign(writer, {
    onChange: (listener: () => void) => void listeners.push(listener),
    idle: async () => {
      await running;
    },
  });
}

const isIntent = new Set<string>(INTENT_TABLES);

function createTx(db: Transaction<Tables>): Tx & { drew(): boolean } {
  let generation: number | undefined;
  const noted = new Set<string>();

  async function next(counter: 'generation' | 'instance' | 'event', count = 1): Promise<number> {
    const row = await db
      .updateTable('counter')
      .set((eb) => ({ value: eb('value', '+', count) }))
      .where('name', '=', counter)
      .returning('value')
      .executeTakeFirstOrThrow();
    return row.value;
  }

  async function ownGeneration(): Promise<number> {
    generation ??= await next('generation');
    return generation;
  }

  async function note(table: keyof Tables, id: string): Promise<void> {
    if (!isIntent.has(table) || noted.has(`${table}/${id}`)) return;
    noted.add(`${table}/${id}`);
    await db
      .insertInto('change')
      .values({ generation: await ownGeneration(), kind: table, id })
      .execute();
  }

  // The table's name is a variable here; Kysely's types follow one table at a time, so the generic forms are cast once.
  const dynamic = db as unknown as Transaction<{ any: { id: string } }>;

  return {
    db,
    async insert(table, row) {
      await dynamic
        .insertInto(table as 'any')
        .values(row as never)
        .execute();
      const { id } = row as { id?: unknown };
      if (typeof id === 'string') await note(table, id);
    },
    async update(table, id, patch) {
      await dynamic
        .updateTable(table as 'any')
        .set(patch as never)
        .where('id', '=', id)
        .execute();
      await note(table, id);
    },
    async remove(table, id) {
      await dynamic
        .deleteFrom(table as 'any')
        .where('id', '=', id)
        .execute();
      await note(table, id);
    },
    touch: note,
    next,
    generation: ownGeneration,
    touched: () => noted.size > 0,
    drew: () => generation !== undefined,
  };
}
