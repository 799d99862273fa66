// Routers as clients expect them: a row per VPC that has a network, although no such machine exists. A VPC's router is spread
// over all hypervisors; these rows stand for it, so that clients which wait for a router find one.
import { z } from 'zod';
import { ADMINS, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId, macOf } from '../../lib/id.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId, visibleRows } from '../access.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { ownedRows, ownerParams, pageOf, pageParams } from '../list.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';

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
  state: field.string('Running'),
  role: field.string('VIRTUAL_ROUTER'),
  redundantstate: field.string('MASTER, or BACKUP for the second of a redundant VPC'),
  isredundantrouter: field.boolean('whether its VPC shows two routers'),
  requiresupgrade: field.boolean('false: there is no machine to upgrade'),
  version: field.string('what it is'),
  vpcid: field.string('its VPC'),
  vpcname: field.string('name of its VPC'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  hostid: field.string('one of the hypervisors it is on: it is on all of them'),
  hostname: field.string('name of that hypervisor'),
  hypervisor: field.string('KVM'),
  publicip: field.string('address it has outside'),
  guestnetworkid: field.string('its first tier'),
  guestnetworkname: field.string('name of its first tier'),
  guestipaddress: field.string('its address in that tier'),
  guestnetmask: field.string('netmask of that tier'),
  networkdomain: field.string('network domain of its VPC'),
  serviceofferingname: field.string('what its size follows from'),
  dns1: field.string('first resolver of its zone'),
  dns2: field.string('second resolver of its zone'),
  created: field.date('when its VPC was made'),
  nic: field.list('its legs: one in each tier, and its private gateways', nicView),
  ...ownerFields,
});

type RouterView = z.infer<typeof routerView>;
type Vpc = Tables['vpc'];

const VERSION = 'distributed';

/** Ids of a VPC's routers: the first, and the second of a redundant one. */
export function routerIds(vpcId: string): readonly [string, string] {
  return [derivedId(`router/${vpcId}/0`), derivedId(`router/${vpcId}/1`)];
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
          name: `r-${Number.parseInt(id.slice(0, 7), 16)}-VM`,
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

interface Leg {
  readonly networkid: string;
  readonly name: string;
  readonly cidr: string | null;
  readonly ip: string | null;
  readonly type: string;
}

function nicOf(id: string, leg: Leg): z.infer<typeof nicView> {
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

/** The router with this id as a job's result shows it. */
export async function viewRouter(room: Room, id: string): Promise<RouterView | undefined> {
  const vpc = await vpcOfRouter(room, id);
  return vpc === undefined ? undefined : (await showRouters(room, [vpc])).find((router) => router.id === id);
}

export const listRouters = listCommand({
  name: 'listRouters',
  summary: 'Lists the routers of VPCs: rows that stand for what is on every hypervisor',
  roles: WATCHERS,
  key: 'router',
  view: routerView,
  params: z.object({
    id: param.ref('router', 'The router with this id').optional(),
    name: param.text('Routers of this name').optional(),
    state: param.text('Routers in this state: all are Running').optional(),
    vpcid: param.ref('vpc', 'Routers of this VPC').optional(),
    networkid: param.ref('network', 'Routers with a leg in this network').optional(),
    zoneid: param.ref('zone', 'Routers in this zone').optional(),
    hostid: param.ref('host', 'Routers shown on this hypervisor').optional(),
    podid: param.ref('pod', 'Accepted: a zone has one pod').optional(),
    clusterid: param.ref('cluster', 'Accepted: a zone has one cluster').optional(),
    forvpc: param.flag('Whether they belong to a VPC: all do').optional(),
    version: param.text('Routers of this version').optional(),
    fetchhealthcheckresults: param.flag('Accepted; there are none').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { vpcid: 'vpc', networkid: 'network' });
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.hostid !== undefined) await existing(room, 'host', want.hostid, 'hostid');
    if (want.id !== undefined && (await vpcOfRouter(room, want.id)) === undefined) throw unknownId(room, 'id', want.id);
    let query = room.db
      .selectFrom('vpc')
      .selectAll()
      .where(await ownedRows(room, 'vpc', want));
    if (want.vpcid !== undefined) query = query.where('id', '=', want.vpcid);
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    const vpcs = await query.orderBy('created', 'desc').orderBy('id', 'desc').execute();
    const routers = (await showRouters(room, vpcs)).filter(
      (router) =>
        (want.id === undefined || router.id === want.id) &&
        (want.name === undefined || router.name?.toLowerCase() === want.name.toLowerCase()) &&
        (want.keyword === undefined || router.name?.includes(want.keyword) === true) &&
        (want.state === undefined || router.state?.toLowerCase() === want.state.toLowerCase()) &&
        (want.version === undefined || router.version === want.version) &&
        (want.hostid === undefined || router.hostid === want.hostid) &&
        (want.networkid === undefined || router.nic?.some((nic) => nic.networkid === want.networkid) === true) &&
        want.forvpc !== false,
    );
    return pageOf(routers, want);
  },
});

/** The VPC of a router the caller may see. Ids follow from the VPC's, so all of his are tried. */
async function vpcOfRouter(room: Room, id: string): Promise<Vpc | undefined> {
  const ids = await room.db.selectFrom('vpc').select('id').where(visibleRows(room.call.caller, 'vpc')).execute();
  const found = ids.find((row) => routerIds(row.id).includes(id));
  return found === undefined
    ? undefined
    : room.db.selectFrom('vpc').selectAll().where('id', '=', found.id).executeTakeFirst();
}

/** What there is to do for a router is to look at its VPC again, on every hypervisor. */
async function lookAgain(room: WriteRoom, id: string): Promise<Vpc> {
  const vpc = await vpcOfRouter(room, id);
  const shown = vpc === undefined ? [] : await showRouters(room, [vpc]);
  if (vpc === undefined || !shown.some((router) => router.id === id)) throw unknownId(room, 'id', id);
  await room.tx.touch('vpc', vpc.id);
  return vpc;
}

function routerCommand(
  name: 'startRouter' | 'rebootRouter' | 'destroyRouter',
  summary: string,
  event: string,
  doing: string,
) {
  return jobCommand({
    name,
    summary,
    roles: ADMINS,
    event,
    answer: { kind: 'object', key: 'router', view: routerView },
    params: z.object({ id: param.ref('router', 'The router'), forced: param.flag('Makes no difference').optional() }),
    async job(room, want) {
      const vpc = await lookAgain(room, want.id);
      return {
        about: { type: 'DomainRouter', id: want.id },
        view: 'router',
        text: `${doing} the router of VPC ${vpc.name}`,
      };
    },
  });
}

export const startRouter = routerCommand(
  'startRouter',
  'Looks at the router of a VPC again; it runs already',
  'ROUTER.START',
  'starting',
);
export const rebootRouter = routerCommand(
  'rebootRouter',
  'Makes the router of a VPC anew, without a lost packet',
  'ROUTER.REBOOT',
  'rebooting',
);
export const destroyRouter = routerCommand(
  'destroyRouter',
  'Makes the router of a VPC anew: it is there as long as its VPC',
  'ROUTER.DESTROY',
  'making anew',
);

export const stopRouter = jobCommand({
  name: 'stopRouter',
  summary: 'Refused: a distributed router cannot be stopped',
  roles: ADMINS,
  event: 'ROUTER.STOP',
  answer: { kind: 'object', key: 'router', view: routerView },
  params: z.object({ id: param.ref('router', 'The router'), forced: param.flag('Makes no difference').optional() }),
  async job(room, want) {
    const vpc = await vpcOfRouter(room, want.id);
    if (vpc === undefined) throw unknownId(room, 'id', want.id);
    throw refuse(
      'failed',
      `The router of VPC ${vpc.name} cannot be stopped: it is no machine, every hypervisor routes for itself. To cut traffic off, give the tiers the ACL list default_deny`,
    );
  },
});
