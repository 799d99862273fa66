// Affinity groups: what they do to placement, and who may change them when.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { type Cloud, deploy, listed, only, openCloud } from './instance.test-support.ts';

const make = async (cloud: Cloud, name: string, type: string, who: 'acme-admin' | 'globex-admin' = 'acme-admin') =>
  String((await cloud.callAs(who, 'createAffinityGroup', { name, type }))['id']);

const hostOf = async (cloud: Cloud, id: string): Promise<string | undefined> =>
  (await only(cloud, 'admin', id)).hostname;

test('host anti-affinity: each member on a host of its own, and 533 when there is none left', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const group = await make(cloud, 'apart', 'host anti-affinity');
  // Without the group the second would go where the first is: the others are fuller.
  await cloud.store.write((tx) => tx.update('host', cloud.hosts[2]!, { resourcestate: 'Disabled' }));
  const one = await deploy(cloud, 'acme-admin', network, { affinitygroupids: group });
  const two = await deploy(cloud, 'acme-admin', network, { affinitygroupnames: 'apart' });
  assert.notEqual(await hostOf(cloud, one.id), await hostOf(cloud, two.id));
  await assert.rejects(
    deploy(cloud, 'acme-admin', network, { affinitygroupids: group }),
    refused(533, /no host can take it \(3 hosts, 2 of them ready, and its affinity groups rule these out\)/),
  );
  const owner = (await only(cloud, 'admin', one.id)).domainid;
  await assert.rejects(
    deploy(cloud, 'admin', network, { affinitygroupids: group, account: 'acme-admin', domainid: owner }),
    refused(533, /hv3 is Disabled, hv1: affinity group apart \(host anti-affinity\) has a member there, hv2: /),
  );
  await assert.rejects(
    deploy(cloud, 'admin', network, {
      affinitygroupids: group,
      account: 'acme-admin',
      domainid: owner,
      hostid: cloud.hosts[0],
    }),
    refused(533, /on the host asked for, hv1: affinity group apart .* has a member there/),
  );
  assert.equal((await listed(cloud, 'admin')).length, 2, 'what was refused left nothing behind');
});

test('host affinity: members go where the first is, however full, and non-strict kinds give way', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  await make(cloud, 'together', 'host affinity');
  await make(cloud, 'rather apart', 'non-strict host anti-affinity');
  await make(cloud, 'rather together', 'non-strict host affinity');
  const at = async (names: string): Promise<string | undefined> => {
    const { id } = await deploy(cloud, 'acme-admin', network, { affinitygroupnames: names });
    return hostOf(cloud, id);
  };
  const first = await at('together');
  assert.deepEqual([await at('together'), await at('together')], [first, first]);
  const spread = [await at('rather apart'), await at('rather apart'), await at('rather apart')];
  assert.deepEqual(spread.toSorted(), ['hv1', 'hv2', 'hv3']);
  await at('rather apart');
  const liked = await at('rather together');
  assert.equal(await at('rather together'), liked);
  await cloud.store.write((tx) =>
    tx.update('host', cloud.hosts[Number(liked!.slice(2)) - 1]!, { resourcestate: 'Maintenance' }),
  );
  assert.notEqual(await at('rather together'), liked, 'a wish is no must');
});

test('startVirtualMachine and migrateVirtualMachine keep to the groups, too', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('admin');
  const { id: group } = await cloud.callAs('admin', 'createAffinityGroup', {
    name: 'apart',
    type: 'host anti-affinity',
  });
  const params = { affinitygroupids: String(group) };
  const one = await deploy(cloud, 'admin', network, { ...params, hostid: cloud.hosts[0] });
  const two = await deploy(cloud, 'admin', network, { ...params, hostid: cloud.hosts[1] });
  await cloud.settle();
  await assert.rejects(
    cloud.callAs('admin', 'migrateVirtualMachine', { virtualmachineid: one.id, hostid: cloud.hosts[1]! }),
    refused(431, /must not run on hv2: affinity group apart \(host anti-affinity\) has a member there/),
  );
  await cloud.doAs('admin', 'migrateVirtualMachine', { virtualmachineid: one.id, autoselect: 'true' });
  assert.equal(await hostOf(cloud, one.id), 'hv3');
  await cloud.doAs('admin', 'stopVirtualMachine', { id: two.id });
  await cloud.doAs('admin', 'migrateVirtualMachine', { virtualmachineid: one.id, hostid: cloud.hosts[1]! });
  await cloud.doAs('admin', 'startVirtualMachine', { id: two.id });
  assert.notEqual(await hostOf(cloud, two.id), 'hv2', 'where it ran last another member is now');
});

test('createAffinityGroup refuses unknown kinds and names that are taken; the kinds are listed', async () => {
  await using cloud = await openCloud();
  await make(cloud, 'apart', 'Host Anti-Affinity');
  await assert.rejects(make(cloud, 'apart', 'host affinity'), refused(431, /a group with name apart already exists/));
  await assert.rejects(
    make(cloud, 'x', 'ExplicitDedication'),
    refused(431, /invalid affinity group type ExplicitDedication/),
  );
  const types = (await cloud.callAs('acme-user', 'listAffinityGroupTypes'))['affinityGroupType'] as { type: string }[];
  assert.deepEqual(
    types.map(({ type }) => type),
    ['host anti-affinity', 'host affinity', 'non-strict host anti-affinity', 'non-strict host affinity'],
  );
});

test('deleteAffinityGroup refuses while instances are in it, and names them; expunging takes them out', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const id = await make(cloud, 'apart', 'host anti-affinity');
  const vm = await deploy(cloud, 'acme-admin', network, { affinitygroupids: id, name: 'web' });
  await cloud.settle();
  const [group] = (await cloud.callAs('acme-admin', 'listAffinityGroups', { virtualmachineid: vm.id }))[
    'affinitygroup'
  ] as { name: string; virtualmachineIds: string[] }[];
  assert.deepEqual([group?.name, group?.virtualmachineIds], ['apart', [vm.id]]);
  assert.deepEqual(
    (await only(cloud, 'acme-admin', vm.id)).affinitygroup?.map(({ name }) => name),
    ['apart'],
  );
  await assert.rejects(
    cloud.callAs('acme-admin', 'deleteAffinityGroup', { name: 'apart' }),
    refused(536, /in use by virtual machines: web\./),
  );
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id: vm.id, expunge: 'true' });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteAffinityGroup', { name: 'apart' }), { success: true });
  assert.deepEqual(await cloud.callAs('acme-admin', 'listAffinityGroups'), {});
});

test('updateVMAffinityGroup changes the groups of a stopped instance to what is said, from its own account’s', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  await make(cloud, 'a', 'host anti-affinity');
  await make(cloud, 'b', 'host affinity');
  const foreign = await make(cloud, 'c', 'host affinity', 'globex-admin');
  const { id } = await deploy(cloud, 'acme-admin', network, { affinitygroupnames: 'a' });
  await cloud.settle();
  const update = (params: Record<string, string>) =>
    cloud.doAs('acme-admin', 'updateVMAffinityGroup', { id, ...params });
  await assert.rejects(
    update({ affinitygroupnames: 'b' }),
    refused(431, /in state Running; make sure the virtual machine is stopped/),
  );
  await cloud.doAs('acme-admin', 'stopVirtualMachine', { id });
  await assert.rejects(
    update({ affinitygroupids: foreign }),
    refused(431, /Invalid parameter affinitygroupids value=/),
  );
  await assert.rejects(update({ affinitygroupnames: 'c' }), refused(431, /Unable to find affinity group by name c/));
  const names = (body: Record<string, unknown>): string[] =>
    (body['virtualmachine'] as { affinitygroup: { name: string }[] }).affinitygroup.map(({ name }) => name);
  assert.deepEqual(names(await update({ affinitygroupnames: 'b,a' })), ['a', 'b']);
  assert.deepEqual(names(await update({ affinitygroupids: '' })), []);
});
