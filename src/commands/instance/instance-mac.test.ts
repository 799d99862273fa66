// MAC addresses that are somebody else's in the network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { routerPortMac } from '../../model/ipv6.ts';
import { deploy, openCloud } from './instance.test-support.ts';

test('a card cannot have the MAC address of the network’s router, its service address, or a shared gateway', async () => {
  await using cloud = await openCloud();
  const row = { gateway: '10.9.0.1', cidr: '10.9.0.0/24', serviceip: '10.9.0.254', ip6gateway: '2001:db8:9::1' };
  const network = await cloud.network('acme-admin', row);
  const taken = [row.gateway, row.serviceip, row.ip6gateway].map((address) => routerPortMac(network, address));
  for (const macaddress of [...taken, '00:00:5e:00:01:07']) {
    const { id } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'), { startvm: 'false' });
    await assert.rejects(
      deploy(cloud, 'acme-admin', network, { macaddress }),
      refused(431, /^The requested MAC-Address is already taken! .*Choose another, or leave it out$/),
    );
    await assert.rejects(
      cloud.doAs('acme-admin', 'addNicToVirtualMachine', { virtualmachineid: id, networkid: network, macaddress }),
      refused(530, /^A NIC with this MAC-Address already exists/),
    );
  }
  await deploy(cloud, 'acme-admin', network, { macaddress: '02:00:00:00:0d:02' });
});

test('a card’s MAC address is read in every usual form, as a device’s is', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { macaddress: '5254.0012.3456', startvm: 'false' });
  const nic = await cloud.store.db.selectFrom('nic').select('mac').where('instance', '=', id).executeTakeFirstOrThrow();
  assert.equal(nic.mac, '52:54:00:12:34:56');
});
