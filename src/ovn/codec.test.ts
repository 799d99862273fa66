// Codec: natural values and OVSDB's notation say the same, column type by column type.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Value } from '../compile/desired.ts';
import { applyDiff, decode, defaultOf, encode, isDefault, sameValue } from './codec.ts';
import type { ColumnType } from './schema.ts';

const strings: ColumnType = { key: 'string', min: 0, max: Infinity };
const map: ColumnType = { key: 'string', value: 'string', min: 0, max: Infinity };
const optional: ColumnType = { key: 'integer', min: 0, max: 1 };
const uuids: ColumnType = { key: 'uuid', min: 0, max: Infinity };
const numbers: ColumnType = { key: 'string', value: 'integer', min: 0, max: Infinity };

const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString'));
const samples: readonly (readonly [ColumnType, fc.Arbitrary<Value>])[] = [
  [{ key: 'string', min: 1, max: 1 }, fc.string()],
  [{ key: 'boolean', min: 1, max: 1 }, fc.boolean()],
  [optional, fc.array(fc.integer(), { maxLength: 1 })],
  [strings, fc.uniqueArray(fc.string())],
  [uuids, fc.uniqueArray(fc.uuid())],
  [map, fc.array(fc.tuple(key, fc.string())).map((pairs) => Object.fromEntries(pairs))],
  [numbers, fc.array(fc.tuple(key, fc.integer().map(String))).map((pairs) => Object.fromEntries(pairs))],
];

test('decode() undoes encode() for every kind of column', () => {
  for (const [type, arbitrary] of samples) {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const wire: unknown = JSON.parse(JSON.stringify(encode(type, value, 'T.c')));
        assert.deepEqual(decode(type, wire), value);
        assert.ok(sameValue(decode(type, wire), value));
      }),
    );
  }
});

test('decode() takes a set of one element in its short notation', () => {
  assert.deepEqual(decode(uuids, ['uuid', 'x']), ['x']);
  assert.deepEqual(decode(optional, 5), [5]);
  assert.deepEqual(decode(optional, ['set', []]), []);
});

test('encode() names the column, what it takes and what it got', () => {
  const refusals: readonly (readonly [ColumnType, Value, RegExp])[] = [
    [optional, 5, /T\.c takes an array of none or one, not 5/],
    [strings, 'a', /T\.c takes an array, not "a"/],
    [map, ['a'], /T\.c takes a map, not \["a"\]/],
    [optional, [1.5], /T\.c takes an integer, not 1\.5/],
    [numbers, { a: 'b' }, /T\.c takes an integer/],
  ];
  for (const [type, value, message] of refusals) assert.throws(() => encode(type, value, 'T.c'), message);
});

test('sameValue() ignores the order of a set and nothing else', () => {
  assert.ok(sameValue(['a', 'b'], ['b', 'a']));
  assert.ok(!sameValue(['a', 'b'], ['a', 'c']));
  assert.ok(!sameValue(['a', 'a'], ['a', 'b']));
  assert.ok(!sameValue(['a'], 'a'));
  assert.ok(!sameValue([], {}));
  assert.ok(!sameValue({ a: '1' }, { a: '2' }));
  assert.ok(sameValue({ a: '1', b: '2' }, { b: '2', a: '1' }));
});

test('applyDiff() turns one set into another by the elements that differ', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string()), fc.uniqueArray(fc.string()), (before, after) => {
      const diff = [...before.filter((one) => !after.includes(one)), ...after.filter((one) => !before.includes(one))];
      assert.ok(sameValue(applyDiff(strings, before, diff), after));
    }),
  );
});

test('applyDiff() adds, changes and removes pairs of a map', () => {
  const before = { same: '1', changed: '2', gone: '3' };
  assert.deepEqual(applyDiff(map, before, { changed: '9', gone: '3', fresh: '4' }), {
    same: '1',
    changed: '9',
    fresh: '4',
  });
});

test('isDefault() knows the value an insert need not mention', () => {
  for (const [type] of samples) assert.ok(isDefault(type, defaultOf(type)));
  assert.ok(!isDefault(strings, ['']));
  assert.ok(!isDefault(optional, [0]));
});
