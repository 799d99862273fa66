// Port forwarding rules: what they say, their states, what they cannot stand beside, and what takes them away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { unknown } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from './public.test-support.ts';

interface Setting {
  readonly networkid: string;
  readonly address: string;
  readonly vm: string;
}

async function setting(cloud: PublicCloud, offering?: string): Promise<Setting> {
  const networkid = await cloud.net('acme-admin', 'web', {}, offering);
  return {
    networkid,
    address: String((await cloud.address('acme-admin', networkid))['id']),
    vm: await cloud.instance('acme-admin', 'vm1', networkid),
  };
}

const forwardOf = ({ address, vm }: Setting, more: Params = {}): Params => ({
  ipaddressid: address,
  virtualmachineid: vm,
  protocol: 'TCP',
  publicport: '2222',
  privateport: '22',
  ...more,
});

const KEY = 'portforwardingrule';

async function forward(cloud: PublicCloud, at: Setting, more: Params = {}): Promise<Body> {
  return cloud.made('acme-admin', 'createPortForwardingRule', forwardOf(at, more), KEY);
}

test('createPortForwardingRule leads a port to an instance: Add, then Active; ports are text', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const { id } = await cloud.callAs('acme-admin', 'createPortForwardingRule', forwardOf(at));
  const rule = async (): Promise<Body | undefined> =>
    (await cloud.list('acme-admin', 'listPortForwardingRules', { id: String(id) }))[0];
  assert.equal((await rule())?.['state'], 'Add');
  await cloud.settle();
  const shown = await rule();
  assert.deepEqual(
    [
      'state',
      'protocol',
      'publicport',
      'publicendport',
      'privateport',
      'privateendport',
      'virtualmachineid',
      'virtualmachinename',
      'ipaddressid',
      'ipaddress',
      'networkid',
      'cidrlist',
      'vmguestip',
      'tags',
    ].map((key) => shown?.[key]),
    [
      'Active',
      'tcp',
      '2222',
      '2222',
      '22',
      '22',
      at.vm,
      'vm1',
      at.address,
      '203.0.113.11',
      at.networkid,
      '',
      '10.50.1.2',
      [],
    ],
  );
  await cloud.doAs('acme-admin', 'createTags', {
    resourcetype: 'PortForwardingRule',
    resourceids: String(id),
    tags: [{ key: 'a', value: 'b' }],
  });
  assert.equal(
    (await cloud.list('acme-admin', 'listPortForwardingRules', { tags: [{ key: 'a', value: 'b' }] })).length,
    1,
  );
});

test('createPortForwardingRule opens the firewall unless told not to, and its deletion closes it', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const holes = async (): Promise<unknown[]> =>
    (await cloud.list('acme-admin', 'listFirewallRules', { ipaddressid: at.address })).map((hole) => [
      hole['protocol'],
      hole['startport'],
      hole['endport'],
      hole['cidrlist'],
      hole['state'],
    ]);
  const shut = await forward(cloud, at, { publicport: '23', openfirewall: 'false' });
  assert.deepEqual(await holes(), []);
  const open = await forward(cloud, at, { cidrlist: '192.0.2.0/24' });
  assert.deepEqual(await holes(), [['tcp', 2222, 2222, '192.0.2.0/24', 'Active']]);
  await cloud.doAs('acme-admin', 'deletePortForwardingRule', { id: String(open['id']) });
  assert.deepEqual(await holes(), []);
  await cloud.doAs('acme-admin', 'createFirewallRule', {
    ipaddressid: at.address,
    protocol: 'tcp',
    startport: '1',
    endport: '9000',
  });
  await forward(cloud, at);
  assert.equal((await holes()).length, 1, 'it is open there already');
  await cloud.doAs('acme-admin', 'deletePortForwardingRule', { id: String(shut['id']) });
  assert.equal((await holes()).length, 1, "another's hole stays");
});

test('createPortForwardingRule refuses conflicts with 537 and names the other rule', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const range = await forward(cloud, at, {
    publicport: '8000',
    publicendport: '8010',
    privateport: '8000',
    privateendport: '8010',
  });
  const refused = (more: Params, text: string | RegExp, status = 431): Promise<void> =>
    cloud.refused('acme-admin', 'createPortForwardingRule', forwardOf(at, more), text, status);
  await refused(
    { publicport: '8005' },
    `The range specified, 8005-8005, conflicts with rule ${String(range['id'])} which has 8000-8010`,
    537,
  );
  await forward(cloud, at, { publicport: '8005', protocol: 'udp' });
  const balancer = await cloud.made(
    'acme-admin',
    'createLoadBalancerRule',
    { publicipid: at.address, name: 'lb', algorithm: 'roundrobin', publicport: '80', privateport: '80' },
    'loadbalancer',
  );
  await refused(
    { publicport: '80' },
    `conflicts with rule ${String(balancer['id'])} which has 80-80: a load balancer rule`,
    537,
  );
});

test('createPortForwardingRule refuses ports, protocols and instances that do not fit', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const other = await cloud.net('acme-admin', 'other');
  const elsewhere = await cloud.instance('acme-admin', 'vm2', other);
  const foreign = await cloud.instance('globex-admin', 'vm3', await cloud.net('globex-admin', 'theirs'));
  const refused = (more: Params, text: string | RegExp): Promise<void> =>
    cloud.refused('acme-admin', 'createPortForwardingRule', forwardOf(at, more), text);
  await refused({ publicport: '0' }, 'publicPort is an invalid value: 0');
  await refused({ privateport: '70000' }, 'privatePort is an invalid value: 70000');
  await refused({ publicendport: '2221' }, "Start port can't be bigger than end port");
  await refused(
    { publicendport: '2230', privateendport: '23' },
    'Source port and destination port ranges should be of equal sizes.',
  );
  await refused({ publicendport: '2230' }, 'Private port start should be equal to public port start');
  await refused({ protocol: 'icmp' }, 'Invalid protocol icmp for port forwarding: it can be tcp or udp');
  await refused({ cidrlist: '10.0.0.0/40' }, 'Source cidrs formatting error 10.0.0.0/40');
  await refused({ virtualmachineid: elsewhere }, "Vm doesn't belong to network associated with ipAddress");
  await refused({ virtualmachineid: foreign }, unknown('virtualmachineid', foreign));
  await refused({ vmguestip: '10.50.1.99' }, "IP Address is not in the VM nic's network ");
  await refused({ networkid: other }, 'IP is associated with a different network than passed network id');
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id: at.vm });
  await refused(
    {},
    `Unable to create port forwarding rule on address 203.0.113.11, invalid virtual machine id specified (${at.vm}).`,
  );
});

test('createPortForwardingRule refuses an address with static NAT, and networks without the service (S22)', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  await cloud.callAs('acme-admin', 'enableStaticNat', { ipaddressid: at.address, virtualmachineid: at.vm });
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    forwardOf(at),
    `Unable to create port forwarding rule; ip id=${at.address} has static nat enabled`,
  );
  const bare = await cloud.net('acme-admin', 'bare', {}, 'NoServices');
  const row = await cloud.callAs('acme-admin', 'associateIpAddress', {
    zoneid: String((await cloud.list('admin', 'listZones'))[0]?.['id']),
  });
  await cloud.refused(
    'acme-admin',
    'createPortForwardingRule',
    forwardOf(at, { ipaddressid: String(row['id']), networkid: bare }),
    /SourceNat service is not supported in network with specified id: network bare is of offering NoServices, which has no services: nobody of ours routes there\. Use a network of an offering with/,
  );
});

test('updatePortForwardingRule leads elsewhere and is Add until realized', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const second = await cloud.instance('acme-admin', 'vm2', at.networkid);
  const rule = await forward(cloud, at);
  const id = String(rule['id']);
  await cloud.callAs('acme-admin', 'updatePortForwardingRule', { id, virtualmachineid: second, privateport: '2022' });
  const shown = async (): Promise<Body | undefined> =>
    (await cloud.list('acme-admin', 'listPortForwardingRules', { id }))[0];
  assert.equal((await shown())?.['state'], 'Add');
  await cloud.settle();
  assert.deepEqual(
    ['state', 'virtualmachineid', 'privateport', 'privateendport', 'publicport'].map((key) => rule[key]),
    ['Active', at.vm, '22', '22', '2222'],
  );
  const now = await shown();
  assert.deepEqual(
    ['state', 'virtualmachineid', 'privateport', 'privateendport', 'publicport'].map((key) => now?.[key]),
    ['Active', second, '2022', '2022', '2222'],
  );
});

test("another tenant's rule does not exist", async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const id = String((await forward(cloud, at))['id']);
  for (const command of ['deletePortForwardingRule', 'updatePortForwardingRule', 'listPortForwardingRules'])
    await cloud.refused('globex-admin', command, { id }, unknown('id', id));
  await cloud.refused('globex-admin', 'createPortForwardingRule', forwardOf(at), unknown('ipaddressid', at.address));
});

test('rules go with their instance when it is expunged, not when it is only destroyed', async () => {
  await using cloud = await openCloud();
  const at = await setting(cloud);
  const lb = await cloud.made(
    'acme-admin',
    'createLoadBalancerRule',
    { publicipid: at.address, name: 'lb', algorithm: 'source', publicport: '80', privateport: '80' },
    'loadbalancer',
  );
  await cloud.doAs('acme-admin', 'assignToLoadBalancerRule', { id: String(lb['id']), virtualmachineids: at.vm });
  await forward(cloud, at);
  const count = async (table: 'portforward' | 'balancermember' | 'firewallrule'): Promise<number> =>
    (await cloud.store.db.selectFrom(table).select('id').execute()).length;
  await cloud.doAs('acme-admin', 'destroyVirtualMachine', { id: at.vm });
  assert.deepEqual([await count('portforward'), await count('balancermember')], [1, 1]);
  await cloud.doAs('acme-admin', 'expungeVirtualMachine', { id: at.vm });
  assert.deepEqual([await count('portforward'), await count('balancermember')], [0, 0]);
  assert.equal(await count('firewallrule'), 1, "only the load balancer rule's hole is left");
});
