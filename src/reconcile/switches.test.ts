// The loop over switches with a real store: whom it attaches, what it writes down, whom it holds up and whom it does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../ovn/ovsdb-server.test-support.ts';
import { deviceRow, hostRow, instanceRow, memberRow, nicRow, portRow, switchRow } from '../store/row.test-support.ts';
import { DATABASES } from '../store/store.test-support.ts';
import { owedBy } from './switches.ts';
import type { WaitsFor } from './waiting.ts';
import { loopOver, tableSwitches, world } from './switches.test-support.ts';

test('a device is attached when its port is as wanted, its MAC is found there, and detaching gives port and address back', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const { at, review } = tableSwitches();
  const table = at('sw');
  table.ports.set('p1', { name: 'p1', untagged: 999, tagged: [] });
  table.ports.set('uplink', { name: 'uplink', tagged: 'all' });
  await using loop = loopOver(store, review);
  const id = await here.attach();
  await loop.update();
  await until(async () => (await here.member(id))?.state === 'Attached', 'the member being attached');
  assert.equal(table.ports.get('p1')?.untagged, 150);
  assert.deepEqual(table.ports.get('uplink'), { name: 'uplink', tagged: 'all' });
  assert.equal(loop.steps.length, 1);
  assert.equal((await here.member(id))?.mac, null);
  table.macs.push(
    { port: 'p1', vlan: 150, mac: '52:54:00:00:00:09' },
    { port: 'uplink', vlan: 150, mac: '52:54:00:00:00:10' },
  );
  await until(async () => (await here.member(id))?.mac !== null, 'its MAC being found');
  assert.equal((await here.member(id))?.mac, '52:54:00:00:00:09');

  await store.write(async (tx) => tx.update('member', id, { state: 'Detaching', moved: await tx.generation() }));
  await loop.update();
  await until(async () => (await here.member(id)) === undefined, 'the member being gone');
  assert.equal(table.ports.get('p1')?.untagged, 999);
  assert.deepEqual(await store.db.selectFrom('address').selectAll().execute(), []);
  assert.deepEqual(table.written, ['p1', 'p1']);
});

test('a switch that does not answer is Down once, keeps its members waiting with the reason, and holds up no other switch', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const other = switchRow('other');
  await store.write(async (tx) => {
    await tx.insert('switch', other);
    await tx.insert('switchport', portRow(other.id, 'q1'));
  });
  const { at, review } = tableSwitches();
  at('sw').silent = true;
  at('sw').ports.set('p1', { name: 'p1', untagged: 999, tagged: [] });
  at('other').ports.set('q1', { name: 'q1', untagged: 7, tagged: [] });
  await using loop = loopOver(store, review);
  const id = await here.attach();
  const generation = await loop.update();
  await until(() => at('other').ports.get('q1')?.untagged === 999, 'the other switch being set');
  await until(() => at('sw').asked >= 3, 'three tries');
  const target = loop.switches.target(here.sw.id, generation);
  assert.match(
    owedBy(target!, loop.switches.standing(here.sw.id))?.for ?? '',
    /^switch sw, which could not be looked at since 20\S+; the operator finds the reason in listSwitches$/,
  );
  assert.equal((await here.member(id))?.state, 'Attaching');
  assert.equal((await here.row()).state, 'Down');
  assert.equal((await here.events()).filter((event) => event.startsWith('SWITCH.DOWN')).length, 1);
  at('sw').silent = false;
  await until(async () => (await here.member(id))?.state === 'Attached', 'the member being attached');
  assert.equal(owedBy(target!, loop.switches.standing(here.sw.id)), undefined);
  const row = await here.row();
  assert.deepEqual([row.state, row.error], ['Up', null]);
});

test('a switch that says yes and does nothing is named with the port by the change concerned, and by no other', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const second = portRow(here.sw.id, 'p2');
  await store.write((tx) => tx.insert('switchport', second));
  const { at, review } = tableSwitches();
  for (const name of ['p1', 'p2']) at('sw').ports.set(name, { name, untagged: 999, tagged: [] });
  at('sw').lies.add('p1');
  await using loop = loopOver(store, review);
  await loop.update();
  await here.attach();
  const lied = await loop.update();
  const laterDevice = deviceRow('printer', second.id);
  const fine = await store.write(async (tx) => {
    const generation = await tx.generation();
    await tx.insert('device', laterDevice);
    await tx.insert('member', memberRow(here.network.id, laterDevice.id, second.id, { moved: generation }));
    return generation;
  });
  const later = await loop.update();
  assert.ok(later >= fine);
  const { switches } = loop;
  await until(() => (switches.standing(here.sw.id)?.reviewed ?? -1) >= later, 'the newest document being looked at');
  const owedTo = (since: number): WaitsFor | undefined =>
    owedBy(switches.target(here.sw.id, since)!, switches.standing(here.sw.id));
  assert.equal(owedTo(later), undefined);
  assert.match(
    owedTo(lied)?.for ?? '',
    /^switch sw, port p1, since 20.*its untagged VLAN is VLAN 999, wanted VLAN 150 \(office\)$/,
  );
  assert.match((await here.row()).error ?? '', /said yes and did not do it/);
  assert.deepEqual(new Set(loop.steps), new Set(['set p1', 'set p2']), 'what was typed there is recorded all the same');
});

test('a change that asks nothing new of a switch waits for nothing there, however broken it is', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const { at, review } = tableSwitches();
  at('sw').silent = true;
  await using loop = loopOver(store, review);
  await here.attach();
  await loop.update();
  await store.write((tx) => tx.touch('switch', here.sw.id));
  const generation = await loop.update();
  assert.equal(loop.switches.target(here.sw.id, generation), undefined);
});

test('a switch that does not answer holds up nobody where nothing would be written: neither by a cable that is only compared, nor at all', async () => {
  for (const [apply, managed] of [
    [1, 0],
    [0, 1],
  ] as const) {
    await using opened = await DATABASES[0]!.open();
    const { store } = opened;
    const here = await world(store, { apply });
    const { at, review } = tableSwitches();
    at('sw').silent = true;
    await using loop = loopOver(store, review);
    await loop.update();
    const host = hostRow('h1');
    const instance = instanceRow('i-1-VM', host.id);
    await store.write(async (tx) => {
      await tx.insert('host', host);
      await tx.insert('switchport', portRow(here.sw.id, 'h1-eth0', { role: 'hypervisor', host: host.id, managed }));
      await tx.insert('instance', instance);
      await tx.insert('nic', nicRow(instance.id, here.network.id, 0, '172.16.0.5'));
    });
    assert.equal(loop.switches.target(here.sw.id, await loop.update()), undefined);
    // A device's port is another matter: its member is Attached or Waiting once somebody has looked.
    await here.attach();
    assert.deepEqual([...loop.switches.target(here.sw.id, await loop.update())!.ports], ['p1']);
  }
});

test('a port that somebody changed is put back and told once', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const { at, review } = tableSwitches();
  const table = at('sw');
  table.ports.set('p1', { name: 'p1', untagged: 999, tagged: [] });
  await using loop = loopOver(store, review);
  const id = await here.attach();
  await loop.update();
  await until(async () => (await here.member(id))?.state === 'Attached', 'the member being attached');
  assert.deepEqual(
    (await here.events()).filter((event) => event.startsWith('SWITCH.PORT')),
    [],
    'our own change is no news',
  );
  table.ports.set('p1', { name: 'p1', untagged: 666, tagged: [] });
  await until(() => table.ports.get('p1')?.untagged === 150, 'the port being put back');
  await until(async () => (await here.events()).some((event) => event.startsWith('SWITCH.PORT')), 'it being told');
  const { asked } = table;
  await until(() => table.asked > asked + 2, 'more looks');
  const told = (await here.events()).filter((event) => event.startsWith('SWITCH.PORT'));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /switch sw, port p1 \(device fileserver\): found untagged 666.*VLAN 150/);
});
