// The IPv6 firewall of networks: its rules, and where there is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { openSix } from './ipv6.test-support.ts';
import { NOBODY, unknown } from './network.test-support.ts';

test('an IPv6 firewall rule is of a network; it is listed, changed and deleted apart from those of IPv4', async () => {
  await using cloud = await openSix();
  const networkid = String((await cloud.network('dual'))['id']);
  const done = (command: string, params: Params): Promise<Body> => cloud.doAs('acme-admin', command, params);
  const { firewallrule } = (await done('createIpv6FirewallRule', {
    networkid,
    protocol: 'TCP',
    startport: '80',
    endport: '90',
  })) as { firewallrule: Body };
  const shown = (row: Body): unknown[] =>
    ['traffictype', 'protocol', 'startport', 'endport', 'cidrlist', 'networkid', 'state'].map((key) => row[key]);
  assert.deepEqual(shown(firewallrule), ['Ingress', 'tcp', 80, 90, '::/0', networkid, 'Active']);
  const id = String(firewallrule['id']);
  for (const command of ['listFirewallRules', 'listEgressFirewallRules'])
    assert.deepEqual(await cloud.list('acme-admin', command, { networkid }), [], command);
  await cloud.refused('acme-admin', 'deleteFirewallRule', { id }, unknown('id', id));
  const changed = (await done('updateIpv6FirewallRule', { id, cidrlist: '2001:db8:51::/64', endport: '80' })) as {
    firewallrule: Body;
  };
  assert.deepEqual(shown(changed['firewallrule']).slice(2, 5), [80, 80, '2001:db8:51::/64']);
  await done('createIpv6FirewallRule', {
    networkid,
    protocol: '58',
    icmptype: '128',
    icmpcode: '0',
    traffictype: 'egress',
  });
  const listed = await cloud.list('acme-admin', 'listIpv6FirewallRules', { networkid });
  assert.deepEqual(listed.map((row) => row['protocol']).toSorted(), ['icmp', 'tcp']);
  assert.equal(
    (await cloud.list('acme-admin', 'listIpv6FirewallRules', { networkid, traffictype: 'Egress' })).length,
    1,
  );
  const refused = (params: Params, text: string, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'createIpv6FirewallRule', { networkid, protocol: 'tcp', ...params }, text, status);
  await refused(
    { startport: '80', endport: '80', cidrlist: '2001:0db8:51:0::/64' },
    `There is already an IPv6 firewall rule that says the same: Ingress rule ${id}`,
    537,
  );
  await refused({ cidrlist: '10.0.0.0/8' }, 'Source cidrs formatting error 10.0.0.0/8: write it like 2001:db8:1::/48');
  await refused({ protocol: '1' }, 'Invalid protocol: 1');
  await refused({ traffictype: 'Egress', cidrlist: '2001:db8:51::/64' }, 'is not within the network');
  await refused({ destcidrlist: '2001:db8:51::/64' }, 'is not within the network');
  await refused({ networkid: NOBODY }, unknown('networkid', NOBODY));
  await done('deleteIpv6FirewallRule', { id });
  assert.equal((await cloud.list('acme-admin', 'listIpv6FirewallRules', { networkid })).length, 1);
  await done('deleteNetwork', { id: networkid });
  const left = await cloud.store.db.selectFrom('firewallrule').select('id').execute();
  assert.deepEqual(left, [], 'rules go with their network');
});

test('an IPv6 firewall rule is refused where there is no IPv6, no firewall, or a list rules', async () => {
  await using cloud = await openSix();
  const refused = (networkid: unknown, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'createIpv6FirewallRule', { networkid: String(networkid), protocol: 'tcp' }, text);
  const plain = await cloud.networkOf('acme-admin', 'plain', 'NoServices', { cidr: '10.3.0.0/24' });
  await refused(plain['id'], 'network plain has no IPv6');
  const vpcid = await cloud.vpc('acme-admin', 'dual', '10.1.0.0/16', { vpcofferingid: cloud.made.vpc });
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24', { networkofferingid: cloud.made.dualTier });
  await refused(tier['id'], 'tiers of VPCs have network ACL lists instead');
});
