// Networks for which no router exists: what they have nevertheless, what they refuse and why. Their packets are the lab's business.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { createIntentCache } from '../../store/load.ts';
import { type NetworkCloud, openCloud } from './network.test-support.ts';

const stateOf = async (cloud: NetworkCloud, id: string): Promise<unknown> =>
  (await cloud.list('acme-admin', 'listNetworks', { id }))[0]?.['state'];

test('S02 S08 S23: instances deployed by networkids bring a network without services to use, and no router', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 2);
  const made = await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.1.1.0/24' });
  assert.deepEqual([made['service'], made['routedby'], made['state']], [[], 'None', 'Allocated']);
  const id = String(made['id']);
  for (const name of ['vm1', 'vm2']) await cloud.deploy('acme-admin', id, { name });
  assert.equal(await stateOf(cloud, id), 'Implemented');
  assert.deepEqual(await cloud.list('admin', 'listRouters', { networkid: id }), []);
  const { intent } = await createIntentCache(cloud.store).reload();
  const network = intent.networks.get(id);
  assert.ok(network?.kind === 'guest');
  assert.deepEqual([network.routed, network.dhcp, network.nics.length], [false, false, 2]);
  const told = [...intent.hosts.values()].flatMap((host) => host.instances).flatMap((instance) => instance.nics);
  assert.deepEqual(
    told.map((nic) => nic.dhcp),
    [false, false],
    'nobody waits for a lease',
  );
});

test('S18 S22: a network without services gives out addresses and publishes its gateway, and nobody routes there', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const made = await cloud.networkOf('acme-admin', 'wire', 'NoServices', {
    gateway: '10.1.1.10',
    netmask: '255.255.255.0',
    startip: '10.1.1.1',
    endip: '10.1.1.20',
    ipexclusionlist: '10.1.1.2-10.1.1.5',
  });
  const id = String(made['id']);
  assert.deepEqual([made['gateway'], made['netmask'], made['cidr']], ['10.1.1.10', '255.255.255.0', '10.1.1.0/24']);
  for (const name of ['a', 'b']) await cloud.deploy('acme-admin', id, { name });
  const instances = await cloud.list('acme-admin', 'listVirtualMachines', { networkid: id });
  const nics = instances.map((instance) => (instance['nic'] as Record<string, unknown>[])[0]!);
  assert.deepEqual(
    nics.map((nic) => nic['ipaddress']).toSorted(),
    ['10.1.1.1', '10.1.1.6'],
    'S13: never an excluded one',
  );
  assert.ok(nics.every((nic) => nic['gateway'] === '10.1.1.10'));
  assert.deepEqual(await cloud.list('admin', 'listRouters', { listall: true }), []);
});

test('S22: user data, a key pair and a password are refused there, with the reason and the way out', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const id = String((await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.1.1.0/24' }))['id']);
  const guest = { ...(await cloud.guest()), zoneid: BUILT_IN.zone, networkids: id };
  const deploy = (more: Record<string, string>, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'deployVirtualMachine', { ...guest, ...more }, text);
  const because =
    'but there is no support for UserData service in the default network wire (its offering is NoServices). Leave it out, or name a network first whose offering has UserData';
  await deploy({ userdata: 'aGk=' }, `Unable to deploy VM as UserData is provided while deploying the VM, ${because}`);
  await deploy(
    { keypair: 'mine' },
    `Unable to deploy VM as SSH keypair is provided while deploying the VM, ${because}`,
  );
  const { id: templateid } = await cloud.store.db
    .selectFrom('template')
    .select('id')
    .where('passwordenabled', '=', 1)
    .executeTakeFirstOrThrow();
  await deploy(
    { templateid },
    `Unable to deploy VM as template tiny linux kvm with password is password enabled, ${because}`,
  );
});

test('S04 S05: 25 networks without services with 125 instances have 25 VLANs and no router', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 2);
  await cloud.callAs('admin', 'updatePhysicalNetwork', { id: BUILT_IN.physicalNetwork, vlan: '1000-1024' });
  const caller = await cloud.caller('acme-admin');
  const guest = { ...(await cloud.guest()), zoneid: BUILT_IN.zone };
  const ids = await Promise.all(
    Array.from({ length: 25 }, async (_, index) => {
      // All of them have the same addresses: they never meet.
      const params = { cidr: '10.1.1.0/24', name: `n${index}`, networkofferingid: cloud.offering('NoServices') };
      const made = await cloud.callAs(caller, 'createNetwork', { zoneid: BUILT_IN.zone, ...params });
      return String((made['network'] as Record<string, unknown>)['id']);
    }),
  );
  await Promise.all(
    ids.flatMap((networkids) =>
      Array.from({ length: 5 }, () => cloud.callAs(caller, 'deployVirtualMachine', { ...guest, networkids })),
    ),
  );
  await cloud.settle();
  const networks = await cloud.list('admin', 'listNetworks', { listall: true });
  assert.equal(new Set(networks.map((row) => row['vlan'])).size, 25);
  assert.equal((await cloud.list('admin', 'listVirtualMachines', { listall: true })).length, 125);
  assert.deepEqual(await cloud.list('admin', 'listRouters', { listall: true }), []);
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    { zoneid: BUILT_IN.zone, name: 'one more', cidr: '10.1.1.0/24', networkofferingid: cloud.offering('NoServices') },
    'Unable to allocate a VLAN: all 25 VLANs of physical network physnet1 (1000-1024) are in use',
    533,
  );
});

test('S03: a network with the default services has its gateway routed by OVN', async () => {
  await using cloud = await openCloud();
  const made = await cloud.networkOf('acme-admin', 'own', 'DefaultIsolatedNetworkOfferingWithSourceNatService');
  assert.deepEqual([made['routedby'], made['gateway']], ['Ovn', '10.1.1.1']);
  const { intent } = await createIntentCache(cloud.store).reload();
  const network = intent.networks.get(String(made['id']));
  assert.ok(network?.kind === 'guest' && network.routed);
});

test('restartNetwork of a network without a router succeeds and touches nothing', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const id = String((await cloud.networkOf('acme-admin', 'wire', 'NoServices', { cidr: '10.1.1.0/24' }))['id']);
  await cloud.refused(
    'acme-admin',
    'restartNetwork',
    { id },
    'Network is not in the right state to be restarted. Correct states are: Implemented, Setup',
  );
  await cloud.deploy('acme-admin', id);
  const touched = (): Promise<unknown> => cloud.store.db.selectFrom('change').selectAll().execute();
  const before = await touched();
  const { jobid } = await cloud.callAs('acme-admin', 'restartNetwork', { id });
  const job = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  assert.deepEqual([job['jobstatus'], job['jobresult']], [1, { success: true }]);
  assert.deepEqual(await touched(), before);
});

test('a network of type L2 has no addresses, nor have its interfaces', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const made = await cloud.networkOf('acme-user', 'wire', 'DefaultL2NetworkOffering');
  assert.ok(!('cidr' in made) && !('gateway' in made) && !('networkdomain' in made));
  const id = String(made['id']);
  const vm = await cloud.deploy('acme-user', id, { name: 'vm1' });
  const [nic] = await cloud.list('acme-user', 'listNics', { virtualmachineid: vm });
  assert.ok(nic !== undefined && !('ipaddress' in nic) && !('netmask' in nic));
  assert.deepEqual([nic['type'], nic['isdefault']], ['L2', true]);
  const { intent } = await createIntentCache(cloud.store).reload();
  const [compiled] = intent.networks.get(id)!.nics;
  assert.equal(compiled?.ip, undefined);
  const [instance] = [...intent.hosts.values()].flatMap((host) => host.instances);
  assert.deepEqual([instance?.nics[0]?.addresses, instance?.nics[0]?.dhcp], [[], false]);

  const create = { zoneid: BUILT_IN.zone, name: 'x', networkofferingid: cloud.offering('DefaultL2NetworkOffering') };
  await cloud.refused(
    'acme-user',
    'createNetwork',
    { ...create, cidr: '10.1.1.0/24' },
    'A network of type L2 has no addresses, so cidr cannot be given',
  );
  const byHand = { ...create, networkofferingid: cloud.offering('DefaultL2NetworkOfferingVlan'), vlan: '3000' };
  await cloud.refused('acme-user', 'createNetwork', byHand, 'or of type L2 on a VLAN from the pool');
  const guest = { ...(await cloud.guest()), zoneid: BUILT_IN.zone };
  await cloud.refused(
    'acme-user',
    'deployVirtualMachine',
    { ...guest, networkids: id, ipaddress: '10.1.1.1' },
    'Network wire has no addresses to choose from',
  );
  await cloud.refused('acme-user', 'addIpToNic', { nicid: String(nic['id']) }, 'Network wire has no addresses');
});

test('S16 S21: root gives routable addresses to a network that nobody translates, a tenant cannot take them', async () => {
  await using cloud = await openCloud();
  const of = { zoneid: BUILT_IN.zone, name: 'public', cidr: '8.254.123.0/24' };
  const bare = { ...of, networkofferingid: cloud.offering('NoServices') };
  await cloud.refused('acme-admin', 'createNetwork', { ...bare, cidr: '8.254.120.0/22' }, 'is not RFC1918 compliant');
  await cloud.refused(
    'admin',
    'createNetwork',
    { ...of, networkofferingid: cloud.offering('DefaultIsolatedNetworkOfferingWithSourceNatService') },
    'is not RFC1918 compliant',
  );
  const { domainId: domainid } = await cloud.caller('acme-admin');
  await cloud.callAs('admin', 'createNetwork', { ...bare, account: 'acme-admin', domainid });
  const [seen] = await cloud.list('acme-admin', 'listNetworks', { name: 'public' });
  assert.deepEqual([seen?.['cidr'], seen?.['account']], ['8.254.123.0/24', 'acme-admin']);
});
