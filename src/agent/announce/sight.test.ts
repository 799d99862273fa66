// Lines as tcpdump 4.99 prints them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSight } from './sight.ts';

test('readSight() reads an ARP answer, tagged or not', () => {
  const body = 'ethertype ARP (0x0806), length 42: Reply 10.1.1.50 is-at d6:0f:b0:ad:4f:f2, length 28';
  const expected = { kind: 'arp', at: 1763783015123.456, ip: '10.1.1.50', mac: 'd6:0f:b0:ad:4f:f2' };
  assert.deepEqual(readSight(`1763783015.123456 d6:0f:b0:ad:4f:f2 > 02:00:00:00:12:01, ${body}`), expected);
  const tag = 'ethertype 802.1Q (0x8100), length 46: vlan 1234, p 0,';
  assert.deepEqual(readSight(`1763783015.123456 d6:0f:b0:ad:4f:f2 > 02:00:00:00:12:01, ${tag} ${body}`), expected);
});

test('readSight() reads an answer to our echo request and to which MAC it goes', () => {
  const line =
    '1763783015.5 d6:0f:b0:ad:4f:f2 > 02:00:00:00:12:02, ethertype IPv4 (0x0800), length 66: 10.1.1.50 > 10.1.1.77: ICMP echo reply, id 29810, seq 1, length 32';
  assert.deepEqual(readSight(line), {
    kind: 'echo',
    at: 1763783015500,
    from: '10.1.1.50',
    to: '10.1.1.77',
    toMac: '02:00:00:00:12:02',
  });
});

test('readSight() leaves alone what is answered to somebody else', () => {
  const frame = '1763783015.5 d6:0f:b0:ad:4f:f2 > 02:00:00:00:12:02, ethertype';
  assert.equal(
    readSight(`${frame} IPv4 (0x0800), length 98: 10.1.1.50 > 10.1.1.77: ICMP echo reply, id 77, seq 1, length 64`),
    undefined,
  );
  assert.equal(
    readSight(`${frame} ARP (0x0806), length 42: Request who-has 10.1.1.77 tell 10.1.1.50, length 28`),
    undefined,
  );
});

test('readSight() reads who says that a host or network cannot be reached', () => {
  const frame = '1763783015.5 d6:0f:b0:ad:4f:f2 > 02:00:00:00:12:02, ethertype IPv4 (0x0800), length 94:';
  const expected = { kind: 'unreachable', at: 1763783015500, by: '10.1.1.254', to: '10.1.1.1', host: '192.168.50.10' };
  for (const what of ['host', 'net'])
    assert.deepEqual(
      readSight(`${frame} 10.1.1.254 > 10.1.1.1: ICMP ${what} 192.168.50.10 unreachable, length 60`),
      expected,
    );
  assert.equal(
    readSight(`${frame} 10.1.1.254 > 10.1.1.1: ICMP 10.1.1.254 udp port 53 unreachable, length 60`),
    undefined,
  );
});
