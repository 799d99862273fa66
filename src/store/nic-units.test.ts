// What a secondary address, a move and a stop change of the intent: the network and the hypervisors concerned, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../lib/id.ts';
import { createIntentCache } from './load.ts';
import { balancerMemberRow, balancerRow, publicIpRow, rangeRow } from './router-row.test-support.ts';
import { WORLD, addWorld, hostRow, instanceRow, networkRow, nicRow } from './row.test-support.ts';
import { settle } from './settle.ts';
import { DATABASES } from './store.test-support.ts';
import type { Store } from './open.ts';

/** An instance on h1 in a network without services, and two more hypervisors. */
async function world(store: Store) {
  const network = networkRow({ guesttype: 'Isolated', offering: WORLD.bareOffering, cidr: '10.1.1.0/24' });
  const hosts = ['h1', 'h2', 'h3'].map((name) => hostRow(name));
  const instance = instanceRow('i-1-VM', hosts[0]!.id);
  const nic = nicRow(instance.id, network.id, 0, '10.1.1.7');
  await store.write(async (tx) => {
    await addWorld(tx);
    await tx.insert('network', network);
    for (const host of hosts) await tx.insert('host', host);
    await tx.insert('instance', instance);
    await tx.insert('nic', nic);
  });
  const cache = createIntentCache(store);
  await cache.reload();
  const keys = { network: `network:${network.id}`, hosts: hosts.map(({ id }) => `host:${id}`) };
  const touched = async (): Promise<string[]> =>
    [...(await cache.refresh()).dirty.values()].flatMap((units) => [...units]).toSorted();
  return { network, hosts, instance, nic, keys, cache, touched };
}

for (const database of DATABASES) {
  test(`a secondary address touches its network and its hypervisor, when it comes and when it goes (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const { nic, keys, cache, touched } = await world(store);
    const id = newId();
    await store.write((tx) => tx.insert('nicaddress', { id, nic: nic.id, ip: '10.1.1.77', moved: 5, created: 'x' }));
    const both = [keys.network, keys.hosts[0]!].toSorted();
    assert.deepEqual(await touched(), both);
    const [compiled] = [...(await cache.refresh()).intent.networks.values()][0]!.nics;
    assert.deepEqual(compiled!.secondary, ['10.1.1.77']);
    await store.write((tx) => tx.remove('nicaddress', id));
    assert.deepEqual(await touched(), both);
    const [after] = [...(await cache.refresh()).intent.networks.values()][0]!.nics;
    assert.deepEqual(after!.secondary, []);
  });

  test(`balancers lead to members that run, or are to: who is stopped stays a member, and is back when started (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const { network, instance, nic, cache } = await world(store);
    const range = rangeRow();
    const address = publicIpRow(range.id, '203.0.113.10', network.id);
    const balancer = balancerRow(address.id, network.id);
    const { name, description, algorithm, protocol, publicport, privateport, account, domain, state, created } =
      balancer;
    const inside = { name, description, algorithm, protocol, publicport, privateport, account, domain, state, created };
    const internal = { ...inside, id: newId(), network: network.id, sourceip: '10.1.1.20' };
    const { loadbalancer: _, ...member } = balancerMemberRow(balancer.id, nic.id, '10.1.1.7');
    const bare = await store.db
      .selectFrom('networkoffering')
      .selectAll()
      .where('id', '=', WORLD.bareOffering)
      .executeTakeFirstOrThrow();
    await store.write(async (tx) => {
      const routed = {
        ...bare,
        id: newId(),
        name: 'routed',
        services: JSON.stringify([{ name: 'SourceNat', provider: 'Ovn' }]),
      };
      await tx.insert('networkoffering', routed);
      await tx.update('network', network.id, { offering: routed.id, gateway: '10.1.1.1' });
      await tx.insert('publicrange', range);
      await tx.insert('publicip', address);
      await tx.insert('loadbalancer', balancer);
      await tx.insert('balancermember', balancerMemberRow(balancer.id, nic.id, '10.1.1.7'));
      await tx.insert('internalbalancer', internal);
      await tx.insert('internalmember', { ...member, internalbalancer: internal.id });
    });
    const ledTo = async (power: string, state: string): Promise<readonly string[]> => {
      await store.write((tx) => tx.update('instance', instance.id, { power, state }));
      const unit = (await cache.refresh()).intent.networks.get(network.id);
      assert.ok(unit?.kind === 'guest' && unit.publicSide !== undefined);
      const { addresses, internal: within } = unit.publicSide;
      return [...addresses[0]!.balancers, ...within].flatMap(({ members }) => members.map(({ ip }) => ip));
    };
    assert.deepEqual(await ledTo('stopped', 'Stopping'), []);
    assert.deepEqual(await ledTo('running', 'Starting'), ['10.1.1.7', '10.1.1.7']);
    assert.deepEqual(await ledTo('stopped', 'Destroyed'), []);
  });

  test(`settle() lets the old place go when a move is realized, as a change of its own (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const { hosts, instance, keys, cache, touched } = await world(store);
    const [h1, h2] = hosts;
    const generation = await store.write(async (tx) => {
      const patch = { host: h2!.id, lasthost: h2!.id, migratefrom: h1!.id, state: 'Migrating' };
      await tx.update('instance', instance.id, patch);
      const at = await tx.generation();
      const promised = { generation: at, kind: 'instance', id: instance.id, state: 'Running' };
      await tx.db.insertInto('transition').values(promised).execute();
      return at;
    });
    const concerned = [keys.network, keys.hosts[0]!, keys.hosts[1]!].toSorted();
    assert.deepEqual(await touched(), concerned);
    let rung = 0;
    store.write.onChange(() => rung++);
    await settle(store, [generation], []);
    assert.equal(rung, 1, 'the reconciler hears of it');
    assert.deepEqual(await touched(), concerned);
    const row = await store.db.selectFrom('instance').select(['state', 'migratefrom']).executeTakeFirstOrThrow();
    assert.deepEqual([row.state, row.migratefrom], ['Running', null]);
    const [nic] = [...(await cache.refresh()).intent.networks.values()][0]!.nics;
    assert.deepEqual([nic!.host, nic!.movingFrom], ['h2', undefined]);
  });
}
