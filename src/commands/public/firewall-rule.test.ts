// Firewall rules of public addresses, and egress rules of networks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { unknown } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from './public.test-support.ts';

async function place(cloud: PublicCloud): Promise<{ networkid: string; address: string }> {
  const networkid = await cloud.net('acme-admin', 'web');
  return { networkid, address: String((await cloud.address('acme-admin', networkid))['id']) };
}

const KEY = 'firewallrule';

test('createFirewallRule opens a public address; ports are numbers, the rule is Add, then Active', async () => {
  await using cloud = await openCloud();
  const { networkid, address } = await place(cloud);
  const { id } = await cloud.callAs('acme-admin', 'createFirewallRule', {
    ipaddressid: address,
    protocol: 'TCP',
    startport: '22',
    cidrlist: '192.0.2.0/24,198.51.100.7/32',
  });
  const shown = async (): Promise<Body | undefined> =>
    (await cloud.list('acme-admin', 'listFirewallRules', { id: String(id) }))[0];
  assert.equal((await shown())?.['state'], 'Add');
  await cloud.settle();
  const rule = await shown();
  assert.deepEqual(
    [
      'state',
      'protocol',
      'startport',
      'endport',
      'cidrlist',
      'ipaddressid',
      'ipaddress',
      'networkid',
      'traffictype',
      'destcidrlist',
    ].map((key) => rule?.[key]),
    ['Active', 'tcp', 22, 22, '192.0.2.0/24,198.51.100.7/32', address, '203.0.113.11', networkid, 'Ingress', undefined],
  );
  const ping = await cloud.made(
    'acme-admin',
    'createFirewallRule',
    { ipaddressid: address, protocol: 'icmp', icmptype: '8', icmpcode: '0' },
    KEY,
  );
  assert.deepEqual(
    [ping['icmptype'], ping['icmpcode'], ping['cidrlist'], ping['startport']],
    [8, 0, '0.0.0.0/0', undefined],
  );
  await cloud.doAs('acme-admin', 'deleteFirewallRule', { id: String(id) });
  assert.equal((await cloud.list('acme-admin', 'listFirewallRules', { ipaddressid: address })).length, 1);
});

test('createFirewallRule refuses with 537 what another rule says, and names it', async () => {
  await using cloud = await openCloud();
  const { address } = await place(cloud);
  const make = async (params: Params): Promise<string> =>
    String((await cloud.made('acme-admin', 'createFirewallRule', { ipaddressid: address, ...params }, KEY))['id']);
  const refused = (params: Params, text: string, status = 537): Promise<void> =>
    cloud.refused('acme-admin', 'createFirewallRule', { ipaddressid: address, ...params }, text, status);
  const web = await make({ protocol: 'tcp', startport: '80', endport: '90' });
  await refused(
    { protocol: 'tcp', startport: '85', endport: '99' },
    `The range specified, 85-99, conflicts with rule ${web} which has 80-90`,
  );
  await make({ protocol: 'tcp', startport: '85', endport: '99', cidrlist: '192.0.2.0/24' });
  await make({ protocol: 'udp', startport: '85' });
  const all = await make({ protocol: 'all' });
  await refused(
    { protocol: 'all' },
    `There is already a firewall rule specified with protocol = all and no ports: rule ${all}`,
  );
  const ping = await make({ protocol: 'icmp', icmptype: '-1', icmpcode: '-1' });
  await refused({ protocol: 'icmp', icmptype: '-1', icmpcode: '-1' }, `rule ${ping}`);
  await make({ protocol: 'icmp', icmptype: '8', icmpcode: '0' });
});

test('createFirewallRule refuses ports, ICMP and protocols that do not fit', async () => {
  await using cloud = await openCloud();
  const { address } = await place(cloud);
  for (const [params, text] of [
    [{ protocol: 'icmp', startport: '1' }, "Can't specify start/end port when protocol is ICMP"],
    [{ protocol: 'tcp', icmptype: '8' }, 'Can specify icmpCode and icmpType for ICMP protocol only'],
    [{ protocol: 'all', startport: '1' }, "start port and end port must be null if protocol = 'all'"],
    [{ protocol: 'tcp', startport: '90', endport: '80' }, "Start port can't be bigger than end port"],
    [{ protocol: 'tcp', startport: '70000' }, 'publicPort is an invalid value: 70000'],
    [{ protocol: '47' }, 'Invalid protocol: 47. A firewall rule is for one of tcp, udp, icmp, all'],
    [{ protocol: 'tcp', cidrlist: 'x' }, 'Source cidrs formatting error x'],
  ] as const) {
    await cloud.refused('acme-admin', 'createFirewallRule', { ipaddressid: address, ...params }, text);
  }
});

test('createEgressFirewallRule takes sources of the network and destinations anywhere', async () => {
  await using cloud = await openCloud();
  const { networkid } = await place(cloud);
  const rule = await cloud.made(
    'acme-admin',
    'createEgressFirewallRule',
    { networkid, protocol: 'tcp', startport: '443', cidrlist: '10.50.1.128/25', destcidrlist: '192.0.2.0/24' },
    KEY,
  );
  assert.deepEqual(
    ['traffictype', 'networkid', 'ipaddressid', 'cidrlist', 'destcidrlist', 'startport', 'endport', 'state'].map(
      (key) => rule[key],
    ),
    ['Egress', networkid, undefined, '10.50.1.128/25', '192.0.2.0/24', 443, 443, 'Active'],
  );
  const id = String(rule['id']);
  assert.equal((await cloud.list('acme-admin', 'listEgressFirewallRules', { networkid })).length, 1);
  assert.deepEqual(await cloud.list('acme-admin', 'listFirewallRules', { networkid }), []);
  await cloud.refused('acme-admin', 'deleteFirewallRule', { id }, unknown('id', id));
  await cloud.refused(
    'acme-admin',
    'createEgressFirewallRule',
    { networkid, protocol: 'all', cidrlist: '10.99.0.0/24' },
    'Source cidr 10.99.0.0/24 is not within the network',
  );
  await cloud.refused(
    'acme-admin',
    'createEgressFirewallRule',
    {
      networkid,
      protocol: 'tcp',
      startport: '400',
      endport: '500',
      cidrlist: '10.50.1.128/25',
      destcidrlist: '192.0.2.0/24',
    },
    `conflicts with rule ${id} which has 443-443`,
    537,
  );
  await cloud.doAs('acme-admin', 'deleteEgressFirewallRule', { id });
  assert.deepEqual(await cloud.list('acme-admin', 'listEgressFirewallRules', { networkid }), []);
});

test('createEgressFirewallRule is refused in a network without firewall, with the reason and a way out (S22)', async () => {
  await using cloud = await openCloud();
  const bare = await cloud.net('acme-admin', 'bare', {}, 'NoServices');
  await cloud.refused(
    'acme-admin',
    'createEgressFirewallRule',
    { networkid: bare, protocol: 'all' },
    'Unable to create an egress firewall rule; Firewall service is not supported in network with specified id: network bare is of offering NoServices',
  );
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const tier = await cloud.tier('acme-admin', vpcid, '10.1.1.0/24');
  await cloud.refused(
    'acme-admin',
    'createEgressFirewallRule',
    { networkid: String(tier['id']), protocol: 'all' },
    'In a VPC network ACL lists rule: those of its tiers, and of its public addresses',
  );
});

test("another tenant's firewall rules do not exist", async () => {
  await using cloud = await openCloud();
  const { networkid, address } = await place(cloud);
  const rule = await cloud.made('acme-admin', 'createFirewallRule', { ipaddressid: address, protocol: 'all' }, KEY);
  const id = String(rule['id']);
  for (const command of ['deleteFirewallRule', 'updateFirewallRule', 'listFirewallRules'])
    await cloud.refused('globex-admin', command, { id }, unknown('id', id));
  await cloud.refused(
    'globex-admin',
    'createFirewallRule',
    { ipaddressid: address, protocol: 'all' },
    unknown('ipaddressid', address),
  );
  await cloud.refused(
    'globex-admin',
    'createEgressFirewallRule',
    { networkid, protocol: 'all' },
    unknown('networkid', networkid),
  );
});
