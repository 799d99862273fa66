// When an address is announced, how, and what holds an announcement up: without a network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { InstanceSpec, NicSpec, NodeDocument } from '../../protocol/document.ts';
import { announceReply, announceRequest, ask } from './frame.ts';
import { type Card, cardsHere, dueOf, planAnnouncements } from './plan.ts';
import type { Announced } from './record.ts';

const context = { node: 'h1', state: '/s', rundir: '/r' };
const nic: NicSpec = {
  id: '20000000-0000-4000-8000-000000000000',
  mac: '02:00:00:00:12:01',
  deviceId: 0,
  isDefault: true,
  mtu: 1500,
  addresses: [
    { ip: '10.1.1.1', moved: 5 },
    { ip: '10.1.1.77', moved: 9 },
  ],
  upstream: '10.1.1.254',
};
const instance: InstanceSpec = {
  id: '10000000-0000-4000-8000-000000000000',
  name: 'i-2-1-VM',
  hostname: 'vm1',
  power: 'running',
  boot: 1,
  passwordHash: '*',
  cpus: 1,
  memoryMb: 64,
  nics: [nic],
};
const of = (...instances: readonly InstanceSpec[]): NodeDocument => ({
  node: 'h1',
  generation: 9,
  instances,
  peers: [],
});
const plugged: Card = { port: { name: 'v1', ofport: 7 }, runs: true, record: undefined, shut: new Set() };
const known = (ip: string, moved: number): Announced => ({
  ip,
  moved,
  cause: 'start',
  announced: '2026-01-01T00:00:00.000Z',
});
const plan = (card: Card, document = of(instance)): ReturnType<typeof planAnnouncements> =>
  planAnnouncements(document, new Map([[nic.id, card]]), 1000, context);

test('planAnnouncements() announces what came since the last time, in both forms, and to the upstream, and notes it', () => {
  const [work] = plan({ ...plugged, record: [known('10.1.1.1', 5)] }).work;
  const [send, note] = work!.steps;
  assert.deepEqual(send?.kind === 'run' && send.argv, [
    'ovs-ofctl',
    'packet-out',
    'unix:/r/br-int.mgmt',
    '7',
    'resubmit(,0)',
    announceRequest(nic.mac, '10.1.1.77'),
    announceReply(nic.mac, '10.1.1.77'),
    ask(nic.mac, '10.1.1.77', '10.1.1.254'),
  ]);
  const kept = JSON.parse(note!.kind === 'write' ? note!.content : '') as Announced[];
  assert.deepEqual(
    kept.map(({ ip, moved, cause }) => [ip, moved, cause]),
    [
      ['10.1.1.1', 5, 'start'],
      ['10.1.1.77', 9, 'address'],
    ],
  );
  assert.equal(work!.target, instance.id);
});

test('planAnnouncements() has nothing to do once all was announced', () => {
  const record = [known('10.1.1.1', 5), known('10.1.1.77', 9)];
  assert.deepEqual(plan({ ...plugged, record }), { work: [], waits: [], instances: [] });
});

test('planAnnouncements() waits for the machine, its port and the rules of OVN, and names each', () => {
  const { port: _, ...unplugged } = plugged;
  for (const [card, words] of [
    [
      { ...plugged, runs: false },
      /10\.1\.1\.1, 10\.1\.1\.77 at eth0 of instance i-2-1-VM waits until the instance runs on h1/,
    ],
    [unplugged, /waits for OVN to install the card's port on h1/],
    [{ ...plugged, shut: new Set(['10.1.1.77']) }, /waits for OVN to let it pass on h1/],
  ] as const) {
    const { work, waits } = plan(card);
    assert.deepEqual(work, []);
    assert.match(waits[0]!.what, words);
    assert.equal(waits[0]!.target, instance.id);
  }
});

test('planAnnouncements() says nothing at the place a machine leaves, and calls it a migration where it arrives', () => {
  const moving = (from: string, to: string): NodeDocument =>
    of({ ...instance, migration: { from, to, toAddress: '192.0.2.12' } });
  assert.deepEqual(plan(plugged, moving('h1', 'h2')), { work: [], waits: [], instances: [] });
  const [, note] = plan(plugged, moving('h2', 'h1')).work[0]!.steps;
  assert.match(note!.kind === 'write' ? note!.content : '', /"cause":"migration"/);
});

test('cardsHere() leaves out stopped machines and cards without an address', () => {
  assert.deepEqual(cardsHere(of({ ...instance, power: 'stopped' })), []);
  assert.deepEqual(cardsHere(of({ ...instance, nics: [{ ...nic, addresses: [] }] })), []);
});

test('dueOf(): what was noted is never due again, and a later move always is', () => {
  const address = fc.record({ ip: fc.constantFrom('10.1.1.1', '10.1.1.2', '10.1.1.3'), moved: fc.nat(20) });
  fc.assert(
    fc.property(fc.uniqueArray(address, { selector: ({ ip }) => ip }), fc.nat(20), (addresses, later) => {
      const card = { ...nic, addresses };
      const record = addresses.map(({ ip, moved }) => known(ip, moved));
      assert.deepEqual(dueOf(card, record), []);
      const again = { ...nic, addresses: addresses.map(({ ip, moved }) => ({ ip, moved: moved + later + 1 })) };
      assert.equal(dueOf(again, record).length, addresses.length);
    }),
  );
});
