// The cables and addresses that follow from a topology.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cablesOf, nodeNetworks, switchPorts, wiring } from './network.ts';
import { topologyNamed } from './start.ts';
import { parseTopology, readTopology } from './topology.ts';

const small = parseTopology({
  name: 'small',
  underlay: { network: '192.0.2.0/24', mtu: 1600, physicalNetwork: 'physnet1' },
  switch: { name: 'sw', untagged: 1 },
  central: { name: 'central', address: '192.0.2.1' },
  hypervisors: [{ name: 'h1', address: '192.0.2.11' }],
  machines: [
    {
      name: 'r',
      forwards: true,
      ports: [
        { device: 'eth0', cable: { trunk: [100, 200] }, addresses: ['203.0.113.1/24'] },
        { device: 'eth1', cable: { machine: 'out', device: 'eth0' } },
      ],
    },
    { name: 'out', ports: [{ device: 'eth0', addresses: ['198.51.100.2/24'] }], answersFor: ['8.8.8.8'] },
    { name: 'phys', ports: [{ device: 'eth0', cable: { vlan: 1234 } }] },
  ],
});

test('switchPorts() gives hypervisors a trunk with the underlay untagged, and others what their cable says', () => {
  assert.deepEqual(switchPorts(small), [
    { name: 'central-eth0', columns: ['tag=1'] },
    { name: 'h1-eth0', columns: ['tag=1', 'vlan_mode=native-untagged'] },
    { name: 'r-eth0', columns: ['vlan_mode=trunk', 'trunks=100,200'] },
    { name: 'phys-eth0', columns: ['tag=1234'] },
  ]);
});

test('wiring() makes a namespace for each node and a cable for each port', () => {
  const lines = wiring(small);
  assert.deepEqual(
    lines.filter((line) => line.startsWith('netns')),
    ['sw', 'central', 'h1', 'r', 'out', 'phys'].map((node) => `netns add ${node}`),
  );
  assert.ok(lines.includes('link add name h1-eth0 netns sw type veth peer name eth0 netns h1'));
  assert.ok(lines.includes('link add name eth1 netns r type veth peer name eth0 netns out'));
  assert.equal(lines.length, 6 + 5);
});

test('nodeNetworks() makes forwarding machines forward, and no other', () => {
  const forwarding = nodeNetworks(small).filter((each) => each.sysctls.includes('net.ipv4.ip_forward=1'));
  assert.deepEqual(
    forwarding.map((each) => each.node),
    ['r'],
  );
});

const campus = readTopology(topologyNamed('campus'));

test('switchPorts() parks what nobody has attached and gives routers a trunk and an access port', () => {
  const ports = new Map(switchPorts(campus).map(({ name, columns }) => [name, columns]));
  for (const name of ['fileserver-eth0', 'printer-eth0', 'vpnbox-eth0']) assert.deepEqual(ports.get(name), ['tag=999']);
  assert.deepEqual(ports.get('r1-eth0'), ['tag=100']);
  assert.deepEqual(ports.get('r1-eth1'), ['tag=1', 'vlan_mode=native-untagged']);
  assert.equal(ports.get('office-eth0'), undefined);
});

test('nodeNetworks() joins the ports of a segment in one bridge', () => {
  const segment = nodeNetworks(campus).find((each) => each.node === 'internet');
  const joined = segment?.ip.flatMap((line) => /^link set (\S+) master br0$/.exec(line)?.[1] ?? []);
  assert.deepEqual(joined, ['upstream-eth1', 'outside-eth0', 'office-eth0']);
  const cable = 'link add name office-eth0 netns internet type veth peer name eth0 netns office';
  assert.ok(wiring(campus).includes(cable));
});

test('nodeNetworks() keeps the kernel from answering ARP beside Open vSwitch, where one has the cable', () => {
  const silent = nodeNetworks(campus).filter(({ sysctls }) => sysctls.some((each) => each.endsWith('.arp_ignore=8')));
  assert.deepEqual(
    silent.map(({ node }) => node),
    ['h1', 'h2', 'h3', 'r1', 'r2'],
  );
});

test('nodeNetworks() gives every cable of the underlay its MTU', () => {
  const h1 = nodeNetworks(small).find((each) => each.node === 'h1');
  assert.deepEqual(h1?.ip, ['link set lo up', 'link set eth0 mtu 1600 up']);
});

const region = readTopology(topologyNamed('region'));

test('switchPorts() gives a gateway the trunk of a hypervisor, and a witness the underlay alone', () => {
  const ports = new Map(switchPorts(region).map(({ name, columns }) => [name, columns]));
  assert.deepEqual(ports.get('gw1-eth0'), ports.get('h1-eth0'));
  assert.deepEqual(ports.get('witness-eth0'), ['tag=1']);
});

test('nodeNetworks() lets only machines with IPv6 addresses speak it, and takes no address from anybody', () => {
  const speaking = nodeNetworks(region).filter(({ sysctls }) =>
    sysctls.some((each) => each.endsWith('.disable_ipv6=0')),
  );
  assert.deepEqual(
    speaking.map(({ node }) => node),
    ['upstream', 'outside'],
  );
  for (const { sysctls } of speaking) assert.ok(sysctls.includes('net.ipv6.conf.eth0.accept_ra=0'));
  assert.ok(speaking[0]!.sysctls.includes('net.ipv6.conf.all.forwarding=1'));
});

test("cablesOf() names the far ends of a node's cables, and a switch's own", () => {
  assert.deepEqual(cablesOf(region, 'gw1'), [{ at: 'sw', device: 'gw1-eth0' }]);
  assert.deepEqual(cablesOf(region, 'upstream'), [
    { at: 'sw', device: 'upstream-eth0' },
    { at: 'internet', device: 'upstream-eth1' },
  ]);
  assert.deepEqual(cablesOf(region, 'internet'), [
    { at: 'internet', device: 'upstream-eth1' },
    { at: 'internet', device: 'outside-eth0' },
  ]);
  assert.deepEqual(cablesOf(campus, 'officepc'), []);
});
