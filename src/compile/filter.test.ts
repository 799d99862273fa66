// Lists and prefixes that tenants can make long: what becomes of them, and that it costs no more than they are long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cidr, covers, formatCidr, type Cidr } from '../lib/ip.ts';
import { cidr6 } from '../lib/ip6.ts';
import { LARGEST_LIST, both, closed, type Rule } from './filter.ts';
import { within, within6 } from './match.ts';
import { firewallOf, publicAddress, publicSide } from './public.test-support.ts';
import { nicOf } from './sample.test-support.ts';
import { staticRules } from './static-filter.ts';

const prefix = fc
  .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 24, max: 32 }))
  .map(([byte, length]): Cidr => cidr(`10.0.0.${byte * 16}/${length}`));

test('within() keeps exactly the prefixes that no other one covers, each once, the wide ones first', () => {
  fc.assert(
    fc.property(fc.array(prefix, { minLength: 1, maxLength: 20 }), (prefixes) => {
      const texts = new Set(prefixes.map(formatCidr));
      const outer = [...texts]
        .map(cidr)
        .filter((one, _, all) => !all.some((wide) => wide !== one && covers(wide, one)));
      const sorted = outer.toSorted((a, b) => a.length - b.length || a.base - b.base).map(formatCidr);
      const [only] = sorted;
      const match = sorted.length === 1 ? `ip4.src == ${only}` : `ip4.src == {${sorted.join(', ')}}`;
      assert.equal(within('ip4.src', prefixes), match);
    }),
  );
});

test('within() takes as long as the list is, not its square', () => {
  const count = 100_000;
  const four = Array.from({ length: count }, (_, n) => cidr(`10.${n >> 14}.${(n >> 6) & 255}.${(n & 63) * 4}/30`));
  const six = Array.from({ length: count }, (_, n) =>
    cidr6(`2001:db8:${(n >> 8).toString(16)}:${(n & 255).toString(16)}::/64`),
  );
  const began = performance.now();
  assert.equal(within('ip4.src', four).split(',').length, count);
  assert.equal(within6('ip6.src', six).split(',').length, count);
  // Each with each would be 10,000,000,000 comparisons.
  assert.ok(performance.now() - began < 5_000);
});

test('both() never makes more rules than a list may have, and denies what would come after', () => {
  const list = (name: string): readonly Rule[] =>
    closed(
      Array.from({ length: 3_000 }, (_, n) => ({ id: `${name}${n}`, match: `${name} == ${n}`, allow: true })),
      false,
    );
  const began = performance.now();
  const rules = both(list('a'), list('b'));
  assert.equal(rules.length, LARGEST_LIST);
  assert.deepEqual(rules[0], { id: 'a0+b0', match: 'a == 0 && b == 0', allow: true });
  assert.deepEqual(rules.at(-1), { id: 'rest', match: '', allow: false });
  assert.ok(performance.now() - began < 1_000);
  const short = both(closed([{ id: 'a', match: 'x', allow: true }], false), closed([], true));
  assert.deepEqual(
    short.map(({ id, match, allow }) => [id, match, allow]),
    [
      ['a+rest', 'x', true],
      ['rest', '', false],
    ],
  );
});

test('staticRules() stops at the largest list, and lets nothing pass by the lines that are left out', () => {
  const cards = Array.from({ length: 20 }, (_, n) => nicOf(`10.1.1.${n + 10}`));
  const items = Array.from({ length: 60 }, (_, n) => `${n + 1} in Allow tcp ${n + 1}`);
  const ingress = Array.from({ length: 60 }, (_, n) => firewallOf(`tcp ${n + 1}`));
  const side = publicSide(
    cards.map((card, n) =>
      publicAddress(`203.0.113.${n + 10}`, { staticNat: card.ip!, staticNatNic: card.id, ingress }),
    ),
    { firewall: true },
  );
  const own = closed(
    items.map((id, n) => ({ id, match: `tcp.dst == ${n + 1}`, allow: true })),
    true,
  );
  const rules = staticRules(side, cards, [], own);
  assert.equal(rules.length, LARGEST_LIST);
  assert.deepEqual(rules.at(-1), { id: 'rest', match: '', allow: false });
  assert.ok(
    rules.slice(0, -1).every(({ match }) => match.startsWith('ip4.dst == ')),
    'no rule of the network itself',
  );
});
