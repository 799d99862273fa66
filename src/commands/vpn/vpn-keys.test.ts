// Keys as the programs that use them read them.
import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { run } from '../../lib/run.ts';
import { hashPassword, newPresharedKey, newStaticKey, newWireGuardKeys, readKey } from './vpn-keys.ts';

test('newWireGuardKeys() makes the pair that wg makes of the private key', async () => {
  const { privateKey, publicKey } = newWireGuardKeys();
  const { stdout } = await run(['wg', 'pubkey'], { input: `${privateKey}\n` });
  assert.equal(stdout.trim(), publicKey);
  assert.equal(readKey(publicKey, 'publickey'), publicKey);
});

test('readKey() refuses what is no key, and the key of nobody', () => {
  const zero = Buffer.alloc(32).toString('base64');
  for (const text of ['', 'x', zero, `${newPresharedKey()}\n`, newPresharedKey().slice(1)])
    assert.throws(() => readKey(text, 'publickey'), /Invalid publickey/, JSON.stringify(text));
});

test('newStaticKey() has the form of openvpn --genkey', () => {
  const lines = newStaticKey().trimEnd().split('\n');
  assert.equal(lines.length, 18);
  for (const line of lines.slice(1, -1)) assert.match(line, /^[0-9a-f]{32}$/);
});

test('hashPassword() can be checked by what it says of itself', async () => {
  const [name, n, r, p, salt, hash] = (await hashPassword('Secret.1')).split('$');
  const again = scryptSync('Secret.1', Buffer.from(salt!, 'base64url'), 32, {
    N: Number(n),
    r: Number(r),
    p: Number(p),
  });
  assert.deepEqual([name, again.toString('base64url')], ['scrypt', hash]);
});
