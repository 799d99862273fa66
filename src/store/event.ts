// The one place that writes events: what was asked or happened by itself, to whom it is told, and in which order. Part of the change
// it tells of, so that no event tells of what was not kept.
import { newId } from '../lib/id.ts';
import { BUILT_IN } from '../model/built-in.ts';
import type { Tx } from './write.ts';

export interface EventEntry {
  /** Such as VPC.CREATE. */
  readonly type: string;
  /** Completed where it is left out: what happens by itself has no beginning. */
  readonly state?: 'Created' | 'Scheduled' | 'Started' | 'Completed';
  readonly text: string;
  readonly level?: 'INFO' | 'WARN' | 'ERROR';
  readonly about?: { readonly type: string; readonly id: string };
  /** Id of the event, where it is given: a job's Scheduled event has the job's own id. */
  readonly id?: string;
  /** Id of the Scheduled event of the same job. */
  readonly parent?: string;
}

/** Who is told: an account in its domain; `user` is who asked, if somebody did. */
export interface Told {
  readonly account: string;
  readonly domain: string;
  readonly user?: string;
}

/** Who is told of machines, which are nobody's but the operator's. */
export const OPERATOR: Told = { account: BUILT_IN.adminAccount, domain: BUILT_IN.rootDomain };

/** Writes events in this order; their ids. */
export async function addEvents(tx: Tx, told: Told, entries: readonly EventEntry[]): Promise<string[]> {
  const last = await tx.next('event', entries.length);
  const created = new Date().toISOString();
  const rows = entries.map((entry, index) => ({
    id: entry.id ?? newId(),
    type: entry.type,
    level: entry.level ?? 'INFO',
    state: entry.state ?? 'Completed',
    description: entry.text,
    account: told.account,
    domain: told.domain,
    user: told.user ?? '',
    parent: entry.parent ?? null,
    resourcetype: entry.about?.type ?? null,
    resource: entry.about?.id ?? null,
    created,
    seq: last - entries.length + 1 + index,
  }));
  await tx.db.insertInto('event').values(rows).execute();
  return rows.map(({ id }) => id);
}

/** Writes one event. */
export async function addEvent(tx: Tx, told: Told, entry: EventEntry): Promise<string> {
  return (await addEvents(tx, told, [entry]))[0]!;
}
