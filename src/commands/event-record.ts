// Writes events: what was asked, by whom, when it started and how it ended. Part of the change it tells of.
import type { Caller } from '../api/command.ts';
import { newId } from '../lib/id.ts';
import type { Tx } from '../store/write.ts';

export interface EventEntry {
  /** Such as VPC.CREATE. */
  readonly type: string;
  readonly state: 'Created' | 'Scheduled' | 'Started' | 'Completed';
  readonly text: string;
  readonly level?: 'INFO' | 'WARN' | 'ERROR';
  readonly about?: { readonly type: string; readonly id: string };
  /** Id of the event, where it is given: a job's Scheduled event has the job's own id. */
  readonly id?: string;
  /** Id of the Scheduled event of the same job. */
  readonly parent?: string;
}

type Whose = Pick<Caller, 'accountId' | 'domainId' | 'userId'>;

/** Records an event of the caller's and returns its id. */
export async function recordEvent(tx: Tx, caller: Whose, entry: EventEntry): Promise<string> {
  return (await recordEvents(tx, caller, [entry]))[0]!;
}

/** Records events in this order; their ids. */
export async function recordEvents(tx: Tx, caller: Whose, entries: readonly EventEntry[]): Promise<string[]> {
  const last = await tx.next('event', entries.length);
  const created = new Date().toISOString();
  const rows = entries.map((entry, index) => ({
    id: entry.id ?? newId(),
    type: entry.type,
    level: entry.level ?? 'INFO',
    state: entry.state,
    description: entry.text,
    account: caller.accountId,
    domain: caller.domainId,
    user: caller.userId,
    parent: entry.parent ?? null,
    resourcetype: entry.about?.type ?? null,
    resource: entry.about?.id ?? null,
    created,
    seq: last - entries.length + 1 + index,
  }));
  await tx.db.insertInto('event').values(rows).execute();
  return rows.map(({ id }) => id);
}
