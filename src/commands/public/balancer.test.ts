// Load balancer rules with their members and policies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { NOBODY, unknown } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from './public.test-support.ts';

interface Setting {
  readonly networkid: string;
  readonly address: string;
}

async function setting(cloud: PublicCloud): Promise<Setting> {
  const networkid = await cloud.net('acme-admin', 'web');
  return { networkid, address: String((await cloud.address('acme-admin', networkid))['id']) };
}

const balancerOf = ({ address }: Setting, more: Params = {}): Params => ({
  publicipid: address,
  name: 'lb',
  algorithm: 'roundrobin',
  publicport: '80',
  privateport: '8080',
  ...more,
});

async function balancer(cloud: PublicCloud, at: Setting, more: Params = {}): Promise<string> {
  const made = await cloud.made('acme-admin', 'createLoadBalancerRule', balancerOf(at, more), 'loadbalancer');
  return String(made['id']);
}

test('createLoadBalancerRule: loadbalancer in the job, loadbalancerrule in lists, ports as text, the firewall open', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const { id } = await cloud.callAs('acme-admin', 'createLoadBalancerRule', balancerOf(at, { algorithm: 'LeastConn' }));
  const shown = async (): Promise<Body | undefined> =>
    (await cloud.list('acme-admin', 'listLoadBalancerRules', { id: String(id) }))[0];
  assert.equal((await shown())?.['state'], 'Add');
  await cloud.settle();
  const rule = await shown();
  assert.deepEqual(
    [
      'state',
      'name',
      'publicip',
      'publicport',
      'privateport',
      'algorithm',
      'protocol',
      'networkid',
      'cidrlist',
      'account',
    ].map((key) => rule?.[key]),
    ['Active', 'lb', '203.0.113.11', '80', '8080', 'leastconn', 'tcp', at.networkid, '', 'acme-admin'],
  );
  const [hole] = await cloud.list('acme-admin', 'listFirewallRules', { ipaddressid: at.address });
  assert.deepEqual([hole?.['startport'], hole?.['endport']], [80, 80]);
  await cloud.doAs('acme-admin', 'updateLoadBalancerRule', { id: String(id), name: 'new', algorithm: 'source' });
  assert.deepEqual([(await shown())?.['name'], (await shown())?.['algorithm']], ['new', 'source']);
  await cloud.doAs('acme-admin', 'deleteLoadBalancerRule', { id: String(id) });
  assert.deepEqual(await cloud.list('acme-admin', 'listFirewallRules', { ipaddressid: at.address }), []);
});

test('createLoadBalancerRule refuses what it cannot do, with the reason', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const id = await balancer(cloud, at);
  const refused = (more: Params, text: string | RegExp, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'createLoadBalancerRule', balancerOf(at, { publicport: '81', ...more }), text, status);
  await refused({ algorithm: 'random' }, 'Invalid algorithm: random');
  await refused({ privateport: '0' }, 'privatePort is an invalid value: 0');
  await refused({ protocol: 'ssl' }, 'LB service provider cannot support this rule');
  await refused({ publicport: '80' }, `conflicts with rule ${id} which has 80-80`, 537);
  const other = await cloud.net('acme-admin', 'other');
  await refused({ networkid: other }, 'Ip address 203.0.113.11 is not assigned to the network other');
  await cloud.refused(
    'acme-admin',
    'createLoadBalancerRule',
    { name: 'lb', algorithm: 'source', publicport: '1', privateport: '1', networkid: at.networkid },
    'Unable to create load balancer rule, invalid IP address id specified',
  );
  const natted = String((await cloud.address('acme-admin', at.networkid))['id']);
  const vm = await cloud.instance('acme-admin', 'vm1', at.networkid);
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: natted, virtualmachineid: vm });
  await refused({ publicipid: natted }, 'specified sourceip id has static nat enabled');
});

test('assignToLoadBalancerRule and removeFromLoadBalancerRule name the instances, plainly or by address', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const id = await balancer(cloud, at);
  const [a, b] = [
    await cloud.instance('acme-admin', 'a', at.networkid),
    await cloud.instance('acme-admin', 'b', at.networkid),
  ];
  assert.deepEqual(await cloud.doAs('acme-admin', 'assignToLoadBalancerRule', { id, virtualmachineids: a }), {
    success: true,
  });
  await cloud.doAs('acme-admin', 'assignToLoadBalancerRule', { id, vmidipmap: [{ vmid: b, vmip: '10.50.1.3' }] });
  const members = async (params: Params = {}): Promise<Body[]> =>
    cloud.list('acme-admin', 'listLoadBalancerRuleInstances', { id, ...params });
  assert.deepEqual(
    (await members()).map((row) => row['name']),
    ['a', 'b'],
  );
  assert.deepEqual(
    (await members({ lbvmips: 'true' })).map((row) => [
      (row['loadbalancerruleinstance'] as Body)['id'],
      row['lbvmipaddresses'],
    ]),
    [
      [a, ['10.50.1.2']],
      [b, ['10.50.1.3']],
    ],
  );
  const c = await cloud.instance('acme-admin', 'c', at.networkid);
  assert.deepEqual(
    (await members({ applied: 'false' })).map((row) => row['id']),
    [c],
  );
  assert.equal((await cloud.list('acme-admin', 'listLoadBalancerRules', { virtualmachineid: a })).length, 1);
  assert.deepEqual(await cloud.list('acme-admin', 'listLoadBalancerRules', { virtualmachineid: c }), []);
  await cloud.doAs('acme-admin', 'removeFromLoadBalancerRule', { id, virtualmachineids: a });
  assert.deepEqual(
    (await members()).map((row) => row['name']),
    ['b'],
  );
  await cloud.refused(
    'acme-admin',
    'removeFromLoadBalancerRule',
    { id, virtualmachineids: a },
    `The instance id: ${a} is not configured  for LB rule id ${id}`,
  );
  await cloud.refused(
    'acme-admin',
    'assignToLoadBalancerRule',
    { id, virtualmachineids: b },
    'VM b with 10.50.1.3 is already mapped to load balancer.',
  );
});

test('assignToLoadBalancerRule refuses other networks, other owners, and nobody', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const id = await balancer(cloud, at);
  const refused = (params: Params, text: string, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'assignToLoadBalancerRule', { id, ...params }, text, status);
  await refused({}, "Both instanceids and vmidipmap  can't be null");
  const elsewhere = await cloud.instance('acme-admin', 'x', await cloud.net('acme-admin', 'other'));
  await refused(
    { virtualmachineids: elsewhere },
    "VM with id specified cannot be added because it doesn't belong in the same network.",
  );
  const users = await cloud.instance('acme-user', 'y', await cloud.net('acme-user', 'users'));
  await refused({ virtualmachineids: users }, 'Cannot add virtual machines that do not belong to the same owner.', 531);
  const foreign = await cloud.instance('globex-admin', 'z', await cloud.net('globex-admin', 'theirs'));
  await refused({ virtualmachineids: foreign }, unknown('virtualmachineids', foreign));
  await refused({ vmidipmap: [{ vmid: 'x' }] }, unknown('vmidipmap[0].vmid', 'x'));
});

test('policies: one of each, listed by rule, seen by their owner alone, gone when deleted', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const lbruleid = await balancer(cloud, at);
  const sticky = { lbruleid, name: 'stay', methodname: 'SourceBased' };
  const first = await cloud.callAs('acme-admin', 'createLBStickinessPolicy', sticky);
  assert.ok(first['id']);
  const check = await cloud.made(
    'acme-admin',
    'createLBHealthCheckPolicy',
    { lbruleid, intervaltime: '3', responsetimeout: '1', unhealthythreshold: '2' },
    'healthcheckpolicies',
  );
  const [policy] = check['healthcheckpolicy'] as Body[];
  assert.deepEqual(
    ['healthcheckinterval', 'responsetime', 'healthcheckthresshold', 'unhealthcheckthresshold'].map(
      (key) => policy?.[key],
    ),
    [3, 1, 2, 2],
  );
  const stored = await cloud.store.db
    .selectFrom('loadbalancer')
    .select(['stickiness', 'healthcheck'])
    .executeTakeFirstOrThrow();
  assert.ok(stored.stickiness?.includes(String(first['id'])));
  const [listed] = await cloud.list('acme-admin', 'listLBStickinessPolicies', { lbruleid });
  assert.deepEqual(
    [listed?.['lbruleid'], (listed?.['stickinesspolicy'] as Body[] | undefined)?.[0]?.['name']],
    [lbruleid, 'stay'],
  );
  const id = String(first['id']);
  await cloud.refused('globex-admin', 'listLBStickinessPolicies', { id }, unknown('id', id));
  await cloud.refused('globex-admin', 'deleteLBStickinessPolicy', { id }, unknown('id', id));
  await cloud.refused('acme-admin', 'createLBStickinessPolicy', sticky, 'has the stickiness policy stay');
  await cloud.refused('acme-admin', 'createLBHealthCheckPolicy', { lbruleid }, 'has a health check policy');
  await cloud.doAs('acme-admin', 'deleteLBStickinessPolicy', { id });
  await cloud.doAs('acme-admin', 'deleteLBHealthCheckPolicy', { id: String(policy?.['id']) });
  for (const command of ['listLBStickinessPolicies', 'listLBHealthCheckPolicies'])
    assert.deepEqual(await cloud.list('acme-admin', command, { lbruleid }), [], command);
  for (const [command, params, text] of [
    ['createLBStickinessPolicy', { ...sticky, methodname: 'Magic' }, 'Invalid method Magic. It can be SourceBased, '],
    ['createLBHealthCheckPolicy', { lbruleid, pingpath: 'up' }, 'pingpath up is no path'],
    ['createLBHealthCheckPolicy', { lbruleid, pingpath: "/up'" }, 'is no path'],
    ['createLBHealthCheckPolicy', { lbruleid, responsetimeout: '9' }, 'should be less than intervaltime 5'],
    ['deleteLBStickinessPolicy', { id: NOBODY }, unknown('id', NOBODY)],
  ] as const) {
    await cloud.refused('acme-admin', command, params, text);
  }
});

test('createLBStickinessPolicy keeps what CloudStack calls the parameters, and refuses those that mean nothing', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const lbruleid = await balancer(cloud, at);
  const policy = (methodname: string, params: Readonly<Record<string, string>>): Params => ({
    lbruleid,
    name: 'stay',
    methodname,
    ...Object.fromEntries(
      Object.entries(params).flatMap(([name, value], index) => [
        [`param[${index}].name`, name],
        [`param[${index}].value`, value],
      ]),
    ),
  });
  const refused = (method: string, params: Readonly<Record<string, string>>, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'createLBStickinessPolicy', policy(method, params), text);
  await refused(
    'LbCookie',
    { tablesize: '1' },
    'parameter tablesize is unknown for LbCookie. It can have cookie-name, mode',
  );
  await refused('LbCookie', { 'cookie-name': 'a b' }, 'parameter cookie-name is to be a name');
  await refused('LbCookie', { mode: 'rewrite', indirect: 'true' }, 'mode rewrite and indirect exclude each other');
  await refused('AppCookie', { 'request-learn': 'true' }, 'haproxy has no appsession any more');
  await refused('AppCookie', { length: '0' }, 'parameter length is to be 1 to 128, not 0');
  await refused('SourceBased', { expire: '8d' }, 'parameter expire is to be a time from 1s to 7d');
  const made = await cloud.made(
    'acme-admin',
    'createLBStickinessPolicy',
    policy('lbcookie', { 'cookie-name': 'WHO', nocache: 'true' }),
    'stickinesspolicies',
  );
  const [shown] = made['stickinesspolicy'] as Body[];
  assert.deepEqual([shown?.['methodname'], shown?.['params']], ['LbCookie', { 'cookie-name': 'WHO', nocache: 'true' }]);
  await cloud.doAs('acme-admin', 'deleteLBStickinessPolicy', { id: String(shown?.['id']) });
  const udp = await balancer(cloud, at, { publicport: '53', protocol: 'udp' });
  await cloud.refused(
    'acme-admin',
    'createLBStickinessPolicy',
    { ...policy('LbCookie', {}), lbruleid: udp },
    'LbCookie needs HTTP, and load balancer rule lb is for udp',
  );
});

test('createLoadBalancerRule tcp-proxy shares its port with no rule for tcp', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const id = await balancer(cloud, at, { protocol: 'TCP-Proxy' });
  assert.equal((await cloud.list('acme-admin', 'listLoadBalancerRules', { id }))[0]?.['protocol'], 'tcp-proxy');
  await cloud.refused('acme-admin', 'createLoadBalancerRule', balancerOf(at), `conflicts with rule ${id}`, 537);
  await balancer(cloud, at, { protocol: 'udp' });
});
