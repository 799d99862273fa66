// How routers look in answers, whether they are machines (linux-router.ts) or not (ovn-router.ts).
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { derivedId, macOf } from '../../lib/id.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import { ownerFields } from '../join.ts';
import type { Room } from '../room.ts';

export const nicView = z.object({
  id: field.string('id of the interface'),
  networkid: field.string('the network it is in'),
  networkname: field.string('name of that network'),
  ipaddress: field.string('its address'),
  netmask: field.string('its netmask'),
  gateway: field.string('gateway of the network'),
  macaddress: field.string('its MAC address'),
  traffictype: field.string('Guest or Public'),
  type: field.string('type of the network'),
  isdefault: field.boolean('whether the default route leaves here'),
});

export const routerView = z.object({
  id: field.string('id of the router'),
  name: field.string('its name'),
  state: field.string('Running; Stopped where it was stopped on its host, or where that host is not Up'),
  role: field.string('VIRTUAL_ROUTER'),
  redundantstate: field.string(
    'MASTER (PRIMARY where router.redundantstate.dialect says so), BACKUP, FAULT, or UNKNOWN while it does not run, or its node has not said',
  ),
  isredundantrouter: field.boolean('whether there are two of them'),
  requiresupgrade: field.boolean('false: there is no machine to upgrade'),
  version: field.string('what it is'),
  vpcid: field.string('its VPC'),
  vpcname: field.string('name of its VPC'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  hostid: field.string('the router node it is on; where OVN routes, the node that carries its way out; for root'),
  hostname: field.string('name of that host; for root'),
  hypervisor: field.string('KVM'),
  publicip: field.string('address it has outside'),
  publicnetmask: field.string('netmask of that address'),
  gateway: field.string('whom it sends what leaves'),
  linklocalip: field.string('address of its node outside of all networks; for root'),
  guestnetworkid: field.string('its network, or first tier'),
  guestnetworkname: field.string('name of that network'),
  guestipaddress: field.string('its address there'),
  guestnetmask: field.string('netmask there'),
  networkdomain: field.string('network domain of its network or VPC'),
  serviceofferingname: field.string('what its size follows from'),
  dns1: field.string('first resolver of its zone'),
  dns2: field.string('second resolver of its zone'),
  created: field.date('when it, or its VPC, was made'),
  nic: field.list('its legs: the public one, one in each network, and its private gateways', nicView),
  findings: field.list('what its node found wrong: sentences; for root', z.string()),
  ...ownerFields,
});

export type RouterView = z.infer<typeof routerView>;

/** Whether the caller is told which hosts there are. Only root is: names and ids of hosts are the operator's business. */
export function seesHosts({ call }: Room): boolean {
  return call.caller.role === 'admin';
}

/** A host as a text for this caller names it. */
export function hostName(room: Room, host: { readonly name: string }): string {
  return seesHosts(room) ? `node ${host.name}` : 'its node';
}

export function onNode(room: Room, host: { readonly name: string }): string {
  return `on ${hostName(room, host)}`;
}

export const VERSION = 'distributed';

/** As clients expect routers to be called: r-N-VM. */
export function routerName(id: string): string {
  return `r-${Number.parseInt(id.slice(0, 7), 16)}-VM`;
}

export interface Leg {
  readonly networkid: string;
  readonly name: string;
  readonly cidr: string | null;
  readonly ip: string | null;
  readonly type: string;
}

export function nicOf(id: string, leg: Leg): z.infer<typeof nicView> {
  return field.compact<z.infer<typeof nicView>>({
    id: derivedId(`router-nic/${id}`),
    networkid: leg.networkid,
    networkname: leg.name,
    ipaddress: leg.ip,
    netmask: leg.cidr === null ? undefined : netmask(cidr(leg.cidr)),
    macaddress: macOf(derivedId(`router-nic/${id}`)),
    traffictype: 'Guest',
    type: leg.type,
    isdefault: false,
  });
}
