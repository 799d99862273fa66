// Addresses as texts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEndpoint } from './ip.ts';

test('isEndpoint() takes an address and a port, and nothing beside them', () => {
  for (const text of ['203.0.113.7:51820', '0.0.0.0:1', '255.255.255.255:65535']) assert.ok(isEndpoint(text), text);
  const others = ['203.0.113.7', '203.0.113.7:0', '203.0.113.7:65536', '203.0.113.256:1', '203.0.113.07:1', '[::1]:1'];
  const hostile = ['1.2.3.4:1\n', '1.2.3.4:1 dev lo', ' 1.2.3.4:1', '1.2.3.4:1:2', '1.2.3.4:+1', '1.2.3.4;:1'];
  for (const text of [...others, ...hostile, '', ':1']) assert.ok(!isEndpoint(text), JSON.stringify(text));
});
