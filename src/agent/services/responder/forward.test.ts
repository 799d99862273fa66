// Questions that are passed on, to a resolver that is really there and one that lies.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { createForwarder, framed, framesOf } from './forward.ts';
import { formatAnswer, parseQuestion, RCODE } from './message.ts';
import { query } from './query.test-support.ts';

const PACKET = query('www.example.net', { id: 4711 });
const QUESTION = parseQuestion(PACKET)!;

/** A resolver on loopback, UDP and TCP; `reply` gives what it sends. */
async function resolver(
  t: TestContext,
  reply: (packet: Buffer) => Buffer[],
): Promise<{ port: number; asked: Buffer[] }> {
  const asked: Buffer[] = [];
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.on('message', (packet, from) => {
    asked.push(packet);
    for (const answer of reply(packet)) socket.send(answer, from.port, from.address);
  });
  const server = createServer((stream) => {
    stream.on('error', () => undefined);
    stream.on(
      'data',
      framesOf((packet) => reply(packet).forEach((answer) => stream.write(framed(answer)))),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    socket.close();
    server.close();
  });
  return { port, asked };
}

const right = (packet: Buffer): Buffer => formatAnswer(parseQuestion(packet)!, RCODE.ok, [{ ip: '198.51.100.80' }]);

test('ask() gives the resolver’s answer under the number the asker chose, and asks under another', async (t) => {
  const { port, asked } = await resolver(t, (packet) => [right(packet)]);
  const forwarder = createForwarder(port);
  for (const over of ['udp', 'tcp'] as const) {
    const answer = await forwarder.ask(PACKET, QUESTION, ['127.0.0.1'], over);
    assert.equal(answer?.readUInt16BE(0), 4711);
    assert.deepEqual([...answer!.subarray(-4)], [198, 51, 100, 80]);
  }
  for (let more = 0; more < 5; more++) await forwarder.ask(PACKET, QUESTION, ['127.0.0.1'], 'udp');
  assert.ok(new Set(asked.map((packet) => packet.readUInt16BE(0))).size > 1, 'numbers cannot be guessed');
});

test('ask() takes no answer to another question nor under another number, and waits for the right one', async (t) => {
  const lies = (packet: Buffer): Buffer[] => {
    const wrongNumber = right(packet);
    wrongNumber.writeUInt16BE(packet.readUInt16BE(0) ^ 1, 0);
    const other = query('www.example.org', { id: packet.readUInt16BE(0) });
    return [wrongNumber, right(other), right(packet)];
  };
  const { port } = await resolver(t, lies);
  const answer = await createForwarder(port).ask(PACKET, QUESTION, ['127.0.0.1'], 'udp');
  assert.ok(answer!.includes(Buffer.from('example')) && answer!.includes(Buffer.from([3, 0x6e, 0x65, 0x74])));
});

test('ask() goes on to the next resolver when one is silent', async (t) => {
  const { port } = await resolver(t, (packet) => [right(packet)]);
  const answer = await createForwarder(port).ask(PACKET, QUESTION, ['127.0.0.9', '127.0.0.1'], 'udp');
  assert.ok(answer !== undefined);
});

test('framesOf() finds packets however the stream is cut', () => {
  const packets = ['a', 'bc', ''].map((text) => Buffer.from(text));
  const stream = Buffer.concat(packets.map(framed));
  for (let size = 1; size <= stream.length; size++) {
    const got: string[] = [];
    const take = framesOf((packet) => got.push(packet.toString()));
    for (let at = 0; at < stream.length; at += size) take(stream.subarray(at, at + size));
    assert.deepEqual(got, ['a', 'bc', '']);
  }
});
