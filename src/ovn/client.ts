// A lasting tie to one OVSDB database: connects, copies it into the replica, stays connected, comes back after any loss
// with as little resent as the server allows (monitor_cond_since with the last transaction's id, ovsdb-server(7)).
import { createBackoff } from '../lib/backoff.ts';
import type { Log } from '../lib/log.ts';
import { sleep } from '../lib/sleep.ts';
import { NO_UUID } from './codec.ts';
import { parseRemote, type TlsFiles } from './remote.ts';
import { createReplica, type Replica, type Updates } from './replica.ts';
import { olderVersion, parseSchema, restrictSchema, type DatabaseSchema } from './schema.ts';
import { openWire, type Wire } from './wire.ts';

/** The server can be reached but cannot serve us, today or ever: it is too old. The message says which and what is needed. */
export class UnsuitableServerError extends Error {}

export interface ClientOptions {
  /** One address, or several of one cluster with commas between: tried in turn. */
  readonly remote: string;
  readonly tls?: TlsFiles;
  /** The tables and columns to copy, as far as the server has them; its `version` is the oldest that will do. */
  readonly watch: DatabaseSchema;
  /** Of these tables only the rows that meet a condition (RFC 7047 §5.1 <condition>) are copied. */
  readonly where?: Readonly<Record<string, readonly (readonly [string, string, unknown])[]>>;
  /** Called on each new connection before anything is copied; throws when the server will not do. */
  readonly inspect?: (wire: Pick<Wire, 'request'>) => Promise<void>;
  readonly log: Log;
  readonly probeMs?: number;
  readonly patienceMs?: number;
}

export interface Client {
  readonly replica: Replica;
  /** Begins to connect; resolves when the first copy is complete, rejects when the server is unsuitable or we close. */
  start(): Promise<void>;
  /** Whether the replica is a complete copy and changes arrive. */
  connected(): boolean;
  /** Why there is no connection, or why the last one ended. */
  lastError(): string | undefined;
  /** Sends a `transact` (RFC 7047 §4.1.3) and returns the array of results as the server gave it. */
  transact(operations: readonly unknown[]): Promise<readonly unknown[]>;
  /** Calls back each time a copy has been completed after a (re)connection. */
  onSynced(listener: () => void): () => void;
  close(): void;
}

export function createClient(options: ClientOptions): Client {
  const { watch, log, where = {} } = options;
  const remotes = options.remote.split(',').map((text) => ({ text: text.trim(), at: parseRemote(text.trim()) }));
  const replica = createReplica(watch);
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => undefined); // start() hands it out; nobody may be listening when we close
  const listeners = new Set<() => void>();
  let wire: Wire | undefined;
  let synced = false;
  let lastError: string | undefined;
  let lastTransaction = NO_UUID;
  let version = '';

  /** One connection from its opening to its end. Returns why it ended. */
  const connection = async (remote: (typeof remotes)[number]): Promise<Error> => {
    // Updates may arrive in the same chunk as the monitor's reply, before its await has gone on: they wait for their turn.
    let early: Updates[] | undefined = [];
    const onNotification = (method: string, params: readonly unknown[]): void => {
      if (method !== 'update3') return;
      const [, transaction, updates] = params as readonly [unknown, string, Updates];
      lastTransaction = NO_UUID; // should applying it throw, the next connection begins from nothing
      if (early === undefined) replica.apply(updates);
      else early.push(updates);
      lastTransaction = transaction;
    };
    const { tls, probeMs, patienceMs } = options;
    const opened = await openWire(remote.at, {
      onNotification,
      ...(tls === undefined ? {} : { tls }),
      ...(probeMs === undefined ? {} : { probeMs }),
      ...(patienceMs === undefined ? {} : { patienceMs }),
    });
    wire = opened;
    if (stop.signal.aborted) opened.close();
    try {
      const live = parseSchema(await opened.request('get_schema', [watch.name]));
      if (olderVersion(live.version, watch.version)) {
        throw new UnsuitableServerError(
          `${watch.name} at ${remote.text} has schema version ${live.version}; version ${watch.version} or newer is needed (OVN 23.03 or newer)`,
        );
      }
      await options.inspect?.(opened);
      const usable = restrictSchema(live, watch);
      if (live.version !== version) lastTransaction = NO_UUID;
      const requests = Object.entries(usable.tables).map(([name, table]) => [
        name,
        [{ columns: Object.keys(table.columns), ...(where[name] === undefined ? {} : { where: where[name] }) }],
      ]);
      const reply = await opened.request('monitor_cond_since', [
        watch.name,
        'all',
        Object.fromEntries(requests),
        lastTransaction,
      ]);
      const [found, transaction, updates] = reply as readonly [boolean, string, Updates];
      if (early.length === 0) lastTransaction = transaction;
      if (found) replica.apply(updates);
      else replica.replace(usable, updates);
      for (const later of early) replica.apply(later);
      early = undefined;
      version = live.version;
    } catch (error) {
      opened.close();
      throw error;
    }
    synced = true;
    lastError = undefined;
    log.info({ database: watch.name, remote: remote.text, version }, 'OVSDB database copied');
    first.resolve();
    for (const listener of listeners) listener();
    return opened.closed;
  };

  const run = async (): Promise<void> => {
    const backoff = createBackoff(50, 2_000);
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const remote = remotes[turn % remotes.length]!;
      const error = await connection(remote).catch((error: unknown) => error as Error);
      if (stop.signal.aborted) return;
      if (synced) backoff.reset();
      synced = false;
      if (error instanceof UnsuitableServerError) first.reject(error);
      const text = `${watch.name} at ${remote.text}: ${error.message}`;
      if (text !== lastError)
        log.warn({ database: watch.name, remote: remote.text, error: error.message }, 'OVSDB connection lost');
      lastError = text;
      await sleep(backoff.next(), stop.signal);
    }
  };

  return {
    replica,
    start() {
      void run();
      return first.promise;
    },
    connected: () => synced,
    lastError: () => lastError,
    async transact(operations) {
      if (!synced || wire === undefined) {
        throw new Error(`${watch.name} is not connected${lastError === undefined ? ' yet' : `: ${lastError}`}`);
      }
      return (await wire.request('transact', [watch.name, ...operations])) as readonly unknown[];
    },
    onSynced(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      stop.abort();
      wire?.close();
      synced = false;
      first.reject(new Error(`${watch.name}: closed before it was copied`));
    },
  };
}
