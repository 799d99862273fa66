// The driver of Open vSwitch against a real one: what is read, what is set, and what is found out.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import type { PortSpec, SwitchDocument } from '../protocol/switch.ts';
import { startOvs, type TestSwitch } from './ovs.test-support.ts';
import { planSwitch } from './plan.ts';
import { reviewSwitch, type Review } from './review.ts';
import { access, documentOf, trunk } from './switch.test-support.ts';

const PORTS = ['p1', 'p2', 'p3', 'uplink'];
let ovs: TestSwitch;
before(async () => {
  ovs = await startOvs(PORTS);
});
after(() => ovs.stop());
beforeEach(() => ovs.vsctl(...PORTS.flatMap((name) => ['--', 'clear', 'Port', name, 'tag', 'trunks', 'vlan_mode'])));

function sw(ports: readonly PortSpec[], rest: Partial<SwitchDocument> = {}): SwitchDocument {
  return documentOf(ports, { address: ovs.remote, options: { bridge: 'sw', rundir: ovs.rundir }, ...rest });
}

const review = (document: SwitchDocument, apply = true): Promise<Review> =>
  reviewSwitch(document, { apply, log: silentLog() });

async function columns(port: string): Promise<string> {
  return (await ovs.vsctl('--bare', '--columns=vlan_mode,tag,trunks', 'list', 'Port', port))
    .split('\n')
    .filter((line) => line !== '')
    .join(' ');
}

test('reviewSwitch() sets access ports, trunks and free ports of an Open vSwitch in one go, and says the document is true', async () => {
  await ovs.vsctl('set', 'Port', 'p3', 'tag=99');
  await ovs.vsctl('set', 'Port', 'p2', 'trunks=0,40,1300');
  const document = sw([access('p1', 1234, [20]), trunk('p2', [1234], [1300]), access('p3')]);
  const { report, steps } = await review(document);
  assert.equal(report.error, undefined);
  assert.equal(report.generation, 7);
  assert.equal(await columns('p1'), 'native-untagged 1234 20');
  assert.equal(await columns('p2'), '0 40 1234');
  assert.equal(await columns('p3'), 'access 1');
  assert.equal(await columns('uplink'), '', 'not in the document');
  assert.deepEqual(
    steps.map((step) => [step.port, step.argv.slice(3).join(' '), step.reason]),
    [
      [
        'p1',
        'set Port p1 vlan_mode=native-untagged tag=1234 trunks=20',
        'device p1-box needs VLAN 1234 (network net1234) untagged; device p1-box needs VLAN 20 (network net20) tagged; it carried every VLAN',
      ],
      ['p2', 'add Port p2 trunks 1234', 'hypervisor p2-host needs VLAN 1234 (network net1234) tagged'],
      ['p2', 'remove Port p2 trunks 1300', 'nobody wants VLAN 1300 here'],
      ['p3', 'set Port p3 vlan_mode=access tag=1 trunks=[]', 'VLAN 1 is the native one; nobody wants VLAN 99 here'],
    ],
  );
  assert.deepEqual(
    report.findings.map((each) => [each.port, each.kind]),
    [
      ['p1', 'changed'],
      ['p2', 'changed'],
      ['p3', 'changed'],
    ],
  );
  const again = await review(document);
  assert.deepEqual([again.steps, again.report.findings, again.report.generation], [[], [], 7]);
});

test('reviewSwitch() puts back what somebody changed, and tells what was found', async () => {
  const document = sw([access('p1', 1234)]);
  await review(document);
  await ovs.vsctl('set', 'Port', 'p1', 'tag=666');
  const { report } = await review(document);
  assert.equal(await columns('p1'), 'access 1234');
  assert.equal(report.generation, 7);
  assert.deepEqual(
    report.findings.map((each) => each.text),
    [
      'switch sw1, port p1 (device p1-box): found untagged 666, nothing tagged; set to untagged 1234, nothing tagged: VLAN 1234 (network net1234)',
    ],
  );
});

test('reviewSwitch() with apply false writes nothing and shows the lines', async () => {
  const { report, steps } = await review(sw([access('p1', 1234)]), false);
  assert.equal(await columns('p1'), '');
  assert.equal(report.generation, 0);
  assert.deepEqual(
    steps.map((step) => step.argv.join(' ')),
    [`ovs-vsctl --db=${ovs.remote} --timeout=10 set Port p1 vlan_mode=access tag=1234 trunks=[]`],
  );
  assert.deepEqual(
    report.findings.map((each) => [each.kind, each.vlan]),
    [
      ['missing', 1234],
      ['changed', undefined],
    ],
  );
});

test('a trunk of every VLAN lacks nothing and stays one; a node with an access port keeps its untagged VLAN', async () => {
  await ovs.vsctl('set', 'Port', 'p2', 'tag=40');
  const { report, steps } = await review(sw([trunk('p1', [1234]), trunk('p2', [1234])]));
  assert.equal(report.error, undefined);
  assert.deepEqual(
    steps.map((step) => step.port),
    ['p2'],
  );
  assert.equal(await columns('p1'), '');
  assert.equal(await columns('p2'), 'native-untagged 40 1234');
});

test('the last VLAN taken off a trunk leaves it carrying nothing, not everything', async () => {
  await ovs.vsctl('set', 'Port', 'p1', 'vlan_mode=trunk', 'trunks=1234');
  const { report } = await review(sw([trunk('p1', [], [1234])]));
  assert.equal(report.error, undefined);
  assert.equal(await columns('p1'), 'trunk 4095');
  assert.deepEqual(report.actual?.ports.find((port) => port.name === 'p1')?.tagged, []);
});

test('what is read after any change is what was wanted, in every mode Open vSwitch has', async () => {
  const modes = [
    [],
    ['tag=7'],
    ['trunks=5,6'],
    ['vlan_mode=native-untagged', 'tag=7'],
    ['vlan_mode=native-tagged', 'tag=7', 'trunks=7,8'],
  ];
  const wishes = [access('p1'), access('p1', 7), access('p1', 9, [7, 8]), trunk('p1', [9, 10], [5, 8])];
  for (const mode of [...modes, ['vlan_mode=dot1q-tunnel', 'tag=7']])
    for (const wish of wishes) {
      await ovs.vsctl(
        'clear',
        'Port',
        'p1',
        'tag',
        'trunks',
        'vlan_mode',
        '--',
        ...(mode.length === 0 ? ['init'] : ['set', 'Port', 'p1', ...mode]),
      );
      const { report } = await review(sw([wish]));
      assert.equal(report.error, undefined, `${mode.join(' ')} -> ${JSON.stringify(wish)}`);
      assert.deepEqual(planSwitch(sw([wish]), report.actual!).changes, []);
    }
});

test('faults are in the report, with the switch, what was tried and what it said', async () => {
  const cases: readonly [Partial<SwitchDocument>, RegExp][] = [
    [
      { address: 'unix:/nowhere.sock' },
      /^switch sw1 \(ovsdb, unix:\/nowhere\.sock\): reading: ovs-vsctl said: .*No such file/,
    ],
    [{ address: 'tcp:sw1.example.org:6640' }, /unix:PATH or tcp:IP:PORT/],
    [{ address: '--help' }, /unix:PATH or tcp:IP:PORT/],
    [{ options: { bridge: 'br9' } }, /reading: ovs-vsctl said: .*no row "br9" in table Bridge/],
    [{ options: {} }, /option bridge: name the bridge whose ports/],
    [{ options: { bridge: 'sw', brigde: 'sw' } }, /there is no option brigde for this driver/],
    [{ options: { bridge: 'sw', rundir: '/nowhere' } }, /option rundir: no ovs-vswitchd has written its number/],
    [{ nativeVlan: 4095 }, /native VLAN 4095 is no VLAN/],
    [{ ports: [{ ...access('p1', 5), name: '--db=x' }] }, /"--db=x" cannot be a port of it/],
    [{ ports: [access('p1', 4095)] }, /port p1 \(device p1-box\): 4095 is no VLAN/],
  ];
  for (const [rest, said] of cases) {
    const { report, steps } = await review(sw([access('p1', 5)], rest));
    assert.match(report.error!, said);
    assert.deepEqual([steps, report.generation], [[], 0]);
  }
});

test('the MAC table is read, with port names and VLANs', async () => {
  await review(sw([access('p1', 1234)]));
  const packet = 'in_port(1),eth(src=02:00:00:00:00:aa,dst=ff:ff:ff:ff:ff:ff),eth_type(0x1234)';
  await ovs.appctl('netdev-dummy/receive', 'p1', packet);
  const seen = async (): Promise<unknown> => (await review(sw([access('p1', 1234)]))).report.actual?.macs;
  for (let tries = 0; tries < 50 && JSON.stringify(await seen()) === '[]'; tries++);
  assert.deepEqual(await seen(), [{ port: 'p1', vlan: 1234, mac: '02:00:00:00:00:aa' }]);
});

test(
  'a database whose ovs-vswitchd is gone takes the change and does nothing: that is a fault within the time limit',
  { timeout: 20_000 },
  async () => {
    await ovs.stopDaemon();
    const { report, steps } = await review(sw([access('p1', 77)], { options: { bridge: 'sw' } }));
    assert.equal(steps.length, 1, 'it is in the database, and will be done');
    assert.match(report.error!, /setting ports: ovs-vsctl had no answer within 10 s/);
    assert.equal(report.generation, 0);
  },
);
