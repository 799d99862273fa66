// One end of a TCP stream, run in the network of a node or guest: `stream.ts sink PORT` takes what one sender sends and prints bits a
// second; `stream.ts send HOST PORT MILLISECONDS` sends as much as goes.
import { connect, createServer, type Socket } from 'node:net';

const BLOCK = Buffer.alloc(256 * 1024);
/** Until the other end listens, and whoever stands between knows it. */
const PATIENCE_MS = 5_000;

const [what, ...words] = process.argv.slice(2);
if (what === 'sink') sink(Number(words[0]));
else send(words[0]!, Number(words[1]), Number(words[2]), Date.now() + PATIENCE_MS);

/** Prints and ends after the first connection that brought anything. */
function sink(port: number): void {
  const server = createServer((socket) => {
    let bytes = 0;
    let first = 0;
    let last = 0;
    socket.on('data', (chunk) => {
      last = performance.now();
      if (bytes === 0) first = last;
      bytes += chunk.length;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (bytes === 0) return;
      process.stdout.write(`${Math.round((bytes * 8000) / (last - first))}\n`);
      process.exit(0);
    });
  }).listen(port, '0.0.0.0');
  server.unref();
  setTimeout(() => process.exit(1), 2 * PATIENCE_MS);
}

function send(host: string, port: number, during: number, until: number): void {
  const socket = connect({ host, port });
  let end = 0;
  // A machine that does nothing else may lose its gateway for a moment, and what was open with it.
  setTimeout(() => process.exit(1), 2 * PATIENCE_MS);
  socket.on('connect', () => {
    end = Date.now() + during;
    fill(socket, end);
  });
  socket.on('drain', () => fill(socket, end));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    // A balancer answers before it knows whether anybody is behind it.
    if (end !== 0 && Date.now() >= end) process.exit(0);
    if (Date.now() > until) process.exit(1);
    setTimeout(() => send(host, port, during, until), 50);
  });
}

function fill(socket: Socket, end: number): void {
  while (Date.now() < end) if (!socket.write(BLOCK)) return;
  socket.end();
}
