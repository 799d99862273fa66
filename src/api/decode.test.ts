// Reading parameters off the wire: what was encoded comes back, what is broken is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MAX_PARAMETERS, decode } from './decode.ts';
import { Refusal } from './error.ts';

const refusedWith = (status: number, text: RegExp) => (error: unknown) =>
  error instanceof Refusal && error.status === status && text.test(error.message);

test('decode() gives back what was encoded, query and body merged', () => {
  const name = fc.stringMatching(/^[a-z]{1,12}$/);
  const value = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text));
  fc.assert(
    fc.property(fc.dictionary(name, value, { noNullPrototype: true }), fc.nat(20), (params, cut) => {
      const pairs = Object.entries(params).map(([key, text]) => `${key}=${encodeURIComponent(text)}`);
      const { values } = decode(pairs.slice(0, cut).join('&'), pairs.slice(cut).join('&'));
      assert.deepEqual(Object.fromEntries(values), params);
    }),
  );
});

test('decode() reads names in any case, + as a blank, and a name without a value as empty', () => {
  const { values } = decode('COMMAND=listVPCs&Keyword=a+b%20c&listall', '');
  assert.deepEqual(
    [...values],
    [
      ['command', 'listVPCs'],
      ['keyword', 'a b c'],
      ['listall', ''],
    ],
  );
});

test('decode() gathers maps in order of index and keeps the case of their fields', () => {
  const { values } = decode('tags[10].key=c&tags[2].value=x&Tags%5B2%5D.key=b&details[0].cpuNumber=2', '');
  assert.deepEqual(values.get('tags'), [
    Object.assign(Object.create(null), { value: 'x', key: 'b' }),
    Object.assign(Object.create(null), { key: 'c' }),
  ]);
  assert.equal((values.get('details') as readonly Record<string, string>[])[0]?.['cpuNumber'], '2');
});

test('decode() treats __proto__ as a name like any other', () => {
  const { values } = decode('__proto__=x&tags[0].__proto__=y', '');
  assert.equal(values.get('__proto__'), 'x');
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
  assert.deepEqual(Object.keys((values.get('tags') as readonly object[])[0]!), ['__proto__']);
});

const BROKEN: readonly (readonly [query: string, status: number, text: RegExp])[] = [
  ['a=%zz', 430, /Cannot decode "%zz"/],
  ['a=%c3%28', 430, /UTF-8/],
  ['a=1&A=2', 430, /a is given more than once/],
  ['tags[0].key=1&tags[0].key=2', 430, /more than once/],
  ['tags[x].key=1', 430, /Malformed parameter tags\[x\]\.key/],
  ['tags[0.key=1', 430, /Malformed/],
  ['tags[1000].key=1', 430, /Malformed/],
  ['tags=1&tags[0].key=2', 430, /both as tags= and as tags\[0\]/],
  ['name=a%00b', 431, /parameter name is invalid, contains illegal ASCII/],
  ['name=a%0d%0aSet-Cookie:x', 431, /illegal ASCII/],
  ['na%0ame=x', 431, /parameter na\?me is invalid/],
  [Array.from({ length: MAX_PARAMETERS + 1 }, (_, index) => `p${index}=1`).join('&'), 430, /at most 500/],
];

for (const [query, status, text] of BROKEN) {
  test(`decode() refuses ${query.slice(0, 40)} with ${status}`, () => {
    assert.throws(() => decode(query, ''), refusedWith(status, text));
    assert.throws(() => decode('', query), refusedWith(status, text));
  });
}

test('decode() refuses a parameter that stands in both query and body', () => {
  assert.throws(
    () => decode('command=listVPCs', 'command=deleteVPC'),
    refusedWith(430, /command is given more than once/),
  );
});
