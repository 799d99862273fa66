// Which families the networks of an offering have, and what goes with it: who can route IPv6, where, and that what translates IPv4 is of
// no use without IPv4. The same for network and VPC offerings.
import { refuse } from '../../api/error.ts';
import { INTERNET_PROTOCOLS, type InternetProtocol } from '../../model/ipv6.ts';
import { type NetworkService, type OfferedService, routedBy } from '../../model/network-service.ts';

/** Reads the parameter; IPv4 where it is left out. */
export function readInternetProtocol(text: string | undefined): InternetProtocol {
  if (text === undefined) return 'ipv4';
  const found = INTERNET_PROTOCOLS.find((name) => name === text.toLowerCase());
  if (found !== undefined) return found;
  throw refuse('parameter', `Invalid internetprotocol ${text}. Supported are: ${INTERNET_PROTOCOLS.join(', ')}`);
}

/** What is told, given or translated in IPv4. */
const IN_IPV4: readonly NetworkService[] = [
  'Dhcp',
  'Dns',
  'UserData',
  'PortForwarding',
  'Lb',
  'SourceNat',
  'StaticNat',
  'Vpn',
];

/** Refuses a network offering that cannot have what it asks for. */
export function checkInternetProtocol(
  protocol: InternetProtocol,
  guesttype: string,
  services: readonly OfferedService[],
  segment: string,
): void {
  if (protocol === 'ipv4') return;
  if (guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `internetprotocol ${protocol} is supported only for network offerings of type Isolated: in one of type ${guesttype} nobody of ours routes. Leave internetprotocol out`,
    );
  }
  const by = routedBy(services);
  if (by === 'None') {
    throw refuse(
      'parameter',
      `internetprotocol ${protocol} needs somebody who routes IPv6: add the service Gateway, with Firewall, or NetworkACL for tiers of VPCs`,
    );
  }
  if (by === 'LinuxRouter') {
    if (protocol === 'dualstack') return;
    throw refuse(
      'parameter',
      `internetprotocol ${protocol} is not supported by the provider LinuxRouter: its nodes find each other, and decide who routes, by IPv4 addresses of the network (VRRP). Use dualstack, or name VirtualRouter or Ovn`,
    );
  }
  // OVN 23.03 answers a router solicitation at every hypervisor that sees it, and on a VLAN all do (measured: two hypervisors, two answers).
  // The switches then look for the router's MAC in the wrong place, as with ARP (gateway-chassis.ts of the compiler).
  if (segment === 'vlan') {
    throw refuse(
      'parameter',
      `internetprotocol ${protocol} goes with segment=overlay only where OVN routes: on a VLAN all hypervisors would answer machines that ask for their IPv6 router, and switches lose the way to it. Leave specifyvlan and segment=vlan out, or name the provider LinuxRouter`,
    );
  }
  if (protocol === 'ipv6') refuseInIpv4(services);
}

function refuseInIpv4(services: readonly OfferedService[]): void {
  const useless = services.filter(({ name }) => IN_IPV4.some((service) => service === name)).map(({ name }) => name);
  if (useless.length === 0) return;
  throw refuse(
    'parameter',
    `${useless.join(', ')} cannot be offered with internetprotocol ipv6: it is about IPv4 addresses, and there are none. Leave it out, or use dualstack`,
  );
}
