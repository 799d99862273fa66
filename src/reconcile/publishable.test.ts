// What a node would refuse: that it does not keep the node from the rest of its document, and that it is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceSpec, NodeDocument } from '../protocol/document.ts';
import type { HelperSpec } from '../protocol/helper.ts';
import { nodeDocument } from '../protocol/schema.ts';
import { publishable } from './publishable.ts';

const id = (n: number): string => `10000000-0000-4000-8000-00000000000${n}`;

const instance = (n: number, more: Partial<InstanceSpec> = {}): InstanceSpec => ({
  id: id(n),
  name: `i-${n}-VM`,
  hostname: `vm${n}`,
  power: 'running',
  boot: 1,
  passwordHash: '!',
  cpus: 1,
  memoryMb: 64,
  nics: [],
  ...more,
});

const firstBoot = (keys: number): NonNullable<InstanceSpec['firstBoot']> => ({
  toldBy: 'service',
  zone: 'z',
  offering: 'o',
  publicKeys: Array.from({ length: keys }, () => 'ssh-ed25519 AAAA'),
});

const helper = (members: number): HelperSpec => ({
  id: id(7),
  name: 'blue',
  port: id(8),
  follows: 'lrp-x',
  mac: '02:00:00:00:00:01',
  address: '192.0.0.18/29',
  gateway: '192.0.0.17',
  mtu: 1442,
  jobs: {
    balancers: [
      {
        id: id(9),
        protocol: 'tcp',
        publicPort: 80,
        port: 10_000,
        algorithm: 'roundrobin',
        cidrs: [],
        sticky: false,
        members: Array.from({ length: members }, () => ({ ip: '10.1.1.2', port: 80 })),
      },
    ],
  },
});

type Body = Omit<NodeDocument, 'node' | 'generation'>;
const takes = (body: Body): boolean => nodeDocument.safeParse({ node: 'h1', generation: 1, ...body }).success;

test('publishable() leaves out what an instance with 101 keys is told, and changes nothing for its neighbours', () => {
  const whole: Body = {
    peers: [],
    instances: [instance(1, { firstBoot: firstBoot(101), power: 'stopped' }), instance(2)],
  };
  assert.equal(takes(whole), false, 'the node would refuse all of it');
  const { body, faults } = publishable('h1', whole, undefined);
  assert.equal(takes(body), true);
  assert.deepEqual(body.instances, [instance(1, { power: 'stopped' }), instance(2)]);
  assert.deepEqual([...faults.keys()], [id(1)]);
  assert.match(faults.get(id(1))!, /^node h1 would refuse instance 1.* in its document: firstBoot\.publicKeys: /);
});

test('publishable() keeps what is wrong in itself as the node has it, and leaves out what the node does not have', () => {
  const bad = instance(1, { hostname: 'a\nb' });
  assert.deepEqual(publishable('h1', { peers: [], instances: [bad] }, undefined).body.instances, []);
  const before: Body = { peers: [], instances: [instance(1)], helpers: [helper(3)] };
  const { body, faults } = publishable('h1', { peers: [], instances: [bad], helpers: [helper(1001)] }, before);
  assert.deepEqual([body.instances, body.helpers], [before.instances, before.helpers]);
  assert.deepEqual([...faults.keys()], [id(1), id(7)]);
});

test('publishable() gives a sound body back as it is', () => {
  const whole: Body = { peers: [], instances: [instance(1, { firstBoot: firstBoot(2) })], helpers: [helper(2)] };
  const { body, faults } = publishable('h1', whole, undefined);
  assert.deepEqual([body, faults.size], [whole, 0]);
});
