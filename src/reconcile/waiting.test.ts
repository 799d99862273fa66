// When a generation counts as realized, and what is said while it does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Awaited, type World, judge } from './waiting.ts';

function world(
  chassis: Record<string, number>,
  nodes: Record<string, number> = {},
  errors: Record<string, string> = {},
): World {
  return {
    realizedAt: (name) => chassis[name] ?? -1,
    reportedBy: (name) => nodes[name] ?? -1,
    errorOf: (name) => errors[name],
    errorOfInstance: (id) => (id === 'broken' ? 'no shadow file' : undefined),
    refusalOf: (unit) => (unit === 'vpc:bad' ? 'constraint violation' : undefined),
  };
}

function awaited(chassis: string[], nodes: [string, number][] = [], more: Partial<Awaited> = {}): Awaited {
  return {
    units: new Set(['vpc:a']),
    targets: { chassis: new Set(chassis), nodes: new Map(nodes) },
    nbCfg: 7,
    ...more,
  };
}

test('judge() calls a change that concerns nobody realized', () => {
  assert.deepEqual(judge(awaited([]), world({})), { kind: 'realized' });
});

test('judge() waits for every chassis concerned, and names the one that is behind', () => {
  assert.deepEqual(judge(awaited(['h1', 'h2']), world({ h1: 7, h2: 7 })), { kind: 'realized' });
  const verdict = judge(awaited(['h1', 'h2']), world({ h1: 7, h2: 6 }));
  assert.equal(verdict.kind, 'waiting');
  assert.match(verdict.kind === 'waiting' ? verdict.for : '', /chassis h2 .*change 7.*reported 6/);
});

test('judge() does not wait for chassis that are not concerned', () => {
  assert.deepEqual(judge(awaited(['h1']), world({ h1: 8, dead: 0 })), { kind: 'realized' });
});

test('judge() waits for the node, and says what the node says', () => {
  const target = awaited(['h1'], [['h1', 40]]);
  const silent = judge(target, world({ h1: 7 }));
  assert.match(silent.kind === 'waiting' ? silent.for : '', /node h1 to report document 40 \(it has none\)/);
  const failing = judge(target, world({ h1: 7 }, { h1: 39 }, { h1: 'no memory' }));
  assert.match(failing.kind === 'waiting' ? failing.for : '', /node h1, which says: no memory/);
  const told = failing.kind === 'waiting' ? (failing.told ?? '') : '';
  assert.match(told, /^node h1, .*the operator finds/);
  assert.doesNotMatch(told, /memory/, 'what a node says may be about a machine of somebody else');
});

test('judge() asks for one barrier more once a node has made a port: the others learn of it only then', () => {
  const target = awaited(['h1', 'h2'], [['h1', 40]]);
  assert.deepEqual(judge(target, world({ h1: 7, h2: 7 }, { h1: 40 })), { kind: 'confirm' });
  const confirmed = { ...target, confirmAt: 9 };
  assert.equal(judge(confirmed, world({ h1: 9, h2: 8 }, { h1: 40 })).kind, 'waiting');
  assert.deepEqual(judge(confirmed, world({ h1: 9, h2: 9 }, { h1: 40 })), { kind: 'realized' });
});

test('judge() names what OVN refused instead of waiting for it in silence', () => {
  const verdict = judge(awaited(['h1'], [], { units: new Set(['vpc:bad']) }), world({ h1: 7 }));
  assert.match(verdict.kind === 'waiting' ? verdict.for : '', /refused vpc:bad: constraint violation/);
  assert.doesNotMatch(verdict.kind === 'waiting' ? (verdict.told ?? '') : '', /vpc:bad|violation/);
});

test('judge() holds up only the job of the instance that is broken', () => {
  const target = awaited(['h1'], [['h1', 40]], { confirmAt: 7 });
  const there = world({ h1: 7 }, { h1: 40 });
  assert.deepEqual(judge(target, there, ['fine']), { kind: 'realized' });
  const verdict = judge(target, there, ['broken']);
  assert.match(verdict.kind === 'waiting' ? verdict.for : '', /instance broken: no shadow file/);
});

test('judge() waits for what a router node says is wrong about the object, and only for jobs about that', () => {
  const routing = {
    ...world({}, { r1: 9 }),
    errorOfRouter: (id: string) => (id === 'rule' ? 'node r1, which says so' : undefined),
  };
  const change = awaited([], [['r1', 9]]);
  assert.deepEqual(judge(change, routing, ['rule']), { kind: 'waiting', for: 'node r1, which says so' });
  assert.deepEqual(judge(change, routing, ['other']), { kind: 'realized' });
});

test('judge() does not wait for a router node that is Down where the other node of each network has the change', () => {
  const change = (...networks: string[][]): Awaited =>
    awaited([], [], {
      targets: {
        chassis: new Set(),
        nodes: new Map([
          ['r1', 9],
          ['r2', 8],
        ]),
        standIns: new Map([
          ['r1', networks],
          ['r2', [['r1']]],
        ]),
      },
    });
  const standing = (r2: number, ...downs: string[]): World => ({
    ...world({}, { r1: 5, r2 }),
    isDown: (node) => downs.includes(node),
  });
  const pair = change(['r2']);
  assert.deepEqual(judge(pair, standing(8, 'r1')), { kind: 'realized', without: ['r1'] });
  assert.equal(judge(pair, standing(8)).kind, 'waiting', 'one that is Up is waited for');
  assert.equal(judge(pair, standing(7, 'r1')).kind, 'waiting', 'the other has not got it yet');
  assert.equal(judge(pair, standing(5, 'r1', 'r2')).kind, 'waiting', 'nobody has it');
  assert.equal(judge(change(['r2'], []), standing(8, 'r1')).kind, 'waiting', 'a network that has no other node');
  assert.equal(judge(change(['r2'], ['r3']), standing(8, 'r1')).kind, 'waiting', 'a node that was not asked');
});

test('judge() waits for the switch ports a change asked something of, and names switch, port and what is missing', () => {
  const sw = { id: 's', name: 'sw', generation: 5, ports: new Set(['p1']) };
  const change = awaited([], [], { targets: { chassis: new Set(), nodes: new Map(), switches: [sw] } });
  const standing = (reviewed: number, p1: 'right' | 'wrong' | 'people', error?: string): World => ({
    ...world({}),
    switchStanding: () => ({
      reviewed,
      since: '2026-11-22T01:00:00.000Z',
      ...(error === undefined ? {} : { error }),
      ports: new Map([
        ['p1', { fares: p1, wrong: 'VLAN 150 (office) is not on it, tagged' }],
        // Somebody else's port: no business of this change.
        ['p2', { fares: 'wrong' as const, wrong: 'broken' }],
      ]),
    }),
  });
  const waitsFor = (of: World): string => {
    const verdict = judge(change, of);
    return verdict.kind === 'waiting' ? verdict.for : verdict.kind;
  };
  assert.equal(waitsFor(standing(4, 'right')), 'switch sw to be looked at');
  assert.match(
    waitsFor(standing(4, 'right', 'switch sw: no answer')),
    /^switch sw, which could not be looked at since 2026-11-22/,
  );
  assert.match(
    waitsFor(standing(5, 'wrong')),
    /^switch sw, port p1, since 2026.*VLAN 150 \(office\) is not on it, tagged$/,
  );
  assert.equal(waitsFor(standing(5, 'right')), 'realized');
  assert.equal(waitsFor(standing(5, 'people')), 'realized', 'people are not waited for');
});
