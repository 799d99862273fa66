// Static routes of a VPC: where to send what is not the VPC's own. A next hop that no connected network holds is kept: the
// route's state says so, and it heals when the network appears.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { type Cidr, FORBIDDEN, cidr, contains, covers, overlaps, parseCidr, parseIp, sameCidr } from '../../lib/ip.ts';
import { looksLikeIp6, overlaps6, parseCidr6 } from '../../lib/ip6.ts';
import type { Tables } from '../../store/schema.ts';
import { readText } from '../../store/setting.ts';
import { visible } from '../access.ts';
import { ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { type JobAnswer, type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { refuseManyRoutes } from '../route-count.ts';
import { refuseVpnClash } from '../vpn/vpn-place.ts';
import { checkRoute6 } from './static-route6.ts';

export const staticRouteView = z.object({
  id: field.string('id of the route'),
  vpcid: field.string('its VPC'),
  cidr: field.string('its destination'),
  nexthop: field.string('where it sends'),
  state: field.string('Add, Active, Unreachable or Deleting'),
  reason: field.string('why it is unreachable, and what would help'),
  vpcgatewayid: field.string('the private gateway it was made by'),
  gatewayid: field.string('the private gateway it was made by'),
  vpcgatewayip: field.string('address of that gateway'),
  ...ownerFields,
  tags: field.list('its tags', tagView),
});

type RouteView = z.infer<typeof staticRouteView>;

/** Static routes as their answers show them: the fields of all dialects. */
export async function showStaticRoutes(room: Room, rows: readonly Tables['staticroute'][]): Promise<RouteView[]> {
  if (rows.length === 0) return [];
  const owner = await ownersOf(room.db, rows);
  const tags = await tagsOf(
    room.db,
    'StaticRoute',
    rows.map((row) => row.id),
  );
  const gatewayIds = [...new Set(rows.map((row) => row.privategateway).filter((id) => id !== null))];
  const found =
    gatewayIds.length === 0
      ? []
      : await room.db.selectFrom('privategateway').select(['id', 'ip']).where('id', 'in', gatewayIds).execute();
  const gateways = new Map(found.map((row) => [row.id, row.ip]));
  return rows.map((row) =>
    field.compact<RouteView>({
      id: row.id,
      vpcid: row.vpc,
      cidr: row.cidr,
      nexthop: row.nexthop,
      state: row.state === 'Revoke' ? 'Deleting' : row.state,
      reason: row.reason,
      vpcgatewayid: row.privategateway,
      gatewayid: row.privategateway,
      vpcgatewayip: row.privategateway === null ? undefined : gateways.get(row.privategateway),
      ...owner(row),
      tags: tags(row.id),
    }),
  );
}

/** The route with this id as a job's result shows it. */
export async function viewStaticRoute(room: Room, id: string): Promise<RouteView | undefined> {
  const rows = await room.db.selectFrom('staticroute').selectAll().where('id', '=', id).execute();
  return (await showStaticRoutes(room, rows))[0];
}

export const listStaticRoutes = listCommand({
  name: 'listStaticRoutes',
  summary: 'Lists static routes',
  roles: EVERYBODY,
  key: 'staticroute',
  view: staticRouteView,
  params: z.object({
    id: param.ref('staticroute', 'The route with this id').optional(),
    vpcid: param.ref('vpc', 'Routes of this VPC').optional(),
    gatewayid: param.ref('privategateway', 'Routes made by this private gateway').optional(),
    cidr: param.text('Routes with this destination').optional(),
    nexthop: param.text('Routes with this next hop').optional(),
    state: param.text('Routes in this state').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'staticroute', vpcid: 'vpc', gatewayid: 'privategateway' });
    let query = room.db
      .selectFrom('staticroute')
      .selectAll()
      .where(await ownedRows(room, 'staticroute', want))
      .where(taggedRows('staticroute', 'StaticRoute', want.tags));
    for (const [column, value] of [
      ['id', want.id],
      ['vpc', want.vpcid],
      ['privategateway', want.gatewayid],
      ['cidr', want.cidr],
      ['nexthop', want.nexthop],
    ] as const) {
      if (value !== undefined) query = query.where(column, '=', value);
    }
    if (want.state !== undefined)
      query = query.where(named('state', want.state.toLowerCase() === 'deleting' ? 'Revoke' : want.state));
    if (want.keyword !== undefined) query = query.where(containing('cidr', want.keyword));
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showStaticRoutes(room, rows) };
  },
});

const params = z.object({
  cidr: param.text('Destination, such as 10.2.0.0/16, or 0.0.0.0/0 for everything else'),
  vpcid: param.ref('vpc', 'The VPC; with nexthop').optional(),
  nexthop: param.text('Where to send it: an address on a network the VPC is connected to; with vpcid').optional(),
  gatewayid: param
    .ref('privategateway', 'A private gateway that was made with a gateway: the next hop; instead of vpcid and nexthop')
    .optional(),
});

export const createStaticRoute = jobCommand({
  name: 'createStaticRoute',
  summary: 'Adds a static route to a VPC',
  roles: WRITERS,
  event: 'STATIC.ROUTE.CREATE',
  answer: { kind: 'object', key: 'staticroute', view: staticRouteView },
  params,
  async job(room, want) {
    const { vpc, nexthop, gateway } = await targetOf(room, want);
    if (vpc.state !== 'Enabled')
      throw refuse('parameter', `Can't add static route to VPC that is being deleted: ${vpc.name} is ${vpc.state}`);
    if (looksLikeIp6(want.cidr) || looksLikeIp6(nexthop)) {
      const prefix6 = await checkRoute6(room, vpc, want.cidr, nexthop);
      await refuseDenied(room, want.cidr, prefix6, (part) => {
        const range = parseCidr6(part);
        return range !== undefined && overlaps6(range, prefix6);
      });
      return addRoute(room, vpc, want.cidr, nexthop, gateway);
    }
    const prefix = parseCidr(want.cidr);
    if (prefix === undefined)
      throw refuse('parameter', `Invalid format for cidr ${want.cidr}: write it like 10.2.0.0/16`);
    checkNextHop(nexthop);
    checkDestination(want.cidr, prefix);
    await refuseDenied(room, want.cidr, prefix, (part) => {
      const range = parseCidr(part);
      return range !== undefined && overlaps(range, prefix);
    });
    await refuseTwin(room, vpc, prefix);
    await refuseVpnClash(room.db, { vpc: vpc.id, network: null }, prefix, 'Static route');
    return addRoute(room, vpc, want.cidr, nexthop, gateway);
  },
});

async function addRoute(
  room: WriteRoom,
  vpc: Tables['vpc'],
  destination: string,
  nexthop: string,
  gateway: string | null,
): Promise<JobAnswer> {
  await refuseManyRoutes(room, 'vpc', vpc);
  const id = newId();
  await room.tx.insert('staticroute', {
    id,
    vpc: vpc.id,
    cidr: destination,
    nexthop,
    privategateway: gateway,
    account: vpc.account,
    domain: vpc.domain,
    // Becomes Active or Unreachable when the network has followed: only then it is known.
    state: 'Add',
    reason: null,
    created: new Date().toISOString(),
  });
  return {
    id,
    about: { type: 'StaticRoute', id },
    view: 'staticroute',
    text: `creating static route ${destination} via ${nexthop} of VPC ${vpc.name}`,
  };
}

interface Target {
  readonly vpc: Tables['vpc'];
  readonly nexthop: string;
  /** The private gateway the route was made by, in CloudStack's dialect. */
  readonly gateway: string | null;
}

async function targetOf(room: WriteRoom, want: z.infer<typeof params>): Promise<Target> {
  if (want.gatewayid === undefined) {
    if (want.nexthop === undefined && want.vpcid === undefined) {
      throw refuse(
        'parameter',
        'one of gatewayId and nextHop must be specified: give vpcid and nexthop, or the gatewayid of a private gateway',
      );
    }
    if (want.vpcid === undefined)
      throw refuse('parameter', 'vpcId must be specified: the VPC whose routes get this one');
    if (want.nexthop === undefined) {
      throw refuse(
        'parameter',
        'Unable to execute API command createstaticroute due to missing parameter nexthop: an address on a network the VPC is connected to',
      );
    }
    return { vpc: await visible(room, 'vpc', want.vpcid, 'vpcid'), nexthop: want.nexthop, gateway: null };
  }
  if (want.nexthop !== undefined) {
    throw refuse(
      'parameter',
      'Only one of gatewayId and nextHop can be specified: parameter gatewayId is DEPRECATED, use vpcId and nextHop instead.',
    );
  }
  const gateway = await visible(room, 'privategateway', want.gatewayid, 'gatewayid');
  if (gateway.state === 'Deleting') throw refuse('parameter', `Gateway is not in the Ready state: ${gateway.state}`);
  if (want.vpcid !== undefined && want.vpcid !== gateway.vpc) {
    throw refuse(
      'parameter',
      `Invalid gateway id is given: it is a gateway of another VPC than ${want.vpcid}. Leave vpcid out`,
    );
  }
  if (gateway.gateway === null) {
    throw refuse(
      'parameter',
      `Parameter gatewayId is DEPRECATED, use vpcId and nextHop instead. Private gateway ${gateway.ip} was made by networkid, so it says no next hop: give vpcid, and as nexthop the address of the other VPC's gateway`,
    );
  }
  return { vpc: await visible(room, 'vpc', gateway.vpc, 'gatewayid'), nexthop: gateway.gateway, gateway: gateway.id };
}

function checkNextHop(text: string): void {
  const address = parseIp(text);
  if (address === undefined) throw refuse('parameter', `Invalid format for ip address ${text}`);
  if (FORBIDDEN.some((range) => contains(range, address))) {
    throw refuse(
      'parameter',
      `Next hop ${text} is invalid: no machine on a tenant's network has such an address (this host, loopback, link local, multicast or reserved)`,
    );
  }
}

const LINK_LOCAL = cidr('169.254.0.0/16');

/** Routes that would catch what is nobody's to route. Short ones (a default route, or halves of it) only cover it by the way. */
function checkDestination(text: string, prefix: Cidr): void {
  if (overlaps(LINK_LOCAL, prefix) && prefix.length >= 8) {
    throw refuse(
      'parameter',
      `CIDR should be outside of link local cidr 169.254.0.0/16: ${text} is not, and instances ask for their metadata there`,
    );
  }
  if (FORBIDDEN.some((range) => covers(range, prefix))) {
    throw refuse(
      'parameter',
      `Invalid destination ${text}: it holds no machine's address (this host, loopback, multicast or reserved)`,
    );
  }
}

/** `overlapping`: whether a prefix of the settings, of either family, has an address in common with this one. */
async function refuseDenied(
  room: Room,
  text: string,
  prefix: { readonly length: number },
  overlapping: (part: string) => boolean,
): Promise<void> {
  if (prefix.length === 0) return;
  for (const setting of ['denied.routes', 'blacklisted.routes'] as const) {
    const denied = await readText(room.db, setting);
    const hit = denied.split(',').find((part) => overlapping(part.trim()));
    if (hit !== undefined) {
      const word = setting === 'denied.routes' ? 'denied' : 'blacklisted';
      throw refuse(
        'parameter',
        `The static gateway cidr overlaps with one of the ${word} routes of the zone the VPC belongs to: ${text} overlaps ${hit.trim()}`,
      );
    }
  }
}

async function refuseTwin(room: Room, vpc: Tables['vpc'], prefix: Cidr): Promise<void> {
  const routes = await room.db.selectFrom('staticroute').select(['id', 'cidr']).where('vpc', '=', vpc.id).execute();
  const twin = routes.find((route) => !looksLikeIp6(route.cidr) && sameCidr(cidr(route.cidr), prefix));
  if (twin !== undefined) {
    throw refuse(
      'conflict',
      `New static route cidr already exists in VPC. UUID of existing static route is ${twin.id}: ${vpc.name} has ${twin.cidr} already, delete that route to replace it`,
    );
  }
}

export const deleteStaticRoute = jobCommand({
  name: 'deleteStaticRoute',
  summary: 'Deletes a static route',
  roles: WRITERS,
  event: 'STATIC.ROUTE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('staticroute', 'The route') }),
  async job(room, want) {
    const route = await visible(room, 'staticroute', want.id);
    await room.tx.db.deleteFrom('tag').where('kind', '=', 'StaticRoute').where('resource', '=', route.id).execute();
    await room.tx.remove('staticroute', route.id);
    return {
      about: { type: 'StaticRoute', id: route.id },
      text: `deleting static route ${route.cidr} via ${route.nexthop}`,
    };
  },
});
