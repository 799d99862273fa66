// Which addresses instances get, and another offering for a network: what may change while what runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import { openCloud } from './network.test-support.ts';

test('updateNetwork guestvmcidr reserves the rest of the CIDR, and gives it back', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const id = String((await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.1.1.0/24' }))['id']);
  const refused = (guestvmcidr: string, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'updateNetwork', { id, guestvmcidr }, text);
  await refused('10.1.1.0/26', 'IP Reservation cannot be applied in Allocated state');
  await cloud.deploy('acme-admin', id, { ipaddress: '10.1.1.70', name: 'a' });
  await refused('10.1.1.0/26', 'Active IPs like 10.1.1.70 exist outside the Guest VM CIDR. Cannot apply reservation ');
  await refused('10.1.0.0/16', 'Guest VM CIDR  should be a subset of network CIDR : 10.1.1.0/24');
  await cloud.refused(
    'acme-admin',
    'updateNetwork',
    { id, guestvmcidr: '10.1.1.64/26', networkofferingid: cloud.offering('NoServicesSpecifyVlan') },
    'Cannot specify guestvmcidr and networkofferingid at the same time',
  );
  const update = async (guestvmcidr: string): Promise<Record<string, unknown>> =>
    (await cloud.doAs('acme-admin', 'updateNetwork', { id, guestvmcidr }))['network'] as Record<string, unknown>;
  const made = await update('10.1.1.64/26');
  assert.deepEqual(
    [made['cidr'], made['networkcidr'], made['reservediprange'], made['netmask']],
    ['10.1.1.64/26', '10.1.1.0/24', '10.1.1.0-10.1.1.63,10.1.1.128-10.1.1.255', '255.255.255.0'],
  );
  await cloud.deploy('acme-admin', id, { name: 'b' });
  const addressOf = async (name: string): Promise<unknown> => {
    const [instance] = await cloud.list('acme-admin', 'listVirtualMachines', { name });
    const [nic] = (instance?.['nic'] ?? []) as Record<string, unknown>[];
    return nic?.['ipaddress'];
  };
  assert.equal(await addressOf('b'), '10.1.1.64');
  const all = await update('10.1.1.0/24');
  assert.deepEqual([all['cidr'], all['networkcidr'], all['reservediprange']], ['10.1.1.0/24', undefined, undefined]);
  await cloud.deploy('acme-admin', id, { name: 'c' });
  assert.equal(await addressOf('c'), '10.1.1.1');
});

test('updateNetwork takes another offering where nothing runs and nobody else would route', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const made = await cloud.networkOf('acme-admin', 'own', 'DefaultIsolatedNetworkOfferingWithSourceNatService');
  const id = String(made['id']);
  const networkofferingid = cloud.offering('DefaultIsolatedNetworkOfferingWithEgress');
  const vm = await cloud.deploy('acme-admin', id, { name: 'vm1' });
  const refused = (params: Record<string, string>, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'updateNetwork', { id, ...params }, text);
  await refused(
    { networkofferingid },
    'All user vm of network of specified id should be stopped before changing the offering! These run in own: vm1',
  );
  await cloud.doAs('acme-admin', 'stopVirtualMachine', { id: vm });
  await refused(
    { networkofferingid: cloud.offering('LinuxRouter') },
    'Network own is made of an overlay, networks of offering LinuxRouter of a VLAN from the pool',
  );
  const { id: bare } = (
    await cloud.callAs('admin', 'createNetworkOffering', {
      name: 'told',
      displaytext: 'told',
      traffictype: 'Guest',
      guestiptype: 'Isolated',
      supportedservices: 'Dhcp,Dns',
      segment: 'overlay',
      enable: true,
    })
  )['networkoffering'] as Record<string, string>;
  await refused(
    { networkofferingid: bare! },
    'Who routes for network own cannot change: Ovn (NATTED) does with DefaultIsolatedNetworkOfferingWithSourceNatService, None (NATTED) would with told',
  );
  const { network } = (await cloud.doAs('acme-admin', 'updateNetwork', { id, networkofferingid })) as {
    network: Record<string, unknown>;
  };
  assert.deepEqual([network['networkofferingid'], network['egressdefaultpolicy']], [networkofferingid, true]);
});

test('createNetwork and updateNetwork keep what machines start from, show it, and take it away', async () => {
  await using cloud = await openCloud();
  const offering = 'DefaultIsolatedNetworkOfferingWithSourceNatService';
  const made = await cloud.networkOf('acme-admin', 'own', offering, { dhcptftpserver: '10.1.1.9' });
  const told = (row: Record<string, unknown>): unknown[] => [row['dhcptftpserver'], row['dhcpbootfilename']];
  assert.deepEqual(told(made), ['10.1.1.9', undefined]);
  const id = String(made['id']);
  const update = async (params: Record<string, string>): Promise<unknown[]> =>
    told((await cloud.doAs('acme-admin', 'updateNetwork', { id, ...params }))['network'] as Record<string, unknown>);
  assert.deepEqual(await update({ dhcpbootfilename: 'pxelinux.0' }), ['10.1.1.9', 'pxelinux.0']);
  assert.deepEqual(await update({ name: 'owned' }), ['10.1.1.9', 'pxelinux.0']);
  assert.deepEqual(await update({ dhcptftpserver: '' }), [undefined, 'pxelinux.0']);
  const refused = (of: string, dhcpbootfilename: string, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'updateNetwork', { id: of, dhcpbootfilename }, text);
  await refused(id, 'a" b', 'DHCP option 67 (boot file) is to be');
  const wire = await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.1.1.0/24' });
  await refused(String(wire['id']), 'x', 'DHCP options cannot be set in network wire: its offering NoServices has no');
});

test('who asks for the service address, or excludes it, is told what it is', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const offering = 'DefaultIsolatedNetworkOfferingWithSourceNatService';
  const made = await cloud.networkOf('acme-admin', 'own', offering, { cidr: '10.1.1.0/24' });
  const id = String(made['id']);
  await cloud.refused(
    'acme-admin',
    'updateNetwork',
    { id, ipexclusionlist: '10.1.1.200-10.1.1.254' },
    "Active IP 10.1.1.254 exist in ipExclusionList. It is the network's service address (DHCP, names, metadata)",
  );
  await assert.rejects(cloud.deploy('acme-admin', id, { name: 'a', ipaddress: '10.1.1.254' }), {
    message: /10\.1\.1\.254 is the service address \(DHCP, names, metadata\) of network own\. Choose another/,
  });
});
