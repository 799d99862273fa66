// Real answers against what SDKs decode: one field of a wrong JSON type makes a Go client fail the whole call. And against our own
// declaration: what a view does not declare, listApis does not know.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { emptyLists } from '../../src/commands/server/empty-list.ts';
import type { House } from '../../src/commands/room.ts';
import { type Body, type Cloud, openCloud } from '../support/cloud.ts';
import { addHosts, idOf, makeGateway, makeInstance, makePrivateNetwork, makeTier, makeVpc } from '../support/story.ts';
import { makePublic, openPublicSide } from '../support/public-side.ts';
import { makeIpv6 } from '../support/ipv6.ts';
import { makeVpn } from '../support/vpn-things.ts';
import { makePhysical } from '../support/physical.ts';
import { FACTS } from './facts.ts';

let cloud: Cloud;
const ids: Record<string, string> = {};
before(async () => {
  cloud = await openCloud();
  await addHosts(cloud);
  ids['physical'] = await idOf(cloud, 'admin', 'listPhysicalNetworks', 'physicalnetwork', {});
  ids['vpc'] = await makeVpc(cloud, 'acme-admin', 'a', '10.1.0.0/16');
  ids['tier'] = await makeTier(cloud, 'acme-admin', ids['vpc'], 'web', '10.1.1.1');
  ids['private'] = await makePrivateNetwork(cloud, 'acme-admin', 'meet', '172.16.0.0/24');
  ids['gateway'] = await makeGateway(cloud, 'acme-admin', ids['vpc'], ids['private'], '172.16.0.1');
  await cloud.doAs('acme-admin', 'createStaticRoute', {
    vpcid: ids['vpc'],
    cidr: '10.2.0.0/16',
    nexthop: '172.16.0.2',
  });
  ids['instance'] = await makeInstance(cloud, 'acme-admin', ids['tier']);
  await cloud.doAs('acme-admin', 'createTags', {
    resourcetype: 'Vpc',
    resourceids: ids['vpc'],
    tags: [{ key: 'k', value: 'v' }],
  });
  await cloud.callAs('acme-admin', 'createSSHKeyPair', { name: 'key' });
  await cloud.callAs('acme-admin', 'createAffinityGroup', { name: 'apart', type: 'host anti-affinity' });
  const nics = await cloud.callAs('admin', 'listNics', { virtualmachineid: ids['instance'] });
  const nic = (nics['nic'] as Body[])[0]!;
  ids['address'] = String(nic['ipaddress']);
  ids['mac'] = String(nic['macaddress']);
  await openPublicSide(cloud);
  ids['balancer'] = (await makePublic(cloud, 'acme-admin')).loadbalancer;
  const { id: inside } = await cloud
    .doAs('acme-admin', 'createLoadBalancer', {
      name: 'inside',
      scheme: 'Internal',
      algorithm: 'source',
      networkid: ids['tier'],
      sourceipaddressnetworkid: ids['tier'],
      sourceport: '80',
      instanceport: '80',
    })
    .then((answer) => answer['loadbalancer'] as Body);
  await cloud.doAs('acme-admin', 'assignToLoadBalancerRule', {
    id: String(inside),
    virtualmachineids: ids['instance'],
  });
  ids['wire'] = (await makePhysical(cloud, 'acme-admin', 1)).wire;
  await makeIpv6(cloud, 'acme-admin');
  const spare = (await cloud.doAs('acme-admin', 'associateIpAddress', { vpcid: ids['vpc'] }))['ipaddress'] as Body;
  await makeVpn(cloud, 'acme-admin', { vpcid: ids['vpc'], publicipid: String(spare['id']) });
});
after(() => cloud[Symbol.asyncDispose]());

/** What a list needs beside `listall`. */
const NEEDS: Readonly<Record<string, () => Record<string, string>>> = {
  listTemplates: () => ({ templatefilter: 'all' }),
  listTrafficTypes: () => ({ physicalnetworkid: ids['physical']! }),
  listWhoHasThisIp: () => ({ ipaddress: ids['address']! }),
  listWhoHasThisMac: () => ({ macaddress: ids['mac']! }),
  listNetworkMembers: () => ({ networkid: ids['wire']! }),
  listNics: () => ({ virtualmachineid: ids['instance']! }),
  listLoadBalancerRuleInstances: () => ({ id: ids['balancer']! }),
};

const jsonType = (value: unknown): string =>
  Array.isArray(value) ? 'list' : value !== null && typeof value === 'object' ? 'map' : typeof value;

test('every field of every list has the JSON type the SDKs decode, and is declared', async () => {
  const wrong = new Set<string>();
  const bare: string[] = [];
  for (const command of cloud.registry.values()) {
    if (command.answer.kind !== 'list' || !command.name.startsWith('list') || command.name === 'listApis') continue;
    const { name, answer } = command;
    const body = await cloud.callAs('admin', name, {
      ...('listall' in command.params.shape ? { listall: true } : {}),
      ...NEEDS[name]?.(),
    });
    const rows = (body[answer.key] ?? []) as Body[];
    if (rows.length === 0) bare.push(name);
    for (const [field, value] of rows.flatMap((row) => Object.entries(row))) {
      const known = FACTS.get(name)?.fields.get(field);
      if (known !== undefined && known !== jsonType(value))
        wrong.add(`${name}.${field} is ${jsonType(value)}, SDKs decode ${known}`);
      if (!(field in answer.view.shape)) wrong.add(`${name}.${field} is not declared`);
      if (value === null) wrong.add(`${name}.${field} is null: absent fields are left out`);
    }
  }
  assert.deepEqual([...wrong], []);
  // A list that shows nothing proves nothing: only those may be empty whose objects do not exist here.
  assert.deepEqual(
    bare.filter((name) => !EMPTY.has(name)),
    [],
  );
});

/** Lists of what this product has not got. */
const EMPTY = new Set([
  ...emptyLists.map((plan) => plan({} as House).name),
  // Nodes tell these, and there are none here: test/lab/announce.test.ts and scan.test.ts look at their fields.
  'listAddressReceipts',
  'listNetworkNeighbors',
  // What gateway nodes lack: there are none here.
  'listAlerts',
]);

test('ids are lower-case UUIDs', async () => {
  for (const [command, key] of [
    ['listVPCs', 'vpc'],
    ['listNetworks', 'network'],
    ['listPrivateGateways', 'privategateway'],
    ['listStaticRoutes', 'staticroute'],
    ['listVirtualMachines', 'virtualmachine'],
    ['listDomains', 'domain'],
    ['listAccounts', 'account'],
    ['listUsers', 'user'],
    ['listRouters', 'router'],
  ] as const) {
    const rows = (await cloud.callAs('admin', command, { listall: true }))[key] as Body[];
    for (const row of rows) assert.match(String(row['id']), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, command);
  }
});
