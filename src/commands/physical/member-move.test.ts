// A device that is plugged in elsewhere: both ports are set in one change, and what it is in goes with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { unknown } from '../network/network.test-support.ts';
import { NATIVE, type PhysicalCloud, office, openPhysical } from './physical.test-support.ts';

async function move(cloud: PhysicalCloud, id: string, switchportid: string): Promise<Body> {
  const { jobid } = await cloud.callAs('acme-admin', 'moveDevice', { id, switchportid });
  await cloud.follow();
  const job = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  return (job['jobresult'] as Body)['networkmember'] as Body;
}

test('moveDevice sets the new port and sets the old one back; address, MAC and routes stay', async () => {
  await using cloud = await openPhysical();
  const { networkid, port, domainid } = await office(cloud);
  const elsewhere = await cloud.port('p2', { domainid });
  const id = await cloud.device('acme-admin', 'fileserver', { macaddress: '52:54:00:aa:bb:cc' });
  const before = await cloud.attach('acme-admin', networkid, id, { switchportid: port });
  const vlan = cloud.table.ports.get('p1')?.untagged;
  await cloud.callAs('acme-admin', 'createNetworkRoute', { networkid, deviceid: id, cidr: '192.168.50.0/24' });
  const member = await move(cloud, id, elsewhere);
  assert.deepEqual(
    [member['id'], member['ipaddress'], member['macaddress'], member['switchportname'], member['state']],
    [before['id'], before['ipaddress'], before['macaddress'], 'p2', 'Attached'],
  );
  assert.deepEqual([cloud.table.ports.get('p1')?.untagged, cloud.table.ports.get('p2')?.untagged], [NATIVE, vlan]);
  const [device] = await cloud.list('acme-admin', 'listDevices', { id });
  assert.equal(device?.['switchportname'], 'p2');
  assert.equal((await cloud.list('acme-admin', 'listNetworkRoutes', { networkid })).length, 1);
});

test('moveDevice refuses ports that are taken, not for devices, its own, or others’; updateDevice points to it', async () => {
  await using cloud = await openPhysical();
  const { networkid, port, domainid } = await office(cloud);
  const elsewhere = await cloud.port('p2', { domainid });
  const id = await cloud.device('acme-admin', 'fileserver');
  await cloud.attach('acme-admin', networkid, id, { switchportid: port });
  const other = await cloud.network('acme-admin', 'second', '10.4.0.0/24');
  await cloud.attach('acme-admin', other, await cloud.device('acme-admin', 'printer'), { switchportid: elsewhere });
  const refused = (switchportid: string, text: string, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'moveDevice', { id, switchportid }, text, status);
  await refused(elsewhere, 'Port p2 is untagged for network second (device printer)', 536);
  await refused(port, 'Device fileserver is at port p1 of switch sw already');
  const foreign = await cloud.port('q1', { domainid: await cloud.domainOf('globex-admin') });
  await refused(foreign, unknown('switchportid', foreign));
  await cloud.refused('globex-admin', 'moveDevice', { id, switchportid: foreign }, unknown('id', id));
  const update = { id, switchportid: elsewhere };
  await cloud.refused('acme-admin', 'updateDevice', update, 'moveDevice moves it with its networks', 536);
});
