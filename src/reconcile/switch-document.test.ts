// What is ours on a trunk, what is only looked at, and what people are asked for: once, also over a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../ovn/ovsdb-server.test-support.ts';
import { WORLD, hostRow, instanceRow, networkRow, nicRow, portRow } from '../store/row.test-support.ts';
import { DATABASES } from '../store/store.test-support.ts';
import { reviewSwitch } from '../switches/review.ts';
import { type ReviewSwitch, owedBy } from './switches.ts';
import { type World, loopOver, tableSwitches, world } from './switches.test-support.ts';

/** An instance of the network on hypervisor h1, whose cable is port `h1-eth0`. */
async function hypervisor(here: World, managed: 0 | 1): Promise<string> {
  const host = hostRow('h1');
  const instance = instanceRow('i-1-VM', host.id);
  await here.store.write(async (tx) => {
    await tx.insert('host', host);
    await tx.insert('switchport', portRow(here.sw.id, 'h1-eth0', { role: 'hypervisor', host: host.id, managed }));
    await tx.insert('instance', instance);
    await tx.insert('nic', nicRow(instance.id, here.network.id, 0, '172.16.0.5'));
  });
  return instance.id;
}

test('a trunk gets the VLANs it lacks and loses only those that we put there, also after a restart', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const { at, review } = tableSwitches();
  const table = at('sw');
  table.ports.set('p1', { name: 'p1', untagged: 999, tagged: [] });
  // 20 and 160 were there before us; the untagged VLAN is the node's own.
  table.ports.set('h1-eth0', { name: 'h1-eth0', untagged: 1, tagged: [20, 160] });
  const instance = await hypervisor(here, 1);
  const theirs = networkRow({
    name: 'theirs',
    guesttype: 'Isolated',
    offering: WORLD.bareOffering,
    segment: 'vlan',
    vlan: 160,
  });
  const nic = nicRow(instance, theirs.id, 1, '172.16.0.6');
  await store.write(async (tx) => {
    await tx.insert('network', theirs);
    await tx.insert('nic', nic);
  });
  {
    await using loop = loopOver(store, review);
    await loop.update();
    await until(() => String(table.ports.get('h1-eth0')?.tagged) === '20,150,160', 'the VLAN being put on the trunk');
  }
  await store.write(async (tx) => {
    for (const { id } of await tx.db.selectFrom('nic').select('id').execute()) await tx.remove('nic', id);
  });
  await using loop = loopOver(store, review);
  await loop.update();
  await until(() => String(table.ports.get('h1-eth0')?.tagged) === '20,160', 'only our VLAN being taken off');
  assert.equal(table.ports.get('h1-eth0')?.untagged, 1);
  await until(
    async () =>
      (await store.db.selectFrom('switchport').select('carried').where('name', '=', 'h1-eth0').executeTakeFirst())
        ?.carried === null,
    'nothing being remembered as ours',
  );
});

test('S09: a trunk that is not ours to set and lacks a VLAN is told with switch, port and network, and never written', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store);
  const { at, review } = tableSwitches();
  const table = at('sw');
  table.ports.set('p1', { name: 'p1', untagged: 999, tagged: [] });
  table.ports.set('h1-eth0', { name: 'h1-eth0', untagged: 1, tagged: [20] });
  await hypervisor(here, 0);
  await using loop = loopOver(store, review);
  const generation = await loop.update();
  await until(async () => (await here.events()).some((event) => event.startsWith('SWITCH.VLAN')), 'it being told');
  const [event] = (await here.events()).filter((each) => each.startsWith('SWITCH.VLAN'));
  assert.match(
    event!,
    /^SWITCH.VLAN.MISSING: switch sw, port h1-eth0 \(hypervisor h1\): VLAN 150 \(network office\) is wanted tagged/,
  );
  assert.deepEqual(table.ports.get('h1-eth0')?.tagged, [20]);
  assert.deepEqual(table.written, []);
  // Whoever deploys there is not held up: instances on one hypervisor reach each other.
  assert.equal(loop.switches.target(here.sw.id, generation)?.ports.has('h1-eth0'), false);
});

test('a switch that is only looked at is not written; what would be is shown, and the member waits', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store, { apply: 0 });
  const { at, review } = tableSwitches();
  at('sw').ports.set('p1', { name: 'p1', untagged: 999, tagged: [] });
  await using loop = loopOver(store, review);
  const id = await here.attach();
  await loop.update();
  await until(async () => (await here.member(id))?.state === 'Waiting', 'the member waiting');
  assert.deepEqual(at('sw').written, []);
  assert.deepEqual(loop.steps, []);
  assert.deepEqual(JSON.parse((await here.row()).planned ?? ''), ['set p1     # device fileserver needs it']);
  await store.write((tx) => tx.update('switch', here.sw.id, { apply: 1 }));
  await loop.update();
  await until(async () => (await here.member(id))?.state === 'Attached', 'the member being attached');
  assert.equal((await here.row()).planned, null);
});

test('driver instructions: the lines wait for people, a restart asks for nothing twice, and confirming attaches', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const here = await world(store, { driver: 'instructions', options: '{"dialect":"cisco-ios"}' });
  const id = await here.attach();
  const lines = async (): Promise<string[]> => JSON.parse((await here.row()).planned ?? '[]') as string[];
  {
    await using loop = loopOver(store, reviewSwitch);
    const generation = await loop.update();
    await until(async () => (await here.member(id))?.state === 'Waiting', 'the member waiting');
    assert.ok(
      (await lines()).some((line) => line.includes('150')),
      (await lines()).join('\n'),
    );
    const target = loop.switches.target(here.sw.id, generation);
    assert.equal(owedBy(target!, loop.switches.standing(here.sw.id)), undefined, 'the job does not wait for people');
    const { documented } = await here.row();
    await store.write((tx) => tx.update('switch', here.sw.id, { confirmed: documented }));
    await loop.update();
    await until(async () => (await here.member(id))?.state === 'Attached', 'the member being attached');
    assert.deepEqual(await lines(), []);
  }
  // Something else moves the generation on; what is asked of the switch stays.
  await store.write((tx) => tx.touch('zone', WORLD.zone));
  let looks = 0;
  const counting: ReviewSwitch = (document, options) => {
    looks++;
    return reviewSwitch(document, options);
  };
  await using loop = loopOver(store, counting);
  await loop.update();
  await until(() => looks > 1, 'two looks after the restart');
  assert.deepEqual(await lines(), []);
  assert.equal((await here.member(id))?.state, 'Attached');
});
