// Plans of a router node, followed to their end on paper: from nothing, from any half-done state, and back to nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RouterSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { lineOf } from '../step.ts';
import type { Memory } from './kernel.ts';
import type { RouterContext } from './names.ts';
import { planRouters } from './plan.ts';
import { blue, both, CONTEXT, open, pair6, red } from './sample.test-support.ts';
import { act, CALM, look, newWorld, settle, type World } from './world.test-support.ts';

const kernel: RouterContext = { ...CONTEXT, vlans: { by: 'kernel' } };
const document = (...routers: RouterSpec[]) => ({ node: 'r1', generation: 1, instances: [], peers: [], routers });
const lines = (steps: readonly Step[]): string[] => steps.map((step) => lineOf(step));
const planned = (world: World, routers: RouterSpec[], memory: Partial<Memory> = {}, context = kernel) =>
  planRouters(document(...routers), look(world, context), { ...CALM, ...memory }, context);

test('planRouters() from nothing: rules, then devices and addresses, then daemons; then nothing is left to do', () => {
  const world = newWorld();
  const { plan, steps } = settle(world, [red], kernel);
  assert.deepEqual(plan.routers, [{ id: red.id, state: 'MASTER', findings: [] }]);
  const text = lines(steps);
  assert.ok(text.includes('ip link add link eth1 name eth1.88 type vlan id 88   # VLAN 88 (red) is not on eth1 yet'));
  assert.ok(text.includes("ip addr add 10.2.2.2/24 dev eth1.88   # r1's own address in red"));
  assert.ok(text.includes('ip addr add 203.0.113.12/32 dev eth0 label eth0:tl   # public address of red'));
  const at = (part: string): number => text.findIndex((line) => line.includes(part));
  assert.ok(at('nft -f') < at('ip link add') && at('ip link add') < at('dnsmasq -C'));
  assert.ok(at('dnsmasq --test') < at('dnsmasq.conf.new /var/lib/router/dnsmasq.conf'), 'checked before it is used');
});

test('planRouters() gives a pair its own address only: gateway and public addresses are keepalived’s', () => {
  const world = newWorld();
  const { plan, steps } = settle(world, [blue], CONTEXT);
  assert.equal(plan.routers[0]!.state, 'BACKUP');
  const added = lines(steps).filter((line) => line.startsWith('ip addr add'));
  assert.ok(
    added.every((line) => /10\.1\.1\.2\/24|127\.122\.0\.1/.test(line)),
    added.join('\n'),
  );
  world.words.add('addr 10.1.1.1/24 dev eth1.1234').add('addr 203.0.113.10/32 dev eth0 label eth0:tl');
  const master = planned(world, [blue], {}, CONTEXT);
  assert.deepEqual(master.work, [], 'they may be there');
  assert.equal(master.routers[0]!.state, 'MASTER');
});

test('planRouters() takes away what a dead keepalived has left, before it starts it again', () => {
  const world = newWorld();
  settle(world, [blue], CONTEXT);
  world.words.add('addr 10.1.1.1/24 dev eth1.1234').add('addr 203.0.113.10/32 dev eth0 label eth0:tl');
  world.running.delete('keepalived');
  const first = planned(world, [blue], { held: new Set(['daemon keepalived']) }, CONTEXT);
  const steps = first.work.flatMap((work) => work.steps);
  assert.deepEqual(
    lines(steps)
      .map((line) => line.split('   #')[0])
      .toSorted(),
    ['ip addr del 10.1.1.1/24 dev eth1.1234', 'ip addr del 203.0.113.10/32 dev eth0 label eth0:tl'],
  );
  assert.equal(first.routers[0]!.state, 'FAULT');
  for (const step of steps) act(world, step, CONTEXT);
  const second = planned(world, [blue], { held: new Set(['daemon keepalived']) }, CONTEXT);
  assert.deepEqual(
    second.work.map(({ target }) => target),
    ['keepalived'],
  );
  assert.match(second.found[0]!.text, /^r1: keepalived had died/);
});

test('planRouters() answers for public instances only while it is master', () => {
  const world = newWorld();
  const backup = settle(world, [open], CONTEXT);
  assert.doesNotMatch(lines(backup.steps).join('\n'), /ip neigh add/);
  world.words.add('addr 203.0.113.129/25 dev eth1.77');
  const master = settle(world, [open], CONTEXT);
  assert.deepEqual(
    lines(master.steps).filter((line) => line.startsWith('ip neigh')),
    ['203.0.113.141', '203.0.113.142'].map(
      (ip) =>
        `ip neigh add proxy ${ip} dev eth0 protocol 122   # requests for ${ip} arrive on eth0: that is where they are answered, not on eth1.77`,
    ),
    'the gateway itself is not proxied',
  );
});

test('S11: a sub-interface that carries another VLAN than its name says is made anew and told; an alias is named', () => {
  const world = newWorld();
  settle(world, [red], kernel);
  const now = world.links.get('eth1.88')!;
  world.links.set('eth1.88', { ...now, vlan: 89 });
  const plan = planned(world, [red]);
  assert.deepEqual(
    plan.found.map(({ text }) => text),
    ['r1: eth1.88 was VLAN 89 of eth1 (see /proc/net/vlan/eth1.88), not VLAN 88 of eth1; made anew'],
  );
  settle(world, [red], kernel);
  assert.equal(world.links.get('eth1.88')!.vlan, 88);
  world.words.add('addr 10.2.2.9/24 dev eth1 label eth1:88');
  assert.match(
    planned(world, [red]).routers[0]!.error!,
    /^r1 cannot route for network red: eth1:88 is a second name of eth1, not a VLAN: what is sent from 10\.2\.2\.9\/24 leaves without a tag; .* the sub-interface is eth1\.88$/,
  );
});

test('planRouters() takes away what is gone though another network never comes right', () => {
  const world = newWorld();
  settle(world, [red, open], kernel);
  for (const { steps } of planned(world, [red]).work) for (const step of steps) act(world, step, kernel);
  world.links.set('eth1.88', { ...world.links.get('eth1.88')!, up: false });
  const targets = (patient: boolean): string[] => planned(world, [red], { patient }).work.map(({ target }) => target);
  assert.ok(targets(true).includes(red.id) && !targets(true).includes('eth1.77'), 'at first all wait for it');
  assert.ok(targets(false).includes('eth1.77'), targets(false).join());
});

test('a device of the same name that is not ours is an error of that network alone, and is left alone', () => {
  const world = newWorld();
  const foreign = { up: true, carrier: true, vlan: 88, below: 'eth1' };
  world.links.set('eth1.88', foreign);
  const { plan } = settle(world, [red, open], kernel);
  assert.match(
    plan.routers[0]!.error!,
    /^r1: eth1\.88 is there already and was not made by trunkline: remove it \(ip link del eth1\.88\), or give/,
  );
  assert.equal(plan.routers[1]!.error, undefined);
  assert.deepEqual(world.links.get('eth1.88'), foreign);
});

test('networks that overlap, use one VLAN, or have their gateway elsewhere are refused one by one', () => {
  const why = (other: Partial<RouterSpec>): string =>
    settle(newWorld(), [red, { ...red, id: open.id, name: 'other', ...other }], kernel).plan.routers[1]!.error!;
  assert.match(
    why({ vlan: 89, cidr: '10.2.0.0/16' }),
    /^r1 cannot route for both network red \(10\.2\.2\.0\/24\) and network other \(10\.2\.0\.0\/16\): their addresses overlap; let another/,
  );
  assert.match(why({ cidr: '10.3.3.0/24', ip: '10.3.3.2', gateway: '10.3.3.1' }), /its VLAN 88 is network red's here$/);
  assert.match(
    why({ vlan: 89, cidr: '10.3.3.0/24', ip: '10.3.3.2' }),
    /its gateway 10\.2\.2\.1 is not in 10\.3\.3\.0\/24$/,
  );
  assert.match(
    why({ vlan: 89, cidr: '10.3.3.0/24', ip: '10.3.3.2', gateway: '10.3.3.1' }),
    /its public address 203\.0\.113\.12 is also another network's here$/,
  );
});

test('of two networks in each other’s way the one that is there already stays', () => {
  const world = newWorld();
  settle(world, [red], kernel);
  const twin = { ...red, id: open.id, vlan: 89, publicAddresses: [] };
  const { plan } = settle(world, [twin, red], kernel);
  assert.deepEqual(
    plan.routers.map(({ error }) => error !== undefined),
    [true, false],
  );
});

test('planRouters() says once what somebody took away, and nothing of what the document changed', () => {
  const world = newWorld();
  const { plan } = settle(world, [red], kernel);
  world.settings.set('net.ipv4.ip_forward', '0').set('net.ipv4.conf.eth1/88.forwarding', '0');
  world.words.delete('addr 10.2.2.1/24 dev eth1.88');
  const memory = { held: plan.holds };
  assert.deepEqual(planned(world, [red], memory).found, [
    { owner: undefined, text: 'r1: forwarding was switched off; switched on again' },
    { owner: red.id, text: 'r1: eth1.88 had lost 10.2.2.1/24; put back' },
  ]);
  settle(world, [red], kernel);
  const renumbered = { ...red, routes: [{ cidr: '192.168.9.0/24', via: '10.2.2.9' }] };
  assert.deepEqual(planned(world, [renumbered], memory).found, []);
});

test('S17: planRouters() switches proxy ARP off where nobody asks for what is outside, and says on which side', () => {
  const world = newWorld();
  const { plan } = settle(world, [red], kernel);
  world.settings.set('net.ipv4.conf.eth1/88.proxy_arp', '1');
  const again = planned(world, [red], { held: plan.holds });
  assert.deepEqual(again.found, [
    {
      owner: red.id,
      text: 'r1: proxy_arp was switched on on eth1.88, the wrong side: requests from outside arrive on eth0; switched off again',
    },
  ]);
  assert.equal(settle(world, [red], kernel).plan.work.length, 0);
});

test('S21: a routed network with private addresses is warned about, one with public addresses is not', () => {
  const findings = (...specs: RouterSpec[]): readonly string[] =>
    planned(newWorld(), specs).routers.flatMap((status) => status.findings);
  const inside = { ...open, cidr: '10.77.0.0/25', ip: '10.77.0.2', gateway: '10.77.0.1', routable: ['10.77.0.9'] };
  assert.deepEqual(findings(open, red), []);
  assert.match(
    findings(inside).join(),
    /^r1: network open is routed and nobody translates it, but its addresses 10\.77\.0\.0\/25 are private \(RFC 1918\)/,
  );
});

test('planRouters() leaves a half-finished takeover to keepalived, for a while', () => {
  const world = newWorld();
  settle(world, [open], CONTEXT);
  const entry = 'neigh proxy 203.0.113.141 dev eth0 protocol 122';
  world.words.add(entry);
  const young = planned(world, [open], {}, CONTEXT);
  assert.deepEqual([young.work.length, young.letGo, young.waits.length], [0, [{ words: entry, sure: false }], 1]);
  const old = planned(world, [open], { letGo: new Map([[entry, true]]) }, CONTEXT);
  assert.deepEqual(
    old.work.flatMap(({ steps }) => steps).map((step) => step.kind === 'run' && step.argv.join(' ')),
    [`ip ${entry.replace('neigh', 'neigh del')}`],
  );
});

test('planRouters() gives a single router its IPv6 addresses, at once and without asking who has them, and takes them away', () => {
  const world = newWorld();
  const devices = ['conf.eth0/301.proxy_ndp', 'neigh.eth0/301.proxy_delay'];
  for (const name of ['conf.all.forwarding', 'conf.all.proxy_ndp', ...devices])
    world.settings.set(`net.ipv6.${name}`, '9');
  const { steps } = settle(world, [both], kernel);
  const text = lines(steps);
  const at = (part: string): number => {
    const found = text.findIndex((line) => line.startsWith(part));
    assert.ok(found >= 0, `${part}\n${text.join('\n')}`);
    return found;
  };
  const switchedOn = at('sysctl -w net.ipv6.conf.eth1/99.disable_ipv6=0');
  assert.ok(at('sysctl -w net.ipv6.conf.eth1/99.addr_gen_mode=1') < switchedOn, 'it never has an address of its own');
  assert.ok(switchedOn < at('ip -6 addr add fe80::aa:bbff:fecc:dd01/64 dev eth1.99 nodad'));
  at('ip -6 addr add 2001:db8:200:1::1/64 dev eth1.99 nodad');
  at('ip -6 addr add 2001:db8:100::aa:bbff:fecc:dd02/64 dev eth0.301 nodad noprefixroute preferred_lft 0');
  for (const address of ['2001:db8:200:1::a1', '2001:db8:200:1::a2'])
    at(`ip -6 neigh add proxy ${address} dev eth0.301 protocol 122`);
  at('sysctl -w net.ipv6.conf.all.proxy_ndp=1');
  at('sysctl -w net.ipv6.conf.eth0/301.proxy_ndp=1');
  at('sysctl -w net.ipv6.neigh.eth0/301.proxy_delay=0');
  at('sysctl -w net.ipv6.conf.all.forwarding=1');
  at('ip -6 rule add pref 17000 from 2001:db8:200:1::/64 lookup main suppress_prefixlength 0 protocol 122');
  at('ip -6 rule add pref 17002 from 2001:db8:200:1::/64 lookup 70099 protocol 122');
  at('ip -6 route add 2001:db8:100::/64 dev eth0.301 table 70099 proto 122');
  at('ip -6 route add default via 2001:db8:100::1 dev eth0.301 table 70099 proto 122 onlink');
  const { six: _six, ...four } = both;
  const gone = lines(settle(world, [four], kernel).steps);
  for (const line of [
    'ip -6 addr del 2001:db8:200:1::1/64 dev eth1.99 ',
    '/var/lib/router/forget 2001:db8:200:1::/64 ',
  ])
    assert.ok(
      gone.some((one) => one.startsWith(line)),
      `${line}\n${gone.join('\n')}`,
    );
});

test('planRouters() leaves IPv6 addresses outside alone that somebody else has put there', () => {
  const world = newWorld();
  const foreign = 'addr 2001:db8:100::99/64 dev eth0';
  world.words.add(foreign);
  const alone = { ...pair6, peers: [], peerNodes: [] };
  settle(world, [alone], kernel);
  assert.ok(world.words.has('addr 2001:db8:100::aa:bbff:fecc:dd04/64 dev eth0 label eth0:tl'));
  settle(world, [], kernel);
  assert.deepEqual([...world.words], [foreign]);
});

test('planRouters() leaves the IPv6 addresses of a pair to keepalived, and knows them for ours', () => {
  const world = newWorld();
  const { steps } = settle(world, [pair6], kernel);
  assert.deepEqual(
    lines(steps).filter((line) => line.startsWith('ip -6 addr')),
    [],
  );
  for (const words of [
    'addr 10.6.6.1/24 dev eth1.66',
    'addr fe80::aa:bbff:fecc:dd03/64 dev eth1.66',
    'addr 2001:db8:200:2::1/64 dev eth1.66',
    'addr 2001:db8:100::aa:bbff:fecc:dd04/64 dev eth0 label eth0:tl',
  ])
    world.words.add(words);
  assert.deepEqual(planned(world, [pair6]).work, [], 'they may be there');
  world.running.delete('keepalived');
  const dead = planned(world, [pair6]).work.flatMap((work) => lines(work.steps));
  assert.ok(
    dead.some((line) => line.startsWith('ip -6 addr del fe80::aa:bbff:fecc:dd03/64 dev eth1.66')),
    dead.join('\n'),
  );
});

test('a network with IPv6 and no public range that has it is told that nothing leads out', () => {
  const { uplink: _uplink, ...six } = both.six!;
  const { plan, steps } = settle(newWorld(), [{ ...both, six }], kernel);
  assert.ok(
    plan.routers[0]!.findings.some((text) =>
      text.startsWith('r1: network both has IPv6 and no way out in it: no public range has an IPv6 prefix'),
    ),
    plan.routers[0]!.findings.join(),
  );
  assert.ok(!lines(steps).some((line) => line.includes('route add default via 2001')));
});

test('two networks with one IPv6 prefix, or a gateway outside it, are refused', () => {
  const why = (more: Partial<RouterSpec>): string =>
    settle(newWorld(), [both, { ...pair6, ...more }], kernel).plan.routers[1]!.error!;
  assert.match(
    why({ six: { ...pair6.six!, cidr: both.six!.cidr, gateway: both.six!.gateway } }),
    /^r1 cannot route for both network both and network pair6: both have 2001:db8:200:1::\/64; let another/,
  );
  assert.match(
    why({ six: { ...pair6.six!, gateway: '2001:db8::1' } }),
    /its gateway 2001:db8::1 is not in 2001:db8:200:2::\/64$/,
  );
});

/** Any subset of the networks, paired or not. */
const someSpecs = fc
  .subarray([blue, open, red, both, pair6])
  .chain((specs) =>
    fc.tuple(
      ...specs.map((spec) =>
        fc.boolean().map((alone): RouterSpec => (alone ? { ...spec, peers: [], peerNodes: [] } : spec)),
      ),
    ),
  )
  .map((specs) => [...specs]);
const contexts = fc.constantFrom(CONTEXT, kernel, { ...kernel, ipvs: true });

test('law: from any document to any other the plan comes to its end, whatever was half done or taken away between', () => {
  fc.assert(
    fc.property(
      someSpecs,
      someSpecs,
      contexts,
      fc.infiniteStream(fc.boolean()),
      fc.nat(60),
      (before, after, context, coins, stopAt) => {
        const world = newWorld();
        settle(world, before, context);
        // An agent that is killed in the middle of its work …
        let left = stopAt;
        for (const { steps } of planRouters(document(...after), look(world, context), CALM, context).work)
          for (const step of steps) if (left-- > 0) act(world, step, context);
        // … and somebody who takes things away.
        const taken = (): boolean => coins.next().value === true;
        for (const words of world.words) if (taken() && taken()) world.words.delete(words);
        for (const [key, value] of world.settings) if (taken() && value === '1') world.settings.set(key, '0');
        for (const name of world.running.keys()) if (taken()) world.running.delete(name);
        for (const path of world.files.keys()) if (taken() && taken()) world.files.delete(path);
        const { plan } = settle(world, after, context);
        assert.deepEqual(
          plan.routers.filter(({ error }) => error !== undefined),
          [],
        );
        assert.deepEqual(
          planRouters(document(...after), look(world, context), { ...CALM, held: plan.holds }, context).found,
          [],
        );
        settle(world, [], context);
        assert.deepEqual(
          [...world.words, ...world.running.keys(), ...world.files.keys(), world.rules],
          [undefined],
          'nothing is left',
        );
        assert.deepEqual([...world.links.keys()], ['eth0', 'eth1']);
      },
    ),
    { numRuns: 60 },
  );
});
