// The plan of instances as namespaces: whatever was half done, whatever was damaged, planning again converges and touches nothing foreign.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { InstanceSpec, NodeDocument } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { netnsOf, portOf } from './names.ts';
import { planInstances } from './plan.ts';
import type { Actual } from './read.ts';
import type { InstanceRecord } from './record.ts';

const context = { node: 'h1', directory: '/i', database: 'unix:/db' };
const FOREIGN = 'ffffffff-0000-4000-8000-000000000000';

/** A small world that understands the steps: refuses what the real programs would refuse. */
class World {
  records = new Map<string, InstanceRecord>();
  namespaces = new Map<string, boolean>();
  links = new Map<string, { up: boolean; mtu: number; away: boolean; mac: string; netns?: string; name?: string }>();
  ports = new Map<string, { externalIds: Record<string, string> }>();
  guests: { id: string; pid: number; netns?: string; run: Set<string> }[] = [];
  cards = new Map<string, string>();
  pid = 100;

  actual(): Actual {
    const ovs = { version: '3.1.0', hasBridge: true, ports: this.ports, macs: new Map(), wires: [] };
    return structuredClone({
      records: this.records,
      namespaces: this.namespaces,
      links: this.links,
      ovs,
      guests: this.guests,
      base: { path: '/b' },
    });
  }

  apply(step: Step): void {
    const record = (path: string): string | undefined => /^\/i\/([^/]+)\.json$/.exec(path)?.[1];
    if (step.kind === 'write') {
      const id = record(step.path);
      if (id !== undefined) this.records.set(id, JSON.parse(step.content) as InstanceRecord);
      else if (step.path.endsWith('/boot/cards')) this.cards.set(step.path.split('/')[2]!, step.content);
    } else if (step.kind === 'remove') {
      this.records.delete(record(step.path) ?? '');
      const [, pid, mark] = /^\/proc\/([0-9]+)\/root\/run\/(.+)$/.exec(step.path) ?? [];
      if (mark !== undefined) this.guests.find((guest) => String(guest.pid) === pid)?.run.delete(mark);
    } else if (step.kind === 'stop') this.guests = this.guests.filter((guest) => guest.pid !== step.pid);
    else if (step.kind === 'start') this.start(step.argv);
    else if (step.kind !== 'await') this.run(step.argv);
  }

  start(argv: readonly string[]): void {
    const netns = argv[1]!.replace('--net=/run/netns/', '');
    assert.equal(this.namespaces.get(netns), true, 'the namespace to enter is there');
    const guest = { id: argv.at(-1)!, pid: this.pid++, netns, run: new Set<string>() };
    this.guests.push(guest);
    this.look(guest);
  }

  look(guest: { id: string; run: Set<string> }): void {
    guest.run.add('ssh.pid');
    for (const mark of guest.run) {
      const device = /^udhcpc\.(.+)$/.exec(mark)?.[1];
      if (device !== undefined && !guest.run.has(`card.${device}`))
        for (const gone of [mark, `lease.${device}`]) guest.run.delete(gone);
    }
    for (const [, device] of (this.cards.get(guest.id) ?? '').matchAll(/^(eth[0-9]+) /gm))
      guest.run.add(`card.${device}`).add(`lease.${device}`).add(`udhcpc.${device}`);
  }

  run(argv: readonly string[]): void {
    const [program, object, verb, name = '', ...rest] = argv;
    if (program === 'ip' && object === 'netns') {
      if (verb === 'add') {
        assert.ok(!this.namespaces.has(name), `${name} is not there yet`);
        this.namespaces.set(name, true);
      } else this.dropNamespace(name);
    } else if (program === 'ip' && verb === 'add') {
      assert.ok(!this.links.has(name), `${name} is not there yet`);
      this.links.set(name, { up: false, mtu: Number(rest[1]), away: false, mac: rest[rest.indexOf('address') + 1]! });
    } else if (program === 'ip' && verb === 'del') assert.ok(this.links.delete(name), `${name} was there`);
    else if (program === 'ip' && verb === 'set') {
      const link = this.links.get(name.startsWith('p') ? `v${name.slice(1)}` : name);
      assert.ok(link, `${name} is there`);
      if (rest[0] === 'up') link.up = true;
      else if (rest[0] === 'mtu') link.mtu = Number(rest[1]);
      else {
        assert.equal(this.namespaces.get(rest[1]!), true, 'the namespace to move into is there');
        const taken = [...this.links.values()].some((one) => one.netns === rest[1] && one.name === rest[3]);
        assert.ok(!taken, `${rest[3]} is free in ${rest[1]}`);
        Object.assign(link, { away: true, netns: rest[1], name: rest[3] });
      }
    } else if (program === 'ovs-vsctl') {
      const port = argv[argv.indexOf('br-int') + 1]!;
      if (argv.includes('del-port')) this.ports.delete(port);
      else {
        const ids = argv.flatMap((word) => [...(/^external_ids:([^=]+)="(.*)"$/.exec(word)?.slice(1, 3) ?? [])]);
        const row = this.ports.get(port) ?? { externalIds: {} };
        for (let at = 0; at < ids.length; at += 2) row.externalIds[ids[at]!] = ids[at + 1]!;
        this.ports.set(port, row);
      }
    } else if (program === 'kill') {
      const guest = this.guests.find((one) => String(one.pid) === argv[2]);
      if (guest !== undefined) this.look(guest);
    } else assert.ok(['ethtool', 'sysctl'].includes(program!), `understands ${argv.join(' ')}`);
  }

  dropNamespace(name: string): void {
    this.namespaces.delete(name);
    for (const [port, link] of this.links) if (link.netns === name) this.links.delete(port);
    for (const guest of this.guests) if (guest.netns === name) delete guest.netns;
  }

  /** What OVN does by itself. */
  install(): void {
    for (const [port, row] of this.ports) if (this.links.has(port)) row.externalIds['ovn-installed'] = 'true';
  }

  /** Everything that lasts, without numbers that differ by chance. */
  picture(): unknown {
    const records = [...this.records.values()].map((record) => {
      const pid = record.pid === null ? null : 'some';
      return { ...record, started: 0, wired: 0, pid };
    });
    const guests = this.guests.map(({ pid, ...guest }) => {
      const known = this.records.get(guest.id)?.pid;
      return { ...guest, run: [...guest.run].toSorted(), known: known === pid };
    });
    const sorted = (values: readonly unknown[]): string[] => values.map((value) => JSON.stringify(value)).toSorted();
    return {
      records: sorted(records),
      guests: sorted(guests),
      namespaces: [...this.namespaces].toSorted(),
      links: [...this.links].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ports: sorted([...this.ports]),
    };
  }

  converge(document: NodeDocument): void {
    for (let round = 0; round < 12; round++) {
      const { work, waits } = planInstances(document, this.actual(), round, context);
      if (work.length === 0 && waits.length === 0) return;
      for (const { steps } of work) for (const step of steps) this.apply(step);
      this.install();
    }
    assert.fail(`does not settle: ${JSON.stringify(planInstances(document, this.actual(), 20, context))}`);
  }
}

function worldWithForeigners(): World {
  const world = new World();
  const nics = [{ id: FOREIGN, mac: '02:00:00:00:00:ff', deviceId: 0, device: 'eth0', port: portOf(FOREIGN) }];
  world.records.set(FOREIGN, {
    id: FOREIGN,
    name: 'other',
    hostname: 'other',
    host: 'h2',
    netns: netnsOf(FOREIGN),
    pid: 7,
    rootfs: '/i/x',
    boot: 1,
    started: 0,
    wired: 0,
    nics,
  });
  world.namespaces.set(netnsOf(FOREIGN), true).set('h2', true);
  world.guests.push({ id: FOREIGN, pid: 7, netns: netnsOf(FOREIGN), run: new Set() });
  world.ports
    .set('patch-x', { externalIds: { 'iface-id': 'x' } })
    .set('v-by-hand', { externalIds: { 'iface-id': 'y', 'vm-id': FOREIGN } });
  world.links.set('eth0', { up: true, mtu: 1500, away: true, mac: '02:00:00:00:00:01' });
  return world;
}

const id = (prefix: string, n: number): string => `${prefix}000000${n}-0000-4000-8000-000000000000`;

const spec = (n: number): fc.Arbitrary<InstanceSpec> =>
  fc
    .record({
      power: fc.constantFrom('running' as const, 'running' as const, 'stopped' as const),
      boot: fc.integer({ min: 1, max: 3 }),
      nics: fc.uniqueArray(
        fc.record({
          n: fc.integer({ min: 0, max: 2 }),
          mac: fc.integer({ min: 0, max: 1 }),
          mtu: fc.constantFrom(1442, 1500),
        }),
        { selector: (nic) => nic.n, maxLength: 3 },
      ),
    })
    .map(({ power, boot, nics }) => ({
      id: id('1', n),
      name: `i-2-${n}-VM`,
      hostname: `vm${n}`,
      power,
      boot,
      passwordHash: '*',
      cpus: 1,
      memoryMb: 64,
      nics: nics.map((nic) => ({
        id: id('2', n * 3 + nic.n),
        mac: `02:00:00:00:0${nic.mac}:0${nic.n}`,
        deviceId: nic.n,
        isDefault: nic.n === 0,
        mtu: nic.mtu,
      })),
    }));

const document: fc.Arbitrary<NodeDocument> = fc
  .tuple(spec(0), spec(1), spec(2), fc.subarray([0, 1, 2]))
  .map(([a, b, c, keep]) => ({
    node: 'h1',
    generation: 1,
    peers: [],
    instances: [a, b, c].filter((_, n) => keep.includes(n)),
  }));

type Damage = { what: 'link' | 'port' | 'guest' | 'netns' | 'leftover'; n: number };
const damage: fc.Arbitrary<Damage> = fc.record({
  what: fc.constantFrom('link' as const, 'port' as const, 'guest' as const, 'netns' as const, 'leftover' as const),
  n: fc.nat({ max: 8 }),
});

function hurt(world: World, { what, n }: Damage): void {
  const ours = (names: Iterable<string>): string | undefined =>
    [...names].filter((name) => /^(v2|i-1)/.test(name))[n % 3];
  if (what === 'link') world.links.delete(ours(world.links.keys()) ?? '');
  else if (what === 'port') world.ports.delete(ours(world.ports.keys()) ?? '');
  else if (what === 'guest') world.guests = world.guests.filter((guest, at) => guest.id === FOREIGN || at !== n % 3);
  else {
    const name = ours(world.namespaces.keys());
    if (name === undefined) return;
    world.dropNamespace(name);
    if (what === 'leftover') world.namespaces.set(name, false);
  }
}

test('planInstances() reaches the same world from any half-done or damaged one, and leaves what is not ours alone', () => {
  fc.assert(
    fc.property(
      document,
      document,
      fc.array(fc.nat({ max: 40 }), { maxLength: 4 }),
      fc.array(damage, { maxLength: 3 }),
      (before, after, cuts, damages) => {
        const world = worldWithForeigners();
        world.converge(before);
        for (const cut of cuts) {
          // The agent is killed after `cut` steps; OVN goes on.
          const { work } = planInstances(after, world.actual(), 5, context);
          for (const step of work.flatMap(({ steps }) => steps).slice(0, cut)) world.apply(step);
          world.install();
        }
        for (const one of damages) hurt(world, one);
        // Nobody lowers a boot counter; a guest that has seen a higher one is right as it is.
        const kept = {
          ...after,
          instances: after.instances.map((one) => ({
            ...one,
            boot: Math.max(one.boot, world.records.get(one.id)?.boot ?? 0),
          })),
        };
        world.converge(kept);

        const fresh = worldWithForeigners();
        fresh.converge(kept);
        const { records, ...rest } = world.picture() as { records: unknown };
        const { records: wantedRecords, ...wanted } = fresh.picture() as { records: unknown };
        assert.deepEqual(rest, wanted);
        // An instance that was never on leaves no note; one that was keeps its files while it is off.
        const running = (list: unknown): string[] =>
          (list as string[]).filter((one) => one.includes('"pid":"some"') || one.includes(FOREIGN));
        assert.deepEqual(running(records), running(wantedRecords));
      },
    ),
    { numRuns: 400 },
  );
});

test('planInstances() has nothing to do once converged', () => {
  fc.assert(
    fc.property(document, (wanted) => {
      const world = worldWithForeigners();
      world.converge(wanted);
      assert.deepEqual(planInstances(wanted, world.actual(), 99_999, context).work, []);
    }),
    { numRuns: 100 },
  );
});

const one: InstanceSpec = {
  id: id('1', 0),
  name: 'i-2-0-VM',
  hostname: 'vm0',
  power: 'running',
  boot: 1,
  passwordHash: '*',
  cpus: 1,
  memoryMb: 64,
  nics: [{ id: id('2', 0), mac: '02:00:00:00:00:01', deviceId: 0, isDefault: true, mtu: 1442 }],
};
const only = (instance: InstanceSpec): NodeDocument => ({
  node: 'h1',
  generation: 1,
  peers: [],
  instances: [instance],
});

test('planInstances() starts no guest before OVN has installed its port, but does so when OVN stays silent', () => {
  const world = new World();
  const starts = (now: number): boolean =>
    planInstances(only(one), world.actual(), now, context).work.some(({ steps }) =>
      steps.some(({ kind }) => kind === 'start'),
    );
  for (const { steps } of planInstances(only(one), world.actual(), 1000, context).work)
    for (const step of steps) world.apply(step);
  assert.equal(starts(2000), false);
  const { waits } = planInstances(only(one), world.actual(), 2000, context);
  assert.match(waits[0]!.what, /^instance i-2-0-VM waits for OVN to install port v200000000000 on h1$/);
  assert.equal(starts(20_000), true, 'a node that boots without its control plane still runs its guests');
  world.install();
  assert.equal(starts(2000), true);
});

test('planInstances() does not touch an instance another node still has, and says whom it waits for', () => {
  const world = worldWithForeigners();
  const plan = planInstances(only({ ...one, id: FOREIGN }), world.actual(), 0, context);
  assert.deepEqual(plan.work, []);
  assert.match(plan.waits[0]!.what, /until h2 has let go/);
});

test('planInstances() reboots a guest that has seen a smaller boot counter, and keeps its network', () => {
  const world = new World();
  world.converge(only(one));
  const [before] = world.guests;
  const links = structuredClone(world.links);
  world.converge(only({ ...one, boot: 2 }));
  assert.notEqual(world.guests[0]!.pid, before!.pid);
  assert.equal(world.guests.length, 1);
  assert.deepEqual(world.links, links);
});

test('planInstances() has a guest take on a further address, drop it, and ask anew when its main one changed', () => {
  const world = new World();
  world.converge(only(one));
  const guest = world.guests[0]!;
  guest.run.add('leased.eth0.10.1.1.5');
  const withAddresses = (...ips: readonly string[]): Step[] => {
    const nic = { ...one.nics[0]!, addresses: ips.map((ip) => ({ ip, moved: 1 })) };
    return planInstances(only({ ...one, nics: [nic] }), world.actual(), 1, context).work.flatMap(({ steps }) => steps);
  };
  assert.deepEqual(withAddresses('10.1.1.5'), []);
  const come = withAddresses('10.1.1.5', '10.1.1.77');
  assert.equal(come.find((step) => step.kind === 'write' && step.path.endsWith('/boot/addresses'))?.kind, 'write');
  assert.match(come.at(-1)!.reason, /eth0 10\.1\.1\.77/);
  guest.run.add('address.eth0.10.1.1.77');
  assert.deepEqual(withAddresses('10.1.1.5', '10.1.1.77'), []);
  assert.match(withAddresses('10.1.1.5').at(-1)!.reason, /eth0 10\.1\.1\.77/);
  guest.run.delete('address.eth0.10.1.1.77');
  const renewed = withAddresses('10.1.1.6').flatMap((step) => (step.kind === 'remove' ? [step.path] : []));
  assert.ok(
    renewed.some((path) => path.endsWith('/run/card.eth0')),
    'the card is brought up anew',
  );
});

test('planInstances() says which card has got no address', () => {
  const world = new World();
  world.converge(only(one));
  world.guests[0]!.run.delete('lease.eth0');
  const early = planInstances(only(one), world.actual(), 1000, context);
  assert.match(early.waits[0]!.what, /waits for the address of eth0/);
  const late = planInstances(only(one), world.actual(), 60_000, context);
  assert.deepEqual(late.waits, []);
  assert.match(late.instances[0]!.error!, /eth0 has got no address by DHCP/);
  const none = planInstances(only({ ...one, nics: [{ ...one.nics[0]!, dhcp: false }] }), world.actual(), 1000, context);
  assert.deepEqual(none.waits, []);
});

test('planInstances() holds nothing up where SSH cannot be, and says so; where its server is missing, that is a fault', () => {
  const world = new World();
  world.converge(only(one));
  const statusWith = (fault: boolean): object => {
    const actual = { ...world.actual(), base: { path: '', noSsh: { why: 'no SSH', fault } } };
    return planInstances(only(one), actual, 60_000, context).instances[0]!;
  };
  assert.deepEqual(statusWith(false), { id: one.id, power: 'running', note: 'no SSH' });
  assert.deepEqual(statusWith(true), { id: one.id, power: 'running', error: 'no SSH' });
});

test('planInstances() lets go of an instance that moves, keeps its files, and its destination starts it only then', () => {
  const world = new World();
  world.converge(only(one));
  const moving = only({ ...one, migration: { from: 'h1', to: 'h2', toAddress: '192.0.2.12' } });
  const there = { ...context, node: 'h2' };
  const atDestination = planInstances({ ...moving, node: 'h2' }, world.actual(), 1, there);
  assert.deepEqual(atDestination.work, []);
  assert.match(atDestination.waits[0]!.what, /until h1 has let go/);
  const steps = planInstances(moving, world.actual(), 1, context).work.flatMap((each) => each.steps);
  assert.ok(!steps.some((step) => step.kind === 'remove' && step.path === `/i/${one.id}`), 'its files stay');
  assert.match(steps[0]!.reason, /let go of: it moves to h2/);
  for (const step of steps) world.apply(step);
  assert.deepEqual([world.guests, [...world.records], [...world.ports], [...world.namespaces]], [[], [], [], []]);
  assert.deepEqual(planInstances(moving, world.actual(), 2, context).work, [], 'nothing is left to do at the source');
  assert.notDeepEqual(planInstances({ ...moving, node: 'h2' }, world.actual(), 2, there).work, []);
  // Nodes of a lab see each other's processes: what runs at the destination is not the source's to stop.
  world.guests.push({ id: one.id, pid: 5, netns: netnsOf(one.id), run: new Set() });
  assert.deepEqual(planInstances(moving, world.actual(), 3, context).work, []);
});
