// The frames, held against the bytes that arping (iputils) and ping put on the wire.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceReply, announceRequest, ask, echo, tagged } from './frame.ts';

const mac = '02:00:00:00:12:01';

test('announceRequest() is what `arping -U` sends', () => {
  assert.equal(
    announceRequest(mac, '10.1.1.77'),
    'ffffffffffff 020000001201 0806 0001 0800 06 04 0001 020000001201 0a01014d 000000000000 0a01014d'.replaceAll(
      ' ',
      '',
    ),
  );
});

test('announceReply() is what `arping -A` sends: its own MAC as target, too', () => {
  assert.equal(
    announceReply(mac, '10.1.1.77'),
    'ffffffffffff 020000001201 0806 0001 0800 06 04 0002 020000001201 0a01014d 020000001201 0a01014d'.replaceAll(
      ' ',
      '',
    ),
  );
});

test('ask() asks for the upstream in the name of the address', () => {
  assert.equal(
    ask(mac, '10.1.1.77', '10.1.1.254'),
    'ffffffffffff 020000001201 0806 0001 0800 06 04 0001 020000001201 0a01014d 000000000000 0a0101fe'.replaceAll(
      ' ',
      '',
    ),
  );
});

test('echo() has right lengths and checksums', () => {
  const bytes = Buffer.from(echo(mac, '10.1.1.77', '02:aa:aa:aa:aa:aa', '10.1.1.254', 3), 'hex');
  const sum = (part: Buffer): number => {
    let total = 0;
    for (let at = 0; at < part.length; at += 2) total += part.readUInt16BE(at);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };
  assert.equal(bytes.readUInt16BE(16), bytes.length - 14, 'the total length of the IP packet');
  assert.equal(sum(bytes.subarray(14, 34)), 0xffff, "the IP header's checksum (RFC 791)");
  assert.equal(sum(bytes.subarray(34)), 0xffff, 'the checksum of ICMP (RFC 792)');
  assert.equal(bytes.subarray(26, 34).toString('hex'), '0a01014d0a0101fe');
});

test('tagged() puts the tag between source and type', () => {
  assert.equal(
    tagged(announceRequest(mac, '10.1.1.77'), 1234).slice(0, 40),
    'ffffffffffff020000001201810004d208060001',
  );
});
