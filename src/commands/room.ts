// The three shapes a command can have: it lists, it writes, or it asks for work (a job). Each builder binds a handler to a
// room: what it may touch during one call. A job is recorded in the same transaction as the change it waits for.
import type { z } from 'zod';
import { type Answer, type Call, type Command, type Role } from '../api/command.ts';
import type { Log } from '../lib/log.ts';
import { newId } from '../lib/id.ts';
import { sleep } from '../lib/sleep.ts';
import type { Db, Store } from '../store/open.ts';
import type { StatefulTable } from '../store/schema.ts';
import type { Tx } from '../store/write.ts';
import { recordEvent, recordEvents } from './event-record.ts';

/** What every handler sees. `db` reads committed state; inside a change it is the change's own transaction. */
export interface Room {
  readonly store: Store;
  readonly db: Db;
  readonly call: Call;
  readonly log: Log;
}

export interface WriteRoom extends Room {
  readonly tx: Tx;
}

/** What the rooms are built over: given once by serve.ts. */
export interface House {
  readonly store: Store;
  readonly log: Log;
  /** SHA-256 of the agent channel's CA certificate: what join tokens are made with. Absent where there is no channel. */
  readonly caFingerprint?: string;
  /** Milliseconds that a command without a job may wait for its change to be realized; absent: it only looks. */
  readonly patienceMs?: number;
}

/** A command before it is moved into a house. */
export type Plan = (house: House) => Command;

interface Common<P extends z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  readonly roles: readonly Role[];
  readonly params: P;
  readonly envelope?: string;
  readonly since?: string;
}

/** What a list handler gives: the page, and how many match in all. */
export interface Page<T> {
  readonly count: number;
  readonly rows: readonly T[];
}

interface ListSpec<P extends z.ZodObject, V extends z.ZodObject> extends Common<P> {
  readonly key: string;
  readonly view: V;
  list(room: Room, want: z.infer<P>): Promise<Page<z.infer<V>>>;
}

/** A synchronous list. No match answers `{}`; a page past the end answers the count alone. */
export function listCommand<P extends z.ZodObject, V extends z.ZodObject>(spec: ListSpec<P, V>): Plan {
  return ({ store, log }) => ({
    ...common(spec),
    answer: { kind: 'list', key: spec.key, view: spec.view },
    async: false,
    async run(call, want) {
      const { count, rows } = await spec.list({ store, db: store.db, call, log }, want as z.infer<P>);
      if (count === 0) return {};
      return rows.length === 0 ? { count } : { count, [spec.key]: rows };
    },
  });
}

interface ReadSpec<P extends z.ZodObject> extends Common<P> {
  readonly answer: Answer;
  read(room: Room, want: z.infer<P>): Promise<Record<string, unknown>>;
}

/** A synchronous read that is no list: the handler gives the whole inner body. */
export function readCommand<P extends z.ZodObject>(spec: ReadSpec<P>): Plan {
  return ({ store, log }) => ({
    ...common(spec),
    answer: spec.answer,
    async: false,
    run: (call, want) => spec.read({ store, db: store.db, call, log }, want as z.infer<P>),
  });
}

interface WriteSpec<P extends z.ZodObject, W extends z.infer<P>> extends Common<P> {
  readonly answer: Answer;
  readonly event?: string;
  /** Slow work that must not hold the transaction, such as hashing a password: turns the parameters into what `write` gets. */
  prepare?(room: Room, want: z.infer<P>): Promise<W>;
  /** Runs inside one transaction; gives the inner body, or nothing for {"success": "true"}. */
  write(room: WriteRoom, want: W): Promise<Record<string, unknown> | undefined>;
  /** Once the change is kept: may wait for `patienceMs`, and adds to the answer. */
  after?(room: Room, want: W, body: Record<string, unknown>, patienceMs: number): Promise<Record<string, unknown>>;
}

/** Promises a row a state for when the change is realized, also where no job carries it. */
export async function entersWhenRealized(tx: Tx, entering: Entering): Promise<void> {
  await tx.db
    .insertInto('transition')
    .values({ generation: await tx.generation(), ...entering })
    .execute();
}

/** Waits until a row has entered all states it was promised; whether it has, within `ms`. */
export async function realizedWithin(
  { db }: Pick<Room, 'db'>,
  { kind, id }: Pick<Entering, 'kind' | 'id'>,
  ms: number,
): Promise<boolean> {
  const until = performance.now() + ms;
  for (;;) {
    const open = await db
      .selectFrom('transition')
      .select('id')
      .where('kind', '=', kind)
      .where('id', '=', id)
      .executeTakeFirst();
    if (open === undefined) return true;
    if (performance.now() >= until) return false;
    await sleep(50);
  }
}

/** A synchronous change. */
export function writeCommand<P extends z.ZodObject, W extends z.infer<P> = z.infer<P>>(spec: WriteSpec<P, W>): Plan {
  return ({ store, log, patienceMs = 0 }) => ({
    ...common(spec),
    answer: spec.answer,
    async: false,
    ...(spec.event === undefined ? {} : { event: spec.event }),
    async run(call, want) {
      const given = want as z.infer<P>;
      const ready =
        spec.prepare === undefined ? (given as W) : await spec.prepare({ store, db: store.db, call, log }, given);
      const body = await store.write(async (tx) => {
        const written = await spec.write({ store, db: tx.db, tx, call, log }, ready);
        if (spec.event !== undefined) {
          await recordEvent(tx, call.caller, { type: spec.event, state: 'Completed', text: spec.summary });
        }
        return written ?? { success: 'true' };
      });
      return spec.after === undefined ? body : spec.after({ store, db: store.db, call, log }, ready, body, patienceMs);
    },
  });
}

/** A state that a row enters when the change is realized. */
export interface Entering {
  readonly kind: StatefulTable;
  readonly id: string;
  readonly state: string;
}

/** What a job handler gives back. */
export interface JobAnswer {
  /** Set by async-create commands: stands beside the job id in the first answer. */
  readonly id?: string;
  /** The object the job is about, as the API names kinds (`Vpc`), for jobinstancetype/id and the event. */
  readonly about?: { readonly type: string; readonly id: string };
  /** Key of the view that the result shows (`vpc`); absent: {"success": true}. */
  readonly view?: string;
  /** What the result shows once the object is gone: a deletion whose clients expect to see it a last time. Never a secret. */
  readonly result?: Record<string, unknown>;
  /** States that rows enter when the change is realized. */
  readonly enters?: readonly Entering[];
  /** For the event: what was done, with names. Never a secret. */
  readonly text: string;
}

interface JobSpec<P extends z.ZodObject, W extends z.infer<P>> extends Common<P> {
  readonly answer: Answer;
  readonly event: string;
  /** Slow work that must not hold the transaction, such as making keys: turns the parameters into what `job` gets. */
  prepare?(room: Room, want: z.infer<P>): Promise<W>;
  /** Runs inside one transaction: checks, then intent. All refusals happen here, so they are the HTTP answer. */
  job(room: WriteRoom, want: W): Promise<JobAnswer>;
}

/** An asynchronous change: answers {jobid} or {id, jobid}; the job is done when every target concerned has the change. */
export function jobCommand<P extends z.ZodObject, W extends z.infer<P> = z.infer<P>>(spec: JobSpec<P, W>): Plan {
  return ({ store, log }) => ({
    ...common(spec),
    answer: spec.answer,
    async: true,
    event: spec.event,
    async run(call, want) {
      const given = want as z.infer<P>;
      const ready =
        spec.prepare === undefined ? (given as W) : await spec.prepare({ store, db: store.db, call, log }, given);
      return store.write(async (tx) => {
        const answer = await spec.job({ store, db: tx.db, tx, call, log }, ready);
        const jobid = newId();
        const now = new Date().toISOString();
        const generation = await tx.generation();
        for (const entering of answer.enters ?? []) await entersWhenRealized(tx, entering);
        // Nothing on the network changed: there is nothing to wait for.
        const done = !tx.touched() && (answer.enters ?? []).length === 0;
        await tx.db
          .insertInto('job')
          .values({
            id: jobid,
            user: call.caller.userId,
            account: call.caller.accountId,
            domain: call.caller.domainId,
            cmd: spec.name,
            status: done ? 1 : 0,
            resultcode: 0,
            result: answer.result === undefined ? null : JSON.stringify(answer.result),
            view: answer.view ?? null,
            instancetype: answer.about?.type ?? null,
            instanceid: answer.about?.id ?? null,
            generation,
            request: call.request,
            created: now,
            completed: done ? now : null,
          })
          .execute();
        const about = {
          type: spec.event,
          text: answer.text,
          ...(answer.about === undefined ? {} : { about: answer.about }),
        };
        await recordEvents(tx, call.caller, [
          { ...about, state: 'Scheduled', id: jobid },
          { ...about, state: 'Started', parent: jobid },
          ...(done ? [{ ...about, state: 'Completed', parent: jobid } as const] : []),
        ]);
        log.info(
          { request: call.request, command: spec.name, job: jobid, generation, about: answer.about?.id },
          'accepted',
        );
        return answer.id === undefined ? { jobid } : { id: answer.id, jobid };
      });
    },
  });
}

function common<P extends z.ZodObject>(
  spec: Common<P>,
): Pick<Command, 'name' | 'summary' | 'roles' | 'params' | 'envelope' | 'since'> {
  return {
    name: spec.name,
    summary: spec.summary,
    roles: spec.roles,
    params: spec.params,
    ...(spec.envelope === undefined ? {} : { envelope: spec.envelope }),
    ...(spec.since === undefined ? {} : { since: spec.since }),
  };
}
