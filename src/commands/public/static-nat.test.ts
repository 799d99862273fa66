// Static NAT: all of an address for one instance.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { openCloud } from './public.test-support.ts';

const LIST = 'listPublicIpAddresses';

test('enableStaticNat leads an address to an instance at once, disableStaticNat ends it with its holes', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  const at = { ipaddressid: id, virtualmachineid: vm };
  assert.deepEqual(await cloud.callAs('acme-admin', 'enableStaticNat', at), { success: 'true' });
  assert.deepEqual(await cloud.callAs('acme-admin', 'enableStaticNat', at), { success: 'true' }, 'it is so already');
  const [address] = await cloud.list('acme-admin', LIST, { isstaticnat: 'true' });
  assert.deepEqual(
    ['id', 'isstaticnat', 'virtualmachineid', 'virtualmachinename', 'vmipaddress'].map((key) => address?.[key]),
    [id, true, vm, 'vm1', '10.50.1.2'],
  );
  await cloud.doAs('acme-admin', 'createFirewallRule', { ipaddressid: id, protocol: 'tcp', startport: '22' });
  assert.deepEqual(await cloud.doAs('acme-admin', 'disableStaticNat', { ipaddressid: id }), { success: true });
  assert.deepEqual(await cloud.list('acme-admin', LIST, { isstaticnat: 'true' }), []);
  assert.deepEqual(await cloud.list('acme-admin', 'listFirewallRules', { ipaddressid: id }), []);
  await cloud.refused(
    'acme-admin',
    'disableStaticNat',
    { ipaddressid: id },
    'One to one nat is not enabled for the specified ip id',
  );
});

test('enableStaticNat refuses what is taken, and says by what', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const second = await cloud.instance('acme-admin', 'vm2', networkid);
  const [source] = await cloud.list('acme-admin', LIST, { issourcenat: 'true' });
  const first = String((await cloud.address('acme-admin', networkid))['id']);
  const other = String((await cloud.address('acme-admin', networkid))['id']);
  const refused = (params: Params, text: string, status = 431): Promise<void> =>
    cloud.refused(
      'acme-admin',
      'enableStaticNat',
      { ipaddressid: first, virtualmachineid: vm, ...params },
      text,
      status,
    );
  await refused(
    { ipaddressid: String(source?.['id']) },
    "Can't enable static, ip address 203.0.113.10 is a sourceNat ip address",
  );
  const elsewhere = await cloud.net('acme-admin', 'other');
  const outsider = await cloud.instance('acme-admin', 'vm3', elsewhere);
  await refused({ virtualmachineid: outsider }, "Vm doesn't belong to the network with specified id");
  await refused({ networkid: elsewhere }, 'IP is associated with a different network than passed network id');
  const forward = { protocol: 'tcp', publicport: '1', privateport: '1', virtualmachineid: vm, ipaddressid: first };
  const rule = await cloud.made('acme-admin', 'createPortForwardingRule', forward, 'portforwardingrule');
  await refused(
    {},
    'Failed to enable static nat for the ip address 203.0.113.11 as it already has PortForwarding rules assigned',
    537,
  );
  await cloud.doAs('acme-admin', 'deletePortForwardingRule', { id: String(rule['id']) });
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: first, virtualmachineid: vm });
  await refused({ virtualmachineid: second }, "as it's already assigned to antoher vm", 537);
  await refused({ ipaddressid: other }, `is already associated with another public ip 203.0.113.11 with id ${first}`);
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id: second });
  await refused(
    { ipaddressid: other, virtualmachineid: second },
    `Can't enable static nat for the address id=${other}, invalid virtual machine id specified (${second}).`,
  );
});

test('static NAT goes with the instance', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: id, virtualmachineid: vm });
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id: vm, expunge: 'true' });
  const [address] = await cloud.list('acme-admin', LIST, { id });
  assert.deepEqual([address?.['isstaticnat'], address?.['state']], [false, 'Allocated']);
});

test('static NAT is refused in a network without the service', async () => {
  await using cloud = await openCloud();
  const made = (await cloud.callAs('admin', 'createNetworkOffering', {
    name: 'nat only',
    displaytext: 'nat only',
    guestiptype: 'Isolated',
    traffictype: 'GUEST',
    supportedservices: 'SourceNat',
    serviceproviderlist: [{ service: 'SourceNat', provider: 'LinuxRouter' }],
    segment: 'vlan',
  })) as { networkoffering: { id: string } };
  await cloud.callAs('admin', 'updateNetworkOffering', { id: made.networkoffering.id, state: 'Enabled' });
  const networkid = await cloud.net('acme-admin', 'web', { networkofferingid: made.networkoffering.id });
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  await cloud.refused(
    'acme-admin',
    'enableStaticNat',
    { ipaddressid: id, virtualmachineid: vm },
    'Unable to create static nat rule; StaticNat service is not supported in network with specified id',
  );
});
