// Attacks on the wires between nodes (facts of security 20 and 21): tags that lead into another tenant's VLAN, frames for switches, and
// what a tunnel endpoint or a control port would take for its own. From instances on VLANs, from a machine on an access port, from a VPC.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { tenantOf } from '../../src/demo/tenant.ts';
import { chassisNodes } from '../../src/lab/topology.ts';
import { run } from '../../src/lib/run.ts';
import { type Attack, attack, newMark, onlyTwinsArrive } from '../support/attack.ts';
import { arp, datagram, icmp, ipv4, TYPE, tagged, tunnelled } from '../support/frames.ts';
import { eventually } from '../support/lab.ts';
import { BROADCAST, ethernet, type Frame, seenOn, send, udp } from '../support/packets.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

/** The bridges' own (IEEE 802.1Q, table 8-1), and what Cisco's switches say to each other: CDP, VTP, DTP; their spanning trees. */
const SWITCHES = [
  '01:80:c2:00:00:00',
  '01:80:c2:00:00:0e',
  '01:80:c2:00:00:03',
  '01:00:0c:cc:cc:cc',
  '01:00:0c:cc:cc:cd',
];
const MACHINE = { node: 'fileserver', device: 'eth0' } as const;
const HYPERVISOR = { name: 'h2', address: '192.0.2.12', bridge: 'br-ex' } as const;
const CENTRAL = '192.0.2.1';

let lab: LabCloud;
/** Each tenant's VLAN with 10.1.1.0/24 on it, and an instance on h1 and one on h2. */
let wires: readonly { readonly vlan: number; readonly near: Guest; readonly far: Guest }[];
/** The first tenant's VPC: an instance on h1 and one on h2; and the second's, on h2. */
let inside: { readonly attacker: Guest; readonly peer: Guest; readonly foreign: Guest };
/** On h1, in a network without addresses: its owner may take any of IPv4. */
let free: Guest;

suite('attacks on the wires', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      const tenants = await Promise.all(['acme-admin', 'globex-admin'].map((account) => tenantOf(lab.cloud, account)));
      wires = await Promise.all(
        tenants.map(async (tenant, index) => {
          const network = await tenant.network('NoServices', { cidr: '10.1.1.0/24' });
          const [near, far] = await Promise.all(
            ['h1', 'h2'].map((host) => tenant.instance(`wire${index}-${host}`, network, host)),
          );
          return { vlan: await tenant.vlanOf(network), near: near!, far: far! };
        }),
      );
      const tiers = await Promise.all(
        tenants.map(async (tenant) =>
          tenant.tier(await tenant.vpc('shop', '10.1.0.0/16'), '10.1.1.1', 'default_allow'),
        ),
      );
      const [acme, globex] = tenants;
      const [attacker, peer, foreign] = await Promise.all([
        acme!.instance('attacker', tiers[0]!, 'h1'),
        acme!.instance('peer', tiers[0]!, 'h2'),
        globex!.instance('foreign', tiers[1]!, 'h2'),
      ]);
      inside = { attacker: attacker!, peer: peer!, foreign: foreign! };
      free = await acme!.instance('free', await acme!.network('DefaultL2NetworkOffering'), 'h1');
    },
    { topology: 'region' },
  );

  test('20: no tag that an instance puts on a frame leads anywhere, nor does a frame for switches', async () => {
    const [own, other] = wires;
    const { near, far } = own!;
    const attacks: Attack[] = [];
    for (const to of [far, other!.near, other!.far]) {
      for (const [name, tag] of tags(own!.vlan, other!.vlan))
        attacks.push(attack(`${name} to ${to.name}`, (mark) => tag(plain(near, to, mark))));
      attacks.push(attack(`another kind of frame to ${to.name}`, (mark) => ethernet(to.mac, near.mac, 0x88b5, mark)));
    }
    for (const to of SWITCHES) {
      attacks.push(attack(`a frame to ${to}`, (mark) => ethernet(to, near.mac, 0x88cc, mark)));
      // Their kind is a length: IEEE 802.3 with LLC.
      attacks.push(
        attack(`a frame to ${to} with LLC`, (mark) =>
          ethernet(to, near.mac, 24, Buffer.concat([Buffer.from('aaaa0300000c2004', 'hex'), mark])),
        ),
      );
    }
    const twin = attack('an untagged datagram', (mark) => plain(near, far, mark));
    const onCable = await cable('h1', () =>
      onlyTwinsArrive(lab.cloud, { from: near, attacks, twins: [{ twin, hears: far }], watchers: everybody() }),
    );
    const tagsOf = ({ mark }: Attack): (number | undefined)[] => onCable.filter(has(mark)).map(({ vlan }) => vlan);
    assert.deepEqual(tagsOf(twin), [own!.vlan], 'the harmless one crosses the cable with its tag');
    assert.deepEqual(
      attacks.filter((each) => tagsOf(each).length > 0).map(({ name }) => name),
      [],
    );
  });

  test('20: a machine on an access port stays in the VLAN of its port, whatever tags it sends', async () => {
    const [own, other] = wires;
    const mac = (await lab.wire.inNetwork(MACHINE.node, ['cat', '/sys/class/net/eth0/address'])).stdout.trim();
    const machine = { mac, address: '10.1.1.200' };
    const attempts = (port: number): Attack[] =>
      [other!.near, other!.far].flatMap((to) =>
        tags(port, other!.vlan).map(([name, tag]) =>
          attack(`${name} to ${to.name}`, (mark) => tag(plain(machine, to, mark))),
        ),
      );
    await access(own!.vlan);
    await onlyTwinsArrive(lab.cloud, {
      from: MACHINE,
      attacks: attempts(own!.vlan),
      twins: [{ twin: attack('an untagged datagram', (mark) => plain(machine, own!.far, mark)), hears: own!.far }],
      watchers: [other!.near, other!.far],
    });
    // Where nobody has attached it, it is in no tenant's VLAN at all.
    const { parking } = lab.cloud.lab.topology.switch;
    await access(parking!);
    await onlyTwinsArrive(lab.cloud, { from: MACHINE, attacks: attempts(parking!), twins: [], watchers: everybody() });
  });

  test("21: nothing that an instance sends is taken for a tunnel's, and no such packet meets the wire", async () => {
    const { attacker, peer, foreign } = inside;
    const gateway = await gatewayOf(attacker);
    const { stdout } = await run([
      'ovn-sbctl',
      `--db=${lab.cloud.lab.sb}`,
      '--bare',
      '--columns=tunnel_key',
      'list',
      'Datapath_Binding',
    ]);
    const keys = stdout.trim().split(/\s+/).map(Number);
    assert.ok(keys.length > 4);
    const addresses = [...lab.cloud.lab.topology.hypervisors.map(({ address }) => address), '10.1.1.1'];
    const attacks = addresses.flatMap((to) =>
      (['geneve', 'vxlan'] as const).flatMap((kind) =>
        keys.map((key) =>
          attack(`${kind} ${key} to ${to}`, (mark) =>
            ethernet(
              gateway,
              attacker.mac,
              TYPE.ipv4,
              ipv4({
                from: attacker.address,
                to,
                protocol: 17,
                data: tunnelled(kind, key, plain(attacker, foreign, mark)),
              }),
            ),
          ),
        ),
      ),
    );
    const twin = attack('a datagram', (mark) => plain(attacker, peer, mark));
    const onCable = await cable('h1', () =>
      onlyTwinsArrive(lab.cloud, { from: attacker, attacks, twins: [{ twin, hears: peer }], watchers: everybody() }),
    );
    assert.ok(onCable.some(has(twin.mark)), 'the harmless one crosses the cable in its tunnel');
    assert.deepEqual(
      attacks.filter(({ mark }) => onCable.some(has(mark))).map(({ name }) => name),
      [],
    );
  });

  test('21: the watch of the nodes over each other is nothing an instance can disturb', async () => {
    const { attacker, peer } = inside;
    const gateway = await gatewayOf(attacker);
    // Those that watch nobody at the moment have no sessions; a slow machine's may be down for a moment.
    const watching = await eventually('a session that is up', async () => {
      const up = (await sessions()).filter(({ state }) => state === 'up').map(({ name }) => name);
      return up.length > 0 ? up : undefined;
    });
    // BFD (RFC 5880, 4.1): version 1, administratively down, of both ends' guesses at the other's number. What goes through a tunnel arrives
    // where the tunnel's own would (CVE-2024-2182).
    const down = Buffer.from(`20000318${'00000001'.repeat(2)}${'000186a0'.repeat(2)}00000000`, 'hex');
    const targets: [string, string][] = [
      [peer.mac, peer.address],
      ['00:23:20:00:00:01', peer.address],
      ...['10.1.1.1', '192.0.2.11', HYPERVISOR.address, '8.8.8.8'].map((to): [string, string] => [gateway, to]),
    ];
    const frames = targets.flatMap(([mac, to]) =>
      [3784, 4784].map((port) => {
        const data = datagram(49_152, port, down);
        const packet = ipv4({ from: attacker.address, to, protocol: 17, timeToLive: 255, data });
        return ethernet(mac, attacker.mac, TYPE.ipv4, packet);
      }),
    );
    for (let round = 0; round < 10; round++) {
      await send(lab.cloud.lab, attacker, ...frames);
      const told = (await sessions()).filter(({ remote }) => remote === 'admin_down');
      assert.deepEqual(told, [], 'a session took it for its own');
    }
    await eventually('the same sessions', async () => {
      const up = new Set((await sessions()).filter(({ state }) => state === 'up').map(({ name }) => name));
      return watching.every((name) => up.has(name)) || undefined;
    });
  });

  test('21: an instance reaches no node and no database of the control plane', async () => {
    const { attacker } = inside;
    assert.deepEqual(await connected('h1', [`${CENTRAL}:6642`]), [`${CENTRAL}:6642`], 'a hypervisor reaches one');
    const ports = [22, 80, 443, 6640, 6641, 6642, 8080, 8250, 9090];
    const hosts = [CENTRAL, '192.0.2.11', HYPERVISOR.address, '10.1.1.1'];
    const targets = hosts.flatMap((host) => ports.map((port) => `${host}:${port}`));
    assert.deepEqual(await connected(attacker, targets), []);
    for (const address of [CENTRAL, '192.0.2.11', HYPERVISOR.address])
      assert.ok(!(await lab.ping(attacker, { address })), address);
  });

  test("21: with an address of the nodes' network an instance on a VLAN still meets none of them, nor by their hardware address", async () => {
    await lab.exec(free, 'ip', 'address', 'add', '192.0.2.200/24', 'dev', 'eth0');
    for (const address of [CENTRAL, '192.0.2.11', HYPERVISOR.address]) {
      assert.ok(!(await lab.ping(free, { address })), address);
      assert.equal(await lab.wire.neighbour(free, address), undefined);
    }
    const { stdout } = await lab.wire.inNetwork(HYPERVISOR.name, [
      'cat',
      `/sys/class/net/${HYPERVISOR.bridge}/address`,
    ]);
    await ownNode();
    const before = await lab.wire.echoesReceived(HYPERVISOR.name);
    const echo = (from: string): Buffer =>
      ethernet(
        stdout.trim(),
        free.mac,
        TYPE.ipv4,
        ipv4({ from, to: HYPERVISOR.address, protocol: 1, data: icmp(8, 0, newMark(), 1) }),
      );
    const question = arp({
      operation: 1,
      sender: [free.mac, '192.0.2.200'],
      target: ['00:00:00:00:00:00', HYPERVISOR.address],
    });
    const frames = [echo('192.0.2.200'), echo('192.0.2.13'), ethernet(BROADCAST, free.mac, TYPE.arp, question)];
    const { vlan } = wires[0]!;
    await send(
      lab.cloud.lab,
      free,
      ...frames,
      ...frames.flatMap((frame) => [0, 1, vlan].map((tag) => tagged(frame, tag))),
    );
    assert.equal(await lab.wire.echoesReceived(HYPERVISOR.name), before);
    assert.ok(await lab.wire.pingFrom('h1', HYPERVISOR.address));
    assert.equal(await lab.wire.echoesReceived(HYPERVISOR.name), before + 1, 'an echo request that arrives is counted');
    const known = await lab.wire.inNetwork(HYPERVISOR.name, ['ip', 'neighbour', 'show', '192.0.2.200']);
    assert.equal(known.stdout.trim(), '');
  });
});

/** The node an instance is on sees its frames before anybody: it must take none of them for its own, to whatever hardware address. */
async function ownNode(): Promise<void> {
  const { stdout } = await lab.wire.inNetwork('h1', ['ip', '-json', 'link']);
  const links = JSON.parse(stdout) as readonly { readonly address?: string }[];
  const macs = links.flatMap(({ address }) => (address === undefined || address.startsWith('00:00') ? [] : [address]));
  assert.ok(macs.length > 4);
  const before = await lab.wire.echoesReceived('h1');
  const frames = macs.flatMap((to) =>
    ['192.0.2.200', '192.0.2.12', '10.1.1.10'].map((from) =>
      ethernet(to, free.mac, TYPE.ipv4, ipv4({ from, to: '192.0.2.11', protocol: 1, data: icmp(8, 0, newMark(), 1) })),
    ),
  );
  await send(lab.cloud.lab, free, ...frames);
  assert.equal(await lab.wire.echoesReceived('h1'), before);
  assert.ok(await lab.wire.pingFrom(HYPERVISOR.name, '192.0.2.11'));
  assert.equal(await lab.wire.echoesReceived('h1'), before + 1);
}

type Tagging = readonly [name: string, put: (frame: Buffer) => Buffer];

/** The ways out of a VLAN that tags promise: by one, by two of either kind, by one that means priority only, by one that is none. */
function tags(own: number, other: number): Tagging[] {
  const one = (vlan: number, type?: number): Tagging => [
    `tag ${vlan}${type === undefined ? '' : ' of a provider'}`,
    (frame) => tagged(frame, vlan, type),
  ];
  const twice = (outer: number, inner: number, type?: number): Tagging => [
    `tags ${outer} and ${inner}${type === undefined ? '' : ' of a provider'}`,
    (frame) => tagged(tagged(frame, inner), outer, type),
  ];
  return [
    ...[other, 1, 100, 4095].flatMap((vlan) => [one(vlan), one(vlan, TYPE.dot1ad)]),
    ...[own, 0, 1, other].flatMap((outer) => [twice(outer, other), twice(outer, other, TYPE.dot1ad)]),
    twice(other, own),
    ['three tags', (frame) => tagged(tagged(tagged(frame, other), own), own, TYPE.dot1ad)],
    ['a tag of the old kind', (frame) => tagged(frame, other, 0x9100)],
  ];
}

function plain(from: Pick<Guest, 'mac' | 'address'>, to: Guest, mark: Buffer): Buffer {
  return ethernet(to.mac, from.mac, TYPE.ipv4, udp(from.address, 9, to.address, 9, mark));
}

function everybody(): Guest[] {
  return [...wires.flatMap(({ far }) => [far]), wires[1]!.near, inside.peer, inside.foreign];
}

/** Those of these places (`HOST:PORT`) that take a TCP connection from there within a second. */
async function connected(from: string | Guest, places: readonly string[]): Promise<string[]> {
  const program = `import socket, sys
from concurrent.futures import ThreadPoolExecutor
def attempt(place):
    host, port = place.split(':')
    try:
        socket.create_connection((host, int(port)), 1).close()
        return place
    except OSError:
        return ''
with ThreadPoolExecutor(64) as pool:
    print(' '.join(pool.map(attempt, sys.argv[1:])))`;
  const { code, stdout, stderr } = await lab.wire.inNetwork(from, ['/usr/bin/python3', '-c', program, ...places]);
  assert.equal(code, 0, stderr);
  return stdout
    .split(' ')
    .map((place) => place.trim())
    .filter((place) => place !== '');
}

/** What comes from a hypervisor at the switch meanwhile. */
async function cable(node: string, work: () => Promise<void>): Promise<Frame[]> {
  return seenOn(lab.cloud.state, lab.cloud.lab.topology.switch.name, `${node}-eth0`, work);
}

function has(mark: Buffer): (frame: Frame) => boolean {
  return ({ bytes }) => bytes.includes(mark);
}

/** Sets the machine's port as an engineer at the switch does. */
async function access(vlan: number): Promise<void> {
  const { code, stderr } = await lab.wire.exec('sw', [
    'ovs-vsctl',
    'set',
    'Port',
    `${MACHINE.node}-eth0`,
    `tag=${vlan}`,
  ]);
  assert.equal(code, 0, stderr);
}

async function gatewayOf(guest: Guest): Promise<string> {
  return eventually('the MAC of the gateway', async () => {
    await lab.wire.pingFrom(guest, '10.1.1.1');
    return lab.wire.neighbour(guest, '10.1.1.1');
  });
}

/** The BFD sessions of all nodes of OVN, by tunnel: their state, and what the other end said of its own. */
async function sessions(): Promise<{ readonly name: string; readonly state: string; readonly remote: string }[]> {
  const argv = 'ovs-vsctl --bare --columns=name,bfd_status find Interface type=geneve'.split(' ');
  const told = await Promise.all(
    chassisNodes(lab.cloud.lab.topology).map(async ({ name: node }) => {
      const { stdout } = await lab.wire.exec(node, argv);
      return stdout.split('\n\n').flatMap((row) => {
        const state = / state=(\w+)/.exec(row)?.[1];
        if (state === undefined) return [];
        const name = `${node} ${row.trim().split('\n')[0]}`;
        return [{ name, state, remote: / remote_state=(\w+)/.exec(row)?.[1] ?? '' }];
      });
    }),
  );
  return told.flat();
}
