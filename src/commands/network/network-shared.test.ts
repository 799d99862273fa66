// Shared networks: who sees them, who may put instances into them, and that nobody but root changes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHosts } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type NetworkCloud, openCloud, unknown } from './network.test-support.ts';

const SHARED = {
  gateway: '10.9.0.1',
  netmask: '255.255.255.0',
  startip: '10.9.0.10',
  endip: '10.9.0.99',
  vlan: '3000',
};

const idsOf = async (cloud: NetworkCloud, who: 'acme-admin' | 'acme-user' | 'globex-admin', params = {}) =>
  (await cloud.list(who, 'listNetworks', params)).map((row) => row['id']);

test('a Shared network of a domain is listed by everybody in it, who deploy there and change nothing', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 1);
  const { domainId: domainid } = await cloud.caller('acme-admin');
  const made = await cloud.networkOf('admin', 'campus', 'DefaultSharedNetworkOffering', {
    ...SHARED,
    acltype: 'domain',
    domainid,
  });
  assert.deepEqual(
    [made['acltype'], made['subdomainaccess'], made['state'], made['routedby'], made['domain']],
    ['Domain', true, 'Setup', 'None', 'acme'],
  );
  const id = String(made['id']);
  for (const who of ['acme-admin', 'acme-user'] as const) {
    assert.deepEqual(await idsOf(cloud, who), [id]);
    assert.deepEqual(await idsOf(cloud, who, { acltype: 'Account' }), []);
    assert.deepEqual(await idsOf(cloud, who, { acltype: 'Domain', id }), [id]);
    await cloud.deploy(who, id, { userdata: 'aGk=' });
  }
  assert.deepEqual(await idsOf(cloud, 'globex-admin', { listall: 'true' }), []);
  await cloud.refused('globex-admin', 'listNetworks', { id }, unknown('id', id));
  const guest = { ...(await cloud.guest()), zoneid: BUILT_IN.zone, networkids: id };
  await cloud.refused('globex-admin', 'deployVirtualMachine', guest, unknown('networkids', id));
  await cloud.refused('acme-user', 'deleteNetwork', { id }, unknown('id', id));
  for (const [command, verb] of [
    ['deleteNetwork', 'delete'],
    ['updateNetwork', 'update'],
    ['restartNetwork', 'restart'],
  ] as const)
    await cloud.refused('acme-admin', command, { id }, `Only Admins can ${verb} network with guest type Shared`);
  const { domainId: foreign } = await cloud.caller('globex-admin');
  await cloud.refused(
    'admin',
    'deployVirtualMachine',
    { ...guest, account: 'globex-admin', domainid: foreign },
    `Shared network id=${id} is not available in domain id=${foreign}`,
    531,
  );
  await cloud.refused(
    'admin',
    'deleteDomain',
    { id: domainid, cleanup: 'true' },
    '1 network (campus) shared with it',
    530,
  );
});

test('a Shared network of ROOT is for everybody, unless domains below are kept out', async () => {
  await using cloud = await openCloud();
  const open = String((await cloud.networkOf('admin', 'all', 'DefaultSharedNetworkOffering', SHARED))['id']);
  await cloud.networkOf('admin', 'root', 'DefaultSharedNetworkOffering', {
    ...SHARED,
    vlan: '3001',
    subdomainaccess: 'false',
  });
  for (const who of ['acme-user', 'globex-admin'] as const) assert.deepEqual(await idsOf(cloud, who), [open]);
});

test('a Shared network of one account is that account alone', async () => {
  await using cloud = await openCloud();
  const { domainId: domainid } = await cloud.caller('acme-user');
  const made = await cloud.networkOf('admin', 'own', 'DefaultSharedNetworkOffering', {
    ...SHARED,
    account: 'acme-user',
    domainid,
  });
  assert.deepEqual([made['acltype'], made['account']], ['Account', 'acme-user']);
  assert.deepEqual(await idsOf(cloud, 'acme-user'), [made['id']]);
  assert.deepEqual(await idsOf(cloud, 'globex-admin', { listall: 'true' }), []);
});

test('createNetwork refuses an aclType that does not go with the type, and Shared networks to all but root', async () => {
  await using cloud = await openCloud();
  const isolated = {
    zoneid: BUILT_IN.zone,
    name: 'x',
    cidr: '10.1.1.0/24',
    networkofferingid: cloud.offering('NoServices'),
  };
  const shared = { ...isolated, networkofferingid: cloud.offering('DefaultSharedNetworkOffering'), vlan: '3000' };
  for (const [params, text] of [
    [{ ...isolated, acltype: 'Group' }, 'Incorrect aclType specified. Check the API documentation for supported types'],
    [{ ...isolated, acltype: 'Domain' }, 'AclType should be Account for network of type Isolated'],
    [
      { ...isolated, networkofferingid: cloud.offering('DefaultL2NetworkOffering'), acltype: 'Domain' },
      'Only Shared networks can have aclType=Domain',
    ],
    [{ ...isolated, subdomainaccess: true }, 'Parameter subDomainAccess can be specified only with aclType=Domain'],
    [
      { ...shared, acltype: 'Domain', account: 'acme-admin', domainid: (await cloud.caller('acme-admin')).domainId },
      'A network with aclType=Domain belongs to no single account',
    ],
  ] as const)
    await cloud.refused('admin', 'createNetwork', params, text);
  await cloud.refused('acme-admin', 'createNetwork', shared, 'Only Admins can create network with guest type Shared');
});
