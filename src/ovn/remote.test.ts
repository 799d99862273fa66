// Remotes: the notations, and TLS against a real server: who is not signed by the CA is not spoken to.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { run } from '../lib/run.ts';
import { until } from './ovsdb-server.test-support.ts';
import { openStream, parseRemote, type TlsFiles } from './remote.ts';
import { openWire } from './wire.ts';

test('parseRemote() reads the three notations and says what it takes otherwise', () => {
  assert.deepEqual(parseRemote('unix:/run/x.sock'), { kind: 'unix', path: '/run/x.sock' });
  assert.deepEqual(parseRemote('tcp:192.0.2.1:6641'), { kind: 'tcp', host: '192.0.2.1', port: 6641 });
  assert.deepEqual(parseRemote('ssl:[2001:db8::1]:6641'), { kind: 'ssl', host: '2001:db8::1', port: 6641 });
  for (const bad of ['', 'unix:', 'tcp:host', 'tcp:host:0', 'tcp:host:99999', 'http://x']) {
    assert.throws(() => parseRemote(bad), /use unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT/);
  }
});

test('openStream() rejects when nobody listens', async () => {
  await assert.rejects(openStream(parseRemote('unix:/nowhere/sock'), undefined, 1_000), /ENOENT/);
  await assert.rejects(
    openStream(parseRemote('ssl:127.0.0.1:1'), undefined, 1_000),
    /needs a key, a certificate and a CA/,
  );
});

test('openWire() speaks TLS with a server of our CA, and with no other', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'trunkline-tls-'));
  const path = (name: string): string => join(directory, name);
  const authority = async (ca: string, names: readonly string[]): Promise<void> => {
    const subject = [
      '-subj',
      `/CN=${ca}`,
      '-days',
      '2',
      '-nodes',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
    ];
    await run(['openssl', 'req', '-x509', ...subject, '-keyout', path(`${ca}.key`), '-out', path(`${ca}.pem`)]);
    for (const name of names) {
      const own = [
        '-subj',
        `/CN=${name}`,
        '-days',
        '2',
        '-nodes',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
      ];
      const signed = [
        '-CA',
        path(`${ca}.pem`),
        '-CAkey',
        path(`${ca}.key`),
        '-keyout',
        path(`${name}.key`),
        '-out',
        path(`${name}.pem`),
      ];
      await run(['openssl', 'req', '-x509', ...own, ...signed]);
    }
  };
  await authority('good', ['server', 'client']);
  await authority('other', ['stranger']);
  const files = (name: string, ca: string): TlsFiles => ({
    key: path(`${name}.key`),
    certificate: path(`${name}.pem`),
    ca: path(`${ca}.pem`),
  });

  const port = await freePort();
  await run(['ovsdb-tool', 'create', path('db'), '/usr/share/ovn/ovn-nb.ovsschema']);
  const own = ['--private-key', path('server.key'), '--certificate', path('server.pem'), '--ca-cert', path('good.pem')];
  const server = spawn(
    'ovsdb-server',
    [path('db'), `--remote=pssl:${port}:127.0.0.1`, ...own, `--unixctl=${path('ctl')}`, '--no-chdir', '-vconsole:off'],
    { stdio: 'ignore' },
  );
  const remote = parseRemote(`ssl:127.0.0.1:${port}`);
  const talk = async (tls: TlsFiles): Promise<unknown> => {
    const wire = await openWire(remote, { tls, onNotification: () => undefined });
    return wire.request('list_dbs', []).finally(() => wire.close());
  };
  try {
    await until(
      () =>
        talk(files('client', 'good')).then(
          () => true,
          () => false,
        ),
      'the server to answer over TLS',
    );
    await assert.rejects(talk(files('client', 'other')), /certificate/); // the server is not of this CA
    await assert.rejects(talk(files('stranger', 'good'))); // the server does not take strangers
  } finally {
    server.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
