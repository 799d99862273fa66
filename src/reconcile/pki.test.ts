// The channel's certificate authority: made once, never replaced silently.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../lib/run.ts';
import { openPki } from './pki.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pki-'));
});
after(() => rm(folder, { recursive: true }));

async function csr(name: string, key = join(folder, `${name}.key`)): Promise<string> {
  await run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
  return (await run(['openssl', 'req', '-new', '-key', key, '-subj', `/CN=${name}`])).stdout;
}

test('openPki() makes an authority once and opens the same one afterwards, its keys for the owner only', async () => {
  const directory = join(folder, 'a/pki');
  const first = await openPki(directory);
  const again = await openPki(directory);
  assert.equal(again.fingerprint, first.fingerprint);
  assert.equal(again.server.certificate, first.server.certificate);
  for (const file of ['ca.key', 'server.key']) assert.equal((await stat(join(directory, file))).mode & 0o777, 0o600);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
});

test('openPki() started twice at once yields one authority', async () => {
  const directory = join(folder, 'twice');
  const [a, b] = await Promise.all([openPki(directory), openPki(directory)]);
  assert.equal(a.fingerprint, b.fingerprint);
});

test('sign() decides name and use, whatever the request says', async () => {
  const pki = await openPki(join(folder, 'a/pki'));
  const request = await csr('h2');
  const serial = await pki.serialOf(request);
  const certificate = new X509Certificate(await pki.sign(request, 'h1', serial));
  assert.equal(certificate.subject, 'CN=h1');
  assert.equal(certificate.serialNumber, serial);
  assert.equal(certificate.ca, false);
  assert.deepEqual(
    certificate.keyUsage,
    ['1.3.6.1.5.5.7.3.2'],
    'client authentication only: a node cannot pass for the server',
  );
  assert.ok(certificate.verify(new X509Certificate(pki.ca).publicKey));
});

test('serialOf() follows from the key, and refuses what is no request of its own key', async () => {
  const pki = await openPki(join(folder, 'a/pki'));
  const request = await csr('h3');
  assert.equal(await pki.serialOf(request), await pki.serialOf(request));
  assert.notEqual(await pki.serialOf(request), await pki.serialOf(await csr('h3')));
  await assert.rejects(pki.serialOf('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'));
  const lines = request.trim().split('\n');
  const last = lines.at(-2)!;
  lines[lines.length - 2] = (last.startsWith('A') ? 'B' : 'A') + last.slice(1);
  await assert.rejects(pki.serialOf(lines.join('\n')), 'a request whose signature was changed');
});

test('openPki() says what is wrong with a damaged folder and changes nothing in it', async () => {
  const other = join(folder, 'other');
  await openPki(other);
  const cases: readonly (readonly [string, (directory: string) => Promise<unknown>, RegExp])[] = [
    ['missing', (directory) => rm(join(directory, 'ca.key')), /damaged: ca\.key missing/],
    ['garbage', (directory) => writeFile(join(directory, 'ca.pem'), 'hello'), /ca\.pem is no certificate/],
    [
      'mismatch',
      async (directory) => writeFile(join(directory, 'server.key'), await keyOf()),
      /server\.key does not belong to server\.pem/,
    ],
    [
      'foreign',
      async (directory) => run(['cp', join(other, 'ca.key'), join(other, 'ca.pem'), directory]),
      /server\.pem was not signed by ca\.pem/,
    ],
  ];
  for (const [name, damage, says] of cases) {
    const directory = join(folder, name);
    await openPki(directory);
    await damage(directory);
    await assert.rejects(openPki(directory), says);
    await assert.rejects(openPki(directory), new RegExp(directory), 'the folder is named');
  }
});

async function keyOf(): Promise<string> {
  return (await run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).stdout;
}
