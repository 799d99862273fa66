// The plan of a VPN's part, on paper: from any half-done state to the same end, nothing restarted without need, no key left behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Step } from '../driver.ts';
import { type FoundProcess, type FoundVpns, NO_VPNS, planPart, removePart, type VpnPart } from './vpn-part.ts';

const FOLDER = '/h/k/vpn/one';
const SOCKET = `${FOLDER}/control.sock`;
const TARGET = 'router';
const part = (conf = 'a', list = 'x', key = 'k1'): VpnPart => ({
  name: 'one',
  label: 'VPN one',
  owns: [`${FOLDER}/private`],
  files: [
    { path: `${FOLDER}/conf`, content: conf },
    { path: `${FOLDER}/list`, content: list },
    { path: `${FOLDER}/private/${key}.pem`, content: key },
  ],
  processes: [
    { program: 'openvpn', start: ['openvpn', `${FOLDER}/conf`], reads: [`${FOLDER}/conf`], socket: SOCKET },
    { program: 'node', start: ['node', `${FOLDER}/list`], reads: [] },
  ],
  loads: [
    { name: 'routes', what: list, needs: { device: 'tv1' }, argvs: [['load', list]] },
    { name: 'names', what: conf, needs: { path: SOCKET }, argvs: [['names', conf]] },
  ],
});

/** A node on paper that does what steps say. */
class World {
  files = new Map<string, string | undefined>();
  processes: FoundProcess[] = [];
  devices: string[] = [];
  done: string[] = [];
  next = 100;

  found(): FoundVpns {
    return { ...this, parts: this.files.size > 0 ? ['one'] : [], processes: [...this.processes] };
  }

  act(step: Step): void {
    if (step.kind === 'write') this.files.set(step.path, step.content);
    else if (step.kind === 'remove')
      for (const path of this.files.keys()) {
        if (path === step.path || path.startsWith(`${step.path}/`)) this.files.delete(path);
      }
    else if (step.kind === 'stop') {
      const ended = this.processes.find(({ pid }) => pid === step.pid);
      this.processes = this.processes.filter((one) => one !== ended);
      if (ended?.program === 'openvpn') this.devices = [];
    } else if (step.kind === 'launch') {
      const program = step.argv[0]!;
      // Two would want the same socket.
      assert.ok(!this.processes.some((one) => one.program === program), `a second ${program}`);
      this.processes.push({ part: 'one', program, pid: this.next++, old: false });
    } else this.done.push((step as { argv: readonly string[] }).argv.join(' '));
  }

  /** What programs do by themselves. */
  pass(): void {
    if (this.processes.some(({ program }) => program === 'openvpn')) {
      this.files.set(SOCKET, undefined);
      this.devices = ['tv1'];
    }
  }

  settle(wanted: VpnPart, netns = 1): number {
    for (let turn = 0; turn < 10; turn++) {
      const { steps, waits } = planPart(wanted, this.found(), FOLDER, TARGET, netns);
      if (steps.length + waits.length === 0) return turn;
      for (const step of steps) this.act(step);
      this.pass();
    }
    throw new Error('no end');
  }
}

test('planPart() comes to the same end from any half-done state, and then has nothing to do', () => {
  const file = fc.constantFrom('conf', 'list', 'private/k1.pem', 'private/old.pem', 'routes.loaded', 'control.sock');
  const process = fc.record({
    part: fc.constant('one'),
    program: fc.constantFrom('openvpn', 'node', 'charon-systemd'),
    old: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.dictionary(file, fc.constantFrom('a', 'x', 'k1', 'other')),
      fc.array(process, { maxLength: 4 }),
      fc.boolean(),
      (files, processes, device) => {
        const world = new World();
        for (const [name, content] of Object.entries(files)) world.files.set(`${FOLDER}/${name}`, content);
        world.processes = processes.map((one, index) => ({ ...one, pid: index + 1 }));
        if (device) world.devices = ['tv1'];
        world.settle(part());
        assert.deepEqual(world.processes.map(({ program }) => program).toSorted(), ['node', 'openvpn']);
        for (const { path, content } of part().files) assert.equal(world.files.get(path), content);
        assert.ok(!world.files.has(`${FOLDER}/private/old.pem`));
      },
    ),
    { numRuns: 300 },
  );
});

test('planPart() restarts only what reads a changed file at its start, and loads again what changed', () => {
  const world = new World();
  world.settle(part());
  const before = world.processes;
  world.done = [];
  world.settle(part('a', 'y'));
  assert.deepEqual(world.processes, before, 'a list is no reason');
  assert.deepEqual(world.done, ['load y']);
  world.done = [];
  world.settle(part('b', 'y'));
  assert.deepEqual(
    world.processes.map(({ program, pid }) => [program, before.some((one) => one.pid === pid)]).toSorted(),
    [
      ['node', true],
      ['openvpn', false],
    ],
  );
  // Into the new one all is loaded.
  assert.deepEqual(world.done.toSorted(), ['load y', 'names b']);
  world.done = [];
  world.settle(part('b', 'y'), 2);
  assert.deepEqual(world.done.toSorted(), ['load y', 'names b'], 'another namespace knows nothing of it');
});

test('planPart() takes away a key that is wanted no more, before anything is loaded', () => {
  const world = new World();
  world.settle(part());
  const { steps } = planPart(part('a', 'x', 'k2'), world.found(), FOLDER, TARGET, 1);
  assert.deepEqual(
    steps.map((step) => [step.kind, 'path' in step ? step.path : '']),
    [
      ['remove', `${FOLDER}/private/k1.pem`],
      ['write', `${FOLDER}/private/k2.pem`],
    ],
  );
  for (const step of steps) if (step.kind === 'write') assert.equal(step.mode, 0o600);
});

test('planPart() begins a program anew whose socket is gone, once it had the time to make one', () => {
  const world = new World();
  world.settle(part());
  world.files.delete(SOCKET);
  assert.deepEqual(planPart(part(), world.found(), FOLDER, TARGET, 1).steps, [], 'it may be starting');
  world.processes = world.processes.map((one) => ({ ...one, old: true }));
  const [first] = planPart(part(), world.found(), FOLDER, TARGET, 1).steps;
  assert.match(first?.reason ?? '', /has lost \/h\/k\/vpn\/one\/control\.sock/);
  world.settle(part());
  assert.ok(world.files.has(SOCKET));
});

test('planPart() waits, and says for what, until a program is ready', () => {
  const world = new World();
  for (const step of planPart(part(), NO_VPNS, FOLDER, TARGET, 1).steps) world.act(step);
  const { steps, waits } = planPart(part(), world.found(), FOLDER, TARGET, 1);
  assert.deepEqual(steps, []);
  assert.ok(
    waits.every(({ target, what }) => target === TARGET && what === 'VPN one waits for openvpn, node to be ready'),
  );
  assert.equal(waits.length, 2);
});

test('removePart() leaves no process and no file', () => {
  const world = new World();
  world.settle(part());
  for (const step of removePart('one', world.found(), FOLDER, 'gone')) world.act(step);
  assert.deepEqual([[...world.files.keys()], world.processes], [[], []]);
});
