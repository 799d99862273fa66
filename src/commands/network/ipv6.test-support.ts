// What tests of IPv6 at the API begin with: a cloud with a prefix, and offerings of each kind.
import { addHosts } from '../../../test/support/story.ts';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type NetworkCloud, openCloud } from './network.test-support.ts';

export const PREFIX = '2001:db8:200::/62';
export const ISOLATED = { traffictype: 'Guest', guestiptype: 'Isolated', enable: 'true' };
const TIER = { ...ISOLATED, forvpc: 'true', conservemode: 'false' };

export interface SixCloud extends NetworkCloud {
  readonly made: Readonly<Record<'dual' | 'six' | 'dualTier' | 'vpc', string>>;
  network(offering: 'dual' | 'six', more?: Params): Promise<Body>;
  /** The id of a new offering by router nodes, for networks with both families. */
  byNodes(name: string, redundant?: boolean): Promise<string>;
}

/** A cloud whose zone has room for four networks with IPv6, and offerings of each kind. */
export async function openSix(): Promise<SixCloud> {
  const cloud = await openCloud();
  await addHosts(cloud);
  await cloud.doAs('admin', 'createGuestNetworkIpv6Prefix', { zoneid: BUILT_IN.zone, prefix: PREFIX });
  const offering = async (name: string, more: Params): Promise<string> => {
    const answer = await cloud.callAs('admin', 'createNetworkOffering', { name, displaytext: name, ...more });
    return String((answer['networkoffering'] as Body)['id']);
  };
  const vpc = await cloud.callAs('admin', 'createVPCOffering', {
    name: 'dual vpc',
    displaytext: 'dual vpc',
    supportedservices: 'Dhcp,NetworkACL,SourceNat,Gateway',
    internetprotocol: 'DualStack',
    enable: 'true',
  });
  await cloud.settle();
  const services = { internetprotocol: 'dualstack', supportedservices: 'Dhcp,Firewall,Gateway' };
  const made = {
    dual: await offering('dual', { ...ISOLATED, ...services }),
    six: await offering('six', { ...ISOLATED, internetprotocol: 'ipv6', supportedservices: 'Firewall,Gateway' }),
    dualTier: await offering('dual tier', {
      ...TIER,
      internetprotocol: 'dualstack',
      supportedservices: 'Dhcp,NetworkACL',
    }),
    vpc: String(vpc['id']),
  };
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    made,
    byNodes(name, redundant = false) {
      const services = ['Dhcp', 'Dns', 'Firewall', 'Gateway', 'SourceNat'];
      const capability = { service: 'SourceNat', capabilitytype: 'RedundantRouter', capabilityvalue: 'true' };
      return offering(name, {
        ...ISOLATED,
        internetprotocol: 'dualstack',
        supportedservices: services.join(),
        serviceproviderlist: services.map((service) => ({ service, provider: 'LinuxRouter' })),
        ...(redundant ? { servicecapabilitylist: [capability] } : {}),
      });
    },
    async network(which, more = {}) {
      const four = which === 'dual' ? { cidr: '10.9.0.0/24' } : {};
      const params = { name: which, zoneid: BUILT_IN.zone, networkofferingid: made[which], ...four, ...more };
      return (await cloud.callAs('acme-admin', 'createNetwork', params))['network'] as Body;
    },
  };
}
