// MAC addresses: which ways of writing them are understood, and which are no machine's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUnicast, parseMac } from './mac.ts';

test('parseMac() reads the usual forms and no others', () => {
  for (const text of ['52:54:00:AB:34:56', '52-54-00-ab-34-56', '5254.00ab.3456', '525400ab3456', ' 525400:AB3456 '])
    assert.equal(parseMac(text), '52:54:00:ab:34:56', text);
  for (const text of [
    '',
    '52:54:00:ab:34',
    '52:54:00:ab:34:5g',
    '52:54:00:ab:34:56:',
    '52::5400ab3456',
    '52 54 00 ab 34 56',
  ])
    assert.equal(parseMac(text), undefined, text);
});

test('isUnicast() is false for groups and for nobody', () => {
  assert.equal(isUnicast('52:54:00:12:34:56'), true);
  for (const mac of ['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00'])
    assert.equal(isUnicast(mac), false);
});
