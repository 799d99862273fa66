// How many rules an address or a network can have, and how many members a balancer.
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { newId } from '../../lib/id.ts';
import { type PublicCloud, openCloud } from './public.test-support.ts';

type Table = 'loadbalancer' | 'portforward' | 'firewallrule' | 'internalbalancer';

/** Adds rows like the one there is, with `other` things of their own, until there are `count`. */
async function fill(
  cloud: PublicCloud,
  table: Table,
  count: number,
  other: (n: number) => object = () => ({}),
): Promise<void> {
  const like = await cloud.store.db
    .selectFrom(table as 'loadbalancer')
    .selectAll()
    .executeTakeFirstOrThrow();
  await cloud.store.write(async (tx) => {
    for (let n = 1; n < count; n++) await tx.insert(table as 'loadbalancer', { ...like, id: newId(), ...other(n) });
  });
}

test('an address has at most 64 load balancer rules, 1,024 forwards and 500 firewall rules, a network 500 egress rules', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  const vm = await cloud.instance('acme-admin', 'vm1', networkid);
  const id = String((await cloud.address('acme-admin', networkid))['id']);
  const balancer = { publicipid: id, name: 'lb', algorithm: 'source', privateport: '80', openfirewall: 'false' };
  const forward = { ipaddressid: id, protocol: 'tcp', privateport: '80', virtualmachineid: vm, openfirewall: 'false' };
  const kinds: readonly (readonly [string, Table, number, string, Params])[] = [
    ['createLoadBalancerRule', 'loadbalancer', 64, 'publicport', balancer],
    ['createPortForwardingRule', 'portforward', 1024, 'publicport', forward],
    ['createFirewallRule', 'firewallrule', 500, 'startport', { ipaddressid: id, protocol: 'tcp' }],
  ];
  for (const [index, [command, table, most, port, params]] of kinds.entries()) {
    await cloud.doAs('acme-admin', command, { ...params, [port]: String(80 + index) });
    await fill(cloud, table, most);
    await cloud.refused('acme-admin', command, { ...params, [port]: '443' }, `can have at most ${most}`);
  }
  const egress = { networkid, protocol: 'tcp' };
  const made = await cloud.doAs('acme-admin', 'createEgressFirewallRule', { ...egress, startport: '1' });
  const like = (made['firewallrule'] as { id: string }).id;
  const row = await cloud.store.db
    .selectFrom('firewallrule')
    .selectAll()
    .where('id', '=', like)
    .executeTakeFirstOrThrow();
  await cloud.store.write(async (tx) => {
    for (let n = 1; n < 500; n++) await tx.insert('firewallrule', { ...row, id: newId() });
  });
  await cloud.refused('acme-admin', 'createEgressFirewallRule', { ...egress, startport: '2' }, 'can have at most 500');
});

test('a network has at most 64 internal load balancers, and a balancer at most 256 members', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const networkid = String((await cloud.tier('acme-admin', vpcid, '10.1.1.0/24'))['id']);
  const params = {
    name: 'db',
    scheme: 'Internal',
    algorithm: 'source',
    networkid,
    sourceipaddressnetworkid: networkid,
    instanceport: '1',
  };
  const { id } = await cloud.made('acme-admin', 'createLoadBalancer', { ...params, sourceport: '1' }, 'loadbalancer');
  const many = Array.from({ length: 257 }, () => newId()).join(',');
  await cloud.refused(
    'acme-admin',
    'assignToLoadBalancerRule',
    { id: String(id), virtualmachineids: many },
    'it leads to 0, and can lead to at most 256',
  );
  await fill(cloud, 'internalbalancer', 64, (n) => ({ publicport: 1000 + n }));
  await cloud.refused('acme-admin', 'createLoadBalancer', { ...params, sourceport: '2' }, 'can have at most 64');
});
