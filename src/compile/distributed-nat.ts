// Static NAT on the hypervisor of its instance instead of the gateway node: which addresses can have it, and what then leads the router's
// own networks to them. Apart from public-nat.ts because the wire, the router and the switches all ask.
import type { Fabric, GuestNetwork, Nic, Tier } from '../model/intent.ts';
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import { hostsOf } from './kind.ts';
import { row, rowId, routerMac } from './names.ts';
import type { PublicLeg } from './public-leg.ts';

/** An address that meets the wire where its instance is. */
export interface Distributed {
  readonly address: PublicAddress;
  /** The instance's card. */
  readonly nic: Nic;
  /** With which the hypervisor answers for the address, and sends from it. */
  readonly mac: string;
}

/**
 * The addresses of a leg whose static NAT is distributed. Central stay: the router's own address, which
 * the gateway answers for; an instance on a VLAN, whose router port is on one chassis as well; one on a hypervisor that is not on the wire; and
 * one that ports of other addresses lead to, whose answers would leave by its own address instead of the one that was asked (OVN 23.03,
 * measured).
 */
export function distributedOn(
  leg: PublicLeg,
  side: PublicSide,
  networks: readonly (Tier | GuestNetwork)[],
  fabric: Fabric,
): readonly Distributed[] {
  if (fabric.distributedNat !== true || side.mode !== 'NATTED') return [];
  const ledTo = portTargets(side);
  const onWire = new Set(
    fabric.chassis.filter(({ wires }) => wires?.includes(leg.wire.physicalNetwork)).map(({ name }) => name),
  );
  const cards = networks.filter(({ segment }) => segment.kind === 'overlay').flatMap(({ nics }) => nics);
  return leg.addresses.flatMap((address) => {
    const { staticNat, staticNatNic } = address;
    if (staticNat === undefined || address.ip === leg.own || ledTo.has(staticNat)) return [];
    const nic = cards.find(({ id }) => id === staticNatNic);
    if (nic === undefined || !hostsOf([nic]).every((host) => onWire.has(host))) return [];
    return [{ address, nic, mac: routerMac(leg.wire.segmentId, address.ip) }];
  });
}

/** Addresses inside that single ports of public addresses lead to. */
function portTargets({ addresses }: PublicSide): ReadonlySet<string> {
  return new Set(
    addresses.flatMap(({ forwards, balancers }) => [
      ...forwards.map(({ ip }) => ip),
      ...balancers.flatMap(({ members }) => members.map(({ ip }) => ip)),
    ]),
  );
}

/**
 * Leads the router's own networks to these addresses, at their switches. Rule: they never meet the wire. A packet that went out by the gateway would
 * come back by the wire at another chassis with an address of the router's own, which nobody outside has (public-filter.ts).
 */
export function turnedRound(unit: string, distributed: readonly Distributed[]): readonly DesiredRow[] {
  return distributed.map(({ address: { id, ip, staticNat } }) => {
    const name = `static-${id}`;
    const columns = { name, vips: { [ip]: staticNat! } };
    return row('Load_Balancer', rowId('Load_Balancer', name), { id, unit }, columns);
  });
}
