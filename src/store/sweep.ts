// Forgets what nobody asks for any more, by the clock: settled jobs, old events, change notes that this server's cache has seen
// (a standby that missed some finds it at its next full pass), old receipts and scans.
import type { Store } from './open.ts';
import { readNumber } from './setting.ts';
import { ENDING } from './vpn-states.ts';
import type { Tx } from './write.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** How long receipts of moves and finished scans are kept: 30 days. */
const RECEIPT_MS = 30 * DAY_MS;

/** Events that go at once, so that the first time after an upgrade holds up nobody. */
const MOST_EVENTS = 5000;

/** Removes all that is too old at `now` (milliseconds). `seenGeneration`: what this server's cache has seen. */
export async function sweep(store: Store, seenGeneration: number, now = Date.now()): Promise<void> {
  const before = (ms: number): string => new Date(now - ms).toISOString();
  const jobMs = (await readNumber(store.db, 'job.expire.minutes')) * MINUTE_MS;
  const eventDays = await readNumber(store.db, 'event.purge.delay');
  await store.write(async (tx) => {
    await tx.db.deleteFrom('job').where('status', '!=', 0).where('completed', '<', before(jobMs)).execute();
    if (eventDays > 0) await forgetEvents(tx, before(eventDays * DAY_MS));
    await tx.db.deleteFrom('change').where('generation', '<', seenGeneration).execute();
    await tx.db.deleteFrom('session').where('expires', '<', before(0)).execute();
    await tx.db.deleteFrom('receipt').where('created', '<', before(RECEIPT_MS)).execute();
    await tx.db.deleteFrom('sighting').where('last', '<', before(RECEIPT_MS)).execute();
    await tx.db
      .deleteFrom('scan')
      .where('state', '!=', 'Requested')
      .where('finished', '<', before(RECEIPT_MS))
      .execute();
  });
}

/** The eldest first: they are found by their order, since nothing finds them by their age. */
async function forgetEvents(tx: Tx, before: string): Promise<void> {
  const eldest = await tx.db
    .selectFrom('event')
    .select(['seq', 'created'])
    // That an end was told is remembered by the event alone.
    .where('type', '!=', ENDING)
    .orderBy('seq')
    .limit(MOST_EVENTS)
    .execute();
  const last = eldest.findLast(({ created }) => created < before);
  if (last === undefined) return;
  await tx.db
    .deleteFrom('event')
    .where('seq', '<=', last.seq)
    .where('created', '<', before)
    .where('type', '!=', ENDING)
    .execute();
}
