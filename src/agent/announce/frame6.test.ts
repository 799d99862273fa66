// The announcement of an IPv6 address, byte by byte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceNeighbour } from './frame6.ts';

test('announceNeighbour() is a neighbour advertisement of a router, to all, whose checksum is right', () => {
  const frame = Buffer.from(announceNeighbour('02:00:00:00:aa:01', '2001:db8:100::abcd'), 'hex');
  const own = '20010db801000000000000000000abcd';
  assert.equal(frame.subarray(0, 14).toString('hex'), '33330000000102000000aa0186dd');
  assert.equal(frame.readUInt16BE(18), frame.length - 54, 'length of the payload');
  assert.deepEqual([frame[20], frame[21]], [58, 255], 'ICMPv6, and not forwarded by anybody');
  assert.equal(frame.subarray(22, 38).toString('hex'), own);
  assert.equal(
    frame
      .subarray(54)
      .toString('hex')
      .replace(/^8800..../, '8800????'),
    `8800????a0000000${own}020102000000aa01`,
  );
  const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, frame.length - 54, 0, 0, 0, 58])]);
  const all = Buffer.concat([pseudo, frame.subarray(54)]);
  let sum = 0;
  for (let at = 0; at < all.length; at += 2) sum += all.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  assert.equal(sum, 0xffff);
});
