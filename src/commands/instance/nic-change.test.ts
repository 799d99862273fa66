// Interfaces that come and go: in which networks, in which order, and which of them leads out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../lib/id.ts';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, deploy, only, openCloud } from './instance.test-support.ts';

const nicsOf = async (cloud: Cloud, id: string): Promise<(string | boolean | undefined)[][]> =>
  ((await only(cloud, 'acme-admin', id)).nic ?? []).map((nic) => [nic.deviceid, nic.networkid, nic.isdefault]);

test('addNicToVirtualMachine adds an interface to a running instance, and brings its network to use', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const { id } = await deploy(cloud, 'acme-admin', a);
  await cloud.settle();
  const params = { virtualmachineid: id, networkid: b, ipaddress: '10.2.0.33', macaddress: '02:00:00:00:00:42' };
  const { virtualmachine } = (await cloud.doAs('acme-admin', 'addNicToVirtualMachine', params)) as {
    virtualmachine: { nic: Record<string, unknown>[] };
  };
  const added = virtualmachine.nic[1]!;
  assert.deepEqual(
    [added['ipaddress'], added['macaddress'], added['isdefault']],
    ['10.2.0.33', '02:00:00:00:00:42', false],
  );
  assert.deepEqual(await nicsOf(cloud, id), [
    ['0', a, true],
    ['1', b, false],
  ]);
  const { state } = await cloud.store.db
    .selectFrom('network')
    .select('state')
    .where('id', '=', b)
    .executeTakeFirstOrThrow();
  assert.equal(state, 'Implemented');
});

test('addNicToVirtualMachine refuses what cannot be', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const [foreign, users] = [await cloud.network('globex-admin'), await cloud.network('acme-user')];
  const priv = await cloud.network('acme-admin', { guesttype: 'Private', gateway: null });
  const { id } = await deploy(cloud, 'acme-admin', a, { name: 'web' });
  await deploy(cloud, 'acme-admin', b, { name: 'web', macaddress: '02:00:00:00:00:01' });
  const add = (networkid: string, more = {}): Promise<unknown> =>
    cloud.callAs('acme-admin', 'addNicToVirtualMachine', { virtualmachineid: id, networkid, ...more });
  await assert.rejects(add(b), refused(431, /^Unable to add a nic to web .* in state Starting: it must be Running or/));
  await cloud.settle();
  await assert.rejects(add(a), refused(530, new RegExp(`^A NIC already exists for VM:${id} in network: ${a}`)));
  await assert.rejects(
    add(b, { macaddress: '02-00-00-00-00-01' }),
    refused(530, new RegExp(`^A NIC with this MAC-Address already exists for network: ${b}`)),
  );
  await assert.rejects(add(b), refused(431, /^The vm with hostName web already exists in the network domain/));
  await assert.rejects(add(b, { ipaddress: 'x' }), refused(431, /^Invalid format for IP address parameter: x/));
  await assert.rejects(add(foreign), refused(431, new RegExp(`Invalid parameter networkid value=${foreign}`)));
  await assert.rejects(add(users), refused(531, /^Unable to use network with id= .* permission denied/));
  await assert.rejects(add(priv), refused(431, /^Deploying VMs in a network of type Private is not possible\./));
  assert.equal((await nicsOf(cloud, id)).length, 1);
});

test('removeNicFromVirtualMachine takes any interface but the default one, which updateDefaultNic chooses', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const { id } = await deploy(cloud, 'acme-admin', `${a},${b}`, { name: 'web' });
  await cloud.settle();
  const [first, second] = (await only(cloud, 'acme-admin', id)).nic!.map((nic) => String(nic.id));
  const of = (nicid: string) => ({ virtualmachineid: id, nicid });
  await cloud.doAs('acme-admin', 'addIpToNic', { nicid: first! });
  await assert.rejects(
    cloud.callAs('acme-admin', 'removeNicFromVirtualMachine', of(first!)),
    refused(431, /^Unable to remove nic from web in net1, nic is default\./),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'updateDefaultNicForVirtualMachine', of(first!)),
    refused(431, /^refusing to set default nic because chosen nic is already the default/),
  );
  await cloud.doAs('acme-admin', 'updateDefaultNicForVirtualMachine', of(second!));
  assert.deepEqual(await nicsOf(cloud, id), [
    ['0', a, false],
    ['1', b, true],
  ]);
  await cloud.doAs('acme-admin', 'removeNicFromVirtualMachine', of(first!));
  assert.deepEqual(await nicsOf(cloud, id), [['1', b, true]]);
  assert.deepEqual(
    await cloud.store.db.selectFrom('address').select('ip').where('network', '=', a).execute(),
    [],
    'the secondary address, too, is free again',
  );
  await cloud.doAs('acme-admin', 'addNicToVirtualMachine', { virtualmachineid: id, networkid: a });
  assert.deepEqual(await nicsOf(cloud, id), [
    ['0', a, false],
    ['1', b, true],
  ]);
  await assert.rejects(
    cloud.callAs('acme-admin', 'removeNicFromVirtualMachine', of(first!)),
    refused(431, /Invalid parameter nicid value=/),
  );
});

test('removeNicFromVirtualMachine and updateVmNicIp refuse while a static NAT leads to the interface', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const { id } = await deploy(cloud, 'acme-admin', `${a},${b}`, { name: 'web' });
  await cloud.settle();
  await cloud.doAs('acme-admin', 'stopVirtualMachine', { id });
  const nic = (await only(cloud, 'acme-admin', id)).nic![1]!;
  const nicid = String(nic.id);
  const { id: second } = await cloud.callAs('acme-admin', 'addIpToNic', { nicid, ipaddress: '10.2.0.99' });
  await cloud.callAs('admin', 'createVlanIpRange', {
    zoneid: cloud.zone,
    startip: '198.51.100.10',
    endip: '198.51.100.20',
    gateway: '198.51.100.1',
    netmask: '255.255.255.0',
  });
  const { id: publicrange } = await cloud.store.db.selectFrom('publicrange').select('id').executeTakeFirstOrThrow();
  const { accountId: account, domainId: domain } = await cloud.caller('acme-admin');
  const nat = newId();
  await cloud.store.write((tx) =>
    tx.insert('publicip', {
      id: nat,
      publicrange,
      ip: '198.51.100.10',
      account,
      domain,
      network: b,
      vpc: null,
      acl: null,
      issourcenat: 0,
      helperslot: 0,
      nic: nicid,
      vmip: '10.2.0.99',
      state: 'Allocated',
      moved: 0,
      created: new Date().toISOString(),
    }),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'removeNicFromVirtualMachine', { virtualmachineid: id, nicid }),
    refused(
      431,
      new RegExp(`nic has associated Port forwarding or Load balancer or Static NAT rules\\.: static NAT ${nat}`),
    ),
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'removeIpFromNic', { id: String(second) }),
    refused(431, new RegExp(`is associate with static NAT rule public IP address id ${nat}`)),
  );
  await cloud.doAs('acme-admin', 'updateVmNicIp', { nicid });
  await cloud.store.write((tx) => tx.update('publicip', nat, { vmip: String(nic.ipaddress) }));
  await cloud.doAs('acme-admin', 'removeIpFromNic', { id: String(second) });
});

test('addNicToVirtualMachine gives the new interface DHCP options of its own, and refuses those that could lead packets away', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const { id } = await deploy(cloud, 'acme-admin', a, { startvm: 'false' });
  const add = (...dhcpoptions: Record<string, string>[]): Promise<unknown> =>
    cloud.callAs('acme-admin', 'addNicToVirtualMachine', { virtualmachineid: id, networkid: b, dhcpoptions });
  await assert.rejects(add({ 'dhcp:3': '10.2.0.9' }), refused(431, /^DHCP option dhcp:3 cannot be set/));
  await assert.rejects(add({ networkid: a, 'dhcp:66': 'x' }), refused(431, /^DHCP option networkid cannot be set/));
  assert.equal((await nicsOf(cloud, id)).length, 1, 'refused, it has no further one');
  await add({ 'dhcp:66': 'boot.example' }, { 'dhcp:67': 'pxe.0' });
  const cards = await cloud.store.db
    .selectFrom('nic')
    .select('dhcpoptions')
    .where('instance', '=', id)
    .orderBy('deviceid')
    .execute();
  assert.deepEqual(
    cards.map(({ dhcpoptions }) => (dhcpoptions === null ? null : JSON.parse(dhcpoptions))),
    [null, { 66: 'boot.example', 67: 'pxe.0' }],
  );
});
