// From rows to the unit of a switch: which VLANs a port must carry, and which of a network's changes concern which switch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Switch } from '../model/switch.ts';
import { createIntentCache } from './load.ts';
import type { Store } from './open.ts';
import {
  WORLD,
  addWorld,
  deviceRow,
  gatewayRow,
  hostRow,
  instanceRow,
  memberRow,
  networkRow,
  nicRow,
  portRow,
  switchRow,
  vpcRow,
} from './row.test-support.ts';
import { rangeRow } from './router-row.test-support.ts';
import type { Tables } from './schema.ts';
import { DATABASES } from './store.test-support.ts';
import type { Tx } from './write.ts';

function wired(name: string, vlan: number, more: Partial<Tables['network']> = {}): Tables['network'] {
  const bare = { guesttype: 'Isolated', offering: WORLD.bareOffering, segment: 'vlan' };
  return networkRow({ name, vlan, ...bare, ...more });
}

async function openWorld() {
  const opened = await DATABASES[0]!.open();
  const sw = switchRow('sw');
  const hosts = [hostRow('h1'), hostRow('h2')] as const;
  const cables = hosts.map((host) => portRow(sw.id, `${host.name}-eth0`, { role: 'hypervisor', host: host.id }));
  await opened.store.write(async (tx) => {
    await addWorld(tx);
    await tx.insert('switch', sw);
    for (const host of hosts) await tx.insert('host', host);
    for (const port of cables) await tx.insert('switchport', port);
  });
  const cache = createIntentCache(opened.store);
  return {
    store: opened.store as Store,
    sw,
    hosts,
    unit: async (id = sw.id): Promise<Switch> => (await cache.refresh()).intent.switches.get(id)!,
    /** Whether a change is said to concern the switch. */
    async concerns(change: (tx: Tx) => Promise<void>): Promise<boolean> {
      await cache.refresh();
      await opened.store.write(change);
      const { dirty } = await cache.refresh();
      return [...dirty.values()].some((units) => units.has(`switch:${sw.id}`));
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

const tagged = (unit: Switch, name: string): number[] | undefined =>
  unit.ports.find((port) => port.name === name)?.tagged.map(({ vlan }) => vlan);

test('a device’s port is untagged for its network, tagged for those it tags itself, and native when it leaves', async () => {
  await using world = await openWorld();
  const [a, b, c] = [wired('a', 150), wired('b', 151), wired('c', 152)];
  const [port, trunk, check] = [
    portRow(world.sw.id, 'p1'),
    portRow(world.sw.id, 'p2'),
    portRow(world.sw.id, 'p3', { managed: 0 }),
  ];
  const uplink = portRow(world.sw.id, 'up', { role: 'uplink', managed: 0 });
  const [printer, router] = [deviceRow('printer'), deviceRow('router1')];
  const member = memberRow(a.id, printer.id, port.id);
  await world.store.write(async (tx) => {
    for (const row of [a, b, c]) await tx.insert('network', row);
    for (const row of [port, trunk, check, uplink]) await tx.insert('switchport', row);
    for (const row of [printer, router]) await tx.insert('device', row);
    await tx.insert('member', member);
    for (const { id } of [c, b]) await tx.insert('member', memberRow(id, router.id, trunk.id, { tagged: 1 }));
  });
  const unit = await world.unit();
  const of = (name: string) => unit.ports.find((each) => each.name === name);
  assert.deepEqual(of('p1'), {
    id: port.id,
    name: 'p1',
    mode: 'set',
    behind: 'device printer',
    trunk: false,
    untagged: { vlan: 150, networks: ['a'] },
    tagged: [],
  });
  assert.deepEqual(
    [of('p2')?.untagged, tagged(unit, 'p2'), of('p2')?.behind],
    [undefined, [151, 152], 'device router1'],
  );
  assert.deepEqual([of('p3')?.mode, of('p3')?.behind, of('p3')?.untagged], ['check', 'nobody', undefined]);
  assert.equal(of('up'), undefined, 'an uplink is not in the intent');
  await world.store.write((tx) => tx.update('member', member.id, { state: 'Detaching' }));
  assert.equal((await world.unit()).ports.find((each) => each.name === 'p1')?.untagged, undefined);
});

test('a hypervisor’s cable carries the VLANs of its instances, of both places while one moves, and of no other wire', async () => {
  await using world = await openWorld();
  const [h1, h2] = world.hosts;
  const far = {
    ...(await world.store.db.selectFrom('physicalnetwork').selectAll().executeTakeFirstOrThrow()),
    id: 'far',
    name: 'far',
  };
  const [here, elsewhere, overlay] = [
    wired('here', 150),
    wired('elsewhere', 151, { physicalnetwork: 'far' }),
    networkRow({ guesttype: 'Isolated', offering: WORLD.bareOffering }),
  ];
  const instance = instanceRow('i-1-VM', h1.id);
  await world.store.write(async (tx) => {
    await tx.insert('physicalnetwork', far);
    for (const row of [here, elsewhere, overlay]) await tx.insert('network', row);
    await tx.insert('instance', instance);
    for (const [index, { id }] of [here, elsewhere, overlay].entries())
      await tx.insert('nic', nicRow(instance.id, id, index, `172.16.0.${index + 2}`));
  });
  const still = await world.unit();
  assert.deepEqual([tagged(still, 'h1-eth0'), tagged(still, 'h2-eth0')], [[150], []]);
  assert.ok(await world.concerns((tx) => tx.update('instance', instance.id, { host: h2.id, migratefrom: h1.id })));
  const moving = await world.unit();
  assert.deepEqual([tagged(moving, 'h1-eth0'), tagged(moving, 'h2-eth0')], [[150], [150]]);
  assert.ok(await world.concerns((tx) => tx.update('instance', instance.id, { migratefrom: null })));
  const moved = await world.unit();
  assert.deepEqual([tagged(moved, 'h1-eth0'), tagged(moved, 'h2-eth0')], [[], [150]]);
});

test('a network that OVN routes for is needed at every hypervisor: its router port may be at any', async () => {
  await using world = await openWorld();
  const vpc = vpcRow();
  const meet = wired('meet', 150, { guesttype: 'Private', offering: WORLD.privateOffering });
  const gateway = gatewayRow(vpc.id, meet.id, '172.16.0.1');
  await world.store.write(async (tx) => {
    await tx.insert('vpc', vpc);
    await tx.insert('network', meet);
  });
  assert.deepEqual(tagged(await world.unit(), 'h2-eth0'), []);
  assert.ok(await world.concerns((tx) => tx.insert('privategateway', gateway)));
  const joined = await world.unit();
  assert.deepEqual([tagged(joined, 'h1-eth0'), tagged(joined, 'h2-eth0')], [[150], [150]]);
  assert.ok(await world.concerns((tx) => tx.remove('privategateway', gateway.id)));
  assert.deepEqual(tagged(await world.unit(), 'h2-eth0'), []);
});

test('a VLAN needed at two switches is compared on the uplinks of both, and on those of no other wire or switch', async () => {
  await using world = await openWorld();
  const [h1] = world.hosts;
  const [two, three, people] = [
    switchRow('two'),
    switchRow('three'),
    switchRow('people', { driver: 'instructions', options: '{"dialect":"junos"}' }),
  ];
  const [shared, own] = [wired('shared', 150), wired('own', 151)];
  const [device, other] = [deviceRow('printer'), deviceRow('plotter')];
  const [q1, r1] = [portRow(two.id, 'q1'), portRow(people.id, 'r1')];
  const far = memberRow(shared.id, device.id, q1.id);
  await world.store.write(async (tx) => {
    for (const row of [two, three, people]) await tx.insert('switch', row);
    for (const row of [shared, own]) await tx.insert('network', row);
    for (const row of [q1, r1]) await tx.insert('switchport', row);
    for (const { id } of [world.sw, two, three, people])
      await tx.insert('switchport', portRow(id, 'up', { role: 'uplink', managed: 0 }));
    for (const row of [device, other]) await tx.insert('device', row);
    const instance = instanceRow('i-1-VM', h1.id);
    await tx.insert('instance', instance);
    for (const [index, { id }] of [shared, own].entries())
      await tx.insert('nic', nicRow(instance.id, id, index, `172.16.0.${index + 2}`));
  });
  const uplink = async (on: string) => (await world.unit(on)).ports.find(({ name }) => name === 'up');
  assert.equal(await uplink(world.sw.id), undefined, 'nobody elsewhere needs them');
  // The change is at the other switch.
  assert.ok(await world.concerns((tx) => tx.insert('member', far)));
  const up = await uplink(world.sw.id);
  assert.deepEqual(
    [up?.mode, up?.trunk, up?.behind, up?.tagged],
    ['check', true, 'other switches', [{ vlan: 150, networks: ['shared'] }]],
  );
  assert.deepEqual((await uplink(two.id))?.tagged, up?.tagged);
  assert.equal(await uplink(three.id), undefined, 'it needs nothing');
  await world.store.write((tx) => tx.insert('member', memberRow(shared.id, other.id, r1.id)));
  assert.equal(await uplink(people.id), undefined, 'nobody can look at it');
  assert.ok(await world.concerns((tx) => tx.remove('member', far.id)));
  assert.equal(await uplink(two.id), undefined);
});

test('a gateway node’s cable carries what OVN routes for and public VLANs', async () => {
  await using world = await openWorld();
  const [vpc, node] = [vpcRow(), hostRow('gw1', { kind: 'gateway' })];
  const meet = wired('meet', 150, { guesttype: 'Private', offering: WORLD.privateOffering });
  const range = rangeRow({ vlan: 700 });
  assert.ok(await world.concerns((tx) => tx.insert('publicrange', range)));
  assert.ok(
    await world.concerns(async (tx) => {
      await tx.insert('host', node);
      await tx.insert('switchport', portRow(world.sw.id, 'gw1-eth0', { role: 'gateway', host: node.id }));
      await tx.insert('vpc', vpc);
      await tx.insert('network', meet);
      await tx.insert('privategateway', gatewayRow(vpc.id, meet.id, '172.16.0.1'));
    }),
  );
  const unit = await world.unit();
  assert.deepEqual([tagged(unit, 'gw1-eth0'), tagged(unit, 'h1-eth0')], [[150, 700], [150]]);
  assert.equal(unit.ports.find(({ name }) => name === 'gw1-eth0')?.behind, 'gateway gw1');
});

test('a hypervisor’s cable carries public VLANs while static NAT may be done there', async () => {
  await using world = await openWorld();
  await world.store.write((tx) => tx.insert('publicrange', rangeRow({ vlan: 700 })));
  const at = async (value: string): Promise<number[] | undefined> => {
    const row = { name: 'network.static.nat.distributed', value, category: '', description: '', defaultvalue: '' };
    await world.store.write(async ({ db }) => {
      await db
        .insertInto('configuration')
        .values({ ...row, isdynamic: 1 })
        .onConflict((on) => on.column('name').doUpdateSet({ value }))
        .execute();
    });
    return tagged(await world.unit(), 'h1-eth0');
  };
  assert.deepEqual([await at('false'), await at('true'), await at('false')], [[], [700], []]);
});

test('a router node’s cable carries the networks it has a leg in', async () => {
  await using world = await openWorld();
  const node = hostRow('r1', { kind: 'router' });
  const network = wired('routed', 150);
  const leg = {
    id: 'leg',
    network: network.id,
    host: node.id,
    ip: '172.16.0.2',
    priority: 200,
    state: null,
    findings: null,
    created: '',
  };
  await world.store.write(async (tx) => {
    await tx.insert('host', node);
    await tx.insert('network', network);
    await tx.insert('switchport', portRow(world.sw.id, 'r1-eth1', { role: 'router', host: node.id }));
  });
  assert.ok(await world.concerns((tx) => tx.insert('networkrouter', leg)));
  const unit = await world.unit();
  assert.deepEqual([tagged(unit, 'r1-eth1'), tagged(unit, 'h1-eth0')], [[150], []]);
  assert.equal(unit.ports.find(({ name }) => name === 'r1-eth1')?.behind, 'router r1');
});
