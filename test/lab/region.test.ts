// The region: gateways and a witness join beside hypervisors, an outside host reaches API and packets alike, and what can happen to a
// machine happens to nodes by their names, and ends again.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { CHECKOUT, PROGRAM } from '../../src/lab/layout.ts';
import { formatStatus, labStatus } from '../../src/lab/status.ts';
import { run, tryRun } from '../../src/lib/run.ts';
import { echoIn } from '../support/echo.ts';
import { eventually } from '../support/lab.ts';
import { BROADCAST, arpReply, ethernet, seenOn, send, udp } from '../support/packets.ts';
import { openPublic, publicCalls } from '../support/public-calls.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const OUTSIDE = '198.51.100.10';

let lab: LabCloud;
let vpcid = '';
let tier = '';
/** On h1 and h2. */
let guests: readonly [Guest, Guest];

const reach = (): Promise<boolean> => lab.ping(guests[0], guests[1]);
const reachAgain = (): Promise<true> =>
  eventually('the ping between the instances', async () => (await reach()) || undefined, 30_000);

suite('a region', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      await openPublic(lab, 10, 20);
      vpcid = await lab.tenant.vpc('shop', '10.1.0.0/16');
      tier = await lab.tenant.tier(vpcid, '10.1.1.1', 'default_allow');
      guests = [await lab.tenant.instance('one', tier, 'h1'), await lab.tenant.instance('two', tier, 'h2')];
    },
    { topology: 'region' },
  );

  test('gateways and witnesses join, are told apart, and carry no instance', async () => {
    const hosts = rows(await lab.cloud.as('admin')('listHosts'), 'host');
    const kinds = new Map(hosts.map((host) => [text(host, 'name'), text(host, 'type')]));
    assert.deepEqual([...kinds.keys()], ['gw1', 'gw2', 'h1', 'h2', 'h3', 'witness']);
    assert.equal(kinds.get('gw1'), kinds.get('gw2'));
    assert.equal(new Set(kinds.values()).size, 3);
    assert.deepEqual(
      rows(await lab.cloud.as('admin')('listHosts', { type: 'Routing' }), 'host').map((host) => text(host, 'name')),
      ['h1', 'h2', 'h3'],
    );
  });

  test('a client on the outside host is answered by the API, before and after the server was started again', async () => {
    const { api, processes } = await labStatus(lab.cloud.state);
    assert.equal(api, 'http://198.51.100.1:8080/client/api');
    assert.equal(await accountSeenFromOutside(api), 'acme-admin');
    const server = processes.find(({ name }) => name === 'server')!.pid!;
    process.kill(server, 'SIGKILL');
    await eventually(
      'the API answering again',
      async () => ((await accountSeenFromOutside(api).catch(() => '')) === 'acme-admin' ? true : undefined),
      20_000,
    );
  });

  test('the outside reaches the public wire in both families, and the world answers', async () => {
    for (const address of ['203.0.113.1', '2001:db8:100::1']) assert.ok(await lab.wire.pingFrom('outside', address));
    for (const address of ['8.8.8.8', '2001:4860:4860::8888'])
      assert.ok(await lab.wire.pingFrom('upstream', address), address);
  });

  test('route() makes the provider route a prefix of IPv6 to who has it', async () => {
    // The physical machine plays the router: its port on the public wire, an address of the wire and one of a prefix behind.
    await lab.wire.exec('sw', ['ovs-vsctl', 'set', 'Port', 'fileserver-eth0', 'tag=100']);
    await lab.wire.inNetwork('fileserver', ['sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=0']);
    for (const line of [
      'address add 2001:db8:100::66/64 dev eth0 nodad',
      'address add 2001:db8:c10::1/64 dev eth0 nodad',
      'route add default via 2001:db8:100::1',
    ])
      await lab.wire.inNetwork('fileserver', ['ip', ...line.split(' ')]);
    assert.ok(!(await lab.wire.pingFrom('outside', '2001:db8:c10::1')));
    await lab.wire.route('upstream', '2001:db8:c10::/64', '2001:db8:100::66');
    assert.ok(await lab.wire.pingFrom('outside', '2001:db8:c10::1'));
    await assert.rejects(
      lab.wire.route('upstream', '2001:db8:c10::/64', '2001:db8:999::1'),
      /upstream: ip route replace/,
    );
  });

  test('a node whose cable is cut is out of reach and lives on; mended, it is back', async () => {
    await lab.cloud.lab.perform('cut', 'h2');
    assert.ok(!(await reach()));
    assert.deepEqual(await standing('h2'), ['cut', 'running']);
    await lab.cloud.lab.perform('mend', 'h2');
    await reachAgain();
  });

  test('a frozen node stands still with all on it; thawed, it goes on where it was', async () => {
    const before = await processOf('h2', 'agent');
    await lab.cloud.lab.perform('freeze', 'h2');
    assert.ok(!(await reach()));
    assert.deepEqual(await standing('h2'), ['frozen', 'stopped']);
    const { instances } = await labStatus(lab.cloud.state);
    assert.equal(instances.length, 2, 'a frozen instance is still there');
    await lab.cloud.lab.perform('thaw', 'h2');
    await reachAgain();
    assert.deepEqual(await processOf('h2', 'agent'), before, 'the same process');
  });

  test('a node without power has no process, no instance and no address; with power it makes what it is to have', async () => {
    await lab.cloud.lab.perform('power-off', 'h2');
    assert.ok(!(await reach()));
    assert.deepEqual(await standing('h2'), ['off', 'down']);
    const { nodes, links, instances } = await labStatus(lab.cloud.state);
    assert.deepEqual(nodes.find(({ name }) => name === 'h2')!.addresses, []);
    assert.deepEqual(
      links.filter(({ node }) => node === 'h2').map(({ name, state }) => [name, state]),
      [
        ['lo', 'down'],
        ['eth0', 'down'],
      ],
    );
    assert.ok(!instances.some(({ host, state }) => host === 'h2' && state === 'running'));
    const { stdout } = await lab.cloud.lab.exec('h1', ['ip', 'netns', 'list']);
    assert.ok(!stdout.includes(`i-${guests[1].id.slice(0, 8)}`), stdout);
    await lab.cloud.lab.perform('power-on', 'h2');
    await reachAgain();
  });

  test('static NAT at the hypervisor: past the gateways, with its instance wherever that goes, and at the gateway where it must be', async (t) => {
    const { cloud, wire } = lab;
    const operator = cloud.as('admin');
    const distribute = (value: string): Promise<object> =>
      operator('updateConfiguration', { name: 'network.static.nat.distributed', value });
    const [one, two] = guests;
    const echo = echoIn(cloud);
    const calls = publicCalls(lab.tenant);
    await distribute('true');
    const [own, address] = [await calls.sourceNat({ vpcid }), await calls.address({ vpcid })];
    await Promise.all([
      echo.serve('outside', 'outside', 80),
      echo.serve(one, 'one', 22000),
      echo.serve(two, 'two', 22000),
    ]);
    await calls.staticNat(address, one, tier);
    const at = (): Promise<string | undefined> => wire.neighbour('upstream', address.ip);
    const asked = async (from: string | Guest, host: string, port: number): Promise<string> => {
      const answer = await echo.ask(from, host, port);
      return answer === undefined ? 'nobody' : `${answer.name} saw ${answer.from}`;
    };
    await eventually('static NAT', async () => (await asked('outside', address.ip, 22000)) !== 'nobody' || undefined);
    const untranslated = await seenOn(cloud.state, 'upstream', 'eth0', async () => {
      assert.deepEqual(
        [
          await asked('outside', address.ip, 22000),
          await asked(one, OUTSIDE, 80),
          await asked(two, OUTSIDE, 80),
          await asked(two, address.ip, 22000),
          await asked(one, address.ip, 22000),
        ],
        [
          `one saw ${OUTSIDE}`,
          `outside saw ${address.ip}`,
          `outside saw ${own.ip}`,
          `one saw ${two.address}`,
          `one saw ${address.ip}`,
        ],
      );
      const mac = (await at())!;
      assert.notEqual(mac, await wire.neighbour('upstream', own.ip));
      const said = Buffer.from('in the name of another');
      await send(
        cloud.lab,
        two,
        ethernet(BROADCAST, mac, 0x0806, arpReply(mac, address.ip, BROADCAST, address.ip)),
        ethernet(mac, two.mac, 0x0800, udp(address.ip, 9, OUTSIDE, 9, said)),
        ethernet(await gatewayMac(two), two.mac, 0x0800, udp(address.ip, 9, OUTSIDE, 9, said)),
        ethernet(await gatewayMac(two), two.mac, 0x0800, udp(one.address, 9, OUTSIDE, 9, said)),
      );
      // Whoever is on the wire finds no way past the address.
      await wire.route('upstream', '10.1.0.0/16', address.ip);
      for (const guest of guests) assert.ok(!(await wire.pingFrom('upstream', guest.address)));
      await cloud.lab.exec('upstream', ['ip', 'route', 'del', '10.1.0.0/16']);
      assert.equal(await at(), mac);
      const held = await echo.hold('outside', address.ip, 22000);
      const dark = await wire.outage('outside', address.ip, () =>
        Promise.all(['gw1', 'gw2'].map((node) => cloud.lab.perform('power-off', node))),
      );
      t.diagnostic(`all gateways without power: ${dark.lost} of ${dark.sent} pings lost, ${Math.round(dark.gapMs)} ms`);
      assert.ok(dark.recovered && dark.gapMs < 2000, JSON.stringify(dark));
      assert.ok(await held.isAlive());
      await held.end();
      assert.deepEqual(
        [await asked('outside', address.ip, 22000), await asked(one, OUTSIDE, 80), await asked(two, address.ip, 22000)],
        [`one saw ${OUTSIDE}`, `outside saw ${address.ip}`, `one saw ${two.address}`],
      );
      assert.equal(await asked(two, OUTSIDE, 80), 'nobody', 'everybody else leaves by a gateway');
      await Promise.all(['gw1', 'gw2'].map((node) => cloud.lab.perform('power-on', node)));
      await migrated(t, address.ip, mac);
      await eventually('a gateway', async () => (await asked(two, OUTSIDE, 80)) !== 'nobody' || undefined, 30_000);
      await echo.serve(one, 'one', 22000);
    });
    const sources = untranslated.map(({ bytes }) => sourceOf(bytes)).filter((source) => source.startsWith('10.'));
    assert.deepEqual(sources, [], 'nothing meets the wire under an address of its inside');

    const second = await calls.address({ vpcid });
    const central = await wire.outage('outside', address.ip, async () => {
      const rule = await calls.forward(second, one, tier, '2222', { inside: '22000' });
      await eventually('the gateway answering for it', async () => {
        await wire.pingFrom('upstream', address.ip);
        return (await at()) === (await wire.neighbour('upstream', own.ip)) || undefined;
      });
      assert.deepEqual(await echo.ask('outside', second.ip, 2222), { name: 'one', from: OUTSIDE, port: 22000 });
      await lab.tenant.call('deletePortForwardingRule', { id: rule });
    });
    t.diagnostic(`to the gateway and back for a forward: ${central.lost} of ${central.sent} pings lost`);
    assert.ok(central.recovered && central.gapMs < 2000, JSON.stringify(central));
    await Promise.all([calls.release(second), calls.release(address)]);
    assert.equal(await asked('outside', address.ip, 22000), 'nobody');

    // Of another range on the same VLAN: there the router has a second leg.
    await wire.inNetwork('upstream', ['ip', 'address', 'add', '192.0.4.1/24', 'dev', 'eth0']);
    const range = { startip: '192.0.4.9', endip: '192.0.4.10', gateway: '192.0.4.1', netmask: '255.255.255.0' };
    await operator('createVlanIpRange', { zoneid: lab.tenant.zoneid, vlan: '100', ...range });
    const first = await calls.address({ vpcid, ipaddress: '192.0.4.9' });
    const far = await calls.address({ vpcid, ipaddress: '192.0.4.10' });
    await calls.staticNat(far, one, tier);
    await eventually('the second leg', async () => (await asked('outside', far.ip, 22000)) !== 'nobody' || undefined);
    assert.equal(await asked(one, OUTSIDE, 80), `outside saw ${far.ip}`);
    for (const gateways of [own.ip, first.ip]) {
      await wire.pingFrom('upstream', gateways);
      assert.notEqual(await wire.neighbour('upstream', far.ip), await wire.neighbour('upstream', gateways));
    }
    await Promise.all([calls.release(far), calls.release(first)]);
    assert.equal(await asked(one, OUTSIDE, 80), `outside saw ${own.ip}`);
    await distribute('false');
  });

  test('gateways, machines and the switch have power, too', async () => {
    for (const [node, from, to] of [
      ['gw1', 'gw2', '192.0.2.31'],
      ['upstream', 'outside', '203.0.113.1'],
      ['sw', 'gw2', '192.0.2.31'],
    ] as const) {
      const sees = (): Promise<boolean> => lab.wire.pingFrom(from, to);
      assert.ok(await sees(), node);
      await lab.cloud.lab.perform('power-off', node);
      assert.ok(!(await sees()), node);
      await lab.cloud.lab.perform('power-on', node);
      await eventually(node, async () => (await sees()) || undefined);
    }
    await reachAgain();
  });

  test('what cannot happen is refused by name', async () => {
    const refused = (action: Parameters<typeof lab.cloud.lab.perform>[0], node: string, says: RegExp): Promise<void> =>
      assert.rejects(lab.cloud.lab.perform(action, node), says);
    await refused('power-on', 'gw1', /^Error: gw1 is on already$/);
    await refused('mend', 'gw1', /the cables of gw1 are whole/);
    await refused('freeze', 'nobody', /the lab has no node nobody; there are sw, central, h1/);
    await refused('power-off', 'internet', /internet is a plain wire, which has no power/);
  });

  test('trunkline lab cut and mend do it from the command line, and the status shows it', async () => {
    const { state } = lab.cloud;
    await run([PROGRAM, 'lab', 'cut', '--state', state, 'gw2']);
    assert.match(formatStatus(await labStatus(state)), /^ +gw2 +gateway +cut +192\.0\.2\.32\/24$/m);
    const again = await tryRun([PROGRAM, 'lab', 'cut', '--state', state, 'gw2']);
    assert.notEqual(again.code, 0);
    assert.match(again.stderr, /the cables of gw2 are cut already/);
    await run([PROGRAM, 'lab', 'mend', '--state', state, 'gw2']);
    assert.match(formatStatus(await labStatus(state)), /^ +gw2 +gateway +up /m);
  });
});

/** The first instance moves to another hypervisor, and its public address with it. */
async function migrated(t: TestContext, address: string, mac: string): Promise<void> {
  const operator = lab.cloud.as('admin');
  const hostid = text(rows(await operator('listHosts', { name: 'h3' }), 'host')[0], 'id');
  const moved = Promise.withResolvers<void>();
  const inside = lab.wire.outage(guests[1], guests[0].address, () => moved.promise);
  const outside = await lab.wire.outage('outside', address, async () => {
    await operator('migrateVirtualMachine', { virtualmachineid: guests[0].id, hostid });
    moved.resolve();
  });
  const { gapMs } = await inside;
  t.diagnostic(`moved to h3: ${Math.round(gapMs)} ms away for its tier, ${Math.round(outside.gapMs)} for the world`);
  assert.ok(outside.recovered, JSON.stringify(outside));
  assert.equal(await lab.wire.neighbour('upstream', address), mac, 'the address keeps its MAC');
}

/** The MAC of its tier's gateway, as a guest knows it. */
async function gatewayMac(guest: Guest): Promise<string> {
  await lab.exec(guest, 'ping', '-c', '1', '-W', '1', '10.1.1.1');
  return (await lab.wire.neighbour(guest, '10.1.1.1'))!;
}

/** Of an IPv4 packet; empty for other frames. */
function sourceOf(frame: Buffer): string {
  return frame.readUInt16BE(12) === 0x0800 ? frame.subarray(26, 30).join('.') : '';
}

/** A node's condition, and the state that its switch daemon is in. */
async function standing(node: string): Promise<string[]> {
  const { nodes, processes } = await labStatus(lab.cloud.state);
  const daemon = processes.find((each) => each.node === node && each.name === 'ovs-vswitchd');
  return [nodes.find(({ name }) => name === node)!.condition, daemon!.state];
}

async function processOf(node: string, name: string): Promise<readonly unknown[]> {
  const { processes } = await labStatus(lab.cloud.state);
  const found = processes.find((each) => each.node === node && each.name === name)!;
  return [found.pid, found.restarts];
}

/** The account that the API, asked by a client in the network of the outside host, knows the caller by. */
async function accountSeenFromOutside(endpoint: string): Promise<string> {
  const { apikey, secretkey } = lab.cloud.access.accounts['acme-admin']!;
  const program = `import { createClient } from '${join(CHECKOUT, 'src/client/client.ts')}';
    const { user } = await createClient(${JSON.stringify({ endpoint, apikey, secretkey })}).call('listUsers', {});
    process.stdout.write(user[0].account);`;
  const { code, stdout, stderr } = await lab.cloud.lab.exec(
    'outside',
    [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program],
    { timeoutMs: 15_000 },
  );
  if (code !== 0) throw new Error(stderr);
  return stdout;
}
