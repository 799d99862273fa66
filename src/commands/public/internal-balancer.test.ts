// Balancers inside networks, and health checks of OVN's, which take an address of the network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { unknown } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from './public.test-support.ts';

interface Shop {
  readonly vpcid: string;
  readonly web: string;
  readonly data: string;
  readonly vm: string;
}

async function shop(cloud: PublicCloud): Promise<Shop> {
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const web = String((await cloud.tier('acme-admin', vpcid, '10.1.1.0/24'))['id']);
  const data = String((await cloud.tier('acme-admin', vpcid, '10.1.2.0/24'))['id']);
  await cloud.settle();
  return { vpcid, web, data, vm: await cloud.instance('acme-admin', 'vm1', web) };
}

const wanted = ({ web }: Shop, more: Params = {}): Params => ({
  name: 'db',
  scheme: 'Internal',
  algorithm: 'roundrobin',
  networkid: web,
  sourceipaddressnetworkid: web,
  sourceport: '5432',
  instanceport: '5433',
  ...more,
});

const made = (cloud: PublicCloud, at: Shop, more: Params = {}): Promise<Body> =>
  cloud.made('acme-admin', 'createLoadBalancer', wanted(at, more), 'loadbalancer');

async function taken(cloud: PublicCloud, kind: string): Promise<string[]> {
  const rows = await cloud.store.db.selectFrom('address').select('ip').where('kind', '=', kind).execute();
  return rows.map(({ ip }) => ip);
}

test('createLoadBalancer takes an address, leads to instances, and gives all back when it goes', async () => {
  await using cloud = await openCloud();
  const at = await shop(cloud);
  const row = await made(cloud, at);
  const id = String(row['id']);
  assert.deepEqual(
    [row['sourceipaddress'], row['loadbalancerrule'], row['loadbalancerinstance'] ?? []],
    ['10.1.1.3', [{ sourceport: 5432, instanceport: 5433, protocol: 'tcp', state: 'Active' }], []],
  );
  await cloud.doAs('acme-admin', 'assignToLoadBalancerRule', { id, virtualmachineids: at.vm });
  const [shown] = await cloud.list('acme-admin', 'listLoadBalancers', { networkid: at.web });
  assert.deepEqual(
    (shown!['loadbalancerinstance'] as Body[]).map((one) => [one['id'], one['ipaddress']]),
    [[at.vm, '10.1.1.2']],
  );
  assert.equal((await cloud.list('acme-admin', 'listLoadBalancerRuleInstances', { id })).length, 1);
  await cloud.refused(
    'acme-admin',
    'assignToLoadBalancerRule',
    { id, virtualmachineids: at.vm },
    'is already mapped to load balancer.',
  );
  await cloud.doAs('acme-admin', 'removeFromLoadBalancerRule', { id, virtualmachineids: at.vm });
  // Another port shares the address, which stays until both are gone.
  const second = await made(cloud, at, { sourceipaddress: '10.1.1.3', sourceport: '80', protocol: 'udp' });
  await cloud.doAs('acme-admin', 'deleteLoadBalancer', { id });
  assert.deepEqual(await taken(cloud, 'balancer'), ['10.1.1.3']);
  await cloud.doAs('acme-admin', 'deleteLoadBalancer', { id: String(second['id']) });
  assert.deepEqual(await taken(cloud, 'balancer'), []);
  assert.deepEqual(await cloud.list('acme-admin', 'listLoadBalancers', {}), []);
});

test('createLoadBalancer refuses what it cannot do, with the reason; others see none of it', async () => {
  await using cloud = await openCloud();
  const at = await shop(cloud);
  const id = String((await made(cloud, at, { sourceipaddress: '10.1.1.50' }))['id']);
  const refused = (more: Params, text: string, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'createLoadBalancer', wanted(at, more), text, status);
  await refused({ scheme: 'Public' }, 'Invalid value for scheme parameter: Public');
  await refused({ algorithm: 'leastconn' }, 'none knows how many connections there are in all');
  await refused({ algorithm: 'random' }, 'Invalid algorithm: random. It can be roundrobin or source');
  await refused({ sourceport: '0' }, 'sourceport is an invalid value: 0');
  await refused({ sourceipaddressnetworkid: at.data }, 'both are one network here');
  await refused({ sourceipaddress: '10.1.1.2' }, '10.1.1.2 is in use in network');
  await refused({ sourceipaddress: '10.9.9.9' }, 'Unable to use 10.9.9.9 as the address of a load balancer');
  await refused({ sourceipaddress: '10.1.1.50' }, `conflicts with rule ${id} which has 5432-5432`, 537);
  const behind = await cloud.net('acme-admin', 'behind');
  await refused({ networkid: behind, sourceipaddressnetworkid: behind }, 'router nodes route for network behind');
  assert.deepEqual(await cloud.list('globex-admin', 'listLoadBalancers', { listall: 'true' }), []);
  for (const command of ['deleteLoadBalancer', 'listLoadBalancers', 'assignToLoadBalancerRule'])
    await cloud.refused('globex-admin', command, { id, virtualmachineids: at.vm }, unknown('id', id));
});

test('a tier goes with its internal balancers', async () => {
  await using cloud = await openCloud();
  const at = await shop(cloud);
  await cloud.made('acme-admin', 'createLoadBalancer', wanted({ ...at, web: at.data }), 'loadbalancer');
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: at.data });
  assert.deepEqual(await cloud.list('acme-admin', 'listLoadBalancers', {}), []);
  assert.deepEqual(await taken(cloud, 'balancer'), []);
});

test('createLBHealthCheckPolicy keeps one address of the network for all checks in it', async () => {
  await using cloud = await openCloud();
  const at = await shop(cloud);
  const address = await cloud.made('acme-admin', 'associateIpAddress', { vpcid: at.vpcid }, 'ipaddress');
  const policies: string[] = [];
  for (const publicport of ['80', '81']) {
    const rule = await cloud.made(
      'acme-admin',
      'createLoadBalancerRule',
      {
        publicipid: String(address['id']),
        networkid: at.web,
        name: 'lb',
        algorithm: 'roundrobin',
        publicport,
        privateport: '80',
      },
      'loadbalancer',
    );
    const lbruleid = String(rule['id']);
    const check = await cloud.made('acme-admin', 'createLBHealthCheckPolicy', { lbruleid }, 'healthcheckpolicies');
    policies.push(String((check['healthcheckpolicy'] as Body[])[0]?.['id']));
    if (publicport === '80')
      await cloud.refused(
        'acme-admin',
        'createLoadBalancerRule',
        {
          publicipid: String(address['id']),
          networkid: at.web,
          name: 'u',
          algorithm: 'leastconn',
          protocol: 'udp',
          publicport: '99',
          privateport: '99',
        },
        'leastconn cannot be used for udp',
      );
  }
  const [kept] = await taken(cloud, 'check');
  assert.deepEqual(await taken(cloud, 'check'), [kept]);
  await cloud.doAs('acme-admin', 'deleteLBHealthCheckPolicy', { id: policies[0]! });
  assert.deepEqual(await taken(cloud, 'check'), [kept]);
  await cloud.doAs('acme-admin', 'deleteLBHealthCheckPolicy', { id: policies[1]! });
  assert.deepEqual(await taken(cloud, 'check'), []);
});
