// Topology files: what is accepted, and what a mistake is answered with.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEFAULT_TOPOLOGY, topologyNamed } from './start.ts';
import { agentNodes, apiUrl, chassisNodes, nodeNames, parseTopology, readTopology } from './topology.ts';

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

test('readTopology() reads the region: gateways and a witness run OVN and an agent, and the API has an address outside', () => {
  const region = readTopology(topologyNamed('region'));
  assert.deepEqual(agentNodes(region), ['h1', 'h2', 'h3', 'gw1', 'gw2', 'witness']);
  assert.deepEqual(
    chassisNodes(region).map(({ kind }) => kind),
    ['hypervisor', 'hypervisor', 'hypervisor', 'gateway', 'gateway', 'witness'],
  );
  assert.equal(apiUrl(region), 'http://198.51.100.1:8080/client/api');
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
    'an API at an address that its machine has not',
    (t) => ({ ...t, api: { machine: 'upstream', address: '198.51.100.10', port: 8080 } }),
    /the API is to be at 198\.51\.100\.10, which no port of upstream has/,
  ],
  [
    'an IPv6 prefix without a length',
    (t) => ({ ...t, machines: [{ name: 'a', ports: [{ device: 'eth0', addresses: ['2001:db8::1'] }] }] }),
    /not an address with a prefix length/,
  ],
  [
    'an IPv4 route over an IPv6 next hop',
    (t) => ({ ...t, machines: [{ name: 'a', ports: [], routes: [{ to: '10.0.0.0/8', via: 'fe80::1' }] }] }),
    /machines\.0\.routes\.0: a route and its next hop are of one family/,
  ],
  [
    'a gateway with the name of a hypervisor',
    (t) => ({ ...t, gateways: [{ name: 'h1', address: '192.0.2.31' }] }),
    /two nodes are called h1/,
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
