// Who has an address or a MAC: from the inventory alone, and never more than the caller may see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import type { Body } from '../../../test/support/cloud.ts';
import { openCloud } from './network.test-support.ts';

test('listWhoHasThisIp finds the card of an instance, its further addresses, gateways of VPCs and private gateways', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store);
  const vpc = await cloud.vpc('acme-admin', 'shop', '10.9.0.0/16');
  const tier = String((await cloud.tier('acme-admin', vpc, '10.9.1.0/24'))['id']);
  const instance = await cloud.deploy('acme-admin', tier, { ipaddress: '10.9.1.10', name: 'web' });
  const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: instance });
  await cloud.doAs('acme-admin', 'addIpToNic', { nicid: String(nic!['id']), ipaddress: '10.9.1.77' });
  const meeting = String((await cloud.privateNetwork('acme-admin', 'meeting', '172.16.0.0/24'))['id']);
  await cloud.join('acme-admin', vpc, meeting, '172.16.0.1');
  const who = async (ipaddress: string): Promise<Body[]> => cloud.list('acme-admin', 'listWhoHasThisIp', { ipaddress });
  const short = (rows: Body[]): unknown =>
    rows.map((row) => [row['virtualmachinename'], row['virtualmachinetype'], row['networkname'], row['mode']]);

  assert.deepEqual(short(await who('10.9.1.10')), [['web', 'User', 'tier-10.9.1.0/24', 'Dhcp']]);
  assert.deepEqual(short(await who('10.9.1.77')), [['web', 'User', 'tier-10.9.1.0/24', 'Static']]);
  assert.deepEqual(short(await who('10.9.1.1')), [['shop', 'VpcRouter', 'tier-10.9.1.0/24', 'Static']]);
  assert.deepEqual(short(await who('172.16.0.1')), [['shop', 'VpcRouter', 'meeting', 'Static']]);
  assert.deepEqual(await who('10.9.1.200'), []);

  const [found] = await who('10.9.1.10');
  assert.equal(found!['uuid'], nic!['id']);
  assert.equal(found!['macaddress'], nic!['macaddress']);
  assert.equal(found!['netmask'], '255.255.255.0');
  assert.equal(found!['vpcname'], 'shop');
  assert.equal('broadcasturi' in found!, false, "the VLAN is the operator's business");
});

test('listWhoHasThisMac takes any spelling, and refuses what is none', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store);
  const made = await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.40.0.0/24' });
  const instance = await cloud.deploy('acme-admin', String(made['id']), { ipaddress: '10.40.0.10', name: 'web' });
  const [nic] = await cloud.list('acme-admin', 'listNics', { virtualmachineid: instance });
  const mac = String(nic!['macaddress']);
  for (const macaddress of [mac, mac.toUpperCase(), mac.replaceAll(':', '-')]) {
    const found = await cloud.list('acme-admin', 'listWhoHasThisMac', { macaddress });
    assert.deepEqual(
      found.map((row) => row['virtualmachinename']),
      ['web'],
      macaddress,
    );
  }
  await cloud.refused(
    'acme-admin',
    'listWhoHasThisMac',
    { macaddress: 'b8:27:eb' },
    'listNetworkNeighbors takes the first bytes',
  );
  await cloud.refused('acme-admin', 'listWhoHasThisMac', {}, 'Name a macaddress');
});

test('listWhoHasThisIp shows a caller what is his and below, and users may not ask', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store);
  const made = await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.40.0.0/24' });
  await cloud.deploy('acme-admin', String(made['id']), { ipaddress: '10.40.0.10', name: 'web' });
  const ask = { ipaddress: '10.40.0.10' };
  assert.equal((await cloud.list('admin', 'listWhoHasThisIp', ask)).length, 1);
  assert.match(String((await cloud.list('admin', 'listWhoHasThisIp', ask))[0]!['broadcasturi']), /^vlan:\/\/\d+$/);
  assert.deepEqual(await cloud.list('globex-admin', 'listWhoHasThisIp', ask), []);
  await assert.rejects(cloud.callAs('acme-user', 'listWhoHasThisIp', ask));
});
