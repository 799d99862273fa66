// What a tenant asks for of the public side, each call the answer of the finished job: for lab tests.
import { field, rows, text } from '../../src/demo/answer.ts';
import type { More, Tenant } from '../../src/demo/tenant.ts';
import type { Guest, LabCloud } from './tenant-lab.ts';

/** The lab's public wire: VLAN 100, with the upstream router at .1. */
export const PUBLIC = { vlan: '100', gateway: '203.0.113.1', netmask: '255.255.255.0' };

export interface PublicAddress {
  readonly id: string;
  readonly ip: string;
}

export interface PublicCalls {
  /** An address for a VPC or network: `{ vpcid }` or `{ networkid }`. */
  address(where: More): Promise<PublicAddress>;
  /** The one that a VPC or network translates to. */
  sourceNat(where: More): Promise<PublicAddress>;
  /** The one of a network's router, whether it translates or not. */
  routerAddress(networkid: string): Promise<PublicAddress>;
  release(address: PublicAddress): Promise<void>;
  /** Its answer comes before the network has it, as in CloudStack: wait for it. */
  staticNat(address: PublicAddress, guest: Guest, networkid: string): Promise<void>;
  /** `22`, or `8000-8005`; the same inside unless `inside` says another port. */
  forward(address: PublicAddress, guest: Guest, networkid: string, ports: string, more?: More): Promise<string>;
  firewall(address: PublicAddress, more: More): Promise<string>;
  egress(networkid: string, more: More): Promise<string>;
  /** A list of a VPC, of items such as `ingress allow tcp 22 198.51.100.0/24`; its id. */
  list(vpcid: string, name: string, ...items: readonly string[]): Promise<string>;
  /** Adds an item to a list, at its end; its id. */
  item(aclid: string, words: string): Promise<string>;
}

/** Adds the lab's public addresses `from`-`to` (last bytes), for everybody. */
export async function openPublic({ cloud, tenant }: LabCloud, from: number, to: number): Promise<void> {
  await cloud.as('admin')('createVlanIpRange', {
    zoneid: tenant.zoneid,
    startip: `203.0.113.${from}`,
    endip: `203.0.113.${to}`,
    ...PUBLIC,
  });
}

export function publicCalls({ call }: Pick<Tenant, 'call'>): PublicCalls {
  const addressOf = (row: object | undefined): PublicAddress => ({ id: text(row, 'id'), ip: text(row, 'ipaddress') });
  const make = async (command: string, params: More, key: string): Promise<string> =>
    text(field(await call(command, params), key), 'id');
  const ports = (words: string): More => {
    const [start, end] = words.split('-');
    return { startport: start!, endport: end ?? start! };
  };
  const item: PublicCalls['item'] = (aclid, words) => {
    const [traffictype, action, protocol, ...rest] = words.split(' ') as [string, string, string, ...string[]];
    const cidrlist = rest.find((word) => word.includes('.'));
    const range = rest.find((word) => !word.includes('.'));
    const params = { aclid, traffictype, action, protocol, ...(cidrlist === undefined ? {} : { cidrlist }) };
    return make('createNetworkACL', { ...params, ...(range === undefined ? {} : ports(range)) }, 'networkacl');
  };
  return {
    address: async (where) => addressOf(field(await call('associateIpAddress', where), 'ipaddress')),
    async sourceNat(where) {
      const key = where['vpcid'] === undefined ? { associatednetworkid: where['networkid']! } : where;
      const found = rows(await call('listPublicIpAddresses', { ...key, issourcenat: 'true' }), 'publicipaddress');
      if (found.length !== 1) throw new Error(`${JSON.stringify(where)} has ${found.length} source NAT addresses`);
      return addressOf(found[0]);
    },
    async routerAddress(associatednetworkid) {
      const [found] = rows(await call('listPublicIpAddresses', { associatednetworkid }), 'publicipaddress');
      return addressOf(found);
    },
    release: async ({ id }) => void (await call('disassociateIpAddress', { id })),
    staticNat: async (address, guest, networkid) =>
      void (await call('enableStaticNat', { ipaddressid: address.id, virtualmachineid: guest.id, networkid })),
    async forward(address, guest, networkid, words, { inside, ...more } = {}) {
      const { startport, endport } = ports(words) as { startport: string; endport: string };
      const params = {
        ipaddressid: address.id,
        virtualmachineid: guest.id,
        networkid,
        protocol: 'tcp',
        publicport: startport,
        publicendport: endport,
        privateport: inside ?? startport,
        privateendport: inside ?? endport,
        openfirewall: 'false',
        ...more,
      };
      return make('createPortForwardingRule', params, 'portforwardingrule');
    },
    firewall: (address, more) =>
      make('createFirewallRule', { ipaddressid: address.id, protocol: 'tcp', ...more }, 'firewallrule'),
    egress: (networkid, more) =>
      make('createEgressFirewallRule', { networkid, protocol: 'tcp', ...more }, 'firewallrule'),
    async list(vpcid, name, ...items) {
      const id = await make('createNetworkACLList', { vpcid, name }, 'networkacllist');
      for (const words of items) await item(id, words);
      return id;
    },
    item,
  };
}
