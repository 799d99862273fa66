// What is planned for the networks of a node, against a world in which steps do what they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeDocument } from '../../protocol/document.ts';
import type { ServiceSpec } from '../../protocol/services.ts';
import type { Plan, Step } from '../driver.ts';
import { netnsOf, portOf, type ServiceContext } from './names.ts';
import { planServices } from './plan.ts';
import { type Actual, digestOf, type NetworkNote } from './read.ts';
import type { ResponderConfig } from './responder/config.ts';

const context: ServiceContext = {
  node: 'h1',
  directory: '/s',
  database: 'unix:/db',
  userspace: true,
  responder: ['/node', '/main.ts', '/s', 'v2'],
};
const NETWORK = '10000000-0000-4000-8000-000000000001';
const INSTANCE = '20000000-0000-4000-8000-000000000001';

const spec: ServiceSpec = {
  id: NETWORK,
  name: 'front',
  ip: '10.1.1.254',
  cidr: '10.1.1.0/24',
  mac: '02:00:00:00:00:fe',
  mtu: 1442,
  dns: { scope: NETWORK, resolvers: ['192.0.2.53'] },
  userData: true,
  cards: [{ ip: '10.1.1.2', instance: INSTANCE }],
};

function documentWith(networks: readonly ServiceSpec[], turn?: number): NodeDocument {
  return {
    node: 'h1',
    generation: 1,
    peers: [],
    instances: [
      {
        id: INSTANCE,
        name: 'i-1-VM',
        hostname: 'web',
        power: 'running',
        boot: 0,
        passwordHash: '!',
        cpus: 1,
        memoryMb: 64,
        nics: [],
        firstBoot: {
          toldBy: 'service',
          zone: 'z',
          offering: 'o',
          publicKeys: [],
          ...(turn === undefined ? {} : { password: { turn, text: 'secret' } }),
        },
      },
    ],
    services: { networks, scopes: [{ id: NETWORK, networks: [{ id: NETWORK, domain: 'd.internal', hosts: [] }] }] },
  };
}

/** The node as far as the steps of this driver change it. */
class World {
  readonly files = new Map<string, string>();
  readonly namespaces = new Set<string>();
  readonly links = new Map<string, { up: boolean; away: boolean }>();
  readonly ports = new Map<string, { externalIds: Record<string, string> }>();
  readonly taken = new Set<string>();
  responders: { pid: number; version: string; config?: string; open?: string[] }[] = [];
  signalled: Actual['signalled'];
  now = 1000;
  private pid = 100;

  actual(): Actual {
    const notes = [...this.files]
      .filter(([path]) => path.startsWith('/s/network.'))
      .map(([, text]) => JSON.parse(text) as NetworkNote);
    const config = this.files.get('/s/services.json');
    return {
      notes: new Map(notes.map((note) => [note.id, note])),
      namespaces: this.namespaces,
      links: this.links,
      ovs: { version: '', hasBridge: true, ports: this.ports, macs: new Map(), wires: [] },
      responders: this.responders.map(({ pid, version, config: digest, open = [] }) => ({
        pid,
        version,
        ...(digest === undefined ? {} : { status: { pid, config: digest, open, errors: {} } }),
      })),
      ...(config === undefined ? {} : { config }),
      taken: this.taken,
      ...(this.signalled === undefined ? {} : { signalled: this.signalled }),
    };
  }

  plan(document: NodeDocument): Plan {
    return planServices(document, this.actual(), this.now, context);
  }

  /** Does what was planned. `until`: how many steps before the agent dies. */
  run(plan: Plan, until = Infinity): void {
    for (const { steps } of plan.work) for (const step of steps) if (until-- > 0) this.step(step);
    for (const one of this.responders) this.reads(one);
  }

  /** Until nothing is to be done. */
  settle(document: NodeDocument): Plan {
    for (let pass = 0; pass < 20; pass++) {
      const plan = this.plan(document);
      if (plan.work.length === 0 && plan.waits.length === 0) return plan;
      this.run(plan);
      this.now += 100;
    }
    throw new Error(`does not settle: ${JSON.stringify(this.plan(document))}`);
  }

  config(): ResponderConfig {
    return JSON.parse(this.files.get('/s/services.json')!) as ResponderConfig;
  }

  private step(step: Step): void {
    if (step.kind === 'write') this.files.set(step.path, step.content);
    else if (step.kind === 'remove') {
      this.files.delete(step.path);
      this.taken.delete(step.path.replace('/s/taken/', ''));
    } else if (step.kind === 'launch') this.responders.push({ pid: ++this.pid, version: step.argv.at(-1)! });
    else if (step.kind === 'stop') this.responders = this.responders.filter(({ pid }) => pid !== step.pid);
    else if (step.kind === 'run') this.command(step.argv);
  }

  private command(argv: readonly string[]): void {
    const line = argv.join(' ');
    const made = /^ip netns add (\S+)$/.exec(line)?.[1];
    const gone = /^ip netns del (\S+)$/.exec(line)?.[1];
    if (made !== undefined) {
      assert.ok(!this.namespaces.has(made), `${made} is there already`);
      this.namespaces.add(made);
    }
    if (gone !== undefined) assert.ok(this.namespaces.delete(gone));
    const cable = /^ip link add (\S+) /.exec(line)?.[1];
    if (cable !== undefined) {
      assert.ok(!this.links.has(cable), `${cable} is there already`);
      this.links.set(cable, { up: false, away: false });
    }
    if (/ netns \S+ name eth0$/.test(line)) this.links.get(`s${argv[3]!.slice(1)}`)!.away = true;
    const up = /^ip link set (\S+) up$/.exec(line)?.[1];
    if (up !== undefined) this.links.get(up)!.up = true;
    const cut = /^ip link del (\S+)$/.exec(line)?.[1];
    if (cut !== undefined) this.links.delete(cut);
    const unplugged = /del-port br-int (\S+)$/.exec(line)?.[1];
    if (unplugged !== undefined) this.ports.delete(unplugged);
    if (argv.includes('add-port')) {
      const ids = argv.flatMap((word) => /^external_ids:([^=]+)="(.*)"$/.exec(word)?.slice(1) ?? []);
      const pairs = ids.flatMap((word, index) => (index % 2 === 0 ? [[word, ids[index + 1]!]] : []));
      this.ports.set(argv[argv.indexOf('br-int') + 1]!, {
        externalIds: Object.fromEntries(pairs) as Record<string, string>,
      });
    }
    if (argv[1] === '-HUP') {
      const one = this.responders.find(({ pid }) => String(pid) === argv[2]);
      assert.ok(one?.config !== undefined, 'a signal before it is ready would end it');
      this.signalled = { pid: one.pid, config: digestOf(this.files.get('/s/services.json')!), at: this.now };
      delete one.config;
    }
  }

  private reads(one: { config?: string; open?: string[] }): void {
    const text = this.files.get('/s/services.json');
    if (one.config !== undefined || text === undefined) return;
    one.config = digestOf(text);
    one.open = (JSON.parse(text) as ResponderConfig).networks.map(({ id }) => id);
  }
}

test('planServices() makes a namespace with OVN’s local port, and one responder that is told of it', () => {
  const world = new World();
  world.settle(documentWith([spec]));
  assert.deepEqual([...world.namespaces], [netnsOf(NETWORK, 'h1')]);
  assert.deepEqual(world.ports.get(portOf(NETWORK))?.externalIds['iface-id'], `svc-${NETWORK}`);
  assert.equal(world.responders.length, 1);
  assert.deepEqual(world.config().networks[0]?.cards, spec.cards);
  assert.deepEqual(
    world.config().guests.map(({ id }) => id),
    [INSTANCE],
  );
});

test('planServices() gets there from any half-made state', () => {
  for (let steps = 1; steps < 40; steps++) {
    const world = new World();
    world.run(world.plan(documentWith([spec])), steps);
    world.now += 100;
    world.settle(documentWith([spec]));
    assert.equal(world.namespaces.size, 1, `after ${steps} steps`);
    assert.equal(world.responders.length, 1);
  }
});

test('planServices() takes away everything of a network that is served no more, and the responder with the last', () => {
  const world = new World();
  world.settle(documentWith([spec]));
  world.settle(documentWith([]));
  assert.deepEqual(
    [world.namespaces.size, world.links.size, world.ports.size, world.files.size, world.responders.length],
    [0, 0, 0, 0, 0],
  );
});

test('planServices() tells a running responder of a change by a signal, and starts no other', () => {
  const world = new World();
  world.settle(documentWith([spec]));
  const before = world.responders[0]!.pid;
  world.settle(documentWith([{ ...spec, cards: [] }]));
  assert.deepEqual(
    world.responders.map(({ pid }) => pid),
    [before],
  );
  assert.deepEqual(world.config().networks[0]?.cards, []);
});

test('planServices() lets a new version listen in all networks before the old one goes', () => {
  const world = new World();
  world.responders = [{ pid: 1, version: 'v1' }];
  for (let pass = 0; pass < 20 && world.responders.some(({ version }) => version === 'v1'); pass++) {
    const plan = world.plan(documentWith([spec]));
    const stops = plan.work.some(({ steps }) => steps.some((step) => step.kind === 'stop'));
    if (stops) assert.deepEqual(world.responders.find(({ version }) => version === 'v2')?.open, [NETWORK]);
    world.run(plan);
    world.now += 100;
  }
  assert.deepEqual(
    world.responders.map(({ version }) => version),
    ['v2'],
  );
});

test('planServices() starts a responder again that has died', () => {
  const world = new World();
  world.settle(documentWith([spec]));
  world.responders = [];
  world.settle(documentWith([spec]));
  assert.equal(world.responders.length, 1);
});

test('planServices() reports a password that was taken, and forgets the note only when the responder has forgotten the password', () => {
  const world = new World();
  world.settle(documentWith([spec], 3));
  assert.deepEqual(world.plan(documentWith([spec], 3)).taken, []);
  world.taken.add(`${INSTANCE}.3`);
  assert.deepEqual(world.plan(documentWith([spec], 3)).taken, [{ instance: INSTANCE, turn: 3 }]);
  assert.deepEqual(world.plan(documentWith([spec], 4)).taken, [], 'a later one was not');
  const first = world.plan(documentWith([spec]));
  assert.ok(first.work.every(({ steps }) => steps.every((step) => step.kind !== 'remove')));
  world.settle(documentWith([spec]));
  assert.equal(world.taken.size, 0);
});

test('planServices() does nothing on a node that serves nothing', () => {
  const { services: _, ...document } = documentWith([]);
  assert.deepEqual(planServices(document, new World().actual(), 0, context).work, []);
});
