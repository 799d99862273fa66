// Logins that go wrong: whose count they are, and when it starts over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from './error.ts';
import { createLoginLimit } from './login-limit.ts';

const want = (username: string): { username: string; domain: undefined; domainid: undefined } => ({
  username,
  domain: undefined,
  domainid: undefined,
});

test('begin() counts all addresses of an IPv6 network as one, and starts over after a minute', () => {
  let now = 0;
  const limit = createLoginLimit(() => now);
  for (let i = 1; i <= 10; i++) limit.begin(want('admin'), `2001:db8:0:1::${i}`);
  assert.throws(() => limit.begin(want('admin'), '2001:db8:0:1:ffff::1'), Refusal);
  limit.begin(want('admin'), '2001:db8:0:2::1');
  limit.begin(want('other'), '2001:db8:0:1::1');
  now = 60_000;
  limit.begin(want('admin'), '2001:db8:0:1:ffff::1');
});

test('begin() tells IPv4 callers apart on a socket for both families', () => {
  const limit = createLoginLimit(() => 0);
  for (let i = 1; i <= 10; i++) limit.begin(want('admin'), '::ffff:192.0.2.1');
  assert.throws(() => limit.begin(want('admin'), '::ffff:192.0.2.1'), Refusal);
  limit.begin(want('admin'), '::ffff:192.0.2.2');
});
