// Ranges of public addresses, as the operator makes, dedicates and removes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { NOBODY, unknown } from '../network/network.test-support.ts';
import { openCloud } from './public.test-support.ts';

const RANGE = {
  zoneid: BUILT_IN.zone,
  startip: '198.51.100.10',
  endip: '198.51.100.20',
  gateway: '198.51.100.1',
  netmask: '255.255.255.0',
};

test('createVlanIpRange adds a range as clients read it, untagged or on a VLAN', async () => {
  await using cloud = await openCloud();
  const make = async (more: Record<string, string>): Promise<Body> =>
    (await cloud.callAs('admin', 'createVlanIpRange', { ...RANGE, ...more }))['vlan'] as Body;
  const plain = await make({});
  assert.deepEqual(
    ['vlan', 'forvirtualnetwork', 'startip', 'endip', 'gateway', 'netmask', 'cidr', 'zoneid', 'account'].map(
      (key) => plain[key],
    ),
    [
      'vlan://untagged',
      true,
      '198.51.100.10',
      '198.51.100.20',
      '198.51.100.1',
      '255.255.255.0',
      '198.51.100.0/24',
      BUILT_IN.zone,
      undefined,
    ],
  );
  const more = { startip: '192.0.2.129', endip: '192.0.2.140', gateway: '192.0.2.254', netmask: '255.255.255.128' };
  assert.equal((await make({ ...more, vlan: 'vlan://77' }))['vlan'], 'vlan://77');
  const ids = async (params: Record<string, string>): Promise<number> =>
    (await cloud.list('admin', 'listVlanIpRanges', params)).length;
  assert.deepEqual(
    [await ids({}), await ids({ vlan: '77' }), await ids({ vlan: 'untagged' }), await ids({ id: String(plain['id']) })],
    [3, 1, 2, 1],
  );
  assert.equal(await ids({ forvirtualnetwork: 'false' }), 0);
  await cloud.refused('admin', 'listVlanIpRanges', { id: NOBODY }, unknown('id', NOBODY));
  await cloud.refused('acme-admin', 'listVlanIpRanges', {}, /listVlanIpRanges/, 432);
  await cloud.refused('acme-admin', 'createVlanIpRange', RANGE, /createVlanIpRange/, 432);
});

test('createVlanIpRange refuses what is no range, overlaps, or lies on a VLAN of networks', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'createVlanIpRange', RANGE);
  const refused = (params: Record<string, string | undefined>, text: string | RegExp): Promise<void> => {
    const given = Object.entries({ ...RANGE, startip: '198.51.100.30', endip: '198.51.100.40', ...params });
    return cloud.refused(
      'admin',
      'createVlanIpRange',
      Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined)),
      text,
    );
  };
  await refused({ startip: undefined }, 'StartIP or StartIPv6 is missing in the parameters!');
  await refused({ gateway: undefined }, 'Please specify a valid IP range.');
  await refused({ startip: '198.51.100.41' }, 'Please specify a valid IP range.: 198.51.100.41-198.51.100.40 is none');
  await refused({ netmask: '255.0.255.0' }, 'Please specify a valid netmask: 255.0.255.0');
  await refused(
    { startip: '198.51.101.30', endip: '198.51.101.40' },
    "Please ensure that your start IP is in the same subnet as your IP range's gateway, as per the IP range's netmask.",
  );
  await refused({ endip: '198.51.100.255' }, 'Please ensure that your end IP');
  await refused({ gateway: '198.51.100.35' }, 'The gateway ip 198.51.100.35 should not be in the IP range');
  await refused(
    { startip: '198.51.100.20' },
    'The IP range already has IPs that overlap with the new range. Please specify a different start IP/end IP.: 198.51.100.10-198.51.100.20',
  );
  await refused(
    { vlan: '77' },
    'The IP range with tag: untagged in zone zone1 has overlapped with the subnet. Please specify a different gateway/netmask.',
  );
  await refused({ gateway: '198.51.100.2' }, 'is there with gateway 198.51.100.1');
  await refused({ vlan: '4095' }, 'Invalid vlan 4095');
  const [physical] = await cloud.list('admin', 'listPhysicalNetworks');
  const first = String(physical?.['vlan']).split('-')[0]!;
  await refused({ vlan: first }, `The VLAN tag ${first} is already being used for dynamic vlan allocation`);
  await refused({ forvirtualnetwork: 'false' }, 'Further ranges of a Shared network are not offered');
  await refused({ startipv6: '2001:db8::1' }, 'Public IPv6 addresses are not given one by one');
  await refused({ zoneid: undefined }, 'Please specify the zone');
  await refused({ account: 'acme' }, 'Account must be specified with domainId parameter');
  await refused(
    { startip: '10.0.0.2', endip: '10.2.0.0', gateway: '10.0.0.1', netmask: '255.0.0.0' },
    'at most 65536 are possible',
  );
});

test('createVlanIpRange refuses a VLAN that a network has, and createNetwork one that a range has', async () => {
  await using cloud = await openCloud();
  const networkofferingid = cloud.offering('NoServicesSpecifyVlan');
  const network = { name: 'wire', zoneid: BUILT_IN.zone, networkofferingid, cidr: '10.3.0.0/24' };
  await cloud.callAs('admin', 'createNetwork', { ...network, vlan: '88' });
  await cloud.refused(
    'admin',
    'createVlanIpRange',
    { ...RANGE, vlan: '88' },
    'The VLAN tag 88 is in use by network wire',
  );
  await cloud.callAs('admin', 'createVlanIpRange', { ...RANGE, vlan: '89' });
  await cloud.refused('admin', 'createNetwork', { ...network, vlan: '89' }, 'public addresses');
});

test('a physical network with a range of public addresses outside is not deleted, nor is its zone', async () => {
  await using cloud = await openCloud({ routers: 0 });
  const { zone } = (await cloud.callAs('admin', 'createZone', {
    name: 'z2',
    dns1: '9.9.9.9',
    internaldns1: '9.9.9.9',
    networktype: 'Advanced',
  })) as { zone: Body };
  const zoneid = String(zone['id']);
  const made = { zoneid, name: 'p2' };
  const { physicalnetwork } = (await cloud.doAs('admin', 'createPhysicalNetwork', made)) as { physicalnetwork: Body };
  const id = String(physicalnetwork['id']);
  await cloud.doAs('admin', 'updatePhysicalNetwork', { id, state: 'Enabled' });
  const { vlan } = (await cloud.callAs('admin', 'createVlanIpRange', { ...RANGE, zoneid })) as { vlan: Body };
  await cloud.refused('admin', 'deletePhysicalNetwork', { id }, 'are outside of it: 198.51.100.10-198.51.100.20', 530);
  await cloud.refused('admin', 'deleteZone', { id: zoneid }, '1 ranges of public addresses', 530);
  await cloud.callAs('admin', 'deleteVlanIpRange', { id: String(vlan['id']) });
  await cloud.doAs('admin', 'deletePhysicalNetwork', { id });
});

test('deleteVlanIpRange refuses a range in use and names addresses; a released one is no use any more', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  await cloud.refused(
    'admin',
    'deleteVlanIpRange',
    { id: cloud.range },
    '1  Ips are in use. Cannot delete this vlan: 203.0.113.10',
  );
  await cloud.callAs('acme-admin', 'deleteNetwork', { id: networkid });
  await cloud.refused('admin', 'deleteVlanIpRange', { id: cloud.range }, '1  Ips are in use');
  await cloud.settle();
  assert.deepEqual(await cloud.callAs('admin', 'deleteVlanIpRange', { id: cloud.range }), { success: 'true' });
  await cloud.refused('admin', 'deleteVlanIpRange', { id: cloud.range }, unknown('id', cloud.range));
});

test('dedicatePublicIpRange keeps a range for a tenant, who gets its addresses first; releasePublicIpRange ends it', async () => {
  await using cloud = await openCloud();
  const acme = await cloud.caller('acme-admin');
  const { vlan } = (await cloud.callAs('admin', 'createVlanIpRange', RANGE)) as { vlan: Body };
  const id = String(vlan['id']);
  const dedicate = { id, domainid: acme.domainId, account: acme.accountName };
  const dedicated = (await cloud.callAs('admin', 'dedicatePublicIpRange', dedicate))['vlan'] as Body;
  assert.deepEqual([dedicated['account'], dedicated['domainid']], [acme.accountName, acme.domainId]);
  await cloud.refused(
    'admin',
    'dedicatePublicIpRange',
    dedicate,
    'Specified Public IP range has already been dedicated',
  );
  await cloud.net('acme-admin', 'web');
  const networkid = await cloud.net('globex-admin', 'web');
  const source = async (who: 'acme-admin' | 'globex-admin'): Promise<unknown> =>
    (await cloud.list(who, 'listPublicIpAddresses', { issourcenat: 'true' }))[0]?.['ipaddress'];
  assert.deepEqual([await source('acme-admin'), await source('globex-admin')], ['198.51.100.10', '203.0.113.10']);
  await cloud.refused(
    'globex-admin',
    'associateIpAddress',
    { networkid, ipaddress: '198.51.100.15' },
    'Unable to acquire 198.51.100.15: it is in none of the ranges',
  );
  assert.deepEqual(await cloud.callAs('admin', 'releasePublicIpRange', { id }), { success: 'true' });
  await cloud.refused('admin', 'releasePublicIpRange', { id }, 'Specified Public IP range has not been dedicated');
  assert.equal(
    (await cloud.address('globex-admin', networkid, { ipaddress: '198.51.100.15' }))['ipaddress'],
    '198.51.100.15',
  );
  await cloud.refused(
    'admin',
    'dedicatePublicIpRange',
    dedicate,
    'Public IP address in range is allocated to another account',
  );
});

test('updateVlanIpRange moves the ends of a range, never past addresses in use or another range', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net('acme-admin', 'web');
  await cloud.address('acme-admin', networkid, { ipaddress: '203.0.113.15' });
  const id = cloud.range;
  const update = async (more: Params): Promise<Body> =>
    (await cloud.callAs('admin', 'updateVlanIpRange', { id, ...more }))['vlan'] as Body;
  const grown = await update({ endip: '203.0.113.30' });
  assert.deepEqual([grown['startip'], grown['endip'], grown['id']], ['203.0.113.10', '203.0.113.30', id]);
  await cloud.address('acme-admin', networkid, { ipaddress: '203.0.113.30' });
  const more = { zoneid: BUILT_IN.zone, startip: '203.0.113.40', endip: '203.0.113.50' };
  const subnet = { gateway: '203.0.113.1', netmask: '255.255.255.0' };
  await cloud.callAs('admin', 'createVlanIpRange', { ...more, ...subnet });
  const refused = (params: Params, text: string): Promise<void> =>
    cloud.refused('admin', 'updateVlanIpRange', { id, ...params }, text);
  await refused({ endip: '203.0.113.29' }, '1 Ips are in use outside of 203.0.113.10-203.0.113.29: 203.0.113.30');
  await refused({ startip: '203.0.113.16' }, '2 Ips are in use outside');
  await refused({ endip: '203.0.113.40' }, '203.0.113.40-203.0.113.50 is there already');
  await refused({ endip: '203.0.113.9' }, 'Please specify a valid IP range.');
  await refused({ startip: '203.0.113.1' }, 'should not be in the IP range');
  await refused({ gateway: '203.0.113.2' }, 'The gateway of range 203.0.113.10-203.0.113.30 cannot change');
  await refused({ netmask: '255.255.0.0' }, 'The netmask of range');
  await refused({ id: NOBODY }, unknown('id', NOBODY));
  await update({ startip: '203.0.113.5', ...subnet });
  assert.equal((await cloud.list('admin', 'listVlanIpRanges', { id }))[0]?.['startip'], '203.0.113.5');
});
