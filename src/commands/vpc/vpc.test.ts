// VPCs from making to deleting, and what is refused on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT_IN } from '../../model/built-in.ts';
import { NOBODY, openCloud, unknown } from '../network/network.test-support.ts';

test('createVPC makes a VPC that lists with cidr as typed, no tiers and no tags', async () => {
  await using cloud = await openCloud();
  const answer = await cloud.callAs('acme-user', 'createVPC', {
    name: 'blue',
    displaytext: 'the blue one',
    cidr: '10.0.10.0/22',
    zoneid: BUILT_IN.zone,
    vpcofferingid: cloud.offering('Default VPC offering'),
  });
  assert.deepEqual(Object.keys(answer).toSorted(), ['id', 'jobid']);
  const [vpc] = await cloud.list('acme-user', 'listVPCs', { id: String(answer['id']) });
  assert.equal(vpc?.['cidr'], '10.0.10.0/22');
  assert.equal(vpc?.['state'], 'Enabled');
  assert.deepEqual(vpc?.['network'], []);
  assert.deepEqual(vpc?.['tags'], []);
  assert.match(String(vpc?.['networkdomain']), /^cs[0-9a-f]{8}\.cloud\.internal$/);
  assert.equal(vpc?.['redundantvpcrouter'], false);
  await cloud.settle();
  const job = await cloud.callAs('acme-user', 'queryAsyncJobResult', { jobid: String(answer['jobid']) });
  assert.equal(job['jobstatus'], 1);
  assert.deepEqual(Object.keys(job['jobresult'] as object), ['vpc']);
});

test('createVPC takes the same name and cidr again', async () => {
  await using cloud = await openCloud();
  await cloud.vpc('acme-admin', 'twin', '10.1.0.0/16');
  await cloud.vpc('acme-admin', 'twin', '10.1.0.0/16');
  assert.equal((await cloud.callAs('acme-admin', 'listVPCs', { name: 'TWIN' }))['count'], 2);
});

test('createVPC refuses addresses, offerings and zones that cannot be', async () => {
  await using cloud = await openCloud();
  const good = {
    name: 'a',
    displaytext: 'a',
    cidr: '10.1.0.0/16',
    zoneid: BUILT_IN.zone,
    vpcofferingid: cloud.offering('Default VPC offering'),
  };
  const refused = (change: object, text: string, status = 431) =>
    cloud.refused('acme-admin', 'createVPC', { ...good, ...change }, text, status);
  await refused({ cidr: '10.1.0.0/33' }, 'Invalid CIDR specified 10.1.0.0/33');
  await refused({ cidr: 'ten' }, 'Invalid CIDR specified ten');
  await refused({ cidr: '8.8.8.0/24' }, 'Guest Cidr 8.8.8.0/24 is not RFC1918 compliant');
  await refused({ cidr: '172.16.0.0/11' }, 'Guest Cidr 172.16.0.0/11 is not RFC1918 compliant');
  await refused({ cidr: '10.1.0.0/30' }, 'has no room for a tier');
  await refused({ zoneid: NOBODY }, unknown('zoneid', NOBODY));
  await refused({ vpcofferingid: NOBODY }, unknown('vpcofferingid', NOBODY));
  await refused({ networkdomain: '-bad' }, 'Invalid network domain.');
  await refused({ account: 'acme-user' }, 'AccountName and domainId must be specified together');
  await cloud.callAs('admin', 'updateZone', { id: BUILT_IN.zone, allocationstate: 'Disabled' });
  await refused({}, 'Cannot perform this operation since specified Zone is currently disabled', 531);
});

test('listVPCs shows tiers inside, filters, and nothing of another tenant', async () => {
  await using cloud = await openCloud();
  const blue = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.vpc('acme-user', 'green', '10.2.0.0/16');
  const tier = await cloud.tier('acme-admin', blue, '10.1.1.0/24');
  const [vpc] = await cloud.list('acme-admin', 'listVPCs');
  assert.equal(vpc?.['id'], blue);
  assert.deepEqual(
    (vpc?.['network'] as { id: string }[] | undefined)?.map(({ id }) => id),
    [tier['id']],
  );
  const names = async (who: 'acme-admin' | 'acme-user' | 'globex-admin' | 'admin' | 'readonly', params = {}) =>
    (await cloud.list(who, 'listVPCs', params)).map((row) => row['name']).toSorted();
  assert.deepEqual(await names('acme-admin', { listall: 'true' }), ['blue', 'green']);
  assert.deepEqual(await names('acme-user', { listall: 'true' }), ['green']);
  assert.deepEqual(await names('globex-admin', { listall: 'true' }), []);
  assert.deepEqual(await names('admin', { listall: 'true', keyword: 'LU' }), ['blue']);
  assert.deepEqual(await names('readonly', { listall: 'true', cidr: '10.2.0.0/16' }), ['green']);
  assert.deepEqual(await names('admin', { listall: 'true', supportedservices: 'dhcp,sourcenat' }), ['blue', 'green']);
  assert.deepEqual(await names('admin', { listall: 'true', supportedservices: 'nonsense' }), []);
  assert.deepEqual(await cloud.callAs('globex-admin', 'listVPCs', { listall: 'true' }), {});
  assert.deepEqual(await cloud.callAs('admin', 'listVPCs', { listall: 'true', page: 2, pagesize: 2 }), { count: 2 });
  for (const command of ['listVPCs', 'deleteVPC', 'restartVPC', 'updateVPC']) {
    await cloud.refused('globex-admin', command, { id: blue }, unknown('id', blue));
    await cloud.refused('globex-admin', command, { id: NOBODY }, unknown('id', NOBODY));
  }
});

test('updateVPC changes name and text, and an offering only for another one with the services in use', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { vpc } = (await cloud.doAs('acme-admin', 'updateVPC', { id, name: 'azure', displaytext: 'lighter' })) as {
    vpc: Record<string, unknown>;
  };
  assert.equal(vpc['name'], 'azure');
  assert.equal(vpc['displaytext'], 'lighter');
  const update = (name: string) => ({ id, vpcofferingid: cloud.offering(name) });
  await cloud.refused(
    'acme-admin',
    'updateVPC',
    update('Default VPC offering'),
    'The vpc already has the specified offering',
  );
  const changed = (await cloud.doAs('acme-admin', 'updateVPC', update('Redundant VPC offering'))) as {
    vpc: Record<string, unknown>;
  };
  assert.equal(changed.vpc['redundantvpcrouter'], true);
});

test('deleteVPC is refused while tiers, routes or gateways hang on it, and names them', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', id, '10.1.1.0/24');
  const priv = await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24');
  const gateway = await cloud.join('acme-admin', id, String(priv['id']), '172.16.0.1');
  const route = await cloud.route('acme-admin', id, '10.2.0.0/16', '172.16.0.2');
  const refused = (text: string) => cloud.refused('acme-admin', 'deleteVPC', { id }, text, 530);
  await refused("Can't delete VPC blue as its used by 1 networks: tier-10.1.1.0/24");
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: String(tier['id']) });
  await refused("Can't delete VPC blue as it has 1 static routes: 10.2.0.0/16 via 172.16.0.2");
  await cloud.doAs('acme-admin', 'deleteStaticRoute', { id: route });
  await refused("Can't delete VPC blue as it has 1 private gateways: 172.16.0.1 on network meet");
  await cloud.doAs('acme-admin', 'deletePrivateGateway', { id: gateway });
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteVPC', { id }), { success: true });
  await cloud.refused('acme-admin', 'listVPCs', { id }, unknown('id', id));
});

test('deleteVPC takes its own ACL lists and tags with it', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { id: aclid } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'web', vpcid: id });
  await cloud.doAs('acme-admin', 'createNetworkACL', {
    aclid: String(aclid),
    protocol: 'tcp',
    startport: 80,
    endport: 80,
  });
  await cloud.doAs('acme-admin', 'createTags', {
    resourceids: id,
    resourcetype: 'Vpc',
    tags: [{ key: 'a', value: 'b' }],
  });
  await cloud.doAs('acme-admin', 'deleteVPC', { id });
  assert.deepEqual(await cloud.store.db.selectFrom('acl').select('id').where('vpc', 'is not', null).execute(), []);
  assert.deepEqual(
    await cloud.store.db.selectFrom('aclitem').select('id').where('acl', '=', String(aclid)).execute(),
    [],
  );
  assert.deepEqual(await cloud.store.db.selectFrom('tag').selectAll().execute(), []);
});

test('restartVPC is a change of the VPC, so that its job waits for the network', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { jobid } = await cloud.callAs('acme-admin', 'restartVPC', { id, cleanup: 'true' });
  const pending = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  assert.equal(pending['jobstatus'], 0);
  await cloud.settle();
  assert.equal((await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) }))['jobstatus'], 1);
});

test('tags select VPCs', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.vpc('acme-admin', 'green', '10.2.0.0/16');
  await cloud.doAs('acme-admin', 'createTags', {
    resourceids: id,
    resourcetype: 'vpc',
    tags: [{ key: 'stage', value: 'live' }],
  });
  const found = await cloud.list('acme-admin', 'listVPCs', { tags: [{ key: 'stage', value: 'live' }] });
  assert.deepEqual(
    found.map((row) => row['id']),
    [id],
  );
});

test('createVPC and updateVPC refuse lists that only a router VM could follow, and take them empty', async () => {
  await using cloud = await openCloud();
  const id = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { zoneid, vpcofferingid } = (await cloud.list('acme-admin', 'listVPCs', { id }))[0]! as Record<string, string>;
  const fresh = { name: 'red', displaytext: 'red', cidr: '10.2.0.0/16', zoneid, vpcofferingid };
  for (const [command, params] of [
    ['createVPC', fresh],
    ['updateVPC', { id }],
  ] as const) {
    for (const [list, text] of [
      [{ sourcenatlist: '10.8.1.0/24' }, 'invalid value 10.8.1.0/24 for parameter sourcenatlist: it is not offered'],
      [{ syslogserverlist: '10.1.1.9' }, 'invalid value 10.1.1.9 for parameter syslogserverlist: it is not offered'],
    ] as const)
      await cloud.refused('acme-admin', command, { ...params, ...list }, text);
    await cloud.doAs('acme-admin', command, { ...params, sourcenatlist: '', syslogserverlist: '' });
  }
});
