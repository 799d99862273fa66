// A Linux router node and IPv6, by its driver alone: routed to it, or answered for address by address. Apart from router.test.ts, whose
// networks are IPv4's; takeovers are in router-pair.test.ts. Without a server and without OVN.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { RouterSpec } from '../../src/protocol/document.ts';
import { createCalls } from '../support/router-calls.ts';
import { CAN_RUN, OUTSIDE6, startRouterLab, test, until, type RouterLab } from '../support/router-lab.ts';
import { network, open, six } from '../support/router-specs.ts';

let lab: RouterLab;
before(async () => {
  if (!CAN_RUN) return;
  lab = await startRouterLab();
  await lab.does('vm1', 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:11');
});
after(async () => lab?.stop());

const { pings, serve6, call6, address6 } = createCalls(() => lab);
const blue = network(1234, { name: 'blue', cidr: '10.1.1.0/24', ip: '10.1.1.2', gateway: '10.1.1.1' });
const red = network(1235, { name: 'red', cidr: '10.2.2.0/24', ip: '10.2.2.2', gateway: '10.2.2.1' });

test('IPv6: machines make an address of what the router advertises, reach the outside under it, and are reached where a rule lets them be', async () => {
  const tcp = (port: number, cidr: string) => ({ ...open('tcp', port), cidrs: [cidr] });
  const cyan: RouterSpec = { ...red, six: six(5, { egress: [tcp(90, '::/0')] }) };
  const plain: RouterSpec = { ...blue, six: six(4, { ingress: [tcp(80, `${OUTSIDE6}/128`)] }) };
  await lab.want('r1', plain, cyan);
  assert.ok(lab.outcome('r1').routers.every(({ state, findings }) => state === 'MASTER' && findings.length === 0));
  for (const { cidr, uplink } of [plain.six!, cyan.six!])
    await lab.does('up', 'ip', 'route', 'replace', cidr, 'via', uplink!.address);
  const [vm1, vm3] = await Promise.all([address6('vm1'), address6('vm3')]);
  assert.match(`${vm1} ${vm3}`, /^2001:db8:200:4:\S+ 2001:db8:200:5:/);
  assert.match(
    await lab.does('vm3', 'ip', '-6', 'route', 'show', 'default'),
    /^default via fe80::ff:fe00:5 dev eth0 proto ra .*mtu 1400/m,
  );

  for (const node of ['vm1', 'vm3', 'outside', 'r1']) for (const port of [80, 90]) serve6(node, port);
  await until('the outside', async () => (await call6('vm3', OUTSIDE6, 80)) === vm3);
  const { gateway, uplink } = cyan.six!;
  // At once: each of those that must not arrive takes its time.
  const found = await Promise.all([
    pings('outside', vm3),
    call6('outside', vm1, 80),
    pings('vm1', vm3),
    pings('vm3', 'fe80::ff:fe00:5%eth0'),
    pings('vm3', gateway),
    pings('up', uplink!.address),
    pings('outside', vm1),
    call6('outside', vm1, 90),
    call6('up', vm1, 80),
    call6('outside', vm3, 80),
    call6('vm3', OUTSIDE6, 90),
    call6('vm3', vm1, 80),
    call6('vm3', gateway, 80),
    call6('up', gateway, 80),
    call6('vm3', uplink!.address, 80),
    call6('up', uplink!.address, 80),
  ]);
  const [in3, in1, across, link, near, far, ...refused] = found;
  assert.ok(in3, 'a rule lets it in');
  assert.equal(in1, OUTSIDE6);
  assert.ok(across, 'another network, as its rules let');
  assert.ok(link && near && far, 'the router answers');
  const what = [
    'echo requests without a rule',
    'another port',
    'somebody else',
    'a port without a rule',
    'what an egress rule forbids',
    'another network',
    "the node's services at the gateway, from within",
    'and from outside',
    "the node's services at its address outside, from within",
    'and from outside',
  ];
  const passed = what.filter((_, index) => refused[index] !== '' && refused[index] !== false);
  assert.deepEqual([passed, refused.length], [[], what.length]);

  const heard = async (): Promise<string> =>
    /^Icmp6InEchos\s+(\d+)/m.exec(await lab.does('outside', 'cat', '/proc/net/snmp6'))![1]!;
  const before = await heard();
  await lab.does('vm3', 'ip', 'addr', 'add', '2001:db8:200:4::77/128', 'dev', 'eth0', 'nodad');
  await lab.on('vm3', 'ping', '-c1', '-W1', '-I', '2001:db8:200:4::77', OUTSIDE6);
  assert.equal(await heard(), before, "what comes with another network's source");

  await lab.does('r1', 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0');
  await until('it is put right and told', () =>
    lab.outcome('r1').routers[1]!.findings.includes('r1: IPv6 forwarding was switched off; switched on again'),
  );
  assert.match(await lab.does('r1', 'sysctl', 'net.ipv6.conf.all.forwarding'), /= 1$/m);
  await lab.want('r1', blue, red);
  assert.equal(await lab.does('r1', 'ip', '-6', 'address', 'show', 'scope', 'global'), '', 'nothing is left');
  assert.doesNotMatch(await lab.does('r1', 'ip', '-6', 'rule', 'show'), /2001:/);
  assert.equal(await pings('outside', vm3), false);
});

test('IPv6 where upstream takes the prefix for its own wire: listed addresses are answered for there, at once, and no others', async () => {
  const listed = '2001:db8:100:9:0:ff:fe00:11';
  const parts = { cidr: '2001:db8:100:9::/64', gateway: '2001:db8:100:9::1', proxied: [listed] };
  await lab.does('up', 'ip', 'route', 'replace', '2001:db8:100::/56', 'dev', 'eth0');
  await lab.want('r1', { ...blue, six: six(4, parts) });
  const [vm1, vm2] = await Promise.all([address6('vm1'), address6('vm2')]);
  assert.equal(vm1, listed);
  await until('the way in', async () => pings('outside', vm1));
  assert.ok(await pings('vm1', OUTSIDE6));
  assert.equal(await pings('outside', vm2), false, 'nobody answers for it');
  const known = async (): Promise<string> => lab.does('up', 'ip', '-6', 'neigh', 'show', listed, 'dev', 'eth0');
  const mac = /lladdr (\S+)/.exec(await known())![1]!;
  // Who asks again asks the address itself, and not everybody (RFC 4861, 7.3.3).
  await lab.does('up', ...`ip -6 neigh replace ${listed} dev eth0 lladdr ${mac} nud probe`.split(' '));
  await until('an answer to who knows it', async () => (await known()).includes('REACHABLE'), 5000);
  assert.match(await lab.does('r1', 'sysctl', 'net.ipv6.neigh.eth0.proxy_delay'), /= 0$/m);
  await lab.want('r1', blue);
  assert.equal(await lab.does('r1', 'ip', '-6', 'neigh', 'show', 'proxy'), '');
});
