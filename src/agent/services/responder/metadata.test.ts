// What an instance is told, by path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestSpec } from './config.ts';
import { metadata, passwordRequest } from './metadata.ts';

const guest: GuestSpec = {
  id: '10000000-0000-4000-8000-000000000000',
  hostname: 'web',
  domain: 'acme.internal',
  firstBoot: {
    toldBy: 'service',
    zone: 'zone 1',
    offering: 'Small',
    publicKeys: ['ssh-ed25519 AAAA a', 'ssh-rsa BBBB b'],
    userData: Buffer.from([0, 255, 10]).toString('base64'),
    publicIp: '203.0.113.9',
  },
};
const get = (path: string): string => String(metadata(guest, '10.1.1.2', path).body);

test('metadata() serves CloudStack’s names under latest and under versions', () => {
  for (const root of ['/latest', '/latest/', '/2009-04-04', '//latest//'])
    assert.equal(get(`${root}/meta-data/local-hostname`), 'web.acme.internal');
  assert.deepEqual(get('/latest/meta-data/').split('\n').slice(0, -1), [
    'availability-zone',
    'cloud-identifier',
    'instance-id',
    'local-hostname',
    'local-ipv4',
    'public-hostname',
    'public-ipv4',
    'public-keys',
    'service-offering',
    'vm-id',
  ]);
  assert.equal(get('/latest/meta-data/public-keys'), 'ssh-ed25519 AAAA a\nssh-rsa BBBB b');
  assert.equal(get('/latest/meta-data/local-ipv4'), '10.1.1.2');
  assert.equal(get('/latest/meta-data/vm-id?x=1'), guest.id);
});

test('metadata() gives user data byte by byte, and an empty one where there is none', () => {
  assert.deepEqual(metadata(guest, '10.1.1.2', '/latest/user-data').body, Buffer.from([0, 255, 10]));
  const { userData: _, ...firstBoot } = guest.firstBoot;
  assert.equal(metadata({ ...guest, firstBoot }, '10.1.1.2', '/latest/user-data').body.length, 0);
});

test('metadata() knows nothing else', () => {
  for (const path of [
    '/password',
    '/latest/meta-data/nothing',
    '/latest/meta-data/vm-id/x',
    '/newest/user-data',
    '/../etc/passwd',
  ])
    assert.equal(metadata(guest, '10.1.1.2', path).status, 404, path);
});

test('passwordRequest() understands two words', () => {
  assert.equal(passwordRequest('send_my_password'), 'give');
  assert.equal(passwordRequest('saved_password'), 'taken');
  assert.equal(passwordRequest(undefined), 'unknown');
  assert.equal(passwordRequest('please'), 'unknown');
});
