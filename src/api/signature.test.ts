// Signatures as real clients build them, and the time they are valid for.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { signedBody } from '../client/sign.ts';
import { decode } from './decode.ts';
import { expired, signed } from './signature.ts';

const SECRET = 'the-secret';
const hmac = (text: string): string => createHmac('sha1', SECRET).update(text.toLowerCase()).digest('base64');
const check = (query: string, signature: string): boolean => signed(decode(query, '').sent, signature, SECRET);

const printable = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text));

test('signed() accepts whatever our own client signs, and nothing once a parameter changed', () => {
  const params = fc.dictionary(fc.stringMatching(/^[b-z][a-z]{0,9}(\[[0-9]{1,2}\]\.[a-z]{1,5})?$/), printable, {
    noNullPrototype: true,
    maxKeys: 8,
  });
  fc.assert(
    fc.property(params, (given) => {
      // What decode() refuses is no request: a name twice, or both plain and with an index.
      const taken = new Set(['apikey', 'expires', 'response', 'signature', 'signatureversion', 'aaa']);
      const entries = Object.entries(given).filter(([name]) => {
        const base = name.toLowerCase().replace(/\[.*$/, '');
        return !taken.has(base) && taken.add(base);
      });
      const body = signedBody(entries, { apikey: 'k', secretkey: SECRET }, new Date(0));
      const { sent } = decode('', body);
      const signature = sent.at(-1)!.value;
      assert.equal(signed(sent, signature, SECRET), true);
      assert.equal(signed(sent, signature, 'another'), false);
      assert.equal(signed(decode('aaa=1', body).sent, signature, SECRET), false);
      assert.equal(signed(sent.slice(1), signature, SECRET), false);
    }),
  );
});

// The forms real clients were recorded with: facts about clients, not about us.
test('signed() accepts cs: names as they are, sorted by case, values encoded but for *', () => {
  const query = 'command=createTags&tags%5B0%5D.key=a%2A%5B%5D&tags%5B10%5D.key=x&tags%5B1%5D.key=y&apiKey=K';
  assert.ok(
    check(
      query,
      hmac(
        'apiKey=K&command=createTags&tags[0].key=a*%5B%5D&tags[1].key=y&tags[10].key=x'.replace(
          'tags[1].key=y&tags[10].key=x',
          'tags[10].key=x&tags[1].key=y',
        ),
      ),
    ),
  );
});

test('signed() accepts a form that encodes ~ as Java does', () => {
  assert.ok(check('command=x&name=a~b', hmac('command=x&name=a%7Eb')));
  assert.ok(check('command=x&name=a~b', hmac('command=x&name=a~b')));
});

test('signed() accepts libcloud: lower-case names sorted, brackets left free', () => {
  assert.ok(check('apiKey=K&Zone=1&command=x&tags[0].key=a', hmac('apikey=K&command=x&tags[0].key=a&zone=1')));
  assert.ok(check('command=x&name=a%5Bb%5D*', hmac('command=x&name=a[b]*')));
});

test('signed() accepts csclient: the raw query, sorted, + as %20', () => {
  assert.ok(check('name=a+b%2A&command=x', hmac('command=x&name=a%20b%2A')));
});

test('signed() refuses an empty, a short and a foreign signature', () => {
  for (const signature of ['', 'AAAA', hmac('command=y'), hmac('command=x').slice(0, -4)]) {
    assert.equal(check('command=x', signature), false, signature);
  }
});

const NOW = Date.parse('2026-11-22T10:00:00Z');

test('expired() knows time zones', () => {
  for (const expires of [
    '2026-11-22T10:10:00+0000',
    '2026-11-22T10:10:00Z',
    '2026-11-22T15:40:00+0530',
    '2026-11-22T15:40:00+05:30',
    '2026-11-22T10:10:00 0000',
    '2026-11-22T02:10:00-0800',
  ]) {
    assert.equal(expired('3', expires, NOW), undefined, expires);
  }
});

test('expired() refuses the past, the malformed, the missing and the far future', () => {
  assert.match(expired('3', '2026-11-22T09:59:59+0000', NOW)!, /expired at 2026-11-22T09:59:59.000Z/);
  assert.match(expired('3', '2026-11-22T15:29:00+0530', NOW)!, /expired/);
  assert.match(expired('3', undefined, NOW)!, /needs the parameter expires/);
  for (const expires of [
    '',
    'tomorrow',
    '2026-11-22',
    '1795341600',
    '2026-13-22T10:10:00Z',
    '2026-11-22T10:10:00+9900',
  ]) {
    assert.match(expired('3', expires, NOW)!, /must be written as/, expires);
  }
  assert.match(expired('3', '2026-11-23T10:00:01+0000', NOW)!, /more than 24 hours ahead/);
  assert.match(expired('4', '2026-11-22T10:10:00Z', NOW)!, /signatureVersion/);
});

test('expired() asks versions 1 and 2 for no expiry, but minds one that is given', () => {
  assert.equal(expired(undefined, undefined, NOW), undefined);
  assert.equal(expired('2', undefined, NOW), undefined);
  assert.match(expired(undefined, '2026-11-22T09:00:00Z', NOW)!, /expired/);
});
