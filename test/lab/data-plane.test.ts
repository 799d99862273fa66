// The data plane as tenants see it: who reaches whom through tiers, Private networks of all kinds, lists and routes, with the first
// packet after a job's success; and how it looks on the wire.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { run } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { fits, seenBy, seenOn } from '../support/packets.ts';
import { type Guest, type LabCloud, type PRIVATE, cloudForSuite } from '../support/tenant-lab.ts';

/** A VPC 10.NUMBER.0.0/16 with a tier and an instance on a hypervisor. */
interface Side {
  readonly number: number;
  readonly vpcid: string;
  readonly tier: string;
  readonly guest: Guest;
}

interface Connection {
  readonly networkid: string;
  readonly gateways: readonly string[];
  readonly routes: readonly string[];
}

let lab: LabCloud;
/** Two on each hypervisor: h1 has 1 and 2, h2 3 and 4, h3 5 and 6. */
let sides: Side[];

suite('data plane', () => {
  cloudForSuite(async (started) => {
    lab = started;
    await lab.cloud.as('admin')('updateConfiguration', { name: 'network.vlan.tenants', value: '2500-2599' });
    sides = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => side(number, `h${Math.ceil(number / 2)}`)));
  });

  const pairs: readonly (readonly [number, number])[] = [
    [1, 3],
    [4, 5],
    [6, 2],
    [3, 6],
    [1, 2],
  ];
  for (const kind of ['overlay', 'pool', 'byHand'] as const) {
    test(`a Private network (${kind}) carries the first packet after the last job, between all pairs of hypervisors`, async () => {
      for (const [index, [from, to]] of pairs.entries()) {
        // In turn the last job is that of the last route, of all at once, and of the gateway that the routes were waiting for.
        const last = (['route', 'all', 'gateway'] as const)[index % 3]!;
        const between = await connect(sides[from - 1]!, sides[to - 1]!, kind, `172.16.${index}.0`, last);
        const reached = await Promise.all([pingSides(from, to), pingSides(to, from)]);
        assert.deepEqual(reached, [true, true], `${from} and ${to}, made with the ${last} last`);
        await disconnect(between);
        assert.equal(await pingSides(from, to), false, 'nothing is left of it');
      }
    });
  }

  test('an instance that comes to a connected VPC reaches the others with its first packet, and is reached', async () => {
    for (const kind of ['overlay', 'pool'] as const) {
      const [a, b] = [sides[0]!, sides[2]!];
      const between = await connect(a, b, kind, '172.16.0.0', 'all');
      const reached = await Promise.all(
        ['h1', 'h2', 'h3'].map(async (host) => {
          const guest = await lab.tenant.instance(`late-${kind.toLowerCase()}-${host}`, a.tier, host);
          return Promise.all([lab.ping(guest, b.guest), lab.ping(b.guest, guest), lab.ping(guest, a.guest)]);
        }),
      );
      assert.deepEqual(reached.flat().filter(Boolean).length, 9, JSON.stringify(reached));
      await disconnect(between);
    }
  });

  for (const [kind, tagged] of [
    ['overlay', false],
    ['pool', true],
    ['byHand', true],
  ] as const) {
    test(`what a Private network (${kind}) carries between hypervisors is ${tagged ? 'tagged with its VLAN' : 'tagged with none'} on the wire`, async () => {
      const [a, b] = [sides[0]!, sides[4]!];
      const between = await (tagged ? connectByWire(a, b, kind) : connect(a, b, kind, '172.16.0.0', 'all'));
      try {
        const networks = rows(
          await lab.cloud.as('admin')('listNetworks', { id: between.networkid, listall: 'true' }),
          'network',
        );
        const vlan = tagged ? Number(text(networks[0], 'vlan')) : undefined;
        const frames = (
          await Promise.all(uplinks().map((device) => seenOn(lab.cloud.state, 'sw', device, () => pingSides(1, 5))))
        ).flat();
        const carried = frames.filter(({ bytes }) => bytes.includes(addressBytes(a, b)));
        const ours = carried.filter(({ vlan: id }) => id !== undefined && id !== 1);
        assert.deepEqual([...new Set(ours.map((frame) => frame.vlan))], tagged ? [vlan] : []);
        if (tagged) {
          const table = (
            await lab.cloud.lab.exec('sw', [
              'ovs-appctl',
              '-t',
              `${lab.cloud.state}/lab/sw/vs.ctl`,
              'fdb/show',
              'br-sw',
            ])
          ).stdout;
          assert.match(
            table,
            new RegExp(`^ *\\d+ +${vlan} +02:`, 'm'),
            'the switch has learnt the gateways on that VLAN',
          );
        } else {
          assert.ok(
            carried.some(({ bytes }) => bytes.readUInt16BE(12) === 0x0800 && bytes.readUInt16BE(36) === 6081),
            'it goes through a Geneve tunnel',
          );
        }
      } finally {
        // The next tests connect the same sides.
        await disconnect(between);
      }
    });
  }

  test('guests learn the MTU, packets of that size pass between hypervisors, and one byte more is refused where it starts', async () => {
    const [a, b] = [sides[0]!, sides[2]!];
    const second = await lab.tenant.instance('mtu', a.tier, 'h2');
    assert.match((await lab.exec(a.guest, 'ip', 'link', 'show', 'dev', 'eth0')).stdout, /mtu 1442/);
    assert.equal(await fits(lab.cloud.lab, a.guest, second, 1442), 'answered', 'within a tier');
    assert.equal(await fits(lab.cloud.lab, a.guest, second, 1443), 'too-long');
    for (const kind of ['overlay', 'pool'] as const) {
      const between = await connect(a, b, kind, '172.16.0.0', 'all');
      assert.equal(await fits(lab.cloud.lab, a.guest, b.guest, 1442), 'answered', kind);
      await disconnect(between);
    }
  });

  test('tiers of a VPC are one hop apart; no list lets nothing in and all out, default_deny nothing at all, and another list counts when its job ends', async () => {
    const { vpcid, guest: open } = sides[5]!;
    const [none, deny] = await Promise.all([
      lab.tenant.tier(vpcid, '10.6.2.1'),
      lab.tenant.tier(vpcid, '10.6.3.1', 'default_deny'),
    ]);
    const [quiet, shut] = await Promise.all([
      lab.tenant.instance('quiet', none!, 'h1'),
      lab.tenant.instance('shut', deny!, 'h2'),
    ]);
    assert.deepEqual(
      await Promise.all([
        lab.ping(quiet!, open),
        lab.ping(open, quiet!),
        lab.ping(shut!, open),
        lab.ping(open, shut!),
        lab.ping(quiet!, shut!),
      ]),
      [true, false, false, false, false],
    );
    assert.equal(await timeToLive(quiet!, open), 63, 'one router between tiers');
    const aclid = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
    await lab.tenant.call('replaceNetworkACLList', { networkid: deny!, aclid });
    assert.deepEqual(
      await Promise.all([lab.ping(shut!, open), lab.ping(open, shut!)]),
      [true, true],
      'as soon as its job ends',
    );
    const shutAgain = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_deny');
    await lab.tenant.call('replaceNetworkACLList', { networkid: deny!, aclid: shutAgain });
    assert.deepEqual(await Promise.all([lab.ping(shut!, open), lab.ping(open, shut!)]), [false, false], 'and back');
  });

  test('a gateway without a list answers nobody who comes in, and carries what goes out with its answers; another list changes that with its job', async () => {
    const [a, b] = [sides[1]!, sides[3]!];
    const networkid = await lab.tenant.privateNetwork('172.16.9.0/24');
    const gateways = [
      await lab.tenant.gateway(a.vpcid, networkid, '172.16.9.1'),
      await lab.tenant.gateway(b.vpcid, networkid, '172.16.9.2', 'default_allow'),
    ];
    const routes = await meshRoutes(a, b, '172.16.9.0');
    assert.deepEqual(await Promise.all([pingSides(2, 4), pingSides(4, 2)]), [true, false]);
    const aclid = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
    await lab.tenant.call('replaceNetworkACLList', { gatewayid: gateways[0]!, aclid });
    assert.deepEqual(await Promise.all([pingSides(2, 4), pingSides(4, 2)]), [true, true]);
    const deny = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_deny');
    await lab.tenant.call('replaceNetworkACLList', { gatewayid: gateways[0]!, aclid: deny });
    assert.deepEqual(await Promise.all([pingSides(2, 4), pingSides(4, 2)]), [true, false]);
    await disconnect({ networkid, gateways, routes });
  });

  test('between VPCs two routers take one hop each, and nobody translates', async () => {
    for (const kind of ['overlay', 'pool'] as const) {
      const [a, b] = [sides[0]!, sides[2]!];
      const between = await connect(a, b, kind, '172.16.0.0', 'all');
      assert.equal(await timeToLive(a.guest, b.guest), 62);
      const frames = await seenBy(lab.cloud.lab, b.guest, () => pingSides(1, 3));
      const echo = frames.find(({ bytes }) => bytes.readUInt16BE(12) === 0x0800 && bytes[23] === 1 && bytes[34] === 8)!;
      assert.equal([...echo.bytes.subarray(26, 30)].join('.'), a.guest.address);
      assert.equal(echo.bytes[22], 62, 'TTL of the request');
      await disconnect(between);
    }
  });

  test('a route by way of an instance in a tier is Active and leads to what stands behind it', async () => {
    const { vpcid, tier, guest: appliance } = sides[4]!;
    const other = await lab.tenant.tier(vpcid, '10.5.2.1', 'default_allow');
    const clients = await Promise.all([
      lab.tenant.instance('far', other, 'h1'),
      lab.tenant.instance('near', tier, 'h2'),
    ]);
    const behind = { address: '10.200.0.1' };
    assert.equal((await lab.exec(appliance, 'ip', 'address', 'add', `${behind.address}/32`, 'dev', 'lo')).code, 0);
    assert.deepEqual(await Promise.all(clients.map((client) => lab.ping(client, behind))), [false, false]);
    const { id, state } = await lab.tenant.route(vpcid, '10.200.0.0/24', appliance.address);
    assert.equal(state, 'Active');
    assert.deepEqual(await Promise.all(clients.map((client) => lab.ping(client, behind))), [true, true]);
    await lab.tenant.call('deleteStaticRoute', { id });
    assert.deepEqual(await Promise.all(clients.map((client) => lab.ping(client, behind))), [false, false]);
  });

  test('a next hop nobody is connected to is Unreachable, with the reason and an event, and heals when its segment appears', async () => {
    const [a, b] = [sides[0]!, sides[4]!];
    const there = await lab.tenant.route(a.vpcid, '10.5.0.0/16', '172.16.20.2');
    const back = await lab.tenant.route(b.vpcid, '10.1.0.0/16', '172.16.20.1');
    assert.equal(there.state, 'Unreachable');
    assert.match(
      text(await lab.tenant.routeNow(there.id), 'reason'),
      /172\.16\.20\.2 is on no network that VPC v1 is connected to/,
    );
    const events = rows(await lab.tenant.call('listEvents', { level: 'WARN' }), 'event').map((event) =>
      text(event, 'description'),
    );
    assert.ok(
      events.some((said) => said.includes('172.16.20.2')),
      events.join('\n'),
    );
    const networkid = await lab.tenant.privateNetwork('172.16.20.0/24', 'pool');
    const gateways = [
      await lab.tenant.gateway(a.vpcid, networkid, '172.16.20.1', 'default_allow'),
      await lab.tenant.gateway(b.vpcid, networkid, '172.16.20.2', 'default_allow'),
    ];
    assert.deepEqual(
      await Promise.all([pingSides(1, 5), pingSides(5, 1)]),
      [true, true],
      'right after the last gateway',
    );
    for (const { id } of [there, back]) {
      await eventually(
        'the route being Active',
        async () => text(await lab.tenant.routeNow(id), 'state') === 'Active' || undefined,
        5_000,
      );
    }
    await disconnect({ networkid, gateways, routes: [there.id, back.id] });
  });

  test('a default route leads into the Private network, and the longest prefix still wins', async () => {
    const [a, b, c] = [sides[0]!, sides[2]!, sides[5]!];
    const networkid = await lab.tenant.privateNetwork('172.16.30.0/24');
    const gateways = await Promise.all(
      [a, b, c].map(({ vpcid, number }) =>
        lab.tenant.gateway(vpcid, networkid, `172.16.30.${number}`, 'default_allow'),
      ),
    );
    const routes = await Promise.all([
      lab.tenant.route(a.vpcid, '0.0.0.0/0', '172.16.30.3'),
      lab.tenant.route(b.vpcid, '10.1.0.0/16', '172.16.30.1'),
      lab.tenant.route(c.vpcid, '10.1.0.0/16', '172.16.30.1'),
    ]);
    assert.deepEqual(
      routes.map(({ state }) => state),
      ['Active', 'Active', 'Active'],
    );
    assert.deepEqual(await Promise.all([pingSides(1, 3), pingSides(3, 1), pingSides(1, 6)]), [true, true, false]);
    routes.push(await lab.tenant.route(a.vpcid, '10.6.0.0/16', '172.16.30.6'));
    assert.deepEqual(await Promise.all([pingSides(1, 3), pingSides(1, 6)]), [true, true]);
    await disconnect({ networkid, gateways, routes: routes.map(({ id }) => id) });
  });
});

async function side(number: number, host: string): Promise<Side> {
  const vpcid = await lab.tenant.vpc(`v${number}`, `10.${number}.0.0/16`);
  const tier = await lab.tenant.tier(vpcid, `10.${number}.1.1`, 'default_allow');
  return { number, vpcid, tier, guest: await lab.tenant.instance(`s${number}`, tier, host) };
}

let vlanByHand = 2_500;

/** Joins two VPCs by a new Private network `net`/24: addresses .1 and .2, a route each. */
async function connect(
  a: Side,
  b: Side,
  kind: keyof typeof PRIVATE,
  net: string,
  last: 'route' | 'all' | 'gateway',
): Promise<Connection> {
  const more = kind === 'byHand' ? { vlan: String(vlanByHand++) } : {};
  const networkid = await lab.tenant.privateNetwork(`${net}/24`, kind, more);
  const base = net.slice(0, net.lastIndexOf('.'));
  const gateway = ({ vpcid }: Side, at: number): Promise<string> =>
    lab.tenant.gateway(vpcid, networkid, `${base}.${at}`, 'default_allow');
  if (last === 'gateway') {
    const routes = await meshRoutes(a, b, net);
    return { networkid, routes, gateways: [await gateway(a, 1), await gateway(b, 2)] };
  }
  if (last === 'route') {
    const gateways = [await gateway(a, 1), await gateway(b, 2)];
    return { networkid, gateways, routes: await meshRoutes(a, b, net) };
  }
  const [routes, ...gateways] = await Promise.all([meshRoutes(a, b, net), gateway(a, 1), gateway(b, 2)]);
  return { networkid, gateways, routes };
}

/**
 * The same, with the two gateways on different hypervisors: each is carried by one that the product chooses, and between two on
 * the same one nothing meets the wire.
 */
async function connectByWire(a: Side, b: Side, kind: keyof typeof PRIVATE): Promise<Connection> {
  for (let tries = 0; tries < 12; tries++) {
    const between = await connect(a, b, kind, '172.16.0.0', 'all');
    const carriers = await Promise.all(between.gateways.map(carrierOf));
    if (new Set(carriers).size === 2) return between;
    await disconnect(between);
  }
  throw new Error('twelve times in a row both gateways were on the same hypervisor');
}

async function carrierOf(gateway: string): Promise<string> {
  const argv = ['ovn-sbctl', `--db=${lab.cloud.lab.sb}`, '--bare', '--columns=chassis', 'find', 'Port_Binding'];
  return (await run([...argv, `logical_port=cr-lrp-${gateway}`])).stdout.trim();
}

async function meshRoutes(a: Side, b: Side, net: string): Promise<string[]> {
  const base = net.slice(0, net.lastIndexOf('.'));
  const routes = await Promise.all([
    lab.tenant.route(a.vpcid, `10.${b.number}.0.0/16`, `${base}.2`),
    lab.tenant.route(b.vpcid, `10.${a.number}.0.0/16`, `${base}.1`),
  ]);
  return routes.map(({ id }) => id);
}

async function disconnect({ networkid, gateways, routes }: Connection): Promise<void> {
  await Promise.all(routes.map((id) => lab.tenant.call('deleteStaticRoute', { id })));
  await Promise.all(gateways.map((id) => lab.tenant.call('deletePrivateGateway', { id })));
  await lab.tenant.call('deleteNetwork', { id: networkid });
}

function pingSides(from: number, to: number): Promise<boolean> {
  return lab.ping(sides[from - 1]!.guest, sides[to - 1]!.guest);
}

/** What is left of an answer's 64 hops to live. */
async function timeToLive(from: Guest, to: Guest): Promise<number> {
  const { stdout } = await lab.exec(from, 'ping', '-c', '1', '-W', '1', to.address);
  return Number(/ ttl=(\d+)/.exec(stdout)?.[1]);
}

/** The switch's interfaces towards the hypervisors. */
function uplinks(): string[] {
  return lab.cloud.lab.topology.hypervisors.map(({ name }) => `${name}-eth0`);
}

/** Source and destination as they stand in an IPv4 header. */
function addressBytes(a: Side, b: Side): Buffer {
  return Buffer.from([a, b].flatMap(({ guest }) => guest.address.split('.').map(Number)));
}
