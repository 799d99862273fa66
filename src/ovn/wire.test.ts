// The wire against a real server and against peers that misbehave.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { parseRemote } from './remote.ts';
import { startOvsdbServer } from './ovsdb-server.test-support.ts';
import { openWire } from './wire.ts';

const onNotification = (): void => undefined;

/** Runs `body` with a peer that does what `behave` says with each connection. */
async function withPeer(
  behave: (socket: Socket) => void,
  body: (remote: ReturnType<typeof parseRemote>) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    behave(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    await body(parseRemote(`tcp:127.0.0.1:${port}`));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

test('request() gets each its own answer from a real server, errors included', async () => {
  const server = await startOvsdbServer('ovn-nb');
  const wire = await openWire(parseRemote(server.remote), { onNotification });
  const answers = await Promise.all([
    wire.request('list_dbs', []),
    wire.request('echo', ['a']),
    wire.request('list_dbs', []),
  ]);
  assert.deepEqual(answers[1], ['a']);
  assert.deepEqual(answers[0], answers[2]);
  await assert.rejects(wire.request('get_schema', ['nothing']), /unknown database/);
  await assert.rejects(wire.request('bogus', []), /unknown method/);
  await server.kill();
  await assert.rejects(wire.request('list_dbs', []), /connect/);
  assert.match((await wire.closed).message, /closed the connection/);
  await server.close();
});

test("openWire() answers the server's echo and notices a server that has fallen silent", async () => {
  let heard = '';
  await withPeer(
    (socket) => {
      socket.on('data', (chunk) => (heard += chunk.toString()));
      socket.write('{"method":"echo","params":["x"],"id":"server"}');
    },
    async (remote) => {
      const wire = await openWire(remote, { onNotification, probeMs: 30, patienceMs: 60 });
      const pending = assert.rejects(wire.request('list_dbs', []), /said nothing for/);
      assert.match((await wire.closed).message, /said nothing for/);
      await pending;
      assert.match(heard, /\{"id":"server","result":\["x"\],"error":null\}/);
      assert.match(heard, /"method":"echo"/);
    },
  );
});

test('openWire() keeps a quiet connection to a server that answers its echo', async () => {
  const server = await startOvsdbServer('ovn-nb');
  const wire = await openWire(parseRemote(server.remote), { onNotification, probeMs: 20, patienceMs: 300 });
  await wait(900);
  assert.deepEqual(await wire.request('echo', [1]), [1]);
  wire.close();
  await server.close();
});

test('openWire() ends a connection over which something else than JSON-RPC comes', async () => {
  await withPeer(
    (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    async (remote) => {
      const wire = await openWire(remote, { onNotification });
      assert.match((await wire.closed).message, /does not speak JSON-RPC/);
    },
  );
});
