// Public addresses of VPCs: they lead to a tier with their first rule and come back with their last, and who may say what about them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { createIntentCache } from '../../store/load.ts';
import { unknown } from '../network/network.test-support.ts';
import { openCloud } from './public.test-support.ts';
import { LIST, acquired, addresses, forwarding, shop } from './vpc-address.test-support.ts';

test('an address of a VPC leads to a tier with its first rule, and is the VPC’s again with its last', async () => {
  await using cloud = await openCloud();
  const { vpcid, web, data, vm } = await shop(cloud);
  const id = await acquired(cloud, vpcid);
  const network = async (): Promise<unknown> => {
    const [row] = await cloud.list('acme-admin', LIST, { id });
    assert.equal(row?.['networkid'], row?.['associatednetworkid']);
    return [row?.['vpcid'], row?.['associatednetworkid']];
  };
  assert.deepEqual(await network(), [vpcid, undefined]);
  // The instance is in one tier only, so the tier need not be named.
  const first = await cloud.made('acme-admin', 'createPortForwardingRule', forwarding(id, vm), 'portforwardingrule');
  assert.deepEqual([first['networkid'], first['state']], [web, 'Active']);
  assert.deepEqual(await network(), [vpcid, web]);
  assert.deepEqual(await cloud.list('acme-admin', 'listFirewallRules'), [], 'a VPC has no firewall to open');
  const named = forwarding(id, vm, { publicport: '23', networkid: web });
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    { ...named, openfirewall: 'true' },
    "Can't have openFirewall=true when IP address belongs to VPC",
  );
  const second = await cloud.made('acme-admin', 'createPortForwardingRule', named, 'portforwardingrule');
  const balancer = { name: 'lb', algorithm: 'roundrobin', publicport: '80', privateport: '80', publicipid: id };
  await cloud.refused(
    'acme-admin',
    'createLoadBalancerRule',
    { ...balancer, networkid: data },
    `is not assigned to the network`,
  );
  const other = await cloud.instance('acme-admin', 'db', data);
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    forwarding(id, other, { publicport: '24', networkid: data }),
    'IP is associated with a different network than passed network id: 203.0.113.11 leads to tier tier-10.1.1.0/24 already, and an address leads to one tier',
  );
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    forwarding(id, other, { publicport: '24' }),
    "Vm doesn't belong to network associated with ipAddress",
  );
  await cloud.doAs('acme-admin', 'deletePortForwardingRule', { id: String(first['id']) });
  assert.deepEqual(await network(), [vpcid, web]);
  await cloud.doAs('acme-admin', 'deletePortForwardingRule', { id: String(second['id']) });
  assert.deepEqual(await network(), [vpcid, undefined]);
  const at = { ipaddressid: id, virtualmachineid: other };
  assert.deepEqual(await cloud.callAs('acme-admin', 'enableStaticNat', at), { success: 'true' });
  assert.deepEqual(await network(), [vpcid, data]);
  await cloud.doAs('acme-admin', 'disableStaticNat', { ipaddressid: id });
  assert.deepEqual(await network(), [vpcid, undefined]);
});

test('rules of a VPC need a tier of it that is known', async () => {
  await using cloud = await openCloud();
  const { vpcid, web, data } = await shop(cloud);
  const green = await shop(cloud, 'green', '10.2');
  const both = await cloud.instance('acme-admin', 'both', `${web},${data}`);
  const id = await acquired(cloud, vpcid);
  const refused = (params: Params, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'createPortForwardingRule', params, text);
  await refused(
    forwarding(id, both),
    "ip with specified id is not associated with any network: 203.0.113.12 is VPC blue's and leads to no tier yet. Give networkid, one of its tiers",
  );
  await refused(
    forwarding(id, green.vm, { networkid: green.web }),
    "203.0.113.12 is VPC blue's, and tier-10.2.1.0/24 is no tier of it",
  );
  await cloud.made(
    'acme-admin',
    'createPortForwardingRule',
    forwarding(id, both, { networkid: data }),
    'portforwardingrule',
  );
  await cloud.refused(
    'acme-admin',
    'createFirewallRule',
    { ipaddressid: id, protocol: 'tcp', startport: '22' },
    "Firewall service is not supported for addresses of VPCs: 203.0.113.12 is VPC blue's, where network ACL lists rule",
  );
  await cloud.refused(
    'acme-admin',
    'createEgressFirewallRule',
    { networkid: web, protocol: 'all' },
    'Firewall service is not supported in network with specified id',
  );
  const loose = await cloud.made('acme-admin', 'associateIpAddress', { zoneid: BUILT_IN.zone }, 'ipaddress');
  await refused(
    forwarding(String(loose['id']), both, { networkid: data }),
    "Can't assign ip to the network directly when network belongs to VPC.Specify vpcId to associate ip address to VPC",
  );
  const [source] = await cloud.list('acme-admin', LIST, { vpcid, issourcenat: 'true' });
  await refused(
    forwarding(String(source?.['id']), both, { networkid: data }),
    'serves SourceNat and cannot serve PortForwarding as well',
  );
  await cloud.refused(
    'acme-admin',
    'enableStaticNat',
    { ipaddressid: String(source?.['id']), virtualmachineid: both, networkid: data },
    "Can't enable static, ip address 203.0.113.10 is a sourceNat ip address",
  );
});

test('a tier of an offering without a service refuses its rules', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const networkofferingid = cloud.offering('DefaultIsolatedNetworkOfferingForVpcNetworksWithoutSourceNat');
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24', { networkofferingid });
  const vm = await cloud.instance('acme-admin', 'vm1', String(tier['id']));
  const ipaddressid = await acquired(cloud, vpcid);
  await cloud.refused(
    'acme-admin',
    'enableStaticNat',
    { ipaddressid, virtualmachineid: vm },
    'Unable to create static nat rule; StaticNat service is not supported in network with specified id',
  );
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    forwarding(ipaddressid, vm),
    'PortForwarding service is not supported in network with specified id',
  );
});

test('what leads to an instance or a tier goes with it; the address stays with the VPC', async () => {
  await using cloud = await openCloud();
  const { vpcid, web, data, vm } = await shop(cloud);
  const forwarded = await acquired(cloud, vpcid);
  const translated = await acquired(cloud, vpcid);
  await cloud.made('acme-admin', 'createPortForwardingRule', forwarding(forwarded, vm), 'portforwardingrule');
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: translated, virtualmachineid: vm });
  await cloud.settle();
  await cloud.doAs('admin', 'destroyVirtualMachine', { id: vm, expunge: 'true' });
  assert.deepEqual(await cloud.list('acme-admin', 'listPortForwardingRules'), []);
  const own = [
    ['203.0.113.10', true, 'Allocated', null],
    ['203.0.113.11', false, 'Allocated', null],
    ['203.0.113.12', false, 'Allocated', null],
  ];
  assert.deepEqual(await addresses(cloud, { vpcid }), own);
  // A balancer may be without members, so it is the tier's.
  const balancer = { name: 'lb', algorithm: 'roundrobin', publicport: '80', privateport: '80', publicipid: forwarded };
  await cloud.made('acme-admin', 'createLoadBalancerRule', { ...balancer, networkid: web }, 'loadbalancer');
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: web });
  assert.deepEqual(await cloud.list('acme-admin', 'listLoadBalancerRules'), []);
  assert.deepEqual(await addresses(cloud, { vpcid }), own);
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: data });
  await cloud.doAs('acme-admin', 'deleteVPC', { id: vpcid });
  assert.deepEqual(await addresses(cloud), []);
});

test('releasing an address of a VPC drops its rules and its list', async () => {
  await using cloud = await openCloud();
  const { vpcid, vm } = await shop(cloud);
  const id = await acquired(cloud, vpcid);
  await cloud.made('acme-admin', 'createPortForwardingRule', forwarding(id, vm), 'portforwardingrule');
  await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid: BUILT_IN.denyList, publicipid: id });
  await cloud.doAs('acme-admin', 'disassociateIpAddress', { id });
  assert.deepEqual(await cloud.list('acme-admin', 'listPortForwardingRules'), []);
  const row = await cloud.store.db.selectFrom('publicip').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  assert.deepEqual([row.state, row.vpc, row.network, row.acl], ['Free', null, null, null]);
});

test("another tenant's VPC and its addresses do not exist", async () => {
  await using cloud = await openCloud();
  const { vpcid, web, vm } = await shop(cloud);
  const id = await acquired(cloud, vpcid);
  const refused = (command: string, params: Params, text: string): Promise<void> =>
    cloud.refused('globex-admin', command, params, text);
  await refused('associateIpAddress', { vpcid }, unknown('vpcid', vpcid));
  await refused(LIST, { vpcid }, unknown('vpcid', vpcid));
  await refused('replaceNetworkACLList', { aclid: BUILT_IN.denyList, publicipid: id }, unknown('publicipid', id));
  const theirs = await cloud.vpc('globex-admin', 'blue', '10.1.0.0/16');
  const own = await cloud.made('globex-admin', 'associateIpAddress', { vpcid: theirs }, 'ipaddress');
  const rule = forwarding(String(own['id']), vm);
  await refused('createPortForwardingRule', rule, unknown('virtualmachineid', vm));
  await refused('createPortForwardingRule', { ...rule, networkid: web }, unknown('networkid', web));
  await refused('updateVPC', { id: vpcid, sourcenatipaddress: '203.0.113.10' }, unknown('id', vpcid));
  const { accountName, domainId } = await cloud.caller('acme-user');
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { vpcid, account: accountName, domainid: domainId },
    'The owner of the network is not the same as owner of the IP',
  );
});

test('deleteAccount releases the public addresses of its VPCs', async () => {
  await using cloud = await openCloud();
  const { accountId } = await cloud.caller('acme-user');
  await cloud.vpc('acme-user', 'blue', '10.1.0.0/16');
  await cloud.doAs('acme-admin', 'deleteAccount', { id: accountId });
  const rows = await cloud.store.db.selectFrom('publicip').select(['state', 'vpc']).execute();
  assert.deepEqual(
    rows.map(({ state, vpc }) => [state, vpc]),
    [['Free', null]],
  );
});

test('each change of a VPC’s public side is a change of that VPC in the intent, and of nothing else', async () => {
  await using cloud = await openCloud();
  const { vpcid, web, vm } = await shop(cloud);
  const cache = createIntentCache(cloud.store);
  await cache.refresh();
  /** The VPC's public side after a change; what was read again must be what a fresh look finds. */
  const after = async (what: string) => {
    const { intent, dirty } = await cache.refresh();
    const fresh = (await createIntentCache(cloud.store).refresh()).intent;
    assert.deepEqual(intent.vpcs, fresh.vpcs, what);
    const units = new Set([...dirty.values()].flatMap((set) => [...set]));
    assert.deepEqual([...units], [`vpc:${vpcid}`], what);
    return intent.vpcs.get(vpcid)?.publicSide?.addresses ?? [];
  };
  const id = await acquired(cloud, vpcid);
  const two = await after('associateIpAddress');
  assert.deepEqual(
    two.map(({ ip, sourceNat, vlan }) => [ip, sourceNat, vlan]),
    [
      ['203.0.113.10', true, undefined],
      ['203.0.113.11', false, undefined],
    ],
  );
  const rule = await cloud.made('acme-admin', 'createPortForwardingRule', forwarding(id, vm), 'portforwardingrule');
  const [forward] = (await after('createPortForwardingRule'))[1]!.forwards;
  assert.deepEqual([forward?.ip, forward?.publicPort, forward?.networkId], ['10.1.1.2', 22, web]);
  await cloud.doAs('acme-admin', 'deletePortForwardingRule', { id: String(rule['id']) });
  assert.deepEqual((await after('deletePortForwardingRule'))[1]!.forwards, []);
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: id, virtualmachineid: vm });
  assert.equal((await after('enableStaticNat'))[1]!.staticNat, '10.1.1.2');
  await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid: BUILT_IN.denyList, publicipid: id });
  assert.equal((await after('replaceNetworkACLList'))[1]!.acl?.name, 'default_deny');
  const { id: list } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'door', vpcid });
  await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid: String(list), publicipid: id });
  await after('replaceNetworkACLList');
  await cloud.doAs('acme-admin', 'createNetworkACL', { aclid: String(list), protocol: 'tcp', startport: '22' });
  assert.equal((await after('createNetworkACL'))[1]!.acl?.items.length, 1, 'a changed list reaches the address');
  await cloud.doAs('acme-admin', 'updateVPC', { id: vpcid, sourcenatipaddress: '203.0.113.10' });
  await cloud.doAs('acme-admin', 'disableStaticNat', { ipaddressid: id });
  await cloud.doAs('acme-admin', 'updateVPC', { id: vpcid, sourcenatipaddress: '203.0.113.11' });
  assert.deepEqual(
    (await after('updateVPC')).map(({ ip, sourceNat }) => [ip, sourceNat]),
    [
      ['203.0.113.11', true],
      ['203.0.113.10', false],
    ],
  );
  const [before] = await cloud.list('acme-admin', LIST, { ipaddress: '203.0.113.10' });
  await cloud.callAs('acme-admin', 'disassociateIpAddress', { id: String(before?.['id']) });
  assert.equal((await after('disassociateIpAddress')).length, 1);
});
