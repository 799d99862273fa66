// The rows of listRouters that are no machines: OVN routes on every hypervisor. They stand for the nodes that carry the way out, one, or
// two where the offering asks for redundancy, so that clients which wait for a router, or for a master and a backup, find them.
import type { z } from 'zod';
import * as field from '../../api/field.ts';
import { derivedId } from '../../lib/id.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import { isRedundant, routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { readText } from '../../store/setting.ts';
import { namesOf, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';
import { type Standing, type Subject, standingsOf } from './router-place.ts';
import { type RouterView, type nicView, nicOf, routerName, seesHosts } from './router-view.ts';

type Vpc = Tables['vpc'];
type Network = Tables['network'];
type Nic = z.infer<typeof nicView>;

export const VERSION = 'distributed';

/** A VPC or network with what its rows show beside their places. */
export interface OvnRouter {
  readonly subject: Subject;
  readonly owner: Vpc | Network;
  /** Its network, or first tier. */
  readonly first: Network;
  readonly nics: readonly Nic[];
}

/** The routers of VPCs. VPCs without a network have none, as they would not have one in CloudStack. */
export async function routersOfVpcs(room: Room, vpcs: readonly Vpc[]): Promise<OvnRouter[]> {
  if (vpcs.length === 0) return [];
  const { db } = room;
  const ids = vpcs.map(({ id }) => id);
  const rows = await db
    .selectFrom('network')
    .selectAll()
    .where('vpc', 'in', ids)
    .orderBy('created')
    .orderBy('id')
    .execute();
  const tiers = Map.groupBy(rows, ({ vpc }) => vpc);
  const gatewayRows = await db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .select(['privategateway.id', 'privategateway.vpc', 'privategateway.ip'])
    .select(['network.id as networkid', 'network.name', 'network.cidr', 'network.guesttype as type'])
    .where('privategateway.vpc', 'in', ids)
    .orderBy('privategateway.created')
    .execute();
  const gateways = Map.groupBy(gatewayRows, ({ vpc }) => vpc);
  const redundant = new Set(
    (await db.selectFrom('vpcoffering').select('id').where('redundant', '=', 1).execute()).map(({ id }) => id),
  );
  return vpcs.flatMap((vpc): OvnRouter[] => {
    const own = tiers.get(vpc.id) ?? [];
    const legs = gateways.get(vpc.id) ?? [];
    const [first] = own;
    if (first === undefined) return [];
    const inside = [...own, ...legs].map(({ id }) => id);
    const nics = [...own.map(insideNic), ...legs.map((leg) => nicOf(leg.id, leg))];
    return [
      { subject: { kind: 'vpc', row: vpc, redundant: redundant.has(vpc.offering), inside }, owner: vpc, first, nics },
    ];
  });
}

/** The routers of networks outside VPCs: of those that OVN routes for, once they are in use. */
export async function routersOfNetworks(room: Room, networks: readonly Network[]): Promise<OvnRouter[]> {
  const own = networks.filter(
    ({ vpc, gateway, state, guesttype }) =>
      vpc === null && gateway !== null && state !== 'Allocated' && guesttype !== 'Private',
  );
  if (own.length === 0) return [];
  const offerings = await room.db
    .selectFrom('networkoffering')
    .select(['id', 'services', 'capabilities'])
    .where('id', 'in', [...new Set(own.map(({ offering }) => offering))])
    .execute();
  const known = new Map(offerings.map((offering) => [offering.id, offering]));
  return own.flatMap((row): OvnRouter[] => {
    const offering = known.get(row.offering);
    if (offering === undefined || routedBy(servicesOf(offering)) !== 'Ovn') return [];
    const subject: Subject = { kind: 'network', row, redundant: isRedundant(offering), inside: [row.id] };
    return [{ subject, owner: row, first: row, nics: [insideNic(row)] }];
  });
}

function insideNic(network: Network): Nic {
  return nicOf(network.id, {
    networkid: network.id,
    name: network.name,
    cidr: network.cidr,
    ip: network.gateway,
    type: network.guesttype,
  });
}

interface Outside {
  readonly owner: string | null;
  readonly ip: string;
  readonly netmask: string;
  readonly gateway: string;
}

/** Their rows, in their order. */
export async function showOvnRouters(room: Room, routers: readonly OvnRouter[]): Promise<RouterView[]> {
  if (routers.length === 0) return [];
  const { db } = room;
  const standings = await standingsOf(
    room,
    routers.map(({ subject }) => subject),
  );
  const outside = await outsideOf(room, routers);
  const zoneIds = [...new Set(routers.map(({ owner }) => owner.zone))];
  const zoneRows = await db.selectFrom('zone').selectAll().where('id', 'in', zoneIds).execute();
  const zones = new Map(zoneRows.map((row) => [row.id, row]));
  const offeringIds = routers.map(({ owner }) => owner.offering);
  const offerings = new Map([
    ...(await namesOf(db, 'vpcoffering', offeringIds)),
    ...(await namesOf(db, 'networkoffering', offeringIds)),
  ]);
  const ownerOf = await ownersOf(
    db,
    routers.map(({ owner }) => owner),
  );
  const master = await masterWord(room);
  const root = seesHosts(room);
  return routers.flatMap(({ subject, owner, first, nics }) => {
    const zone = zones.get(owner.zone);
    const side = outside.get(owner.id);
    const legs = side === undefined ? [...nics] : [publicNic(owner.id, side), ...nics];
    return (standings.get(owner.id) as Standing).places.map(({ id, host, running, role }) =>
      field.compact<RouterView>({
        id,
        name: routerName(id),
        state: running ? 'Running' : 'Stopped',
        role: 'VIRTUAL_ROUTER',
        redundantstate: role === 'MASTER' ? master : role,
        isredundantrouter: subject.redundant,
        requiresupgrade: false,
        version: VERSION,
        ...(subject.kind === 'vpc' ? { vpcid: owner.id, vpcname: owner.name } : {}),
        zoneid: owner.zone,
        zonename: zone?.name,
        hostid: root ? host?.id : undefined,
        hostname: root ? host?.name : undefined,
        hypervisor: 'KVM',
        publicip: side?.ip,
        publicnetmask: side?.netmask,
        gateway: side?.gateway,
        guestnetworkid: first.id,
        guestnetworkname: first.name,
        guestipaddress: first.gateway,
        guestnetmask: first.cidr === null ? undefined : netmask(cidr(first.cidr)),
        networkdomain: owner.networkdomain,
        serviceofferingname: offerings.get(owner.offering),
        dns1: zone?.dns1,
        dns2: zone?.dns2,
        created: field.clientDate(owner.created),
        nic: legs,
        ...ownerOf(owner),
      }),
    );
  });
}

/** The address each has outside, by the id of the VPC or network: the source NAT address, else the first. */
async function outsideOf(room: Room, routers: readonly OvnRouter[]): Promise<ReadonlyMap<string, Outside>> {
  const ids = routers.map(({ owner }) => owner.id);
  const rows = await room.db
    .selectFrom('publicip')
    .innerJoin('publicrange', 'publicrange.id', 'publicip.publicrange')
    .select(['publicip.ip', 'publicrange.netmask', 'publicrange.gateway'])
    .select((eb) => eb.fn.coalesce('publicip.vpc', 'publicip.network').as('owner'))
    .where((eb) => eb.or([eb('publicip.vpc', 'in', ids), eb('publicip.network', 'in', ids)]))
    .where('publicip.state', 'in', ['Allocating', 'Allocated'])
    .orderBy('publicip.issourcenat')
    .orderBy('publicip.created', 'desc')
    .execute();
  return new Map(rows.map((row) => [row.owner ?? '', row]));
}

function publicNic(owner: string, side: Outside): Nic {
  return {
    id: derivedId(`router-nic/${owner}/public`),
    ipaddress: side.ip,
    netmask: side.netmask,
    gateway: side.gateway,
    traffictype: 'Public',
    isdefault: true,
  };
}

/** CloudStack renamed it; Cosmic's clients wait for the old word. */
async function masterWord(room: Room): Promise<'MASTER' | 'PRIMARY'> {
  return (await readText(room.db, 'router.redundantstate.dialect')) === 'cloudstack' ? 'PRIMARY' : 'MASTER';
}
