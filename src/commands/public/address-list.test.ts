// The ACL list of a public address of a VPC: who may be given one, who sees it, and what keeps a list from being deleted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { openCloud } from './public.test-support.ts';

test('replaceNetworkACLList with publicipid gives an address of a VPC a list; without one it has default_allow', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { id } = await cloud.made('acme-admin', 'associateIpAddress', { vpcid }, 'ipaddress');
  const publicipid = String(id);
  const list = async (): Promise<unknown> => {
    const [row] = await cloud.list('acme-admin', 'listPublicIpAddresses', { id: publicipid });
    return [row?.['aclid'], row?.['aclname']];
  };
  assert.deepEqual(await list(), [BUILT_IN.allowList, 'default_allow']);
  const { id: own } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'door', vpcid });
  const aclid = String(own);
  const done = await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid, publicipid });
  assert.deepEqual(done, { success: true });
  assert.deepEqual(await list(), [aclid, 'door']);
  await cloud.refused(
    'acme-admin',
    'deleteNetworkACLList',
    { id: aclid },
    'ACL is still associated with 1 public ip(s). Cannot delete network ACL: door, used by 203.0.113.11',
    530,
  );
  await cloud.doAs('acme-admin', 'replaceNetworkACLList', { aclid: BUILT_IN.denyList, publicipid });
  assert.deepEqual(await list(), [BUILT_IN.denyList, 'default_deny']);
  await cloud.doAs('acme-admin', 'deleteNetworkACLList', { id: aclid });
});

test('replaceNetworkACLList refuses addresses outside of VPCs and lists of other VPCs', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const green = await cloud.vpc('acme-admin', 'green', '10.2.0.0/16');
  const { id } = await cloud.made('acme-admin', 'associateIpAddress', { vpcid }, 'ipaddress');
  const { id: foreign } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'greens', vpcid: green });
  const refused = (params: Params, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'replaceNetworkACLList', params, text);
  await refused(
    { aclid: String(foreign), publicipid: String(id) },
    'IP address: 203.0.113.12 and ACL: greens do not belong to the same VPC',
  );
  const outside = await cloud.made('acme-admin', 'associateIpAddress', { zoneid: BUILT_IN.zone }, 'ipaddress');
  await refused(
    { aclid: BUILT_IN.denyList, publicipid: String(outside['id']) },
    'IP address is not part of a VPC: 203.0.113.13',
  );
  const { id: tier } = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await refused(
    { aclid: BUILT_IN.denyList, publicipid: String(id), networkid: String(tier) },
    'Only one of networkid, gatewayid and publicipid can be specified',
  );
  await refused({ aclid: BUILT_IN.denyList }, 'or the public address by publicipid');
});
