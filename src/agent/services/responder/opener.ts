// A program that opens the sockets of one network, run inside the network's namespace (nsenter) by the responder, to which it hands
// them over; then it ends. So one process serves all networks, and only this one has to be where they are.
// Usage: opener.ts ADDRESS [dns] [userdata]
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';

const [address, ...services] = process.argv.slice(2);
if (address === undefined || process.send === undefined)
  throw new Error('usage: opener.ts ADDRESS [dns] [userdata], by the responder');

/** Hands a socket over; what it is comes first. */
function hand(name: string, handle?: Server | Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.send!(name, handle, {}, (error) => (error === null ? resolve() : reject(error)));
  return promise;
}

/** `reusePort`: while one responder takes over from another both listen. */
async function listening(name: string, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer({ pauseOnConnect: true });
  server.once('error', reject);
  server.listen({ port, host, reusePort: true, backlog: 128 }, resolve);
  await promise;
  await hand(name, server);
}

async function bound(name: string, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createSocket({ type: 'udp4', reusePort: true });
  socket.once('error', reject);
  socket.bind(port, host, resolve);
  await promise;
  await hand(name, socket);
}

if (services.includes('dns')) {
  await bound('names', 53, address);
  await listening('names-tcp', 53, address);
}
if (services.includes('userdata')) {
  // Metadata is asked for at its link-local address, too.
  await listening('metadata', 80, '0.0.0.0');
  await listening('passwords', 8080, '0.0.0.0');
}
await hand('done');
process.exit(0);
