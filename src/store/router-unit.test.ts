// What router nodes are asked for, from the rows: whole once, and after any change the same as a full load would give.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { UnitKey } from '../model/intent.ts';
import type { RouterRole } from '../model/router-role.ts';
import { createIntentCache } from './load.ts';
import {
  SIX,
  type Setting,
  WIRE6,
  addSetting,
  balancerMemberRow,
  balancerRow,
  firewallRow,
  forwardRow,
  publicIpRow,
  rangeRow,
  rolesOf,
} from './router-row.test-support.ts';
import { WORLD, hostRow } from './row.test-support.ts';
import { DATABASES } from './store.test-support.ts';
import type { Tx } from './write.ts';

test('a network with resolvers of its own is told them, and the resolver that all networks of a node share never asks them', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { network, routers } = await store.write(addSetting);
  await store.write((tx) => tx.update('network', network.id, { dns1: '203.0.113.66' }));
  const { intent } = await createIntentCache(store).reload();
  const [role] = rolesOf(intent, routers[0]);
  assert.equal(role?.dnsService, false);
  assert.deepEqual(role.network.dns, ['203.0.113.66']);
});

test('a router role says everything the node must do, and its peer what differs', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const at = await store.write(addSetting);
  const { network, nic, address, range, routers, legs } = at;
  const forward = forwardRow(address, network.id, nic, { cidrlist: '192.0.2.0/24, 198.51.100.0/24' });
  const hole = firewallRow(network.id, address.id, { related: forward.id });
  const out = firewallRow(network.id, null, {
    protocol: 'icmp',
    startport: null,
    endport: null,
    icmptype: 8,
    icmpcode: 0,
    destcidrlist: '192.0.2.0/24',
  });
  const balancer = balancerRow(address.id, network.id, {
    stickiness: JSON.stringify({ id: 'x', name: 'stay', methodname: 'SourceBased', params: {} }),
    healthcheck: JSON.stringify({ id: 'y', intervalSeconds: 5, timeoutSeconds: 2, healthy: 2, unhealthy: 3 }),
  });
  const natted = publicIpRow(range.id, '203.0.113.11', network.id, { nic: nic.id, vmip: '10.1.1.2' });
  const released = publicIpRow(range.id, '203.0.113.12', null, { state: 'Releasing' });
  await store.write(async (tx) => {
    for (const row of [natted, released]) await tx.insert('publicip', row);
    await tx.insert('portforward', forward);
    for (const row of [hole, out]) await tx.insert('firewallrule', row);
    await tx.insert('loadbalancer', balancer);
    await tx.insert('balancermember', balancerMemberRow(balancer.id, nic.id, '10.1.1.2'));
  });
  const { intent } = await createIntentCache(store).reload();
  const [role] = rolesOf(intent, routers[0]);
  const outside = {
    range: range.id,
    physicalNetwork: 'physnet1',
    netmask: '255.255.255.0',
    gateway: '203.0.113.1',
    vlan: 77,
  };
  const card = { nicId: nic.id, networkId: network.id };
  const expected: RouterRole = {
    id: legs[0].id,
    network: {
      id: network.id,
      name: 'web',
      cidr: '10.1.1.0/24',
      vlan: 1234,
      domainName: 'web.example',
      dns: ['9.9.9.9'],
    },
    ip: '10.1.1.254',
    gateway: '10.1.1.1',
    priority: 200,
    peers: ['10.1.1.253'],
    peerNodes: [{ name: 'r2', underlayIp: '192.0.2.12' }],
    mode: 'NATTED',
    routable: [],
    dhcp: true,
    dnsService: true,
    firewall: true,
    egressDefault: 'deny',
    egress: [
      {
        id: out.id,
        protocol: 'icmp',
        icmpType: 8,
        icmpCode: 0,
        cidrs: ['0.0.0.0/0'],
        destinationCidrs: ['192.0.2.0/24'],
      },
    ],
    leases: [{ mac: nic.mac, ip: '10.1.1.2', hostname: 'i-1-VM' }],
    routes: [],
    publicAddresses: [
      {
        id: address.id,
        ip: '203.0.113.10',
        ...outside,
        sourceNat: true,
        forwards: [
          {
            id: forward.id,
            protocol: 'tcp',
            publicPort: 2222,
            publicEndPort: 2222,
            privatePort: 22,
            ip: '10.1.1.2',
            ...card,
            cidrs: ['192.0.2.0/24', '198.51.100.0/24'],
          },
        ],
        balancers: [
          {
            id: balancer.id,
            protocol: 'tcp',
            publicPort: 80,
            algorithm: 'roundrobin',
            cidrs: [],
            sticky: true,
            check: { intervalSeconds: 5, timeoutSeconds: 2, healthy: 2, unhealthy: 3 },
            members: [{ ip: '10.1.1.2', port: 8080, ...card }],
          },
        ],
        ingress: [
          { id: hole.id, protocol: 'tcp', startPort: 22, endPort: 22, cidrs: ['0.0.0.0/0'], destinationCidrs: [] },
        ],
      },
      {
        id: natted.id,
        ip: '203.0.113.11',
        ...outside,
        sourceNat: false,
        staticNat: '10.1.1.2',
        staticNatNic: nic.id,
        forwards: [],
        balancers: [],
        ingress: [],
      },
    ].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  } as RouterRole;
  assert.deepEqual(role, expected);
  const [peer] = rolesOf(intent, routers[1]);
  const { id, ip, priority, peers, peerNodes, ...same } = peer!;
  assert.deepEqual(
    { id, ip, priority, peers, peerNodes },
    {
      id: legs[1].id,
      ip: '10.1.1.253',
      priority: 100,
      peers: ['10.1.1.254'],
      peerNodes: [{ name: 'r1', underlayIp: '192.0.2.11' }],
    },
  );
  const { id: _id, ip: _ip, priority: _priority, peers: _peers, peerNodes: _nodes, ...mine } = expected;
  assert.deepEqual(same, mine);
  assert.deepEqual(rolesOf(intent, at.hypervisor), []);
  assert.equal(intent.fabric.chassis.length, 1, 'router nodes have no OVN');
});

/** The units one change touched, with those that are new objects. */
async function touchedBy(
  change: (tx: Tx, at: Setting) => Promise<void>,
): Promise<{ at: Setting; units: Set<UnitKey> }> {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const at = await store.write(addSetting);
  const cache = createIntentCache(store);
  await cache.reload();
  await store.write((tx) => change(tx, at));
  const { dirty } = await cache.refresh();
  return { at, units: new Set([...dirty.values()].flatMap((set) => [...set])) };
}

for (const [what, change] of [
  [
    'port forwarding rule',
    (tx, { address, network, nic }) => tx.insert('portforward', forwardRow(address, network.id, nic)),
  ],
  ['firewall rule', (tx, { address, network }) => tx.insert('firewallrule', firewallRow(network.id, address.id))],
  ['egress rule', (tx, { network }) => tx.insert('firewallrule', firewallRow(network.id, null))],
  ['load balancer rule', (tx, { address, network }) => tx.insert('loadbalancer', balancerRow(address.id, network.id))],
  [
    'public address',
    (tx, { range, network }) => tx.insert('publicip', publicIpRow(range.id, '203.0.113.20', network.id)),
  ],
  ['static NAT', (tx, { address, nic }) => tx.update('publicip', address.id, { nic: nic.id, vmip: nic.ip })],
] as const satisfies readonly (readonly [string, (tx: Tx, at: Setting) => Promise<void>])[]) {
  test(`a new ${what} touches exactly the router nodes of its network`, async () => {
    const { at, units } = await touchedBy(change);
    assert.deepEqual([...units].toSorted(), at.routers.map(({ id }) => `host:${id}`).toSorted());
  });
}

test('a leg that moves touches both nodes, its peer, and its network', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const at = await store.write(addSetting);
  const third = hostRow('r3', { kind: 'router', underlayip: '192.0.2.13' });
  await store.write((tx) => tx.insert('host', third));
  const cache = createIntentCache(store);
  await cache.reload();
  await store.write((tx) => tx.update('networkrouter', at.legs[0].id, { host: third.id }));
  const { intent, dirty } = await cache.refresh();
  const units = new Set([...dirty.values()].flatMap((set) => [...set]));
  assert.deepEqual(
    [...units].toSorted(),
    [...at.routers.map(({ id }) => `host:${id}`), `host:${third.id}`, `network:${at.network.id}`].toSorted(),
  );
  assert.deepEqual(rolesOf(intent, at.routers[0]), []);
  assert.deepEqual(rolesOf(intent, at.routers[1])[0]?.peerNodes, [{ name: 'r3', underlayIp: '192.0.2.13' }]);
});

const OPERATIONS: readonly ((tx: Tx, at: Setting, n: number) => Promise<void>)[] = [
  async (tx, { legs }, n) => {
    const leg = legs[n % 2]!;
    const there = await tx.db.selectFrom('networkrouter').select('id').where('id', '=', leg.id).executeTakeFirst();
    if (there === undefined) await tx.insert('networkrouter', leg);
    else await tx.remove('networkrouter', leg.id);
  },
  (tx, { range, network, other }, n) =>
    tx.insert('publicip', publicIpRow(range.id, `203.0.113.${20 + n}`, [network.id, other.id, null][n % 3]!)),
  async (tx, { network }, n) => {
    const rows = await tx.db.selectFrom('publicip').select('id').orderBy('id').execute();
    await tx.update('publicip', rows[n % rows.length]!.id, { network: n % 2 === 0 ? null : network.id });
  },
  (tx, { address, network, nic }, n) =>
    tx.insert('portforward', forwardRow(address, network.id, nic, { publicport: n, publicendport: n })),
  (tx, { address, network }, n) =>
    tx.insert('firewallrule', firewallRow(network.id, n % 2 === 0 ? null : address.id, { startport: n, endport: n })),
  async (tx, { address, network, nic }, n) => {
    const balancer = balancerRow(address.id, network.id, { publicport: n });
    await tx.insert('loadbalancer', balancer);
    await tx.insert('balancermember', balancerMemberRow(balancer.id, nic.id, '10.1.1.2'));
  },
  async (tx, _at, n) => {
    const table = (['portforward', 'firewallrule', 'balancermember'] as const)[n % 3]!;
    const row = await tx.db.selectFrom(table).select('id').orderBy('id').executeTakeFirst();
    if (row !== undefined) await tx.remove(table, row.id);
  },
  async (tx, _at, n) => {
    const row = await tx.db.selectFrom('loadbalancer').select('id').orderBy('id').executeTakeFirst();
    if (row === undefined) return;
    if (n % 2 === 0) return tx.update('loadbalancer', row.id, { algorithm: 'source' });
    const members = await tx.db.selectFrom('balancermember').select('id').where('loadbalancer', '=', row.id).execute();
    for (const member of members) await tx.remove('balancermember', member.id);
    await tx.remove('loadbalancer', row.id);
  },
  (tx, { routers }, n) => tx.update('host', routers[n % 2]!.id, { underlayip: `192.0.2.${20 + n}` }),
  (tx, { routers }, n) => tx.update('host', routers[n % 2]!.id, { name: `r${n}x` }),
  (tx, { routers }, n) => tx.update('host', routers[n % 2]!.id, { state: n % 3 === 0 ? 'Down' : 'Up' }),
  (tx, { nic }, n) => tx.update('nic', nic.id, { ip: `10.1.1.${2 + n}` }),
  (tx, { nic }, n) => tx.update('instance', nic.instance, { hostname: `vm${n}` }),
  (tx, { network }, n) => tx.update('network', network.id, n % 2 === 0 ? { name: `n${n}` } : { dns1: '8.8.8.8' }),
  (tx, _at, n) => tx.update('zone', WORLD.zone, { dns1: `9.9.9.${n}` }),
  (tx, { network }, n) => tx.update('network', network.id, n % 3 === 0 ? { ip6cidr: null, ip6gateway: null } : SIX),
  (tx, { range }, n) => tx.update('publicrange', range.id, n % 3 === 0 ? { ip6cidr: null, ip6gateway: null } : WIRE6),
  (tx) => tx.insert('publicrange', rangeRow({ ...WIRE6, vlan: 78 })),
  (tx, { network }, n) =>
    tx.insert('firewallrule', { ...firewallRow(network.id, null), family: 6, startport: n, endport: n }),
];

test('after any changes of the public side refresh() equals a full load, and what was not touched is the same object', async () => {
  const step = fc.record({ which: fc.nat(OPERATIONS.length - 1), n: fc.integer({ min: 1, max: 200 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      await using opened = await DATABASES[0]!.open();
      const { store } = opened;
      const at = await store.write(addSetting);
      const cache = createIntentCache(store);
      let before = (await cache.reload()).intent;
      for (const { which, n } of steps) {
        await store
          .write((tx) => OPERATIONS[which]!(tx, at, n))
          // The same address or name again is refused by the database: then nothing happened.
          .catch((error: unknown) => assert.match(String(error), /unique/i));
        const { intent, dirty } = await cache.refresh();
        assert.deepEqual(intent, (await createIntentCache(store).reload()).intent);
        const touched = new Set([...dirty.values()].flatMap((set) => [...set]));
        for (const [id, host] of intent.hosts)
          if (!touched.has(`host:${id}`)) assert.equal(host, before.hosts.get(id), `host ${host.name} was not touched`);
        before = intent;
      }
    }),
    { numRuns: 15 },
  );
});

test('a router node that is Down is known to be, and keeps its roles', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { routers } = await store.write(addSetting);
  const cache = createIntentCache(store);
  assert.equal((await cache.refresh()).intent.hosts.get(routers[0].id)?.down, undefined);
  await store.write((tx) => tx.update('host', routers[0].id, { state: 'Down' }));
  const { intent } = await cache.refresh();
  assert.equal(intent.hosts.get(routers[0].id)?.down, true);
  assert.equal(rolesOf(intent, routers[0]).length, 1);
});
