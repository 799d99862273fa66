// What many tests begin with: a VPC with a tier, a Private network, a gateway. Made through the API, as a tenant would.
import type { Body, Cloud, Params, Who } from './cloud.ts';

const first = (body: Body, key: string): Body => ((body[key] ?? []) as Body[])[0] ?? {};

/** The id of the one offering, zone or template with this name. */
export async function idOf(cloud: Cloud, who: Who, command: string, key: string, params: Params): Promise<string> {
  const id = first(await cloud.callAs(who, command, params), key)['id'];
  if (typeof id !== 'string') throw new Error(`${command} shows ${who} nothing for ${JSON.stringify(params)}`);
  return id;
}

/** A VPC of the caller; its id. */
export async function makeVpc(cloud: Cloud, who: Who, name: string, cidr: string, more: Params = {}): Promise<string> {
  const zoneid = await idOf(cloud, who, 'listZones', 'zone', {});
  const vpcofferingid = await idOf(cloud, who, 'listVPCOfferings', 'vpcoffering', { name: 'Default VPC offering' });
  const made = await cloud.doAs(who, 'createVPC', { name, displaytext: name, cidr, zoneid, vpcofferingid, ...more });
  return String((made['vpc'] as Body)['id']);
}

/** A tier of a VPC; its id. */
export async function makeTier(
  cloud: Cloud,
  who: Who,
  vpcid: string,
  name: string,
  gateway: string,
  more: Params = {},
): Promise<string> {
  const zoneid = await idOf(cloud, who, 'listZones', 'zone', {});
  const networkofferingid = await idOf(cloud, who, 'listNetworkOfferings', 'networkoffering', {
    name: 'DefaultIsolatedNetworkOfferingForVpcNetworks',
  });
  const made = await cloud.callAs(who, 'createNetwork', {
    name,
    displaytext: name,
    zoneid,
    networkofferingid,
    vpcid,
    gateway,
    netmask: '255.255.255.0',
    ...more,
  });
  await cloud.settle();
  return String((made['network'] as Body)['id']);
}

/** A Private network of the caller; its id. */
export async function makePrivateNetwork(
  cloud: Cloud,
  who: Who,
  name: string,
  cidr: string,
  more: Params = {},
): Promise<string> {
  const zoneid = await idOf(cloud, who, 'listZones', 'zone', {});
  const networkofferingid = await idOf(cloud, who, 'listNetworkOfferings', 'networkoffering', {
    name: 'DefaultPrivateGatewayNetworkOffering',
  });
  const made = await cloud.callAs(who, 'createNetwork', {
    name,
    displaytext: name,
    zoneid,
    networkofferingid,
    cidr,
    ...more,
  });
  await cloud.settle();
  return String((made['network'] as Body)['id']);
}

/** A private gateway of a VPC; its id. */
export async function makeGateway(
  cloud: Cloud,
  who: Who,
  vpcid: string,
  networkid: string,
  ipaddress: string,
  more: Params = {},
): Promise<string> {
  const made = await cloud.doAs(who, 'createPrivateGateway', { vpcid, networkid, ipaddress, ...more });
  return String((made['privategateway'] as Body)['id']);
}

/** Three hypervisors, up and empty: instances need a place. Rows as a join leaves them. */
export async function addHosts(cloud: Cloud): Promise<void> {
  const zone = await idOf(cloud, 'admin', 'listZones', 'zone', {});
  for (const [index, name] of ['h1', 'h2', 'h3'].entries()) {
    await cloud.callAs('admin', 'createJoinToken', { name, zoneid: zone, ipaddress: `192.0.2.${11 + index}` });
  }
  await cloud.store.write(async (tx) => {
    const hosts = await tx.db.selectFrom('host').select('id').execute();
    const lastseen = new Date().toISOString();
    for (const { id } of hosts) await tx.update('host', id, { state: 'Up', serial: '01', secret: null, lastseen });
  });
}

/** An instance on a network; its id. */
export async function makeInstance(cloud: Cloud, who: Who, networkids: string, more: Params = {}): Promise<string> {
  const zoneid = await idOf(cloud, who, 'listZones', 'zone', {});
  const serviceofferingid = await idOf(cloud, who, 'listServiceOfferings', 'serviceoffering', {
    name: 'Small Instance',
  });
  const templateid = await idOf(cloud, who, 'listTemplates', 'template', {
    templatefilter: 'featured',
    name: 'tiny linux kvm',
  });
  const made = await cloud.doAs(who, 'deployVirtualMachine', {
    zoneid,
    serviceofferingid,
    templateid,
    networkids,
    ...more,
  });
  return String((made['virtualmachine'] as Body)['id']);
}
