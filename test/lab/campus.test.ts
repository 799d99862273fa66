// The campus lab, without the product: router nodes on the wire, parked machines that reach nobody, an office behind a tunnel,
// and the instruments that stories look at the wire with.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createWire, type Wire } from '../../src/demo/wire.ts';
import { topologyNamed } from '../../src/lab/start.ts';
import { labStatus } from '../../src/lab/status.ts';
import { openTunnel } from '../../src/lab/tunnel.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { eventually, labForTest, type TestLab } from '../support/lab.ts';

describe('the campus lab', () => {
  const cleanups: (() => Promise<void>)[] = [];
  let lab: TestLab;
  let wire: Wire;
  let tookMs = 0;
  before(async () => {
    const began = Date.now();
    lab = await labForTest(
      { after: (work: () => Promise<void>) => cleanups.push(work) },
      { topologyFile: topologyNamed('campus') },
    );
    tookMs = Date.now() - began;
    wire = createWire({ lab, state: lab.state });
  });
  after(async () => {
    for (const work of cleanups) await work();
  });

  /** Runs a command on a node; throws when it fails. */
  const on = async (node: string, ...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.exec(node, argv);
    assert.equal(code, 0, `${node}: ${argv.join(' ')}: ${stderr}`);
    return stdout;
  };

  test('startLab() is ready in under 4 s', () => {
    assert.ok(tookMs < 4_000, `${tookMs} ms`);
  });

  test('labStatus() names the kinds of the new nodes', async () => {
    const kinds = new Map((await labStatus(lab.state)).nodes.map(({ name, kind }) => [name, kind]));
    assert.equal(kinds.get('r1'), 'router node');
    assert.equal(kinds.get('internet'), 'segment');
    assert.equal(kinds.get('vpnbox'), 'router');
    assert.equal(kinds.get('fileserver'), 'machine');
  });

  test('router nodes reach hypervisors on the underlay and the outside through the upstream', async () => {
    assert.ok(await wire.pingFrom('r1', '192.0.2.22'));
    assert.ok(await wire.pingFrom('h1', '192.0.2.21'));
    assert.ok(await wire.pingFrom('r2', '198.51.100.10'));
  });

  test("a router node's underlay address comes back when its switch daemon is killed", async () => {
    const daemon = (await labStatus(lab.state)).processes.find((p) => p.node === 'r1' && p.name === 'ovs-vswitchd');
    process.kill(daemon!.pid!, 'SIGKILL');
    await eventually('the underlay', async () => ((await wire.pingFrom('h1', '192.0.2.21')) ? true : undefined));
  });

  test('a parked machine reaches neither the upstream nor a hypervisor, whatever address it takes', async () => {
    await on('printer', 'ip', 'address', 'add', '203.0.113.77/24', 'dev', 'eth0');
    await on('printer', 'ip', 'address', 'add', '192.0.2.77/24', 'dev', 'eth0');
    assert.ok(!(await wire.pingFrom('printer', '203.0.113.1')));
    assert.ok(!(await wire.pingFrom('printer', '192.0.2.11')));
    await on('printer', 'ip', 'address', 'flush', 'dev', 'eth0');
  });

  test('pingFrom() throws from a machine without an address instead of calling it silence', async () => {
    await assert.rejects(wire.pingFrom('fileserver', '203.0.113.1'), /fileserver: ping .* sent nothing.*unreachable/);
  });

  test('openTunnel() carries what both ends have a route for, and nothing with one of them missing', async () => {
    await on('vpnbox', 'ip', 'address', 'add', '10.66.0.1/24', 'dev', 'eth0');
    const tunnel = await openTunnel(lab, [
      { node: 'vpnbox', outside: '203.0.113.200', inside: '10.255.0.1/30' },
      { node: 'office', outside: '198.51.100.50', inside: '10.255.0.2/30' },
    ]);
    await tunnel.addRoute('vpnbox', '192.168.50.0/24');
    assert.ok(!(await wire.pingFrom('officepc', '10.66.0.1')), 'the office has no route yet');
    await tunnel.addRoute('office', '10.66.0.0/24');
    assert.ok(await wire.pingFrom('officepc', '10.66.0.1'));
    await tunnel.dropRoute('office', '10.66.0.0/24');
    assert.ok(!(await wire.pingFrom('officepc', '10.66.0.1')));
    await tunnel.close();
    assert.doesNotMatch(await on('office', 'ip', '-brief', 'link'), /wg-office/);
  });

  test('outage() measures how long nobody answered and what was lost', async () => {
    const calm = await wire.outage('outside', '203.0.113.1', () => Promise.resolve());
    assert.deepEqual([calm.lost, calm.recovered], [0, true]);
    const cut = await wire.outage('outside', '203.0.113.1', async () => {
      await on('outside', 'ip', 'link', 'set', 'eth0', 'mtu', '1500', 'down');
      await sleep(400); // an outage of known length
      await on('outside', 'ip', 'link', 'set', 'eth0', 'up');
      await on('outside', 'ip', 'route', 'add', 'default', 'via', '198.51.100.1');
    });
    assert.ok(cut.recovered && cut.gapMs >= 400 && cut.gapMs < 3_000, JSON.stringify(cut));
    assert.ok(cut.lost >= 5, JSON.stringify(cut));
  });

  test('tagsSeen() tells tagged from untagged frames on a cable of the switch', async (t) => {
    if (lab.sandbox.rootless) return t.skip('tcpdump cannot run without root');
    const tagged = ['add-port', 'br-vlan', 't0', 'tag=1234', '--', 'set', 'Interface', 't0', 'type=internal'];
    await on('r1', 'ovs-vsctl', ...tagged);
    await on('r1', 'ip', 'address', 'add', '10.77.0.1/24', 'dev', 't0');
    await on('r1', 'ip', 'link', 'set', 't0', 'up');
    const seen = await wire.tagsSeen('r1-eth1', () => wire.pingFrom('r1', '10.77.0.2'));
    assert.deepEqual(seen?.vlans, [1234]);
    const underlay = await wire.tagsSeen('r1-eth1', () => wire.pingFrom('r1', '192.0.2.22'), 'icmp');
    assert.deepEqual(underlay, { vlans: [], untagged: 2 });
    await on('r1', 'ovs-vsctl', 'del-port', 't0');
  });

  test('neighbour() reads the ARP cache of a node, and only one MAC answers for a hypervisor', async () => {
    await on('central', 'ip', 'neighbour', 'flush', 'all');
    assert.equal(await wire.neighbour('central', '192.0.2.11'), undefined);
    assert.ok(await wire.pingFrom('central', '192.0.2.11'));
    const mac = await wire.neighbour('central', '192.0.2.11');
    assert.ok((await on('h1', 'ip', '-brief', 'link', 'show', 'br-ex')).includes(` ${mac} `), mac);
    const asked = await lab.exec('central', ['arping', '-c', '1', '-w', '1', '-I', 'eth0', '192.0.2.11']);
    assert.match(asked.stdout, /Received 1 response/);
  });
});
