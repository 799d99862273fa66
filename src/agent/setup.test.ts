// What `agent join` makes of a machine: configuration and settings, or a sentence that says what to type first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeToken } from '../protocol/document.ts';
import { type Machine, type SetupOptions, planSetup, settingsOf } from './setup.ts';

const OPTIONS: SetupOptions = {
  token: encodeToken({ node: 'h1', secret: 's', ca: 'c' }),
  server: 'https://192.0.2.1:8443',
  role: 'hypervisor',
  underlayDevice: 'eth0',
  state: '/var/lib/trunkline-agent',
  ovsRundir: '/run/openvswitch',
  mapping: 'physnet1:br-ex',
  instances: 'netns',
};
const MACHINE: Machine = {
  addresses: ['192.0.2.11'],
  settings: { 'system-id': 'a-random-name' },
  bridges: { 'br-ex': 'system' },
  kernelVlans: true,
};

test('planSetup() derives what OVN must know from the server and the device', () => {
  const { config, settings } = planSetup(OPTIONS, MACHINE);
  assert.equal(config['node'], 'h1');
  assert.deepEqual(config['underlay'], { device: 'eth0', ip: '192.0.2.11' });
  assert.equal(config['datapath'], 'system');
  assert.deepEqual(settings, {
    'system-id': 'h1',
    'ovn-remote': 'tcp:192.0.2.1:6642',
    'ovn-encap-type': 'geneve',
    'ovn-encap-ip': '192.0.2.11',
    'ovn-bridge-mappings': 'physnet1:br-ex',
    'ovn-ofctrl-wait-before-clear': '1000',
  });
});

test('planSetup() leaves alone what Open vSwitch was told already', () => {
  const told = {
    'system-id': 'h1',
    'ovn-remote': 'ssl:db:6642',
    'ovn-encap-ip': '10.9.9.9',
    'ovn-encap-type': 'geneve',
  };
  const { settings } = planSetup(OPTIONS, { ...MACHINE, settings: told });
  assert.deepEqual(Object.keys(settings), ['ovn-bridge-mappings', 'ovn-ofctrl-wait-before-clear']);
});

test('planSetup() follows the datapath of the bridge: br-int must be of the same kind', () => {
  const { config, settings } = planSetup(OPTIONS, { ...MACHINE, bridges: { 'br-ex': 'netdev' } });
  assert.equal(config['datapath'], 'netdev');
  assert.equal(settings['ovn-bridge-datapath-type'], 'netdev');
});

test('planSetup() refuses what cannot work and says what to type', () => {
  assert.throws(() => planSetup(OPTIONS, { ...MACHINE, addresses: [] }), /eth0 has no IPv4 address/);
  assert.throws(() => planSetup(OPTIONS, { ...MACHINE, bridges: {} }), /ovs-vsctl add-br br-ex/);
  const bare: Machine = { addresses: ['192.0.2.11'], bridges: { 'br-ex': 'system' }, kernelVlans: true };
  assert.throws(() => planSetup(OPTIONS, bare), /no Open vSwitch answers here/);
  assert.throws(() => planSetup({ ...OPTIONS, token: 'abc' }, MACHINE), /join token is damaged/);
  assert.throws(() => planSetup({ ...OPTIONS, role: 'router' }, MACHINE), /--inside/);
});

test('planSetup() gives a router node kernel VLANs where the kernel has them, and Open vSwitch ports where not', () => {
  const options = { ...OPTIONS, role: 'router' as const, inside: 'eth1', outside: 'eth0' };
  const kernel = planSetup(options, MACHINE).config;
  assert.deepEqual(kernel['router'], {
    inside: 'eth1',
    outside: 'eth0',
    vlans: 'kernel',
    directory: '/run/trunkline/h1/router',
  });
  assert.equal(kernel['ovs'], undefined);
  const plain = { ...MACHINE, kernelVlans: false, bridges: { 'br-ex': 'system', 'br-vlan': 'netdev' } };
  const ports = planSetup(options, { ...plain, insideBridge: 'br-vlan' }).config;
  assert.equal(
    (ports['router'] as { bridge: string }).bridge,
    'br-vlan',
    'the bridge that holds the card, not the first',
  );
  assert.equal(ports['datapath'], 'netdev');
  assert.throws(
    () => planSetup(options, plain),
    /no bridge of Open vSwitch holds eth1 .* modprobe 8021q, or ovs-vsctl add-br br-vlan -- add-port br-vlan eth1/,
  );
});

test('settingsOf() reads a map as ovs-vsctl prints it', () => {
  assert.deepEqual(settingsOf('{ovn-remote="tcp:192.0.2.1:6642", system-id=h1}'), {
    'ovn-remote': 'tcp:192.0.2.1:6642',
    'system-id': 'h1',
  });
});
