// One connection to an OVSDB server, from its opening to its end: requests and their answers, notifications, the echo in
// both directions (RFC 7047 §4.1.11). It never reconnects; whoever opened it decides what follows.
import type { Socket } from 'node:net';
import { createFramer } from './framing.ts';
import { openStream, type Remote, type TlsFiles } from './remote.ts';

export interface WireOptions {
  readonly tls?: TlsFiles;
  /** Milliseconds of silence after which the server is asked for an echo (default 10,000). */
  readonly probeMs?: number;
  /**
   * Milliseconds the server then has to say anything (default 60,000). Generous: a large southbound server is busy for
   * seconds, and reconnecting costs it a full resend, which makes it busier.
   */
  readonly patienceMs?: number;
  readonly onNotification: (method: string, params: readonly unknown[]) => void;
}

export interface Wire {
  /** Sends a request. Rejects when the server answers with an error, or the connection ends before the answer. */
  request(method: string, params: readonly unknown[]): Promise<unknown>;
  /** Resolves with the reason when the connection has ended. */
  readonly closed: Promise<Error>;
  close(why?: Error): void;
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Connects to the server. Rejects when it cannot be reached. */
export async function openWire(remote: Remote, options: WireOptions): Promise<Wire> {
  return talkOver(await openStream(remote, options.tls, 10_000), options);
}

function talkOver(socket: Socket, options: WireOptions): Wire {
  const { probeMs = 10_000, patienceMs = 60_000, onNotification } = options;
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const closed = Promise.withResolvers<Error>();
  let lastId = 0;
  let lastHeard = performance.now();
  let probing = false;
  let reason: Error | undefined;

  const send = (message: Message): void => {
    socket.write(JSON.stringify(message));
  };
  const end = (why: Error): void => {
    if (reason !== undefined) return;
    reason = why;
    clearInterval(clock);
    socket.destroy();
    for (const { reject } of pending.values())
      reject(new Error(`the connection ended before the answer: ${why.message}`));
    pending.clear();
    closed.resolve(why);
  };
  const request = (method: string, params: readonly unknown[]): Promise<unknown> => {
    if (reason !== undefined) return Promise.reject(new Error(`not connected: ${reason.message}`));
    const answer = Promise.withResolvers<unknown>();
    pending.set(++lastId, answer);
    send({ method, params, id: lastId });
    return answer.promise;
  };

  const receive = (message: unknown): void => {
    const { id, method, params, result, error } = message as Message;
    if (method === 'echo' && id !== null) send({ id, result: params ?? [], error: null });
    else if (method !== undefined) onNotification(method, params ?? []);
    else {
      const answer = pending.get(id as number);
      pending.delete(id as number);
      if (error === null || error === undefined) answer?.resolve(result);
      else answer?.reject(new Error(`the OVSDB server refused: ${describe(error)}`));
    }
  };

  const probe = (): void => {
    const silentMs = performance.now() - lastHeard;
    if (silentMs > probeMs + patienceMs)
      end(new Error(`the server has said nothing for ${Math.round(silentMs / 1000)} s`));
    else if (silentMs > probeMs && !probing) {
      probing = true;
      request('echo', []).then(
        () => (probing = false),
        () => undefined,
      );
    }
  };
  const clock = setInterval(probe, Math.max(10, Math.min(probeMs, patienceMs) / 2));

  const push = createFramer(receive);
  socket.on('data', (chunk: Buffer) => {
    lastHeard = performance.now();
    try {
      push(chunk);
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  });
  socket.on('error', (error) => end(error));
  socket.on('close', () => end(new Error('the server closed the connection')));
  return { request, closed: closed.promise, close: (why = new Error('closed by us')) => end(why) };
}

function describe(error: unknown): string {
  if (typeof error === 'string') return error;
  const { error: kind, details } = error as { readonly error?: string; readonly details?: string };
  return details === undefined ? (kind ?? JSON.stringify(error)) : `${kind}: ${details}`;
}
