import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Intent, UnitKey } from '../model/intent.ts';
import { createIntentCache } from './load.ts';
import type { Store } from './open.ts';
import type { ObjectTable } from './schema.ts';
import {
  DATABASES,
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
} from './store.test-support.ts';
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
    assert.deepEqual(intent.fabric, { chassis: [{ name: 'h1', underlayIp: '192.0.2.1' }], underlayMtu: 1500 });
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
    assert.deepEqual(third.dirty.get(deleted), new Set([`vpc:${vpc.id}`, `network:${meet.id}`]));
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

type Operation = (tx: Tx, a: number, b: number) => Promise<void>;

async function pick<T extends ObjectTable>(
  tx: Tx,
  table: T,
  a: number,
  condition?: (row: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown> | undefined> {
  const rows = (await tx.db
    .selectFrom(table as 'vpc')
    .selectAll()
    .orderBy('id')
    .execute()) as unknown as Record<string, unknown>[];
  const fitting = condition === undefined ? rows : rows.filter(condition);
  return fitting[a % Math.max(1, fitting.length)];
}

const idOf = (row: Record<string, unknown> | undefined): string | undefined => row?.['id'] as string | undefined;

let serial = 0;

// Each does one sensible thing with rows chosen by numbers, or nothing where there is none to do it with.
const OPERATIONS: readonly Operation[] = [
  (tx) => tx.insert('vpc', vpcRow({ name: `v${serial++}` })),
  (tx, a) => tx.insert('host', hostRow(`h${String(serial++).padStart(5, '0')}`, { serial: a % 3 === 0 ? null : 's' })),
  (tx, a) => tx.insert('network', networkRow(a % 2 === 0 ? {} : { segment: 'vlan', vlan: 100 + (a % 100) })),
  (tx, a) =>
    tx.insert(
      'network',
      networkRow({
        guesttype: 'Isolated',
        offering: WORLD.bareOffering,
        gateway: a % 2 === 0 ? null : '172.16.0.1',
        ...(a % 3 === 0 ? {} : { segment: 'vlan', vlan: 100 + (a % 100) }),
      }),
    ),
  async (tx, a, b) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc !== undefined) await tx.insert('network', tierRow(vpc, { acl: b % 2 === 0 ? null : WORLD.deny }));
  },
  async (tx, a, b) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    const network = idOf(await pick(tx, 'network', b, (row) => row['guesttype'] === 'Private'));
    if (vpc === undefined || network === undefined) return;
    const twin = await tx.db
      .selectFrom('privategateway')
      .select('id')
      .where('vpc', '=', vpc)
      .where('network', '=', network)
      .executeTakeFirst();
    if (twin === undefined) await tx.insert('privategateway', gatewayRow(vpc, network, `172.16.0.${1 + (a % 250)}`));
  },
  async (tx, a, b) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc !== undefined)
      await tx.insert('staticroute', routeRow(vpc, `10.${serial++ % 250}.${b % 250}.${serial % 250}/32`, '172.16.0.9'));
  },
  async (tx, a, b) => {
    const network = idOf(await pick(tx, 'network', a, (row) => row['guesttype'] !== 'Private'));
    if (network === undefined) return;
    const instance = instanceRow(`i-${serial++}-VM`, b % 4 === 0 ? null : (idOf(await pick(tx, 'host', b)) ?? null));
    await tx.insert('instance', instance);
    await tx.insert('nic', nicRow(instance.id, network, 0, `10.1.1.${1 + (a % 250)}`));
  },
  async (tx, a, b) => {
    const instance = idOf(await pick(tx, 'instance', a));
    const network = idOf(await pick(tx, 'network', b, (row) => row['guesttype'] !== 'Private'));
    if (instance === undefined || network === undefined) return;
    const nics = await tx.db.selectFrom('nic').selectAll().where('instance', '=', instance).execute();
    if (!nics.some((nic) => nic.network === network))
      await tx.insert(
        'nic',
        nicRow(instance, network, 1 + Math.max(0, ...nics.map((nic) => nic.deviceid)), '10.1.1.9'),
      );
  },
  async (tx, a, b) => {
    const instance = idOf(await pick(tx, 'instance', a));
    const host = idOf(await pick(tx, 'host', b)) ?? null;
    if (instance !== undefined)
      await tx.update(
        'instance',
        instance,
        b % 3 === 0 ? { host: null, power: 'stopped' } : { host, power: 'running', boot: b },
      );
  },
  async (tx, a) => {
    const instance = idOf(await pick(tx, 'instance', a));
    if (instance !== undefined)
      await tx.update('instance', instance, {
        hostname: `n${serial++}`,
        serviceoffering: a % 2 === 0 ? WORLD.small : WORLD.large,
      });
  },
  async (tx, a) => {
    const nic = idOf(await pick(tx, 'nic', a));
    if (nic !== undefined) await tx.remove('nic', nic);
  },
  async (tx, a) => {
    const instance = idOf(await pick(tx, 'instance', a));
    if (instance === undefined) return;
    for (const { id } of await tx.db.selectFrom('nic').select('id').where('instance', '=', instance).execute())
      await tx.remove('nic', id);
    await tx.remove('instance', instance);
  },
  async (tx, a) => {
    const gateway = idOf(await pick(tx, 'privategateway', a));
    if (gateway !== undefined) await tx.remove('privategateway', gateway);
  },
  async (tx, a) => {
    const route = idOf(await pick(tx, 'staticroute', a));
    if (route !== undefined) await tx.remove('staticroute', route);
  },
  async (tx, a) => {
    const network = idOf(await pick(tx, 'network', a));
    if (network === undefined) return;
    for (const table of ['nic', 'privategateway'] as const) {
      for (const { id } of await tx.db.selectFrom(table).select('id').where('network', '=', network).execute())
        await tx.remove(table, id);
    }
    await tx.remove('network', network);
  },
  async (tx, a) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc === undefined) return;
    for (const { id: network } of await tx.db.selectFrom('network').select('id').where('vpc', '=', vpc).execute()) {
      for (const { id } of await tx.db.selectFrom('nic').select('id').where('network', '=', network).execute())
        await tx.remove('nic', id);
      await tx.remove('network', network);
    }
    for (const table of ['privategateway', 'staticroute'] as const) {
      for (const { id } of await tx.db.selectFrom(table).select('id').where('vpc', '=', vpc).execute())
        await tx.remove(table, id);
    }
    await tx.remove('vpc', vpc);
  },
  async (tx, a, b) => {
    const host = idOf(await pick(tx, 'host', a));
    if (host !== undefined)
      await tx.update(
        'host',
        host,
        [
          { state: 'Down' },
          { underlayip: `192.0.2.${b % 250}` },
          { serial: null },
          { serial: 's' },
          { name: `x${serial++}` },
        ][b % 5]!,
      );
  },
  async (tx, a) => {
    const host = idOf(await pick(tx, 'host', a));
    if (host === undefined) return;
    for (const { id } of await tx.db.selectFrom('instance').select('id').where('host', '=', host).execute())
      await tx.update('instance', id, { host: null });
    await tx.remove('host', host);
  },
  async (tx, a, b) => {
    const network = idOf(await pick(tx, 'network', a));
    if (network !== undefined)
      await tx.update(
        'network',
        network,
        [
          { name: `n${b}` },
          { dns1: '8.8.8.8' },
          { networkdomain: 'own.example' },
          { acl: WORLD.deny },
          { acl: null },
          { segment: 'overlay' },
        ][b % 6]!,
      );
  },
  async (tx, a) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc !== undefined) await tx.update('vpc', vpc, { name: `v${serial++}`, networkdomain: `d${a}.example` });
  },
  async (tx, a) => {
    const table = (['vpc', 'network', 'host', 'zone'] as const)[a % 4]!;
    const id = idOf(await pick(tx, table, a));
    if (id !== undefined) await tx.touch(table, id);
  },
  (tx, a) => tx.update('zone', WORLD.zone, { dns1: `9.9.9.${a % 250}`, dns2: a % 2 === 0 ? null : '8.8.4.4' }),
  (tx, a) => tx.update('physicalnetwork', WORLD.physical, { name: `phys${a}` }),
  (tx) => tx.update('acl', WORLD.deny, { name: `deny${serial++}` }),
  (tx) => tx.insert('aclitem', itemRow(WORLD.deny, ++serial)),
  async (tx, a) => {
    const item = idOf(await pick(tx, 'aclitem', a));
    if (item !== undefined)
      await (a % 2 === 0 ? tx.remove('aclitem', item) : tx.update('aclitem', item, { action: 'Deny' }));
  },
  async (tx, a) => {
    await tx.db
      .insertInto('configuration')
      .values({
        name: 'network.underlay.mtu',
        value: `${1500 + (a % 3)}`,
        category: '',
        description: '',
        defaultvalue: '',
        isdynamic: 1,
      })
      .onConflict((on) => on.column('name').doUpdateSet({ value: `${1500 + (a % 3)}` }))
      .execute();
  },
];

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
