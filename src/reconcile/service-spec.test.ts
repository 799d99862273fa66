// Whom a node serves and what it tells: names of the whole VPC, cards of its own instances, passwords opened.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestNetwork, Host, Instance, Intent, Nic, Tier, Vpc } from '../model/intent.ts';
import { createDocuments } from './documents.ts';
import { servicesOf } from './service-spec.ts';

// What a node would not take as an id is not sent to it.
const id = (n: number): string => `10000000-0000-4000-8000-00000000000${n}`;
const [I1, I2, N1, N2, VPC, FRONT, BACK] = [id(1), id(2), id(3), id(4), id(5), id(6), id(7)];

const service = (ip: string): NonNullable<Tier['service']> => ({
  ip,
  dns: true,
  userData: true,
  resolvers: ['192.0.2.53'],
});

function nic(id: string, hostname: string, ip: string, host: string, movingFrom?: string): Nic {
  const base = {
    id,
    instanceId: `i-${id}`,
    mac: '02:00:00:00:00:01',
    ip,
    isDefault: true,
    secondary: [],
    hostname,
    host,
  };
  return movingFrom === undefined ? base : { ...base, movingFrom };
}

function tier(id: string, third: number, nics: readonly Nic[]): Tier {
  return {
    kind: 'tier',
    id,
    name: id,
    vpcId: VPC,
    accountId: 'a',
    cidr: `10.1.${third}.0/24`,
    gateway: `10.1.${third}.1`,
    segment: { kind: 'overlay' },
    dns: [],
    domainName: 'acme.internal',
    dhcp: true,
    service: service(`10.1.${third}.254`),
    nics,
  };
}

function instance(id: string, nicId: string, networkId: string, ip: string): Instance {
  return {
    id,
    name: id,
    hostname: id,
    power: 'running',
    boot: 0,
    passwordHash: '!',
    cpus: 1,
    memoryMb: 64,
    nics: [
      {
        id: nicId,
        mac: '02:00:00:00:00:01',
        deviceId: 0,
        isDefault: true,
        networkId,
        mtu: 1442,
        dhcp: true,
        addresses: [{ ip, moved: 1 }],
      },
    ],
    firstBoot: {
      toldBy: 'service',
      zone: 'z',
      offering: 'o',
      publicKeys: [],
      asksPassword: true,
      password: { turn: 2, sealed: 'sealed' },
    },
  };
}

const host = (name: string, instances: readonly Instance[]): Host => ({
  id: `id-${name}`,
  name,
  kind: 'hypervisor',
  chassis: name,
  underlayIp: '192.0.2.1',
  instances,
  routers: [],
  scans: [],
});

const vpc = (tiers: readonly Tier[], more: Partial<Vpc> = {}): Vpc => ({
  id: VPC,
  name: 'v',
  accountId: 'a',
  cidr: '10.1.0.0/16',
  tiers,
  gateways: [],
  routes: [],
  ...more,
});

const FABRIC = { chassis: [], underlayMtu: 1500 };

function intent(generation: number, one: Vpc, hosts: readonly Host[], networks: readonly GuestNetwork[] = []): Intent {
  return {
    generation,
    fabric: FABRIC,
    vpcs: new Map([[one.id, one]]),
    networks: new Map(networks.map((each) => [each.id, each])),
    hosts: new Map(hosts.map((each) => [each.id, each])),
    switches: new Map(),
  };
}

const front = tier(FRONT, 1, [nic(N1, 'web', '10.1.1.2', 'h1')]);
const back = tier(BACK, 2, [nic(N2, 'db', '10.1.2.2', 'h2')]);
const h1 = host('h1', [instance(I1, N1, FRONT, '10.1.1.2')]);
const h2 = host('h2', [instance(I2, N2, BACK, '10.1.2.2')]);

test('update() has a node serve the networks of its cards, with the names of the whole VPC', () => {
  const documents = createDocuments((sealed) => `open-${sealed}`);
  documents.update(intent(1, vpc([front, back]), [h1, h2, host('h3', [])]));
  const { services, instances } = documents.get('h1')!;
  assert.deepEqual(
    services?.networks.map(({ id, ip, mtu }) => [id, ip, mtu]),
    [[FRONT, '10.1.1.254', 1442]],
  );
  assert.deepEqual(services?.networks[0]?.cards, [{ ip: '10.1.1.2', instance: I1 }]);
  assert.deepEqual(
    services?.scopes[0]?.networks.flatMap(({ hosts }) => hosts),
    [
      { name: 'web', ip: '10.1.1.2' },
      { name: 'db', ip: '10.1.2.2' },
    ],
  );
  assert.deepEqual(instances[0]?.firstBoot?.password, { turn: 2, text: 'open-sealed' });
  assert.equal(documents.get('h3')?.services, undefined);
});

test('update() tells every node that serves a VPC of a new name, though nothing of the node itself changed', () => {
  const documents = createDocuments();
  documents.update(intent(1, vpc([front, back]), [h1, h2]));
  assert.deepEqual(documents.update(intent(2, vpc([front, back]), [h1, h2])), []);
  const more = tier(BACK, 2, [...back.nics, nic('n3', 'cache', '10.1.2.3', 'h2')]);
  assert.deepEqual(documents.update(intent(3, vpc([front, more]), [h1, h2])), ['h1', 'h2']);
});

test('update() serves an instance that moves at both its hosts', () => {
  const documents = createDocuments();
  const moving = tier(FRONT, 1, [nic(N1, 'web', '10.1.1.2', 'h2', 'h1')]);
  documents.update(intent(1, vpc([moving]), [h1, host('h2', [...h1.instances])]));
  for (const name of ['h1', 'h2']) assert.equal(documents.get(name)?.services?.networks[0]?.cards.length, 1);
});

test('servicesOf() knows under which address the outside knows a card: its own, else the router’s', () => {
  const address = (ip: string, sourceNat: boolean, more: object = {}): never => ({ ip, sourceNat, ...more }) as never;
  const addresses = [address('203.0.113.9', true), address('203.0.113.10', false, { staticNatNic: N2 })];
  const served = servicesOf(intent(1, vpc([front, back], { publicSide: { addresses } as never }), [h1])).get('h1')!;
  assert.deepEqual(
    [N1, N2].map((id) => served[0]?.publicIpOf(id)),
    ['203.0.113.9', '203.0.113.10'],
  );
});
