// The nodes' channel with real TLS: who may join, fetch and report, and who may not.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import { request as https } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createBell, type Bell } from '../lib/bell.ts';
import { silentLog } from '../lib/log.ts';
import { run } from '../lib/run.ts';
import { MAX_BODY, PATHS, SERVER_NAME, type NodeDocument, type NodeReport } from '../protocol/document.ts';
import { createChannel, type Channel, type ChannelOptions } from './channel.ts';
import { openPki, type Pki } from './pki.ts';

let folder: string;
let pki: Pki;
let channel: Channel;
const documents = new Map<string, NodeDocument>();
const secrets = new Map<string, string>();
const serials = new Map<string, string>();
const reports: NodeReport[] = [];
let bell: Bell;

function options(listen: string): ChannelOptions {
  return {
    listen,
    pki,
    log: silentLog(),
    documents: {
      get: (node) => documents.get(node),
      async wait(node, have, ms) {
        const until = Date.now() + ms;
        while (Date.now() < until) {
          const now = documents.get(node);
          if (now !== undefined && now.generation > have) return now;
          await bell.wait(until - Date.now());
        }
        return undefined;
      },
    },
    hosts: {
      async acceptJoin(node, secret, serial) {
        if (secrets.get(node) !== secret) return false;
        secrets.delete(node);
        serials.set(node, serial);
        return true;
      },
      isCurrent: async (node, serial) => serials.get(node) === serial,
      async report(report) {
        reports.push(report);
      },
    },
  };
}

interface Answer {
  readonly status: number;
  readonly value: Record<string, unknown>;
}

type Proof = { key: string; cert: string };

function ask(
  method: string,
  path: string,
  proof?: Proof,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const where = { socketPath: channel.address.slice('unix:'.length) };
  const outgoing = https(
    { ...where, method, path, headers, ca: pki.ca, servername: SERVER_NAME, agent: false, ...proof },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          value: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
        }),
      );
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

async function request(node: string): Promise<{ key: string; csr: string }> {
  const file = join(folder, `${node}-${Math.random()}.key`);
  await run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file]);
  const { stdout } = await run(['openssl', 'req', '-new', '-key', file, '-subj', `/CN=${node}`]);
  return { key: await readFile(file, 'utf8'), csr: stdout };
}

async function joined(node: string): Promise<Proof> {
  secrets.set(node, 's3cret');
  const { key, csr } = await request(node);
  const { status, value } = await ask('POST', PATHS.join, undefined, JSON.stringify({ node, secret: 's3cret', csr }));
  assert.equal(status, 200);
  return { key, cert: value['certificate'] as string };
}

const facts = {
  hostname: 'h1',
  underlayIp: '192.0.2.11',
  cpus: 2,
  memoryMb: 100,
  ovs: '3',
  ovn: '23',
  kernel: '6',
  version: '0',
};
const reportOf = (node: string): NodeReport => ({ node, generation: 1, instances: [], facts });
const documentOf = (node: string, generation: number): NodeDocument => ({ node, generation, instances: [], peers: [] });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'channel-'));
  bell = createBell();
  pki = await openPki(join(folder, 'pki'));
  channel = await createChannel(options(`unix:${join(folder, 'a.sock')}`));
});
after(async () => {
  await channel.close();
  await rm(folder, { recursive: true });
});

test('join refuses a wrong secret, and a right one the second time', async () => {
  secrets.set('h1', 'right');
  const first = await request('h1');
  const second = await request('h1');
  const join1 = (secret: string, csr: string): Promise<Answer> =>
    ask('POST', PATHS.join, undefined, JSON.stringify({ node: 'h1', secret, csr }));
  const wrong = await join1('wrong', first.csr);
  assert.equal(wrong.status, 403);
  assert.match(String(wrong.value['error']), /join token for h1 is unknown, used or expired/);
  assert.equal((await join1('right', first.csr)).status, 200);
  assert.equal((await join1('right', second.csr)).status, 403, 'the secret is used up for another key');
});

test('join answers the same key again, so that a lost answer locks nobody out', async () => {
  secrets.set('h7', 'once');
  const { csr } = await request('h7');
  const body = JSON.stringify({ node: 'h7', secret: 'once', csr });
  assert.equal((await ask('POST', PATHS.join, undefined, body)).status, 200);
  assert.equal((await ask('POST', PATHS.join, undefined, body)).status, 200);
});

test('a document is not given without a certificate, nor to a stranger with a certificate of his own', async () => {
  assert.equal((await ask('GET', PATHS.document)).status, 401);
  const key = join(folder, 'own.key');
  const cert = join(folder, 'own.pem');
  await run([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    '-subj',
    '/CN=h1',
    '-days',
    '1',
  ]);
  const own = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  assert.equal((await ask('GET', PATHS.document, own)).status, 401);
});

test('a node gets its own document only, and reports for itself only', async () => {
  documents.set('h1', documentOf('h1', 5)).set('h2', documentOf('h2', 6));
  const [h1, h2] = [await joined('h1'), await joined('h2')];
  assert.equal((await ask('GET', `${PATHS.document}?node=h1`, h2)).value['node'], 'h2');
  assert.equal((await ask('GET', PATHS.document, h1)).value['generation'], 5);
  const refused = await ask('POST', PATHS.report, h2, JSON.stringify(reportOf('h1')));
  assert.equal(refused.status, 403);
  assert.match(String(refused.value['error']), /h2's: it cannot report for h1/);
  assert.equal((await ask('POST', PATHS.report, h1, JSON.stringify(reportOf('h1')))).status, 204);
  assert.deepEqual(reports.at(-1), reportOf('h1'));
});

test('a certificate is refused once its node has joined anew', async () => {
  documents.set('h1', documentOf('h1', 5));
  const old = await joined('h1');
  const now = await joined('h1');
  const refused = await ask('GET', PATHS.document, old);
  assert.equal(refused.status, 403);
  assert.match(String(refused.value['error']), /no longer the current one/);
  assert.equal((await ask('GET', PATHS.document, now)).status, 200);
});

test('a long poll ends with 204 when nothing newer comes, and within milliseconds when something does', async () => {
  const h3 = await joined('h3');
  documents.set('h3', documentOf('h3', 5));
  assert.equal((await ask('GET', `${PATHS.document}?have=5&wait=0`, h3)).status, 204);
  assert.equal((await ask('GET', `${PATHS.document}?have=9&wait=1`, h3)).status, 204, 'an older one is not offered');
  const waiting = ask('GET', `${PATHS.document}?have=5&wait=20`, h3);
  const early = await Promise.race([
    waiting.then(() => 'answered'),
    new Promise((resolve) => setTimeout(() => resolve('waits'), 200)),
  ]);
  assert.equal(early, 'waits');
  documents.set('h3', documentOf('h3', 6));
  const rung = performance.now();
  bell.ring();
  assert.equal((await waiting).value['generation'], 6);
  assert.ok(performance.now() - rung < 100);
});

test('malformed requests get a 4xx and a sentence', async () => {
  const h4 = await joined('h4');
  const cases: readonly (readonly [number, Promise<Answer>])[] = [
    [400, ask('POST', PATHS.report, h4, 'no json')],
    [400, ask('POST', PATHS.report, h4, JSON.stringify({ node: 'h4' }))],
    [400, ask('POST', PATHS.report, h4, '{"__proto__":{"node":"h4"}}')],
    [400, ask('POST', PATHS.join, undefined, JSON.stringify({ node: 'h4/CN=h1', secret: 'x', csr: 'x' }))],
    [400, ask('POST', PATHS.join, undefined, JSON.stringify({ node: 'h4', secret: 'x', csr: 'x' }))],
    [400, ask('GET', `${PATHS.document}?have=abc`, h4)],
    [400, ask('GET', `${PATHS.document}?wait=1e9`, h4)],
    [404, ask('GET', '/etc/passwd', h4)],
    [405, ask('DELETE', PATHS.document, h4)],
    [413, ask('POST', PATHS.report, h4, 'x', { 'content-length': String(MAX_BODY + 1) })],
  ];
  for (const [status, answer] of cases) {
    const { status: got, value } = await answer;
    assert.equal(got, status);
    assert.ok(String(value['error']).length > 10);
  }
});

test('a body without a length is cut off at the limit', async () => {
  const h5 = await joined('h5');
  const answer = await ask('POST', PATHS.report, h5, 'x'.repeat(MAX_BODY + 10), {
    'transfer-encoding': 'chunked',
  }).catch((error: NodeJS.ErrnoException) => error.code);
  assert.ok(typeof answer === 'string' ? ['EPIPE', 'ECONNRESET'].includes(answer) : answer?.status === 413);
});

test('the channel speaks TLS 1.2 or newer only, and shows the authority a join token names', async () => {
  const where = { path: channel.address.slice('unix:'.length), servername: SERVER_NAME, rejectUnauthorized: false };
  const old = Promise.withResolvers<string>();
  connect({ ...where, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, () =>
    old.resolve('accepted'),
  ).on('error', () => old.resolve('refused'));
  assert.equal(await old.promise, 'refused');
  const seen = Promise.withResolvers<string>();
  const socket = connect(where, () =>
    seen.resolve(createHash('sha256').update(socket.getPeerCertificate(true).issuerCertificate.raw).digest('hex')),
  );
  assert.equal(await seen.promise, pki.fingerprint);
  socket.destroy();
});

test('createChannel() replaces the socket of a killed server, and refuses one in use, a file and a port in use', async () => {
  const stale = join(folder, 'stale.sock');
  // Node removes its socket when it closes: only a killed process leaves one behind.
  await run([
    process.execPath,
    '-e',
    `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]).catch(() => undefined);
  const second = await createChannel(options(`unix:${stale}`));
  await assert.rejects(createChannel(options(`unix:${stale}`)), /another server listens there already/);
  await second.close();
  const file = join(folder, 'precious');
  await writeFile(file, 'text');
  await assert.rejects(createChannel(options(`unix:${file}`)), /something that is no socket/);
  assert.equal(await readFile(file, 'utf8'), 'text');
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const { port } = blocker.address() as { port: number };
  await assert.rejects(createChannel(options(`127.0.0.1:${port}`)), /something else listens there already/);
  blocker.close();
  await assert.rejects(createChannel(options('nonsense')), /write unix:PATH or HOST:PORT/);
  await assert.rejects(createChannel(options(`unix:/tmp/${'x'.repeat(120)}`)), /longer than 107 bytes/);
});
