// What an agent's configuration may say, and how it is told when it may not.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { hasOvs, readConfig, type AgentConfig } from './config.ts';

const router = {
  inside: 'eth1',
  outside: 'eth0',
  vlans: 'openvswitch',
  bridge: 'br-vlan',
  directory: '/var/lib/trunkline/router',
};
const ovs = { database: 'unix:/run/openvswitch/db.sock', rundir: '/run/openvswitch' };
const base = {
  node: 'r1',
  server: 'https://192.0.2.1:9443',
  state: '/var/lib/trunkline',
  tokenFile: '/var/lib/trunkline/token',
  underlay: { device: 'br-vlan', ip: '192.0.2.21' },
  datapath: 'netdev',
};

function read(t: TestContext, value: unknown): AgentConfig {
  const folder = mkdtempSync(join(tmpdir(), 'agent-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'agent.json'), JSON.stringify(value));
  return readConfig(join(folder, 'agent.json'));
}

test('readConfig() takes a router node that carries no instances', (t) => {
  const config = read(t, { ...base, ovs, router });
  assert.deepEqual([config.instances, config.router?.bridge, hasOvs(config)], [undefined, 'br-vlan', true]);
  const kernel = read(t, { ...base, router: { ...router, vlans: 'kernel', bridge: undefined } });
  assert.equal(hasOvs(kernel), false, 'where the kernel makes VLANs Open vSwitch is not needed');
});

test('readConfig() says what is wrong with a router node', (t) => {
  const wrong = (value: object, message: RegExp): void =>
    assert.throws(() => read(t, { ...base, ovs, router, ...value }), message);
  wrong(
    { router: { ...router, bridge: undefined } },
    /router\.bridge: is missing: with "vlans": "openvswitch" it names/,
  );
  wrong({ router: { ...router, outside: 'eth1' } }, /router\.outside: is to be another one than inside/);
  wrong(
    { router: { ...router, inside: 'eth1.5' } },
    /router\.inside: is to be an interface name of at most 10 characters/,
  );
  wrong({ router: { ...router, directory: '/var/lib/my router' } }, /router\.directory: is to be a path of letters/);
  wrong({ router: { ...router, vlan: 5 } }, /Unrecognized key: "vlan"/);
  wrong({ ovs: undefined }, /ovs: is missing: instances and Open vSwitch's VLANs need its database/);
  wrong({ router: undefined }, /it says neither "instances" nor "router": the node would have nothing to do/);
});
