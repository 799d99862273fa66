// Hosts and their join tokens as root and tenants see them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cloud, openCloud } from '../../../test/support/cloud.ts';
import { silentLog } from '../../lib/log.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { decodeToken } from '../../protocol/document.ts';
import { acceptJoin, recordReport } from '../../store/hosts.ts';
import { createRegistry } from '../index.ts';
import { portRow, switchRow } from '../../store/row.test-support.ts';
import { type Row, refused, rowOf, rowsOf } from './provider.test-support.ts';

const FACTS = {
  hostname: 'hv1',
  underlayIp: '192.0.2.1',
  cpus: 4,
  memoryMb: 2048,
  ovs: '3.1.0',
  ovn: '23.03.1',
  kernel: '6.1',
  version: '0.1.0',
};

async function token(
  cloud: Cloud,
  more: Record<string, string> = {},
): Promise<{ node: string; secret: string; ca: string }> {
  const params = { name: 'hv1', zoneid: BUILT_IN.zone, ipaddress: '192.0.2.1', ...more };
  const { jointoken } = (await cloud.callAs('admin', 'createJoinToken', params)) as { jointoken: { token: string } };
  return decodeToken(jointoken.token)!;
}

async function joined(cloud: Cloud): Promise<string> {
  const { node, secret } = await token(cloud);
  assert.ok(await acceptJoin(cloud.store, node, secret, '01'));
  await recordReport(cloud.store, node, JSON.stringify(FACTS));
  return String((await rowOf(cloud, 'listHosts', 'host', { name: 'hv1' }))['id']);
}

test('createJoinToken makes a host that is Connecting, and keeps only a hash of the secret', async () => {
  await using cloud = await openCloud();
  const { node, secret, ca } = await token(cloud);
  assert.deepEqual([node, ca], ['hv1', '0'.repeat(64)]);
  const host = await rowOf(cloud, 'listHosts', 'host');
  assert.deepEqual([host['state'], host['ipaddress'], host['zonename']], ['Connecting', '192.0.2.1', 'zone1']);
  const everything = JSON.stringify(
    await Promise.all([
      cloud.store.db.selectFrom('host').selectAll().execute(),
      cloud.store.db.selectFrom('event').selectAll().execute(),
    ]),
  );
  assert.ok(!everything.includes(secret), 'the secret is nowhere in the state');
});

test('createJoinToken again replaces the token of the host before', async () => {
  await using cloud = await openCloud();
  const first = await token(cloud);
  const { secret } = await token(cloud, { ipaddress: '192.0.2.9' });
  assert.equal(await acceptJoin(cloud.store, 'hv1', first.secret, '01'), false);
  assert.equal(await acceptJoin(cloud.store, 'hv1', secret, '02'), true);
  assert.equal((await rowOf(cloud, 'listHosts', 'host'))['ipaddress'], '192.0.2.9');
});

test('createJoinToken refuses bad names, foreign addresses, another zone, and a server without a channel', async () => {
  await using cloud = await openCloud();
  await token(cloud);
  await refused(token(cloud, { name: 'Hv 2' }), 'parameter', 'Invalid host name Hv 2');
  await refused(token(cloud, { name: 'hv2' }), 'parameter', '192.0.2.1 is the address of host hv1');
  await refused(cloud.callAs('admin', 'createJoinToken', { name: 'hv3' }), 'parameter', 'missing parameter ipaddress');
  const { zone } = (await cloud.callAs('admin', 'createZone', {
    name: 'z',
    dns1: '9.9.9.9',
    internaldns1: '9.9.9.9',
    networktype: 'Advanced',
  })) as {
    zone: { id: string };
  };
  await refused(token(cloud, { zoneid: zone.id }), 'parameter', 'Host hv1 is in zone');
  await refused(cloud.callAs('acme-admin', 'createJoinToken', { name: 'hv1' }), 'unsupported', 'createJoinToken');
  const bare = createRegistry({ store: cloud.store, log: silentLog() }).get('createJoinToken')!;
  const call = { caller: await cloud.caller('admin'), request: '', command: bare.name, given: new Set<string>() };
  await refused(bare.run(call, { name: 'hv1' }), 'unavailable', 'has no agent channel');
});

test('listHosts shows what the node reported, and neither addresses nor versions to tenants', async () => {
  await using cloud = await openCloud();
  const id = await joined(cloud);
  const host = await rowOf(cloud, 'listHosts', 'host', { id });
  assert.deepEqual(
    [host['state'], host['cpunumber'], host['memorytotal'], host['version']],
    ['Up', 4, 2048 * 1024 * 1024, '0.1.0'],
  );
  assert.deepEqual((host['details'] as Record<string, string>)['ovn'], '23.03.1');
  const seen = await rowOf(cloud, 'listHosts', 'host', {}, 'acme-admin');
  assert.deepEqual([seen['state'], seen['ipaddress'], seen['details']], ['Up', undefined, undefined]);
  assert.equal(
    (await rowsOf(cloud, 'listHosts', 'host', { state: 'up', type: 'Routing', zoneid: BUILT_IN.zone })).length,
    1,
  );
  for (const none of [
    { state: 'Down' },
    { type: 'SecondaryStorageVM' },
    { hypervisor: 'VMware' },
    { hahost: 'true' },
    { keyword: 'router' },
  ] as Record<string, string>[]) {
    assert.deepEqual(await cloud.callAs('admin', 'listHosts', none), {}, JSON.stringify(none));
  }
  await refused(cloud.callAs('acme-user', 'listHosts'), 'unsupported', 'listHosts');
});

test('updateHost takes a host out of placement and back', async () => {
  await using cloud = await openCloud();
  const id = await joined(cloud);
  const state = async (allocationstate: string): Promise<unknown> =>
    ((await cloud.callAs('admin', 'updateHost', { id, allocationstate }))['host'] as Record<string, unknown>)[
      'resourcestate'
    ];
  assert.equal(await state('Disable'), 'Disabled');
  assert.equal((await rowOf(cloud, 'listHosts', 'host', { resourcestate: 'Disabled' }))['id'], id);
  assert.equal(await state('enable'), 'Enabled');
  await refused(state('Maintenance'), 'parameter', 'Invalid allocation state: Maintenance');
});

test('deleteHost refuses a host that carries instances and names them', async () => {
  await using cloud = await openCloud();
  const id = await joined(cloud);
  const owner = await cloud.caller('acme-user');
  const template = await rowOf(cloud, 'listTemplates', 'template', {
    templatefilter: 'featured',
    name: 'tiny linux kvm',
  });
  const size = await rowOf(cloud, 'listServiceOfferings', 'serviceoffering', { name: 'small instance' });
  await cloud.store.write((tx) =>
    tx.insert('instance', {
      id: '11111111-1111-4111-8111-111111111111',
      name: 'i-1-VM',
      passwordturn: 0,
      displayname: 'vm1',
      hostname: 'vm1',
      zone: BUILT_IN.zone,
      account: owner.accountId,
      domain: owner.domainId,
      serviceoffering: String(size['id']),
      template: String(template['id']),
      host: id,
      lasthost: id,
      state: 'Running',
      power: 'running',
      boot: 1,
      passwordhash: '*',
      password: null,
      userdata: null,
      groupname: null,
      details: null,
      created: new Date().toISOString(),
    }),
  );
  const host = await rowOf(cloud, 'listHosts', 'host', { id });
  assert.deepEqual([host['cpuallocated'], host['memoryallocated']], ['25%', 512 * 1024 * 1024]);
  await refused(
    cloud.callAs('admin', 'deleteHost', { id }),
    'failed',
    'Unable to delete the host hv1 as there are instances on it: i-1-VM.',
  );
  await cloud.store.write((tx) =>
    tx.update('instance', '11111111-1111-4111-8111-111111111111', { host: null, power: 'stopped' }),
  );
  assert.deepEqual(await cloud.callAs('admin', 'deleteHost', { id }), { success: 'true' });
  assert.deepEqual(await rowsOf(cloud, 'listHosts', 'host'), []);
});

test('createJoinToken kind=router makes a router node: listed by its type, never a hypervisor', async () => {
  await using cloud = await openCloud();
  await joined(cloud);
  const { node, secret } = await token(cloud, { name: 'r1', ipaddress: '192.0.2.2', kind: 'Router' });
  assert.ok(await acceptJoin(cloud.store, node, secret, '02'));
  const abilities = { vlan: true, ipvs: 'the kernel has no ip_vs: load balancing by haproxy' };
  await recordReport(cloud.store, node, JSON.stringify({ ...FACTS, underlayIp: '192.0.2.2', abilities }));
  const names = async (params: Record<string, string>, who?: 'acme-admin'): Promise<unknown[]> =>
    (await rowsOf(cloud, 'listHosts', 'host', params, who)).map((host) => host['name']);
  assert.deepEqual(await names({ type: 'Routing' }), ['hv1']);
  assert.deepEqual(await names({ type: 'linuxrouter' }), ['r1']);
  assert.deepEqual(await names({ hypervisor: 'KVM' }), ['hv1']);
  assert.deepEqual(await names({}), ['hv1', 'r1']);
  const router = await rowOf(cloud, 'listHosts', 'host', { name: 'r1' });
  assert.deepEqual([router['type'], router['hypervisor'], router['state']], ['LinuxRouter', undefined, 'Up']);
  assert.deepEqual(router['abilities'], { vlan: 'true', ipvs: 'the kernel has no ip_vs: load balancing by haproxy' });
  assert.equal((await rowOf(cloud, 'listHosts', 'host', { name: 'r1' }, 'acme-admin'))['abilities'], undefined);
  await refused(
    token(cloud, { name: 'r1', ipaddress: '192.0.2.2', kind: 'hypervisor' }),
    'parameter',
    'Host r1 is a router and cannot become',
  );
  await refused(
    token(cloud, { name: 'x', ipaddress: '192.0.2.3', kind: 'switch' }),
    'parameter',
    'Invalid kind switch',
  );
  const { jointoken } = (await cloud.callAs('admin', 'createJoinToken', { name: 'r1' })) as { jointoken: Row };
  assert.equal(jointoken['kind'], 'router', 'a token of a known host is of its kind');
});

test('deleteHost refuses a host that a switch port is said to lead to, and names the port', async () => {
  await using cloud = await openCloud();
  const id = await joined(cloud);
  const on = switchRow('sw1', { zone: BUILT_IN.zone, physicalnetwork: BUILT_IN.physicalNetwork });
  const port = portRow(on.id, 'swp3', { role: 'hypervisor', host: id });
  await cloud.store.write(async (tx) => {
    await tx.insert('switch', on);
    await tx.insert('switchport', port);
  });
  await refused(
    cloud.callAs('admin', 'deleteHost', { id }),
    'failed',
    'host hv1 as it is behind switch ports: swp3 of sw1',
  );
  await cloud.store.write((tx) => tx.update('switchport', port.id, { role: 'access', host: null }));
  assert.deepEqual(await cloud.callAs('admin', 'deleteHost', { id }), { success: 'true' });
});
