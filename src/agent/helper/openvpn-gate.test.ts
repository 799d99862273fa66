// The gate at the other end of OpenVPN's management socket: the test speaks OpenVPN's part (management-notes.txt), as it was heard.
import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { sleep } from '../../lib/sleep.ts';
import { serveGate } from './openvpn-gate.ts';
import type { GateClient, GateFile } from './vpn-openvpn.ts';

const salt = Buffer.alloc(16, 1);
const hashOf = (password: string): string =>
  `scrypt$2$1$1$${salt.toString('base64url')}$${scryptSync(password, salt, 32, { N: 2, r: 1, p: 1 }).toString('base64url')}`;
const client = (id: string, more: Partial<GateClient> = {}): GateClient => ({
  id,
  username: id,
  passwordHash: hashOf('right'),
  serial: '0A',
  config: [`ifconfig-push 10.8.0.5 255.255.255.0`],
  ...more,
});

interface Openvpn {
  list(clients: readonly GateClient[]): Promise<void>;
  /** What the gate says, without its looks. */
  readonly said: string[];
  says(...lines: readonly string[]): void;
  asks(cid: number, name: string, password: string): void;
  /** Who is connected; answers the gate's next looks. */
  table: readonly string[];
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  status(): Promise<readonly { readonly id: string }[]>;
}

async function openvpn(t: TestContext, clients: readonly GateClient[]): Promise<Openvpn> {
  const home = await mkdtemp(join(tmpdir(), 'gate-'));
  const file = { socket: join(home, 'socket'), status: join(home, 'status') };
  const path = join(home, 'gate.json');
  const list = async (next: readonly GateClient[]): Promise<void> => {
    await writeFile(`${path}.new`, JSON.stringify({ ...file, clients: next } satisfies GateFile));
    await rename(`${path}.new`, path);
  };
  await list(clients);
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer(resolve).listen(file.socket);
  const serving = serveGate(path);
  const socket = await promise;
  const room: Openvpn = {
    list,
    said: [],
    table: [],
    says: (...lines) => void socket.write(lines.map((line) => `${line}\r\n`).join('')),
    asks: (cid, name, password) =>
      room.says(
        `>CLIENT:CONNECT,${cid},0`,
        `>CLIENT:ENV,common_name=${name}`,
        `>CLIENT:ENV,tls_serial_hex_0=0a`,
        `>CLIENT:ENV,username=${name}`,
        `>CLIENT:ENV,password=${password}`,
        '>CLIENT:ENV,END',
      ),
    async until(what, condition) {
      const end = Date.now() + 15_000;
      while (!(await condition())) {
        if (Date.now() > end) throw new Error(`not within 15 s: ${what}; said: ${room.said.join(' | ')}`);
        await sleep(20);
      }
    },
    status: async () => JSON.parse(await readFile(file.status, 'utf8').catch(() => '[]')) as { id: string }[],
  };
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines)
      if (line === 'status 3') room.says('TITLE\tOpenVPN', ...room.table, 'GLOBAL_STATS\tx', 'END');
      else room.said.push(line);
  });
  t.after(async () => {
    socket.destroy();
    await serving;
    server.close();
    await rm(home, { recursive: true });
  });
  return room;
}

const line = (cid: number, name: string, ip: string): string =>
  `CLIENT_LIST\t${name}\tudp4:198.51.100.1:4000\t${ip}\t\t10\t20\tx\t1700000000\tu\t${cid}\t0\tAES`;

test('serveGate() lets OpenVPN begin, each time it begins', async (t) => {
  const room = await openvpn(t, []);
  room.says('>INFO:OpenVPN', '>HOLD:Waiting for hold release:0');
  await room.until('released', () => room.said.length === 1);
  room.says('>HOLD:Waiting for hold release:0');
  await room.until('released again', () => room.said.length === 2);
  assert.deepEqual(room.said, ['hold release', 'hold release']);
});

test('serveGate() answers with address and routes, tells of those who are in, and of nobody who only tries', async (t) => {
  const room = await openvpn(t, [client('ann'), client('bob')]);
  room.asks(1, 'ann', 'right');
  await room.until('an answer', () => room.said.includes('END'));
  assert.deepEqual(room.said, ['client-auth 1 0', ...client('ann').config, 'END']);
  room.asks(2, 'bob', 'wrong "\n');
  room.table = [line(1, 'ann', '10.8.0.5'), line(2, 'bob', '')];
  await room.until('ann is told of', async () => (await room.status()).length > 0);
  await room.until('a refusal', () => room.said.length > 3);
  assert.deepEqual(room.said.slice(3), ['client-deny 2 0 "wrong user name or password"']);
  assert.deepEqual(
    (await room.status()).map(({ id }) => id),
    ['ann'],
  );
});

test('serveGate() cuts who is revoked, has who has changed begin anew, and leaves the others', async (t) => {
  const all = ['ann', 'bob', 'cyd', 'dan', 'eve'];
  const room = await openvpn(
    t,
    all.map((name) => client(name)),
  );
  for (const [cid, name] of all.entries()) room.asks(cid, name, 'right');
  await room.until('all are in', () => room.said.filter((one) => one === 'END').length === all.length);
  room.said.length = 0;
  await room.list([
    client('bob', { passwordHash: hashOf('new') }),
    client('cyd', { config: ['ifconfig-push 10.8.0.9 255.255.255.0'] }),
    client('dan', { serial: '0B' }),
    client('eve'),
  ]);
  await room.until('all are told', () => room.said.length >= 4);
  assert.deepEqual(room.said.toSorted(), [
    'client-kill 0 HALT',
    'client-kill 1 RESTART',
    'client-kill 2 RESTART',
    'client-kill 3 RESTART',
  ]);
});

test('serveGate() takes over who is in, and has those begin anew whom nobody answered; a question on its way is neither', async (t) => {
  const room = await openvpn(t, [client('ann'), client('bob'), client('cyd')]);
  room.table = [line(1, 'ann', '10.8.0.5'), line(2, 'bob', ''), line(3, 'zoe', '10.8.0.9'), line(4, 'UNDEF', '')];
  // Until OpenVPN has done it, it is said again.
  await room.until('both are told', () => new Set(room.said).size >= 2);
  assert.deepEqual([...new Set(room.said)].toSorted(), ['client-kill 2 RESTART', 'client-kill 3 HALT']);
  room.table = [line(1, 'ann', '10.8.0.5'), line(4, 'UNDEF', ''), line(5, 'cyd', '')];
  room.said.length = 0;
  // Refused a second later; OpenVPN still lists him for a while.
  room.asks(5, 'cyd', 'wrong');
  await room.until('a refusal', () => room.said.length > 0);
  await room.list([client('cyd')]);
  await room.until('ann is cut', () => room.said.length > 1);
  assert.deepEqual(room.said, ['client-deny 5 0 "wrong user name or password"', 'client-kill 1 HALT']);
});
