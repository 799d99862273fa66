// IPv6 by router nodes as operators and tenants ask for it: which offerings and nodes have it, and where a prefix may lie.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { addRouters } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { openSix } from './ipv6.test-support.ts';

const RANGE = {
  zoneid: BUILT_IN.zone,
  startip: '203.0.113.10',
  endip: '203.0.113.20',
  gateway: '203.0.113.1',
  netmask: '255.255.255.0',
} as const;

test('a network with IPv6 may be routed by router nodes: it gets a prefix, a firewall and a route, and nodes that can', async () => {
  await using cloud = await openSix();
  await addRouters(cloud.store, 2);
  await cloud.callAs('admin', 'createVlanIpRange', {
    ...RANGE,
    ip6cidr: '2001:db8:100::/64',
    ip6gateway: '2001:db8:100::1',
  });
  const networkofferingid = await cloud.byNodes('nodes');
  const params = { name: 'web', zoneid: BUILT_IN.zone, networkofferingid };
  const { network } = (await cloud.callAs('acme-admin', 'createNetwork', params)) as { network: Body };
  assert.deepEqual(
    ['ip6cidr', 'ip6gateway', 'ip6firewall', 'internetprotocol', 'routedby'].map((key) => network[key]),
    ['2001:db8:200::/64', '2001:db8:200::1', true, 'dualstack', 'LinuxRouter'],
  );
  assert.deepEqual(
    (network['ip6routes'] as Body[]).map(({ subnet }) => subnet),
    ['2001:db8:200::/64'],
  );
  const networkid = String(network['id']);
  await cloud.settle();
  const rule = await cloud.doAs('acme-admin', 'createIpv6FirewallRule', {
    networkid,
    protocol: 'tcp',
    startport: '22',
  });
  assert.equal((rule['firewallrule'] as Body)['state'], 'Active');
  const say = (ability: string | true | undefined): Promise<unknown> =>
    cloud.store.write(async (tx) => {
      for (const id of (await tx.db.selectFrom('host').select('id').where('kind', '=', 'router').execute()).map(
        (host) => host.id,
      ))
        await tx.update('host', id, {
          facts: JSON.stringify({ abilities: ability === undefined ? {} : { 'ipv6-router': ability } }),
        });
    });
  for (const ability of ['the kernel has none', undefined] as const) {
    await say(ability);
    const why = /needs a router node that is Up and free to route for \S+; there is none \(2 routes no IPv6\)\. /;
    await cloud.refused('acme-admin', 'createNetwork', params, why, 533);
  }
  await say(true);
  assert.ok(await cloud.callAs('acme-admin', 'createNetwork', { ...params, name: 'more' }));
});

test('a prefix that lies on a public wire is for networks of a single router node, which has no route to show', async () => {
  await using cloud = await openSix();
  await addRouters(cloud.store, 3);
  const wire = { ip6cidr: '2001:db8:100::/56', ip6gateway: '2001:db8:100:a::1' };
  await cloud.callAs('admin', 'createVlanIpRange', { ...RANGE, ...wire });
  const prefix = (text: string): Params => ({ zoneid: BUILT_IN.zone, prefix: text });
  for (const text of ['2001:db8:100::/48', '2001:db8:100:8::/61'])
    await cloud.refused(
      'admin',
      'createGuestNetworkIpv6Prefix',
      prefix(text),
      'a prefix on a wire is a part of it, beside the /64 of its gateway 2001:db8:100:a::1',
    );
  const [single, pair] = [await cloud.byNodes('single'), await cloud.byNodes('pair', true)];
  const make = async (networkofferingid: string, more: Params = {}): Promise<Body> => {
    const params = { name: 'n', zoneid: BUILT_IN.zone, networkofferingid, account: 'acme-admin', ...more };
    const domainid = String((await cloud.list('admin', 'listDomains', { name: 'acme', listall: 'true' }))[0]!['id']);
    return (await cloud.callAs('admin', 'createNetwork', { ...params, domainid }))['network'] as Body;
  };
  const refused = (networkofferingid: string, text: string, more: Params = {}): Promise<void> =>
    cloud.refused('admin', 'createNetwork', { name: 'x', zoneid: BUILT_IN.zone, networkofferingid, ...more }, text);
  const [usual] = await cloud.list('admin', 'listGuestNetworkIpv6Prefixes');
  await cloud.doAs('admin', 'deleteGuestNetworkIpv6Prefix', { id: String(usual!['id']) });
  await cloud.doAs('admin', 'createGuestNetworkIpv6Prefix', prefix('2001:db8:100:10::/62'));
  const network = await make(single);
  assert.deepEqual(
    [network['ip6cidr'], network['ip6routes'], network['ip6routing']],
    ['2001:db8:100:10::/64', undefined, 'Static'],
  );
  await refused(pair, 'lies on the public wire 2001:db8:100::/56, where upstream asks for each address');
  await refused(pair, 'a pair of router nodes cannot: after a takeover nobody could tell upstream where they are');
  await refused(cloud.made.six, 'with offering six OVN does not. Use an offering by a single LinuxRouter');
  await refused(pair, 'lies on the public wire', { ip6cidr: '2001:db8:100:20::/64' });
  // Where there are both, everybody gets what suits him.
  await cloud.doAs('admin', 'createGuestNetworkIpv6Prefix', prefix('2001:db8:300::/62'));
  const routed = await make(pair);
  assert.equal(routed['ip6cidr'], '2001:db8:300::/64');
  const [route] = routed['ip6routes'] as Body[];
  assert.match(String(route!['gateway']), /^2001:db8:100:a:/, "the routers' own is the gateway's /64");
  await cloud.settle();
  await cloud.refused(
    'admin',
    'updateNetwork',
    { id: String(network['id']), networkofferingid: pair },
    'a pair of router nodes cannot',
  );
});
