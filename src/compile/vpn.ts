// Virtual private networks as OVN sees them: UDP ports of public addresses that lead to the gateway helper, which ends the tunnels, and
// routes to it for all that is behind them. Apart from balancers, since what comes out of a tunnel keeps its address.
import { cidr, formatCidr, overlaps, sameCidr, type Cidr } from '../lib/ip.ts';
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import { IKE_PORTS, type VpnSide } from '../model/vpn.ts';
import type { DesiredRow } from './desired.ts';
import type { Rules } from './filter.ts';
import { HELPER_ADDRESS, HELPER_SPARES, helperId, type HelperTraffic } from './helper-leg.ts';
import { and, within } from './match.ts';
import { routerPortName, row, rowId } from './names.ts';
import type { PublicLeg, PublicOwner } from './public-leg.ts';
import { legRowId } from './public-nat.ts';

const HELPER_SLOTS: readonly string[] = [HELPER_ADDRESS, ...HELPER_SPARES];

/** A public address that VPNs end at. */
export interface VpnPlace {
  readonly publicIp: string;
  /** The helper's address that is translated to it, and it alone. */
  readonly address: string;
  /** UDP. */
  readonly ports: readonly number[];
}

/**
 * The addresses of a router that VPNs end at; each has one of the helper's for itself, so that what the helper begins leaves with the
 * same. The source NAT address has the helper's first one: what sends without being told from where takes that. The others have the
 * one that is kept for them: by order, a new VPN would move those that are there, and cut off their clients.
 */
export function vpnPlaces({ publicSide, vpn }: Pick<PublicOwner, 'publicSide' | 'vpn'>): readonly VpnPlace[] {
  if (publicSide === undefined || vpn === undefined) return [];
  const ports = portsOf(vpn);
  const own = publicSide.addresses.filter(({ ip, staticNat }) => ports.has(ip) && staticNat === undefined);
  const slotOf = ({ sourceNat, helperSlot = HELPER_SLOTS.length }: PublicAddress): number =>
    sourceNat ? 0 : helperSlot;
  return own
    .toSorted((a, b) => slotOf(a) - slotOf(b))
    .flatMap((address) => {
      const slot = HELPER_SLOTS[slotOf(address)];
      if (slot === undefined) return [];
      return [{ publicIp: address.ip, address: slot, ports: [...ports.get(address.ip)!].toSorted((a, b) => a - b) }];
    });
}

function portsOf({ access, sites }: VpnSide): ReadonlyMap<string, ReadonlySet<number>> {
  const ports = new Map<string, Set<number>>();
  const add = (ip: string, ...more: readonly number[]): void => {
    ports.set(ip, new Set([...(ports.get(ip) ?? []), ...more]));
  };
  for (const { kind, publicIp, port } of access) add(publicIp, ...(kind === 'ikev2' ? IKE_PORTS : [port]));
  for (const { local, wireguard } of sites) add(local, ...(wireguard === undefined ? IKE_PORTS : [wireguard.port]));
  return ports;
}

/** The public side with the ports of VPNs: they are judged and led inside like forwards. */
export function withVpnPorts(owner: Pick<PublicOwner, 'publicSide' | 'vpn'>): PublicSide | undefined {
  const { publicSide } = owner;
  const places = new Map(vpnPlaces(owner).map((place) => [place.publicIp, place]));
  if (publicSide === undefined || places.size === 0) return publicSide;
  const addresses = publicSide.addresses.map((address): PublicAddress => {
    const place = places.get(address.ip);
    if (place === undefined) return address;
    const forwards = place.ports.map((port) => ({
      id: `${address.id}/vpn/${port}`,
      protocol: 'udp' as const,
      publicPort: port,
      publicEndPort: port,
      privatePort: port,
      ip: place.address,
      nicId: '',
      networkId: '',
      cidrs: [],
    }));
    return { ...address, forwards: [...address.forwards, ...forwards] };
  });
  return { ...publicSide, addresses };
}

/** All that is behind tunnels: addresses of clients, networks behind them, and those of other sites. In ascending order, none twice. */
export function vpnPrefixes(vpn: VpnSide | undefined): readonly Cidr[] {
  if (vpn === undefined) return [];
  const all = [
    ...vpn.access.flatMap(({ range, clients }) => [range, ...clients.flatMap(({ cidrs }) => cidrs)]),
    ...vpn.sites.flatMap(({ cidrs }) => cidrs),
  ].map(cidr);
  // A site that says it is everywhere is nowhere: the default route is not a VPN's.
  return all
    .filter((prefix, i) => prefix.length > 0 && i === all.findIndex((other) => sameCidr(other, prefix)))
    .toSorted((a, b) => a.base - b.base || a.length - b.length);
}

/** Those that a route may lead to: none that the router is on itself, or has a route of the tenant's to. */
export function vpnRoutes(vpn: VpnSide | undefined, taken: readonly Cidr[], on: readonly Cidr[]): readonly Cidr[] {
  return vpnPrefixes(vpn).filter(
    (prefix) => !taken.some((other) => sameCidr(other, prefix)) && !on.some((network) => overlaps(network, prefix)),
  );
}

/** Static routes to the helper. */
export function vpnRouteRows(unit: string, routerId: string, prefixes: readonly Cidr[]): readonly DesiredRow[] {
  return prefixes.map((prefix) => {
    const text = formatCidr(prefix);
    const columns = {
      ip_prefix: text,
      nexthop: HELPER_ADDRESS,
      output_port: [routerPortName(helperId(routerId))],
    };
    const uuid = rowId('Logical_Router_Static_Route', `${routerId}/vpn/${text}`);
    return row('Logical_Router_Static_Route', uuid, { id: routerId, unit }, columns);
  });
}

/**
 * What the helper begins leaves by the address its VPN is at. No range of ports here: IKE and WireGuard are known by their own, which
 * they keep unless an instance speaks to the same peer by the same one.
 */
export function vpnNat(
  unit: string,
  routerId: string,
  places: readonly VpnPlace[],
  legs: readonly PublicLeg[],
): readonly DesiredRow[] {
  return places.flatMap(({ publicIp, address }) => {
    const leg = legs.find(({ addresses }) => addresses.some(({ ip }) => ip === publicIp));
    if (leg === undefined) return [];
    const columns = { type: 'snat', external_ip: publicIp, logical_ip: address, gateway_port: [legRowId(leg)] };
    return [row('NAT', rowId('NAT', `${routerId}/vpn/${address}`), { id: routerId, unit }, columns)];
  });
}

/** What lists before the helper say: of what goes into tunnels, and of what comes out of them. */
export interface TunnelLists {
  readonly into: Rules;
  readonly outOf: Rules;
}

const FREE: Rules = [{ id: 'rest', match: '', allow: true }];

/**
 * What the helper takes and sends because of VPNs. Who comes by a private gateway to what is behind a tunnel is judged by that gateway's
 * list, as if tunnels led to a tier; replies pass.
 */
export function vpnTraffic(
  vpn: VpnSide | undefined,
  places: readonly VpnPlace[],
  prefixes: readonly Cidr[],
  lists: TunnelLists = { into: FREE, outOf: FREE },
): HelperTraffic {
  const udp = (field: 'src' | 'dst'): readonly string[] =>
    places.flatMap(({ address, ports }) =>
      ports.map((port) => `ip4.${field} == ${address} && udp.${field} == ${port}`),
    );
  const peers = (vpn?.sites ?? []).flatMap(({ peer, local, ipsec, wireguard }) => {
    const address = places.find(({ publicIp }) => publicIp === local)?.address;
    if (address === undefined) return [];
    const to = ipsec === undefined ? [wireguard!.peerPort] : IKE_PORTS;
    return to.map((port) => `ip4.src == ${address} && ip4.dst == ${peer} && udp.dst == ${port}`);
  });
  const behind = (field: 'ip4.src' | 'ip4.dst', rules: Rules): readonly Rules[] =>
    prefixes.length === 0
      ? []
      : [
          rules.map(({ id, match, allow }) => ({
            id: `behind/${id}`,
            match: and(within(field, prefixes), match),
            allow,
          })),
        ];
  return {
    accepts: [...udp('dst').map((match) => [{ id: match, match, allow: true }]), ...behind('ip4.dst', lists.into)],
    reaches: [...new Set([...udp('src'), ...peers])],
    sends: behind('ip4.src', lists.outOf),
    addresses: places.map(({ address }) => address),
    prefixes,
  };
}
