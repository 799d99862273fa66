// Addresses and VLANs on every database: which may be given, and that none is given twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../lib/id.ts';
import {
  AllocationError,
  allocateAddress,
  allocateVlan,
  parseIpRanges,
  releaseAddresses,
  releaseVlan,
  takeVlan,
} from './allocate.ts';
import { type Store, openStore } from './open.ts';
import { WORLD, addWorld, networkRow } from './row.test-support.ts';
import { DATABASES } from './store.test-support.ts';
import type { Tables } from './schema.ts';

async function network(store: Store, more: Partial<Tables['network']> = {}): Promise<Tables['network']> {
  const row = networkRow(more);
  await store.write((tx) => tx.insert('network', row));
  return row;
}

const take = (store: Store, of: Tables['network'], wanted?: string): Promise<string> =>
  store.write((tx) => allocateAddress(tx, of, wanted, 'nic', newId()));

for (const database of DATABASES) {
  const name = (text: string): string => `${text} (${database.name})`;

  test(name('allocateAddress() keeps off network, broadcast, gateway and excluded addresses'), async () => {
    await using opened = await database.open();
    const { store } = opened;
    await store.write(addWorld);
    const net = await network(store, {
      cidr: '10.0.0.0/29',
      gateway: '10.0.0.2',
      ipexclusionlist: '10.0.0.4-10.0.0.5',
    });
    assert.deepEqual(
      [await take(store, net), await take(store, net), await take(store, net)],
      ['10.0.0.1', '10.0.0.3', '10.0.0.6'],
    );
    const problem = async (wanted?: string): Promise<string> => {
      try {
        return await take(store, net, wanted);
      } catch (error) {
        assert.ok(error instanceof AllocationError);
        return error.problem;
      }
    };
    assert.equal(await problem(), 'full');
    for (const wanted of ['10.0.0.0', '10.0.0.7', '10.0.0.2', '10.0.0.4', '10.0.1.1'])
      assert.equal(await problem(wanted), 'unusable', wanted);
    assert.equal(await problem('10.0.0.1'), 'taken');
  });

  test(name('allocateAddress() stays in the range and gives again what was released'), async () => {
    await using opened = await database.open();
    const { store } = opened;
    await store.write(addWorld);
    const net = await network(store, { cidr: '10.0.0.0/24', startip: '10.0.0.100', endip: '10.0.0.101' });
    const owner = newId();
    await store.write((tx) => allocateAddress(tx, net, undefined, 'nic', owner));
    assert.equal(await take(store, net), '10.0.0.101');
    await assert.rejects(take(store, net), AllocationError);
    await store.write((tx) => releaseAddresses(tx, owner));
    assert.equal(await take(store, net), '10.0.0.100');
  });

  test(name('allocateAddress() finds every hole of a crowded network'), async () => {
    await using opened = await database.open();
    const { store } = opened;
    await store.write(addWorld);
    const net = await network(store, { cidr: '10.0.0.0/22' });
    const all = Array.from({ length: 1022 }, (_, index) => `10.0.${(index + 1) >> 8}.${(index + 1) & 255}`);
    const holes = ['10.0.0.200', '10.0.1.7', '10.0.3.254'];
    await store.write((tx) =>
      tx.db
        .insertInto('address')
        .values(all.filter((ip) => !holes.includes(ip)).map((ip) => ({ network: net.id, ip, kind: 'nic', owner: 'x' })))
        .execute(),
    );
    const found = [await take(store, net), await take(store, net), await take(store, net)];
    assert.deepEqual(found.toSorted(), holes.toSorted());
    await assert.rejects(take(store, net), AllocationError);
  });

  test(name('100 allocations at once give 100 addresses and 100 VLANs'), async () => {
    await using opened = await database.open();
    const { store } = opened;
    await store.write(addWorld);
    const net = await network(store);
    const addresses = await Promise.all(Array.from({ length: 100 }, () => take(store, net)));
    assert.equal(new Set(addresses).size, 100);
    const pool = { id: WORLD.physical, name: 'physnet1', vlan: '100-199' };
    const vlans = await Promise.all(
      Array.from({ length: 100 }, () => store.write((tx) => allocateVlan(tx, pool, net.id))),
    );
    assert.deepEqual(
      vlans.toSorted((a, b) => a - b),
      Array.from({ length: 100 }, (_, index) => 100 + index),
    );
    await assert.rejects(
      store.write((tx) => allocateVlan(tx, pool, net.id)),
      /all 100 VLANs of physical network physnet1 \(100-199\) are in use/,
    );
  });

  test(
    name('allocations of two servers on one database never meet'),
    { skip: database.name !== 'PostgreSQL' },
    async () => {
      await using opened = await database.open();
      await opened.store.write(addWorld);
      const net = await network(opened.store);
      const second = await openStore(opened.where, opened.store.sealKey);
      const taken = await Promise.all(
        Array.from({ length: 100 }, (_, index) => take(index % 2 === 0 ? opened.store : second, net)),
      );
      await second.close();
      assert.equal(new Set(taken).size, 100);
    },
  );

  test(name('allocateVlan() fills gaps, goes on to the next range, and never gives the native VLAN'), async () => {
    await using opened = await database.open();
    const { store } = opened;
    await store.write(addWorld);
    const nets = [
      await network(store),
      await network(store),
      await network(store),
      await network(store),
      await network(store),
    ];
    const pool = { id: WORLD.physical, name: 'p', vlan: '1-3,20-20' };
    const next = (index: number): Promise<number> => store.write((tx) => allocateVlan(tx, pool, nets[index]!.id));
    assert.deepEqual([await next(0), await next(1), await next(2)], [2, 3, 20]);
    await store.write((tx) => releaseVlan(tx, nets[0]!.id));
    assert.equal(await next(3), 2);
    await store.write((tx) => takeVlan(tx, WORLD.physical, 21, nets[4]!.id));
    await assert.rejects(next(4), AllocationError);
  });
}

test('a change that fails gives back the address and VLAN it took', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  await store.write(addWorld);
  const net = await network(store);
  await assert.rejects(
    store.write(async (tx) => {
      await allocateAddress(tx, net, undefined, 'nic', newId());
      await allocateVlan(tx, { id: WORLD.physical, name: 'p', vlan: '100-199' }, net.id);
      throw new Error('refused after all');
    }),
    /refused after all/,
  );
  for (const table of ['address', 'vlan'] as const)
    assert.deepEqual(await store.db.selectFrom(table).selectAll().execute(), []);
});

test('allocateAddress() is quick in a network with thousands of addresses in use', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  await store.write(addWorld);
  const net = await network(store, { cidr: '10.0.0.0/16' });
  await store.write(async (tx) => {
    for (let start = 1; start < 20_000; start += 1000) {
      const rows = Array.from({ length: 1000 }, (_, index) => ({
        network: net.id,
        ip: `10.0.${(start + index) >> 8}.${(start + index) & 255}`,
        kind: 'nic',
        owner: 'x',
      }));
      await tx.db.insertInto('address').values(rows).execute();
    }
  });
  const begin = performance.now();
  for (let index = 0; index < 20; index++) await take(store, net);
  const each = (performance.now() - begin) / 20;
  assert.ok(each < 20, `${each.toFixed(1)} ms each`);
});

test('parseIpRanges() reads addresses and ranges, and nothing else', () => {
  assert.deepEqual(parseIpRanges('10.0.0.1, 10.0.0.5-10.0.0.9'), [
    { from: 0x0a000001, to: 0x0a000001 },
    { from: 0x0a000005, to: 0x0a000009 },
  ]);
  for (const text of ['', 'x', '10.0.0.9-10.0.0.5', '10.0.0.1-', '10.0.0.1-10.0.0.2-10.0.0.3', '10.0.0.256'])
    assert.equal(parseIpRanges(text), undefined, text);
});
