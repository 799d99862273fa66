// The switches where routers meet the world: one for each wire and group of gateway chassis. They belong to no tenant, and follow from
// all routers together: each owner's part is remembered, so that a change costs what changed.
import type { Fabric, Intent } from '../model/intent.ts';
import type { DesiredRow, DesiredUnit } from './desired.ts';
import { distributedOn } from './distributed-nat.ts';
import { hostsOf, type Part } from './kind.ts';
import {
  localnetName,
  networkKey,
  publicSideName,
  row,
  rowId,
  routerPortName,
  switchName,
  vpcKey,
  wireKey,
} from './names.ts';
import { publicFilter } from './public-filter.ts';
import { uplinkFilter } from './public-filter6.ts';
import { publicPlaceOf, type PublicLeg, type PublicOwner, type PublicWire } from './public-leg.ts';

/** What one router brings to one wire. */
interface Share {
  readonly wire: PublicWire;
  readonly ports: readonly DesiredRow[];
  readonly acls: readonly DesiredRow[];
  /** Hypervisors that meet the wire for an instance of theirs. */
  readonly chassis: readonly string[];
}

/** The parts of all public wires of an intent. */
export function publicWires(): (intent: Intent) => readonly Part[] {
  const known = new WeakMap<PublicOwner, { readonly fabric: Fabric; readonly shares: readonly Share[] }>();
  const sharesOf = (owner: PublicOwner, fabric: Fabric): readonly Share[] => {
    const memo = known.get(owner);
    if (memo?.fabric === fabric) return memo.shares;
    const shares = sharesIn(owner, fabric);
    known.set(owner, { fabric, shares });
    return shares;
  };
  return ({ vpcs, networks, fabric }) => {
    const owners = [...vpcs.values(), ...[...networks.values()].filter((network) => network.kind === 'guest')];
    const wires = Map.groupBy(
      owners.filter(({ publicSide }) => publicSide !== undefined).flatMap((owner) => sharesOf(owner, fabric)),
      ({ wire }) => wire.id,
    );
    return [...wires.values()].toSorted((a, b) => (a[0]!.wire.id < b[0]!.wire.id ? -1 : 1)).map(partOf);
  };
}

function sharesIn(owner: PublicOwner, fabric: Fabric): readonly Share[] {
  const { legs, uplink } = publicPlaceOf(owner.id, owner.publicSide, fabric);
  const networks = 'tiers' in owner ? owner.tiers : [owner];
  const shares = legs.map((leg) => {
    const unit = wireKey(leg.wire.id);
    return {
      wire: leg.wire,
      chassis: hostsOf(distributedOn(leg, owner.publicSide!, networks, fabric).map(({ nic }) => nic)),
      ports: [switchSide(unit, owner, leg)],
      acls: [
        ...publicFilter(unit, owner, leg, legs),
        ...(uplink?.id === leg.id ? uplinkFilter(unit, owner, uplink, false) : []),
      ],
    };
  });
  if (uplink === undefined || legs.some(({ id }) => id === uplink.id)) return shares;
  const unit = wireKey(uplink.wire.id);
  const acls = uplinkFilter(unit, owner, uplink, true);
  return [...shares, { wire: uplink.wire, ports: [switchSide(unit, owner, uplink)], acls, chassis: [] }];
}

function partOf(shares: readonly Share[]): Part {
  const { wire } = shares[0]!;
  const key = wireKey(wire.id);
  const ports = [localnet(key, wire), ...shares.flatMap((share) => share.ports)];
  const acls = shares.flatMap((share) => share.acls);
  const name = switchName(wire.id);
  const columns = { name, ports: ports.map(({ uuid }) => uuid), acls: acls.map(({ uuid }) => uuid) };
  const own = row('Logical_Switch', rowId('Logical_Switch', name), { id: wire.id, unit: key }, columns);
  const chassis = [...wire.chassis, ...shares.flatMap((share) => share.chassis)];
  return { key, rows: [own, ...ports, ...acls], findings: [], chassis, shares: [] };
}

/** Keys of the units whose routers meet on a public wire; none for units of other kinds. What becomes of the wire concerns them. */
export function ownersOn({ key, rows }: DesiredUnit): readonly string[] {
  if (!key.startsWith(wireKey(''))) return [];
  return rows
    .filter(({ columns }) => columns['type'] === 'router')
    .flatMap(({ columns }) => {
      const { id } = columns['external_ids'] as { readonly id: string };
      return [vpcKey(id), networkKey(id)];
    });
}

function switchSide(unit: string, owner: PublicOwner, leg: Pick<PublicLeg, 'id' | 'wire'>): DesiredRow {
  const name = publicSideName(leg.id, leg.wire.id);
  return row(
    'Logical_Switch_Port',
    rowId('Logical_Switch_Port', name),
    { id: owner.id, unit },
    {
      name,
      type: 'router',
      addresses: ['router'],
      // ovn-nb(5) nat-addresses: what the router translates is announced by the chassis that takes it over, or nobody learns of it.
      options: { 'router-port': routerPortName(leg.id), 'nat-addresses': 'router' },
    },
  );
}

function localnet(unit: string, { id, physicalNetwork, vlan }: PublicWire): DesiredRow {
  const name = localnetName(id);
  return row(
    'Logical_Switch_Port',
    rowId('Logical_Switch_Port', name),
    { id, unit },
    {
      name,
      type: 'localnet',
      addresses: ['unknown'],
      ...(vlan === undefined ? {} : { tag: [vlan] }),
      options: { network_name: physicalNetwork },
    },
  );
}
