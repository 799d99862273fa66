// Story 5 with real packets: the same file that the demo plays, each of its promises a verdict; and then all of it taken away again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { story } from '../../lab/stories/linux-router.ts';
import { formatIp6, linkLocalAddress } from '../../src/lib/ip6.ts';
import { routerLinkAddress } from '../../src/model/ipv6.ts';
import { type Attack, attack, onlyTwinsArrive } from '../support/attack.ts';
import { TYPE, datagram, icmp6, ipv4, ipv6, linkLayer, routerAdvertisement } from '../support/frames.ts';
import { GUEST_PREFIX, OUTSIDE6, WIRE6, comes } from '../support/ipv6-lab.ts';
import { ethernet } from '../support/packets.ts';
import { lost, playForTest } from '../support/play.ts';
import { type Guest, type LabCloud, labCloud } from '../support/tenant-lab.ts';

const PUBLIC = '203.0.113.101';

test("a Linux router takes the virtual router's place: every promise of the story holds (S10, S12-S15), and it goes without a trace", async (t) => {
  const { broken, verdicts, said, cloud } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, ['S10', 'S12', 'S13', 'S14', 'S15', 'forwarding off']), []);
  for (const line of said().split('\n')) if (/fail-over: |return: |frozen and back: /.test(line)) t.diagnostic(line);

  const { tenant, wire } = await labCloud(cloud);
  const { call } = tenant;
  const [network] = rows(await call('listNetworks'), 'network');
  const networkid = text(network, 'id');
  const guests = rows(await call('listVirtualMachines'), 'virtualmachine');
  const idOf = (name: string): string =>
    text(
      guests.find((guest) => text(guest, 'name') === name),
      'id',
    );

  await t.test('a deleted egress rule lets nothing out any more', async () => {
    const place = { id: idOf('web1') };
    assert.equal(await wire.pingFrom(place, '198.51.100.10'), true);
    const [rule] = rows(await call('listEgressFirewallRules', { networkid }), 'firewallrule');
    await call('deleteEgressFirewallRule', { id: text(rule, 'id') });
    assert.equal(await wire.pingFrom(place, '198.51.100.10'), false);
  });

  const noRoot = { skip: process.getuid?.() !== 0 && 'users are not known in a rootless sandbox' };
  await t.test('what listens to instances is not root any more', noRoot, async () => {
    for (const name of ['dnsmasq', 'haproxy']) {
      const script = `for p in /proc/[0-9]*; do [ "$(cat $p/comm 2>/dev/null)" = ${name} ] && stat -c %U $p; done; true`;
      const { stdout } = await wire.exec('r1', ['sh', '-c', script]);
      assert.match(stdout, new RegExp(`^${name}$`, 'm'), `${name}: ${stdout}`);
    }
  });

  await t.test('a balancer leads only to those that are assigned to it', async () => {
    const [balancer] = rows(await call('listLoadBalancerRules'), 'loadbalancerrule');
    const id = text(balancer, 'id');
    await call('removeFromLoadBalancerRule', { id, virtualmachineids: idOf('web1') });
    for (let times = 0; times < 4; times++) {
      const { stdout } = await wire.inNetwork('outside', ['curl', '-s', '-m', '5', `http://${PUBLIC}/`]);
      assert.equal(stdout.trim(), 'web2');
    }
  });

  await t.test('deleting the network takes everything of it off the router nodes', async () => {
    const vlan = await tenant.vlanOf(networkid);
    const admin = cloud.as('admin');
    for (const guest of guests) await admin('destroyVirtualMachine', { id: text(guest, 'id'), expunge: 'true' });
    await call('deleteNetwork', { id: networkid });
    for (const node of ['r1', 'r2']) {
      const { stdout } = await wire.exec(node, ['ip', '-brief', 'address']);
      assert.ok(!stdout.includes(`.${vlan}`) && !stdout.includes('203.0.113.10'), `${node}: ${stdout}`);
    }
    assert.equal(await wire.pingFrom('outside', PUBLIC), false);
  });

  await t.test('a network with both families on the same nodes: IPv6 in, out, and over a takeover', async (own) => {
    const vm = await bothFamilies(await labCloud(cloud));
    const { lab, a, b, networkid, link } = vm;
    for (const guest of [a, b]) {
      const { stdout } = await lab.exec(guest, 'ip', '-6', 'address', 'show', 'dev', 'eth0');
      assert.match(stdout, new RegExp(`inet6 ${guest.six}/64 scope global`), 'as the API says');
    }
    assert.match(
      (await lab.exec(b, 'ip', '-6', 'route', 'show', 'default')).stdout,
      new RegExp(`^default via ${link} `),
    );
    assert.ok(await vm.ping6(a, b.six), 'inside, between hypervisors');
    assert.equal(await vm.ping6(a, OUTSIDE6), false, 'the offering lets nothing out without a rule');
    const rule = { networkid, protocol: 'icmp', icmptype: '128', icmpcode: '0' };
    await call('createIpv6FirewallRule', { ...rule, traffictype: 'Egress' });
    await comes('the outside', () => vm.ping6(a, OUTSIDE6));
    assert.equal(await vm.ping6('outside', b.six), false, 'and nothing in');
    await call('createIpv6FirewallRule', rule);
    await comes('from the outside', () => vm.ping6('outside', b.six));

    const all = { mac: '33:33:00:00:00:01', ip: 'ff02::1' };
    const rogue = (name: string, from: string): Attack => {
      const body = Buffer.concat([routerAdvertisement('2001:db8:bad::'), linkLayer(1, a.mac)]);
      const data = icmp6({ from, to: all.ip }, 134, body);
      const packet = ipv6({ from, to: all.ip, next: 58, data });
      return { name, frames: [ethernet(all.mac, a.mac, TYPE.ipv6, packet)], mark: packet };
    };
    const twin = attack('a datagram', (mark) => {
      const data = datagram(9, 9, mark);
      return ethernet(b.mac, a.mac, TYPE.ipv4, ipv4({ from: a.address, to: b.address, protocol: 17, data }));
    });
    await onlyTwinsArrive(cloud, {
      from: a,
      attacks: [
        rogue('it is a router', formatIp6(linkLocalAddress(a.mac))),
        rogue('it is the router', link),
        rogue('it is a router, by its global address', a.six),
      ],
      twins: [{ twin, hears: b }],
      watchers: [b],
    });
    assert.doesNotMatch((await lab.exec(b, 'ip', '-6', 'address', 'show', 'dev', 'eth0')).stdout, /2001:db8:bad:/);

    const seen = await lab.wire.outage(b, OUTSIDE6, async () => {
      for (const port of ['r1-eth0', 'r1-eth1']) await lab.wire.inNetwork('sw', ['ip', 'link', 'set', port, 'down']);
      await comes('r2', () => vm.ping6(b, OUTSIDE6));
    });
    for (const port of ['r1-eth0', 'r1-eth1']) await lab.wire.inNetwork('sw', ['ip', 'link', 'set', port, 'up']);
    own.diagnostic(`IPv6 at the loss of the master: away for ${Math.round(seen.gapMs)} ms`);
    assert.ok(seen.recovered && seen.gapMs < 5000, JSON.stringify(seen));
    assert.ok(await vm.ping6('outside', b.six));
  });
});

interface Guest6 extends Guest {
  readonly six: string;
}

/** What an operator and a tenant do for IPv6 behind router nodes: two instances on two hypervisors, and the upstream told the way. */
async function bothFamilies(lab: LabCloud) {
  const admin = lab.cloud.as('admin');
  const { tenant, wire } = lab;
  const { zoneid } = tenant;
  await admin('createVlanIpRange', {
    zoneid,
    startip: '203.0.113.120',
    endip: '203.0.113.125',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
    ip6cidr: WIRE6.cidr,
    ip6gateway: WIRE6.gateway,
  });
  await admin('createGuestNetworkIpv6Prefix', { zoneid, prefix: GUEST_PREFIX });
  const services = ['Dhcp', 'Dns', 'Firewall', 'Gateway', 'SourceNat'];
  const byNode = Object.fromEntries(
    services.flatMap((service, index) => [
      [`serviceproviderlist[${index}].service`, service],
      [`serviceproviderlist[${index}].provider`, 'LinuxRouter'],
    ]),
  );
  await admin('createNetworkOffering', {
    name: 'both',
    displaytext: 'both',
    traffictype: 'Guest',
    guestiptype: 'Isolated',
    internetprotocol: 'dualstack',
    supportedservices: services.join(),
    ...byNode,
    'servicecapabilitylist[0].service': 'SourceNat',
    'servicecapabilitylist[0].capabilitytype': 'RedundantRouter',
    'servicecapabilitylist[0].capabilityvalue': 'true',
    enable: 'true',
  });
  const networkid = await tenant.network('both', { cidr: '10.30.0.0/24' });
  const [shown] = rows(await tenant.call('listNetworks', { id: networkid }), 'network');
  for (const route of rows(shown!, 'ip6routes'))
    await wire.route('upstream', text(route, 'subnet'), text(route, 'gateway'));
  const instance = async (name: string, host: string): Promise<Guest6> => {
    const guest = await tenant.instance(name, networkid, host);
    const [nic] = rows(await tenant.call('listNics', { virtualmachineid: guest.id }), 'nic');
    return { ...guest, six: text(nic, 'ip6address') };
  };
  const [a, b] = await Promise.all([instance('six1', 'h1'), instance('six2', 'h2')]);
  return {
    lab,
    networkid,
    a,
    b,
    link: routerLinkAddress(networkid, text(shown, 'gateway')),
    ping6: async (from: string | { readonly id: string }, to: string): Promise<boolean> =>
      (await wire.inNetwork(from, ['ping', '-6', '-n', '-c', '1', '-W', '1', to])).code === 0,
  };
}
