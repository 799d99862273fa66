// The plan of instances under libvirt, against a small model of two nodes' libvirts that refuses what the real one refuses: whatever
// was half done, it converges, touches nothing foreign, and never runs an instance twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { InstanceSpec, NodeDocument } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { portOf } from '../netns/names.ts';
import { type Domain, isLive, parseDomain } from './domain.ts';
import { planMachines } from './plan.ts';
import type { Actual } from './read.ts';
import type { MachineRecord } from './record.ts';
import type { Peer } from './virsh.ts';
import type { MachineContext } from './xml.ts';

const ID = '10000000-0000-4000-8000-000000000000';
const FOREIGN = 'ffffffff-0000-4000-8000-000000000000';
const NODES = ['h1', 'h2'] as const;
type NodeName = (typeof NODES)[number];

const contextOf = (node: string): MachineContext => ({
  node,
  database: 'unix:/db',
  uri: `qemu:///${node}`,
  directory: `/${node}`,
  boot: { kernel: '/k', initrd: '/i' },
  userspace: true,
  migration: { uri: 'qemu:///{node}', data: 'tcp://{address}', tls: false },
});

/** What is on one node. */
interface Side {
  readonly domains: Map<string, Domain>;
  readonly records: Map<string, MachineRecord>;
  readonly files: Map<string, string>;
  readonly ports: Map<string, { externalIds: Record<string, string> }>;
  tried?: number;
}

class World {
  now = 1_000_000;
  readonly sides: Readonly<Record<NodeName, Side>> = { h1: emptySide(), h2: emptySide() };

  constructor() {
    this.sides.h1.domains.set(FOREIGN, {
      id: FOREIGN,
      name: 'foreign',
      state: 'running (booted)',
      persistent: true,
      nics: [],
    });
  }

  actual(node: NodeName): Actual {
    const { domains, records, ports, tried } = this.sides[node];
    const other = this.sides[node === 'h1' ? 'h2' : 'h1'].domains.get(ID);
    const peer: Peer = other === undefined ? 'absent' : { state: other.state };
    const consoles = new Map(
      [...domains.values()].map(({ id, nics }) => [
        id,
        `guest: vm is up after 2 s\n${nics.map(({ mac }) => `guest: card ${mac} has 10.0.0.2/24\n`).join('')}`,
      ]),
    );
    return structuredClone({
      domains,
      records,
      consoles,
      ovs: { version: '3.1.0', hasBridge: true, ports, macs: new Map(), wires: [] },
      disks: new Set<string>(),
      peers: new Map([[ID, peer]]),
      tries: tried === undefined ? new Map() : new Map([[ID, { at: tried, said: '' }]]),
      bootable: true,
      accelerated: false,
    });
  }

  apply(node: NodeName, step: Step): void {
    const side = this.sides[node];
    const record = (path: string): string | undefined => new RegExp(`^/${node}/([^/]+)\\.json$`).exec(path)?.[1];
    if (step.kind === 'write') {
      const id = record(step.path);
      if (id === undefined) side.files.set(step.path, step.content);
      else side.records.set(id, JSON.parse(step.content) as MachineRecord);
    } else if (step.kind === 'remove') {
      side.records.delete(record(step.path) ?? '');
      for (const path of side.files.keys()) if (path.startsWith(`${step.path}/`)) side.files.delete(path);
    } else if (step.kind === 'run' || step.kind === 'launch') this.run(node, step.argv);
    else assert.fail(`no such step is expected: ${step.kind}`);
  }

  run(node: NodeName, argv: readonly string[]): void {
    const side = this.sides[node];
    if (argv[0] === 'ovs-vsctl') return void side.ports.delete(argv.at(-1)!);
    assert.deepEqual(argv.slice(0, 4), ['virsh', '-q', '-c', `qemu:///${node}`]);
    const [command, target = ''] = argv.slice(4);
    if (command === 'create' || command === 'define') {
      const parsed = parseDomain(side.files.get(target)!);
      assert.ok(parsed !== undefined && !side.domains.has(parsed.id), 'no domain of this id is there');
      if (command === 'define')
        side.domains.set(parsed.id, { ...parsed, state: 'shut off (unknown)', persistent: true });
      else this.goLive(node, { ...parsed, state: 'running (booted)', persistent: false });
      return;
    }
    if (command === 'migrate') {
      const destination = this.sides[node === 'h1' ? 'h2' : 'h1'].domains;
      const id = argv.at(-2)!;
      const own = side.domains.get(id)!;
      assert.ok(destination.get(id)?.state.startsWith('shut off'), 'it is expected there');
      side.domains.set(id, { ...own, job: 'outgoing migration' });
      destination.set(id, { ...own, state: 'paused (migrating)', persistent: true });
      side.tried = this.now;
      return;
    }
    const domain = side.domains.get(target);
    assert.ok(domain, `${command}: ${target} is there on ${node}`);
    assert.ok(domain.mark, `${command} touches only what is ours`);
    if (command === 'destroy') this.end(node, domain);
    else if (command === 'undefine') {
      if (isLive(domain)) side.domains.set(target, { ...domain, persistent: false });
      else side.domains.delete(target);
    } else if (command === 'domjobabort') this.settle(false);
    else if (command === 'resume') side.domains.set(target, { ...domain, state: 'running (unpaused)' });
    else if (command === 'detach-interface') {
      const mac = argv[argv.indexOf('--mac') + 1];
      side.domains.set(target, { ...domain, nics: domain.nics.filter((nic) => nic.mac !== mac) });
    } else if (command === 'attach-device') {
      const [nic] = parseDomain(`  <uuid>${target}</uuid>\n${side.files.get(argv[6]!)!}`)!.nics;
      this.plug(node, target, [nic!]);
      side.domains.set(target, { ...domain, nics: [...domain.nics, nic!] });
    } else assert.fail(`virsh ${command}`);
  }

  goLive(node: NodeName, domain: Domain): void {
    for (const other of NODES.filter((one) => one !== node)) {
      const there = this.sides[other].domains.get(domain.id);
      assert.ok(
        there === undefined || !isLive(there),
        `${domain.name} must not run on ${node} while it does on ${other}`,
      );
    }
    this.sides[node].domains.set(domain.id, domain);
    this.plug(node, domain.id, domain.nics);
  }

  plug(node: NodeName, id: string, nics: Domain['nics']): void {
    for (const nic of nics)
      this.sides[node].ports.set(nic.port, {
        externalIds: { 'iface-id': nic.id, 'vm-id': id, 'ovn-installed': 'true' },
      });
  }

  end(node: NodeName, domain: Domain): void {
    const { domains, ports } = this.sides[node];
    if (domain.persistent) domains.set(domain.id, { ...domain, state: 'shut off (destroyed)' });
    else domains.delete(domain.id);
    for (const { port } of domain.nics) ports.delete(port);
    this.settle(false);
  }

  /** A move under way comes to its end, or breaks off. */
  settle(well: boolean): void {
    for (const [source, destination] of [NODES, NODES.toReversed()] as const) {
      const from = this.sides[source!].domains.get(ID);
      const to = this.sides[destination!].domains.get(ID);
      if (to === undefined || !to.state.startsWith('paused (migrating)')) continue;
      if (well && from?.job !== undefined) {
        this.sides[source!].domains.delete(ID);
        for (const { port } of from.nics) this.sides[source!].ports.delete(port);
        this.goLive(destination!, { ...to, state: 'running (migrated)', nics: from.nics });
      } else {
        this.sides[destination!].domains.set(ID, { ...to, state: 'shut off (failed)' });
        if (from !== undefined) {
          const { job: _, ...rest } = from;
          this.sides[source!].domains.set(ID, rest);
        }
      }
    }
  }

  /** The guest itself breaks down. */
  crash(node: NodeName): void {
    const domain = this.sides[node].domains.get(ID);
    if (domain?.state.startsWith('running') === true) this.end(node, domain);
  }

  pass(node: NodeName, document: NodeDocument, steps = Infinity): boolean {
    const { work, waits } = planMachines(document, this.actual(node), this.now, contextOf(node));
    for (const step of work.flatMap((one) => one.steps).slice(0, steps)) this.apply(node, step);
    this.now += 1000;
    return work.length === 0 && waits.length === 0;
  }

  /** Where its processors run: one that arrives is paused. */
  executing(): string[] {
    return this.running().filter((node) => this.sides[node].domains.get(ID)!.state.startsWith('running'));
  }

  running(): NodeName[] {
    return NODES.filter((node) => {
      const domain = this.sides[node].domains.get(ID);
      return domain !== undefined && isLive(domain);
    });
  }
}

function emptySide(): Side {
  return { domains: new Map(), records: new Map(), files: new Map(), ports: new Map() };
}

const nic = (n: number, mac = n): InstanceSpec['nics'][number] => ({
  id: `2000000${n}-0000-4000-8000-00000000000${n}`,
  mac: `02:00:00:00:01:0${mac}`,
  deviceId: n,
  isDefault: n === 0,
  mtu: 1442,
});

const vm: InstanceSpec = {
  id: ID,
  name: 'i-1-VM',
  hostname: 'vm',
  power: 'running',
  boot: 1,
  passwordHash: '$6$x$y',
  cpus: 1,
  memoryMb: 128,
  nics: [nic(0)],
};

const documentOf = (node: string, ...instances: InstanceSpec[]): NodeDocument => ({
  node,
  generation: 1,
  peers: [],
  instances,
});

function converge(world: World, documents: Readonly<Record<NodeName, NodeDocument>>): void {
  for (let round = 0; round < 30; round++) {
    const quiet = NODES.map((node) => world.pass(node, documents[node]));
    world.settle(true);
    if (quiet.every(Boolean)) return;
  }
  const plans = NODES.map((node) => planMachines(documents[node], world.actual(node), world.now, contextOf(node)));
  assert.fail(`does not settle: ${JSON.stringify(plans)}`);
}

type Happening = {
  readonly what: 'pass' | 'cut' | 'moved' | 'broke' | 'crash';
  readonly node: NodeName;
  readonly steps: number;
};
const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.constantFrom('pass' as const, 'cut' as const, 'moved' as const, 'broke' as const, 'crash' as const),
  node: fc.constantFrom(...NODES),
  steps: fc.nat({ max: 4 }),
});

test('planMachines() moves an instance whatever breaks on the way, and never runs it twice', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 25 }), fc.boolean(), (happenings, back) => {
      const world = new World();
      converge(world, { h1: documentOf('h1', vm), h2: documentOf('h2') });
      assert.deepEqual(world.running(), ['h1']);
      const there = { ...vm, migration: { from: 'h1', to: 'h2', toAddress: '192.0.2.12' } };
      const home = { ...vm, migration: { from: 'h2', to: 'h1', toAddress: '192.0.2.11' } };
      for (const [at, { what, node, steps }] of happenings.entries()) {
        // Half-way it may be called back, and each node hears of it when it does.
        const spec = back && at > 12 ? home : there;
        if (what === 'pass') world.pass(node, documentOf(node, spec));
        else if (what === 'cut') world.pass(node, documentOf(node, spec), steps);
        else if (what === 'crash') world.crash(node);
        else world.settle(what === 'moved');
        assert.ok(world.executing().length <= 1);
      }
      const spec = back ? home : there;
      converge(world, { h1: documentOf('h1', spec), h2: documentOf('h2', spec) });
      const [at, left] = back ? (['h1', 'h2'] as const) : (['h2', 'h1'] as const);
      assert.deepEqual(world.running(), [at]);
      converge(world, { h1: documentOf('h1'), h2: documentOf('h2'), [at]: documentOf(at, vm) });
      assert.deepEqual(world.running(), [at]);
      assert.equal(world.sides[left].domains.has(ID), false, 'nothing is left of it where it was');
      assert.deepEqual([...world.sides[left].files.keys(), ...world.sides[left].records.keys()], []);
      assert.equal(world.sides[at].domains.get(ID)!.persistent, false);
      assert.ok(world.sides.h1.domains.has(FOREIGN));
    }),
    { numRuns: 500 },
  );
});

const wish: fc.Arbitrary<InstanceSpec | undefined> = fc.option(
  fc
    .record({
      power: fc.constantFrom('running' as const, 'stopped' as const),
      boot: fc.integer({ min: 1, max: 3 }),
      nics: fc.uniqueArray(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 4 })), { selector: ([n]) => n, maxLength: 3 }),
    })
    .map(({ power, boot, nics }) => ({ ...vm, power, boot, nics: nics.map(([n, mac]) => nic(n, mac)) })),
  { nil: undefined },
);

test('planMachines() makes what is wanted from any half-done state, and has nothing to do then', () => {
  fc.assert(
    fc.property(wish, wish, fc.array(fc.nat({ max: 6 }), { maxLength: 5 }), (before, after, cuts) => {
      const world = new World();
      const documents = (spec: InstanceSpec | undefined): Record<NodeName, NodeDocument> => ({
        h1: documentOf('h1', ...(spec === undefined ? [] : [spec])),
        h2: documentOf('h2'),
      });
      converge(world, documents(before));
      for (const steps of cuts) world.pass('h1', documents(after).h1, steps);
      converge(world, documents(after));
      const domain = world.sides.h1.domains.get(ID);
      assert.equal(domain?.state.startsWith('running') ?? false, after?.power === 'running');
      if (after?.power === 'running') {
        assert.deepEqual(
          domain!.nics.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
          after.nics.map(({ id, mac }) => ({ id, mac, port: portOf(id) })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        );
        assert.ok(domain!.mark!.boot >= after.boot);
      } else assert.deepEqual([...world.sides.h1.ports.keys()], []);
      if (after === undefined) assert.deepEqual([...world.sides.h1.files.keys(), ...world.sides.h1.records.keys()], []);
      assert.deepEqual(planMachines(documents(after).h1, world.actual('h1'), world.now, contextOf('h1')).work, []);
    }),
    { numRuns: 300 },
  );
});

test('planMachines() leaves alone a domain of the same id that is not ours, and says so', () => {
  const world = new World();
  const plan = planMachines(documentOf('h1', { ...vm, id: FOREIGN }), world.actual('h1'), 0, contextOf('h1'));
  assert.deepEqual(plan.work, []);
  assert.match(plan.waits[0]!.what, /libvirt on h1 has a domain of its id that is not ours/);
});

test('planMachines() says why an instance cannot move: no way is configured, or the other libvirt is silent', () => {
  const world = new World();
  const moving = { ...vm, migration: { from: 'h1', to: 'h2', toAddress: '192.0.2.12' } };
  const { migration: _, ...without } = contextOf('h1');
  const unable = planMachines(documentOf('h1', moving), world.actual('h1'), 0, without);
  assert.match(unable.waits[0]!.what, /cannot move to h2: the agent's configuration on h1 has no instances\.migration/);
  const actual = { ...world.actual('h1'), peers: new Map([[ID, { silent: 'Connection refused' }]]) };
  const silent = planMachines(documentOf('h1', moving), actual, 0, contextOf('h1'));
  assert.match(
    silent.waits[0]!.what,
    /cannot move to h2: libvirt there does not answer at qemu:\/\/\/h2: Connection refused/,
  );
});

test('planMachines() names a guest that does not come up, and a card without an address', () => {
  const world = new World();
  converge(world, { h1: documentOf('h1', vm), h2: documentOf('h2') });
  const look = (said: string, later: number): ReturnType<typeof planMachines> => {
    const actual = { ...world.actual('h1'), consoles: new Map([[ID, said]]) };
    return planMachines(documentOf('h1', vm), actual, world.now + later, contextOf('h1'));
  };
  assert.match(look('', 0).waits[0]!.what, /i-1-VM boots/);
  assert.match(look('', 60_000).instances[0]!.error!, /i-1-VM has not come up within 45 s: see \/h1\/.*\/console\.log/);
  assert.match(
    look('guest: vm is up after 2 s', 60_000).instances[0]!.error!,
    /eth0 has got no address by DHCP within 45 s/,
  );
});
