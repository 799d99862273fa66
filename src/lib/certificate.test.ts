// Authorities and what they certify, read by node:crypto and judged by openssl.
import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeAuthority, makeCertified } from './certificate.ts';

test('makeCertified() signs for its use, its name and its time, and leaves no file behind', async (t) => {
  // Other tests make certificates at the same time.
  const own = mkdtempSync(join(tmpdir(), 'certificate-'));
  const usual = process.env['TMPDIR'];
  process.env['TMPDIR'] = own;
  t.after(() => {
    if (usual === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = usual;
    rmSync(own, { recursive: true });
  });
  const authority = await makeAuthority('vpn-1', 100);
  const server = await makeCertified(
    authority,
    { kind: 'server', name: '203.0.113.5', addresses: ['203.0.113.5'] },
    397,
  );
  const client = await makeCertified(authority, { kind: 'client', name: 'c-1' }, 30);
  const [ca, ofServer, ofClient] = [authority, server, client].map(
    ({ certificate }) => new X509Certificate(certificate),
  );
  assert.ok(ca!.ca && ofServer!.verify(ca!.publicKey) && ofClient!.verify(ca!.publicKey));
  assert.ok(ofServer!.checkPrivateKey(createPrivateKey(server.key)));
  assert.equal(ofServer!.checkIP('203.0.113.5'), '203.0.113.5');
  assert.deepEqual(ofServer!.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.deepEqual([ofClient!.subject, ofClient!.keyUsage], ['CN=c-1', ['1.3.6.1.5.5.7.3.2']]);
  assert.equal(ofClient!.serialNumber, client.serial);
  assert.ok(Date.parse(server.ends) <= Date.parse(authority.ends), 'no longer than the authority');
  assert.deepEqual(readdirSync(own), []);
});

test('makeCertified() takes no name that openssl could read otherwise', async () => {
  const authority = await makeAuthority('vpn-1', 100);
  for (const name of ['a/CN=b', 'a\nb', '', 'a,DNS:b'])
    await assert.rejects(makeCertified(authority, { kind: 'client', name }, 1), /not a name for a certificate/);
});
