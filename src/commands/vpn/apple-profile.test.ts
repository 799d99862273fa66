// What an Apple device reads, read back by another plist reader.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { makeAuthority } from '../../lib/certificate.ts';
import { newId } from '../../lib/id.ts';
import { run } from '../../lib/run.ts';
import { authorityName } from '../../model/vpn.ts';
import { appleProfileText } from './apple-profile.ts';

const READ = `
import base64, json, plistlib, sys
plain = lambda value: base64.b64encode(value).decode() if isinstance(value, bytes) else value
print(json.dumps(plistlib.loads(sys.stdin.buffer.read()), default=plain))`;

type Dict = Readonly<Record<string, unknown>>;

test('appleProfileText() is a profile with the authority that the tunnel insists on, and no name adds to it', async () => {
  const vpn = newId();
  const { certificate } = await makeAuthority(authorityName(vpn), 30);
  const username = '<ann>&</string>';
  const text = appleProfileText({ vpn, address: '203.0.113.11', username, ca: certificate });
  const { stdout } = await run(['python3', '-c', READ], { input: text });
  const whole = JSON.parse(stdout) as Dict & { PayloadContent: Dict[] };
  assert.equal(whole['PayloadType'], 'Configuration');
  const [root, tunnel] = whole.PayloadContent;
  assert.equal(root!['PayloadType'], 'com.apple.security.root');
  assert.deepEqual(Buffer.from(String(root!['PayloadContent']), 'base64'), new X509Certificate(certificate).raw);
  assert.deepEqual([tunnel!['PayloadType'], tunnel!['VPNType']], ['com.apple.vpn.managed', 'IKEv2']);
  const ike = tunnel!['IKEv2'] as Dict;
  assert.equal(`CN=${String(ike['ServerCertificateIssuerCommonName'])}`, new X509Certificate(certificate).subject);
  assert.deepEqual(
    [ike['RemoteAddress'], ike['RemoteIdentifier'], ike['AuthName']],
    ['203.0.113.11', '203.0.113.11', username],
  );
  assert.ok(!('AuthPassword' in ike));
  const ids = [whole, root!, tunnel!].map((one) => String(one['PayloadUUID']));
  assert.equal(new Set(ids).size, 3);
});
