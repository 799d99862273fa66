// Lines as strongSwan 5.9.8 writes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRefusals } from './vpn-refusals.ts';

const line = (name: string, text: string): string => `2026-11-22T11:18:12 13[IKE] <${name}|2> ${text}`;

test('parseRefusals() says what each peer refused last, until it is established or silent', () => {
  const log = [
    line('s-a-0', 'received NO_PROPOSAL_CHOSEN notify error'),
    line('s-a-0', 'received AUTHENTICATION_FAILED notify error'),
    line('s-b-0', 'received TS_UNACCEPTABLE notify, no CHILD_SA built'),
    line('s-c-1', 'received AUTHENTICATION_FAILED notify error'),
    line('s-c-1', 'IKE_SA s-c-1[3] established between 192.0.0.18[203.0.113.10]...198.51.100.41[198.51.100.41]'),
    line('s-d-0', "tried 1 shared key for '203.0.113.10' - '198.51.100.42', but MAC mismatched"),
    line('s-e-0', 'received AUTHENTICATION_FAILED notify error'),
    line('s-e-0', 'giving up after 3 retransmits'),
    'received AUTHENTICATION_FAILED notify error',
  ].join('\n');
  assert.deepEqual([...parseRefusals(log)].toSorted(), [
    ['s-a-0', 'refuses the key, or does not know our address'],
    ['s-b-0', 'refuses the networks'],
    ['s-d-0', 'comes with another key'],
  ]);
});
