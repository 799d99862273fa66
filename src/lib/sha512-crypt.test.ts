// The hash is right when it is the one openssl gives.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './run.ts';
import { sha512Crypt } from './sha512-crypt.ts';

/** What openssl says, which every Debian has. */
async function openssl(password: string, salt: string, rounds: number): Promise<string> {
  const { stdout } = await run(['openssl', 'passwd', '-6', '-salt', `rounds=${rounds}$${salt}`, '-stdin'], {
    input: password,
  });
  return stdout.trim();
}

test('sha512Crypt() gives what openssl gives', async () => {
  const passwords = ['a', 'password', 'x'.repeat(63), 'y'.repeat(64), 'z'.repeat(65), 'ümläut €', 'Q4-"quote"$'];
  for (const [index, password] of passwords.entries()) {
    const salt = 'abcdefgh./XYZ019'.slice(0, 1 + ((index * 5) % 16));
    assert.equal(sha512Crypt(password, salt, 1000 + index), await openssl(password, salt, 1000 + index));
  }
});

test('sha512Crypt() refuses a salt that would end the field in /etc/shadow', () => {
  assert.throws(() => sha512Crypt('password', 'a:b'), /salt/);
  assert.throws(() => sha512Crypt('password', ''), /salt/);
});
