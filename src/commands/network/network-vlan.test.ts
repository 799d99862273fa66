// Which VLANs a network can be given: from the pool or by hand, never one that is in use, native, reserved, or carries public
// addresses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { addRouters } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { openPhysical } from '../physical/physical.test-support.ts';
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

test('createNetwork never gives the VLAN that a router node’s cable carries untagged, once its switch has said so', async () => {
  await using cloud = await openPhysical();
  const [hostid = ''] = await addRouters(cloud.store, 1);
  cloud.table.ports.set('r1-eth0', { name: 'r1-eth0', untagged: 100, tagged: [] });
  const cable = { switchid: cloud.switchid, name: 'r1-eth0', role: 'router', hostid, managed: false };
  const { switchport } = await cloud.callAs('admin', 'addSwitchPort', cable);
  await cloud.follow();
  const asked = {
    zoneid: BUILT_IN.zone,
    name: 'x',
    networkofferingid: cloud.offering('DefaultL2NetworkOfferingVlan'),
    vlan: '100',
  };
  const used = 'VLAN 100 cannot be used:';
  await cloud.refused('admin', 'createNetwork', asked, `${used} the cable of a router node carries it untagged`);
  // As its outside cable is to be registered.
  await cloud.callAs('admin', 'updateSwitchPort', {
    id: String((switchport as Body[])[0]?.['id']),
    role: 'management',
  });
  await cloud.refused('admin', 'createNetwork', asked, `${used} a port of role management carries it untagged`);
});

test('createNetwork goes to the physical network that has all tags of its offering, and to none other', async () => {
  await using cloud = await openCloud();
  const offer = async (name: string, tags: string): Promise<void> => {
    const { networkoffering } = await cloud.callAs('admin', 'createNetworkOffering', {
      name,
      displaytext: name,
      traffictype: 'Guest',
      guestiptype: 'Isolated',
      supportedservices: '',
      enable: true,
      tags,
    });
    const id = String((networkoffering as Body)['id']);
    const params = { zoneid: BUILT_IN.zone, name, networkofferingid: id, cidr: '10.1.1.0/24' };
    made[name] = (more) => ['createNetwork', { ...params, ...more }];
  };
  const made: Record<string, (more?: Params) => [string, Params]> = {};
  await offer('fast', 'campus');
  await offer('faster', 'campus, fibre');
  await cloud.refused(
    'acme-admin',
    ...made['fast']!(),
    'Unable to find physical network which match the tags campus of offering fast: physnet1 has none',
  );
  const allocate = (allocationstate: string): Promise<Body> =>
    cloud.callAs('admin', 'updateZone', { id: BUILT_IN.zone, allocationstate });
  await allocate('Disabled');
  const { physicalnetwork } = await cloud.doAs('admin', 'createPhysicalNetwork', {
    zoneid: BUILT_IN.zone,
    name: 'phys2',
    vlan: '2000-2010',
    tags: 'campus',
  });
  const phys2 = String((physicalnetwork as Body)['id']);
  await cloud.doAs('admin', 'updatePhysicalNetwork', { id: phys2, state: 'Enabled' });
  await allocate('Enabled');
  const { network } = await cloud.callAs('acme-admin', ...made['fast']!());
  assert.equal((network as Body)['physicalnetworkid'], phys2);
  const plain = await cloud.networkOf('acme-admin', 'plain', 'NoServices', { cidr: '10.1.1.0/24' });
  assert.equal(plain['physicalnetworkid'], BUILT_IN.physicalNetwork);
  const elsewhere = made['fast']!({ physicalnetworkid: BUILT_IN.physicalNetwork });
  await cloud.refused('acme-admin', ...elsewhere, 'offering fast: physnet1 has none');
  await cloud.refused(
    'acme-admin',
    ...made['faster']!(),
    'campus,fibre of offering faster: physnet1 has none; phys2 has campus',
  );
});

test('createNetwork on the VLAN of another network is refused to both kinds that have a VLAN for themselves', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.vlan.tenants', value: '3000' });
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
