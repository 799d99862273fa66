// IPv6 as operators and tenants ask for it: offerings, prefixes, networks, routes and lists; and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { ISOLATED, PREFIX, openSix } from './ipv6.test-support.ts';
import { NOBODY, unknown } from './network.test-support.ts';

test('createNetworkOffering says which families its networks have, and refuses what does not go together', async () => {
  await using cloud = await openSix();
  const [shown] = await cloud.list('admin', 'listNetworkOfferings', { name: 'six' });
  assert.equal(shown!['internetprotocol'], 'ipv6');
  const [old] = await cloud.list('admin', 'listNetworkOfferings', { name: 'NoServices' });
  assert.equal(old!['internetprotocol'], 'ipv4');
  const refused = (more: Params, text: string): Promise<void> =>
    cloud.refused('admin', 'createNetworkOffering', { name: 'x', displaytext: 'x', ...ISOLATED, ...more }, text);
  const dual = { internetprotocol: 'dualstack' };
  await refused({ internetprotocol: 'ipx' }, 'Invalid internetprotocol ipx. Supported are: ipv4, dualstack, ipv6');
  await refused(dual, 'needs somebody who routes IPv6');
  await refused({ ...dual, guestiptype: 'L2' }, 'supported only for network offerings of type Isolated');
  await refused({ ...dual, supportedservices: 'Gateway', segment: 'vlan' }, 'goes with segment=overlay only');
  await refused({ ...dual, supportedservices: 'Gateway', specifyvlan: 'true' }, 'goes with segment=overlay only');
  const byNode = {
    supportedservices: 'Gateway',
    serviceproviderlist: [{ service: 'Gateway', provider: 'LinuxRouter' }],
  };
  await refused(
    { ...byNode, internetprotocol: 'ipv6' },
    'internetprotocol ipv6 is not supported by the provider LinuxRouter: its nodes find each other',
  );
  const six = { internetprotocol: 'ipv6' };
  await refused(
    { ...six, supportedservices: 'Dhcp,SourceNat,Gateway' },
    'Dhcp, SourceNat cannot be offered with internetprotocol ipv6',
  );
  await refused({ ...six, supportedservices: 'Gateway', networkmode: 'ROUTED' }, 'networkmode ROUTED is about IPv4');
});

test('createGuestNetworkIpv6Prefix counts its networks; it goes when none is left', async () => {
  await using cloud = await openSix();
  const [prefix] = await cloud.list('admin', 'listGuestNetworkIpv6Prefixes');
  const counts = (row: Body): unknown[] =>
    ['prefix', 'totalsubnets', 'usedsubnets', 'availablesubnets'].map((key) => row[key]);
  assert.deepEqual(counts(prefix!), [PREFIX, 4, 0, 4]);
  const network = await cloud.network('six');
  assert.deepEqual(counts((await cloud.list('admin', 'listGuestNetworkIpv6Prefixes'))[0]!), [PREFIX, 4, 1, 3]);
  const id = String(prefix!['id']);
  await cloud.refused(
    'admin',
    'deleteGuestNetworkIpv6Prefix',
    { id },
    '1 networks have a part of it: network six',
    530,
  );
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: String(network['id']) });
  assert.deepEqual(await cloud.doAs('admin', 'deleteGuestNetworkIpv6Prefix', { id }), { success: true });
  assert.deepEqual(await cloud.list('admin', 'listGuestNetworkIpv6Prefixes'), []);
  await cloud.refused('admin', 'listGuestNetworkIpv6Prefixes', { id: NOBODY }, unknown('id', NOBODY));
  await cloud.refused('acme-admin', 'listGuestNetworkIpv6Prefixes', {}, /listGuestNetworkIpv6Prefixes/, 432);
  const refused = (text: string, why: string): Promise<void> =>
    cloud.refused('admin', 'createGuestNetworkIpv6Prefix', { zoneid: BUILT_IN.zone, prefix: text }, why);
  await refused('2001:db8::/65', 'must be from /32 to /64');
  await refused('10.0.0.0/8', 'Invalid IPv6 prefix: 10.0.0.0/8');
  await refused('fe80::/64', "it holds addresses that are never a network's");
  const large = { zoneid: BUILT_IN.zone, prefix: '2001:DB8:1::5/48' };
  const added = (await cloud.doAs('admin', 'createGuestNetworkIpv6Prefix', large))['guestnetworkipv6prefix'] as Body;
  assert.deepEqual(counts(added), ['2001:db8:1::/48', 65_536, 0, 65_536]);
  await refused('2001:db8:1:ff::/64', 'overlaps with the existing one 2001:db8:1::/48');
});

test('createNetwork gives a network with IPv6 the next free /64, and 533 when there is none', async () => {
  await using cloud = await openSix();
  const seen: unknown[] = [];
  for (const which of ['dual', 'six', 'six', 'six'] as const) seen.push((await cloud.network(which))['ip6cidr']);
  assert.deepEqual(seen, ['2001:db8:200::/64', '2001:db8:200:1::/64', '2001:db8:200:2::/64', '2001:db8:200:3::/64']);
  const params = { name: 'more', zoneid: BUILT_IN.zone, networkofferingid: cloud.made.six };
  await cloud.refused('acme-admin', 'createNetwork', params, `all networks of ${PREFIX} in zone zone1 are in use`, 533);
  const [, , third] = await cloud.list('acme-admin', 'listNetworks', { listall: 'true' });
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: String(third!['id']) });
  assert.equal((await cloud.network('six'))['ip6cidr'], third!['ip6cidr']);
});

test('createNetwork shows the families of a network, and takes no parameters of one it has not', async () => {
  await using cloud = await openSix();
  const six = await cloud.network('six');
  const fields = [
    'cidr',
    'gateway',
    'ip6cidr',
    'ip6gateway',
    'ip6routing',
    'ip6firewall',
    'internetprotocol',
    'routedby',
  ];
  assert.deepEqual(
    fields.map((key) => six[key]),
    [undefined, undefined, '2001:db8:200::/64', '2001:db8:200::1', 'Static', true, 'ipv6', 'Ovn'],
  );
  assert.equal(six['ip6routes'], undefined, 'no public range has IPv6');
  const refused = (offering: string, more: Params, text: string, status = 431): Promise<void> =>
    cloud.refused(
      'acme-admin',
      'createNetwork',
      { name: 'x', zoneid: BUILT_IN.zone, networkofferingid: offering, ...more },
      text,
      status,
    );
  await refused(cloud.made.six, { cidr: '10.1.0.0/24' }, 'has no IPv4, so cidr cannot be given');
  await refused(
    cloud.offering('NoServices'),
    { cidr: '10.1.0.0/24', ip6cidr: '2001:db8::/64' },
    'NoServices is for IPv4 only',
  );
  await refused(cloud.made.six, { startipv6: '2001:db8::5' }, 'machines make them of their MAC address (SLAAC)');
  await refused(cloud.made.six, { ip6cidr: '2001:db8:7::/64' }, 'Only ROOT admin is allowed to specify ip6cidr', 531);
});

test('createNetwork lets root name the prefix, if it is a /64 that nothing has', async () => {
  await using cloud = await openSix();
  const make = (more: Params): Promise<Body> =>
    cloud.callAs('admin', 'createNetwork', {
      name: 'n',
      zoneid: BUILT_IN.zone,
      networkofferingid: cloud.made.six,
      ...more,
    });
  const { network } = (await make({ ip6cidr: '2001:DB8:7::1/64', ip6gateway: '2001:db8:7::fe' })) as { network: Body };
  assert.deepEqual([network['ip6cidr'], network['ip6gateway']], ['2001:db8:7::/64', '2001:db8:7::fe']);
  for (const [more, text] of [
    [{ ip6cidr: '2001:db8:7::/64' }, 'is in use by network n: 2001:db8:7::/64'],
    [{ ip6cidr: '2001:db8:8::/56' }, 'The cidr size of IPv6 network must be /64'],
    [{ ip6cidr: 'ff02::/64' }, "it holds addresses that are never a network's"],
    [{ ip6cidr: '2001:db8:8::' }, 'Invalid format for the IPv6 CIDR parameter'],
    [{ ip6cidr: '2001:db8:8::/64', ip6gateway: '2001:db8:8::' }, 'and not its first'],
    [{ ip6cidr: '2001:db8:8::/64', ip6gateway: 'fe80::1%eth0' }, 'Invalid format for the IPv6 gateway parameter'],
    [{ ip6gateway: '2001:db8:8::1' }, 'ip6gateway goes with ip6cidr'],
  ] as const) {
    const params = { name: 'n', zoneid: BUILT_IN.zone, networkofferingid: cloud.made.six, ...more };
    await cloud.refused('admin', 'createNetwork', params, text);
  }
});

test('a VPC has tiers with IPv6 if its offering says so', async () => {
  await using cloud = await openSix();
  const dual = await cloud.vpc('acme-admin', 'dual', '10.1.0.0/16', { vpcofferingid: cloud.made.vpc });
  const tier = await cloud.tier('acme-admin', dual, '10.1.1.0/24', { networkofferingid: cloud.made.dualTier });
  assert.deepEqual([tier['cidr'], tier['ip6cidr'], tier['ip6firewall']], ['10.1.1.0/24', '2001:db8:200::/64', false]);
  const four = await cloud.vpc('acme-admin', 'four', '10.2.0.0/16');
  const where = { name: 'x', zoneid: BUILT_IN.zone, vpcid: four, networkofferingid: cloud.made.dualTier };
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    { ...where, cidr: '10.2.1.0/24' },
    'VPC four is of offering Default VPC offering, which has ipv4',
  );
});

test('an instance has the IPv6 address that follows from its MAC, and no other can be asked for', async () => {
  await using cloud = await openSix();
  const networkid = String((await cloud.network('dual'))['id']);
  const mac = '02:00:00:00:01:01';
  const own = '2001:db8:200::ff:fe00:101';
  const params = { zoneid: BUILT_IN.zone, ...(await cloud.guest()) };
  const wish = (ipv6: string, more: Params = { mac }): Params => ({
    ...params,
    iptonetworklist: [{ networkid, ipv6, ...more } as Record<string, string>],
  });
  await cloud.refused(
    'acme-admin',
    'deployVirtualMachine',
    wish('2001:db8:200::5'),
    `is not the one that follows from MAC address ${mac} in network dual (SLAAC), which is ${own}`,
  );
  await cloud.refused('acme-admin', 'deployVirtualMachine', wish(own, {}), 'are made by the instances themselves');
  await cloud.refused(
    'acme-admin',
    'deployVirtualMachine',
    wish('10.9.0.9'),
    'Invalid specified IPv6 address 10.9.0.9',
  );
  const { id } = await cloud.callAs('acme-admin', 'deployVirtualMachine', wish('2001:DB8:200::FF:FE00:101'));
  await cloud.settle();
  const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: String(id) });
  assert.deepEqual(
    [nic!['ip6address'], nic!['ip6cidr'], nic!['ip6gateway'], typeof nic!['ipaddress']],
    [own, '2001:db8:200::/64', '2001:db8:200::1', 'string'],
  );
  const six = String((await cloud.network('six'))['id']);
  const alone = await cloud.deploy('acme-admin', six);
  const [only] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: alone });
  assert.match(String(only!['ip6address']), /^2001:db8:200:1:/);
  assert.equal(only!['ipaddress'], undefined);
  const asked = { ...params, iptonetworklist: [{ networkid: six, ip: '10.1.1.1' }] };
  await cloud.refused('acme-admin', 'deployVirtualMachine', asked, 'has no IPv4 addresses to choose from');
});

test('createVlanIpRange gives a public wire IPv6, and networks and VPCs show what upstream has to know', async () => {
  await using cloud = await openSix();
  const range = {
    zoneid: BUILT_IN.zone,
    vlan: '77',
    startip: '203.0.113.10',
    endip: '203.0.113.20',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
  };
  const wire = { ip6cidr: '2001:db8:100::/64', ip6gateway: '2001:db8:100::1' };
  for (const [more, text] of [
    [{ ip6cidr: wire.ip6cidr }, 'ip6gateway and ip6cidr should be defined together'],
    [{ ...wire, ip6cidr: '2001:db8:100::/65' }, 'The cidr size of IPv6 network must be /64'],
    [
      { ...wire, ip6cidr: '2001:db8:200::/48', ip6gateway: '2001:db8:200:1::1' },
      `overlaps with the guest IPv6 prefix ${PREFIX}`,
    ],
    [
      { ...wire, ip6gateway: '2001:db8:101::1' },
      'IPv6 gateway 2001:db8:101::1 should be an address of 2001:db8:100::/64',
    ],
    [{ ip6cidr: '2001:db8:200::/64', ip6gateway: '2001:db8:200::1' }, `overlaps with the guest IPv6 prefix ${PREFIX}`],
    [{ ...wire, startipv6: '2001:db8:100::5' }, 'Public IPv6 addresses are not given one by one'],
  ] as const)
    await cloud.refused('admin', 'createVlanIpRange', { ...range, ...more }, text);
  const { vlan } = (await cloud.callAs('admin', 'createVlanIpRange', { ...range, ...wire })) as { vlan: Body };
  assert.deepEqual([vlan['ip6cidr'], vlan['ip6gateway']], [wire.ip6cidr, wire.ip6gateway]);
  const [route] = (await cloud.network('six'))['ip6routes'] as Body[];
  assert.equal(route!['subnet'], '2001:db8:200::/64');
  assert.match(String(route!['gateway']), /^2001:db8:100::?[0-9a-f:]*ff:fe/);
  const vpcid = await cloud.vpc('acme-admin', 'dual', '10.1.0.0/16', { vpcofferingid: cloud.made.vpc });
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24', { networkofferingid: cloud.made.dualTier });
  const [vpc] = await cloud.list('acme-admin', 'listVPCs');
  const [own] = vpc!['ip6routes'] as Body[];
  assert.equal(own!['subnet'], '2001:db8:200:1::/64');
  assert.notEqual(own!['gateway'], route!['gateway'], 'each router has an address of its own');
});

test('lists hold items of both families, and static routes are of one', async () => {
  await using cloud = await openSix();
  const vpcid = await cloud.vpc('acme-admin', 'dual', '10.1.0.0/16', { vpcofferingid: cloud.made.vpc });
  const { id: aclid } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'both', vpcid });
  const item = (more: Params): Promise<Body> =>
    cloud.doAs('acme-admin', 'createNetworkACL', { aclid: String(aclid), ...more });
  const both = ((await item({ protocol: 'tcp', cidrlist: '10.0.0.0/8,2001:db8::/32' })) as { networkacl: Body })
    .networkacl;
  assert.equal(both['cidrlist'], '10.0.0.0/8,2001:db8::/32');
  const six = ((await item({ protocol: '58', icmptype: '135', icmpcode: '0' })) as { networkacl: Body }).networkacl;
  assert.equal(six['cidrlist'], '::/0');
  await cloud.refused(
    'acme-admin',
    'createNetworkACL',
    { aclid: String(aclid), protocol: 'tcp', cidrlist: 'fe80::1%eth0/64' },
    'write it like 10.2.0.0/16 or 2001:db8:1::/48',
  );
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24', { networkofferingid: cloud.made.dualTier });
  const nexthop = '2001:db8:200::7';
  await cloud.route('acme-admin', vpcid, '2001:db8:9::/48', nexthop);
  const refused = (cidr: string, hop: string, text: string, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'createStaticRoute', { vpcid, cidr, nexthop: hop }, text, status);
  await refused('2001:db8:9::/48', nexthop, 'New static route cidr already exists in VPC', 537);
  await refused('2001:db8:a::/48', '10.1.1.7', 'are of different families');
  await refused('10.7.0.0/16', nexthop, 'are of different families');
  await refused('2001:db8:a::/48', 'fe80::1', "routes lead to an instance's own address");
  await refused('ff02::/16', nexthop, "it holds no machine's address");
  await refused('2001:db8:a::/129', nexthop, 'Invalid format for cidr');
  await cloud.refused(
    'acme-admin',
    'deleteNetwork',
    { id: String(tier['id']) },
    'static routes applied pointing to the CIDR of the network (2001:db8:200::/64)',
    530,
  );
});

test('updateNetwork does not change the families of a network', async () => {
  await using cloud = await openSix();
  const id = String((await cloud.network('dual'))['id']);
  await cloud.refused(
    'acme-admin',
    'updateNetwork',
    { id, networkofferingid: cloud.made.six },
    'its instances would lose addresses, or get none',
  );
});
