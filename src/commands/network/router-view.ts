// How routers look in answers, and the rows of VPCs among them: a row per VPC that has a network, although no such machine exists.
// A VPC's router is spread over all hypervisors; these rows stand for it, so that clients which wait for a router find one.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { derivedId, macOf } from '../../lib/id.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';

const nicView = z.object({
  id: field.string('id of the interface'),
  networkid: field.string('the network it is in'),
  networkname: field.string('name of that network'),
  ipaddress: field.string('its address'),
  netmask: field.string('its netmask'),
  gateway: field.string('gateway of the network'),
  macaddress: field.string('its MAC address'),
  traffictype: field.string('Guest'),
  type: field.string('type of the network'),
  isdefault: field.boolean('whether the default route leaves here'),
});

export const routerView = z.object({
  id: field.string('id of the router'),
  name: field.string('its name'),
  state: field.string('Running; Stopped for a Linux router whose node is not Up'),
  role: field.string('VIRTUAL_ROUTER'),
  redundantstate: field.string('MASTER, BACKUP, FAULT, or UNKNOWN while its node has not said'),
  isredundantrouter: field.boolean('whether there are two of them'),
  requiresupgrade: field.boolean('false: there is no machine to upgrade'),
  version: field.string('what it is'),
  vpcid: field.string('its VPC'),
  vpcname: field.string('name of its VPC'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  hostid: field.string('the router node it is on; of a VPC one of the hypervisors: it is on all of them'),
  hostname: field.string('name of that host'),
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
  nic: field.list('its legs: one in each tier, and its private gateways', nicView),
  findings: field.list('what its node found wrong: sentences', z.string()),
  ...ownerFields,
});

export type RouterView = z.infer<typeof routerView>;
type Vpc = Tables['vpc'];

export const VERSION = 'distributed';

/** Ids of a VPC's routers: the first, and the second of a redundant one. */
export function routerIds(vpcId: string): readonly [string, string] {
  return [derivedId(`router/${vpcId}/0`), derivedId(`router/${vpcId}/1`)];
}

/** As clients expect routers to be called: r-N-VM. */
export function routerName(id: string): string {
  return `r-${Number.parseInt(id.slice(0, 7), 16)}-VM`;
}

/** The routers of VPCs, in the VPCs' order. VPCs without a network have none, as they would not have one in CloudStack. */
export async function showRouters(room: Room, vpcs: readonly Vpc[]): Promise<RouterView[]> {
  if (vpcs.length === 0) return [];
  const { db } = room;
  const ids = vpcs.map((vpc) => vpc.id);
  const tierRows = await db
    .selectFrom('network')
    .selectAll()
    .where('vpc', 'in', ids)
    .orderBy('created')
    .orderBy('id')
    .execute();
  const tiers = Map.groupBy(tierRows, (row) => row.vpc);
  const gatewayRows = await db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .select([
      'privategateway.id',
      'privategateway.vpc',
      'privategateway.ip',
      'network.id as networkid',
      'network.name',
      'network.cidr',
      'network.guesttype',
    ])
    .where('privategateway.vpc', 'in', ids)
    .orderBy('privategateway.created')
    .execute();
  const gateways = Map.groupBy(gatewayRows, (row) => row.vpc);
  const redundant = new Set(
    (await db.selectFrom('vpcoffering').select('id').where('redundant', '=', 1).execute()).map((row) => row.id),
  );
  const hosts = await db
    .selectFrom('host')
    .select(['id', 'name', 'zone'])
    .where('state', '=', 'Up')
    .orderBy('name')
    .execute();
  const zoneRows = await db
    .selectFrom('zone')
    .selectAll()
    .where('id', 'in', [...new Set(vpcs.map((vpc) => vpc.zone))])
    .execute();
  const zones = new Map(zoneRows.map((row) => [row.id, row]));
  const offerings = await namesOf(
    db,
    'vpcoffering',
    vpcs.map((vpc) => vpc.offering),
  );
  const owner = await ownersOf(db, vpcs);
  return vpcs.flatMap((vpc) => {
    const own = tiers.get(vpc.id) ?? [];
    if (own.length === 0) return [];
    const zone = zones.get(vpc.zone);
    const places = hosts.filter((host) => host.zone === vpc.zone);
    const pair = redundant.has(vpc.offering);
    const first = own[0]!;
    const nic = [
      ...own.map((tier) =>
        nicOf(tier.id, {
          networkid: tier.id,
          name: tier.name,
          cidr: tier.cidr,
          ip: tier.gateway,
          type: tier.guesttype,
        }),
      ),
      ...(gateways.get(vpc.id) ?? []).map((leg) =>
        nicOf(leg.id, { networkid: leg.networkid, name: leg.name, cidr: leg.cidr, ip: leg.ip, type: leg.guesttype }),
      ),
    ];
    return routerIds(vpc.id)
      .slice(0, pair ? 2 : 1)
      .map((id, index) => {
        const place = places[index % Math.max(places.length, 1)];
        return field.compact<RouterView>({
          id,
          name: routerName(id),
          state: 'Running',
          role: 'VIRTUAL_ROUTER',
          redundantstate: index === 0 ? 'MASTER' : 'BACKUP',
          isredundantrouter: pair,
          requiresupgrade: false,
          version: VERSION,
          vpcid: vpc.id,
          vpcname: vpc.name,
          zoneid: vpc.zone,
          zonename: zone?.name,
          hostid: place?.id,
          hostname: place?.name,
          hypervisor: 'KVM',
          guestnetworkid: first.id,
          guestnetworkname: first.name,
          guestipaddress: first.gateway,
          guestnetmask: first.cidr === null ? undefined : netmask(cidr(first.cidr)),
          networkdomain: vpc.networkdomain,
          serviceofferingname: offerings.get(vpc.offering),
          dns1: zone?.dns1,
          dns2: zone?.dns2,
          created: field.clientDate(vpc.created),
          nic,
          ...owner(vpc),
        });
      });
  });
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
