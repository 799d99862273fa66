// What is translated at a router's public ports. Rule: every row names its port. Without, OVN chooses one itself, and what goes to a
// private gateway could be translated, too; so tiers and Private networks always see real addresses.
import { cidr, covers, formatCidr } from '../lib/ip.ts';
import type { GuestNetwork, Tier } from '../model/intent.ts';
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import type { Distributed } from './distributed-nat.ts';
import { HELPER_ADDRESS } from './helper-leg.ts';
import { lowestRowId, routerPortName, row, rowId } from './names.ts';
import type { PublicLeg, PublicPlace } from './public-leg.ts';
import { translationPorts } from './served-filter.ts';

/** Row id of a leg's router port. OVN 23.03 binds load balancers to the gateway port whose row comes first, and to no other. */
export function legRowId(leg: PublicLeg): string {
  const name = routerPortName(leg.id);
  return leg.main ? lowestRowId('Logical_Router_Port', name) : rowId('Logical_Router_Port', name);
}

/**
 * Rows for the router: source NAT of its networks, and addresses that are an instance's alone. On other wires than that of the source NAT
 * address, the first address there translates what goes to that wire itself.
 */
export function natRows(
  unit: string,
  routerId: string,
  side: PublicSide,
  networks: readonly (Tier | GuestNetwork)[],
  place: PublicPlace,
  distributed: readonly Distributed[],
): readonly DesiredRow[] {
  const atInstance = new Map(distributed.map((one) => [one.address, one]));
  if (side.mode === 'ROUTED') return place.legs.flatMap((leg) => ownAddresses(unit, leg, networks));
  return place.legs.flatMap((leg) => [
    ...leg.addresses
      .filter((address) => translates(leg, address))
      .flatMap((address) => {
        const ports = portsLeft(address, side.firewall);
        return networks.flatMap((network) => sourceNat(unit, routerId, leg, address, network, ports));
      }),
    ...leg.addresses.flatMap((address) =>
      address.staticNat === undefined ? [] : [staticNat(unit, leg, address, atInstance.get(address))],
    ),
    ...(leg.main && !leg.addresses[0]!.sourceNat ? [ownAddress(unit, leg)] : []),
  ]);
}

/** Whether networks speak to the world, or to this wire, by the address. */
export function translates({ main, addresses }: PublicLeg, address: PublicAddress): boolean {
  return address.sourceNat || (!main && address === addresses[0]);
}

/** Nobody's (RFC 6890, 192.0.0.0/24), and none of the gateway helper's. */
const NOBODY = '192.0.0.25';

/**
 * Where a router has no source NAT address, its own is one that leads inside. Rule: it must be a source NAT address nevertheless,
 * of nobody: OVN drops what is sent to its router's own addresses before it translates, but not to those (measured, 23.03).
 */
function ownAddress(unit: string, leg: PublicLeg): DesiredRow {
  const columns = { type: 'snat', external_ip: leg.own, logical_ip: NOBODY, gateway_port: [legRowId(leg)] };
  return row('NAT', rowId('NAT', `${leg.id}/own`), { id: leg.addresses[0]!.id, unit }, columns);
}

function sourceNat(
  unit: string,
  routerId: string,
  leg: PublicLeg,
  address: PublicAddress,
  network: Tier | GuestNetwork,
  ports: ReturnType<typeof portsLeft>,
): readonly DesiredRow[] {
  if (network.cidr === undefined || (network.kind === 'tier' && network.untranslated === true)) return [];
  return [
    row(
      'NAT',
      rowId('NAT', leg.main ? `${routerId}/${network.id}` : `${leg.id}/${network.id}`),
      { id: address.id, unit },
      {
        type: 'snat',
        external_ip: address.ip,
        logical_ip: formatCidr(cidr(network.cidr)),
        gateway_port: [legRowId(leg)],
        ...ports,
      },
    ),
  ];
}

/** Addresses of a leg that are an instance's alone. */
export const staticAddresses = ({ addresses }: PublicLeg): readonly string[] =>
  addresses.filter(({ staticNat: inside }) => inside !== undefined).map(({ ip }) => ip);

/** ovn-nb(5) NAT.type: an address that is only its instance's, in both directions; with port and MAC it is translated where the port is. */
function staticNat(
  unit: string,
  leg: PublicLeg,
  { id, ip, staticNat: inside }: PublicAddress,
  distributed: Distributed | undefined,
): DesiredRow {
  const columns = {
    type: 'dnat_and_snat',
    external_ip: ip,
    logical_ip: inside!,
    gateway_port: [legRowId(leg)],
    ...(distributed === undefined ? {} : { logical_port: [distributed.nic.id], external_mac: [distributed.mac] }),
  };
  return row('NAT', rowId('NAT', id), { id, unit }, columns);
}

/**
 * A routed network whose range lies in the wire's: its addresses are translated to themselves, which makes the router answer for them
 * there and announce them. Elsewhere the world has a route to the leg, and nothing is needed.
 */
function ownAddresses(unit: string, leg: PublicLeg, networks: readonly (Tier | GuestNetwork)[]): readonly DesiredRow[] {
  return networks
    .filter((network) => network.cidr !== undefined && covers(leg.prefix, cidr(network.cidr)))
    .flatMap(({ nics }) => nics.flatMap((nic) => [nic.ip, ...nic.secondary].map((ip) => ({ id: nic.id, ip }))))
    .flatMap(({ id, ip }) => {
      if (ip === undefined || ip.includes(':')) return [];
      const columns = { type: 'dnat_and_snat', external_ip: ip, logical_ip: ip, gateway_port: [legRowId(leg)] };
      return [row('NAT', rowId('NAT', `${id}/${ip}`), { id, unit }, columns)];
    });
}

/**
 * The gateway helper begins nothing with the world, and is let: but what it answers on connections of a balancer that is not its any more
 * is translated back only where a row is about it (measured, 23.03; answers of tiers are, by the rows above).
 */
export function helperNat(
  unit: string,
  routerId: string,
  side: PublicSide,
  { legs }: PublicPlace,
): readonly DesiredRow[] {
  return legs
    .filter(({ main }) => main && side.mode === 'NATTED')
    .map((leg) => {
      const columns = {
        type: 'snat',
        external_ip: leg.own,
        logical_ip: HELPER_ADDRESS,
        gateway_port: [legRowId(leg)],
      };
      return row('NAT', rowId('NAT', `${routerId}/helper`), { id: routerId, unit }, columns);
    });
}

/** See served-filter.ts. */
function portsLeft(address: PublicAddress, firewall: boolean): { readonly external_port_range?: string } {
  const range = translationPorts(address, firewall);
  return range === undefined ? {} : { external_port_range: `${range.start}-${range.end}` };
}
