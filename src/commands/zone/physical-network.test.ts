// Physical networks with their pools of VLANs, traffic types and providers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cloud, openCloud } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { putNetwork, refused, rowOf, rowsOf } from './provider.test-support.ts';

const PHYSNET1 = BUILT_IN.physicalNetwork;

async function disabledZone(cloud: Cloud): Promise<string> {
  await cloud.callAs('admin', 'updateZone', { id: BUILT_IN.zone, allocationstate: 'Disabled' });
  return BUILT_IN.zone;
}

test('createPhysicalNetwork makes a disabled network in a disabled zone and writes its ranges in order', async () => {
  await using cloud = await openCloud();
  const zoneid = await disabledZone(cloud);
  const { physicalnetwork } = (await cloud.doAs('admin', 'createPhysicalNetwork', {
    zoneid,
    name: 'physnet2',
    vlan: '300-310,200,201-299',
  })) as {
    physicalnetwork: Record<string, unknown>;
  };
  assert.deepEqual(
    [physicalnetwork['vlan'], physicalnetwork['state'], physicalnetwork['zonename']],
    ['200-310', 'Disabled', 'zone1'],
  );
  const id = String(physicalnetwork['id']);
  await cloud.doAs('admin', 'updatePhysicalNetwork', { id, state: 'Enabled', vlan: '400-410' });
  assert.equal((await rowOf(cloud, 'listPhysicalNetworks', 'physicalnetwork', { id }))['vlan'], '400-410');
  assert.deepEqual(await cloud.doAs('admin', 'deletePhysicalNetwork', { id }), { success: true });
  assert.deepEqual(
    (await rowsOf(cloud, 'listPhysicalNetworks', 'physicalnetwork')).map((row) => row['id']),
    [PHYSNET1],
  );
});

test('createPhysicalNetwork refuses an enabled zone, bad ranges, a taken name and more than one tag', async () => {
  await using cloud = await openCloud();
  const create = (more: Record<string, string>): Promise<unknown> =>
    cloud.callAs('admin', 'createPhysicalNetwork', { zoneid: BUILT_IN.zone, name: 'physnet2', ...more });
  await refused(
    create({}),
    'permission',
    `Cannot create PhysicalNetwork since the Zone is currently enabled, zone Id: ${BUILT_IN.zone}`,
  );
  await disabledZone(cloud);
  await refused(create({ vlan: '4090-4096' }), 'parameter', 'Vnet range has to be between 1 and 4094');
  await refused(create({ vlan: '1-100' }), 'parameter', 'VLAN 1 cannot be in the pool: it is the native VLAN');
  await refused(create({ vlan: 'ten' }), 'parameter', 'Please provide valid vnet range.');
  await refused(create({ name: 'PHYSNET1' }), 'parameter', 'A physical network called PHYSNET1 exists in zone zone1');
  await refused(create({ name: 'a:br-ex,b' }), 'parameter', 'Invalid name a:br-ex,b');
  await refused(
    create({ tags: 'a,b' }),
    'parameter',
    'Only one tag can be specified for a physical network at this time',
  );
  await refused(create({ isolationmethods: 'VXLAN' }), 'parameter', 'Isolation method VXLAN is not offered');
});

test('updatePhysicalNetwork refuses to shrink the pool below VLANs in use and names them', async () => {
  await using cloud = await openCloud();
  await putNetwork(cloud, 'acme-admin', { vlan: 1000 });
  await putNetwork(cloud, 'acme-admin', { vlan: 1234 });
  const update = (vlan: string): Promise<unknown> =>
    cloud.doAs('admin', 'updatePhysicalNetwork', { id: PHYSNET1, vlan });
  await refused(
    update('1001-1999'),
    'parameter',
    'physicalnetwork physnet1 has 1 vnets in use that the new ranges leave out: 1000.',
  );
  await refused(update(''), 'parameter', 'leave out: 1000, 1234.');
  await update('1000-1300');
  assert.equal((await rowOf(cloud, 'listPhysicalNetworks', 'physicalnetwork', { id: PHYSNET1 }))['vlan'], '1000-1300');
});

test('updatePhysicalNetwork refuses to take a VLAN chosen by hand into the pool', async () => {
  await using cloud = await openCloud();
  await putNetwork(cloud, 'acme-admin', { vlan: 2500, guesttype: 'Private' }, 0);
  await refused(
    cloud.callAs('admin', 'updatePhysicalNetwork', { id: PHYSNET1, vlan: '1000-2999' }),
    'parameter',
    'chosen by hand: 2500',
  );
});

test('deletePhysicalNetwork refuses while networks use it and names them', async () => {
  await using cloud = await openCloud();
  const { name } = await putNetwork(cloud, 'acme-admin');
  await refused(
    cloud.callAs('admin', 'deletePhysicalNetwork', { id: PHYSNET1 }),
    'failed',
    `because networks use it: ${name}`,
  );
});

test('listGuestVlans shows which VLANs are taken and by whom', async () => {
  await using cloud = await openCloud();
  const { id, name } = await putNetwork(cloud, 'acme-admin', { vlan: 1003 });
  await putNetwork(cloud, 'globex-admin', { vlan: 3000, guesttype: 'Private' }, 0);
  const { count } = await cloud.callAs('admin', 'listGuestVlans', { page: '1', pagesize: '1' });
  assert.equal(count, 1001, 'the pool of 1000, and one chosen by hand');
  const taken = await rowsOf(cloud, 'listGuestVlans', 'guestvlan', { allocatedonly: 'true' });
  assert.deepEqual(
    taken.map((row) => [row['vlan'], row['allocationstate'], row['account']]),
    [
      ['1003', 'Allocated', 'acme-admin'],
      ['3000', 'Allocated', 'globex-admin'],
    ],
  );
  assert.deepEqual(taken[0]?.['network'], [{ id, name, type: 'Isolated' }]);
  const free = await rowOf(cloud, 'listGuestVlans', 'guestvlan', { vnet: '1004' });
  assert.deepEqual([free['allocationstate'], free['account'], free['network']], ['Free', undefined, []]);
  await refused(cloud.callAs('acme-admin', 'listGuestVlans'), 'unsupported', 'listGuestVlans');
});

test('addTrafficType adds a type once, and deleteTrafficType keeps Guest while networks need it', async () => {
  await using cloud = await openCloud();
  const add = (traffictype: string): Promise<Record<string, unknown>> =>
    cloud.doAs('admin', 'addTrafficType', { physicalnetworkid: PHYSNET1, traffictype });
  await refused(add('guest'), 'failed', 'This physical network already supports the traffic type: Guest');
  await refused(add('Tenant'), 'parameter', 'Invalid value for traffictype Tenant');
  const { traffictype } = (await add('storage')) as { traffictype: Record<string, string> };
  assert.equal(traffictype['traffictype'], 'Storage');
  const updated = await cloud.doAs('admin', 'updateTrafficType', {
    id: traffictype['id']!,
    kvmnetworklabel: 'cloudbr1',
  });
  assert.equal((updated['traffictype'] as Record<string, string>)['kvmnetworklabel'], 'cloudbr1');
  await cloud.doAs('admin', 'deleteTrafficType', { id: traffictype['id']! });
  const rows = await rowsOf(cloud, 'listTrafficTypes', 'traffictype', { physicalnetworkid: PHYSNET1 });
  assert.deepEqual(
    rows.map((row) => row['traffictype']),
    ['Guest', 'Management', 'Public'],
  );
  await putNetwork(cloud, 'acme-admin');
  await refused(
    cloud.callAs('admin', 'deleteTrafficType', { id: String(rows[0]?.['id']) }),
    'failed',
    'there are existing networks with this traffic type: Guest',
  );
});

test('listNetworkServiceProviders shows every router enabled, by its old names and ours', async () => {
  await using cloud = await openCloud();
  const rows = await rowsOf(cloud, 'listNetworkServiceProviders', 'networkserviceprovider', {
    physicalnetworkid: PHYSNET1,
  });
  assert.deepEqual(
    rows.map((row) => [row['name'], row['state']]),
    [
      ['VirtualRouter', 'Enabled'],
      ['VpcVirtualRouter', 'Enabled'],
      ['Ovn', 'Enabled'],
      ['LinuxRouter', 'Enabled'],
      ['ConfigDrive', 'Enabled'],
    ],
  );
});
