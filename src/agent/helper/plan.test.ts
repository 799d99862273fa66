// The plan of gateway helpers: from whatever is half done it comes to the same end, plugs in where the router's public side is and
// nowhere else, and leaves nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { NodeDocument } from '../../protocol/document.ts';
import type { HelperSpec, ProxySpec } from '../../protocol/helper.ts';
import type { Step } from '../driver.ts';
import { loadedFile } from '../router/daemon.ts';
import { type HelperContext, folderOf, keyOf, netnsOf, portOf, proxyFile, wiringFile } from './names.ts';
import { planHelpers } from './plan.ts';
import { proxyOf } from './proxy.ts';
import type { Actual, Found } from './read.ts';

const context: HelperContext = {
  node: 'gw1',
  database: 'unix:/db',
  directory: '/h',
  userspace: true,
  canDropRoot: true,
  kernelWireGuard: false,
  vpnLacks: {},
  kernelIpsec: false,
};
const ID = '10000000-0000-4000-8000-000000000000';
const KEY = keyOf(ID);
const PORT = '20000000-0000-4000-8000-000000000000';
const FOLLOWS = 'lrp-public';

const balancer = (publicPort: number): ProxySpec => ({
  id: `30000000-0000-4000-8000-00000000${publicPort}`,
  protocol: 'tcp',
  publicPort,
  algorithm: 'leastconn',
  cidrs: [],
  sticky: false,
  members: [{ ip: '10.1.1.11', port: 8080 }],
  port: publicPort + 10_000,
});
const spec = (balancers: readonly ProxySpec[] = [balancer(1080)]): HelperSpec => ({
  id: ID,
  name: 'shop',
  port: PORT,
  follows: FOLLOWS,
  mac: '02:00:00:00:00:01',
  address: '192.0.0.18/29',
  gateway: '192.0.0.17',
  mtu: 1442,
  jobs: { balancers },
});
const documentOf = (...helpers: readonly HelperSpec[]): NodeDocument => ({
  node: 'gw1',
  generation: 1,
  instances: [],
  peers: [],
  helpers,
});

/** A node on paper that does what steps say, and refuses what the programs would refuse. */
class World {
  netns: number | undefined;
  cable: { up: boolean; away: boolean } | undefined;
  port: Record<string, string> | undefined;
  files = new Map<string, string>();
  running: { netns: number; pid: number } | undefined;
  next = 100;
  reloads = 0;

  actual(): Actual {
    const paths = [proxyFile(KEY, context), loadedFile(folderOf(KEY, context), 'haproxy')];
    const found: Found = {
      netns: this.netns,
      named: this.netns !== undefined,
      cable: this.cable,
      port: this.port,
      wiring: this.files.get(wiringFile(KEY, context)),
      proxy: {
        pids: this.running === undefined ? [] : [this.running.pid],
        files: new Map(paths.map((path) => [path, this.files.get(path)])),
      },
      folder: [...this.files.keys()].some((path) => path.startsWith(folderOf(KEY, context))),
    };
    return new Map([[KEY, structuredClone(found)]]);
  }

  apply(step: Step): void {
    if (step.kind === 'write') this.files.set(step.path, step.content);
    else if (step.kind === 'stop') this.running = undefined;
    else if (step.kind === 'remove')
      for (const path of this.files.keys()) if (path.startsWith(step.path)) this.files.delete(path);
    if (step.kind === 'run') this.run(step.argv);
  }

  run(argv: readonly string[]): void {
    const said = argv.join(' ');
    const path = proxyFile(KEY, context);
    if (said === `ip netns add ${netnsOf(KEY, context)}`) {
      assert.equal(this.netns, undefined, 'the name is taken');
      this.netns = this.next++;
    } else if (said.startsWith('ip netns del')) {
      this.netns = undefined;
      if (this.cable?.away === true) this.cable = undefined;
    } else if (said.startsWith(`ip link add ${portOf(KEY)} `)) {
      assert.equal(this.cable, undefined, 'the cable is there');
      this.cable = { up: false, away: false };
    } else if (said.startsWith('ip link del')) this.cable = undefined;
    else if (said.includes(` netns ${netnsOf(KEY, context)} name eth0`)) {
      assert.ok(this.netns !== undefined && this.cable?.away === false);
      this.cable.away = true;
    } else if (said === `ip link set ${portOf(KEY)} up`) this.cable!.up = true;
    else if (argv[0] === 'find')
      this.files.set(argv[4]!, argv[5]!.replace('%i', String(this.netns)).replace('\\n', '\n'));
    else if (said.includes('add-port')) {
      assert.ok(this.cable !== undefined, 'no such device');
      this.port = { ...this.port, 'trunkline-helper': KEY };
    } else if (said.includes('del-port')) this.port = undefined;
    else if (said.includes('iface-id=')) this.port = { ...this.port!, 'iface-id': PORT, 'ovn-installed': 'true' };
    else if (said.includes('remove Interface')) delete this.port!['iface-id'];
    else if (said === `mv ${path}.new ${path}`) {
      this.files.set(path, this.files.get(`${path}.new`)!);
      this.files.delete(`${path}.new`);
    } else if (said.includes('haproxy -W')) {
      assert.ok(this.netns !== undefined && this.running === undefined);
      this.running = { netns: this.netns, pid: this.next++ };
    } else if (argv[0] === 'kill') this.reloads++;
  }

  /** Plans and applies until nothing is left to do; gives the lines. */
  settle(document: NodeDocument, held: ReadonlySet<string> | undefined): string[] {
    const lines: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const { work } = planHelpers(document, this.actual(), held, context);
      if (work.length === 0) return lines;
      for (const step of work.flatMap(({ steps }) => steps)) {
        this.apply(step);
        lines.push(step.kind === 'run' ? step.argv.join(' ') : step.kind);
      }
    }
    throw new Error(`no end: ${lines.slice(-5).join('; ')}`);
  }
}

const HERE = new Set([FOLLOWS]);
const ELSEWHERE = new Set<string>();

test('planHelpers() makes all ready where the public side is not, and plugs in where it is', () => {
  const world = new World();
  world.settle(documentOf(spec()), ELSEWHERE);
  assert.equal(world.running?.netns, world.netns);
  assert.equal(world.port?.['iface-id'], undefined);
  const claimed = world.settle(documentOf(spec()), HERE);
  assert.equal(claimed.length, 1, claimed.join('\n'));
  assert.equal(world.port?.['iface-id'], PORT);
  assert.deepEqual(planHelpers(documentOf(spec()), world.actual(), HERE, context).helpers, [{ id: ID, active: true }]);
  const lost = world.settle(documentOf(spec()), ELSEWHERE);
  assert.equal(lost.length, 1, lost.join('\n'));
  assert.equal(world.port?.['iface-id'], undefined);
});

test('planHelpers() leaves it plugged as it is while nobody knows where the public side is', () => {
  const world = new World();
  world.settle(documentOf(spec()), HERE);
  assert.deepEqual(world.settle(documentOf(spec()), undefined), []);
  assert.equal(world.port?.['iface-id'], PORT);
  const other = new World();
  other.settle(documentOf(spec()), undefined);
  assert.equal(other.port?.['iface-id'], undefined);
});

test('planHelpers() reloads for another balancer: what runs goes on', () => {
  const world = new World();
  world.settle(documentOf(spec()), HERE);
  const { running, netns } = world;
  world.settle(documentOf(spec([balancer(1080), balancer(1081)])), HERE);
  assert.deepEqual([world.running, world.netns, world.reloads], [running, netns, 1]);
});

test('planHelpers() leaves nothing of a helper that is not wanted any more', () => {
  const world = new World();
  world.settle(documentOf(spec()), HERE);
  world.settle(documentOf(), HERE);
  assert.deepEqual(
    [world.netns, world.cable, world.port, world.running, [...world.files.keys()]],
    [undefined, undefined, undefined, undefined, []],
  );
});

test('planHelpers() comes to the same end from whatever was half done', () => {
  const damage = fc.record({
    steps: fc.nat({ max: 40 }),
    noNetns: fc.boolean(),
    noCable: fc.boolean(),
    noPort: fc.boolean(),
    dead: fc.boolean(),
    down: fc.boolean(),
  });
  fc.assert(
    fc.property(damage, ({ steps, noNetns, noCable, noPort, dead, down }) => {
      const world = new World();
      const { work } = planHelpers(documentOf(spec()), world.actual(), HERE, context);
      for (const step of work.flatMap((one) => one.steps).slice(0, steps)) world.apply(step);
      if (noNetns) [world.netns, world.running] = [undefined, undefined];
      if (noCable || (noNetns && world.cable?.away === true)) world.cable = undefined;
      if (noPort) world.port = undefined;
      if (dead) world.running = undefined;
      if (down && world.cable !== undefined) world.cable.up = false;
      world.settle(documentOf(spec()), HERE);
      assert.equal(world.running?.netns, world.netns);
      assert.deepEqual(world.cable, { up: true, away: true });
      assert.equal(world.port?.['iface-id'], PORT);
    }),
  );
});

test('proxyOf() keeps who stays where over a reload, and listens only at the address OVN leads to', () => {
  const [file] = proxyOf(spec(), context).files ?? [];
  assert.match(file!.content, /^ {2}bind 192\.0\.0\.18:11080$/m);
  assert.match(file!.content, /^ {2}maxconn 4000$/m, 'one balancer does not take what all have');
  const [sticky] = proxyOf(spec([{ ...balancer(1080), sticky: true }]), context).files ?? [];
  assert.match(sticky!.content, / size 20k /, 'what is remembered is memory of the node');
  assert.match(file!.content, /^ {2}peer memory 127\.0\.0\.1:9999$/m);
  assert.equal(proxyOf(spec([]), context).files, undefined);
});
