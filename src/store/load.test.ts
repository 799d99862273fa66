// The intent cache on every database: whatever changes in whatever order, it equals a full load and keeps what was not touched.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Intent, UnitKey } from '../model/intent.ts';
import { OPERATIONS } from './load.test-support.ts';
import { createIntentCache } from './load.ts';
import type { Store } from './open.ts';
import {
  WORLD,
  addWorld,
  gatewayRow,
  hostRow,
  instanceRow,
  itemRow,
  networkRow,
  nicRow,
  routeRow,
  tierRow,
  vpcRow,
} from './row.test-support.ts';
import { DATABASES } from './store.test-support.ts';
import type { Tx } from './write.ts';

/** Every unit by its key. */
function unitsOf({ vpcs, networks, hosts, fabric }: Intent): Map<UnitKey, object> {
  return new Map<UnitKey, object>([
    ['fabric', fabric],
    ...[...vpcs].map(([id, unit]) => [`vpc:${id}`, unit] as const),
    ...[...networks].map(([id, unit]) => [`network:${id}`, unit] as const),
    ...[...hosts].map(([id, unit]) => [`host:${id}`, unit] as const),
  ]);
}

interface Small {
  readonly vpc: ReturnType<typeof vpcRow>;
  readonly tier: ReturnType<typeof tierRow>;
  readonly meet: ReturnType<typeof networkRow>;
  readonly host: ReturnType<typeof hostRow>;
}

/** A VPC with a tier, a Private network it is not on yet, a hypervisor. */
async function addSmall(tx: Tx): Promise<Small> {
  await addWorld(tx);
  const vpc = vpcRow();
  const small = { vpc, tier: tierRow(vpc.id), meet: networkRow({ segment: 'vlan', vlan: 100 }), host: hostRow('h1') };
  await tx.insert('vpc', vpc);
  await tx.insert('network', small.tier);
  await tx.insert('network', small.meet);
  await tx.insert('host', small.host);
  return small;
}

for (const database of DATABASES) {
  test(`reload() builds tiers, gateways, routes, members, hosts and sizes of packets (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const { vpc, tier, meet, host } = await store.write(addSmall);
    const gateway = gatewayRow(vpc.id, meet.id, '172.16.0.1');
    const instance = instanceRow('i-1-VM', host.id);
    const nic = nicRow(instance.id, tier.id, 0, '10.1.1.2');
    const waiting = hostRow('h0', { serial: null });
    await store.write(async (tx) => {
      await tx.insert('host', waiting);
      await tx.insert('privategateway', gateway);
      await tx.insert('staticroute', routeRow(vpc.id, '10.2.0.0/16', '172.16.0.2'));
      await tx.insert('aclitem', itemRow(WORLD.deny, 2));
      await tx.insert('aclitem', itemRow(WORLD.deny, 1));
      await tx.insert('instance', instance);
      await tx.insert('nic', nic);
    });
    const { intent } = await createIntentCache(store).reload();
    assert.deepEqual(intent.fabric, {
      chassis: [{ name: 'h1', underlayIp: '192.0.2.1', kind: 'hypervisor' }],
      underlayMtu: 1500,
    });
    const unit = intent.vpcs.get(vpc.id)!;
    assert.deepEqual(unit.tiers[0], {
      kind: 'tier',
      id: tier.id,
      name: 'n',
      accountId: WORLD.account,
      vpcId: vpc.id,
      cidr: '10.1.1.0/24',
      gateway: '10.1.1.1',
      segment: { kind: 'overlay' },
      dns: ['9.9.9.9'],
      domainName: 'v.example',
      dhcp: true,
      nics: [
        {
          id: nic.id,
          instanceId: instance.id,
          mac: nic.mac,
          ip: '10.1.1.2',
          isDefault: true,
          secondary: [],
          hostname: 'i-1-VM',
          host: 'h1',
        },
      ],
    });
    const network = intent.networks.get(meet.id)!;
    assert.ok(network.kind === 'private');
    assert.deepEqual(network.segment, { kind: 'vlan', vlan: 100, physicalNetwork: 'physnet1' });
    assert.deepEqual(network.members, [{ id: gateway.id, vpcId: vpc.id, ip: '172.16.0.1' }]);
    assert.equal(unit.gateways[0]!.network, network);
    assert.deepEqual(
      unit.gateways[0]!.acl.items.map(({ number, startPort, cidrs }) => [number, startPort, cidrs]),
      [1, 2].map((number) => [number, number, ['10.0.0.0/8', '192.168.0.0/16']]),
    );
    assert.deepEqual(
      unit.routes.map(({ cidr, nextHop }) => [cidr, nextHop]),
      [['10.2.0.0/16', '172.16.0.2']],
    );
    assert.deepEqual([...intent.hosts.keys()], [host.id]);
    const [guest] = intent.hosts.get(host.id)!.instances;
    assert.deepEqual([guest!.nics[0]!.mtu, guest!.memoryMb, guest!.power], [1442, 512, 'running']);
  });

  test(`refresh() makes anew what was touched and says so by generation, and keeps the rest (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const { vpc, tier, meet, host } = await store.write(addSmall);
    const other = vpcRow({ name: 'other' });
    await store.write((tx) => tx.insert('vpc', other));
    const cache = createIntentCache(store);
    const first = await cache.refresh();
    assert.equal(first.from, 0);
    const still = await cache.refresh();
    assert.equal(still.intent.vpcs, first.intent.vpcs);
    assert.equal(still.dirty.size, 0);

    const gateway = gatewayRow(vpc.id, meet.id, '172.16.0.1');
    const joined = await store.write(async (tx) => (await tx.insert('privategateway', gateway), tx.generation()));
    const instance = instanceRow('i-1-VM', host.id);
    const nic = nicRow(instance.id, tier.id, 0, '10.1.1.2');
    const deployed = await store.write(async (tx) => {
      await tx.insert('instance', instance);
      await tx.insert('nic', nic);
      return tx.generation();
    });
    const second = await cache.refresh();
    assert.equal(second.from, first.intent.generation);
    assert.equal(second.intent.generation, deployed);
    assert.deepEqual([...second.dirty.keys()], [joined, deployed]);
    assert.deepEqual(second.dirty.get(joined), new Set([`vpc:${vpc.id}`, `network:${meet.id}`]));
    assert.deepEqual(second.dirty.get(deployed), new Set([`vpc:${vpc.id}`, `host:${host.id}`]));
    assert.equal(second.intent.vpcs.get(other.id), first.intent.vpcs.get(other.id));
    assert.equal(second.intent.fabric, first.intent.fabric);

    await store.write((tx) => tx.update('network', tier.id, { segment: 'vlan', vlan: 100 }));
    const wider = await cache.refresh();
    assert.equal(wider.intent.hosts.get(host.id)!.instances[0]!.nics[0]!.mtu, 1500);

    // Each change tells where it was, although later ones took that away, too.
    const unplugged = await store.write(async (tx) => (await tx.remove('nic', nic.id), tx.generation()));
    const expunged = await store.write(async (tx) => (await tx.remove('instance', instance.id), tx.generation()));
    const deleted = await store.write(async (tx) => {
      await tx.remove('privategateway', gateway.id);
      await tx.remove('network', tier.id);
      await tx.remove('network', meet.id);
      await tx.remove('vpc', vpc.id);
      return tx.generation();
    });
    const third = await cache.refresh();
    assert.deepEqual(third.dirty.get(unplugged), new Set([`vpc:${vpc.id}`, `host:${host.id}`]));
    assert.ok(third.dirty.get(expunged)!.has(`host:${host.id}`));
    for (const key of [`vpc:${vpc.id}`, `network:${meet.id}`]) assert.ok(third.dirty.get(deleted)!.has(key));
    assert.deepEqual([...third.intent.vpcs.keys()], [other.id]);
  });

  test(`refresh() of any changes equals reload(), in every order and at every moment (${database.name})`, async () => {
    await using opened = await database.open();
    await opened.store.write(addWorld);
    const step = fc.record({
      op: fc.nat({ max: OPERATIONS.length - 1 }),
      a: fc.nat({ max: 1000 }),
      b: fc.nat({ max: 1000 }),
    });
    const changes = fc.array(fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 4 }), look: fc.boolean() }), {
      minLength: 1,
      maxLength: 25,
    });
    const cache = createIntentCache(opened.store);
    let before = (await cache.refresh()).intent;
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        for (const { steps, look } of list) {
          await opened.store.write(async (tx) => {
            for (const { op, a, b } of steps) await OPERATIONS[op]!(tx, a, b);
          });
          if (look) before = await compare(opened.store, cache, before);
        }
        before = await compare(opened.store, cache, before);
      }),
      { numRuns: database.name === 'SQLite' ? 40 : 8 },
    );
  });
}

/** One refresh: equal to a full load; what is not dirty is the same object; what changed is dirty. */
async function compare(store: Store, cache: ReturnType<typeof createIntentCache>, before: Intent): Promise<Intent> {
  const { intent, dirty } = await cache.refresh();
  const full = (await createIntentCache(store).reload()).intent;
  assert.deepEqual(intent, full);
  for (const map of ['vpcs', 'networks', 'hosts'] as const)
    assert.deepEqual([...intent[map].keys()], [...full[map].keys()], `${map} are in order of id`);
  const touched = new Set([...dirty.values()].flatMap((set) => [...set]));
  // A VPC holds the Private networks it is on, so it follows them without being touched itself.
  const follows = (key: UnitKey): boolean => {
    const vpc = key.startsWith('vpc:') ? intent.vpcs.get(key.slice(4)) : undefined;
    return vpc?.gateways.some(({ network }) => touched.has(`network:${network.id}`)) === true;
  };
  // A setting is no row of the intent: it has no generation of its own, and makes fabric and hosts anew by itself.
  const newMtu = intent.fabric.underlayMtu !== before.fabric.underlayMtu;
  const were = unitsOf(before);
  for (const [key, unit] of unitsOf(intent)) {
    if (touched.has(key) || follows(key) || (newMtu && (key === 'fabric' || key.startsWith('host:')))) continue;
    assert.equal(unit, were.get(key), `${key} was not touched and is the same object`);
  }
  for (const vpc of intent.vpcs.values()) {
    for (const { network } of vpc.gateways) assert.equal(network, intent.networks.get(network.id));
  }
  return intent;
}

test('refresh() follows what nodes say of their wires, and the setting for static NAT', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const host = hostRow('h1');
  await store.write(addWorld);
  await store.write((tx) => tx.insert('host', host));
  const cache = createIntentCache(store);
  const fabric = async (): Promise<unknown> => {
    const { distributedNat, chassis } = (await cache.refresh()).intent.fabric;
    return [distributedNat, chassis[0]?.wires];
  };
  assert.deepEqual(await fabric(), [undefined, undefined]);
  await store.write((tx) => tx.update('host', host.id, { facts: JSON.stringify({ wires: ['physnet1'] }) }));
  assert.deepEqual(await fabric(), [undefined, ['physnet1']]);
  const row = {
    name: 'network.static.nat.distributed',
    value: 'true',
    category: '',
    description: '',
    defaultvalue: '',
  };
  await store.write(async ({ db }) => {
    await db
      .insertInto('configuration')
      .values({ ...row, isdynamic: 1 })
      .execute();
  });
  assert.deepEqual(await fabric(), [true, ['physnet1']]);
});

test('a full load of 1,000 VPCs with 5,000 tiers and 10,000 instances takes well under a second, a change milliseconds', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  await store.write(addWorld);
  const host = hostRow('h1');
  await store.write((tx) => tx.insert('host', host));
  let last = '';
  await store.write(async (tx) => {
    for (let v = 0; v < 1000; v++) {
      const vpc = vpcRow({ name: `v${v}` });
      last = vpc.id;
      await tx.db.insertInto('vpc').values(vpc).execute();
      const tiers = Array.from({ length: 5 }, (_, index) =>
        tierRow(vpc.id, { cidr: `10.1.${index}.0/24`, gateway: `10.1.${index}.1` }),
      );
      await tx.db.insertInto('network').values(tiers).execute();
      const instances = Array.from({ length: 10 }, (_, index) => instanceRow(`i-${v}-${index}-VM`, host.id));
      await tx.db.insertInto('instance').values(instances).execute();
      await tx.db
        .insertInto('nic')
        .values(
          instances.map((row, index) => nicRow(row.id, tiers[index % 5]!.id, 0, `10.1.${index % 5}.${10 + index}`)),
        )
        .execute();
    }
  });
  const cache = createIntentCache(store);
  const begin = performance.now();
  const { intent } = await cache.refresh();
  const fullMs = performance.now() - begin;
  assert.equal(intent.vpcs.size, 1000);
  const times: number[] = [];
  for (let index = 0; index < 5; index++) {
    await store.write((tx) => tx.insert('staticroute', routeRow(last, `10.9.${index}.0/24`, '10.1.1.9')));
    const start = performance.now();
    await cache.refresh();
    times.push(performance.now() - start);
  }
  const changeMs = Math.min(...times);
  assert.ok(fullMs < 2500, `full load ${fullMs.toFixed(0)} ms`);
  assert.ok(changeMs < 25, `after a change ${changeMs.toFixed(1)} ms`);
  if (process.env['TRUNKLINE_SHOW_TIMES'])
    process.stdout.write(`full ${fullMs.toFixed(0)} ms, change ${changeMs.toFixed(2)} ms\n`);
});
