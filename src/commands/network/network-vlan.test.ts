// Which VLANs a network can be given: from the pool or by hand, never one that is in use, native, reserved, or carries public
// addresses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT_IN } from '../../model/built-in.ts';
import { openCloud } from './network.test-support.ts';

test('S06: createNetwork takes the VLANs 2 to 4094 by hand, and says what is wrong with 0, 1, 4095 and 4096', async () => {
  await using cloud = await openCloud();
  const offering = cloud.offering('NoServicesSpecifyVlan');
  for (const vlan of ['2', '4094']) {
    const made = await cloud.networkOf('admin', `n${vlan}`, 'NoServicesSpecifyVlan', { cidr: '10.1.1.0/24', vlan });
    assert.deepEqual([made['vlan'], made['state']], [vlan, 'Setup']);
  }
  const refused = (vlan: string, text: string): Promise<void> =>
    cloud.refused(
      'admin',
      'createNetwork',
      { zoneid: BUILT_IN.zone, name: 'x', networkofferingid: offering, cidr: '10.1.1.0/24', vlan },
      text,
    );
  for (const vlan of ['0', '4095', '4096'])
    await refused(vlan, `Invalid VLAN ${vlan}: VLAN ids are whole numbers from 1 to 4094`);
  await refused('1', 'VLAN 1 cannot be used: it is the native VLAN of the switches');
  await refused('2', 'Network with vlan 2 already exists in zone zone1');
});

test('createNetwork never gives a VLAN that is native to a switch, reserved, or carries public addresses', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'addSwitch', {
    name: 'tor1',
    zoneid: BUILT_IN.zone,
    physicalnetworkid: BUILT_IN.physicalNetwork,
    driver: 'instructions',
    nativevlan: 1000,
    details: [{ dialect: 'cisco-ios' }],
  });
  await cloud.callAs('admin', 'createVlanIpRange', {
    zoneid: BUILT_IN.zone,
    startip: '198.51.100.10',
    endip: '198.51.100.20',
    gateway: '198.51.100.1',
    netmask: '255.255.255.0',
    vlan: '3001',
  });
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.vlan.reserved', value: '1001-1002,2500-2599' });
  await cloud.doAs('admin', 'updatePhysicalNetwork', { id: BUILT_IN.physicalNetwork, vlan: '1000-1003' });
  const made = await cloud.networkOf('admin', 'pooled', 'NoServices', { cidr: '10.1.1.0/24' });
  assert.equal(made['vlan'], '1003');
  const more = { zoneid: BUILT_IN.zone, name: 'x', cidr: '10.1.1.0/24' };
  await cloud.refused(
    'admin',
    'createNetwork',
    { ...more, networkofferingid: cloud.offering('NoServices') },
    'all 1 VLANs of physical network physnet1 (1000-1003) are in use; 3 more are native, reserved or carry public addresses. Add a range with updatePhysicalNetwork',
    533,
  );
  for (const [vlan, text] of [
    ['1000', 'VLAN 1000 cannot be used: it is the native VLAN of switch tor1'],
    ['3001', 'VLAN 3001 cannot be used: it carries public addresses'],
    ['2550', 'VLAN 2550 cannot be used: the operator has reserved 2500-2599'],
  ] as const) {
    await cloud.refused(
      'admin',
      'createNetwork',
      { ...more, networkofferingid: cloud.offering('NoServicesSpecifyVlan'), vlan, bypassvlanoverlapcheck: true },
      text,
    );
  }
  await cloud.refused(
    'admin',
    'updateConfiguration',
    { name: 'network.vlan.reserved', value: '4000-5000' },
    'Vnet range has to be between 1 and 4094',
  );
});

test('createNetwork on the VLAN of another network is refused to both kinds that have a VLAN for themselves', async () => {
  await using cloud = await openCloud();
  await cloud.networkOf('acme-admin', 'wire', 'DefaultL2NetworkOfferingVlan', { vlan: '3000' });
  const more = { zoneid: BUILT_IN.zone, name: 'x', vlan: '3000' };
  for (const [offering, cidr, text] of [
    ['NoServicesSpecifyVlan', '10.1.1.0/24', 'Network with vlan 3000 already exists in zone zone1'],
    ['DefaultL2NetworkOfferingVlan', '', 'Network with vlan 3000 already exists in zone zone1'],
    [
      'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
      '172.16.0.0/24',
      'There is a isolated/shared network with vlan',
    ],
  ] as const) {
    const params = { ...more, networkofferingid: cloud.offering(offering), ...(cidr === '' ? {} : { cidr }) };
    await cloud.refused('acme-admin', 'createNetwork', params, text);
  }
});
