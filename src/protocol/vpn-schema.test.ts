// What a document may say of VPNs: all of it ends up in files that root's programs read line by line, so no string can hold more than it
// is for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { vpnJob, vpnStatus } from './vpn-schema.ts';

const ID = '10000000-0000-4000-8000-000000000000';
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const WG_KEY = `${'A'.repeat(43)}=`;
const ACCESS = {
  id: ID,
  publicIp: '203.0.113.10',
  range: '10.8.0.0/24',
  routes: ['10.1.1.0/24'],
  dns: ['10.1.1.1'],
};
const CLIENT = { id: ID, ip: '10.8.0.5', routes: ['192.168.50.0/24'] };
const SITE = {
  id: ID,
  epoch: 0,
  local: '203.0.113.10',
  peer: '198.51.100.10',
  localCidrs: ['10.1.0.0/16'],
  remoteCidrs: ['192.168.50.0/24'],
  passive: false,
};
const SPECS: readonly Readonly<Record<string, unknown>>[] = [
  {
    kind: 'openvpn',
    ...ACCESS,
    port: 1194,
    ca: PEM,
    certificate: PEM,
    key: PEM,
    tlsCrypt: '#\n-----BEGIN OpenVPN Static key V1-----\n0aff\n-----END OpenVPN Static key V1-----\n',
    clients: [
      { ...CLIENT, username: 'ann', passwordHash: 'scrypt$16384$8$1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAA', serial: '0A' },
    ],
  },
  {
    kind: 'wireguard',
    ...ACCESS,
    port: 51821,
    privateKey: WG_KEY,
    clients: [{ ...CLIENT, publicKey: WG_KEY, presharedKey: WG_KEY, endpoint: '198.51.100.10:1234' }],
  },
  {
    kind: 'ikev2',
    ...ACCESS,
    ca: PEM,
    certificate: PEM,
    key: PEM,
    clients: [{ ...CLIENT, username: 'ann', password: 'pass "word' }],
  },
  {
    kind: 'ipsec',
    ...SITE,
    psk: 'a "secret"; {here}',
    ikeVersion: 2,
    ikeProposals: ['aes256-sha256-modp2048'],
    espProposals: ['aes256gcm16'],
    ikeSeconds: 3600,
    espSeconds: 3600,
    dpd: true,
    forceEncap: true,
    split: false,
  },
  {
    kind: 'wireguard-site',
    ...SITE,
    port: 51820,
    privateKey: WG_KEY,
    publicKey: WG_KEY,
    peerPort: 1,
    presharedKey: WG_KEY,
  },
];
/** Printable by nature: they are written as hexadecimal. */
const FREE = new Set(['password', 'psk']);

/** Every place of a value, as its keys from the top. */
function placesOf(
  value: unknown,
  keep: (value: unknown) => boolean,
  path: readonly string[] = [],
): (readonly string[])[] {
  if (keep(value)) return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => placesOf(inner, keep, [...path, key]));
}

/** A copy with something else at that place. */
function replaced(value: unknown, [key, ...rest]: readonly string[], by: (value: unknown) => unknown): unknown {
  if (key === undefined) return by(value);
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

const jobOf = (spec: unknown): unknown => ({ address: '192.0.0.18', spec });
const takes = (job: unknown): boolean => vpnJob.safeParse(job).success;

test('vpnJob takes each kind of VPN as it is meant', () => {
  for (const spec of SPECS) assert.deepEqual(vpnJob.parse(jobOf(spec)), jobOf(spec));
});

test('vpnJob refuses line breaks, quotes, semicolons and braces in every string of every kind', () => {
  const hostile: readonly ((text: string) => string)[] = [
    (text) => `${text}\nscript-security 2\nup /bin/sh`,
    (text) => `${text}\r\nup /bin/sh`,
    (text) => `\n${text}`,
    (text) => `${text}\0`,
    (text) => `${text}\u2028`,
  ];
  const printable: readonly ((text: string) => string)[] = [
    (text) => `${text}"`,
    (text) => `"${text}"`,
    (text) => `${text};`,
    (text) => `${text} }`,
    (text) => `${text} # x`,
    (text) => `${text}' x`,
    (text) => `$(${text})`,
    (text) => `../${text}`,
    (text) => ` ${text}`,
  ];
  let tried = 0;
  for (const spec of SPECS)
    for (const place of placesOf(jobOf(spec), (value) => typeof value === 'string'))
      for (const change of FREE.has(place.at(-1)!) ? hostile : [...hostile, ...printable]) {
        const job = replaced(jobOf(spec), place, (value) => change(value as string));
        assert.equal(takes(job), false, `${String(spec['kind'])}: ${place.join('.')} = ${JSON.stringify(change('…'))}`);
        tried += 1;
      }
  assert.ok(tried > 500, String(tried));
});

test('vpnJob takes no string whatever with a control character, and none at all where a number is meant', () => {
  const texts = SPECS.flatMap((spec) =>
    placesOf(jobOf(spec), (value) => typeof value === 'string')
      // Keys are blocks of lines.
      .filter((place) => !['ca', 'certificate', 'key', 'tlsCrypt'].includes(place.at(-1)!))
      .map((place) => [spec, place] as const),
  );
  const control = fc
    .tuple(fc.string(), fc.constantFrom('\n', '\r', '\0', '\t', '\u001b', '\u0085'), fc.string())
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      control,
      ([spec, place], text) => !takes(replaced(jobOf(spec), place, () => text)),
    ),
    { numRuns: 300 },
  );
  for (const spec of SPECS)
    for (const place of placesOf(jobOf(spec), (value) => typeof value === 'number'))
      assert.equal(takes(replaced(jobOf(spec), place, (value) => String(value))), false, place.join('.'));
});

test('vpnJob refuses keys with anything around or between their blocks', () => {
  const [openVpn] = SPECS;
  for (const key of [
    '',
    'x',
    `up /bin/sh\n${PEM}`,
    `${PEM}</key>\nup /bin/sh\n<key>\n${PEM}`,
    PEM.replace('MIIB', '</key>'),
    PEM.replace('END CERTIFICATE', 'END PRIVATE KEY'),
    PEM.replace('MIIB\n', ''),
  ])
    assert.equal(takes(jobOf({ ...openVpn, key })), false, JSON.stringify(key));
  assert.ok(takes(jobOf({ ...openVpn, key: PEM + PEM })), 'a chain');
});

test('vpnStatus refuses more than a node has to say', () => {
  assert.ok(vpnStatus.safeParse({ id: ID, state: 'Running', clients: [{ id: ID, from: '198.51.100.1:5' }] }).success);
  assert.equal(vpnStatus.safeParse({ id: ID, state: 'Fine' }).success, false);
  assert.equal(vpnStatus.safeParse({ id: ID, state: 'Error', reason: 'x'.repeat(1001) }).success, false);
  assert.equal(
    vpnStatus.safeParse({ id: ID, state: 'Running', clients: [{ id: ID, from: 'x'.repeat(61) }] }).success,
    false,
  );
});
