// The commands about routers: those that OVN is, which are no machines, and the Linux routers of networks, which are. What can be done
// to one follows from what it is.
import { z } from 'zod';
import { ADMINS, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { existing, unknownId } from '../access.ts';
import { knownIds } from '../known.ts';
import { holds, ownedRows, ownerParams, pageOf, pageParams } from '../list.ts';
import { type JobAnswer, type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { type LinuxRouter, linuxRouter, showLinuxRouters } from './linux-router.ts';
import { moveLeg } from './network-router.ts';
import { routersOfNetworks, routersOfVpcs, showOvnRouters } from './ovn-router.ts';
import { type FoundRouter, ovnRouter, startOvnRouter, stopOvnRouter, turnOvnRouter } from './ovn-router-change.ts';
import { type RouterView, hostName, onNode, routerView, seesHosts } from './router-view.ts';

/** The router with this id as a job's result shows it. */
export async function viewRouter(room: Room, id: string): Promise<RouterView | undefined> {
  const linux = await linuxRouter(room, id);
  const ovn = linux === undefined ? await ovnRouter(room, id) : undefined;
  const shown = [
    ...(linux === undefined ? [] : await showLinuxRouters(room, [linux.network])),
    ...(ovn === undefined ? [] : await showOvnRouters(room, [ovn.router])),
  ];
  return shown.find((router) => router.id === id);
}

export const listRouters = listCommand({
  name: 'listRouters',
  summary: 'Lists routers: Linux routers of networks, and rows that stand for what OVN routes on every hypervisor',
  roles: WATCHERS,
  key: 'router',
  view: routerView,
  params: z.object({
    id: param.ref('router', 'The router with this id').optional(),
    name: param.text('Routers of this name').optional(),
    state: param.text('Routers in this state: Running or Stopped').optional(),
    vpcid: param.ref('vpc', 'Routers of this VPC').optional(),
    networkid: param.ref('network', 'Routers with a leg in this network').optional(),
    zoneid: param.ref('zone', 'Routers in this zone').optional(),
    hostid: param.ref('host', 'Routers on this host').optional(),
    podid: param.ref('pod', 'Accepted: a zone has one pod').optional(),
    clusterid: param.ref('cluster', 'Accepted: a zone has one cluster').optional(),
    forvpc: param.flag('Whether they belong to a VPC').optional(),
    version: param.text('Routers of this version').optional(),
    fetchhealthcheckresults: param.flag('Accepted; see findings').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { vpcid: 'vpc', networkid: 'network' });
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.hostid !== undefined) {
      // What hosts there are is the operator's business: to others every id looks the same.
      if (!seesHosts(room))
        throw refuse(
          'permission',
          'Parameter hostid can only be specified by a Root Admin, permission denied: leave it out',
        );
      await existing(room, 'host', want.hostid, 'hostid');
    }
    if (want.id !== undefined && (await viewRouter(room, want.id)) === undefined) throw unknownId(room, 'id', want.id);
    const all = [
      ...(want.vpcid === undefined && want.forvpc !== true ? await ofNetworks(room, want) : []),
      ...(want.forvpc === false ? [] : await ofVpcs(room, want)),
    ];
    const routers = all.filter(
      (router) =>
        (want.id === undefined || router.id === want.id) &&
        (want.name === undefined || router.name?.toLowerCase() === want.name.toLowerCase()) &&
        holds(router.name, want.keyword) &&
        (want.state === undefined || router.state?.toLowerCase() === want.state.toLowerCase()) &&
        (want.version === undefined || router.version === want.version) &&
        (want.hostid === undefined || router.hostid === want.hostid) &&
        (want.networkid === undefined || router.nic?.some((nic) => nic.networkid === want.networkid) === true),
    );
    return pageOf(routers, want);
  },
});

type Where = Parameters<typeof ownedRows>[2] & {
  readonly vpcid?: string | undefined;
  readonly networkid?: string | undefined;
  readonly zoneid?: string | undefined;
};

async function ofVpcs(room: Room, want: Where): Promise<RouterView[]> {
  let query = room.db
    .selectFrom('vpc')
    .selectAll()
    .where(await ownedRows(room, 'vpc', want));
  if (want.vpcid !== undefined) query = query.where('id', '=', want.vpcid);
  if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
  const vpcs = await query.orderBy('created', 'desc').orderBy('id', 'desc').execute();
  return showOvnRouters(room, await routersOfVpcs(room, vpcs));
}

async function ofNetworks(room: Room, want: Where): Promise<RouterView[]> {
  let query = room.db
    .selectFrom('network')
    .selectAll()
    .where(await ownedRows(room, 'network', want))
    .where('vpc', 'is', null);
  if (want.networkid !== undefined) query = query.where('id', '=', want.networkid);
  if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
  const networks = await query.orderBy('created', 'desc').orderBy('id', 'desc').execute();
  return [
    ...(await showOvnRouters(room, await routersOfNetworks(room, networks))),
    ...(await showLinuxRouters(room, networks)),
  ];
}

function routerCommand(
  name: 'startRouter' | 'stopRouter' | 'rebootRouter' | 'destroyRouter',
  summary: string,
  event: string,
  toLinux: (room: WriteRoom, router: LinuxRouter) => Promise<string>,
  toOvn: (room: WriteRoom, router: FoundRouter) => Promise<string>,
) {
  return jobCommand({
    name,
    summary,
    roles: ADMINS,
    event,
    answer: { kind: 'object', key: 'router', view: routerView },
    params: z.object({ id: param.ref('router', 'The router'), forced: param.flag('Makes no difference').optional() }),
    async job(room, want): Promise<JobAnswer> {
      const answer = { about: { type: 'DomainRouter', id: want.id }, view: 'router' };
      const linux = await linuxRouter(room, want.id);
      if (linux !== undefined) return { ...answer, text: await toLinux(room, linux) };
      const found = await ovnRouter(room, want.id);
      if (found === undefined) throw unknownId(room, 'id', want.id);
      return { ...answer, text: await toOvn(room, found) };
    },
  });
}

export const startRouter = routerCommand(
  'startRouter',
  'Lets the node of a router that was stopped carry it again; a Linux router runs as long as its node does',
  'ROUTER.START',
  async (room, { leg, network, host }) => {
    if (host.state !== 'Up') {
      throw refuse(
        'failed',
        `The router of network ${network.name} ${onNode(room, host)} cannot be started from here: the node is ${host.state}. ${seesHosts(room) ? 'Start its agent; or move' : 'Move'} the router to another node with rebootRouter`,
      );
    }
    await room.tx.touch('networkrouter', leg.id);
    return `starting the router of network ${network.name} ${onNode(room, host)}`;
  },
  startOvnRouter,
);

export const rebootRouter = routerCommand(
  'rebootRouter',
  'Has the next node carry the way out that this one carries, and everything looked at again; a Linux router whose node is not Up goes to another node',
  'ROUTER.REBOOT',
  async (room, { leg, network, host }) => {
    if (host.state === 'Up') {
      await room.tx.touch('networkrouter', leg.id);
      return `looking again at the router of network ${network.name} ${onNode(room, host)}`;
    }
    return movedAway(room, { leg, network, host });
  },
  (room, found) => turnOvnRouter(room, found, 'rebooting'),
);

export const destroyRouter = routerCommand(
  'destroyRouter',
  'Makes a router anew on another node; nothing of it is lost meanwhile',
  'ROUTER.DESTROY',
  movedAway,
  (room, found) => turnOvnRouter(room, found, 'making anew'),
);

async function movedAway(room: WriteRoom, { leg, network, host }: LinuxRouter): Promise<string> {
  const to = await moveLeg(room, leg, network);
  if (to === undefined) {
    throw refuse(
      'capacity',
      `The router of network ${network.name} cannot leave ${hostName(room, host)}: no other router node is Up, Enabled, without a leg of this network and free to route for ${network.cidr}. Add one with createJoinToken kind=router, or start one that is Down`,
    );
  }
  return `moving the router of network ${network.name} from ${seesHosts(room) ? `node ${host.name} to ${to}` : 'its node to another'}`;
}

export const stopRouter = routerCommand(
  'stopRouter',
  'Has another node carry the way out that this one carries, until it is started; refused for the last node that could',
  'ROUTER.STOP',
  async (room, { network, host }) => {
    throw refuse(
      'failed',
      `The router of network ${network.name} cannot be stopped alone: it is what ${hostName(room, host)} does for the network. To take the node out of use, ${seesHosts(room) ? 'call' : 'ask the operator for'} prepareHostForMaintenance: its routers move away`,
    );
  },
  stopOvnRouter,
);
