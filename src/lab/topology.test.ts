// Topology files: what is accepted, and what a mistake is answered with.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEFAULT_TOPOLOGY } from './start.ts';
import { nodeNames, parseTopology, readTopology } from './topology.ts';

const example = (): Record<string, unknown> =>
  JSON.parse(readFileSync(DEFAULT_TOPOLOGY, 'utf8')) as Record<string, unknown>;

test('readTopology() reads the three hypervisors', () => {
  assert.deepEqual(nodeNames(readTopology(DEFAULT_TOPOLOGY)), [
    'sw',
    'central',
    'h1',
    'h2',
    'h3',
    'upstream',
    'outside',
  ]);
});

test('readTopology() names a file that is not there', () => {
  assert.throws(() => readTopology('/nonexistent/lab.json'), /\/nonexistent\/lab\.json cannot be read/);
});

const wrong: [string, (value: Record<string, unknown>) => Record<string, unknown>, RegExp][] = [
  ['an unknown key', (t) => ({ ...t, hypervisor: [] }), /[Uu]nrecognized key.*hypervisor/],
  ['no hypervisor at all', (t) => ({ ...t, hypervisors: [] }), /hypervisors: /],
  [
    'a name too long for an interface',
    (t) => ({ ...t, switch: { name: 'top-of-rack-switch', untagged: 1 } }),
    /switch\.name: a name is/,
  ],
  ['two nodes of one name', (t) => ({ ...t, switch: { name: 'h1', untagged: 1 } }), /two nodes are called h1/],
  [
    'an address outside the underlay',
    (t) => ({ ...t, hypervisors: [{ name: 'h1', address: '10.0.0.1' }] }),
    /h1 has 10\.0\.0\.1, which is not in the underlay/,
  ],
  [
    'one address twice',
    (t) => ({ ...t, hypervisors: [{ name: 'h1', address: '192.0.2.1' }] }),
    /both have 192\.0\.2\.1/,
  ],
  [
    'a cable to nowhere',
    (t) => ({ ...t, machines: [{ name: 'a', ports: [{ device: 'eth0', cable: { machine: 'b', device: 'eth0' } }] }] }),
    /a eth0 is cabled to b eth0, which does not exist/,
  ],
];
for (const [what, change, expected] of wrong) {
  test(`parseTopology() refuses ${what} and says so`, () => {
    assert.throws(() => parseTopology(change(example())), expected);
  });
}
