// The public side of networks outside VPCs that OVN routes for: firewall and egress rules, routed networks, rates of cards.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { echoIn, type Echo } from '../support/echo.ts';
import { eventually } from '../support/lab.ts';
import { openPublic, publicCalls, type PublicAddress, type PublicCalls } from '../support/public-calls.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const OUTSIDE = '198.51.100.10';

let lab: LabCloud;
let echo: Echo;
let calls: PublicCalls;
let network = '';
let own: PublicAddress;
let first: Guest;
let second: Guest;

const says = (name: string, from: string, port: number) => ({ name, from, port });

/** Whoever it is that answers; undefined: nobody. */
const answers = async (from: string | Guest, host: string, port: number): Promise<string | undefined> =>
  (await echo.ask(from, host, port))?.name;

/** Makes a change while a connection is open, and waits until it is cut: milliseconds from the request. */
async function cuts(from: string | Guest, host: string, port: number, change: () => Promise<unknown>): Promise<number> {
  const held = await echo.hold(from, host, port);
  assert.ok(await held.isAlive());
  const dead = held.untilDead();
  await change();
  const ms = await dead;
  await held.end();
  return ms;
}

suite('the public side of a network', () => {
  cloudForSuite(async (started) => {
    lab = started;
    echo = echoIn(lab.cloud);
    calls = publicCalls(lab.tenant);
    await openPublic(lab, 10, 60);
    network = await lab.tenant.network('DefaultIsolatedNetworkOfferingWithSourceNatService', { cidr: '10.5.0.0/24' });
    first = await lab.tenant.instance('first', network, 'h1');
    // On the hypervisor that carries the router: there OVN translates answers at another place than elsewhere.
    const routers = rows(await lab.cloud.as('admin')('listRouters', { networkid: network, listall: 'true' }), 'router');
    second = await lab.tenant.instance('second', network, text(routers[0], 'hostname'));
    own = await calls.sourceNat({ networkid: network });
    await echo.serve('outside', 'outside', 80, 443);
    await echo.serve(first, 'first', 8000, 8001);
    await echo.serve(second, 'second', 8000, 8001);
  });

  test('nothing goes out without a rule where the offering denies, and a rule that goes cuts what it let through', async (t) => {
    assert.equal(await answers(first, OUTSIDE, 80), undefined);
    assert.ok(!(await echo.ping(first, OUTSIDE)));
    assert.equal(await answers(first, second.address, 8000), 'second', 'inside all is free');
    const rule = await calls.egress(network, { startport: '80', endport: '80', destcidrlist: '198.51.100.0/24' });
    assert.deepEqual(await echo.ask(first, OUTSIDE, 80), says('outside', own.ip, 80));
    assert.equal(await answers(first, OUTSIDE, 443), undefined);
    const ms = await cuts(first, OUTSIDE, 80, () => lab.tenant.call('deleteEgressFirewallRule', { id: rule }));
    t.diagnostic(`cut after ${ms} ms`);
    assert.equal(await answers(first, OUTSIDE, 80), undefined);
    await calls.egress(network, { protocol: 'all' });
    assert.equal(await answers(first, OUTSIDE, 443), 'outside');
  });

  test('a forward that comes leaves alone what the network has open, and answers; one that goes ends its own', async () => {
    const sources = [500, 20_000, 40_000, 60_000];
    const held = await Promise.all(sources.map((source) => echo.hold(first, OUTSIDE, 80, source)));
    const alive = async (): Promise<number[]> => {
      const all = await Promise.all(held.map((one) => one.isAlive()));
      return sources.filter((_, i) => all[i]);
    };
    const datagrams = await calls.forward(own, second, network, '51820', { protocol: 'udp' });
    assert.deepEqual(await alive(), sources);
    const opened = await calls.firewall(own, { startport: '1', endport: '65535' });
    const same = await calls.forward(own, second, network, '8001');
    const incoming = await echo.hold('outside', own.ip, 8001);
    const other = await calls.forward(own, second, network, '2222', { inside: '8000' });
    const [asked, another] = await Promise.all([
      echo.hold(first, OUTSIDE, 443, 2222),
      echo.hold('outside', own.ip, 2222),
    ]);
    assert.deepEqual(
      [asked, incoming].map(({ answer }) => answer.name),
      ['outside', 'second'],
    );
    assert.ok(
      (await asked.isAlive()) && (await incoming.isAlive()),
      'one has the port of a forward, the other was open when that came',
    );
    await lab.tenant.call('deletePortForwardingRule', { id: same });
    await incoming.untilDead();
    assert.ok(await another.isAlive());
    await lab.tenant.call('deletePortForwardingRule', { id: other });
    await another.untilDead();
    assert.deepEqual(await alive(), sources);
    assert.ok(await asked.isAlive());
    await Promise.all([...held, asked, incoming, another].map((one) => one.end()));
    await lab.tenant.call('deletePortForwardingRule', { id: datagrams });
    await lab.tenant.call('deleteFirewallRule', { id: opened });
  });

  test('a forward is closed until the firewall opens it, to those it names, and what is open ends with the rule', async (t) => {
    await calls.forward(own, first, network, '2222', { inside: '8000' });
    await calls.forward(own, second, network, '8001');
    assert.equal(await answers('outside', own.ip, 2222), undefined);
    const rule = await calls.firewall(own, { startport: '2222', endport: '2222', cidrlist: '198.51.100.0/24' });
    assert.equal(await answers('outside', own.ip, 2222), 'first');
    assert.equal(await answers('upstream', own.ip, 2222), undefined, 'its address on the wire is not in the rule');
    assert.equal(await answers('outside', own.ip, 8001), undefined);
    assert.equal(await answers(second, own.ip, 2222), 'first', 'inside it was never closed');
    assert.ok(!(await echo.ping('outside', own.ip)));
    await calls.firewall(own, { protocol: 'icmp', icmptype: '8', icmpcode: '0' });
    assert.ok(await echo.ping('outside', own.ip));
    const ms = await cuts('outside', own.ip, 2222, () => lab.tenant.call('deleteFirewallRule', { id: rule }));
    t.diagnostic(`cut after ${ms} ms`);
    assert.equal(await answers('outside', own.ip, 2222), undefined);
    for (const guest of [first, second]) assert.equal(await answers(guest, OUTSIDE, 80), 'outside', 'answers pass');
  });

  test('restarted, with cleanup and without, it keeps what is open and loses no ping', async () => {
    const held = await echo.hold(first, OUTSIDE, 443);
    const pings = lab.cloud.lab.exec('outside', ['ping', '-i', '0.01', '-c', '200', '-W', '1', own.ip]);
    for (const cleanup of ['true', 'false']) await lab.tenant.call('restartNetwork', { id: network, cleanup });
    assert.match((await pings).stdout, /200 received/);
    assert.ok(await held.isAlive());
    await held.end();
    assert.equal(await answers(first, OUTSIDE, 443), 'outside');
  });

  test('static NAT is closed, too, and its instance speaks to the world', async (t) => {
    const address = await calls.address({ networkid: network });
    await calls.staticNat(address, second, network);
    await eventually('static NAT', async () =>
      (await echo.ask(second, OUTSIDE, 80))?.from === address.ip ? true : undefined,
    );
    assert.equal(await answers('outside', address.ip, 8000), undefined);
    const rule = await calls.firewall(address, { startport: '8000', endport: '8000' });
    assert.deepEqual(await echo.ask('outside', address.ip, 8000), says('second', OUTSIDE, 8000));
    assert.equal(await answers('outside', address.ip, 8001), undefined);
    assert.equal(await answers(first, address.ip, 8001), 'second', 'from inside it is open');
    const ms = await cuts('outside', address.ip, 8000, () => lab.tenant.call('deleteFirewallRule', { id: rule }));
    t.diagnostic(`cut after ${ms} ms`);
    assert.deepEqual(await echo.ask(second, OUTSIDE, 80), says('outside', address.ip, 80));
    await calls.release(address);
  });

  test('a routed network is reached by its own addresses, by a route or on the wire itself', async (t) => {
    const admin = lab.cloud.as('admin');
    const provider = (service: string, i: number) => ({
      [`serviceproviderlist[${i}].service`]: service,
      [`serviceproviderlist[${i}].provider`]: 'VirtualRouter',
    });
    await admin('createNetworkOffering', {
      name: 'Routed',
      displaytext: 'Routed',
      guestiptype: 'Isolated',
      traffictype: 'Guest',
      networkmode: 'ROUTED',
      supportedservices: 'Dhcp,Gateway',
      ...provider('Dhcp', 0),
      ...provider('Gateway', 1),
      enable: 'true',
    });
    const routed = await lab.tenant.network('Routed', { cidr: '172.20.0.0/24' });
    const inside = await lab.tenant.instance('routed', routed, 'h3');
    const leg = await calls.routerAddress(routed);
    await lab.wire.route('upstream', '172.20.0.0/24', leg.ip);
    await echo.serve(inside, 'routed', 8000);
    assert.deepEqual(await echo.ask('outside', inside.address, 8000), says('routed', OUTSIDE, 8000));
    assert.deepEqual(await echo.ask(inside, OUTSIDE, 80), says('outside', inside.address, 80));
    const [translated, plain] = [await echo.stream(first, OUTSIDE, 80, 2), await echo.stream(inside, OUTSIDE, 80, 2)];
    t.diagnostic(`throughput by source NAT: ${(translated / plain).toFixed(2)} of that without`);

    const [{ account, domainid }] = rows(await lab.tenant.call('listUsers'), 'user') as [
      Record<'account' | 'domainid', string>,
    ];
    const networkofferingid = await lab.tenant.idOf('listNetworkOfferings', 'networkoffering', 'Routed');
    const params = {
      name: 'wire',
      displaytext: 'wire',
      zoneid: lab.tenant.zoneid,
      networkofferingid,
      account,
      domainid,
    };
    const made = await admin('createNetwork', { ...params, cidr: '203.0.113.128/28' });
    const onWire = text(field(made, 'network'), 'id');
    const direct = await lab.tenant.instance('direct', onWire, 'h1');
    await echo.serve(direct, 'direct', 8000);
    assert.deepEqual(await echo.ask('outside', direct.address, 8000), says('direct', OUTSIDE, 8000));
    assert.deepEqual(await echo.ask(direct, OUTSIDE, 80), says('outside', direct.address, 80));
    assert.deepEqual(await echo.ask(direct, inside.address, 8000), says('routed', direct.address, 8000));
  });

  test('a card sends and receives no more than its rate, and most of it', async (t) => {
    const admin = lab.cloud.as('admin');
    const made = field(
      await admin('createServiceOffering', {
        name: 'slow',
        displaytext: 'slow',
        cpunumber: '1',
        cpuspeed: '1000',
        memory: '128',
        networkrate: '4',
      }),
      'serviceoffering',
    );
    const slow = await lab.tenant.instance('slow', network, 'h1', { serviceofferingid: text(made, 'id') });
    await echo.serve(slow, 'slow', 8000);
    const free = (await echo.stream(second, first.address, 8000, 2)) * 8;
    const sends = (await echo.stream(slow, first.address, 8000, 4)) * 8;
    const receives = (await echo.stream(first, slow.address, 8000, 4)) * 8;
    t.diagnostic(`Mbit/s there and back: ${[free, sends, receives].map((bits) => (bits / 1e6).toFixed(1)).join(', ')}`);
    // Twice the rate may come in the first second: the bucket is full at the beginning.
    for (const bits of [sends, receives])
      assert.ok(bits > 2e6 && bits < 6.5e6 && bits < free / 1.5, `${bits} of ${free}`);
  });
});
