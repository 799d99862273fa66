// Static routes in their three forms, what is no route, and routes that lead nowhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../../../test/support/cloud.ts';
import { settle } from '../../store/settle.ts';
import { NOBODY, type NetworkCloud, openCloud, unknown } from '../network/network.test-support.ts';

async function joined(cloud: NetworkCloud): Promise<{ vpcid: string; meet: string; gateway: string }> {
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const meet = String((await cloud.privateNetwork('acme-admin', 'meet', '172.16.0.0/24'))['id']);
  return { vpcid, meet, gateway: await cloud.join('acme-admin', vpcid, meet, '172.16.0.1') };
}

test('createStaticRoute adds a route that becomes Active when it is realized', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await joined(cloud);
  const answer = await cloud.callAs('acme-user', 'listStaticRoutes', {});
  assert.deepEqual(answer, {});
  const { id, jobid } = await cloud.callAs('acme-admin', 'createStaticRoute', {
    vpcid,
    cidr: '10.2.0.0/16',
    nexthop: '172.16.0.2',
  });
  const [added] = await cloud.list('acme-admin', 'listStaticRoutes', { id: String(id) });
  assert.equal(added?.['state'], 'Add');
  await cloud.settle();
  const { jobresult } = await cloud.callAs('acme-admin', 'queryAsyncJobResult', { jobid: String(jobid) });
  const { staticroute } = jobresult as { staticroute: Body };
  assert.deepEqual(
    ['id', 'state', 'vpcid', 'cidr', 'nexthop'].map((key) => staticroute[key]),
    [id, 'Active', vpcid, '10.2.0.0/16', '172.16.0.2'],
  );
  assert.ok(!('reason' in staticroute));
});

test('a route whose next hop is nowhere is kept and shows why', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await joined(cloud);
  const { id } = await cloud.callAs('acme-admin', 'createStaticRoute', {
    vpcid,
    cidr: '10.2.0.0/16',
    nexthop: '192.168.77.1',
  });
  await settle(
    cloud.store,
    [],
    [{ id: String(id), state: 'Unreachable', reason: 'no connected network holds 192.168.77.1' }],
  );
  const [route] = await cloud.list('acme-admin', 'listStaticRoutes', { state: 'unreachable' });
  assert.equal(route?.['state'], 'Unreachable');
  assert.match(String(route?.['reason']), /192\.168\.77\.1/);
});

test('createStaticRoute refuses what is no route', async () => {
  await using cloud = await openCloud();
  const { vpcid, gateway } = await joined(cloud);
  const theirs = await cloud.vpc('globex-admin', 'theirs', '10.5.0.0/16');
  const existing = await cloud.route('acme-admin', vpcid, '10.2.0.0/16', '172.16.0.2');
  const good = { vpcid, cidr: '10.3.0.0/16', nexthop: '172.16.0.3' };
  const refused = (change: object, text: string, status = 431) => {
    const params = Object.fromEntries(
      Object.entries({ ...good, ...change }).filter(([, value]) => value !== undefined),
    );
    return cloud.refused('acme-admin', 'createStaticRoute', params as typeof good, text, status);
  };
  await refused({ cidr: '10.3.0.0' }, 'Invalid format for cidr 10.3.0.0');
  await refused({ nexthop: '172.16.0' }, 'Invalid format for ip address 172.16.0');
  await refused({ cidr: '169.254.169.254/32' }, 'CIDR should be outside of link local cidr 169.254.0.0/16');
  await refused({ cidr: '169.0.0.0/8' }, 'CIDR should be outside of link local cidr 169.254.0.0/16');
  await refused({ cidr: '224.0.0.0/8' }, 'Invalid destination 224.0.0.0/8');
  await refused({ cidr: '127.0.0.0/8' }, 'Invalid destination 127.0.0.0/8');
  await refused({ nexthop: '169.254.1.1' }, 'Next hop 169.254.1.1 is invalid');
  await refused(
    { cidr: '10.2.0.0/16' },
    `New static route cidr already exists in VPC. UUID of existing static route is ${existing}`,
    537,
  );
  await refused({ cidr: '10.2.9.9/16' }, `UUID of existing static route is ${existing}`, 537);
  await refused({ vpcid: theirs }, unknown('vpcid', theirs));
  await refused({ vpcid: NOBODY }, unknown('vpcid', NOBODY));
  await refused({ vpcid: undefined }, 'vpcId must be specified');
  await refused({ nexthop: undefined }, 'missing parameter nexthop');
  await refused({ vpcid: undefined, nexthop: undefined }, 'one of gatewayId and nextHop must be specified');
  await refused({ gatewayid: gateway }, 'Only one of gatewayId and nextHop can be specified');
  await refused(
    { gatewayid: gateway, nexthop: undefined },
    'Parameter gatewayId is DEPRECATED, use vpcId and nextHop instead.',
  );
  await refused({ gatewayid: NOBODY, nexthop: undefined }, unknown('gatewayid', NOBODY));
  const deny = (value: string): Promise<Body> =>
    cloud.callAs('admin', 'updateConfiguration', { name: 'denied.routes', value });
  await cloud.refused(
    'admin',
    'updateConfiguration',
    { name: 'denied.routes', value: '10.3.4.0/24,everything' },
    'everything is none',
  );
  await deny('10.3.4.0/24');
  await refused({}, 'overlaps with one of the denied routes of the zone the VPC belongs to');
  const six = { cidr: '2001:db8:7::/48', nexthop: '2001:db8:1::7' };
  await deny('10.3.4.0/24, 2001:db8:7:9::/64');
  await refused(six, '2001:db8:7::/48 overlaps 2001:db8:7:9::/64');
  await cloud.route('acme-admin', vpcid, '2001:db8:8::/48', six.nexthop);
});

test('createStaticRoute refuses one more than the setting says, of both families together, and each VPC has its own', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await joined(cloud);
  await cloud.callAs('admin', 'updateConfiguration', { name: 'vpc.max.static.routes', value: '2' });
  const first = await cloud.route('acme-admin', vpcid, '10.2.0.0/16', '172.16.0.2');
  await cloud.route('acme-admin', vpcid, '2001:db8:8::/48', '2001:db8:1::7');
  const third = { vpcid, cidr: '10.3.0.0/16', nexthop: '172.16.0.2' };
  const text = 'Maximum number of static routes for VPC blue is 2, and it has 2';
  await cloud.refused('acme-admin', 'createStaticRoute', third, text, 535);
  await cloud.refused('acme-admin', 'createStaticRoute', third, 'ask the operator (vpc.max.static.routes)', 535);
  await cloud.route('acme-admin', await cloud.vpc('acme-admin', 'red', '10.8.0.0/16'), '10.2.0.0/16', '172.16.0.2');
  await cloud.doAs('acme-admin', 'deleteStaticRoute', { id: first });
  await cloud.route('acme-admin', vpcid, third.cidr, third.nexthop);
});

test('a default route, and a machine in a tier as next hop, are routes like others', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await joined(cloud);
  await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await cloud.route('acme-admin', vpcid, '0.0.0.0/0', '10.1.1.9');
  await cloud.route('acme-admin', vpcid, '0.0.0.0/1', '10.1.1.9');
  await cloud.route('acme-admin', vpcid, '10.2.0.0/16', '172.16.0.2');
  await cloud.route('acme-admin', vpcid, '10.2.1.0/24', '172.16.0.3');
  assert.equal((await cloud.list('acme-admin', 'listStaticRoutes', { vpcid })).length, 4);
  assert.deepEqual(await cloud.list('acme-admin', 'listStaticRoutes', { vpcid, keyword: '_' }), []);
});

test('gatewayid makes the route through the gateway it was made with', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.4.0.0/16');
  const params = { ipaddress: '192.168.0.1', gateway: '192.168.0.254', netmask: '255.255.255.0', vlan: '2000', vpcid };
  const { id: gatewayid } = await cloud.callAs('admin', 'createPrivateGateway', params);
  const { staticroute } = (await cloud.doAs('acme-admin', 'createStaticRoute', {
    cidr: '10.6.0.0/16',
    gatewayid: String(gatewayid),
  })) as { staticroute: Body };
  assert.deepEqual(
    ['nexthop', 'vpcid', 'vpcgatewayid', 'gatewayid', 'vpcgatewayip'].map((key) => staticroute[key]),
    ['192.168.0.254', vpcid, gatewayid, gatewayid, '192.168.0.1'],
  );
  assert.equal((await cloud.list('acme-admin', 'listStaticRoutes', { gatewayid: String(gatewayid) })).length, 1);
  await cloud.refused('admin', 'deletePrivateGateway', { id: String(gatewayid) }, '[10.6.0.0/16]', 530);
});

test('deleteStaticRoute removes it at once; other tenants cannot see or touch it', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await joined(cloud);
  const id = await cloud.route('acme-admin', vpcid, '10.2.0.0/16', '172.16.0.2');
  for (const command of ['deleteStaticRoute', 'listStaticRoutes'])
    await cloud.refused('globex-admin', command, { id }, unknown('id', id));
  await cloud.refused(
    'globex-admin',
    'createStaticRoute',
    { vpcid, cidr: '10.9.0.0/16', nexthop: '172.16.0.2' },
    unknown('vpcid', vpcid),
  );
  assert.deepEqual(await cloud.callAs('globex-admin', 'listStaticRoutes', { listall: 'true' }), {});
  assert.deepEqual(await cloud.doAs('acme-admin', 'deleteStaticRoute', { id }), { success: true });
  await cloud.refused('acme-admin', 'deleteStaticRoute', { id }, unknown('id', id));
});
