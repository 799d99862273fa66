// Puts the application on a port. Loopback unless told otherwise; a client that dawdles is cut off.
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import type { createApp } from './app.ts';

export interface Served {
  /** The port it got: for port 0 the system chooses. */
  readonly port: number;
  readonly url: string;
  /** Stops accepting, lets running requests end, cuts the rest after a second. */
  close(): Promise<void>;
}

export interface Where {
  readonly host?: string;
  readonly port: number;
  /** PEM files: with them it speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Serves until closed. Throws a sentence an operator can act on when the port cannot be had. */
export async function serveApi(
  app: ReturnType<typeof createApp>,
  { host = '127.0.0.1', port, tls }: Where,
): Promise<Served> {
  // A request has to arrive whole in this time, its header sooner; each try costs an attacker a connection.
  const limits = {
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 15_000,
    maxHeaderSize: 64 * 1024,
    connectionsCheckingInterval: 2_000,
  };
  const listener = getRequestListener(app.fetch);
  const server: Server =
    tls === undefined
      ? createServer(limits, listener)
      : createTlsServer({ ...limits, ...credentials(tls), minVersion: 'TLSv1.2' }, listener);
  server.maxRequestsPerSocket = 0;
  await listening(server, host, port);
  const address = server.address();
  const got = typeof address === 'object' && address !== null ? address.port : port;
  return {
    port: got,
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${got}/client/api`,
    close: () => closed(server),
  };
}

/** Throws a sentence that names the file. */
function credentials(tls: { readonly certificate: string; readonly key: string }): { cert: Buffer; key: Buffer } {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new Error(`the API cannot speak TLS: ${file} cannot be read (${(cause as Error).message})`, { cause });
    }
  };
  return { cert: read(tls.certificate), key: read(tls.key) };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (cause: NodeJS.ErrnoException) => {
    const why: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another program listens there. Choose another port with --port, or stop the other program',
      EACCES: 'this user may not open it. Choose a port above 1023',
      EADDRNOTAVAIL: 'this machine does not have that address',
    };
    reject(new Error(`Cannot listen on ${host} port ${port}: ${why[cause.code ?? ''] ?? cause.message}`, { cause }));
  });
  server.listen(port, host, () => resolve());
  return promise;
}

function closed(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cut = setTimeout(() => server.closeAllConnections(), 1000);
  server.close(() => {
    clearTimeout(cut);
    resolve();
  });
  server.closeIdleConnections();
  return promise;
}
