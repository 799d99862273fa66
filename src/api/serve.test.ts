// The API on a real port: taken ports, garbage, a signature over the query as it was sent.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { createClient } from '../client/client.ts';
import { type Cloud, openCloud } from '../../test/support/cloud.ts';
import { type Served, serveApi } from './serve.ts';

let cloud: Cloud;
let served: Served;
before(async () => {
  cloud = await openCloud();
  served = await serveApi(cloud.app, { port: 0 });
});
after(async () => {
  await served.close();
  await cloud[Symbol.asyncDispose]();
});

test('serveApi() says which port is taken and what to do', async () => {
  await assert.rejects(
    serveApi(cloud.app, { port: served.port }),
    new RegExp(`Cannot listen on 127.0.0.1 port ${served.port}: another program listens there`),
  );
});

test('serveApi() listens on loopback only', () => {
  assert.equal(served.url, `http://127.0.0.1:${served.port}/client/api`);
});

test('serveApi() answers GET with a signature over the query as it was sent', async () => {
  const client = createClient({ endpoint: served.url, ...cloud.credentials.admin });
  assert.deepEqual(await client.call('listZones', { name: "n'o [such]*~ zone+é" }), {});
});

test('serveApi() survives garbage', async () => {
  for (const garbage of [
    '\u0000\u0001\u0002\r\n\r\n',
    'GET /client/api?%%% HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab',
    `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
  ]) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect(served.port, '127.0.0.1', () => socket.end(garbage));
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.resume();
    await promise;
  }
  const client = createClient({ endpoint: served.url, ...cloud.credentials.admin });
  assert.equal((await client.raw('listZones'))['count'], 1);
});
