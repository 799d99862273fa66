// The source NAT address of a VPC: there is one where there can be, it is chosen or changed by name, and it goes with the VPC.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { openCloud as openBare } from '../network/network.test-support.ts';
import { openCloud } from './public.test-support.ts';
import { LIST, acquired, addresses, forwarding, shop } from './vpc-address.test-support.ts';

test('createVPC takes one source NAT address, which stays until the VPC goes', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  assert.deepEqual(await addresses(cloud, { vpcid }), [['203.0.113.10', true, 'Allocated', null]]);
  const [vpc] = await cloud.list('acme-admin', 'listVPCs', { id: vpcid });
  assert.equal(vpc?.['publicip'], '203.0.113.10');
  const id = await acquired(cloud, vpcid);
  assert.deepEqual(await addresses(cloud, { vpcid }), [
    ['203.0.113.10', true, 'Allocated', null],
    ['203.0.113.11', false, 'Allocated', null],
  ]);
  const [source] = await cloud.list('acme-admin', LIST, { issourcenat: 'true' });
  await cloud.refused(
    'acme-admin',
    'disassociateIpAddress',
    { id: String(source?.['id']) },
    'ip address is used for source nat purposes and can not be disassociated.: 203.0.113.10 goes with its VPC',
  );
  await cloud.doAs('acme-admin', 'disassociateIpAddress', { id });
  const gone = cloud.callAs('acme-admin', 'deleteVPC', { id: vpcid });
  await gone;
  assert.equal((await cloud.list('acme-admin', LIST, { state: 'Releasing' })).length, 1, 'its router still has it');
  await cloud.settle();
  assert.deepEqual(await addresses(cloud), []);
  assert.equal((await cloud.list('acme-admin', LIST, { state: 'Free' })).length, 10);
});

test('createVPC takes the source NAT address it is told, and refuses where none is left with 533', async () => {
  await using cloud = await openCloud({ endip: '203.0.113.11' });
  const wanted = '203.0.113.11';
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16', { sourcenatipaddress: wanted });
  assert.deepEqual(await addresses(cloud, { vpcid }), [[wanted, true, 'Allocated', null]]);
  const params = {
    name: 'green',
    displaytext: 'green',
    cidr: '10.2.0.0/16',
    zoneid: BUILT_IN.zone,
    vpcofferingid: cloud.offering('Default VPC offering'),
  };
  const refused = (more: Params, text: string, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'createVPC', { ...params, ...more }, text, status);
  await refused({ sourcenatipaddress: wanted }, 'Unable to acquire 203.0.113.11: it is allocated already');
  await refused({ sourcenatipaddress: '192.0.2.1' }, 'it is in none of the ranges of public addresses');
  await cloud.vpc('acme-admin', 'red', '10.3.0.0/16');
  await refused({}, 'Insufficient address capacity: Unable to find available public IP addresses', 533);
});

test('a VPC of a zone without public addresses has none; the first one associated later translates', async () => {
  await using cloud = await openBare();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  assert.deepEqual(await cloud.list('acme-admin', LIST, { vpcid }), []);
  await cloud.refused('acme-admin', 'associateIpAddress', { vpcid }, 'has no range of public addresses', 533);
  const range = { startip: '203.0.113.10', endip: '203.0.113.19', gateway: '203.0.113.1', netmask: '255.255.255.0' };
  await cloud.callAs('admin', 'createVlanIpRange', { zoneid: BUILT_IN.zone, ...range });
  for (const issourcenat of [true, false]) {
    const { ipaddress } = (await cloud.doAs('acme-admin', 'associateIpAddress', { vpcid })) as {
      ipaddress: Record<string, unknown>;
    };
    assert.equal(ipaddress['issourcenat'], issourcenat);
    assert.equal(ipaddress['vpcid'], vpcid);
  }
});

test('a VPC whose offering has no SourceNat has no public addresses', async () => {
  await using cloud = await openCloud();
  const { id } = await cloud.callAs('admin', 'createVPCOffering', {
    name: 'inside',
    displaytext: 'inside',
    supportedservices: 'Dhcp,NetworkACL',
    enable: 'true',
  });
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16', { vpcofferingid: String(id) });
  assert.deepEqual(await addresses(cloud), []);
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { vpcid },
    'VPC does not support SourceNat service so no public ip addresses can be assigned.',
  );
  await cloud.refused(
    'acme-admin',
    'createVPC',
    {
      name: 'green',
      displaytext: 'green',
      cidr: '10.2.0.0/16',
      zoneid: BUILT_IN.zone,
      vpcofferingid: String(id),
      sourcenatipaddress: '203.0.113.15',
    },
    'sourcenatipaddress cannot be given with VPC offering inside',
  );
  await cloud.doAs('acme-admin', 'updateVPC', {
    id: vpcid,
    vpcofferingid: cloud.offering('Default VPC offering'),
  });
  assert.deepEqual(await addresses(cloud, { vpcid }), [['203.0.113.10', true, 'Allocated', null]]);
  await cloud.refused(
    'acme-admin',
    'updateVPC',
    { id: vpcid, vpcofferingid: String(id) },
    '[SourceNat] for its public addresses 203.0.113.10',
  );
});

test('updateVPC makes another address of the VPC its source NAT address; the one before can be released then', async () => {
  await using cloud = await openCloud();
  const { vpcid, vm } = await shop(cloud);
  const next = await acquired(cloud, vpcid, { ipaddress: '203.0.113.15' });
  const used = await acquired(cloud, vpcid, { ipaddress: '203.0.113.16' });
  const fixed = await acquired(cloud, vpcid, { ipaddress: '203.0.113.17' });
  await cloud.made('acme-admin', 'createPortForwardingRule', forwarding(used, vm), 'portforwardingrule');
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: fixed, virtualmachineid: vm });
  const change = { id: vpcid, sourcenatipaddress: '203.0.113.15' };
  const refused = (sourcenatipaddress: string, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'updateVPC', { id: vpcid, sourcenatipaddress }, text);
  await refused('203.0.113.19', 'it is not one of its addresses, which are 203.0.113.10');
  await refused('203.0.113.16', 'it serves PortForwarding');
  await refused('203.0.113.17', 'it has static NAT to 10.1.1.2');
  const { vpc } = (await cloud.doAs('acme-admin', 'updateVPC', change)) as { vpc: Record<string, unknown> };
  assert.equal(vpc['publicip'], '203.0.113.15');
  const [now, ...more] = await cloud.list('acme-admin', LIST, { vpcid, issourcenat: 'true' });
  assert.deepEqual([now?.['id'], now?.['state'], more], [next, 'Allocated', []]);
  await cloud.doAs('acme-admin', 'updateVPC', change);
  const [before] = await cloud.list('acme-admin', LIST, { ipaddress: '203.0.113.10' });
  await cloud.doAs('acme-admin', 'disassociateIpAddress', { id: String(before?.['id']) });
});

test('addresses of VPCs count towards the limit of their account: 532', async () => {
  await using cloud = await openCloud();
  const { accountName, domainId } = await cloud.caller('acme-user');
  const vpcid = await cloud.vpc('acme-user', 'blue', '10.1.0.0/16');
  const limit = { resourcetype: '1', max: '1', account: accountName, domainid: domainId };
  await cloud.callAs('admin', 'updateResourceLimit', limit);
  const text = `Maximum number of public IP addresses for account: ${accountName} has been exceeded.`;
  await cloud.refused('acme-user', 'associateIpAddress', { vpcid }, text, 532);
  await cloud.refused(
    'acme-user',
    'createVPC',
    {
      name: 'green',
      displaytext: 'green',
      cidr: '10.2.0.0/16',
      zoneid: BUILT_IN.zone,
      vpcofferingid: cloud.offering('Default VPC offering'),
    },
    text,
    532,
  );
});
