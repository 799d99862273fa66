// Private gateways in both dialects: which VPCs may meet where, and what stands in the way of going again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { NOBODY, openCloud, unknown } from '../network/network.test-support.ts';

test('createPrivateGateway joins VPCs to a Private network, with default_deny where no list is named', async () => {
  await using cloud = await openCloud();
  const blue = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const networkid = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  const answer = await cloud.callAs('acme-admin', 'createPrivateGateway', {
    ipaddress: '172.16.0.1',
    networkid,
    vpcid: blue,
  });
  assert.deepEqual(Object.keys(answer).toSorted(), ['id', 'jobid']);
  const [creating] = await cloud.list('acme-admin', 'listPrivateGateways', { id: String(answer['id']) });
  assert.equal(creating?.['state'], 'Creating');
  await cloud.settle();
  const { jobresult } = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(answer['jobid']) });
  const gateway = (jobresult as { privategateway: Body }).privategateway;
  assert.deepEqual(
    [
      'state',
      'ipaddress',
      'networkid',
      'networkname',
      'cidr',
      'netmask',
      'vpcid',
      'vpcname',
      'aclid',
      'aclname',
      'sourcenatsupported',
      'zonename',
    ].map((key) => gateway[key]),
    [
      'Ready',
      '172.16.0.1',
      networkid,
      'meet',
      '172.16.0.0/24',
      '255.255.255.0',
      blue,
      'blue',
      BUILT_IN.denyList,
      'default_deny',
      false,
      'zone1',
    ],
  );
  const green = await cloud.vpc('acme-admin', 'green', '10.2.0.0/16');
  await cloud.join('acme-admin', green, networkid, '172.16.0.2', {
    aclid: BUILT_IN.allowList,
    sourcenatsupported: 'true',
  });
  assert.equal((await cloud.list('acme-admin', 'listPrivateGateways', { networkid })).length, 2);
  assert.deepEqual(await cloud.list('acme-admin', 'listPrivateGateways', { networkid, keyword: '_' }), []);
  assert.deepEqual(
    await cloud.list('acme-admin', 'listPrivateGateways', { vpcid: green, ipaddress: '172.16.0.1' }),
    [],
  );
});

test('createPrivateGateway refuses what cannot meet', async () => {
  await using cloud = await openCloud();
  const blue = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const green = await cloud.vpc('acme-admin', 'green', '10.2.0.0/16');
  const shade = await cloud.vpc('acme-admin', 'shade', '10.1.128.0/17');
  const theirs = await cloud.vpc('globex-admin', 'theirs', '10.5.0.0/16');
  const tier = String((await cloud.tier('acme-admin', blue, '10.1.1.0/24'))['id']);
  const meet = String(
    (
      await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24', {
        ipexclusionlist: '172.16.0.200-172.16.0.210',
      })
    )['id'],
  );
  const inside = String((await cloud.privateNetwork('acme-admin', 'inside', '10.2.3.0/24'))['id']);
  const around = String((await cloud.privateNetwork('acme-admin', 'around', '172.16.0.0/22'))['id']);
  const foreign = String((await cloud.privateNetwork('globex-admin', 'foreign', '172.17.0.0/24'))['id']);
  await cloud.join('acme-admin', blue, meet, '172.16.0.1');
  const good = { ipaddress: '172.16.0.2', vpcid: green, networkid: meet };
  const refused = (change: object, text: string, status = 431) =>
    cloud.refused('acme-admin', 'createPrivateGateway', { ...good, ...change }, text, status);
  await refused({ vpcid: theirs }, unknown('vpcid', theirs));
  await refused({ networkid: foreign }, unknown('networkid', foreign));
  await refused({ networkid: NOBODY }, unknown('networkid', NOBODY));
  await refused(
    { networkid: tier, ipaddress: '10.1.1.9' },
    'The private network specified could not be found: network tier-10.1.1.0/24 is a tier of a VPC',
  );
  await refused(
    { gateway: '172.16.0.9', netmask: '255.255.255.0' },
    'Gateway/netmask fields are not supported anymore',
  );
  await refused(
    { networkid: inside, ipaddress: '10.2.3.9' },
    'CIDR of the private network to be connected 10.2.3.0/24 should be outside of the VPC super CIDR 10.2.0.0/16',
  );
  await refused(
    { ipaddress: '172.16.1.2' },
    'The specified ip address for the private network 172.16.1.2 should be within the CIDR of the private network 172.16.0.0/24',
  );
  await refused(
    { ipaddress: '172.16.0.0' },
    'The requested ip address 172.16.0.0 is not available in private network meet: it is the network address',
  );
  await refused({ ipaddress: '172.16.0.255' }, 'it is the broadcast address');
  await refused(
    { ipaddress: '172.16.0.205' },
    'The requested ip address 172.16.0.205 is not available in private network meet',
  );
  await refused(
    { ipaddress: '172.16.0.1' },
    'Private IP address 172.16.0.1 already used for private gateway in zone zone1',
  );
  await refused({ vpcid: blue }, `VPC with uuid ${blue} is already connected to network 'meet'`);
  await refused(
    { vpcid: shade },
    'VPC shade (10.1.128.0/17) overlaps VPC blue (10.1.0.0/16), which is already connected to private network meet',
  );
  await refused(
    { vpcid: blue, networkid: around },
    'overlaps that of private network meet (172.16.0.0/24), to which VPC blue is already connected',
  );
  await refused({ aclid: NOBODY }, unknown('aclid', NOBODY));
  const { id: aclid } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'blues', vpcid: blue });
  await refused({ aclid: String(aclid) }, 'Private gateway and network acl are not in the same vpc');
  await cloud.refused(
    'acme-admin',
    'createPrivateGateway',
    { ipaddress: '172.16.0.2', vpcid: green },
    'missing parameter networkid',
  );
  await cloud.refused('acme-user', 'createPrivateGateway', good, /createPrivateGateway/, 432);
  // Root may see both, and may join them.
  await cloud.join('admin', theirs, meet, '172.16.0.5');
});

test('createPrivateGateway in the other dialect makes a network for the VLAN, shared by VPCs and gone with the last', async () => {
  await using cloud = await openCloud();
  const blue = await cloud.vpc('acme-admin', 'blue', '10.4.0.0/16');
  const green = await cloud.vpc('acme-admin', 'green', '10.5.0.0/16');
  const params = {
    ipaddress: '192.168.0.1',
    gateway: '10.1.1.254',
    netmask: '255.255.255.0',
    vlan: '2000',
    vpcid: blue,
  };
  const { privategateway } = (await cloud.doAs('admin', 'createPrivateGateway', params)) as { privategateway: Body };
  assert.deepEqual(
    ['ipaddress', 'gateway', 'netmask', 'vlan', 'cidr'].map((key) => privategateway[key]),
    ['192.168.0.1', '10.1.1.254', '255.255.255.0', '2000', '192.168.0.0/24'],
  );
  const refused = (who: 'admin' | 'acme-admin', change: object, text: string, status = 431) => {
    const changed = Object.fromEntries(
      Object.entries({ ...params, vpcid: green, ipaddress: '192.168.0.2', ...change }).filter(
        ([, value]) => value !== undefined,
      ),
    );
    return cloud.refused(who, 'createPrivateGateway', changed as typeof params, text, status);
  };
  await refused(
    'admin',
    { vpcid: blue },
    'Private network for the vlan: 2000 and cidr 192.168.0.0/24 already exists for Vpc blue in zone zone1',
  );
  await refused('acme-admin', {}, 'Only ROOT admin is allowed to specify vlanId or bypass vlan overlap check', 531);
  await refused('admin', { vlan: undefined }, 'One of vlanId and associatedNetworkId must be specified');
  await refused('admin', { vlan: '1200' }, 'The VLAN tag 1200 is already being used');
  await refused('admin', { netmask: undefined }, 'missing parameter netmask');
  await refused(
    'admin',
    { ipaddress: '192.168.0.1' },
    'Private IP address 192.168.0.1 already used for private gateway in zone zone1',
  );
  const second = (await cloud.doAs('admin', 'createPrivateGateway', {
    ...params,
    vpcid: green,
    ipaddress: '192.168.0.2',
  })) as { privategateway: Body };
  const networkid = String(privategateway['networkid']);
  assert.equal(second.privategateway['networkid'], networkid);
  assert.deepEqual(await cloud.list('admin', 'listNetworks', { listall: 'true' }), []);
  assert.equal((await cloud.list('admin', 'listNetworks', { listall: 'true', issystem: 'true' })).length, 1);
  await cloud.refused('admin', 'deleteNetwork', { id: networkid }, 'used by 2 private gateways', 530);
  await cloud.doAs('admin', 'deletePrivateGateway', { id: String(privategateway['id']) });
  assert.equal((await cloud.list('admin', 'listNetworks', { id: networkid })).length, 1);
  await cloud.doAs('admin', 'deletePrivateGateway', { id: String(second.privategateway['id']) });
  await cloud.refused('admin', 'listNetworks', { id: networkid }, unknown('id', networkid));
});

test('deletePrivateGateway is refused while static routes go through it, and names them', async () => {
  await using cloud = await openCloud();
  const blue = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const meet = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  const id = await cloud.join('acme-admin', blue, meet, '172.16.0.1');
  const route = await cloud.route('acme-admin', blue, '10.2.0.0/16', '172.16.0.2');
  await cloud.route('acme-admin', blue, '10.3.0.0/16', '10.1.1.5');
  await cloud.refused(
    'acme-admin',
    'deletePrivateGateway',
    { id },
    'Unable to delete Private Gateway. Please remove these static routes pointing to the private gateway CIDR before attempting to delete the gateway: [10.2.0.0/16]',
    530,
  );
  await cloud.refused('globex-admin', 'deletePrivateGateway', { id }, unknown('id', id));
  await cloud.refused('globex-admin', 'listPrivateGateways', { id }, unknown('id', id));
  assert.deepEqual(await cloud.callAs('globex-admin', 'listPrivateGateways', { listall: 'true' }), {});
  await cloud.doAs('acme-admin', 'deleteStaticRoute', { id: route });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deletePrivateGateway', { id }), { success: true });
  // Its address is free again.
  await cloud.join('acme-admin', blue, meet, '172.16.0.1');
});

test('100 gateways asked for at once: one of each address and one of each VPC come through', async () => {
  await using cloud = await openCloud();
  const meet = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  const vpcs = await Promise.all(
    Array.from({ length: 10 }, (_, index) => cloud.vpc('acme-admin', `v${index}`, `10.${index}.0.0/16`)),
  );
  const caller = await cloud.caller('acme-admin');
  const calls = vpcs.flatMap((vpcid) =>
    Array.from({ length: 10 }, (_, index) =>
      cloud.callAs(caller, 'createPrivateGateway', { vpcid, networkid: meet, ipaddress: `172.16.0.${index + 1}` }).then(
        () => true,
        () => false,
      ),
    ),
  );
  const outcomes = await Promise.all(calls);
  const rows = await cloud.store.db.selectFrom('privategateway').select(['vpc', 'ip']).execute();
  assert.equal(outcomes.filter(Boolean).length, rows.length);
  assert.equal(new Set(rows.map((row) => row.ip)).size, rows.length);
  assert.equal(new Set(rows.map((row) => row.vpc)).size, rows.length);
  assert.equal(rows.length, 10);
});
