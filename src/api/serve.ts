// Puts the application on a port. Loopback unless told otherwise; a client that dawdles is cut off.
import { createServer, type Server } from 'node:http';
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
}

/** Serves until closed. Throws a sentence an operator can act on when the port cannot be had. */
export async function serveApi(
  app: ReturnType<typeof createApp>,
  { host = '127.0.0.1', port }: Where,
): Promise<Served> {
  const server = createServer(
    // A request has to arrive whole in this time, its header sooner; each try costs an attacker a connection.
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 15_000,
      maxHeaderSize: 64 * 1024,
      connectionsCheckingInterval: 2_000,
    },
    getRequestListener(app.fetch),
  );
  server.maxRequestsPerSocket = 0;
  await listening(server, host, port);
  const address = server.address();
  const got = typeof address === 'object' && address !== null ? address.port : port;
  return {
    port: got,
    url: `http://${host}:${got}/client/api`,
    close: () => closed(server),
  };
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
