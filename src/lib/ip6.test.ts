// IPv6 as text and as numbers: examples from the standards, and laws over any address and prefix.
import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  byLength6,
  cidr6,
  contains6,
  covers6,
  formatCidr6,
  formatHost6,
  formatIp6,
  ip6,
  last6,
  linkLocalAddress,
  overlaps6,
  parseCidr6,
  parseIp6,
  sameCidr6,
  slaacAddress,
  subnet6,
  subnets6,
} from './ip6.ts';

const address = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n))
  .filter((value) => value >> 32n !== 0xffffn);
const prefix = fc.tuple(address, fc.integer({ min: 0, max: 128 })).map(([host, length]) => {
  const parsed = parseCidr6(`${formatIp6(host)}/${length}`);
  assert.ok(parsed !== undefined);
  return parsed;
});

test('parseIp6() reads what formatIp6() writes, and the long form of it', () => {
  fc.assert(
    fc.property(address, (value) => {
      const text = formatIp6(value);
      assert.equal(parseIp6(text), value);
      assert.ok(isIPv6(text));
      const long = value.toString(16).padStart(32, '0').match(/.{4}/g)!.join(':');
      assert.equal(parseIp6(long.toUpperCase()), value);
    }),
  );
});

test('formatIp6() writes the recommended form (RFC 5952, 4, and as the platform does)', () => {
  for (const [given, wanted] of [
    ['2001:0DB8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
  ] as const)
    assert.equal(formatIp6(ip6(given)), wanted);
  fc.assert(
    // The platform writes ::a:b as a dotted quad.
    fc.property(
      address.filter((value) => value >> 32n !== 0n),
      (value) => {
        assert.equal(`[${formatIp6(value)}]`, new URL(`http://[${formatIp6(value)}]/`).hostname);
      },
    ),
  );
});

test('parseIp6() takes nothing that is not exactly one address of this family', () => {
  for (const text of [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '::10.0.0.1',
    '10.0.0.1',
    '2001:db8::/64',
    ' 2001:db8::1',
    '[2001:db8::1]',
    '2001:db8::-1',
    '0x20::1',
  ])
    assert.equal(parseIp6(text), undefined, text);
  assert.throws(() => ip6('fe80::1%eth0'), /not an IPv6 address: fe80::1%eth0/);
});

test('parseCidr6() keeps what was typed and clears the rest', () => {
  const typed = cidr6('2001:DB8::1:2/64');
  assert.deepEqual([formatCidr6(typed), formatHost6(typed.host, typed)], ['2001:db8::/64', '2001:db8::1:2/64']);
  for (const text of ['2001:db8::', '2001:db8::/129', '2001:db8::/064', '2001:db8::/-1', '2001:db8::/', '10.0.0.0/8'])
    assert.equal(parseCidr6(text), undefined, text);
  assert.throws(() => cidr6('2001:db8::'), /not an IPv6 prefix/);
});

test('contains6(), covers6() and overlaps6() agree with comparing first and last addresses', () => {
  fc.assert(
    fc.property(prefix, prefix, address, (a, b, one) => {
      const inside = (value: bigint, of: typeof a): boolean => value >= of.base && value <= last6(of);
      assert.equal(contains6(a, one), inside(one, a));
      assert.equal(covers6(a, b), inside(b.base, a) && inside(last6(b), a));
      assert.equal(overlaps6(a, b), covers6(a, b) || covers6(b, a));
      assert.equal(sameCidr6(a, b), covers6(a, b) && covers6(b, a));
      assert.equal(Math.sign(byLength6(a, b)), -Math.sign(byLength6(b, a)) + 0);
    }),
  );
});

test('subnet6() cuts a prefix in parts that lie in it, one behind the other', () => {
  const whole = cidr6('2001:db8:40::/44');
  assert.equal(subnets6(whole, 64), 1n << 20n);
  assert.equal(subnets6(cidr6('2001:db8::/64'), 64), 1n);
  assert.equal(subnets6(cidr6('2001:db8::/65'), 64), 0n);
  assert.deepEqual(
    [0n, 1n, (1n << 20n) - 1n].map((index) => formatCidr6(subnet6(whole, 64, index))),
    ['2001:db8:40::/64', '2001:db8:40:1::/64', '2001:db8:4f:ffff::/64'],
  );
});

test('slaacAddress() is what a machine makes of its MAC (RFC 4291, appendix A)', () => {
  const tier = cidr6('2001:db8:1:2::/64');
  assert.equal(formatIp6(slaacAddress(tier, '34:56:78:9a:bc:de')), '2001:db8:1:2:3656:78ff:fe9a:bcde');
  assert.equal(formatIp6(linkLocalAddress('02:00:00:00:01:01')), 'fe80::ff:fe00:101');
  assert.throws(() => slaacAddress(cidr6('2001:db8::/48'), '02:00:00:00:01:01'), /no address follows/);
  assert.throws(() => slaacAddress(tier, '02:00:00'), /no address follows/);
});
