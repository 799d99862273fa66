// XML as NETCONF uses it: what is written is read back, and what is not well-formed is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { at, child, element, escapeXml, parseXml } from './xml.ts';

test('parseXml() reads back any text and attribute that element() and escapeXml() wrote', () => {
  const text = fc.string({ unit: 'binary' }).filter((each) => !/[^\t\n\r\x20-\uffff]|[\ufffe\uffff]/.test(each));
  fc.assert(
    fc.property(text, text, (inside, value) => {
      const read = parseXml(element('a', { b: value }, element('c', {}, escapeXml(inside))));
      assert.equal(read.attributes['b'], value);
      assert.equal(child(read, 'c')?.text, inside.trim());
    }),
  );
});

test('escapeXml() refuses characters that XML cannot hold', () => {
  assert.throws(() => escapeXml('a\u0000b'), /control characters/);
  assert.throws(() => escapeXml('\u001b[2J'), /control characters/);
});

test('parseXml() resolves namespaces, by default and by prefix, and keeps inner ones inside', () => {
  const read = parseXml(
    `<?xml version="1.0"?><!-- c --><r xmlns="urn:a" xmlns:p="urn:b"><x/><p:y z='1'>t<![CDATA[<&]]></p:y><n xmlns="urn:c"><m/></n></r>`,
  );
  assert.equal(read.namespace, 'urn:a');
  assert.equal(child(read, 'x')?.namespace, 'urn:a');
  assert.deepEqual([child(read, 'y')?.namespace, child(read, 'y')?.text], ['urn:b', 't<&']);
  assert.equal(at(read, 'n', 'm')?.namespace, 'urn:c');
});

test('parseXml() refuses what is not well-formed, and every document type', () => {
  for (const text of [
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a b=c/>',
    '<a b="1" b="2"/>',
    '<a b="<"/>',
    '<a>&unknown;</a>',
    '<a>&</a>',
    '<a>&#0;</a>',
    '<a>&__proto__;</a>',
    '<p:a/>',
    '<a><!-- </a>',
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    '<a><!ELEMENT b></a>',
    '<a>'.repeat(200) + '</a>'.repeat(200),
  ])
    assert.throws(() => parseXml(text), /not well-formed/, text.slice(0, 40));
});
