// Several addresses on one interface, and another main one: what is given, noted, refused, and what becomes of it on the network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../lib/id.ts';
import { createIntentCache } from '../../store/load.ts';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, deploy, only, openCloud } from './instance.test-support.ts';

const NOBODY = newId();

async function nicOf(cloud: Cloud, instance: string): Promise<string> {
  return String((await only(cloud, 'acme-admin', instance)).nic![0]!.id);
}

test('S20: addIpToNic gives several addresses to one interface, and each is said to its hypervisor and its port', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin', {}, 'bare');
  const { id } = await deploy(cloud, 'acme-admin', network);
  await cloud.settle();
  const nicid = await nicOf(cloud, id);
  const answer = await cloud.callAs('acme-admin', 'addIpToNic', { nicid });
  assert.deepEqual(Object.keys(answer).toSorted(), ['id', 'jobid']);
  const { nicsecondaryip } = (await cloud.doAs('acme-admin', 'addIpToNic', { nicid, ipaddress: '10.1.0.77' })) as {
    nicsecondaryip: Record<string, unknown>;
  };
  const { id: second, ipaddress, networkid, virtualmachineid } = nicsecondaryip;
  assert.deepEqual([ipaddress, networkid, virtualmachineid], ['10.1.0.77', network, id]);
  const shown = (await only(cloud, 'acme-admin', id)).nic![0]!;
  assert.deepEqual(shown.secondaryip, [
    { id: answer['id'], ipaddress: '10.1.0.3' },
    { id: second, ipaddress: '10.1.0.77' },
  ]);
  const { intent } = await createIntentCache(cloud.store).reload();
  assert.deepEqual([...intent.networks.get(network)!.nics[0]!.secondary].toSorted(), ['10.1.0.3', '10.1.0.77']);
  const [spec] = [...intent.hosts.values()].flatMap((host) => host.instances);
  const told = spec!.nics[0]!.addresses;
  assert.equal(told[0]!.ip, '10.1.0.2', 'the main one is the first');
  const movedOf = (ip: string): number => told.find((address) => address.ip === ip)!.moved;
  assert.ok(movedOf('10.1.0.2') < movedOf('10.1.0.3') && movedOf('10.1.0.3') < movedOf('10.1.0.77'));
});

test('removeIpFromNic frees the address, which another instance can have at once', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const first = await deploy(cloud, 'acme-admin', network);
  const second = await deploy(cloud, 'acme-admin', network);
  const [from, to] = [await nicOf(cloud, first.id), await nicOf(cloud, second.id)];
  const add = { nicid: from, ipaddress: '10.1.0.50' };
  const { id } = await cloud.callAs('acme-admin', 'addIpToNic', add);
  await assert.rejects(
    cloud.callAs('acme-admin', 'addIpToNic', { ...add, nicid: to }),
    refused(431, /^Allocating ip to guest nic .* failed, please choose another ip: 10\.1\.0\.50 is in use/),
  );
  assert.deepEqual(await cloud.doAs('acme-admin', 'removeIpFromNic', { id: String(id) }), { success: true });
  await cloud.doAs('acme-admin', 'addIpToNic', { ...add, nicid: to });
  assert.deepEqual((await only(cloud, 'acme-admin', first.id)).nic![0]!.secondaryip, []);
  await assert.rejects(
    cloud.callAs('acme-admin', 'removeIpFromNic', { id: String(id) }),
    refused(431, /Invalid parameter id value=/),
  );
});

test('addIpToNic refuses what cannot be, and knows no interface of another tenant', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin', { cidr: '10.50.0.0/29', gateway: '10.50.0.1' });
  const { id } = await deploy(cloud, 'acme-admin', network);
  const nicid = await nicOf(cloud, id);
  const add = (ipaddress?: string): Promise<unknown> =>
    cloud.callAs('acme-admin', 'addIpToNic', { nicid, ...(ipaddress === undefined ? {} : { ipaddress }) });
  await assert.rejects(add('10.50.0'), refused(431, /^Invalid format for IP address parameter: 10\.50\.0$/));
  await assert.rejects(add('10.50.0.1'), refused(431, /10\.50\.0\.1 is the gateway of network/));
  await assert.rejects(add('10.9.0.1'), refused(431, /is no member's address in 10\.50\.0\.0\/29/));
  const { id: made } = (await add()) as { id: string };
  await cloud.callAs('admin', 'updateConfiguration', { name: 'vmnetwork.nic.max.secondary.ipaddresses', value: '1' });
  await assert.rejects(add(), refused(533, /^Maximum Number of Ips per Nic has been crossed\.: 1 secondary addresses/));
  await cloud.callAs('admin', 'updateConfiguration', { name: 'vmnetwork.nic.max.secondary.ipaddresses', value: '9' });
  for (let count = 0; count < 3; count++) await add();
  await assert.rejects(add(), refused(533, /^Allocating ip to guest nic .* failed, for insufficient address capacity/));
  for (const [command, params] of [
    ['addIpToNic', { nicid }],
    ['updateVmNicIp', { nicid }],
    ['removeIpFromNic', { id: made }],
  ] as const) {
    await assert.rejects(
      cloud.callAs('globex-admin', command, params),
      refused(431, new RegExp(`Invalid parameter ${Object.keys(params)[0]} value=${Object.values(params)[0]}`)),
    );
  }
  await assert.rejects(cloud.callAs('acme-admin', 'addIpToNic', { nicid: NOBODY }), refused(431, /parameter nicid/));
});

test('an expunged instance gives its secondary addresses back', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network);
  await cloud.callAs('acme-admin', 'addIpToNic', { nicid: await nicOf(cloud, id) });
  await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id, expunge: 'true' });
  for (const table of ['address', 'nicaddress', 'nic'] as const)
    assert.deepEqual(await cloud.store.db.selectFrom(table).selectAll().execute(), []);
});

test('updateVmNicIp gives a stopped instance another address and frees the old one', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id } = await deploy(cloud, 'acme-admin', network);
  await cloud.settle();
  const nicid = await nicOf(cloud, id);
  await assert.rejects(
    cloud.callAs('acme-admin', 'updateVmNicIp', { nicid, ipaddress: '10.1.0.9' }),
    refused(431, /^VM is not Stopped, unable to update the vm nic having the specified id/),
  );
  await cloud.doAs('acme-admin', 'stopVirtualMachine', { id });
  const before = await cloud.store.db.selectFrom('nic').select('moved').executeTakeFirstOrThrow();
  const { virtualmachine } = (await cloud.doAs('acme-admin', 'updateVmNicIp', { nicid, ipaddress: '10.1.0.9' })) as {
    virtualmachine: { nic: { ipaddress: string }[] };
  };
  assert.equal(virtualmachine.nic[0]!.ipaddress, '10.1.0.9');
  const after = await cloud.store.db.selectFrom('nic').select('moved').executeTakeFirstOrThrow();
  assert.ok(after.moved > before.moved, 'it is announced anew');
  assert.deepEqual(
    (await cloud.store.db.selectFrom('address').select('ip').execute()).map((row) => row.ip),
    ['10.1.0.9'],
  );
  const other = await deploy(cloud, 'acme-admin', network);
  assert.equal((await only(cloud, 'acme-admin', other.id)).nic![0]!.ipaddress, '10.1.0.2');
  await assert.rejects(
    cloud.callAs('acme-admin', 'updateVmNicIp', { nicid, ipaddress: '10.1.0.2' }),
    refused(431, /please choose another ip: 10\.1\.0\.2 is in use/),
  );
});
