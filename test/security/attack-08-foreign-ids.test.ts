// Attack 8: every id parameter of every command is given the id of another tenant's object. The law: the answer is the one that
// an id nobody has gets, to the letter, and nothing of the other tenant changes. Drawn from the registry, so that a new command
// is attacked from its first day.
import assert from 'node:assert/strict';
import { before, after, test } from 'node:test';
import type { z } from 'zod';
import type { Command } from '../../src/api/command.ts';
import { Refusal } from '../../src/api/error.ts';
import { mayUse } from '../../src/api/list-apis.ts';
import { type ParamMeta, isOptional, paramMeta } from '../../src/api/param.ts';
import { newId } from '../../src/lib/id.ts';
import { type Cloud, type Who, openCloud } from '../support/cloud.ts';
import { addHosts } from '../support/hosts.ts';
import { makePhysical } from '../support/physical.ts';
import { makePublic, openPublicSide } from '../support/public-side.ts';
import { makeVpn } from '../support/vpn-things.ts';

/** Kind of object -> id of one that the tenant owns. */
type Things = Readonly<Record<string, string>>;

let cloud: Cloud;
let acme: Things;
let globex: Things;

before(async () => {
  cloud = await openCloud();
  await addHosts(cloud.store);
  await openPublicSide(cloud);
  acme = await furnish('acme-admin', 1);
  globex = await furnish('globex-admin', 2);
});
after(() => cloud[Symbol.asyncDispose]());

/** One object of each kind that a tenant can own. */
async function furnish(who: Who, number: number): Promise<Things> {
  const { callAs, doAs, store, caller } = cloud;
  const idIn = (answer: Record<string, unknown>, key: string): string => String((answer[key] as { id: string }).id);
  const firstOf = async (command: string, key: string, name: string, more = {}): Promise<string> => {
    const rows = (await callAs(who, command, more))[key] as { id: string; name: string }[];
    return rows.find((row) => row.name === name)!.id;
  };
  const zone = await firstOf('listZones', 'zone', 'zone1');
  const offering = (name: string) => firstOf('listNetworkOfferings', 'networkoffering', name);
  const serviceoffering = await firstOf('listServiceOfferings', 'serviceoffering', 'Small Instance');
  const template = await firstOf('listTemplates', 'template', 'tiny linux kvm', { templatefilter: 'featured' });
  const vpcofferingid = await firstOf('listVPCOfferings', 'vpcoffering', 'Default VPC offering');
  const cidr = `10.${number}.0.0/16`;
  const vpc = idIn(
    await doAs(who, 'createVPC', { name: 'v', displaytext: 'v', cidr, zoneid: zone, vpcofferingid }),
    'vpc',
  );
  const acl = idIn(await doAs(who, 'createNetworkACLList', { name: 'mine', vpcid: vpc }), 'networkacllist');
  const item = { aclid: acl, protocol: 'tcp', startport: '22', endport: '22', number: '5' };
  const aclitem = idIn(await doAs(who, 'createNetworkACL', item), 'networkacl');
  const network = idIn(
    await callAs(who, 'createNetwork', {
      name: 'tier',
      displaytext: 'tier',
      zoneid: zone,
      vpcid: vpc,
      networkofferingid: await offering('DefaultIsolatedNetworkOfferingForVpcNetworks'),
      gateway: `10.${number}.1.1`,
      netmask: '255.255.255.0',
    }),
    'network',
  );
  const privateNetworkOf = async (third: number): Promise<string> => {
    const networkofferingid = await offering('DefaultPrivateGatewayNetworkOffering');
    const params = { name: 'between', displaytext: 'between', zoneid: zone, networkofferingid };
    return idIn(await callAs(who, 'createNetwork', { ...params, cidr: `172.16.${third}.0/24` }), 'network');
  };
  const privateNetwork = await privateNetworkOf(number);
  const gateway = { vpcid: vpc, networkid: privateNetwork, ipaddress: `172.16.${number}.1` };
  const privategateway = idIn(await doAs(who, 'createPrivateGateway', gateway), 'privategateway');
  const route = { vpcid: vpc, cidr: '10.200.0.0/16', nexthop: `172.16.${number}.9` };
  const staticroute = idIn(await doAs(who, 'createStaticRoute', route), 'staticroute');
  const deployed = await doAs(who, 'deployVirtualMachine', {
    name: 'vm',
    zoneid: zone,
    serviceofferingid: serviceoffering,
    templateid: template,
    networkids: network,
  });
  const instance = deployed['virtualmachine'] as { id: string; nic: { id: string }[] };
  await doAs(who, 'createTags', {
    resourcetype: 'UserVm',
    resourceids: instance.id,
    'tags[0].key': 'k',
    'tags[0].value': 'v',
  });
  const { accountId, domainId, userId } = await caller(who);
  const rowOf = async (table: 'job' | 'event'): Promise<string> =>
    (await store.db.selectFrom(table).select('id').where('account', '=', accountId).executeTakeFirstOrThrow()).id;
  const volumes = (await callAs(who, 'listVolumes'))['volume'] as { id: string }[];
  const routers = (await callAs('admin', 'listRouters', { listall: 'true', vpcid: vpc }))['router'] as { id: string }[];
  const sshkeypair = idIn(await callAs(who, 'createSSHKeyPair', { name: 'key' }), 'keypair');
  const affinitygroup = String(
    (await callAs(who, 'createAffinityGroup', { name: 'apart', type: 'host anti-affinity' }))['id'],
  );
  const diskoffering = await firstOf('listDiskOfferings', 'diskoffering', 'Custom');
  const inside = { networkid: network, sourceipaddressnetworkid: network, sourceport: '80', instanceport: '80' };
  const internalbalancer = String(
    (await callAs(who, 'createLoadBalancer', { name: 'in', scheme: 'Internal', algorithm: 'source', ...inside }))['id'],
  );
  const spare = await doAs(who, 'associateIpAddress', { vpcid: vpc });
  const common = { zone, serviceoffering, template, vpcoffering: vpcofferingid };
  return {
    ...common,
    ...(await makePhysical(cloud, who, number)),
    ...(await makePublic(cloud, who, number)),
    ...(await makeVpn(cloud, who, { vpcid: vpc, publicipid: idIn(spare, 'ipaddress') })),
    networkoffering: await offering('DefaultPrivateGatewayNetworkOffering'),
    domain: domainId,
    account: accountId,
    user: userId,
    vpc,
    acl,
    aclitem,
    network,
    private: await privateNetworkOf(10 + number),
    tieroffering: await offering('DefaultIsolatedNetworkOfferingForVpcNetworks'),
    privategateway,
    staticroute,
    instance: instance.id,
    nic: instance.nic[0]!.id,
    volume: volumes[0]!.id,
    router: routers[0]!.id,
    sshkeypair,
    affinitygroup,
    diskoffering,
    internalbalancer,
    job: await rowOf('job'),
    event: await rowOf('event'),
  };
}

/** Kinds of objects that belong to a tenant; the others are the operator's and open to all. */
const OWNED = ['domain', 'account', 'user', 'vpc', 'acl', 'aclitem', 'network', 'privategateway', 'staticroute'].concat(
  ['instance', 'nic', 'volume', 'router', 'job', 'event', 'device', 'networkmember', 'networkroute', 'switchport'],
  ['publicip', 'portforward', 'firewallrule', 'loadbalancer', 'stickinesspolicy', 'healthcheckpolicy'],
  ['sshkeypair', 'affinitygroup', 'internalbalancer'],
  ['remoteaccessvpn', 'vpnuser', 'vpngateway', 'vpncustomergateway', 'vpnconnection'],
);

/** Something of the right shape for a required parameter that is no id. */
const FILLERS: Readonly<Record<string, string>> = {
  cidr: '10.77.0.0/16',
  ipaddress: '172.16.12.77',
  protocol: 'tcp',
  templatefilter: 'self',
  lock: 'false',
  nexthop: '172.16.2.1',
  publicport: '8080',
  privateport: '8080',
  algorithm: 'source',
  scheme: 'Internal',
  sourceport: '81',
  instanceport: '81',
  methodname: 'SourceBased',
  type: 'host affinity',
  resourcetype: '0',
};

/** Parameters that other parameters need. */
const TOGETHER: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'associateIpAddress domainid': { zoneid: 'own:zone', account: 'acme-admin' },
  'createLoadBalancerRule networkid': { publicipid: 'own:publicip' },
  'createLoadBalancerRule domainid': { publicipid: 'own:publicip', account: 'acme-admin' },
  'addVpnUser domainid': { account: 'acme-admin', username: 'bob', password: 'Secret.1' },
  'removeVpnUser domainid': { account: 'acme-admin', username: 'anna' },
  'createRemoteAccessVpn domainid': { account: 'acme-admin', kind: 'wireguard' },
  'createVpnCustomerGateway domainid': { account: 'acme-admin' },
  'updateVpnCustomerGateway domainid': { account: 'acme-admin' },
  'resetVpnConnection domainid': { account: 'acme-admin' },
  'createVpnClientProfile vpnuserid': { remoteaccessvpnid: 'own:remoteaccessvpn' },
  'checkVpn vpnuserid': { remoteaccessvpnid: 'own:remoteaccessvpn' },
  'checkVpn remoteaccessvpnid': { vpnuserid: 'own:vpnuser' },
  'checkNetworkRoute virtualmachineid': { id: 'own:networkroute', ipaddress: '192.168.50.10' },
  'checkNetworkRoute networkid': { ipaddress: '192.168.50.10' },
  'detachDevice networkid': { deviceid: 'own:device' },
  'detachDevice deviceid': { networkid: 'own:wire' },
  'listWhoHasThisMac domainid': { macaddress: '02:00:00:00:00:01' },
  'registerDevice domainid': { account: 'acme-admin' },
  'createStaticRoute vpcid': { nexthop: '172.16.2.9' },
  'createNetworkRoute deviceid': { networkid: 'own:wire' },
  'createNetworkRoute memberid': { networkid: 'own:wire' },
  'createPrivateGateway vpcid': { networkid: 'own:private' },
  'createPrivateGateway aclid': { networkid: 'own:private' },
  'createPrivateGateway associatednetworkid': { gateway: '172.16.2.254', netmask: '255.255.255.0' },
  'createNetwork vpcid': { networkofferingid: 'own:tieroffering', gateway: '10.1.9.1', netmask: '255.255.255.0' },
  'createNetwork aclid': {
    networkofferingid: 'own:tieroffering',
    vpcid: 'own:vpc',
    gateway: '10.2.9.1',
    netmask: '255.255.255.0',
  },
  'createNetwork domainid': { account: 'acme-admin', cidr: '172.16.99.0/24' },
  'createVPC domainid': { account: 'acme-admin' },
  'createVolume domainid': { account: 'acme-admin', zoneid: 'own:zone', diskofferingid: 'own:diskoffering', size: '1' },
  'createVolume virtualmachineid': { zoneid: 'own:zone', diskofferingid: 'own:diskoffering', size: '1' },
  'createAffinityGroup domainid': { account: 'acme-admin' },
  'deleteAffinityGroup domainid': { account: 'acme-admin', name: 'apart' },
  'createSSHKeyPair domainid': { account: 'acme-admin' },
  'deleteSSHKeyPair domainid': { account: 'acme-admin' },
  'registerSSHKeyPair domainid': { account: 'acme-admin' },
  'resetSSHKeyForVirtualMachine domainid': { account: 'acme-admin', keypair: 'key' },
  'deployVirtualMachine affinitygroupids': { networkids: 'own:network' },
  'assignVirtualMachine domainid': { account: 'acme-admin' },
  'assignVirtualMachine networkids': { account: 'globex-admin', domainid: 'own:domain' },
  'detachVolume virtualmachineid': { deviceid: '1' },
  'deployVirtualMachine domainid': { account: 'acme-admin', networkids: 'own:network' },
  'registerTemplate domainid': { account: 'acme-admin' },
  'replaceNetworkACLList aclid': { networkid: 'own:network' },
  'createAccount domainid': { accounttype: '0' },
  'disableAccount domainid': { account: 'acme-admin' },
  'enableAccount domainid': { account: 'acme-admin' },
  'lockAccount domainid': { account: 'acme-admin' },
  'updateAccount domainid': { account: 'acme-admin', newname: 'x' },
};

function metaOf(schema: unknown): ParamMeta | undefined {
  return paramMeta(schema as z.ZodType);
}

/** The call with the attacked parameter set and everything else that is required taken from the attacker's own things. */
function callFor(command: Command, attacked: string, id: string): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [name, schema] of Object.entries(command.params.shape)) {
    if (isOptional(schema as z.ZodType)) continue;
    const kind = metaOf(schema)?.kind;
    params[name] = kind === undefined ? (FILLERS[name] ?? 'x') : (globex[kind] ?? newId());
  }
  for (const [name, value] of Object.entries(TOGETHER[`${command.name} ${attacked}`] ?? {})) {
    params[name] = value.startsWith('own:') ? globex[value.slice(4)]! : value;
  }
  params[attacked] = id;
  return params;
}

/** What a call comes to, with the id it was about cut out: a refusal's kind and text, or the answer. */
async function outcome(who: Who, command: Command, attacked: string, id: string): Promise<string> {
  try {
    return JSON.stringify(await cloud.callAs(who, command.name, callFor(command, attacked, id))).replaceAll(id, 'ID');
  } catch (error) {
    if (!(error instanceof Refusal)) throw new Error(`${command.name} ${attacked}`, { cause: error });
    return `${error.kind}: ${error.message.replaceAll(id, 'ID')}`;
  }
}

/** Everything of a tenant's, for comparing before and after. */
async function estate(account: string): Promise<string> {
  const tables = [
    'vpc',
    'network',
    'privategateway',
    'staticroute',
    'instance',
    'tag',
    'job',
    'event',
    'user',
    'account',
    'publicip',
    'portforward',
    'firewallrule',
    'loadbalancer',
    'internalbalancer',
    'sshkeypair',
    'affinitygroup',
    'volume',
    'remotevpn',
    'vpnuser',
    'vpngateway',
    'customergateway',
    'vpnconnection',
  ] as const;
  const rows = [];
  for (const table of tables) {
    const column = table === 'account' ? 'id' : 'account';
    rows.push(
      await cloud.store.db
        .selectFrom(table)
        .selectAll()
        .where(column as 'id', '=', account)
        .orderBy('id')
        .execute(),
    );
  }
  rows.push(await cloud.store.db.selectFrom('aclitem').selectAll().where('acl', '=', acme['acl']!).execute());
  return JSON.stringify(rows);
}

interface Attack {
  readonly command: Command;
  readonly param: string;
  readonly kind: string;
}

function attacks(role: 'domain-admin' | 'user'): Attack[] {
  return [...cloud.registry.values()]
    .filter((command) => mayUse(command, role) && command.name !== 'login' && command.name !== 'logout')
    .flatMap((command) =>
      Object.entries(command.params.shape)
        .map(([param, schema]) => ({ command, param, kind: metaOf(schema)?.kind ?? '' }))
        .filter(({ kind }) => OWNED.includes(kind)),
    );
}

test('attack 08: the id of another tenant is answered like an id nobody has, by every command', async () => {
  const mine = await estate(acme['account']!);
  const all = attacks('domain-admin');
  assert.ok(all.length > 60, `${all.length} attacks`);
  const told: string[] = [];
  const elsewhere: string[] = [];
  for (const { command, param, kind } of all) {
    const foreign = await outcome('globex-admin', command, param, acme[kind]!);
    const nobody = await outcome('globex-admin', command, param, newId());
    if (foreign !== nobody) told.push(`${command.name} ${param}: ${foreign.slice(0, 200)} <> ${nobody.slice(0, 200)}`);
    if (!foreign.includes(`Invalid parameter ${param} value=ID`))
      elsewhere.push(`${command.name} ${param}: ${foreign}`);
  }
  assert.deepEqual(told, [], 'answers that tell an object of another tenant from none at all');
  assert.ok(elsewhere.length <= 12, `not refused by the attacked parameter:\n${elsewhere.join('\n')}`);
  assert.equal(await estate(acme['account']!), mine, 'nothing of acme changed');
});

test('attack 08: a user of the same domain gets no further with what is his admin’s', async () => {
  const mine = await estate(acme['account']!);
  const all = attacks('user').filter(({ kind }) => kind !== 'domain');
  const told: string[] = [];
  for (const { command, param, kind } of all) {
    const foreign = await outcome('acme-user', command, param, acme[kind]!);
    const nobody = await outcome('acme-user', command, param, newId());
    if (foreign !== nobody) told.push(`${command.name} ${param}: ${foreign.slice(0, 200)} <> ${nobody.slice(0, 200)}`);
  }
  assert.deepEqual(told, [], 'answers that tell an object of another account from none at all');
  assert.equal(await estate(acme['account']!), mine, 'nothing of the admin changed');
});

test('attack 08: ids nested in maps and lists are no way in, either', async () => {
  const { zone, serviceoffering, template } = globex as Record<string, string>;
  const deploy = { zoneid: zone!, serviceofferingid: serviceoffering!, templateid: template! };
  const refused = async (command: string, params: Record<string, string>, text: RegExp): Promise<void> => {
    await assert.rejects(
      cloud.callAs('globex-admin', command, params),
      { kind: 'parameter', message: text },
      JSON.stringify(params),
    );
  };
  const unknown = /or entity does not exist|Unable to find resource/;
  await refused('deployVirtualMachine', { ...deploy, 'iptonetworklist[0].networkid': acme['network']! }, unknown);
  await refused('deployVirtualMachine', { ...deploy, networkids: `${globex['network']},${acme['network']}` }, unknown);
  await refused(
    'assignToLoadBalancerRule',
    { id: globex['loadbalancer']!, 'vmidipmap[0].vmid': acme['instance']! },
    unknown,
  );
  for (const [resourcetype, kind] of [
    ['Vpc', 'vpc'],
    ['Network', 'network'],
    ['UserVm', 'instance'],
    ['StaticRoute', 'staticroute'],
    ['PublicIpAddress', 'publicip'],
    ['PortForwardingRule', 'portforward'],
    ['FirewallRule', 'firewallrule'],
    ['LoadBalancer', 'loadbalancer'],
    ['Volume', 'volume'],
  ] as const) {
    const tags = {
      resourcetype,
      resourceids: `${globex[kind]},${acme[kind]}`,
      'tags[0].key': 'a',
      'tags[0].value': 'b',
    };
    await refused('createTags', tags, unknown);
  }
  assert.deepEqual(await cloud.callAs('globex-admin', 'listVirtualMachines', { ids: acme['instance']! }), {});
  assert.deepEqual(await cloud.callAs('globex-admin', 'listVolumes', { ids: acme['volume']! }), {});
});
