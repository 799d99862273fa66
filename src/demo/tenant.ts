// What stories and tests of real packets are made of: networks, instances, VPCs, gateways and routes of one tenant, each one
// request whose answer is that of the finished job. Apart from the world, since it needs only the API.
import { field, rows, text } from './answer.ts';
import type { Caller, Cloud } from './cloud.ts';

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

/** Further parameters of a request, as the API calls them. */
export type More = Readonly<Record<string, string>>;

/** All that a tenant makes; each answer is that of the finished job. */
export interface Tenant {
  readonly call: Caller;
  readonly zoneid: string;
  /** The id of the one thing of this name in a list. */
  idOf(command: string, key: string, name: string, more?: More): Promise<string>;
  /** A network outside of VPCs, of the offering of this name; `more` has its cidr, or gateway and netmask, vlan and so on; its id. */
  network(offering: string, more?: More): Promise<string>;
  /** The VLAN of a network, as root sees it. */
  vlanOf(networkid: string): Promise<number>;
  /** A VPC; its id. */
  vpc(name: string, cidr: string): Promise<string>;
  /** A tier with a /24 whose first address is the gateway's, with the global list of this name, or none; its id. */
  tier(vpcid: string, gateway: string, list?: 'default_allow' | 'default_deny'): Promise<string>;
  /** An instance on the hypervisor of this name (root chooses it for the tenant), or wherever there is room. */
  instance(name: string, networkids: string, host?: string, more?: More): Promise<Guest>;
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

/** The tenant behind one of the accounts of `access.json`. */
export async function tenantOf(cloud: Pick<Cloud, 'as' | 'access'>, account: string): Promise<Tenant> {
  const call = cloud.as(account);
  const admin = cloud.as('admin');
  const idOf: Tenant['idOf'] = async (command, key, name, more = {}) => {
    const found = rows(await call(command, more), key).filter((row) => text(row, 'name') === name);
    if (found.length !== 1) throw new Error(`${command} shows ${account} ${found.length} called ${name}`);
    return text(found[0], 'id');
  };
  const zoneid = text(rows(await call('listZones'), 'zone')[0], 'id');
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
  const createNetwork = async (name: string, params: More): Promise<string> => {
    const answer = await call('createNetwork', { name, displaytext: name, zoneid, ...params });
    return text(field(answer, 'network'), 'id');
  };

  return {
    call,
    zoneid,
    idOf,
    network: async (name, more = {}) =>
      createNetwork(`network${++made}`, { networkofferingid: await offering(name), ...more }),
    async vlanOf(id) {
      const found = rows(await admin('listNetworks', { id, listall: 'true' }), 'network')[0];
      return Number(text(found, 'vlan'));
    },
    async vpc(name, cidr) {
      const vpcofferingid = await idOf('listVPCOfferings', 'vpcoffering', 'Default VPC offering');
      const answer = await call('createVPC', { name, displaytext: name, cidr, zoneid, vpcofferingid });
      return text(field(answer, 'vpc'), 'id');
    },
    async tier(vpcid, gateway, list) {
      const networkofferingid = await offering('DefaultIsolatedNetworkOfferingForVpcNetworks');
      const where = { vpcid, networkofferingid, gateway, netmask: '255.255.255.0' };
      return createNetwork(`tier${++made}`, { ...where, ...(await withList(list)) });
    },
    async instance(name, networkids, host, more = {}) {
      const serviceofferingid = await idOf('listServiceOfferings', 'serviceoffering', 'Small Instance');
      const templateid = await idOf('listTemplates', 'template', 'tiny linux kvm', { templatefilter: 'featured' });
      const params = { name, zoneid, serviceofferingid, templateid, networkids, ...more };
      if (host === undefined) return guestOf(field(await call('deployVirtualMachine', params), 'virtualmachine'));
      const hostid = hosts.get(host);
      if (hostid === undefined) throw new Error(`no hypervisor ${host}; there are ${[...hosts.keys()].join(', ')}`);
      const placed = { ...params, hostid, account: text(owner, 'account'), domainid };
      return guestOf(field(await admin('deployVirtualMachine', placed), 'virtualmachine'));
    },
    privateNetwork: async (cidr, kind = 'overlay', more = {}) =>
      createNetwork(`private${++made}`, { networkofferingid: await offering(PRIVATE[kind]), cidr, ...more }),
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

/** What an answer says of an instance and its first NIC. The address is empty in a network without addresses. */
export function guestOf(instance: object): Guest {
  const [nic] = rows(instance, 'nic');
  const { ipaddress = '' } = (nic ?? {}) as { readonly ipaddress?: string };
  return { id: text(instance, 'id'), name: text(instance, 'name'), address: ipaddress, mac: text(nic, 'macaddress') };
}
