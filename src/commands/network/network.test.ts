// Networks of every kind: what can be made, what is refused and why, who sees what, and VLANs that never meet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { addHosts } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { NOBODY, openCloud, unknown } from './network.test-support.ts';

const zoneid = BUILT_IN.zone;

test('createNetwork makes a tier with the first address as gateway, without an ACL list', async () => {
  await using cloud = await openCloud();
  const vpc = await cloud.vpc('acme-user', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-user', vpc, '10.1.1.0/24');
  assert.equal(tier['gateway'], '10.1.1.1');
  assert.equal(tier['netmask'], '255.255.255.0');
  assert.equal(tier['type'], 'Isolated');
  assert.equal(tier['vpcname'], 'blue');
  assert.equal(tier['state'], 'Implementing');
  assert.ok(!('aclid' in tier) && !('dns1' in tier) && !('vlan' in tier));
  await cloud.settle();
  const [listed] = await cloud.list('acme-user', 'listNetworks', { vpcid: vpc });
  assert.equal(listed?.['state'], 'Implemented');
  const other = await cloud.callAs('acme-user', 'createNetwork', {
    name: 'web',
    zoneid,
    vpcid: vpc,
    gateway: '10.1.2.254',
    netmask: '255.255.255.0',
    aclid: BUILT_IN.allowList,
    networkofferingid: cloud.offering('DefaultIsolatedNetworkOfferingForVpcNetworks'),
  });
  const web = other['network'] as Body;
  assert.equal(web['cidr'], '10.1.2.0/24');
  assert.equal(web['displaytext'], 'web');
  assert.equal(web['aclname'], 'default_allow');
});

test('createNetwork refuses tiers that do not fit their VPC', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const green = await cloud.vpc('acme-admin', 'green', '10.2.0.0/16');
  const foreign = await cloud.vpc('globex-admin', 'theirs', '10.1.0.0/16');
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const networkofferingid = cloud.offering('DefaultIsolatedNetworkOfferingForVpcNetworks');
  const good = { name: 't', zoneid, vpcid, networkofferingid, cidr: '10.1.2.0/24' };
  const refused = (change: object, text: string, status = 431) => {
    const params = Object.fromEntries(
      Object.entries({ ...good, ...change }).filter(([, value]) => value !== undefined),
    );
    return cloud.refused('acme-admin', 'createNetwork', params as typeof good, text, status);
  };
  await refused({ cidr: undefined }, 'Gateway/netmask are required when create network for VPC');
  await refused({ cidr: '10.3.0.0/24' }, 'Network cidr 10.3.0.0/24 is not within vpc blue cidr 10.1.0.0/16');
  await refused(
    { cidr: '10.1.0.0/22' },
    'Network cidr 10.1.0.0/22 crosses other network cidr 10.1.1.0/24 belonging to the same vpc blue',
  );
  await refused({ cidr: '10.1.4.0/21' }, "Cidr size can't be less than 22");
  await refused({ cidr: '10.1.2.0/31' }, 'is too small');
  await refused({ gateway: '10.1.2.0' }, 'It should never be equal to the cidr subnet value');
  await refused({ gateway: '10.1.2.255' }, 'Either the IP is broadcast or network IP.');
  await refused(
    { gateway: '10.1.3.1' },
    'The gateway ip 10.1.3.1 should be part of the CIDR of the network 10.1.2.0/24',
  );
  await refused({ gateway: 'x' }, 'Gateway parameter is invalid');
  await refused({ netmask: '255.0.255.0' }, 'Invalid netmask');
  await refused({ cidr: '10.1.2.0' }, 'Invalid format for the CIDR parameter');
  await refused(
    { networkdomain: 'other.example' },
    'Network domain of the new network should match network domain of vpc blue',
  );
  await refused({ vlan: '2000' }, "Can't specify vlan; corresponding offering says specifyVlan=false");
  await refused(
    { networkofferingid: cloud.offering('DefaultIsolatedNetworkOfferingWithSourceNatService') },
    "Network offering can't be used for VPC networks",
  );
  await refused({ vpcid: undefined }, 'Network offering can be used for VPC networks only');
  await refused({ vpcid: foreign }, unknown('vpcid', foreign));
  await refused({ networkofferingid: NOBODY }, unknown('networkofferingid', NOBODY));
  await refused({ zoneid: NOBODY }, unknown('zoneid', NOBODY));
  await refused({ aclid: NOBODY }, unknown('aclid', NOBODY));
  const { id: aclid } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'greens', vpcid: green });
  await refused({ aclid: String(aclid) }, 'ACL: greens do not belong to the VPC blue');
  await refused({ ipexclusionlist: '10.1.2.1-x' }, 'Syntax error in ipExclusionList');
  await refused(
    { ipexclusionlist: '10.1.3.1' },
    'An IP in the ipExclusionList is not part of the CIDR of the network 10.1.2.0/24',
  );
  await refused(
    { ipexclusionlist: '10.1.2.1-10.1.2.254' },
    'The ipExclusionList excludes all IPs in the CIDR; at least one needs to be available',
  );
  await refused({ ip6cidr: 'fd00::/64' }, 'Can only support create IPv6 network with advance shared network!');
  await cloud.callAs('admin', 'updateConfiguration', { name: 'vpc.max.networks', value: '1' });
  await refused({}, "Number of networks per VPC can't extend 1; increase it using global config vpc.max.networks", 530);
});

test('createNetwork takes the VLAN of a Private network from the pool, or by hand, or needs none', async () => {
  await using cloud = await openCloud();
  const pooled = await cloud.privateNetwork('acme-admin', 'a', '172.16.0.0/24');
  assert.equal(pooled['type'], 'Private');
  assert.ok(!('vlan' in pooled) && !('gateway' in pooled) && !('netmask' in pooled));
  assert.equal(pooled['canusefordeploy'], false);
  const [seen] = await cloud.list('admin', 'listNetworks', { id: String(pooled['id']) });
  assert.equal(seen?.['vlan'], '1000');
  assert.equal(seen?.['broadcasturi'], 'vlan://1000');
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.vlan.tenants', value: '3000,4094' });
  const byHand = { networkofferingid: cloud.offering('DefaultPrivateGatewayNetworkOfferingSpecifyVlan') };
  const chosen = await cloud.privateNetwork('acme-admin', 'b', '172.16.1.0/24', { ...byHand, vlan: 'vlan://4094' });
  assert.equal(chosen['state'], 'Setup');
  await cloud.privateNetwork('acme-admin', 'c', '172.16.1.0/24', { ...byHand, vlan: '4094' });
  const overlay = { networkofferingid: cloud.offering('DefaultPrivateGatewayNetworkOfferingOverlay') };
  const tunnel = await cloud.privateNetwork('acme-admin', 'd', '172.16.2.0/24', overlay);
  assert.equal(tunnel['broadcastdomaintype'], 'Overlay');

  const refused = (who: 'acme-admin' | 'globex-admin' | 'acme-user', change: object, text: string, status = 431) =>
    cloud.refused(
      who,
      'createNetwork',
      { name: 'x', zoneid, cidr: '172.16.3.0/24', ...byHand, ...change },
      text,
      status,
    );
  await refused('acme-admin', {}, 'Vlan has to be specified; corresponding offering says specifyVlan=true');
  for (const vlan of ['0', '4095', '4096', '-1', 'x']) await refused('acme-admin', { vlan }, `Invalid VLAN ${vlan}`);
  await refused('acme-admin', { vlan: '1' }, 'native VLAN');
  await refused(
    'acme-admin',
    { vlan: '1500' },
    'The VLAN tag 1500 is already being used for dynamic vlan allocation for the guest network in zone zone1',
  );
  await refused(
    'globex-admin',
    { vlan: '4094' },
    'There is a isolated/shared network with vlan id: 4094 already exists in zone zone1',
  );
  await refused('acme-user', { vlan: '3000' }, 'Regular user can create a network only from the network offering');
  await refused(
    'acme-admin',
    { vlan: '3000', gateway: '172.16.3.1' },
    "StartIp/endIp/vpcId/gateway/netmask can't be specified for guest type Private",
  );
  await refused(
    'acme-admin',
    { vlan: '3000', dns1: '9.9.9.9' },
    'Network of type Private does not support setting DNS servers',
  );
  await refused(
    'acme-admin',
    { vlan: '3000', cidr: '9.9.9.0/24' },
    'Virtual Guest Cidr 9.9.9.0/24 is not RFC1918 compliant',
  );
  await refused('acme-admin', { vlan: '3000', cidr: '224.0.0.0/24' }, 'cannot be used');
});

test('createNetwork says so when the pool of VLANs is dry, and reuses what was given back', async () => {
  await using cloud = await openCloud();
  await cloud.doAs('admin', 'updatePhysicalNetwork', { id: BUILT_IN.physicalNetwork, vlan: '1000-1001' });
  const first = await cloud.privateNetwork('acme-admin', 'a', '172.16.0.0/24');
  await cloud.privateNetwork('acme-admin', 'b', '172.16.1.0/24');
  const third = {
    name: 'c',
    zoneid,
    cidr: '172.16.2.0/24',
    networkofferingid: cloud.offering('DefaultPrivateGatewayNetworkOffering'),
  };
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    third,
    /Unable to allocate a VLAN: all 2 VLANs of physical network physnet1 \(1000-1001\) are in use\. Ask the operator/,
    533,
  );
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: String(first['id']) });
  const again = (await cloud.callAs('admin', 'createNetwork', third))['network'] as Body;
  assert.equal(again['vlan'], '1000');
});

test('createNetwork makes networks with a router of their own outside a VPC', async () => {
  await using cloud = await openCloud();
  const networkofferingid = cloud.offering('DefaultIsolatedNetworkOfferingWithSourceNatService');
  const made = (await cloud.callAs('acme-user', 'createNetwork', { name: 'own', zoneid, networkofferingid }))[
    'network'
  ] as Body;
  assert.equal(made['cidr'], '10.1.1.0/24');
  assert.equal(made['gateway'], '10.1.1.1');
  assert.match(String(made['networkdomain']), /cloud\.internal$/);
  assert.deepEqual(
    (await cloud.list('acme-user', 'listNetworks', { forvpc: 'false', supportedservices: 'SourceNat,Firewall' })).map(
      (row) => row['id'],
    ),
    [made['id']],
  );
});

test('createNetwork with an offering without services needs to be told the addresses, and has no router', async () => {
  await using cloud = await openCloud();
  const offering = (
    await cloud.callAs('admin', 'createNetworkOffering', {
      name: 'none',
      displaytext: 'no router',
      traffictype: 'GUEST',
      guestiptype: 'Isolated',
      supportedservices: '',
    })
  )['networkoffering'] as Body;
  const networkofferingid = String(offering['id']);
  await cloud.refused(
    'acme-user',
    'createNetwork',
    { name: 'n', zoneid, networkofferingid, cidr: '10.9.0.0/24' },
    "Can't use specified network offering id as its stat is not Enabled",
  );
  await cloud.callAs('admin', 'updateNetworkOffering', { id: networkofferingid, state: 'Enabled' });
  await cloud.refused(
    'acme-user',
    'createNetwork',
    { name: 'n', zoneid, networkofferingid },
    'StartIp/endIp/gateway/netmask are required',
  );
  const made = (
    await cloud.callAs('acme-user', 'createNetwork', { name: 'n', zoneid, networkofferingid, cidr: '10.9.0.0/24' })
  )['network'] as Body;
  assert.ok(!('gateway' in made));
  assert.deepEqual(made['service'], []);
});

test('listNetworks selects by type, use and words, and shows nothing of other tenants', async () => {
  await using cloud = await openCloud();
  const vpc = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpc, '10.1.1.0/24', { name: 'Web' }))['id']);
  const priv = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  const ids = async (who: 'acme-admin' | 'globex-admin' | 'admin' | 'readonly', params: object) =>
    (await cloud.list(who, 'listNetworks', params as Record<string, string>)).map((row) => row['id']).toSorted();
  assert.deepEqual(await ids('acme-admin', { type: 'private' }), [priv]);
  assert.deepEqual(await ids('acme-admin', { canusefordeploy: 'true' }), [tier]);
  assert.deepEqual(await ids('acme-admin', { keyword: 'we' }), [tier]);
  assert.deepEqual(await ids('acme-admin', { name: 'MEET' }), [priv]);
  assert.deepEqual(await ids('readonly', { listall: 'true', type: 'Isolated' }), [tier]);
  assert.deepEqual(await ids('admin', { listall: 'true', vlan: '1000' }), [priv]);
  assert.deepEqual(await ids('acme-admin', { vlan: '1000' }), []);
  assert.deepEqual(await ids('acme-admin', { traffictype: 'Public' }), []);
  assert.deepEqual(await ids('globex-admin', { listall: 'true' }), []);
  assert.equal((await cloud.callAs('acme-admin', 'listNetworks', { page: 1, pagesize: 1 }))['count'], 2);
  for (const command of ['listNetworks', 'deleteNetwork', 'restartNetwork', 'updateNetwork']) {
    await cloud.refused('globex-admin', command, { id: tier }, unknown('id', tier));
  }
  await cloud.refused('globex-admin', 'listNetworks', { vpcid: vpc }, unknown('vpcid', vpc));
});

test('updateNetwork changes what may change, and keeps addresses in use off the exclusion list', async () => {
  await using cloud = await openCloud();
  const vpc = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const id = String((await cloud.tier('acme-admin', vpc, '10.1.1.0/24'))['id']);
  const { network } = (await cloud.doAs('acme-admin', 'updateNetwork', {
    id,
    name: 'web',
    displaytext: 'front',
    dns1: '9.9.9.9',
    ipexclusionlist: '10.1.1.10-10.1.1.20',
  })) as { network: Body };
  assert.deepEqual(
    [network['name'], network['displaytext'], network['dns1'], network['ipexclusionlist']],
    ['web', 'front', '9.9.9.9', '10.1.1.10-10.1.1.20'],
  );
  await cloud.store.write((tx) =>
    tx.insert('address', { network: id, ip: '10.1.1.30', kind: 'reserved', owner: 'test' }),
  );
  const refused = (params: object, text: string) =>
    cloud.refused('acme-admin', 'updateNetwork', { id, ...params }, text);
  await refused({ ipexclusionlist: '10.1.1.25-10.1.1.40' }, 'Active IP 10.1.1.30 exist in ipExclusionList.');
  await refused({ networkdomain: 'x.example' }, 'its network domain is that of its VPC');
  await refused({ guestvmcidr: '10.1.2.0/25' }, 'Guest VM CIDR  should be a subset of network CIDR : 10.1.1.0/24');
  await refused(
    { networkofferingid: cloud.offering('DefaultIsolatedNetworkOfferingWithSourceNatService') },
    "Can't update as the new offering is not a vpc offering",
  );
  await refused(
    { networkofferingid: cloud.offering('DefaultPrivateGatewayNetworkOffering') },
    'Isolated networks only',
  );
  const noLb = cloud.offering('DefaultIsolatedNetworkOfferingForVpcNetworksNoLB');
  assert.equal(
    ((await cloud.doAs('acme-admin', 'updateNetwork', { id, networkofferingid: noLb }))['network'] as Body)[
      'networkofferingid'
    ],
    noLb,
  );
});

test('deleteNetwork is refused while instances, gateways or routes need the network, and names them', async () => {
  await using cloud = await openCloud();
  const vpc = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpc, '10.1.1.0/24'))['id']);
  const meet = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  const gateway = await cloud.join('acme-admin', vpc, meet, '172.16.0.1');
  const route = await cloud.route('acme-admin', vpc, '0.0.0.0/0', '10.1.1.77');
  await addHosts(cloud.store, 1);
  const { serviceofferingid, templateid } = await cloud.guest();
  const instance = await cloud.callAs('acme-admin', 'deployVirtualMachine', {
    zoneid,
    serviceofferingid,
    templateid,
    networkids: tier,
    name: 'vm1',
  });
  await cloud.refused(
    'acme-admin',
    'deleteNetwork',
    { id: tier },
    "Can't delete network tier-10.1.1.0/24 as it is used by 1 instances: vm1",
    530,
  );
  await cloud.doAs('admin', 'destroyVirtualMachine', { id: String(instance['id']), expunge: 'true' });
  await cloud.refused(
    'acme-admin',
    'deleteNetwork',
    { id: tier },
    "Can't delete network tier-10.1.1.0/24 as it has static routes applied pointing to the CIDR of the network (10.1.1.0/24). Example static route: 0.0.0.0/0 to 10.1.1.77. Please remove all the routes",
    530,
  );
  await cloud.refused(
    'acme-admin',
    'deleteNetwork',
    { id: meet },
    'used by 1 private gateways: 172.16.0.1 of VPC blue',
    530,
  );
  await cloud.refused(
    'acme-admin',
    'deleteNetwork',
    { id: tier, forced: 'true' },
    "Delete network with 'forced' option can only be called by root admins",
  );
  await cloud.doAs('acme-admin', 'deleteStaticRoute', { id: route });
  await cloud.doAs('acme-admin', 'deletePrivateGateway', { id: gateway });
  for (const id of [tier, meet])
    assert.deepEqual(await cloud.doAs('acme-admin', 'deleteNetwork', { id }), { success: true });
  for (const table of ['network', 'vlan', 'address'] as const) {
    assert.deepEqual(await cloud.store.db.selectFrom(table).selectAll().execute(), []);
  }
});

test('100 networks created at once get 100 VLANs and ids', async () => {
  await using cloud = await openCloud();
  const caller = await cloud.caller('acme-admin');
  const params = { zoneid, networkofferingid: cloud.offering('DefaultPrivateGatewayNetworkOffering') };
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      cloud.callAs(caller, 'createNetwork', { ...params, name: `n${index}`, cidr: `172.16.${index}.0/24` }),
    ),
  );
  const vlans = await cloud.store.db.selectFrom('network').select('vlan').execute();
  assert.equal(new Set(vlans.map((row) => row.vlan)).size, 100);
  assert.equal(new Set(answers.map((answer) => (answer['network'] as Body)['id'])).size, 100);
});
