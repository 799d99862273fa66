// A network with IPv6 and a rule of its firewall, for tests that need one of everything.
import { BUILT_IN } from '../../src/model/built-in.ts';
import type { Body, Cloud, Who } from './cloud.ts';

/** A prefix of the zone, a network with IPv6 alone of an offering made for it, and a rule of its firewall; the network's id. */
export async function makeIpv6(cloud: Cloud, who: Who): Promise<string> {
  const zoneid = BUILT_IN.zone;
  await cloud.doAs('admin', 'createGuestNetworkIpv6Prefix', { zoneid, prefix: '2001:db8:200::/56' });
  const { networkoffering } = (await cloud.callAs('admin', 'createNetworkOffering', {
    name: 'IPv6',
    displaytext: 'IPv6',
    traffictype: 'Guest',
    guestiptype: 'Isolated',
    supportedservices: 'Firewall,Gateway',
    internetprotocol: 'ipv6',
    enable: 'true',
  })) as { networkoffering: Body };
  const networkofferingid = String(networkoffering['id']);
  const { network } = (await cloud.callAs(who, 'createNetwork', { name: 'six', zoneid, networkofferingid })) as {
    network: Body;
  };
  const networkid = String(network['id']);
  await cloud.doAs(who, 'createIpv6FirewallRule', { networkid, protocol: 'tcp', startport: '80' });
  return networkid;
}
