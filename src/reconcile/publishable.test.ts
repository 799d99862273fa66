// What a node would refuse: that it does not keep the node from the rest of its document, and that it is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceSpec, NodeDocument } from '../protocol/document.ts';
import type { HelperSpec } from '../protocol/helper.ts';
import type { NameScope, ServiceSpec } from '../protocol/services.ts';
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

const served = (n: number, mtu: number): ServiceSpec => ({
  id: id(n),
  name: `net${n}`,
  ip: '10.1.1.2',
  cidr: '10.1.1.0/24',
  mac: '02:00:00:00:00:01',
  mtu,
  dns: { scope: id(n), resolvers: [] },
  userData: true,
  cards: [],
});

const scope = (n: number, name: string): NameScope => ({
  id: id(n),
  networks: [{ id: id(n), domain: 'x.example', hosts: [{ name, ip: '10.1.1.9' }] }],
});

test('publishable() leaves out the one network whose services the node would refuse, and the one scope of names', () => {
  const whole: Body = {
    peers: [],
    instances: [],
    services: { networks: [served(1, 60), served(2, 1442)], scopes: [scope(1, 'vm1'), scope(2, 'a\nb')] },
  };
  assert.equal(takes(whole), false, 'the node would refuse all of it');
  const { body, faults } = publishable('h1', whole, undefined);
  assert.equal(takes(body), true);
  assert.deepEqual(body.services, { networks: [served(2, 1442)], scopes: [scope(1, 'vm1')] });
  assert.match(faults.get(id(1))!, /^node h1 would refuse the services of network 1.* in its document: mtu: /);
  assert.match(faults.get(id(2))!, /^node h1 would refuse the names of 1.* in its document: networks\.0\.hosts/);
  const before: Body = {
    ...whole,
    services: { networks: [served(1, 1442)], scopes: [scope(2, 'vm2')] },
  };
  const { services } = publishable('h1', whole, before).body;
  assert.deepEqual(
    services,
    { networks: [served(1, 1442), served(2, 1442)], scopes: [scope(1, 'vm1'), scope(2, 'vm2')] },
    'as the node has it',
  );
});

test('publishable() leaves out a scan and a neighbour that the node would refuse', () => {
  const scan = (n: number, vlan: number): NonNullable<Body['scans']>[number] => ({
    id: id(n),
    cidr: '10.1.1.0/24',
    vlan,
  });
  const whole: Body = {
    instances: [],
    peers: [
      { name: 'h2', underlayIp: 'none' },
      { name: 'h3', underlayIp: '192.0.2.3' },
    ],
    scans: [scan(1, 5000), scan(2, 500)],
  };
  assert.equal(takes(whole), false, 'the node would refuse all of it');
  const { body, faults } = publishable('h1', whole, undefined);
  assert.deepEqual(body, { instances: [], peers: [{ name: 'h3', underlayIp: '192.0.2.3' }], scans: [scan(2, 500)] });
  assert.deepEqual([...faults.keys()].toSorted(), [id(1), 'h2'].toSorted());
});
