// Answers as XML, hostile text included.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toXml } from './xml.ts';

test('toXml() repeats list elements, nests objects and leaves out what is absent', () => {
  assert.equal(
    toXml('listvpcsresponse', {
      count: 2,
      vpc: [
        { id: 'a', tags: [] },
        { id: 'b', isdefault: true, name: undefined, zone: { id: 'z' } },
      ],
    }),
    '<?xml version="1.0" encoding="UTF-8"?><listvpcsresponse cloud-stack-version="4.18.0.0"><count>2</count><vpc><id>a</id></vpc><vpc><id>b</id><isdefault>true</isdefault><zone><id>z</id></zone></vpc></listvpcsresponse>',
  );
});

test('toXml() lets no text become markup', () => {
  const xml = toXml('r', { name: '<script>&"\'', '1 odd<key>': 'x', control: 'a\u0000b' });
  assert.ok(xml.includes('<name>&lt;script&gt;&amp;&quot;&apos;</name>'));
  assert.ok(xml.includes('<_1_odd_key_>x</_1_odd_key_>'));
  assert.ok(!xml.includes('\u0000'));
});
