// Passwords that are given once, whoever asks how often, and whatever becomes of the process.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FILES } from './config.ts';
import { createPasswords, type Guest } from './passwords.ts';

const guest = (turn: number): Guest => ({
  id: '10000000-0000-4000-8000-000000000000',
  firstBoot: { toldBy: 'service', zone: 'z', offering: 'o', publicKeys: [], password: { turn, text: `secret${turn}` } },
});

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'passwords-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('createPasswords() gives a password until it is taken; another process knows, and the next one is another', async (t) => {
  const directory = await folder(t);
  await mkdir(join(directory, FILES.taken));
  const passwords = createPasswords(directory);
  assert.equal(await passwords.give(guest(1)), 'secret1');
  await passwords.take(guest(1));
  assert.equal(await passwords.give(guest(1)), undefined);
  assert.equal(await createPasswords(directory).give(guest(1)), undefined);
  assert.equal(await passwords.give(guest(2)), 'secret2');
});

test('take() writes once, however often it is asked, until nobody has that password any more', async (t) => {
  const directory = await folder(t);
  const notes = join(directory, FILES.taken);
  await mkdir(notes);
  const passwords = createPasswords(directory);
  await Promise.all(Array.from({ length: 50 }, () => passwords.take(guest(1))));
  const [name] = await readdir(notes);
  await rm(join(notes, name!));
  await passwords.take(guest(1));
  assert.deepEqual(await readdir(notes), [], 'nothing is written again');
  passwords.keep([guest(2)]);
  await passwords.take(guest(1));
  assert.deepEqual(await readdir(notes), [name]);
});

test('take() fails while it cannot be noted, and then the password is still there', async (t) => {
  const directory = await folder(t);
  const passwords = createPasswords(directory);
  await assert.rejects(passwords.take(guest(1)), /ENOENT/);
  assert.equal(await passwords.give(guest(1)), 'secret1');
  await mkdir(join(directory, FILES.taken));
  await passwords.take(guest(1));
  assert.equal(await passwords.give(guest(1)), undefined);
});
