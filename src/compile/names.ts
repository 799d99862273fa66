// Every name the compiler gives: OVN objects, their row ids, their MAC addresses and their marks. Apart from everything so
// that two files can never disagree about what a thing is called, and nothing a tenant typed gets into a name.
import { derivedId } from '../lib/id.ts';
import { routerPortMac } from '../model/ipv6.ts';
import type { DesiredRow, Value } from './desired.ts';

/** What belongs to no tenant: the fabric's own unit, and its id in names. */
export const FABRIC = 'fabric';

export function vpcKey(vpcId: string): string {
  return `vpc:${vpcId}`;
}

export function networkKey(networkId: string): string {
  return `network:${networkId}`;
}

/** The switch of a public wire and a group of gateway chassis: nobody's, made of what all routers there bring. */
export function wireKey(wireId: string): string {
  return `public:${wireId}`;
}

/** Logical router of a VPC or of a routed guest network, by its id. */
export function routerName(id: string): string {
  return `lr-${id}`;
}

/** Logical switch of a network. */
export function switchName(networkId: string): string {
  return `ls-${networkId}`;
}

/** Router port: one per tier, per routed guest network (by the network's id) and per private gateway (by the gateway's). */
export function routerPortName(id: string): string {
  return `lrp-${id}`;
}

/** The switch's side of a router port. */
export function switchSideName(id: string): string {
  return `lsp-${id}`;
}

/**
 * A public switch's side of a router port: on another switch it is another port. One that moves under its name between two switches
 * of the same chassis is lost to ovn-controller 23.03, and all of the router's public side with it, often even after it computed
 * everything anew (measured). When the port's chassis change in the same transaction it is not; nothing says that this is so for ever.
 */
export function publicSideName(id: string, wireId: string): string {
  return `${switchSideName(id)}-${wireId.slice(0, 8)}`;
}

/** The switch's port to the wire, for a network on a VLAN. */
export function localnetName(networkId: string): string {
  return `ln-${networkId}`;
}

/** The port of what the hypervisors serve in a network: on each of them a port of this name. */
export function servicePortName(networkId: string): string {
  return `svc-${networkId}`;
}

/** The group of a network's instance ports. Letters, digits and underscores only, since matches say `@name`. */
export function portGroupName(networkId: string): string {
  return `pg_${networkId.replaceAll('-', '_')}`;
}

/** A router port's turn on a chassis, named as `ovn-nbctl lrp-set-gateway-chassis` names it. */
export function gatewayChassisName(routerPort: string, chassis: string): string {
  return `${routerPort}-${chassis}`;
}

/**
 * The id of a row: always the same for the same table and key, so that compiling twice names the same rows. Keys are names of
 * the kind above, or start with the id of what the row belongs to. Instance ports are the exception: their row has the NIC's id.
 */
export function rowId(table: string, key: string): string {
  return derivedId(`${table}/${key}`);
}

/** The id of a row that is to come before all others of its table: a {@link rowId} that begins with zeros. */
export function lowestRowId(table: string, key: string): string {
  return `00000000${rowId(table, key).slice(8)}`;
}

/** The MAC address of a router's port; it follows from the segment and the address. */
export function routerMac(networkId: string, address: string): string {
  return routerPortMac(networkId, address);
}

/** What a row is for: the id of the resource, and the unit it was compiled from. */
export interface Mark {
  readonly id: string;
  readonly unit: string;
}

/** A row with its mark in `external_ids`; row ids are {@link rowId}s. */
export function row(table: string, uuid: string, mark: Mark, columns: Readonly<Record<string, Value>>): DesiredRow {
  return { table, uuid, columns: { ...columns, external_ids: { id: mark.id, unit: mark.unit } } };
}

/** A row of the one table that has no `external_ids`. */
export function staticMacBinding(routerPort: string, address: string, mac: string): DesiredRow {
  const columns = { logical_port: routerPort, ip: address, mac, override_dynamic_mac: true };
  return { table: 'Static_MAC_Binding', uuid: rowId('Static_MAC_Binding', `${routerPort}/${address}`), columns };
}
