// The public side of networks outside VPCs that OVN routes for: their own address, how many ports they may forward, and networks
// whose addresses nobody translates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { openCloud as openBare } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from './public.test-support.ts';

const OVN = 'DefaultIsolatedNetworkOfferingWithSourceNatService';
const LIST = 'listPublicIpAddresses';

async function shown(cloud: PublicCloud, params: Params): Promise<unknown[]> {
  const rows = await cloud.list('acme-admin', LIST, params);
  return rows
    .map((row) => [row['ipaddress'], row['issourcenat'], row['state']])
    .toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

test('createNetwork takes one source NAT address for a network that OVN routes for, and it goes with the network', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web', {}, OVN);
  assert.deepEqual(await shown(cloud, { associatednetworkid: networkid }), [['203.0.113.10', true, 'Allocated']]);
  const second = await cloud.address('acme-admin', networkid);
  assert.deepEqual([second['issourcenat'], second['state']], [false, 'Allocated']);
  const [source] = await cloud.list('acme-admin', LIST, { issourcenat: 'true' });
  await cloud.refused(
    'acme-admin',
    'disassociateIpAddress',
    { id: String(source?.['id']) },
    'ip address is used for source nat purposes and can not be disassociated.: 203.0.113.10 goes with its network',
  );
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: networkid });
  assert.deepEqual(await shown(cloud, {}), []);
});

test('createNetwork takes the source NAT address it is told; updateNetwork changes it', async () => {
  await using cloud = await openCloud();
  const wanted = '203.0.113.15';
  const networkid = await cloud.net('acme-admin', 'web', { sourcenatipaddress: wanted }, OVN);
  assert.deepEqual(await shown(cloud, { networkid }), [[wanted, true, 'Allocated']]);
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const { id } = await cloud.address('acme-admin', networkid, { ipaddress: '203.0.113.16' });
  // The offering has conserve mode, so one address may serve both.
  const rule = { protocol: 'tcp', publicport: '22', privateport: '22', virtualmachineid: vm };
  await cloud.doAs('acme-admin', 'createPortForwardingRule', { ipaddressid: String(id), ...rule });
  await cloud.doAs('acme-admin', 'updateNetwork', { id: networkid, sourcenatipaddress: '203.0.113.16' });
  assert.deepEqual(await shown(cloud, { networkid }), [
    [wanted, false, 'Allocated'],
    ['203.0.113.16', true, 'Allocated'],
  ]);
  const refused = (command: string, params: Params, text: string): Promise<void> =>
    cloud.refused('acme-admin', command, params, text);
  await refused(
    'updateNetwork',
    { id: networkid, sourcenatipaddress: '203.0.113.17' },
    'it is not one of its addresses, which are 203.0.113.15, 203.0.113.16',
  );
  const bare = { name: 'bare', zoneid: BUILT_IN.zone, cidr: '10.9.0.0/24', sourcenatipaddress: '203.0.113.17' };
  await refused(
    'createNetwork',
    { ...bare, networkofferingid: cloud.offering('NoServices') },
    'sourcenatipaddress cannot be given with network offering NoServices: it has no SourceNat',
  );
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const networkofferingid = cloud.offering('DefaultIsolatedNetworkOfferingForVpcNetworks');
  const tier = { ...bare, cidr: '10.1.1.0/24', vpcid, networkofferingid };
  await refused(
    'createNetwork',
    tier,
    'A tier has no source NAT address of its own: give sourcenatipaddress to VPC blue',
  );
  const { id: made } = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await refused(
    'updateNetwork',
    { id: String(made), sourcenatipaddress: '203.0.113.17' },
    'is a tier: its VPC has the source NAT address',
  );
});

test('a zone without public addresses has networks without: the first one that comes later translates', async () => {
  await using cloud = await openBare();
  const { id } = await cloud.networkOf('acme-admin', 'web', OVN, { zoneid: BUILT_IN.zone });
  const networkid = String(id);
  assert.deepEqual(await cloud.list('acme-admin', LIST), []);
  const range = { startip: '203.0.113.10', endip: '203.0.113.19', gateway: '203.0.113.1', netmask: '255.255.255.0' };
  await cloud.callAs('admin', 'createVlanIpRange', { zoneid: BUILT_IN.zone, ...range });
  const loose = (await cloud.doAs('acme-admin', 'associateIpAddress', { zoneid: BUILT_IN.zone }))['ipaddress'] as {
    id: string;
    issourcenat: boolean;
  };
  assert.equal(loose.issourcenat, false);
  // A rule attaches it, and then it is the network's first.
  const rule = { name: 'lb', algorithm: 'roundrobin', publicport: '80', privateport: '80' };
  await cloud.doAs('acme-admin', 'createLoadBalancerRule', { ...rule, publicipid: loose.id, networkid });
  const [now] = await cloud.list('acme-admin', LIST, { associatednetworkid: networkid });
  assert.deepEqual([now?.['id'], now?.['issourcenat'], now?.['state']], [loose.id, true, 'Allocated']);
  const { ipaddress } = (await cloud.doAs('acme-admin', 'associateIpAddress', { networkid })) as {
    ipaddress: Record<string, unknown>;
  };
  assert.equal(ipaddress['issourcenat'], false);
});

test('a range dedicated to others is nobody else’s: a network of another account then has no address, where OVN routes', async () => {
  await using cloud = await openCloud();
  const { accountName, domainId } = await cloud.caller('globex-admin');
  await cloud.callAs('admin', 'dedicatePublicIpRange', {
    id: cloud.range,
    account: accountName,
    domainid: domainId,
  });
  const networkid = await cloud.net('acme-admin', 'web', {}, OVN);
  assert.deepEqual(await shown(cloud, { networkid }), []);
  await cloud.net('globex-admin', 'web', {}, OVN);
  assert.equal((await cloud.list('globex-admin', LIST, { issourcenat: 'true' })).length, 1);
});

test('createPortForwardingRule forwards at most 1,024 ports in a rule and 4,096 on an address, where OVN routes', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web', {}, OVN);
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const [source] = await cloud.list('acme-admin', LIST, { networkid });
  const forward = (from: number, to: number, more: Params = {}): Params => ({
    ipaddressid: String(source?.['id']),
    protocol: 'tcp',
    publicport: String(from),
    publicendport: String(to),
    privateport: String(from),
    privateendport: String(to),
    virtualmachineid: vm,
    ...more,
  });
  const refused = (params: Params, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'createPortForwardingRule', params, text);
  await refused(
    forward(1, 1025),
    'Public port range is an invalid value: 1-1025: it holds 1025 ports, and one rule forwards at most 1024 where OVN routes',
  );
  for (const start of [1, 1025, 2049, 3073])
    await cloud.doAs('acme-admin', 'createPortForwardingRule', forward(start, start + 1023));
  await refused(
    forward(5000, 5000),
    'Unable to create port forwarding rule for 1 ports on 203.0.113.10: its rules have 4096 already',
  );
  await refused(forward(5000, 5000, { protocol: 'udp' }), 'use static NAT (enableStaticNat)');
  // A router node has one rule for any range.
  const nodes = await cloud.net('acme-admin', 'nodes');
  const other = await cloud.instance('acme-admin', 'vm2', nodes);
  const [own] = await cloud.list('acme-admin', LIST, { networkid: nodes });
  await cloud.doAs(
    'acme-admin',
    'createPortForwardingRule',
    forward(1, 9000, { ipaddressid: String(own?.['id']), virtualmachineid: other }),
  );
});

test('a network of routable addresses has one address of its router, to which upstream sends', async () => {
  await using cloud = await openCloud();
  const { networkoffering } = (await cloud.callAs('admin', 'createNetworkOffering', {
    name: 'Routed',
    displaytext: 'Routed',
    guestiptype: 'Isolated',
    traffictype: 'Guest',
    supportedservices: 'Dhcp,Gateway',
    serviceproviderlist: ['Dhcp', 'Gateway'].map((service) => ({ service, provider: 'VirtualRouter' })),
    networkmode: 'ROUTED',
    enable: 'true',
  })) as { networkoffering: { id: string; networkmode: string } };
  assert.equal(networkoffering.networkmode, 'ROUTED');
  const { accountName, domainId } = await cloud.caller('acme-admin');
  const { network } = (await cloud.callAs('admin', 'createNetwork', {
    name: 'direct',
    zoneid: BUILT_IN.zone,
    networkofferingid: networkoffering.id,
    cidr: '198.51.100.0/28',
    account: accountName,
    domainid: domainId,
  })) as { network: Record<string, unknown> };
  await cloud.settle();
  const id = String(network['id']);
  assert.deepEqual(await shown(cloud, { networkid: id }), [['203.0.113.10', true, 'Allocated']]);
  const [row] = await cloud.list('acme-admin', 'listNetworks', { id });
  assert.deepEqual(
    [row?.['ip4routing'], row?.['ip4routes']],
    ['Static', [{ subnet: '198.51.100.0/28', gateway: '203.0.113.10' }]],
  );
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { networkid: id },
    'ip address can be associated only to the network of guest type Isolated with the SourceNat enabled: direct is of type Isolated without SourceNat (offering Routed)',
  );
  const [translated] = await cloud.list('acme-admin', 'listNetworks', {
    id: await cloud.net('acme-admin', 'web', {}, OVN),
  });
  assert.deepEqual([translated?.['ip4routing'], translated?.['ip4routes']], [undefined, undefined]);
});

test('ports are led inside from the wire of the router’s own address alone; the refusal says which that is', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web', {}, OVN);
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const other = { startip: '198.51.100.10', endip: '198.51.100.19', gateway: '198.51.100.1', netmask: '255.255.255.0' };
  await cloud.callAs('admin', 'createVlanIpRange', { zoneid: BUILT_IN.zone, ...other, vlan: '89' });
  const { id } = await cloud.address('acme-admin', networkid, { ipaddress: '198.51.100.10' });
  const why =
    "where OVN routes, ports can be led inside only from addresses of the public network that the router's own address 203.0.113.10 is of";
  const forward = { protocol: 'tcp', publicport: '22', privateport: '22', virtualmachineid: vm };
  await cloud.refused('acme-admin', 'createPortForwardingRule', { ipaddressid: String(id), ...forward }, why);
  const balancer = { name: 'lb', algorithm: 'roundrobin', publicport: '80', privateport: '80' };
  await cloud.refused('acme-admin', 'createLoadBalancerRule', { publicipid: String(id), ...balancer }, why);
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: String(id), virtualmachineid: vm });
});
