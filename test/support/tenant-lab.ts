// What stories with real packets are made of: VPCs, tiers, instances, Private networks, gateways and routes of one tenant, all
// made through the API, and pings between the instances. The cloud below is real; one serves all tests of a file.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { RunResult } from '../../src/lib/run.ts';
import { type Caller, type Cloud, startCloud } from '../../src/demo/cloud.ts';
import { field, rows, text } from '../../src/demo/answer.ts';
import { type Scope, afterwards, temporaryState } from './lab.ts';

export interface Guest {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly mac: string;
}

/** Kinds of Private networks, by what offering they are made of: overlay, a VLAN from the pool, a VLAN named by hand. */
export const PRIVATE = {
  overlay: 'DefaultPrivateGatewayNetworkOfferingOverlay',
  pool: 'DefaultPrivateGatewayNetworkOffering',
  byHand: 'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
} as const;

type More = Readonly<Record<string, string>>;

/** All that a tenant makes; each answer is that of the finished job. */
export interface Tenant {
  readonly call: Caller;
  /** The id of the one thing of this name in a list. */
  idOf(command: string, key: string, name: string, more?: More): Promise<string>;
  /** A VPC; its id. */
  vpc(name: string, cidr: string): Promise<string>;
  /** A tier with a /24 whose first address is the gateway's, with the global list of this name, or none; its id. */
  tier(vpcid: string, gateway: string, list?: 'default_allow' | 'default_deny'): Promise<string>;
  /** An instance on the hypervisor of this name (root chooses it for the tenant), or wherever there is room. */
  instance(name: string, networkid: string, host?: string, more?: More): Promise<Guest>;
  /** A Private network; its id. */
  privateNetwork(cidr: string, kind?: keyof typeof PRIVATE, more?: More): Promise<string>;
  /** A private gateway, with the global list of this name, or none; its id. */
  gateway(
    vpcid: string,
    networkid: string,
    ipaddress: string,
    list?: 'default_allow' | 'default_deny',
  ): Promise<string>;
  route(vpcid: string, cidr: string, nexthop: string): Promise<{ readonly id: string; readonly state: string }>;
  /** What listStaticRoutes shows of a route. */
  routeNow(id: string): Promise<object>;
}

export interface LabCloud {
  readonly cloud: Cloud;
  readonly tenant: Tenant;
  exec(guest: Pick<Guest, 'id'>, ...argv: readonly string[]): Promise<RunResult>;
  /** One echo request, a second for its answer: the first packet counts. */
  ping(from: Pick<Guest, 'id'>, to: Pick<Guest, 'address'>): Promise<boolean>;
}

/**
 * A cloud for all tests of a suite, with an empty tenant; it ends, and its folder goes, with the suite. Call in the suite itself:
 * what a hook registers for later is done as soon as the hook ends.
 */
export function cloudForSuite(begin: (lab: LabCloud) => Promise<void> | void, account = 'acme-admin'): void {
  const scope: Scope = { after };
  const state = temporaryState(scope);
  let cloud: Cloud | undefined;
  before(async () => {
    cloud = await startCloud({ state, port: 0, log: () => undefined });
    await begin(await labCloud(cloud, account));
  });
  afterwards(scope, async () => cloud?.stop());
}

export async function labCloud(cloud: Cloud, account = 'acme-admin'): Promise<LabCloud> {
  const exec: LabCloud['exec'] = (guest, ...argv) => cloud.lab.exec(guest.id, argv, { timeoutMs: 20_000 });
  return {
    cloud,
    tenant: await tenantOf(cloud, account),
    exec,
    ping: async (from, to) => (await exec(from, 'ping', '-c', '1', '-W', '1', to.address)).code === 0,
  };
}

async function tenantOf(cloud: Cloud, account: string): Promise<Tenant> {
  const call = cloud.as(account);
  const admin = cloud.as('admin');
  const idOf: Tenant['idOf'] = async (command, key, name, more = {}) => {
    const found = rows(await call(command, more), key).filter((row) => text(row, 'name') === name);
    assert.equal(found.length, 1, `${command} shows ${found.length} called ${name}`);
    return text(found[0], 'id');
  };
  const zone = rows(await call('listZones'), 'zone')[0]!;
  const zoneid = text(zone, 'id');
  const { username, domain } = cloud.access.accounts[account]!;
  const domains = rows(await admin('listDomains', { listall: 'true' }), 'domain');
  const domainid = text(
    domains.find((row) => text(row, 'path') === domain || text(row, 'name') === domain.split('/').at(-1)),
    'id',
  );
  const hosts = new Map(
    rows(await admin('listHosts', { type: 'Routing' }), 'host').map((host) => [text(host, 'name'), text(host, 'id')]),
  );
  const owner = rows(await call('listUsers', { username }), 'user')[0]!;
  const offering = (name: string): Promise<string> => idOf('listNetworkOfferings', 'networkoffering', name);
  const withList = async (list?: string): Promise<More> =>
    list === undefined ? {} : { aclid: await idOf('listNetworkACLLists', 'networkacllist', list) };
  let made = 0;

  return {
    call,
    idOf,
    async vpc(name, cidr) {
      const vpcofferingid = await idOf('listVPCOfferings', 'vpcoffering', 'Default VPC offering');
      const answer = await call('createVPC', { name, displaytext: name, cidr, zoneid, vpcofferingid });
      return text(field(answer, 'vpc'), 'id');
    },
    async tier(vpcid, gateway, list) {
      const name = `tier${++made}`;
      const networkofferingid = await offering('DefaultIsolatedNetworkOfferingForVpcNetworks');
      const where = { vpcid, zoneid, networkofferingid, gateway, netmask: '255.255.255.0' };
      const answer = await call('createNetwork', { name, displaytext: name, ...where, ...(await withList(list)) });
      return text(field(answer, 'network'), 'id');
    },
    async instance(name, networkids, host, more = {}) {
      const serviceofferingid = await idOf('listServiceOfferings', 'serviceoffering', 'Small Instance');
      const templateid = await idOf('listTemplates', 'template', 'tiny linux kvm', { templatefilter: 'featured' });
      const params = { name, zoneid, serviceofferingid, templateid, networkids, ...more };
      const deployed =
        host === undefined
          ? await call('deployVirtualMachine', params)
          : await admin('deployVirtualMachine', {
              ...params,
              hostid: hosts.get(host)!,
              account: text(owner, 'account'),
              domainid,
            });
      return guestOf(field(deployed, 'virtualmachine'));
    },
    async privateNetwork(cidr, kind = 'overlay', more = {}) {
      const name = `private${++made}`;
      const networkofferingid = await offering(PRIVATE[kind]);
      const answer = await call('createNetwork', { name, displaytext: name, zoneid, networkofferingid, cidr, ...more });
      return text(field(answer, 'network'), 'id');
    },
    async gateway(vpcid, networkid, ipaddress, list) {
      const answer = await call('createPrivateGateway', { vpcid, networkid, ipaddress, ...(await withList(list)) });
      return text(field(answer, 'privategateway'), 'id');
    },
    async route(vpcid, cidr, nexthop) {
      const route = field(await call('createStaticRoute', { vpcid, cidr, nexthop }), 'staticroute');
      return { id: text(route, 'id'), state: text(route, 'state') };
    },
    routeNow: async (id) => rows(await call('listStaticRoutes', { id }), 'staticroute')[0]!,
  };
}

/** What an answer says of an instance with one NIC. */
export function guestOf(instance: object): Guest {
  const [nic] = rows(instance, 'nic');
  return {
    id: text(instance, 'id'),
    name: text(instance, 'name'),
    address: text(nic, 'ipaddress'),
    mac: text(nic, 'macaddress'),
  };
}
