// The public side as stories use it: the lab's addresses, VPCs of both families, a resolver, and how packets fare while somebody works at
// a router. Apart from the stories, since it is not what they tell.
import { field, rows, text } from './answer.ts';
import type { Outage } from './reading.ts';
import type { World } from './story.ts';
import type { Guest, More, Tenant } from './tenant.ts';

/** What the upstream of `lab/region.json` believes to be on its wire. */
const WIRE = {
  vlan: '100',
  gateway: '203.0.113.1',
  netmask: '255.255.255.0',
  ip6cidr: '2001:db8:100::/64',
  ip6gateway: '2001:db8:100::1',
};
const GUEST_PREFIX = '2001:db8:200::/56';
const TIER_SERVICES = 'Dhcp,Dns,UserData,NetworkACL,SourceNat,StaticNat,PortForwarding,Lb';

/** A zone's resolver on a node, where tenants have no way to, and the one name it knows. */
export interface Resolver {
  readonly node: string;
  readonly address: string;
  readonly name: string;
  readonly is: string;
}

export interface PublicAddress {
  readonly id: string;
  readonly ip: string;
}

/** What the operator does once: public addresses `203.0.113.FIRST-LAST`, a prefix for instances, offerings of both families, a resolver. */
export async function openPublicSide(
  world: World,
  [first, last]: readonly [number, number],
  dns: Resolver,
): Promise<void> {
  const { operator } = world;
  const zoneid = text(rows(await operator('listZones'), 'zone')[0], 'id');
  const range = { startip: `203.0.113.${first}`, endip: `203.0.113.${last}` };
  await operator('createVlanIpRange', { zoneid, ...WIRE, ...range });
  await operator('createGuestNetworkIpv6Prefix', { zoneid, prefix: GUEST_PREFIX });
  const both = { internetprotocol: 'dualstack', enable: 'true' };
  await operator('createVPCOffering', {
    name: 'Dual VPC',
    displaytext: 'Dual VPC',
    supportedservices: `${TIER_SERVICES},Gateway`,
    ...both,
  });
  await operator('createNetworkOffering', {
    name: 'Dual tier',
    displaytext: 'Dual tier',
    traffictype: 'Guest',
    guestiptype: 'Isolated',
    forvpc: 'true',
    conservemode: 'false',
    supportedservices: TIER_SERVICES,
    ...both,
  });
  const dnsmasq =
    'dnsmasq --conf-file=/dev/null --user=root --no-resolv --no-hosts --bind-interfaces --pid-file='.split(' ');
  const { code, stderr } = await world.exec(dns.node, [
    ...dnsmasq,
    `--listen-address=${dns.address}`,
    `--address=/${dns.name}/${dns.is}`,
  ]);
  if (code !== 0) throw new Error(`no resolver on ${dns.node}: ${stderr.trim()}`);
  await operator('updateZone', { id: zoneid, dns1: dns.address });
}

/** A VPC of both families with tiers by their names and gateways, all with the list default_allow; the ids, the VPC's first. */
export async function dualVpc(
  { call, idOf, zoneid }: Tenant,
  name: string,
  cidr: string,
  tiers: Readonly<Record<string, string>>,
): Promise<string[]> {
  const vpcofferingid = await idOf('listVPCOfferings', 'vpcoffering', 'Dual VPC');
  const wish = { name, displaytext: name, cidr, zoneid, vpcofferingid };
  const vpcid = text(field(await call('createVPC', wish), 'vpc'), 'id');
  const networkofferingid = await idOf('listNetworkOfferings', 'networkoffering', 'Dual tier');
  const aclid = await idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
  const ids = [vpcid];
  for (const [tier, gateway] of Object.entries(tiers)) {
    const where = { vpcid, networkofferingid, gateway, netmask: '255.255.255.0', aclid };
    const made = await call('createNetwork', { name: tier, displaytext: tier, zoneid, ...where });
    ids.push(text(field(made, 'network'), 'id'));
  }
  return ids;
}

/** Acquires an address: `{ vpcid }` or `{ networkid }`. */
export async function acquire({ call }: Tenant, where: More): Promise<PublicAddress> {
  const given = field(await call('associateIpAddress', where), 'ipaddress');
  return { id: text(given, 'id'), ip: text(given, 'ipaddress') };
}

/** The address by which a VPC (`{ vpcid }`) or a network (`{ associatednetworkid }`) speaks to the world. */
export async function sourceNatOf({ call }: Tenant, where: More): Promise<PublicAddress> {
  const found = rows(await call('listPublicIpAddresses', { ...where, issourcenat: 'true' }), 'publicipaddress');
  if (found.length !== 1) throw new Error(`${JSON.stringify(where)} has ${found.length} source NAT addresses`);
  return { id: text(found[0], 'id'), ip: text(found[0], 'ipaddress') };
}

/** A list of a VPC, of items such as `{ action: 'allow', protocol: 'tcp', startport: '80', endport: '80' }`, all of them ingress; its id. */
export async function listOf({ call }: Tenant, vpcid: string, name: string, items: readonly More[]): Promise<string> {
  const aclid = text(field(await call('createNetworkACLList', { vpcid, name }), 'networkacllist'), 'id');
  for (const item of items) await call('createNetworkACL', { aclid, traffictype: 'Ingress', ...item });
  return aclid;
}

/** Tells the upstream where the IPv6 prefixes of networks are, as their `ip6routes` say. */
export async function routeSix(world: World, { call }: Tenant, networks: readonly string[]): Promise<void> {
  for (const id of networks)
    for (const route of rows(rows(await call('listNetworks', { id }), 'network')[0] ?? {}, 'ip6routes'))
      await world.route('upstream', text(route, 'subnet'), text(route, 'gateway'));
}

/** The IPv6 address of an instance's first card. */
export async function sixOf({ call }: Tenant, { id }: Guest): Promise<string> {
  return text(rows(await call('listNics', { virtualmachineid: id }), 'nic')[0], 'ip6address');
}

/** 200 pings a second between two instances, and 10 from outside to a public address, while `work` is done. */
export async function under(
  world: World,
  [from, to]: readonly [Guest, Guest],
  { ip }: PublicAddress,
  work: () => Promise<unknown>,
): Promise<{ readonly inside: Outage; readonly outside: Outage }> {
  let inside: Outage | undefined;
  const both = async (): Promise<void> => {
    inside = await world.outage(from, to.address, work, 5);
  };
  const outside = await world.outage('outside', ip, both, 100);
  if (inside === undefined) throw new Error('no ping inside was measured');
  return { inside, outside };
}
