// listNetworkMembers: everybody in a network in one inventory: instances, devices, router nodes and private gateways (claim S25 of
// the archives).
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { ip } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { visibleRows } from '../access.ts';
import { ownersOf } from '../join.ts';
import { readMac } from '../known.ts';
import { holds, pageOf, pageParams } from '../list.ts';
import { usableNetwork } from '../network/network-access.ts';
import { type Room, listCommand } from '../room.ts';
import { type MemberView, hostNames, memberView, showLegs, showMembers } from './member-view.ts';

type Network = Tables['network'];

const KINDS = ['instance', 'device', 'router', 'privategateway'] as const;

export const listNetworkMembers = listCommand({
  name: 'listNetworkMembers',
  summary: 'Lists everybody in a network: instances, physical devices, routers and private gateways',
  roles: EVERYBODY,
  key: 'networkmember',
  view: memberView,
  params: z.object({
    networkid: param.ref('network', 'The network'),
    id: param.ref('networkmember', 'The member with this id').optional(),
    kind: param.text('Members of this kind: instance, device, router or privategateway').optional(),
    ipaddress: param.address('The member with this address').optional(),
    macaddress: param.text('The member with this MAC address').optional(),
    state: param.text('Members in this state').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    const network = await usableNetwork(room, want.networkid, 'networkid');
    const kind = want.kind?.toLowerCase();
    if (kind !== undefined && !KINDS.some((name) => name === kind))
      throw refuse('parameter', `There is no kind ${want.kind} of a member: it is one of ${KINDS.join(', ')}`);
    const mac = want.macaddress === undefined ? undefined : readMac(want.macaddress);
    const all = [
      ...(await instancesIn(room, network)),
      ...(await devicesIn(room, network)),
      ...(await showLegs(room, network)),
      ...(await gatewaysIn(room, network)),
    ];
    const found = all.filter(
      (member) =>
        (want.id === undefined || member.id === want.id) &&
        (kind === undefined || member.kind === kind) &&
        (want.state === undefined || member.state?.toLowerCase() === want.state.toLowerCase()) &&
        (want.ipaddress === undefined ||
          member.ipaddress === want.ipaddress ||
          member.secondaryip?.includes(want.ipaddress) === true) &&
        (mac === undefined || member.macaddress === mac) &&
        holds(member.name, want.keyword),
    );
    return pageOf(found.toSorted(byAddress), want);
  },
});

/** By address; those without one come last, by name. */
function byAddress(a: MemberView, b: MemberView): number {
  const [left, right] = [a, b].map(({ ipaddress }) => (ipaddress === undefined ? Infinity : ip(ipaddress)));
  if (left !== right) return left! - right!;
  return `${a.name}/${a.id}` < `${b.name}/${b.id}` ? -1 : 1;
}

/** All devices for whoever has the network; his own for whoever only shares it. */
async function devicesIn(room: Room, network: Network): Promise<MemberView[]> {
  const { caller } = room.call;
  const rows = await room.db
    .selectFrom('member')
    .innerJoin('network', 'network.id', 'member.network')
    .selectAll('member')
    .where('member.network', '=', network.id)
    .where((eb) => eb.or([visibleRows(caller, 'member'), visibleRows(caller, 'network')]))
    .execute();
  return showMembers(room, rows);
}

/** The instances the caller may see: others may be in a network that a whole domain shares. */
async function instancesIn(room: Room, network: Network): Promise<MemberView[]> {
  const rows = await room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select(['nic.id', 'nic.ip', 'nic.mac', 'nic.created', 'nic.instance'])
    .select(['instance.displayname', 'instance.state', 'instance.host', 'instance.account', 'instance.domain'])
    .where('nic.network', '=', network.id)
    .where(visibleRows(room.call.caller, 'instance'))
    .execute();
  if (rows.length === 0) return [];
  const owner = await ownersOf(room.db, rows);
  const hosts = await hostNames(
    room,
    rows.map((row) => row.host),
  );
  const extra = await room.db
    .selectFrom('nicaddress')
    .select(['nic', 'ip'])
    .where(
      'nic',
      'in',
      rows.map((row) => row.id),
    )
    .orderBy('created')
    .execute();
  const secondary = Map.groupBy(extra, (row) => row.nic);
  return rows.map((row) => {
    const host = row.host === null ? undefined : hosts.get(row.host);
    return field.compact<MemberView>({
      id: row.id,
      kind: 'instance',
      name: row.displayname,
      networkid: network.id,
      networkname: network.name,
      ipaddress: row.ip,
      secondaryip: secondary.get(row.id)?.map((each) => each.ip),
      macaddress: row.mac,
      virtualmachineid: row.instance,
      place: host === undefined ? undefined : `hypervisor ${host}`,
      hostid: host === undefined ? undefined : row.host,
      hostname: host,
      state: row.state,
      created: field.clientDate(row.created),
      ...owner(row),
    });
  });
}

/** Private gateways of the VPCs that the caller may see. */
async function gatewaysIn(room: Room, network: Network): Promise<MemberView[]> {
  const rows = await room.db
    .selectFrom('privategateway')
    .innerJoin('vpc', 'vpc.id', 'privategateway.vpc')
    .select(['privategateway.id', 'privategateway.ip', 'privategateway.state', 'privategateway.vpc', 'vpc.name'])
    .select(['privategateway.account', 'privategateway.domain', 'privategateway.created'])
    .where('privategateway.network', '=', network.id)
    .where(visibleRows(room.call.caller, 'privategateway'))
    .execute();
  const owner = await ownersOf(room.db, rows);
  return rows.map((row) =>
    field.compact<MemberView>({
      id: row.id,
      kind: 'privategateway',
      name: `VPC ${row.name}`,
      networkid: network.id,
      networkname: network.name,
      ipaddress: row.ip,
      vpcid: row.vpc,
      state: row.state,
      created: field.clientDate(row.created),
      ...owner(row),
    }),
  );
}
