// The server's half of the agent channel: HTTPS with a certificate per node, on TCP or a unix socket. It knows who asks and that
// bodies are well formed; what documents hold and what reports mean is its caller's.
import { lstat, mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { z } from 'zod';
import type { Log } from '../lib/log.ts';
import { createMutex } from '../lib/mutex.ts';
import { MAX_BODY, PATHS, type NodeDocument, type NodeReport } from '../protocol/document.ts';
import { joinRequest, nodeReport, whatIsWrong } from '../protocol/schema.ts';
import type { Pki } from './pki.ts';

export interface ChannelOptions {
  /** `unix:PATH` or `HOST:PORT`. */
  readonly listen: string;
  readonly pki: Pki;
  readonly documents: {
    /** The node's document as it is now; undefined while there is none. */
    get(node: string): NodeDocument | undefined;
    /** Resolves as soon as the node's document is newer than `have`, or with undefined after `ms`. */
    wait(node: string, have: number, ms: number): Promise<NodeDocument | undefined>;
  };
  readonly hosts: {
    /** Takes the join secret (once) and notes the serial of the node's only valid certificate. False: unknown, used or expired. */
    acceptJoin(node: string, secret: string, serial: string): Promise<boolean>;
    /** Whether the serial is the one noted last for the node. */
    isCurrent(node: string, serial: string): Promise<boolean>;
    report(report: NodeReport): Promise<void>;
  };
  readonly log: Log;
}

export interface Channel {
  /** Where it listens: as given, with the real port when 0 was asked for. */
  readonly address: string;
  /** Ends all requests, long polls included. */
  close(): Promise<void>;
}

const MAX_WAIT_SECONDS = 60;
const MAX_JOINS_WAITING = 16;

/** An answer other than success: status and a sentence for whoever reads the agent's log. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

/** Starts listening. Throws a sentence when the address is taken or cannot be used. */
export async function createChannel(options: ChannelOptions): Promise<Channel> {
  const { pki, log } = options;
  const joins = createMutex();
  let joinsWaiting = 0;

  const server = createServer({
    key: pki.server.key,
    cert: pki.server.certificate,
    ca: pki.ca,
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false, // a node that joins has no certificate yet; everything else asks for one below
    requestTimeout: 15_000,
    headersTimeout: 10_000,
    handshakeTimeout: 10_000,
    keepAliveTimeout: 75_000,
    maxHeaderSize: 8192,
  });
  server.maxConnections = 4096;
  server.on('tlsClientError', (error) => log.debug({ err: error.message }, 'agent channel: handshake failed'));
  server.on('clientError', (error, socket) => {
    log.debug({ err: error.message }, 'agent channel: malformed request');
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  server.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (error instanceof Refusal) {
        log.info({ path: request.url, status: error.status, reason: error.message }, 'agent channel: refused');
        reply(response, error.status, { error: error.message });
      } else {
        log.error({ path: request.url, err: (error as Error).message }, 'agent channel: request failed');
        reply(response, 500, { error: 'the server could not answer; its log says why' });
      }
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://channel');
    const route = `${request.method} ${url.pathname}`;
    if (route === `POST ${PATHS.join}`) return reply(response, 200, await join(request));
    const node = await identify(request);
    if (route === `GET ${PATHS.document}`) {
      const have = integer(url, 'have', -1, Number.MAX_SAFE_INTEGER, -1);
      const wait = integer(url, 'wait', 0, MAX_WAIT_SECONDS, 0);
      const now = options.documents.get(node);
      const document =
        now !== undefined && now.generation > have
          ? now
          : wait === 0
            ? undefined
            : await options.documents.wait(node, have, wait * 1000);
      return document === undefined || document.generation <= have
        ? reply(response, 204)
        : reply(response, 200, document);
    }
    if (route === `POST ${PATHS.report}`) {
      const report = await body(request, nodeReport);
      if (report.node !== node)
        throw new Refusal(403, `the certificate is ${node}'s: it cannot report for ${report.node}`);
      await options.hosts.report(report);
      return reply(response, 204);
    }
    const known = Object.values(PATHS).some((path) => path === url.pathname);
    throw known
      ? new Refusal(405, `${request.method} is not what ${url.pathname} takes`)
      : new Refusal(404, 'there is nothing at this path');
  }

  async function join(request: IncomingMessage): Promise<{ certificate: string; ca: string }> {
    const { node, secret, csr } = await body(request, joinRequest);
    if (joinsWaiting >= MAX_JOINS_WAITING)
      throw new Refusal(503, 'too many nodes join at this moment; try again in a few seconds');
    joinsWaiting++;
    try {
      return await joins.run(async () => {
        const serial = await pki.serialOf(csr).catch(() => {
          throw new Refusal(400, 'csr is no certificate signing request signed by its own key');
        });
        // The same key again: the node has joined and the answer got lost. It gets the same certificate; the secret is used up.
        const again = await options.hosts.isCurrent(node, serial);
        if (!again && !(await options.hosts.acceptJoin(node, secret, serial))) {
          throw new Refusal(
            403,
            `the join token for ${node} is unknown, used or expired; ask an administrator for a new one`,
          );
        }
        log.info({ node, serial }, 'node joined');
        return { certificate: await pki.sign(csr, node, serial), ca: pki.ca };
      });
    } finally {
      joinsWaiting--;
    }
  }

  /** The node that asks, proven by its certificate. */
  async function identify(request: IncomingMessage): Promise<string> {
    const socket = request.socket as TLSSocket;
    const certificate = socket.getPeerCertificate();
    const node = certificate.subject?.CN;
    if (!socket.authorized || typeof node !== 'string')
      throw new Refusal(401, 'this needs a certificate of this server; join first');
    if (!(await options.hosts.isCurrent(node, certificate.serialNumber.toUpperCase()))) {
      throw new Refusal(
        403,
        `the certificate of ${node} is no longer the current one; the node has joined anew or was removed`,
      );
    }
    return node;
  }

  const address = await listen(server, options.listen);
  log.info({ address }, 'agent channel listens');
  return {
    address,
    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await promise;
    },
  };
}

function reply(response: ServerResponse, status: number, value?: object): void {
  if (response.headersSent || response.destroyed) return;
  // A body that was refused unread would be taken for the next request.
  const close = status === 413 ? { connection: 'close' } : {};
  if (value === undefined) response.writeHead(status, close).end();
  else response.writeHead(status, { ...close, 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function integer(url: URL, name: string, min: number, max: number, absent: number): number {
  const text = url.searchParams.get(name);
  if (text === null) return absent;
  const value = /^-?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new Refusal(400, `${name} is to be a whole number from ${min} to ${max}`);
  return value;
}

async function body<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const tooLarge = (): Refusal => new Refusal(413, `the body is larger than ${MAX_BODY} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw tooLarge();
    chunks.push(chunk);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Refusal(400, 'the body is no JSON');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Refusal(400, `the body is not as agreed: ${whatIsWrong(parsed.error)}`);
  return parsed.data;
}

async function listen(server: ReturnType<typeof createServer>, where: string): Promise<string> {
  const path = where.startsWith('unix:') ? where.slice(5) : undefined;
  const port = /^(.+):([0-9]{1,5})$/.exec(where);
  if (path === undefined && port === null)
    throw new Error(`the agent channel cannot listen on ${where}: write unix:PATH or HOST:PORT`);
  if (path !== undefined) await clear(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'something else listens there already' : error.message;
    reject(new Error(`the agent channel cannot listen on ${where}: ${why}`, { cause: error }));
  });
  if (path === undefined) server.listen(Number(port![2]), port![1]!.replace(/^\[|\]$/g, ''), resolve);
  else server.listen(path, resolve);
  await promise;
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? `${port![1]}:${bound.port}` : where;
}

/** Removes the socket a killed server left behind. Throws when a living one holds it, or when it is no socket. */
async function clear(path: string): Promise<void> {
  if (Buffer.byteLength(path) > 107)
    throw new Error(
      `the path of the agent channel's socket is longer than 107 bytes, which unix sockets do not allow: ${path}`,
    );
  await mkdir(dirname(path), { recursive: true });
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`the agent channel cannot listen on ${path}: there is something that is no socket`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect(path, () => resolve(true)).on('error', () => resolve(false));
  const alive = await promise;
  probe.destroy();
  if (alive) throw new Error(`the agent channel cannot listen on ${path}: another server listens there already`);
  await rm(path);
}
