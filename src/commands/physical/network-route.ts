// Networks behind a device: the office behind a VPN device. Instances are told of them by DHCP where there is DHCP, and router
// nodes send there.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { FORBIDDEN, cidr, formatCidr, overlaps, parseCidr } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { refuseManyRoutes } from '../route-count.ts';
import { refuseVpnClash } from '../vpn/vpn-place.ts';

export const networkRouteView = z.object({
  id: field.string('id of the route'),
  networkid: field.string('the network'),
  networkname: field.string('name of the network'),
  cidr: field.string('the network behind the device'),
  memberid: field.string('the membership of the device'),
  deviceid: field.string('the device'),
  devicename: field.string('its name'),
  nexthop: field.string("the device's address in the network"),
  created: field.date('when it was made'),
  ...ownerFields,
});

type RouteView = z.infer<typeof networkRouteView>;
type Route = Tables['networkroute'];

async function showRoutes(room: Room, rows: readonly Route[]): Promise<RouteView[]> {
  if (rows.length === 0) return [];
  const owner = await ownersOf(room.db, rows);
  const networks = await namesOf(
    room.db,
    'network',
    rows.map((row) => row.network),
  );
  const found = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['member.id', 'member.ip', 'member.device', 'device.name'])
    .where(
      'member.id',
      'in',
      rows.map((row) => row.member),
    )
    .execute();
  const members = new Map(found.map((row) => [row.id, row]));
  return rows.map((row) => {
    const member = members.get(row.member);
    return field.compact<RouteView>({
      id: row.id,
      networkid: row.network,
      networkname: networks.get(row.network),
      cidr: row.cidr,
      memberid: row.member,
      deviceid: member?.device,
      devicename: member?.name,
      nexthop: member?.ip,
      created: field.clientDate(row.created),
      ...owner(row),
    });
  });
}

/** The route with this id as a job's result shows it. */
export async function viewNetworkRoute(room: Room, id: string): Promise<RouteView | undefined> {
  const rows = await room.db.selectFrom('networkroute').selectAll().where('id', '=', id).execute();
  return (await showRoutes(room, rows))[0];
}

const params = z.object({
  networkid: param.ref('network', 'The network'),
  cidr: param.text('The network behind the device, such as 192.168.50.0/24'),
  deviceid: param.ref('device', 'The device; instead of memberid').optional(),
  memberid: param.ref('networkmember', 'The membership of the device; instead of deviceid').optional(),
});

export const createNetworkRoute = jobCommand({
  name: 'createNetworkRoute',
  summary: 'Says that a network, such as an office, is behind a device of this network',
  roles: WRITERS,
  event: 'NETWORK.ROUTE.CREATE',
  answer: { kind: 'object', key: 'networkroute', view: networkRouteView },
  params,
  async job(room, want) {
    const network = await visible(room, 'network', want.networkid, 'networkid');
    checkKind(network);
    const member = await memberFor(room, network, want);
    const prefix = readCidr(want.cidr);
    if (network.cidr !== null && overlaps(prefix, cidr(network.cidr))) {
      throw refuse(
        'parameter',
        `${want.cidr} overlaps network ${network.name} itself (${network.cidr}): its addresses are here, not behind a device`,
      );
    }
    await refuseOverlap(room, network, want.cidr);
    await refuseVpnClash(room.db, { vpc: null, network: network.id }, prefix, 'Route');
    await refuseManyRoutes(room, 'network', network);
    const id = newId();
    const text = formatCidr(prefix);
    await room.tx.insert('networkroute', {
      id,
      network: network.id,
      cidr: text,
      member: member.id,
      account: member.account,
      domain: member.domain,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'NetworkRoute', id },
      view: 'networkroute',
      text: `creating route ${text} via ${member.ip} of network ${network.name}`,
    };
  },
});

function checkKind(network: Tables['network']): void {
  if (network.vpc !== null)
    throw refuse(
      'parameter',
      `Network ${network.name} is a tier: its VPC routes. createStaticRoute with the device's address as next hop does it for all its tiers`,
    );
  if (network.guesttype === 'Private')
    throw refuse(
      'parameter',
      `Network ${network.name} is a Private network, where VPCs meet: give each VPC a static route (createStaticRoute) with the device's address as next hop`,
    );
}

/** The device's membership; one that can be sent to. */
async function memberFor(
  room: Room,
  network: Tables['network'],
  want: z.infer<typeof params>,
): Promise<Tables['member']> {
  if ((want.deviceid === undefined) === (want.memberid === undefined))
    throw refuse('parameter', 'Say which device the network is behind: deviceid or memberid, one of the two');
  const device = want.deviceid === undefined ? undefined : await visible(room, 'device', want.deviceid, 'deviceid');
  const member =
    want.memberid === undefined
      ? await room.db
          .selectFrom('member')
          .selectAll()
          .where('network', '=', network.id)
          .where('device', '=', device?.id ?? '')
          .executeTakeFirst()
      : await visible(room, 'member', want.memberid, 'memberid');
  const name = device?.name ?? 'of that membership';
  if (member === undefined || member.network !== network.id)
    throw refuse('parameter', `Device ${name} is not in network ${network.name}: attachDevice first`);
  if (member.state === 'Detaching')
    throw refuse('parameter', `Device ${name} is being taken out of network ${network.name}`);
  if (member.ip === null)
    throw refuse('parameter', `Device ${name} has no address in network ${network.name}, so nothing can be sent to it`);
  return member;
}

function readCidr(text: string): ReturnType<typeof cidr> {
  const prefix = parseCidr(text);
  if (prefix === undefined) throw refuse('parameter', `Invalid format for cidr ${text}: write it like 192.168.50.0/24`);
  if (prefix.length === 0)
    throw refuse(
      'parameter',
      `${text} is everything: attach the device with isgateway=true, which is what the default route is for`,
    );
  if (FORBIDDEN.some((range) => overlaps(range, prefix))) {
    throw refuse(
      'parameter',
      `Invalid cidr ${text}: it holds addresses that are never a network's (this host, loopback, link local, multicast or reserved)`,
    );
  }
  return prefix;
}

async function refuseOverlap(room: Room, network: Tables['network'], text: string): Promise<void> {
  const routes = await room.db.selectFrom('networkroute').selectAll().where('network', '=', network.id).execute();
  const other = routes.find((route) => overlaps(cidr(route.cidr), cidr(text)));
  if (other === undefined) return;
  const [shown] = await showRoutes(room, [other]);
  throw refuse(
    'conflict',
    `${text} overlaps ${other.cidr}, which is behind device ${shown?.devicename} already: an address can be in one place only`,
  );
}

export const listNetworkRoutes = listCommand({
  name: 'listNetworkRoutes',
  summary: 'Lists the networks that are behind devices',
  roles: EVERYBODY,
  key: 'networkroute',
  view: networkRouteView,
  params: z.object({
    id: param.ref('networkroute', 'The route with this id').optional(),
    networkid: param.ref('network', 'Routes of this network').optional(),
    deviceid: param.ref('device', 'Routes by this device').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'networkroute', networkid: 'network', deviceid: 'device' });
    let query = room.db
      .selectFrom('networkroute')
      .selectAll()
      .where(await ownedRows(room, 'networkroute', want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.networkid !== undefined) query = query.where('network', '=', want.networkid);
    if (want.keyword !== undefined) query = query.where(containing('cidr', want.keyword));
    if (want.deviceid !== undefined) {
      const members = room.db.selectFrom('member').select('id').where('device', '=', want.deviceid);
      query = query.where('member', 'in', members);
    }
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showRoutes(room, rows) };
  },
});

export const deleteNetworkRoute = jobCommand({
  name: 'deleteNetworkRoute',
  summary: 'Deletes a route to a network behind a device',
  roles: WRITERS,
  event: 'NETWORK.ROUTE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('networkroute', 'The route') }),
  async job(room, want) {
    const route = await visible(room, 'networkroute', want.id);
    await room.tx.remove('networkroute', route.id);
    return { about: { type: 'NetworkRoute', id: route.id }, text: `deleting route ${route.cidr} of a network` };
  },
});
