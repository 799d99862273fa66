// What DHCP tells the instances of a network. OVN answers on the instance's own hypervisor, so no server is needed.
import { cidr, formatCidr } from '../lib/ip.ts';
import { DHCP_OPTIONS, type DhcpOptions } from '../model/dhcp-option.ts';
import { mtuOf, type Fabric, type GuestNetwork, type NetworkRoute, type Nic, type Tier } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { routerMac, row, rowId } from './names.ts';
import { METADATA } from './service-port.ts';

/** Never ends: an address belongs to its instance as long as there is one, and no renewal waits for anybody. */
const LEASE_SECONDS = 0xffff_ffff;

/**
 * Who answers where OVN does not route: link local, so that it is never a machine's. The gateway is somebody's machine there,
 * and what it answers is not ours to say. Clients that renew fall back to broadcast.
 */
const NOBODY = '169.254.0.1';

export interface Dhcp {
  readonly rows: readonly DesiredRow[];
  /** Row id for a NIC; undefined when the network has no DHCP. */
  optionsOf(nic: Pick<Nic, 'id' | 'isDefault' | 'dhcpOptions'>): string | undefined;
}

export const NO_DHCP: Dhcp = { rows: [], optionsOf: () => undefined };

/**
 * Two sets of options: an instance's first NIC gets router, resolvers and domain; its others only an address, or it would
 * have two default routes (Cosmic does the same). Networks behind members are told to both. The MTU is what fits through the
 * segment: without it, large packets over an overlay would be dropped in silence.
 */
export function dhcpOf(unit: string, network: Tier | GuestNetwork, fabric: Fabric): Dhcp {
  if (!network.dhcp || network.cidr === undefined) return NO_DHCP;
  const byOvn = network.kind === 'tier' || network.routed;
  const server = network.service?.ip ?? (byOvn ? network.gateway : undefined) ?? NOBODY;
  const routes = network.kind === 'tier' ? [] : network.routes;
  const common = {
    server_id: server,
    server_mac: routerMac(network.id, server),
    lease_time: String(LEASE_SECONDS),
    mtu: String(mtuOf(network.segment, fabric.underlayMtu)),
  };
  const forDefault = {
    ...common,
    ...(network.gateway === undefined ? {} : { router: network.gateway }),
    ...classless([...metadataRoute(network), ...routes], network.gateway),
    ...(network.dns.length === 0 ? {} : { dns_server: setOf(network.dns) }),
    ...(network.domainName === '' ? {} : { domain_name: quoted(network.domainName) }),
    ...own(network.dhcpOptions ?? {}, common.mtu),
  };
  const forFurther = { ...common, ...classless(routes, undefined) };
  const first = rowId('DHCP_Options', `${network.id}/default`);
  const further = rowId('DHCP_Options', `${network.id}/further`);
  const mark = { id: network.id, unit };
  const prefix = formatCidr(cidr(network.cidr));
  return {
    rows: [
      row('DHCP_Options', first, mark, { cidr: prefix, options: forDefault }),
      row('DHCP_Options', further, mark, { cidr: prefix, options: forFurther }),
      ...network.nics.flatMap((nic) => {
        if (nic.dhcpOptions === undefined) return [];
        const options = { ...(nic.isDefault ? forDefault : forFurther), ...own(nic.dhcpOptions, common.mtu) };
        return [row('DHCP_Options', ownId(nic), { id: nic.id, unit }, { cidr: prefix, options })];
      }),
    ],
    optionsOf: (nic) => (nic.dhcpOptions === undefined ? (nic.isDefault ? first : further) : ownId(nic)),
  };
}

/** Where metadata is looked for by who does not look at DHCP's server: link local, so it must be said how to get there. */
function metadataRoute({ service }: Tier | GuestNetwork): readonly Pick<NetworkRoute, 'cidr' | 'via'>[] {
  return service?.userData === true ? [{ cidr: `${METADATA}/32`, via: service.ip }] : [];
}

/**
 * Option 121. A client that gets it takes no notice of the router option, so the default route stands in it, too (RFC 3442).
 */
function classless(
  routes: readonly Pick<NetworkRoute, 'cidr' | 'via'>[],
  gateway: string | undefined,
): { readonly classless_static_route?: string } {
  if (routes.length === 0) return {};
  const entries = routes
    .map((route) => ({ prefix: cidr(route.cidr), via: route.via }))
    .toSorted((a, b) => a.prefix.base - b.prefix.base || a.prefix.length - b.prefix.length)
    .map(({ prefix, via }) => `${formatCidr(prefix)},${via}`);
  const all = gateway === undefined ? entries : [...entries, `0.0.0.0/0,${gateway}`];
  return { classless_static_route: `{${all.join(', ')}}` };
}

function ownId({ id }: Pick<Nic, 'id'>): string {
  return rowId('DHCP_Options', `${id}/own`);
}

/** Options of a network or of a card in OVN's words. A card is never told to send more than fits. */
function own(options: DhcpOptions, mtu: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([code, value]) => {
      const option = DHCP_OPTIONS[code];
      if (option === undefined) return [];
      if (option.kind === 'addresses') return [[option.ovn, setOf(value.split(','))]];
      if (option.kind === 'mtu') return [[option.ovn, String(Math.min(Number(value), Number(mtu)))]];
      return [[option.ovn, quoted(value)]];
    }),
  );
}

function setOf(addresses: readonly string[]): string {
  return addresses.length === 1 ? addresses[0]! : `{${addresses.join(', ')}}`;
}

/** A text option as OVN wants it: a string of its expression language, whose escapes are JSON's (ovn-sb(5) Logical_Flow.match). */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
