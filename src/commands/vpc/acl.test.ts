// ACL lists and their rules: who sees them, what may be changed, where they can be attached.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { NOBODY, openCloud, unknown } from '../network/network.test-support.ts';

test('listNetworkACLLists shows the global lists to everybody, and those of a VPC to its owners', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-user', 'blue', '10.1.0.0/16');
  const { networkacllist } = (await cloud.doAs('acme-user', 'createNetworkACLList', {
    name: 'web',
    vpcid,
    description: 'front',
  })) as { networkacllist: Body };
  const id = String(networkacllist['id']);
  assert.deepEqual([networkacllist['description'], networkacllist['vpcname']], ['front', 'blue']);
  const names = async (who: 'acme-user' | 'acme-admin' | 'globex-admin' | 'admin', params = {}) =>
    (await cloud.list(who, 'listNetworkACLLists', params)).map((row) => row['name']).toSorted();
  assert.deepEqual(await names('acme-user'), ['default_allow', 'default_deny', 'web']);
  assert.deepEqual(await names('globex-admin', { listall: 'true' }), ['default_allow', 'default_deny']);
  assert.deepEqual(await names('acme-admin', { listall: 'true', name: 'WEB' }), ['web']);
  assert.deepEqual(await names('acme-admin', { vpcid }), ['default_allow', 'default_deny', 'web']);
  assert.deepEqual(await names('admin', { name: 'default_allow' }), ['default_allow']);
  for (const command of ['listNetworkACLLists', 'deleteNetworkACLList', 'updateNetworkACLList']) {
    await cloud.refused('globex-admin', command, { id }, unknown('id', id));
  }
  await cloud.refused('globex-admin', 'listNetworkACLs', { aclid: id }, unknown('aclid', id));
  const global = await cloud.list('globex-admin', 'listNetworkACLs', { aclid: BUILT_IN.denyList });
  assert.deepEqual(
    global.map((row) => [row['number'], row['traffictype'], row['action'], row['protocol'], row['cidrlist']]),
    [
      [1, 'Ingress', 'Deny', 'all', '0.0.0.0/0'],
      [2, 'Egress', 'Deny', 'all', '0.0.0.0/0'],
    ],
  );
});

test('the global lists and their rules cannot be changed', async () => {
  await using cloud = await openCloud();
  const id = BUILT_IN.allowList;
  await cloud.refused('admin', 'deleteNetworkACLList', { id }, 'Default ACL cannot be removed');
  await cloud.refused('admin', 'updateNetworkACLList', { id, name: 'x' }, 'Default ACL cannot be modified');
  await cloud.refused('admin', 'createNetworkACL', { aclid: id, protocol: 'tcp' }, 'Default ACL cannot be modified');
  const [item] = await cloud.list('admin', 'listNetworkACLs', { aclid: id });
  await cloud.refused(
    'admin',
    'deleteNetworkACL',
    { id: String(item?.['id']) },
    'ACL Items in default ACL cannot be deleted',
  );
  await cloud.refused(
    'admin',
    'updateNetworkACLItem',
    { id: String(item?.['id']), action: 'deny' },
    'Default ACL Items cannot be updated',
  );
});

test('replaceNetworkACLList gives tiers and gateways of the same VPC another list', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const green = await cloud.vpc('acme-admin', 'green', '10.2.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpcid, '10.1.1.0/24'))['id']);
  const meet = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  const gatewayid = await cloud.join('acme-admin', vpcid, meet, '172.16.0.1');
  const { id: own } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'greens', vpcid: green });
  const replace = (params: object) =>
    cloud.doAs('acme-admin', 'replaceNetworkACLList', params as Record<string, string>);
  assert.deepEqual(await replace({ aclid: BUILT_IN.allowList, networkid: tier }), { success: true });
  assert.deepEqual(await replace({ aclid: BUILT_IN.allowList, gatewayid }), { success: true });
  assert.equal((await cloud.list('acme-admin', 'listNetworks', { id: tier }))[0]?.['aclid'], BUILT_IN.allowList);
  assert.equal(
    (await cloud.list('acme-admin', 'listPrivateGateways', { id: gatewayid }))[0]?.['aclid'],
    BUILT_IN.allowList,
  );
  assert.equal(
    (await cloud.list('acme-admin', 'listNetworkACLLists', { networkid: tier }))[0]?.['name'],
    'default_allow',
  );
  const refused = (params: object, text: string) =>
    cloud.refused('acme-admin', 'replaceNetworkACLList', params as Record<string, string>, text);
  await refused(
    { aclid: String(own), networkid: tier },
    'Network: tier-10.1.1.0/24 and ACL: greens do not belong to the same VPC',
  );
  await refused(
    { aclid: String(own), gatewayid },
    'private gateway: 172.16.0.1 and ACL: greens do not belong to the same VPC',
  );
  await refused({ aclid: BUILT_IN.denyList, networkid: meet }, 'Network is not part of a VPC: meet');
  await refused({ aclid: BUILT_IN.denyList }, 'missing parameter networkid');
  await refused({ aclid: NOBODY, networkid: tier }, unknown('aclid', NOBODY));
  await cloud.refused(
    'globex-admin',
    'replaceNetworkACLList',
    { aclid: BUILT_IN.denyList, networkid: tier },
    unknown('networkid', tier),
  );
});

test('a list in use cannot be deleted, and says by whom', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpcid, '10.1.1.0/24'))['id']);
  const { id } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'web', vpcid });
  await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid: String(id), networkid: tier });
  await cloud.refused(
    'acme-admin',
    'deleteNetworkACLList',
    { id: String(id) },
    'ACL is still associated with 1 tier(s). Cannot delete network ACL: web, used by tier-10.1.1.0/24',
    530,
  );
  await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid: BUILT_IN.denyList, networkid: tier });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteNetworkACLList', { id: String(id) }), { success: true });
});

test('createNetworkACL adds rules with their place, ports as text', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const aclid = String((await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'web', vpcid }))['id']);
  const add = async (params: object) =>
    (
      (await cloud.doAs('acme-admin', 'createNetworkACL', { aclid, ...params } as Record<string, string>)) as {
        networkacl: Body;
      }
    ).networkacl;
  const first = await add({
    protocol: 'TCP',
    startport: 80,
    endport: 90,
    cidrlist: '10.2.0.0/16,10.3.0.0/16',
    traffictype: 'ingress',
    action: 'deny',
  });
  assert.deepEqual(
    ['protocol', 'startport', 'endport', 'cidrlist', 'traffictype', 'action', 'number', 'state', 'aclid'].map(
      (key) => first[key],
    ),
    ['tcp', '80', '90', '10.2.0.0/16,10.3.0.0/16', 'Ingress', 'Deny', 1, 'Active', aclid],
  );
  const second = await add({ protocol: 'icmp', icmptype: -1, icmpcode: -1, traffictype: 'Egress' });
  assert.deepEqual([second['number'], second['icmptype'], second['cidrlist']], [2, -1, '0.0.0.0/0']);
  const id = String(first['id']);
  const { networkacl } = (await cloud.doAs('acme-admin', 'updateNetworkACLItem', { id, number: 7, endport: 80 })) as {
    networkacl: Body;
  };
  assert.deepEqual(
    [networkacl['number'], networkacl['startport'], networkacl['endport'], networkacl['action']],
    [7, '80', '80', 'Deny'],
  );
  const refused = (params: object, text: string) =>
    cloud.refused('acme-admin', 'createNetworkACL', { aclid, ...params } as Record<string, string>, text);
  await refused({ protocol: 'tcp', number: 7 }, 'ACL item with number 7 already exists in ACL');
  await refused({ protocol: 'tcp', number: 0 }, 'Invalid number. Number cannot be < 1');
  await refused({ protocol: 'tcp', startport: 9, endport: 8 }, "Start port can't be bigger than end port");
  await refused({ protocol: 'tcp', startport: 0 }, 'publicPort is an invalid value: 0');
  await refused({ protocol: 'all', startport: 1 }, "start port and end port must be null if protocol = 'all'");
  await refused({ protocol: 'icmp', startport: 1 }, "Can't specify start/end port when protocol is ICMP");
  await refused({ protocol: 'tcp', icmptype: 8 }, 'Can specify icmpCode and icmpType for ICMP protocol only');
  await refused({ protocol: 'icmp', icmptype: 256 }, 'Invalid icmp type; should belong to [0-255] range');
  await refused({ protocol: 'icmp', icmptype: 8, icmpcode: 16 }, 'Invalid icmp code');
  await refused({ protocol: '256' }, 'Invalid protocol number: 256');
  await refused({ protocol: 'sctpp' }, 'Invalid protocol: sctpp');
  await refused({ protocol: 'tcp', cidrlist: '10.2.0.0/16,x' }, 'Source cidrs formatting error x');
  await refused({ protocol: 'tcp', action: 'maybe' }, 'Invalid action. Allowed actions are Allow and Deny');
  await cloud.refused(
    'acme-admin',
    'createNetworkACL',
    { protocol: 'tcp' },
    'Cannot create Network ACL Item. ACL Id or network Id is required',
  );
  for (const command of ['deleteNetworkACL', 'updateNetworkACLItem', 'listNetworkACLs'])
    await cloud.refused('globex-admin', command, { id }, unknown('id', id));
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteNetworkACL', { id }), { success: true });
});

test('createNetworkACL by tier alone gives a tier without a list one of its own', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const networkid = String((await cloud.tier('acme-admin', vpcid, '10.1.1.0/24'))['id']);
  await cloud.doAs('acme-admin', 'createNetworkACL', { networkid, protocol: 'tcp', startport: 22, endport: 22 });
  const [list] = await cloud.list('acme-admin', 'listNetworkACLLists', { networkid });
  assert.match(String(list?.['name']), /^VPC_.*_ACL_/);
  assert.equal((await cloud.list('acme-admin', 'listNetworkACLs', { networkid })).length, 1);
});

test('a rule keeps its reason, and updateNetworkACLItem changes what it is told, or everything with partialupgrade=false', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { id: acl } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'web', vpcid });
  const made = { protocol: 'TCP', startport: '80', endport: '90', cidrlist: '10.2.0.0/16,10.3.0.0/16' };
  const { id: item } = await cloud.callAs('acme-admin', 'createNetworkACL', {
    aclid: String(acl),
    ...made,
    action: 'deny',
    traffictype: 'egress',
    reason: 'ticket 7',
  });
  const id = String(item);
  await cloud.settle();
  const FIELDS = ['protocol', 'startport', 'endport', 'cidrlist', 'action', 'traffictype', 'number', 'reason'] as const;
  const rule = async (): Promise<unknown[]> => {
    const [row] = await cloud.list('acme-admin', 'listNetworkACLs', { id });
    return FIELDS.map((field) => row?.[field]);
  };
  assert.deepEqual(await rule(), ['tcp', '80', '90', '10.2.0.0/16,10.3.0.0/16', 'Deny', 'Egress', 1, 'ticket 7']);
  await cloud.doAs('acme-admin', 'updateNetworkACLItem', { id, action: 'allow', number: '5' });
  assert.deepEqual(await rule(), ['tcp', '80', '90', '10.2.0.0/16,10.3.0.0/16', 'Allow', 'Egress', 5, 'ticket 7']);
  // Another protocol has no use for the ports of the one before.
  await cloud.doAs('acme-admin', 'updateNetworkACLItem', { id, protocol: 'icmp', icmptype: '8', icmpcode: '0' });
  assert.deepEqual((await rule()).slice(0, 3), ['icmp', undefined, undefined]);
  await cloud.doAs('acme-admin', 'updateNetworkACLItem', { id, protocol: '47', partialupgrade: 'false' });
  assert.deepEqual(await rule(), ['47', undefined, undefined, '0.0.0.0/0', 'Allow', 'Ingress', 5, undefined]);
  const listed = async (params: Record<string, string>): Promise<number> =>
    (await cloud.list('acme-admin', 'listNetworkACLs', { aclid: String(acl), ...params })).length;
  for (const [params, count] of [
    [{ protocol: '47' }, 1],
    [{ protocol: 'tcp' }, 0],
    [{ action: 'ALLOW', traffictype: 'ingress' }, 1],
    [{ traffictype: 'Egress' }, 0],
  ] as const)
    assert.equal(await listed(params), count, JSON.stringify(params));
});
