// CloudStack's policy syntax.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy, proposalTexts, weakParts } from './vpn-policy.ts';

test('parsePolicy() reads what strongSwan is told, in the order written', () => {
  const policy = parsePolicy('aes256-sha256;modp2048, aes128-sha1;modp1024', 'ike')!;
  assert.deepEqual(proposalTexts(policy), ['aes256-sha256-modp2048', 'aes128-sha1-modp1024']);
  assert.deepEqual(weakParts(policy), ['sha1', 'modp1024']);
});

test('parsePolicy() wants a group of IKE and none of ESP, and nothing it does not know', () => {
  assert.deepEqual(proposalTexts(parsePolicy('aes256-sha256', 'esp')!), ['aes256-sha256']);
  for (const text of ['aes256-sha256', '', 'aes256', 'aes256-sha256;modp9', 'a,', 'aes256-sha256;modp2048;x'])
    assert.equal(parsePolicy(text, 'ike'), undefined, text);
});
