// Public addresses as tenants acquire, list and release them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT_IN } from '../../model/built-in.ts';
import { NOBODY, unknown } from '../network/network.test-support.ts';
import { openCloud } from './public.test-support.ts';

const LIST = 'listPublicIpAddresses';

test('a network by LinuxRouter has exactly one source NAT address, which goes with it and not before', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const [address, ...others] = await cloud.list('acme-admin', LIST, { associatednetworkid: networkid });
  assert.deepEqual(others, []);
  assert.deepEqual(
    [
      'ipaddress',
      'state',
      'issourcenat',
      'isstaticnat',
      'associatednetworkid',
      'associatednetworkname',
      'forvirtualnetwork',
      'vlanname',
    ].map((key) => address?.[key]),
    ['203.0.113.10', 'Allocated', true, false, networkid, 'web', true, undefined],
  );
  const id = String(address?.['id']);
  await cloud.refused(
    'acme-admin',
    'disassociateIpAddress',
    { id },
    'ip address is used for source nat purposes and can not be disassociated.',
  );
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: networkid });
  assert.deepEqual(await cloud.list('acme-admin', LIST, { id }), []);
});

test('associateIpAddress gives the next address, or the very one, Allocating until the routers have it', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const { id, jobid } = await cloud.callAs('acme-admin', 'associateIpAddress', { networkid });
  assert.ok(jobid);
  const state = async (): Promise<unknown> => (await cloud.list('acme-admin', LIST, { id: String(id) }))[0]?.['state'];
  assert.equal(await state(), 'Allocating');
  await cloud.settle();
  assert.equal(await state(), 'Allocated');
  const very = await cloud.address('acme-admin', networkid, { ipaddress: '203.0.113.18' });
  assert.deepEqual([very['ipaddress'], very['issourcenat'], very['account']], ['203.0.113.18', false, 'acme-admin']);
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { networkid, ipaddress: '203.0.113.18' },
    'Unable to acquire 203.0.113.18: it is allocated already',
  );
});

test('associateIpAddress refuses networks that nobody of ours translates for, with the reason and a way out', async () => {
  await using cloud = await openCloud();
  const refused = (params: Record<string, string>, text: string | RegExp): Promise<void> =>
    cloud.refused('acme-admin', 'associateIpAddress', params, text);
  await refused(
    {},
    'Unable to figure out zone to assign IP to. Please specify either zoneId, or networkId, or vpcId in the call',
  );
  const bare = await cloud.net('acme-admin', 'bare', {}, 'NoServices');
  await refused(
    { networkid: bare },
    'In zone of type Advanced ip address can be associated only to the network of guest type Isolated with the SourceNat enabled',
  );
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await refused(
    { networkid: String(tier['id']) },
    "Can't assign ip to the network directly when network belongs to VPC.Specify vpcId to associate ip address to VPC",
  );
  const web = await cloud.net('acme-admin', 'web');
  await refused({ networkid: web, isportable: 'true' }, 'Portable addresses are not offered');
  const user = await cloud.caller('acme-user');
  await refused(
    { networkid: web, account: user.accountName, domainid: user.domainId },
    'The owner of the network is not the same as owner of the IP',
  );
});

test("another tenant's network and address do not exist", async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  const refused = (command: string, params: Record<string, string>, text: string): Promise<void> =>
    cloud.refused('globex-admin', command, params, text);
  await refused('associateIpAddress', { networkid }, unknown('networkid', networkid));
  await refused('disassociateIpAddress', { id }, unknown('id', id));
  await refused('updateIpAddress', { id }, unknown('id', id));
  await refused(LIST, { id }, unknown('id', id));
  await refused(LIST, { associatednetworkid: networkid }, unknown('associatednetworkid', networkid));
  await refused('enableStaticNat', { ipaddressid: id, virtualmachineid: NOBODY }, unknown('ipaddressid', id));
  assert.deepEqual(await cloud.list('globex-admin', LIST, { listall: 'true' }), []);
});

test('disassociateIpAddress drops the rules; the id stays known and lists nothing; nobody gets the address before it is let go', async () => {
  await using cloud = await openCloud({ endip: '203.0.113.11' });
  const networkid = await cloud.net('acme-admin', 'web');
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  await cloud.doAs('acme-admin', 'createPortForwardingRule', {
    ipaddressid: id,
    protocol: 'tcp',
    publicport: '22',
    privateport: '22',
    virtualmachineid: vm,
  });
  await cloud.doAs('acme-admin', 'createTags', {
    resourcetype: 'publicipaddress',
    resourceids: id,
    tags: [{ key: 'k', value: 'v' }],
  });
  assert.equal((await cloud.list('acme-admin', LIST, { tags: [{ key: 'k', value: 'v' }] })).length, 1);
  await cloud.callAs('acme-admin', 'disassociateIpAddress', { id });
  for (const table of ['portforward', 'firewallrule', 'tag'] as const)
    assert.deepEqual(await cloud.store.db.selectFrom(table).selectAll().execute(), [], table);
  assert.deepEqual(await cloud.list('acme-admin', LIST, { id }), []);
  assert.equal((await cloud.list('acme-admin', LIST, { state: 'Releasing' }))[0]?.['ipaddress'], '203.0.113.11');
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { networkid },
    'Unable to find available public IP addresses',
    533,
  );
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { networkid, ipaddress: '203.0.113.11' },
    'have not let go of it yet',
  );
  await cloud.settle();
  assert.deepEqual(await cloud.list('acme-admin', LIST, { id }), []);
  await cloud.refused('acme-admin', 'disassociateIpAddress', { id }, unknown('id', id));
  assert.equal((await cloud.address('acme-admin', networkid))['ipaddress'], '203.0.113.11');
});

test('of two who want the last address at once, one gets it and the other reads that none is left', async () => {
  await using cloud = await openCloud({ endip: '203.0.113.12' });
  const acme = await cloud.net('acme-admin', 'a');
  const globex = await cloud.net('globex-admin', 'b');
  const outcomes = await Promise.allSettled([
    cloud.callAs('acme-admin', 'associateIpAddress', { networkid: acme }),
    cloud.callAs('globex-admin', 'associateIpAddress', { networkid: globex }),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  const [refusal] = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
  assert.match(String(refusal?.message), /Insufficient address capacity/);
  const rows = await cloud.store.db.selectFrom('publicip').select('ip').execute();
  assert.equal(new Set(rows.map(({ ip }) => ip)).size, 3);
});

test('max.account.public.ips limits an account with 532', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  await cloud.callAs('admin', 'updateConfiguration', { name: 'max.account.public.ips', value: '1' });
  await cloud.refused(
    'acme-admin',
    'associateIpAddress',
    { networkid },
    'Maximum number of public IP addresses for account: acme-admin has been exceeded.',
    532,
  );
  await cloud.callAs('admin', 'updateConfiguration', { name: 'max.account.public.ips', value: '2' });
  await cloud.address('acme-admin', networkid);
});

test('listPublicIpAddresses with allocatedonly=false shows what could be acquired, never whose the others are', async () => {
  await using cloud = await openCloud({ endip: '203.0.113.13' });
  await cloud.net('acme-admin', 'web');
  const shown = async (params: Record<string, string>): Promise<unknown[]> =>
    (await cloud.list('globex-admin', LIST, params)).map((row) => [row['ipaddress'], row['state']]);
  assert.deepEqual(await shown({ allocatedonly: 'false' }), [
    ['203.0.113.11', 'Free'],
    ['203.0.113.12', 'Free'],
    ['203.0.113.13', 'Free'],
  ]);
  assert.deepEqual(await shown({ state: 'Free', ipaddress: '203.0.113.12' }), [['203.0.113.12', 'Free']]);
  assert.deepEqual(await shown({}), []);
  assert.deepEqual(await shown({ state: 'Allocated' }), []);
});

test('an address acquired for a zone waits without a network, and its first rule attaches it', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const row = await cloud.made('acme-admin', 'associateIpAddress', { zoneid: BUILT_IN.zone }, 'ipaddress');
  const id = String(row['id']);
  assert.deepEqual([row['state'], row['associatednetworkid']], ['Allocated', undefined]);
  const forward = { ipaddressid: id, protocol: 'tcp', publicport: '80', privateport: '80', virtualmachineid: vm };
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    forward,
    'not associated with any network: give networkid',
  );
  await cloud.doAs('acme-admin', 'createPortForwardingRule', { ...forward, networkid });
  const [attached] = await cloud.list('acme-admin', LIST, { id });
  assert.deepEqual([attached?.['state'], attached?.['associatednetworkid']], ['Allocated', networkid]);
});

test('updateIpAddress says what cannot be changed', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  assert.equal((await cloud.made('acme-admin', 'updateIpAddress', { id, fordisplay: 'true' }, 'ipaddress'))['id'], id);
  await cloud.refused('acme-admin', 'updateIpAddress', { id, fordisplay: 'false' }, 'fordisplay=false is not offered');
  await cloud.refused('acme-admin', 'updateIpAddress', { id, customid: NOBODY }, 'customid is not offered');
});

test('deleteAccount releases its public addresses and networks with all their rules', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-user', 'web');
  const vm = await cloud.instance('acme-user', 'vm1', networkid);
  const id = String((await cloud.address('acme-user', networkid))['id']);
  await cloud.made('acme-user', 'associateIpAddress', { zoneid: BUILT_IN.zone }, 'ipaddress');
  await cloud.callAs('acme-user', 'enableStaticNat', { ipaddressid: id, virtualmachineid: vm });
  const { accountId } = await cloud.caller('acme-user');
  await cloud.doAs('admin', 'deleteAccount', { id: accountId });
  const left = await cloud.store.db.selectFrom('publicip').select(['state', 'network', 'nic']).execute();
  assert.deepEqual(
    left.map(({ state, network, nic }) => [state, network, nic]),
    Array.from({ length: 3 }, () => ['Free', null, null]),
  );
  assert.deepEqual(await cloud.store.db.selectFrom('networkrouter').selectAll().execute(), []);
});
