// A Linux router node that somebody meddles with, or whose agent dies: what is put right, what is told, what is left at the end.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { sleep } from '../../src/lib/sleep.ts';
import { createCalls } from '../support/router-calls.ts';
import { CAN_RUN, gap, startRouterLab, test, until, type RouterLab } from '../support/router-lab.ts';
import { network, open, publicAddress } from '../support/router-specs.ts';

let lab: RouterLab;
before(async () => {
  if (CAN_RUN) lab = await startRouterLab();
});
after(async () => lab?.stop());

const { serve, call, pings, address } = createCalls(() => lab);

const blue = network(1234, {
  name: 'blue',
  cidr: '10.1.1.0/24',
  ip: '10.1.1.2',
  gateway: '10.1.1.1',
  dhcp: { domain: '', dns: [], mtu: 1500, leases: [] },
  publicAddresses: [
    publicAddress('203.0.113.10', {
      sourceNat: true,
      ingress: [open('tcp', 2201)],
      forwards: [
        { protocol: 'tcp', publicPort: 2201, publicEndPort: 2201, privatePort: 80, ip: '10.1.1.11', cidrs: [] },
      ],
    }),
  ],
});
const red = network(1235, {
  name: 'red',
  cidr: '10.2.2.0/24',
  ip: '10.2.2.2',
  gateway: '10.2.2.1',
  publicAddresses: [publicAddress('203.0.113.12', { sourceNat: true })],
});

test('S16, S19: with public addresses on the instances an outside host reaches them through the router, with no route of its own', async () => {
  const routed = network(77, {
    name: 'open',
    cidr: '203.0.113.128/25',
    ip: '203.0.113.130',
    gateway: '203.0.113.129',
    mode: 'ROUTED',
    firewall: false,
    routable: ['203.0.113.141', '203.0.113.142'],
  });
  await lab.want('r1', blue, red, routed);
  await Promise.all([
    address('vm1', '10.1.1.11/24', '10.1.1.1'),
    address('vm3', '10.2.2.13/24', '10.2.2.1'),
    address('pub1', '203.0.113.141/25', '203.0.113.129'),
    address('pub2', '203.0.113.142/25', '203.0.113.129'),
  ]);
  assert.ok(await pings('outside', '203.0.113.141'));
  assert.ok(await pings('outside', '203.0.113.142'));
  const path = await lab.does('outside', 'traceroute', '-n', '-q1', '-w1', '203.0.113.142');
  assert.match(path, / 2 {2}203\.0\.113\.(10|11|12|130) /, `the router shows itself: ${path}`);
  assert.match(path, / 3 {2}203\.0\.113\.142 /, path);
  for (const node of ['vm1', 'pub1']) serve(node, 80);
  await until('from a network behind a translation', async () => (await call('vm3', '203.0.113.141', 80)) === 'pub1');
  const others = await lab.on('up', 'arping', '-c', '2', '-w', '1', '-I', 'eth0', '203.0.113.150');
  assert.notEqual(others.code, 0, "no answer for an address that is nobody's");
  const steps = await lab.does('r1', 'cat', `${lab.state}/r1/steps.log`);
  assert.match(
    steps,
    /ip neigh add proxy 203\.0\.113\.141 dev eth0 protocol 122 {3}# requests for 203\.0\.113\.141 arrive on eth0: that is where they are answered, not on eth1\.77/,
  );
});

test('S17: without forwarding or without the proxy entry the outside reaches nothing; both are put right and told', async () => {
  const forget = (): Promise<string> => lab.does('up', 'ip', 'neigh', 'flush', 'all');
  await lab.does('r1', 'sysctl', '-qw', 'net.ipv4.ip_forward=0');
  assert.equal(await pings('outside', '203.0.113.141'), false);
  await until('forwarding', () => pings('outside', '203.0.113.141'));
  await lab.does('r1', 'ip', 'neigh', 'del', 'proxy', '203.0.113.141', 'dev', 'eth0');
  await forget();
  assert.equal(await pings('outside', '203.0.113.141'), false);
  await until('the proxy entry', () => pings('outside', '203.0.113.141'));
  for (const text of [
    'r1: forwarding was switched off; switched on again',
    'r1: eth0 did not answer for 203.0.113.141 any more (proxy entry gone); put back',
  ])
    await until(text, () => lab.outcome('r1').routers[2]!.findings.includes(text));
});

test('what somebody changes by hand is put right and told: device, address, route, rules, a daemon', async () => {
  const ovs = ['ovs-vsctl', `--db=unix:${lab.state}/r1/db.sock`];
  const heals = async (
    ...broken: readonly { readonly by: readonly string[]; readonly told: RegExp }[]
  ): Promise<void> => {
    for (const { by } of broken) await lab.does('r1', ...by);
    for (const { told } of broken)
      await until(String(told), () => lab.outcome('r1').routers[0]!.findings.some((text) => told.test(text)));
    await until('it works again', async () => (await call('outside', '203.0.113.10', 2201)) === 'vm1');
  };
  const pid = (await lab.does('r1', 'cat', `${lab.state}/r1/router/dnsmasq.pid`)).trim();
  await heals(
    {
      by: ['ip', 'addr', 'del', '203.0.113.10/32', 'dev', 'eth0'],
      told: /^r1: eth0 had lost the public address 203\.0\.113\.10; put back$/,
    },
    { by: ['ip', 'route', 'flush', 'table', '71234'], told: /^r1: the route of blue to default was gone; put back$/ },
    {
      by: ['nft', 'flush', 'chain', 'inet', 'trunkline_router', 'tl_dnat'],
      told: /^r1: the rules of the packet filter were changed; loaded again$/,
    },
    {
      by: [...ovs, 'set', 'port', 'eth1.1234', 'tag=99'],
      told: /^r1: eth1\.1234 carried VLAN 99 instead of 1234; set again$/,
    },
    { by: ['kill', '-9', pid], told: /^r1: dnsmasq had died/ },
  );
  await heals({ by: ['ip', 'link', 'set', 'eth1.1234', 'down'], told: /^r1: eth1\.1234 was set down; set up again$/ });
  await heals({
    by: [...ovs, 'del-port', 'br-vlan', 'eth1.1234'],
    told: /^r1: eth1\.1234 had lost 10\.1\.1\.2\/24; put back$/,
  });
});

test('a restarted agent drops nothing, and one killed at any moment leaves nothing that is not put right', async () => {
  const { lost } = await gap(lab, 'outside', '203.0.113.141', async () => {
    await lab.killAgent('r1');
    lab.startAgent('r1');
    await until('the agent', () => lab.outcome('r1')?.realized !== undefined);
  });
  assert.equal(lost, 0);
  for (let round = 0; round < 4; round++) {
    lab.ask('r1', ...(round % 2 === 0 ? [red] : [blue, red]));
    await sleep(60 + 70 * round); // the kill hits another moment of the work each time
    await lab.killAgent('r1');
    lab.startAgent('r1');
  }
  await lab.want('r1', blue, red);
  assert.equal(await call('outside', '203.0.113.10', 2201), 'vm1');
});

test('what no document wants any more is undone, and what is not ours is not touched', async () => {
  await lab.does('r1', 'ip', 'addr', 'add', '203.0.113.99/24', 'dev', 'eth0');
  await lab.does('r1', 'nft', 'add', 'table', 'inet', 'foreign');
  await lab.want('r1');
  const left = await Promise.all([
    lab.does('r1', 'ip', '-br', '-4', 'addr'),
    lab.does('r1', 'ip', 'rule'),
    lab.does('r1', 'ip', 'route', 'show', 'table', 'all', 'proto', '122'),
    lab.does('r1', 'ip', 'neigh', 'show', 'proxy'),
    lab.does('r1', 'nft', 'list', 'tables'),
    lab.does('r1', 'ps', '-eo', 'args'),
    lab.does('r1', 'ls', `${lab.state}/r1/router`),
  ]);
  assert.match(left[0], /203\.0\.113\.99\/24/);
  assert.doesNotMatch(left[0], /eth1\.|203\.0\.113\.1[0-9]\b/);
  assert.doesNotMatch(left[1], /7[0-9]{4}/);
  assert.equal(left[2] + left[3], '');
  assert.equal(left[4].trim(), 'table inet foreign');
  assert.doesNotMatch(left[5], /router\/(keepalived|dnsmasq|haproxy|conntrackd)\.conf/);
  assert.doesNotMatch(left[6], /conf|nft|state/);
});
