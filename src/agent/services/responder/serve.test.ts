// The responder's sockets as clients see them, on loopback: whom it answers, and what.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { GuestSpec, ServedNetwork } from './config.ts';
import { createForwarder, framed, framesOf } from './forward.ts';
import { RCODE } from './message.ts';
import { namesOf } from './names.ts';
import { query } from './query.test-support.ts';
import { createPasswords, type Passwords } from './passwords.ts';
import { serve } from './serve.ts';
import type { Sockets } from './sockets.ts';

const guest: GuestSpec = {
  id: '10000000-0000-4000-8000-000000000000',
  hostname: 'web',
  domain: 'acme.internal',
  firstBoot: { toldBy: 'service', zone: 'z', offering: 'o', publicKeys: [], password: { turn: 1, text: 'Secret12' } },
};
const network: ServedNetwork = {
  id: 'n',
  ip: '127.0.0.1',
  cidr: '127.0.0.0/24',
  netns: 'x',
  made: 0,
  domain: 'acme.internal',
  dns: { scope: 'n', resolvers: [] },
  userData: true,
  cards: [{ ip: '127.0.0.1', instance: guest.id }],
};

interface Ports {
  readonly namesTcp: number;
  readonly metadata: number;
  readonly passwords: number;
}

interface Around {
  readonly passwords?: Passwords;
  readonly failed?: (what: string) => void;
}

async function served(t: TestContext, knows = network, around: Around = {}): Promise<Ports> {
  const listen = async (): Promise<Server> => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const [namesTcp, metadata, passwords] = await Promise.all([listen(), listen(), listen()]);
  let taken = false;
  const store: Passwords = {
    give: async ({ firstBoot }) => (taken ? undefined : firstBoot.password?.text),
    take: async () => void (taken = true),
  };
  const names = namesOf({
    id: 'n',
    networks: [{ id: 'n', domain: 'acme.internal', hosts: [{ name: 'web', ip: '127.0.0.1' }] }],
  });
  const guestAt = (address: string): GuestSpec | undefined => (address === '127.0.0.1' ? guest : undefined);
  const serving = serve(
    { namesTcp, metadata, passwords },
    () => ({ network: knows, names, guestAt }),
    createForwarder(1),
    around.passwords ?? store,
    around.failed,
  );
  t.after(() => serving.close());
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;
  return { namesTcp: portOf(namesTcp), metadata: portOf(metadata), passwords: portOf(passwords) };
}

async function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  localAddress = '127.0.0.1',
): Promise<[number, string]> {
  const request = get({ host: '127.0.0.1', port, path, headers, localAddress, agent: false });
  const [response] = await once(request, 'response');
  let body = '';
  for await (const chunk of response as AsyncIterable<Buffer>) body += chunk.toString();
  return [(response as { statusCode: number }).statusCode, body];
}

test('serve() tells an instance by its own address and nobody else anything', async (t) => {
  const { metadata } = await served(t);
  assert.deepEqual(await ask(metadata, '/latest/meta-data/vm-id'), [200, guest.id]);
  assert.equal(
    (await ask(metadata, '/latest/meta-data/vm-id', {}, '127.0.0.2'))[0],
    404,
    'of the network, but no instance',
  );
  assert.equal((await ask(metadata, '/latest/meta-data/vm-id', {}, '127.0.9.1'))[0], 404, 'not of the network');
  assert.equal((await ask(metadata, '/latest/meta-data/vm-id', { 'x-forwarded-for': '127.0.0.1' }))[0], 404, 'a proxy');
});

test('serve() gives a password until it is taken, then no more', async (t) => {
  const { passwords } = await served(t);
  const say = async (word: string): Promise<string> => (await ask(passwords, '/', { DomU_Request: word }))[1];
  assert.equal(await say('send_my_password'), 'Secret12');
  assert.equal(await say('send_my_password'), 'Secret12', 'a guest that died before it could note it asks again');
  assert.equal(await say('saved_password'), 'saved_password');
  assert.equal(await say('send_my_password'), 'saved_password');
  assert.equal(await say('please'), 'bad_request');
});

test('serve() says that it failed where a password cannot be noted as taken, and tells of it once and without the password', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'responder-'));
  t.after(() => rm(directory, { recursive: true }));
  const told: string[] = [];
  const failed = (what: string): void => void told.push(what);
  // There is no folder for its notes.
  const { passwords } = await served(t, network, { passwords: createPasswords(directory), failed });
  const say = (word: string): Promise<[number, string]> => ask(passwords, '/', { DomU_Request: word });
  for (let turn = 0; turn < 3; turn++) assert.deepEqual(await say('saved_password'), [500, 'bad_request']);
  assert.deepEqual(await say('send_my_password'), [200, 'Secret12'], 'it was not noted, so it is still given');
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^a password could not be given, or not be noted as taken: ENOENT: .*taken.10000000-/);
  assert.doesNotMatch(told[0]!, /Secret12/);
});

test('serve() answers names by TCP, also to who has said all he has to say', async (t) => {
  const { namesTcp } = await served(t);
  const socket = connect({ port: namesTcp, host: '127.0.0.1', allowHalfOpen: true });
  const got = Promise.withResolvers<Buffer>();
  socket.on('data', framesOf(got.resolve));
  socket.end(framed(query('web.acme.internal')));
  assert.deepEqual([...(await got.promise).subarray(-4)], [127, 0, 0, 1]);
  socket.destroy();
});

test('serve() lets nobody hold more than his share of connections', async (t) => {
  const { metadata } = await served(t);
  const sockets = Array.from({ length: 20 }, () => connect({ port: metadata, host: '127.0.0.1' }));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  const ended = sockets.slice(16).map((socket) =>
    once(
      socket.on('error', () => undefined),
      'close',
    ),
  );
  await Promise.all(ended);
  assert.ok(sockets.slice(0, 16).every((socket) => !socket.destroyed));
});

test('serve() answers one address so many times at once by HTTP, and the others as before', async (t) => {
  const { metadata } = await served(t);
  const statuses: number[] = [];
  for (let turn = 0; turn < 60; turn++)
    statuses.push(
      ...(await Promise.all(Array.from({ length: 4 }, () => ask(metadata, '/latest/meta-data/vm-id')))).map(
        ([status]) => status,
      ),
    );
  assert.ok(
    statuses.slice(0, 100).every((status) => status === 200),
    'a first boot asks this often',
  );
  assert.ok(statuses.includes(429));
});

test('serve() lets one address leave no more than its share of questions with silent resolvers', async (t) => {
  const silent = createSocket('udp4').bind(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const asked: Buffer[] = [];
  silent.on('message', (packet) => asked.push(packet));
  const names = createSocket('udp4').bind(0, '127.0.0.1');
  await once(names, 'listening');
  const knows = {
    network: { ...network, dns: { scope: 'n', resolvers: ['127.0.0.1'] } },
    names: undefined,
    guestAt: () => undefined,
  };
  const store: Passwords = { give: async () => undefined, take: async () => undefined };
  const serving = serve({ names } as Sockets, () => knows, createForwarder(silent.address().port), store);
  t.after(() => serving.close());
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  t.after(() => client.close());
  const answers: Buffer[] = [];
  client.on('message', (packet) => answers.push(packet));
  for (let id = 0; id < 60; id++) client.send(query('www.example.net', { id }), names.address().port, '127.0.0.1');
  // Those beyond the share are refused at once, while the others wait for the resolver.
  while (answers.length < 35) await once(client, 'message');
  assert.equal(answers.length, 35);
  assert.ok(answers.every((packet) => (packet[3]! & 15) === RCODE.failure));
  assert.ok(asked.length <= 25);
});
