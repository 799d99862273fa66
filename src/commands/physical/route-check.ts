// Does a network behind a device really answer? A node asks on the wire in the name of an instance, a host behind the device; what it
// saw is judged here, so that the answer names the broken hop and what repairs it.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { cidr, contains, ip } from '../../lib/ip.ts';
import { offers } from '../../model/network-service.ts';
import type { ProbeReport } from '../../protocol/document.ts';
import { probeReport } from '../../protocol/schema.ts';
import type { Tables } from '../../store/schema.ts';
import { visible, visibleRows } from '../access.ts';
import { type Room, jobCommand } from '../room.ts';
import { notRealized } from './carriage.ts';
import { portNames } from './device.ts';
import { factsOf } from './route-facts.ts';
import { isComing, routerWay } from './router-way.ts';
import { type RouteNames, judgeRoute } from './route-judgement.ts';

export const routeCheckView = z.object({
  id: field.string('id of the check'),
  networkrouteid: field.string('the route that was checked'),
  networkid: field.string('its network'),
  cidr: field.string('the network behind the device'),
  ipaddress: field.string('the host in it that was asked'),
  deviceid: field.string('the device'),
  devicename: field.string('its name'),
  virtualmachineid: field.string('the instance in whose name it was asked'),
  virtualmachinename: field.string('name of that instance'),
  hostname: field.string('the hypervisor that asked; for root'),
  state: field.string('Requested, Done or Failed'),
  errortext: field.string('why nobody could ask'),
  result: field.string(
    'answered, devicesilent, unreachable (somebody says that he has no way), hostsilent, instanceroute (the instance has no way back)',
  ),
  hop: field.string('where the fault is, or most likely is'),
  description: field.string('what was seen and what it means, as a sentence'),
  repair: field.string('a line that repairs it, to be typed at that place'),
  fact: field.list(
    'every route that it takes, there and back',
    z.object({
      name: field.string('device, pushedroute, forwarding, iroute or returnroute'),
      hop: field.string('where it has to be'),
      state: field.string('good, bad, or unknown where it cannot be seen from here'),
      description: field.string('what was seen of it, as a sentence'),
      repair: field.string('what repairs it, to be typed at that place'),
    }),
  ),
  created: field.date('when it was asked for'),
  finished: field.date('when it was done'),
});

type CheckView = z.infer<typeof routeCheckView>;

/** A node that has not answered by then will not. */
const LOST_MS = 30_000;

export const checkNetworkRoute = jobCommand({
  name: 'checkNetworkRoute',
  summary: 'Asks a host behind a device in the name of an instance, and says which hop is broken if it does not answer',
  roles: WRITERS,
  event: 'NETWORK.ROUTE.CHECK',
  answer: { kind: 'object', key: 'networkroutecheck', view: routeCheckView },
  params: z.object({
    id: param.ref('networkroute', 'The route; instead of networkid').optional(),
    networkid: param.ref('network', 'The network, whose route to the host is looked for; instead of id').optional(),
    ipaddress: param.address('A host of the network behind the device'),
    virtualmachineid: param.ref('instance', 'The instance in whose name it is asked; any of the network').optional(),
  }),
  async job(room, want) {
    const route = await routeTo(room, want);
    const instance =
      want.virtualmachineid === undefined
        ? undefined
        : await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    if (!contains(cidr(route.cidr), ip(want.ipaddress)))
      throw refuse(
        'parameter',
        `${want.ipaddress} is not in ${route.cidr}: give the address of a host of that network`,
      );
    const network = await visible(room, 'network', route.network);
    if (network.segment !== 'vlan')
      throw refuse('parameter', `Route ${route.cidr} cannot be checked: network ${network.name} is on no wire`);
    await refuseSecond(room, route);
    const card = await askingCard(room, network, instance);
    const id = newId();
    await room.tx.insert('scan', {
      id,
      network: network.id,
      host: card.host,
      route: route.id,
      nic: card.nic,
      target: want.ipaddress,
      found: null,
      state: 'Requested',
      error: null,
      account: route.account,
      domain: route.domain,
      finished: null,
      created: new Date().toISOString(),
    });
    return {
      about: { type: 'NetworkRouteCheck', id },
      view: 'networkroutecheck',
      text: `checking whether ${card.instance} of network ${network.name} reaches ${want.ipaddress} in ${route.cidr}`,
    };
  },
});

/** The route that is named, or the network's to the host. Where there is none, that is what is wrong: says how to add it. */
async function routeTo(
  room: Room,
  want: { readonly id?: string | undefined; readonly networkid?: string | undefined; readonly ipaddress: string },
): Promise<Tables['networkroute']> {
  if ((want.id === undefined) === (want.networkid === undefined))
    throw refuse('parameter', 'Say what to check: id, a route, or networkid, one of the two');
  if (want.id !== undefined) return visible(room, 'networkroute', want.id);
  const network = await visible(room, 'network', want.networkid ?? '', 'networkid');
  const routes = await room.db.selectFrom('networkroute').selectAll().where('network', '=', network.id).execute();
  const route = routes.find((one) => contains(cidr(one.cidr), ip(want.ipaddress)));
  if (route !== undefined) return visible(room, 'networkroute', route.id, 'networkid');
  const devices = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['device.id', 'device.name', 'member.ip'])
    .where('member.network', '=', network.id)
    .where('member.ip', 'is not', null)
    .where(visibleRows(room.call.caller, 'device'))
    .orderBy('device.name')
    .execute();
  const [device] = devices;
  const around = `${want.ipaddress.split('.').slice(0, 3).join('.')}.0/24`;
  const add = `createNetworkRoute networkid=${network.id} cidr=${around} deviceid=${devices.length === 1 ? device?.id : 'DEVICE'}`;
  const who =
    device === undefined
      ? 'No device of yours is in it: attachDevice the VPN server first'
      : `If it is behind ${devices.map(({ name, ip: at }) => `${name} (${at})`).join(' or ')}, ${add} adds it, with the length the VPN has`;
  throw refuse(
    'parameter',
    `No return route to ${want.ipaddress} in network ${network.name}: none of its routes holds it, so instances send their answers to ${network.gateway ?? 'nobody, since there is no gateway'}. A tunnel may be up, and even ping times out. ${who}`,
  );
}

async function refuseSecond({ db }: Room, route: Tables['networkroute']): Promise<void> {
  const open = await db
    .selectFrom('scan')
    .select('created')
    .where('route', '=', route.id)
    .where('state', '=', 'Requested')
    .orderBy('created', 'desc')
    .executeTakeFirst();
  if (open === undefined || Date.now() - Date.parse(open.created) >= LOST_MS) return;
  throw refuse('parameter', `Route ${route.cidr} is being checked since ${open.created}: wait for that check to end`);
}

interface AskingCard {
  readonly nic: string;
  readonly instance: string;
  readonly host: string;
}

/** A card of the network whose instance runs on a hypervisor that is up. */
async function askingCard(
  room: Room,
  network: Tables['network'],
  instance: Tables['instance'] | undefined,
): Promise<AskingCard> {
  let query = room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .innerJoin('host', 'host.id', 'instance.host')
    .select(['nic.id as nic', 'instance.displayname as instance', 'host.id as host'])
    .where('nic.network', '=', network.id)
    .where('nic.ip', 'is not', null)
    .where('instance.state', '=', 'Running')
    .where('host.state', '=', 'Up')
    .where(visibleRows(room.call.caller, 'instance'));
  if (instance !== undefined) query = query.where('instance.id', '=', instance.id);
  const card = await query.orderBy('nic.created').orderBy('nic.id').executeTakeFirst();
  if (card !== undefined) return card;
  throw refuse(
    'unavailable',
    instance === undefined
      ? `Nobody can ask: it is asked in the name of an instance of network ${network.name}, and none of yours runs there. Start or deploy one`
      : `Nobody can ask in the name of ${instance.displayname}: it has no address in network ${network.name}, or it does not run on a hypervisor that is Up`,
  );
}

/** The check with this id as its job's result shows it. */
export async function viewRouteCheck(room: Room, id: string): Promise<CheckView | undefined> {
  const row = await room.db
    .selectFrom('scan')
    .innerJoin('host', 'host.id', 'scan.host')
    .selectAll('scan')
    .select('host.name as hostname')
    .where('scan.id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const around = await aroundOf(room, row);
  const seen = row.found === null ? undefined : readFound(row.found);
  const verdict = seen === undefined || around === undefined ? undefined : judgeRoute(seen, around.names);
  const facts = seen === undefined || around === undefined ? undefined : factsOf(seen, around.names);
  const gone = row.state === 'Requested' && around === undefined;
  return field.compact<CheckView>({
    id: row.id,
    networkrouteid: row.route ?? undefined,
    networkid: row.network,
    cidr: around?.names.routeCidr,
    ipaddress: row.target ?? undefined,
    deviceid: around?.device,
    devicename: around?.names.device,
    virtualmachineid: around?.instance,
    virtualmachinename: around?.names.instance,
    hostname: room.call.caller.role === 'admin' ? row.hostname : undefined,
    state: row.state,
    errortext: gone ? 'the route, its device or the instance is gone, so nobody was asked' : row.error,
    result: verdict?.result,
    hop: verdict?.hop,
    description: verdict?.text,
    repair: verdict?.repair,
    fact: facts?.map(({ name, hop, state, text, repair }) =>
      field.compact({ name, hop, state, description: text, repair }),
    ),
    created: field.clientDate(row.created),
    finished: row.finished === null ? undefined : field.clientDate(row.finished),
  });
}

/** What is known of the network's router, where it is ours: a route that is on its way there is not there yet. */
async function routerOf(room: Room, network: Tables['network'], route: string): Promise<Pick<RouteNames, 'router'>> {
  const router = await routerWay(room, network);
  if (router === undefined) return {};
  if (router.state !== 'good' || !(await isComing(room, route))) return { router };
  return { router: { state: 'unknown', text: `${router.text}, and is being given the route` } };
}

async function hasDhcp({ db }: Room, { offering }: Tables['network']): Promise<boolean> {
  const row = await db.selectFrom('networkoffering').select('services').where('id', '=', offering).executeTakeFirst();
  return row !== undefined && offers(row, 'Dhcp');
}

function readFound(text: string): ProbeReport | undefined {
  return probeReport.safeParse(JSON.parse(text)).data;
}

interface Around {
  readonly names: RouteNames;
  /** Ids. */
  readonly device: string;
  readonly instance: string;
}

/** The names of everything on the way; undefined when some of it is gone. */
async function aroundOf(room: Room, scan: Tables['scan']): Promise<Around | undefined> {
  const { db } = room;
  const route = await db
    .selectFrom('networkroute')
    .innerJoin('member', 'member.id', 'networkroute.member')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['networkroute.cidr', 'member.ip', 'member.isgateway', 'member.switchport'])
    .select(['device.id as device', 'device.name as devicename'])
    .where('networkroute.id', '=', scan.route ?? '')
    .executeTakeFirst();
  const card = await db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select(['nic.ip', 'nic.isdefault', 'instance.id as instance', 'instance.displayname'])
    .where('nic.id', '=', scan.nic ?? '')
    .executeTakeFirst();
  const network = await db.selectFrom('network').selectAll().where('id', '=', scan.network).executeTakeFirst();
  if (route === undefined || card === undefined || network === undefined) return undefined;
  const port = (await portNames(room, [route.switchport])).get(route.switchport);
  const place = port === undefined ? 'its switch port' : `switch ${port.on}, port ${port.name}`;
  const fault = (await notRealized(room, [network])).get(network.id)?.find(({ target }) => target === place)?.text;
  const names: RouteNames = {
    instance: card.displayname,
    from: card.ip ?? '',
    network: network.name,
    networkCidr: network.cidr ?? '',
    device: route.devicename,
    via: route.ip ?? '',
    place,
    isGateway: route.isgateway === 1,
    routeCidr: route.cidr,
    host: scan.target ?? '',
    ...(await routerOf(room, network, scan.route ?? '')),
    ...(card.isdefault === 1 && (await hasDhcp(room, network)) ? { byDhcp: true as const } : {}),
    ...(fault === undefined ? {} : { portFault: fault }),
  };
  return { names, device: route.device, instance: card.instance };
}
