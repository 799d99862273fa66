// The form of documents and reports, checked where they enter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeDocument } from './document.ts';
import { nodeDocument, whatIsWrong } from './schema.ts';

const nic = {
  id: '20000000-0000-4000-8000-000000000000',
  mac: '02:00:00:00:00:01',
  deviceId: 0,
  isDefault: true,
  mtu: 1442,
};
const instance = {
  id: '10000000-0000-4000-8000-000000000000',
  name: 'i-2-1-VM',
  hostname: 'vm1',
  power: 'running' as const,
  boot: 1,
  passwordHash: '$6$abc$def/.GHI',
  cpus: 1,
  memoryMb: 64,
  nics: [nic],
};
const good: NodeDocument = {
  node: 'h1',
  generation: 3,
  instances: [instance],
  peers: [{ name: 'h2', underlayIp: '192.0.2.12' }],
};

test('nodeDocument takes a document as the server makes it, and drops what a newer server adds', () => {
  assert.deepEqual(nodeDocument.parse({ ...good, colour: 'red' }), good);
});

const six = { address: '2001:db8::7', router: nic.mac } as const;

test('nodeDocument takes a card that knows its router by MAC, or by its link-local address', () => {
  for (const more of [{}, { routerAddress: 'fe80::ff:fe00:1' }]) {
    const document = { ...good, instances: [{ ...instance, nics: [{ ...nic, six: { ...six, ...more } }] }] };
    assert.deepEqual(nodeDocument.parse(document), document);
  }
});

const hostile: readonly (readonly [string, unknown])[] = [
  ['a line break in a host name', { ...good, instances: [{ ...instance, hostname: 'vm1\nroot::0:0' }] }],
  ['a command in a host name', { ...good, instances: [{ ...instance, hostname: '$(reboot)' }] }],
  ['a host name that looks like an option', { ...good, instances: [{ ...instance, hostname: '-F' }] }],
  ['a second field in a password hash', { ...good, instances: [{ ...instance, passwordHash: 'x:0:0' }] }],
  ['a line break in a password hash', { ...good, instances: [{ ...instance, passwordHash: '*\nevil' }] }],
  ['a path as an instance id', { ...good, instances: [{ ...instance, id: '../../etc/passwd' }] }],
  ['a quote in an interface id', { ...good, instances: [{ ...instance, nics: [{ ...nic, id: '" vm-id="x' }] }] }],
  [
    'a MAC address with an option behind it',
    { ...good, instances: [{ ...instance, nics: [{ ...nic, mac: '02:00:00:00:00:01 netns 1' }] }] },
  ],
  ['an MTU that is no number', { ...good, instances: [{ ...instance, nics: [{ ...nic, mtu: '1442 up' }] }] }],
  ['a peer that is no address', { ...good, peers: [{ name: 'h2', underlayIp: '192.0.2.12; reboot' }] }],
  ['a node name with a slash', { ...good, node: 'h1/CN=h2' }],
  [
    "a router's link-local address that is none",
    { ...good, instances: [{ ...instance, nics: [{ ...nic, six: { ...six, routerAddress: '2001:db8::1' } }] }] },
  ],
  [
    "a command behind a router's link-local address",
    { ...good, instances: [{ ...instance, nics: [{ ...nic, six: { ...six, routerAddress: 'fe80::1; flush' } }] }] },
  ],
  ['a generation below zero', { ...good, generation: -1 }],
  [
    'a filter behind an address to be asked',
    {
      ...good,
      scans: [
        {
          id: instance.id,
          cidr: '10.1.1.0/24',
          vlan: 7,
          probe: { nicId: nic.id, mac: nic.mac, from: '10.1.1.1', via: '10.1.1.254 or ip', target: '192.168.50.10' },
        },
      ],
    },
  ],
];

for (const [what, value] of hostile) {
  test(`nodeDocument refuses ${what}`, () => {
    const parsed = nodeDocument.safeParse(value);
    assert.equal(parsed.success, false);
    assert.ok(whatIsWrong(parsed.error).length > 0);
  });
}
