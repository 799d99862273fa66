// Events in the name of a caller: what he asked for, when it started and how it ended. Part of the change it tells of.
import type { Caller } from '../api/command.ts';
import { type EventEntry, type Told, addEvent, addEvents } from '../store/event.ts';
import type { Tx } from '../store/write.ts';

type Whose = Pick<Caller, 'accountId' | 'domainId' | 'userId'>;

const toldTo = ({ accountId, domainId, userId }: Whose): Told => ({
  account: accountId,
  domain: domainId,
  user: userId,
});

/** Records an event of the caller's and returns its id. */
export function recordEvent(tx: Tx, caller: Whose, entry: EventEntry): Promise<string> {
  return addEvent(tx, toldTo(caller), entry);
}

/** Records events in this order; their ids. */
export function recordEvents(tx: Tx, caller: Whose, entries: readonly EventEntry[]): Promise<string[]> {
  return addEvents(tx, toldTo(caller), entries);
}
