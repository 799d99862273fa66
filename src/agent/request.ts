// One request to the server over the agent channel. Apart because joining and the loop speak the same way, with different proofs.
import type { OutgoingHttpHeaders } from 'node:http';
import { Agent, request as https } from 'node:https';
import { MAX_BODY, SERVER_NAME } from '../protocol/document.ts';

/** What the server said other than success. */
export class AnswerError extends Error {
  readonly status: number;
  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

export interface Proof {
  readonly ca: string;
  readonly key?: string;
  readonly certificate?: string;
}

export interface RequestOptions {
  readonly body?: object;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Keeps the connection between requests. */
  readonly agent?: Agent;
}

/** A connection pool for {@link request}. */
export function createPool(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 4 });
}

/** Where a `unix:PATH` or `https://HOST:PORT` is, as sockets want it. */
export function where(server: string): { path: string } | { host: string; port: number } {
  if (server.startsWith('unix:')) return { path: server.slice(5) };
  const url = new URL(server);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port === '' ? 443 : url.port) };
}

/** Sends and returns the JSON answered, undefined for 204. Throws {@link AnswerError} on a refusal, a sentence on anything else. */
export function request(
  server: string,
  proof: Proof,
  method: 'GET' | 'POST',
  path: string,
  options: RequestOptions,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const target = where(server);
  const text = options.body === undefined ? undefined : JSON.stringify(options.body);
  const headers: OutgoingHttpHeaders = { host: SERVER_NAME };
  if (text !== undefined)
    Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  const outgoing = https({
    ...('path' in target ? { socketPath: target.path } : target),
    method,
    path,
    headers,
    ca: proof.ca,
    ...(proof.key === undefined ? {} : { key: proof.key }),
    ...(proof.certificate === undefined ? {} : { cert: proof.certificate }),
    servername: SERVER_NAME,
    minVersion: 'TLSv1.2',
    ...(options.agent === undefined ? { agent: false } : { agent: options.agent }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const timer = setTimeout(
    () => outgoing.destroy(new Error(`no answer in ${options.timeoutMs} ms`)),
    options.timeoutMs,
  );
  const failed = (error: Error): void => {
    clearTimeout(timer);
    reject(new Error(`the server at ${server} does not answer: ${error.message}`, { cause: error }));
  };
  outgoing.on('error', failed);
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > 16 * MAX_BODY) outgoing.destroy(new Error('the answer is too large'));
      else chunks.push(chunk);
    });
    response.on('error', failed);
    response.on('end', () => {
      clearTimeout(timer);
      const status = response.statusCode ?? 0;
      const value = parse(Buffer.concat(chunks).toString());
      if (status === 204) resolve(undefined);
      else if (status === 200) resolve(value);
      else reject(new AnswerError(status, sentenceOf(value) ?? `the server answered with status ${status}`));
    });
  });
  outgoing.end(text);
  return promise;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sentenceOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value)) return undefined;
  return typeof value.error === 'string' ? value.error.slice(0, 500) : undefined;
}
