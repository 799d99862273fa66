// SSH key pairs: that the private half is shown once, what is no key, whose they are, and how they reach an instance.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../lib/run.ts';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, deploy, listed, only, openCloud } from './instance.test-support.ts';
import { fingerprint, makePair, readPublicKey } from './key-material.ts';
import { askedPairs } from './key-pair.ts';

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMxkLFWuCBf7rOM0KIZFeXUzFhjJDaz47pIWmWvc9pFC me@there';

interface Made {
  readonly name: string;
  readonly fingerprint: string;
  readonly privatekey?: string;
}

const pairOf = (body: Record<string, unknown>): Made => body['keypair'] as Made;

const pairs = async (cloud: Cloud, who: 'admin' | 'acme-admin' | 'acme-user' | 'globex-admin'): Promise<string[]> => {
  const body = await cloud.callAs(who, 'listSSHKeyPairs', { listall: 'true' });
  return ((body['sshkeypair'] ?? []) as Made[]).map(({ name }) => name);
};

test('makePair() makes what ssh-keygen reads: the public half belongs to the private one, and so does the fingerprint', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-key-'));
  try {
    const { privatekey, publickey } = await makePair();
    writeFileSync(join(folder, 'key'), privatekey, { mode: 0o600 });
    assert.equal((await run(['ssh-keygen', '-y', '-f', join(folder, 'key')])).stdout.trim(), publickey);
    writeFileSync(join(folder, 'key.pub'), publickey);
    const { stdout } = await run(['ssh-keygen', '-l', '-E', 'md5', '-f', join(folder, 'key.pub')]);
    assert.ok(stdout.includes(`MD5:${fingerprint(readPublicKey(publickey)!.blob)} `), stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('readPublicKey() takes one key on one line, and nothing that would be more in a file of keys', () => {
  assert.equal(readPublicKey(`  ${ED25519.replaceAll(' ', '  ')}\n`)?.line, ED25519);
  for (const bad of [
    '',
    'ssh-rsa',
    'ssh-dss AAAAB3NzaC1kc3M=',
    `command="id" ${ED25519}`,
    ED25519.replace('ssh-ed25519', 'ssh-rsa'),
    `${ED25519}\nssh-ed25519 AAAA`,
    `${ED25519} \u0007`,
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5',
    '-----BEGIN RSA PRIVATE KEY-----',
  ]) {
    assert.equal(readPublicKey(bad), undefined, JSON.stringify(bad));
  }
});

test('createSSHKeyPair shows the private key once; it is in no row', async () => {
  await using cloud = await openCloud();
  const made = pairOf(await cloud.callAs('acme-admin', 'createSSHKeyPair', { name: 'mine' }));
  assert.match(made.privatekey ?? '', /^-----BEGIN RSA PRIVATE KEY-----\n/);
  assert.match(made.fingerprint, /^[0-9a-f]{2}(:[0-9a-f]{2}){15}$/);
  const shown = (await cloud.callAs('acme-admin', 'listSSHKeyPairs', { name: 'MINE' }))['sshkeypair'] as Made[];
  assert.deepEqual(
    shown.map((one) => [one.fingerprint, one.privatekey]),
    [[made.fingerprint, undefined]],
  );
  const secret = made.privatekey!.split('\n')[3]!;
  const rows = [
    await cloud.store.db.selectFrom('sshkeypair').selectAll().execute(),
    await cloud.store.db.selectFrom('event').selectAll().execute(),
  ];
  assert.ok(!JSON.stringify(rows).includes(secret), 'a line of the private key is nowhere');
});

test('registerSSHKeyPair refuses what is no key, and a name or a key that the account has', async () => {
  await using cloud = await openCloud();
  const register = (who: 'acme-admin' | 'globex-admin', name: string, publickey: string) =>
    cloud.callAs(who, 'registerSSHKeyPair', { name, publickey });
  await register('acme-admin', 'one', ED25519);
  await assert.rejects(register('acme-admin', 'two', 'no key'), refused(431, /^Public key is invalid/));
  await assert.rejects(
    register('acme-admin', 'one', ED25519),
    refused(431, /^A key pair with name 'one' already exists/),
  );
  await assert.rejects(
    register('acme-admin', 'two', ED25519),
    refused(
      431,
      /^A key pair with fingerprint '[0-9a-f:]{47}' already exists for account acme-admin: it is called one/,
    ),
  );
  await register('globex-admin', 'one', ED25519);
  assert.deepEqual(await pairs(cloud, 'admin'), ['one', 'one'], 'every account has names of its own');
});

test('listSSHKeyPairs and deleteSSHKeyPair know the pairs of the caller’s reach only, and say so as clients expect', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('acme-admin', 'registerSSHKeyPair', { name: 'mine', publickey: ED25519 });
  assert.deepEqual(await pairs(cloud, 'globex-admin'), []);
  assert.deepEqual(await pairs(cloud, 'acme-user'), []);
  for (const who of ['globex-admin', 'acme-user'] as const) {
    await assert.rejects(
      cloud.callAs(who, 'deleteSSHKeyPair', { name: 'mine' }),
      refused(431, new RegExp(`^A key pair with name 'mine' does not exist for account ${who}`)),
    );
  }
  assert.deepEqual(await cloud.callAs('acme-admin', 'deleteSSHKeyPair', { name: 'mine' }), { success: 'true' });
  assert.deepEqual(await pairs(cloud, 'admin'), []);
});

test('deployVirtualMachine keeps the keys of its pairs, also when a pair is deleted; lists find it by the name', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  await cloud.callAs('acme-admin', 'registerSSHKeyPair', { name: 'mine', publickey: ED25519 });
  await cloud.callAs('acme-admin', 'createSSHKeyPair', { name: 'other' });
  const { id } = await deploy(cloud, 'acme-admin', network, { keypair: 'mine', keypairs: 'other' });
  await deploy(cloud, 'acme-admin', network);
  const { keypair, keypairs } = await only(cloud, 'acme-admin', id);
  assert.deepEqual([keypair, keypairs], ['mine', 'mine,other']);
  for (const [name, found] of [
    ['other', [id]],
    ['absent', []],
  ] as const) {
    assert.deepEqual(
      (await listed(cloud, 'acme-admin', { keypair: name })).map((one) => one.id),
      found,
    );
  }
  await cloud.callAs('acme-admin', 'deleteSSHKeyPair', { name: 'mine' });
  const row = await cloud.store.db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  assert.equal((JSON.parse(row.keypairs!) as string[])[0], ED25519);
  assert.equal((await only(cloud, 'acme-admin', id)).keypair, 'other');
});

test('deployVirtualMachine refuses another account’s key pair, and any in a network that cannot tell it', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('globex-admin', 'registerSSHKeyPair', { name: 'theirs', publickey: ED25519 });
  await assert.rejects(
    deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), { keypair: 'theirs' }),
    refused(431, /^A key pair with name 'theirs' was not found\./),
  );
  await assert.rejects(
    deploy(cloud, 'acme-admin', await cloud.network('acme-admin', {}, 'bare'), { keypair: 'theirs' }),
    refused(431, /^Unable to deploy VM as SSH keypair is provided.*no support for UserData/),
  );
});

test('resetSSHKeyForVirtualMachine changes the keys of a stopped instance, from its own account’s pairs', async () => {
  await using cloud = await openCloud();
  const { id } = await deploy(cloud, 'acme-user', await cloud.network('acme-user'));
  await cloud.settle();
  await cloud.callAs('acme-user', 'registerSSHKeyPair', { name: 'new', publickey: ED25519 });
  await cloud.callAs('acme-admin', 'createSSHKeyPair', { name: 'admins' });
  const reset = (who: 'acme-user' | 'acme-admin' | 'globex-admin', keypair: string) =>
    cloud.doAs(who, 'resetSSHKeyForVirtualMachine', { id, keypair });
  await assert.rejects(reset('acme-user', 'new'), refused(431, /should be stopped to do SSH Key reset: it is Running/));
  await cloud.doAs('acme-user', 'stopVirtualMachine', { id });
  await assert.rejects(reset('globex-admin', 'new'), refused(431, /or entity does not exist/));
  await assert.rejects(
    reset('acme-admin', 'admins'),
    refused(431, /^A key pair with name 'admins' does not exist for account acme-user/),
  );
  const body = await reset('acme-admin', 'new');
  assert.equal((body['virtualmachine'] as { keypair?: string }).keypair, 'new');
});

test('askedPairs() refuses more key pairs than an instance can have, and counts each once', () => {
  const names = Array.from({ length: 20 }, (_, n) => `k${n}`);
  assert.deepEqual(askedPairs({ keypair: 'k0', keypairs: names }), names);
  assert.throws(() => askedPairs({ keypair: 'more', keypairs: names }), refused(431, /^21 key pairs .* at most 20/));
});
