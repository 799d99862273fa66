// The door of an OpenVPN server: who is let in, how long a "no" takes, and that nobody who guesses holds up anybody else.
import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { sleep } from '../../lib/sleep.ts';
import { createDoor, type DoorLimits } from './openvpn-door.ts';
import type { GateClient } from './vpn-openvpn.ts';

const salt = Buffer.alloc(16, 1);
const hash = scryptSync('right', salt, 32, { N: 2, r: 1, p: 1 });
const passwordHash = `scrypt$2$1$1$${salt.toString('base64url')}$${hash.toString('base64url')}`;
const client = (id: string, more: Partial<GateClient> = {}): GateClient => ({
  id,
  username: `user-${id}`,
  passwordHash,
  serial: '0A1B',
  config: [],
  ...more,
});
const caller = (id: string, password = 'right', serial = '0a:1b'): Record<string, string> => ({
  common_name: id,
  username: `user-${id}`,
  password,
  tls_serial_hex_0: serial,
});
const LIMITS: DoorLimits = { early: 200, look: 10, slow: 200, slowest: 800, forgiven: 60_000, open: 2 };

/** A door with a list that the test changes. */
function doorOf(list: GateClient[], limits: Partial<DoorLimits> = {}): ReturnType<typeof createDoor> {
  return createDoor(async (id) => list.find((one) => one.id === id), { ...LIMITS, ...limits });
}

async function timed<T>(action: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const start = performance.now();
  return { value: await action, ms: performance.now() - start };
}

describe('createDoor()', () => {
  test('lets in whose certificate, name and password are right, and nobody else', async () => {
    const door = doorOf([client('ann'), client('bob')], { slow: 1, early: 1 });
    assert.deepEqual(await door.ask(caller('ann')), { client: client('ann') });
    for (const wrong of [
      caller('ann', 'wrong'),
      caller('ann', ''),
      caller('ann', 'right', '0A1C'),
      { ...caller('ann'), username: 'user-bob' },
      { ...caller('bob'), common_name: 'ann' },
      caller('cyd'),
      {},
    ])
      assert.ok('refused' in (await door.ask(wrong)), JSON.stringify(wrong));
  });

  test('waits for the document that names a new client or a new certificate, and no longer than it may', async () => {
    const list = [client('bob', { serial: '01' })];
    const door = doorOf(list, { early: 5000 });
    const asked = Promise.all([door.ask(caller('ann')), door.ask(caller('bob'))]);
    await sleep(30);
    list.splice(0, 1, client('ann'), client('bob'));
    assert.deepEqual(await asked, [{ client: client('ann') }, { client: client('bob') }]);
    const { value, ms } = await timed(doorOf([]).ask(caller('ann')));
    assert.deepEqual(value, { refused: 'certificate of nobody here' });
    assert.ok(ms >= LIMITS.early - 5, `${ms} ms`);
  });

  test('answers each further wrong password later, up to a limit; a right one at once, which makes all good', async () => {
    const door = doorOf([client('ann')]);
    const wrong = async (): Promise<number> => (await timed(door.ask(caller('ann', 'wrong')))).ms;
    const times = [await wrong(), await wrong(), await wrong()];
    const [first = 0, second = 0, third = 0] = times;
    assert.ok(first >= 195 && second >= 395 && third >= 795, String(times));
    assert.ok('client' in (await door.ask(caller('ann'))));
    const again = door.ask(caller('ann', 'wrong')).then(() => 'once');
    assert.equal(await Promise.race([again, sleep(750).then(() => 'twice')]), 'once');
  });

  test('holds nobody up while somebody guesses or waits, and takes no more than a few questions of one client', async () => {
    const door = doorOf([client('ann'), client('bob')], { slow: 2500, slowest: 2500, early: 2500 });
    const held = [caller('ann', 'wrong'), caller('ann', 'wrong'), caller('nobody'), caller('nobody')].map((one) => {
      let done = false;
      void door.ask(one).then(() => (done = true));
      return () => done;
    });
    assert.deepEqual(await door.ask(caller('ann')), { refused: 'too many attempts at once' });
    assert.deepEqual(await door.ask(caller('nobody')), { refused: 'too many attempts at once' });
    assert.ok('client' in (await door.ask(caller('bob'))), 'the others come in');
    assert.deepEqual(
      held.map((done) => done()),
      [false, false, false, false],
    );
  });

  test('lets nobody in who was revoked or changed while his password was looked at', async () => {
    const lists = [[client('ann')], [client('ann', { serial: '02' })], [client('ann', { serial: '02' })]];
    const door = createDoor(async () => (lists.length > 1 ? lists.shift() : lists[0])?.[0], { ...LIMITS, early: 0 });
    assert.deepEqual(await door.ask(caller('ann')), { refused: 'not the certificate it has now' });
  });

  test('refuses, and goes on, where a hash is none or the list cannot be read', async () => {
    const odd = doorOf([client('ann', { passwordHash: 'scrypt$3$1$1$AAAA$AAAA' })], { slow: 1 });
    assert.ok('refused' in (await odd.ask(caller('ann'))));
    const broken = createDoor(() => Promise.reject(new Error('no list')), LIMITS);
    assert.deepEqual(await broken.ask(caller('ann')), { refused: 'no list' });
  });
});
