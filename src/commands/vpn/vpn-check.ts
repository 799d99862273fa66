// The way to a client or another site and back, fact by fact. What the gateway's node and the network engine know is theirs, as they told
// it last: whether the tunnel is up and served, and which routes the router has. What clients are told and what lists say is read from the
// intent, and what only the other end can know is said to be unknown. Nothing is asked on the wire.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import type { VpnClientStatus } from '../../protocol/vpn.ts';
import { visible } from '../access.ts';
import { type Room, readCommand } from '../room.ts';
import { type Fact, type Served, type Verdict, judgeClient, judgeSite } from './vpn-judgement.ts';
import { beyondFacts } from './vpn-beyond.ts';
import { closedTierFacts } from './vpn-lists.ts';
import { missingFrom, reachedRoutes } from './vpn-routes.ts';

const checkView = z.object({
  vpnclientid: field.string('the client that was looked at'),
  vpnconnectionid: field.string('the connection that was looked at'),
  result: field.string('good, or the first fact that is wrong'),
  hop: field.string('where that is'),
  description: field.string('what that means, as a sentence'),
  repair: field.string('a request or line that repairs it'),
  fact: field.list(
    'every fact on the way, from us to the other end and back',
    z.object({
      name: field.string('tunnel, pushedroute, forwarding, returnroute, iroute, acl or peerroute'),
      hop: field.string('where it has to be'),
      state: field.string('good, bad, or unknown where only the other end can tell'),
      description: field.string('what is there, as a sentence'),
      repair: field.string('a request or line that repairs it'),
    }),
  ),
});

export const checkVpn = readCommand({
  name: 'checkVpn',
  summary:
    'Says which route lacks where on the way to a VPN client or another site and back, from what nodes told last and what is wanted',
  roles: EVERYBODY,
  answer: { kind: 'object', key: 'vpncheck', view: checkView },
  params: z.object({
    vpnuserid: param.ref('vpnuser', 'The user; with remoteaccessvpnid').optional(),
    remoteaccessvpnid: param.ref('remoteaccessvpn', 'The VPN he comes to; with vpnuserid').optional(),
    vpnconnectionid: param.ref('vpnconnection', 'The connection to another site; instead of these').optional(),
  }),
  async read(room, want) {
    const { vpnuserid, remoteaccessvpnid, vpnconnectionid } = want;
    if (vpnconnectionid !== undefined && vpnuserid === undefined && remoteaccessvpnid === undefined)
      return { vpncheck: { vpnconnectionid, ...shown(await ofSite(room, vpnconnectionid)) } };
    if (vpnconnectionid === undefined && vpnuserid !== undefined && remoteaccessvpnid !== undefined)
      return { vpncheck: await ofClient(room, vpnuserid, remoteaccessvpnid) };
    throw refuse('parameter', 'Say what to check: vpnuserid and remoteaccessvpnid, or vpnconnectionid');
  },
});

function shown({ facts, result, wrong }: Verdict): Record<string, unknown> {
  return field.compact({
    result,
    hop: wrong?.hop,
    description: wrong?.text ?? 'everything that can be seen from here is in place, there and back',
    repair: wrong?.repair,
    fact: facts.map(({ name, hop, state, text, repair }: Fact) =>
      field.compact({ name, hop, state, description: text, repair }),
    ),
  });
}

async function ofClient(room: Room, userId: string, vpnId: string): Promise<Record<string, unknown>> {
  const { db } = room;
  const user = await visible(room, 'vpnuser', userId, 'vpnuserid');
  const vpn = await visible(room, 'remotevpn', vpnId, 'remoteaccessvpnid');
  const client = await db
    .selectFrom('vpnclient')
    .selectAll()
    .where('remotevpn', '=', vpn.id)
    .where('vpnuser', '=', user.id)
    .executeTakeFirst();
  const behind = user.cidrlist === '' ? [] : user.cidrlist.split(',');
  const sources = [vpn.cidr, ...behind];
  const vpc =
    vpn.vpc === null ? undefined : await db.selectFrom('vpc').selectAll().where('id', '=', vpn.vpc).executeTakeFirst();
  const routes = await reachedRoutes(db, vpn, behind);
  const verdict = judgeClient({
    ...served(room, vpn),
    ...(vpn.fault === null ? {} : { fault: vpn.fault }),
    user: user.username,
    userId: user.id,
    vpnId: vpn.id,
    userState: user.state,
    kind: vpn.kind,
    range: vpn.cidr,
    ...(client === undefined ? {} : { ip: client.ip, ...(client.ends === null ? {} : { ends: client.ends }) }),
    ...(client?.seen == null ? {} : { seen: JSON.parse(client.seen) as VpnClientStatus }),
    routes,
    ...(client?.routes == null ? {} : { untold: missingFrom(client.routes.split(','), routes) }),
    idle: vpc === undefined ? [] : await idleRoutes(room, vpc.id),
    behind,
    further:
      vpc === undefined
        ? []
        : [...(await closedTierFacts(db, vpc, sources)), ...(await beyondFacts(room, vpc, sources))],
    now: new Date().toISOString(),
  });
  return { ...(client === undefined ? {} : { vpnclientid: client.id }), ...shown(verdict) };
}

/** What gateway node and router told last. His machines are the operator's business. */
function served(
  room: Room,
  { toldby, routed }: { readonly toldby: string | null; readonly routed: string | null },
): Served {
  return {
    ...(toldby === null ? {} : { by: room.call.caller.role === 'admin' ? toldby : true }),
    ...(routed === null ? {} : { routed: routed === '' ? [] : routed.split(',') }),
  };
}

/** Static routes that carry nothing, and why. */
async function idleRoutes({ db }: Room, vpc: string): Promise<string[]> {
  const rows = await db
    .selectFrom('staticroute')
    .select(['cidr', 'nexthop', 'reason'])
    .where('vpc', '=', vpc)
    .where('state', '=', 'Unreachable')
    .orderBy('cidr')
    .execute();
  return rows.map(({ cidr, nexthop, reason }) => reason ?? `static route ${cidr} via ${nexthop}`);
}

async function ofSite(room: Room, id: string): Promise<Verdict> {
  const { db } = room;
  const connection = await visible(room, 'vpnconnection', id, 'vpnconnectionid');
  const other = await db
    .selectFrom('customergateway')
    .selectAll()
    .where('id', '=', connection.customergateway)
    .executeTakeFirstOrThrow();
  const vpc = await db
    .selectFrom('vpngateway')
    .innerJoin('vpc', 'vpc.id', 'vpngateway.vpc')
    .selectAll('vpc')
    .where('vpngateway.id', '=', connection.vpngateway)
    .executeTakeFirstOrThrow();
  return judgeSite({
    ...served(room, connection),
    id: connection.id,
    peer: other.gateway,
    peerName: other.name,
    kind: other.kind,
    passive: connection.passive === 1,
    state: connection.state,
    ...(connection.reason === null ? {} : { reason: connection.reason }),
    vpc: vpc.name,
    localCidr: vpc.cidr,
    remoteCidrs: other.cidrlist.split(','),
    further: await closedTierFacts(db, vpc, other.cidrlist.split(',')),
  });
}
