// The rows that stand for routers which are no machines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { NOBODY, openCloud, unknown } from './network.test-support.ts';

test('listRouters shows one MASTER for a VPC with a network, and none before', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  assert.deepEqual(await cloud.callAs('acme-admin', 'listRouters', { vpcid }), {});
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const meet = await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24');
  await cloud.join('acme-admin', vpcid, String(meet['id']), '172.16.0.1');
  const [router, ...others] = await cloud.list('acme-admin', 'listRouters', { vpcid });
  assert.deepEqual(others, []);
  assert.deepEqual(
    [
      'state',
      'redundantstate',
      'isredundantrouter',
      'role',
      'requiresupgrade',
      'vpcname',
      'guestnetworkid',
      'guestipaddress',
    ].map((key) => router?.[key]),
    ['Running', 'MASTER', false, 'VIRTUAL_ROUTER', false, 'blue', tier['id'], '10.1.1.1'],
  );
  assert.match(String(router?.['name']), /^r-[0-9]+-VM$/);
  assert.ok(!('publicip' in router!));
  assert.deepEqual(
    (router?.['nic'] as Body[] | undefined)?.map((nic) => nic['ipaddress']),
    ['10.1.1.1', '172.16.0.1'],
  );
  assert.equal((await cloud.list('acme-admin', 'listRouters', { networkid: String(meet['id']) })).length, 1);
  assert.equal((await cloud.list('acme-admin', 'listRouters', { id: String(router?.['id']) })).length, 1);
  assert.deepEqual(await cloud.callAs('globex-admin', 'listRouters', { listall: 'true' }), {});
  await cloud.refused(
    'globex-admin',
    'listRouters',
    { id: String(router?.['id']) },
    unknown('id', String(router?.['id'])),
  );
  await cloud.refused('acme-user', 'listRouters', {}, /listRouters/, 432);
});

test('a redundant VPC shows a MASTER and a BACKUP', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16', {
    vpcofferingid: cloud.offering('Redundant VPC offering'),
  });
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const routers = await cloud.list('admin', 'listRouters', { listall: 'true' });
  assert.deepEqual(
    routers.map((router) => [router['redundantstate'], router['isredundantrouter']]),
    [
      ['MASTER', true],
      ['BACKUP', true],
    ],
  );
  assert.notEqual(routers[0]?.['id'], routers[1]?.['id']);
});

test('rebootRouter and its like are changes of the VPC; stopRouter is refused', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  const [router] = await cloud.list('acme-admin', 'listRouters', { vpcid });
  const id = String(router?.['id']);
  for (const command of ['rebootRouter', 'startRouter', 'destroyRouter']) {
    const result = (await cloud.doAs('acme-admin', command, { id })) as { router: Body };
    assert.equal(result.router['state'], 'Running');
    await cloud.refused('acme-admin', command, { id: NOBODY }, unknown('id', NOBODY));
  }
  await cloud.refused('acme-admin', 'stopRouter', { id }, 'cannot be stopped', 530);
});
