// What tests of IPv6 packets need of a lab: the operator's prefixes and offerings, networks of them, and pings that wait for the first answer.
import { field, rows, text } from '../../src/demo/answer.ts';
import { eventually } from './lab.ts';
import type { Guest, LabCloud } from './tenant-lab.ts';

/** A guest that has IPv6. */
export interface Guest6 extends Guest {
  readonly six: string;
}

/** In documentation's prefix: the upstream's wire is lab/region.json's. */
export const WIRE6 = { cidr: '2001:db8:100::/64', gateway: '2001:db8:100::1' } as const;
export const GUEST_PREFIX = '2001:db8:200::/56';
export const OUTSIDE6 = '2001:db8:51::10';

type More = Readonly<Record<string, string>>;

export interface Ipv6Lab {
  readonly offerings: Readonly<Record<'dualTier' | 'sixTier' | 'dual' | 'six' | 'vpc', string>>;
  vpc(name: string, cidr: string): Promise<string>;
  /** A tier: with a gateway it is dual-stack, without it has IPv6 only. */
  tier(vpcid: string, gateway: string | undefined, list?: string): Promise<string>;
  network(offering: 'dual' | 'six', more?: More): Promise<string>;
  instance(name: string, networkid: string, host: string, more?: More): Promise<Guest6>;
  shown(networkid: string): Promise<object>;
  /** Tells upstream what the network's ip6routes say. */
  routeTo(networkid: string): Promise<void>;
  /** One echo request; the first packet counts. */
  ping6(from: string | { readonly id: string }, to: string, ...options: readonly string[]): Promise<boolean>;
}

/** Prepares a cloud: what an operator does once. */
export async function ipv6Lab(lab: LabCloud): Promise<Ipv6Lab> {
  const admin = lab.cloud.as('admin');
  const { tenant } = lab;
  const { zoneid } = tenant;
  await admin('createVlanIpRange', {
    zoneid,
    vlan: '100',
    startip: '203.0.113.10',
    endip: '203.0.113.50',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
    ip6cidr: WIRE6.cidr,
    ip6gateway: WIRE6.gateway,
  });
  await admin('createGuestNetworkIpv6Prefix', { zoneid, prefix: GUEST_PREFIX });
  const offering = async (name: string, supportedservices: string, more: More): Promise<string> => {
    const common = { name, displaytext: name, traffictype: 'Guest', guestiptype: 'Isolated', enable: 'true' };
    const answer = await admin('createNetworkOffering', { ...common, supportedservices, ...more });
    return text(field(answer, 'networkoffering'), 'id');
  };
  const tierOf = { forvpc: 'true', conservemode: 'false' };
  const vpcAnswer = await admin('createVPCOffering', {
    name: 'Dual VPC',
    displaytext: 'Dual VPC',
    supportedservices: 'Dhcp,Dns,UserData,NetworkACL,SourceNat,StaticNat,PortForwarding,Lb,Gateway',
    internetprotocol: 'dualstack',
    enable: 'true',
  });
  const offerings = {
    vpc: text(field(vpcAnswer, 'vpcoffering'), 'id'),
    dualTier: await offering('Dual tier', 'Dhcp,NetworkACL,SourceNat', { ...tierOf, internetprotocol: 'dualstack' }),
    sixTier: await offering('IPv6 tier', 'NetworkACL,Gateway', { ...tierOf, internetprotocol: 'ipv6' }),
    dual: await offering('Dual isolated', 'Dhcp,Firewall,SourceNat', { internetprotocol: 'dualstack' }),
    six: await offering('IPv6 isolated', 'Firewall,Gateway', { internetprotocol: 'ipv6', egressdefaultpolicy: 'true' }),
  };
  let made = 0;
  const make = async (params: More): Promise<string> => {
    const name = `six${++made}`;
    return text(
      field(await tenant.call('createNetwork', { name, displaytext: name, zoneid, ...params }), 'network'),
      'id',
    );
  };
  const shown = async (id: string): Promise<object> => rows(await tenant.call('listNetworks', { id }), 'network')[0]!;
  return {
    offerings,
    shown,
    async vpc(name, cidr) {
      const answer = await tenant.call('createVPC', {
        name,
        displaytext: name,
        cidr,
        zoneid,
        vpcofferingid: offerings.vpc,
      });
      return text(field(answer, 'vpc'), 'id');
    },
    async tier(vpcid, gateway, list) {
      const aclid: More =
        list === undefined ? {} : { aclid: await tenant.idOf('listNetworkACLLists', 'networkacllist', list) };
      if (gateway === undefined) return make({ vpcid, networkofferingid: offerings.sixTier, ...aclid });
      return make({ vpcid, networkofferingid: offerings.dualTier, gateway, netmask: '255.255.255.0', ...aclid });
    },
    network: (which, more = {}) => make({ networkofferingid: offerings[which], ...more }),
    async instance(name, networkid, host, more = {}) {
      const guest = await tenant.instance(name, networkid, host, more);
      const nics = rows(await tenant.call('listNics', { virtualmachineid: guest.id }), 'nic');
      return { ...guest, six: text(nics[0], 'ip6address') };
    },
    async routeTo(networkid) {
      for (const route of rows(await shown(networkid), 'ip6routes'))
        await lab.wire.route('upstream', text(route, 'subnet'), text(route, 'gateway'));
    },
    async ping6(from, to, ...options) {
      const done = await lab.wire.inNetwork(from, ['ping', '-6', '-n', '-c', '1', '-W', '1', ...options, to]);
      return done.code === 0;
    },
  };
}

/** Waits until something holds: routers outside learn their neighbours by asking. */
export function comes(what: string, holds: () => Promise<boolean>, ms = 10_000): Promise<true> {
  return eventually(what, async () => ((await holds()) ? true : undefined), ms);
}
