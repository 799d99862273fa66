// A router's port in IPv6: its addresses, and what it tells the machines there. They make their addresses by themselves (SLAAC), from
// what the router says: OVN 23.03's DHCPv6 is never used, it reads beyond what a client sent (CVE-2026-5367).
import { cidr, formatHost, ip } from '../lib/ip.ts';
import { cidr6, formatHost6, ip6 } from '../lib/ip6.ts';
import { mtuOf, type Fabric, type Segment } from '../model/intent.ts';
import type { Network6, Uplink6 } from '../model/ipv6.ts';

interface AddressedLeg {
  readonly address: string;
  readonly network: {
    readonly cidr?: string | undefined;
    readonly segment: Segment;
    readonly six?: Network6;
    readonly uplink6?: Uplink6;
    readonly domainName?: string;
  };
}

/** The port's addresses with their prefix lengths. In a network without IPv4, `address` is the IPv6 one and only names the port's MAC. */
export function networksOf({ address, network: { cidr: range, six, uplink6 } }: AddressedLeg): readonly string[] {
  return [
    ...(range === undefined ? [] : [formatHost(ip(address), cidr(range))]),
    ...(six === undefined ? [] : [formatHost6(ip6(six.gateway), cidr6(six.cidr))]),
    ...(uplink6 === undefined ? [] : [formatHost6(ip6(uplink6.address), cidr6(uplink6.cidr))]),
  ];
}

/**
 * Seconds between advertisements that nobody asked for. A machine asks when its card comes up, and what changes is told at once:
 * these are for those who missed it.
 */
const INTERVAL = { min: 60, max: 180 } as const;

/** ovn-nb(5) Logical_Router_Port.ipv6_ra_configs; nothing on a port without IPv6, or to the outside. */
export function advertisementsOf(
  { network }: AddressedLeg,
  fabric: Fabric,
): Readonly<Record<string, Record<string, string>>> {
  if (network.six === undefined) return {};
  const { domainName = '' } = network;
  return {
    ipv6_ra_configs: {
      address_mode: 'slaac',
      mtu: String(mtuOf(network.segment, fabric.underlayMtu)),
      send_periodic: 'true',
      min_interval: String(INTERVAL.min),
      max_interval: String(INTERVAL.max),
      ...(domainName === '' ? {} : { dnssl: domainName }),
    },
  };
}
