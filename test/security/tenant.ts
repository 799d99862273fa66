// The few things most attacks begin with: a VPC, a tier, a Private network of a tenant. Each returns the id.
import type { Cloud, Params, Who } from '../support/cloud.ts';

/** Id of the first object of this name in a list. */
export async function idOf(
  cloud: Cloud,
  who: Who,
  command: string,
  key: string,
  name: string,
  params: Params = {},
): Promise<string> {
  const rows = ((await cloud.callAs(who, command, params))[key] ?? []) as { id: string; name: string }[];
  const row = rows.find((one) => one.name === name);
  if (row === undefined) throw new Error(`${command} shows no ${key} called ${name}`);
  return row.id;
}

const zoneOf = (cloud: Cloud, who: Who): Promise<string> => idOf(cloud, who, 'listZones', 'zone', 'zone1');

export async function vpc(cloud: Cloud, who: Who, cidr: string): Promise<string> {
  const vpcofferingid = await idOf(cloud, who, 'listVPCOfferings', 'vpcoffering', 'Default VPC offering');
  const params = { name: 'v', displaytext: 'v', cidr, zoneid: await zoneOf(cloud, who), vpcofferingid };
  return String((await cloud.callAs(who, 'createVPC', params))['id']);
}

async function network(cloud: Cloud, who: Who, offering: string, params: Params): Promise<string> {
  const networkofferingid = await idOf(cloud, who, 'listNetworkOfferings', 'networkoffering', offering);
  const base = { name: 'n', displaytext: 'n', zoneid: await zoneOf(cloud, who), networkofferingid };
  const answer = await cloud.callAs(who, 'createNetwork', { ...base, ...params });
  return (answer['network'] as { id: string }).id;
}

/** A tier: `gateway` such as 10.1.1.1, of a /24. */
export function tier(cloud: Cloud, who: Who, vpcid: string, gateway: string, params: Params = {}): Promise<string> {
  const range = { vpcid, gateway, netmask: '255.255.255.0' };
  return network(cloud, who, 'DefaultIsolatedNetworkOfferingForVpcNetworks', { ...range, ...params });
}

export function privateNetwork(cloud: Cloud, who: Who, cidr = '172.16.0.0/24'): Promise<string> {
  return network(cloud, who, 'DefaultPrivateGatewayNetworkOffering', { cidr });
}

/** A Private network on a VLAN chosen by hand. */
export function privateNetworkOn(cloud: Cloud, who: Who, vlan: string, cidr = '172.16.0.0/24'): Promise<string> {
  return network(cloud, who, 'DefaultPrivateGatewayNetworkOfferingSpecifyVlan', { cidr, vlan });
}
