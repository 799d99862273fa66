// A program: an address in one network whose connections go on to a unix socket, which has no network. It is how the lab's outside
// reaches the API of the server, which runs outside of the sandbox. Usage: relay.ts ADDRESS PORT SOCKET
import { createServer, connect } from 'node:net';

const [host, port, path] = process.argv.slice(2);
if (host === undefined || port === undefined || path === undefined)
  throw new Error('usage: relay.ts ADDRESS PORT SOCKET');

createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ path, allowHalfOpen: true });
  near.pipe(far).pipe(near);
  // A server that is not there, or gone: the client sees its connection end.
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
  near.on('close', () => far.destroy());
  far.on('close', () => near.destroySoon());
}).listen(Number(port), host);
