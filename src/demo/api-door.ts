// The API's way into the lab: a unix socket, which namespaces of the network do not stop, in front of the server's port. The lab's relay
// leads there from an address of its outside.
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { labPaths, readJson } from '../lab/layout.ts';
import type { Access } from './server.ts';

export interface Door {
  close(): void;
}

/**
 * Listens on the socket of this state folder. Where the server is is read for each connection: started again, it may be at another port.
 * A connection ends at once while the server is not there, as it would at the server itself.
 */
export async function openApiDoor(state: string): Promise<Door> {
  const path = labPaths(state).api;
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const access = readJson<Access>(join(state, 'access.json'));
    near.on('error', () => undefined); // the client has gone
    if (access === undefined) return void near.destroy();
    const { hostname, port } = new URL(access.endpoint);
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('error', () => near.destroy());
    far.on('close', () => near.destroySoon());
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await promise;
  server.unref(); // it serves as long as the program has something to do
  return { close: () => void server.close() };
}
