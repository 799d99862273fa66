// Topology files: what is accepted, and what a mistake is answered with.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEFAULT_TOPOLOGY, topologyNamed } from './start.ts';
import { agentNodes, nodeNames, parseTopology, readTopology } from './topology.ts';

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

test('readTopology() reads the campus: routers, segments and parked machines beside the hypervisors', () => {
  const campus = readTopology(topologyNamed('campus'));
  assert.deepEqual(agentNodes(campus), ['h1', 'h2', 'h3', 'r1', 'r2']);
  assert.equal(nodeNames(campus).at(-1), 'internet');
  assert.equal(campus.switch.parking, 999);
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
  [
    'a cable to no segment',
    (t) => ({ ...t, machines: [{ name: 'a', ports: [{ device: 'eth0', cable: { segment: 'lan' } }] }] }),
    /a eth0 is cabled to segment lan, which does not exist/,
  ],
  [
    'a parked machine without a parking VLAN',
    (t) => ({ ...t, machines: [{ name: 'a', ports: [{ device: 'eth0', cable: { parked: true } }] }] }),
    /a eth0 is parked, but the switch has no parking VLAN: set switch\.parking/,
  ],
  [
    'a router with the address of a hypervisor',
    (t) => ({
      ...t,
      routers: [
        {
          name: 'r1',
          address: '192.0.2.11',
          outside: { vlan: 100, address: '203.0.113.21', gateway: '203.0.113.1' },
        },
      ],
    }),
    /r1 and h1 both have 192\.0\.2\.11/,
  ],
];
for (const [what, change, expected] of wrong) {
  test(`parseTopology() refuses ${what} and says so`, () => {
    assert.throws(() => parseTopology(change(example())), expected);
  });
}
