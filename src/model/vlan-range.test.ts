// Ranges of VLANs: what is one, and that writing and reading agree.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatVlanRanges, inVlanRanges, parseVlanRanges, vlansOf } from './vlan-range.ts';

test('parseVlanRanges() takes ranges and single ids, sorts them and merges what touches', () => {
  assert.deepEqual(parseVlanRanges('2100, 1000-1499,1500-1999'), {
    ranges: [
      { from: 1000, to: 1999 },
      { from: 2100, to: 2100 },
    ],
  });
  assert.deepEqual(parseVlanRanges(''), { ranges: [] });
});

for (const [text, begin] of [
  ['0-10', 'Vnet range has to be between 1 and 4094'],
  ['4000-4095', 'Vnet range has to be between 1 and 4094'],
  ['4096', 'Vnet range has to be between 1 and 4094'],
  ['20-10', 'Vnet range has to be between 1 and 4094'],
  ['a-b', 'Please provide valid vnet range.'],
  ['10-20-30', 'Please provide valid vnet range.'],
  ['10,,20', 'Please provide valid vnet range.'],
] as const) {
  test(`parseVlanRanges() says what is wrong with "${text}"`, () => {
    const parsed = parseVlanRanges(text);
    assert.ok('problem' in parsed && parsed.problem.startsWith(begin), JSON.stringify(parsed));
  });
}

test('formatVlanRanges() writes what parseVlanRanges() reads: the same ids, whatever the order', () => {
  const vlan = fc.integer({ min: 1, max: 4094 });
  const range = fc.tuple(vlan, vlan).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 6 }), vlan, (texts, id) => {
      const one = parseVlanRanges(texts.join(','));
      assert.ok('ranges' in one);
      const again = parseVlanRanges(formatVlanRanges(one.ranges));
      assert.deepEqual(again, one);
      assert.deepEqual(parseVlanRanges(texts.toReversed().join(',')), one);
      assert.equal(inVlanRanges(one.ranges, id), vlansOf(one.ranges).includes(id));
      assert.equal(new Set(vlansOf(one.ranges)).size, vlansOf(one.ranges).length);
    }),
    { numRuns: 50 },
  );
});
