// How the members of a network look in answers, whatever they are: instances, devices, router nodes, private gateways. One form,
// so that one list is the whole inventory of a network.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';
import { type RequiredPort, reasonOf, requiredPorts } from './carriage.ts';
import { portNames } from './device.ts';
import { plannedOf } from './switch-view.ts';

const trunkView = z.object({
  switchname: field.string('the switch'),
  switchportname: field.string('the port'),
  behind: field.string('who is behind it'),
  carried: field.boolean('whether it carries the network; absent while the switch has not said'),
  reason: field.string('why it does not, and what helps'),
});

export const memberView = z.object({
  id: field.string('id of the membership; for instances that of the NIC'),
  kind: field.string('instance, device, router or privategateway'),
  name: field.string('name of the instance, device or router'),
  networkid: field.string('the network'),
  networkname: field.string('name of that network'),
  ipaddress: field.string('its address there'),
  secondaryip: field.list('further addresses', z.string()),
  macaddress: field.string('its MAC address, once it is known'),
  virtualmachineid: field.string('the instance'),
  deviceid: field.string('the device'),
  devicekind: field.string('server, router, vpn or other'),
  vpcid: field.string('the VPC of a private gateway'),
  place: field.string('where it is: a switch port, or for root a hypervisor or router'),
  hostid: field.string('the hypervisor or router; for root'),
  hostname: field.string('name of that host; for root'),
  switchid: field.string('the switch it is plugged in at; for root'),
  switchname: field.string('name of that switch'),
  switchportid: field.string('the port it is plugged in at'),
  switchportname: field.string('name of that port'),
  tagged: field.boolean('whether its frames carry the VLAN tag'),
  vlan: field.string('the VLAN; for root, and for devices that tag their frames themselves'),
  isgateway: field.boolean("whether the network's gateway address is its own"),
  state: field.string(
    'Attaching, Attached, Waiting or Detaching; of an instance its own state, of a router MASTER or BACKUP',
  ),
  reason: field.string('what it waits for, and what helps'),
  plannedchanges: field.list('the lines its switch waits for; for root', z.string()),
  trunks: field.list('the cables of hypervisors and routers that must carry the network, too; for root', trunkView),
  created: field.date('when it joined'),
  ...ownerFields,
});

export type MemberView = z.infer<typeof memberView>;

type Network = Tables['network'];

/** Devices in networks as their answers show them. */
export async function showMembers(room: Room, rows: readonly Tables['member'][]): Promise<MemberView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const root = room.call.caller.role === 'admin';
  const owner = await ownersOf(db, rows);
  const networkRows = await db
    .selectFrom('network')
    .selectAll()
    .where('id', 'in', [...new Set(rows.map((row) => row.network))])
    .execute();
  const networks = new Map(networkRows.map((row) => [row.id, row]));
  const deviceRows = await db
    .selectFrom('device')
    .select(['id', 'name', 'kind'])
    .where('id', 'in', [...new Set(rows.map((row) => row.device))])
    .execute();
  const devices = new Map(deviceRows.map((row) => [row.id, row]));
  const ports = await portNames(
    room,
    rows.map((row) => row.switchport),
  );
  const required = await requiredPorts(db, networkRows);
  return rows.map((row) => {
    const network = networks.get(row.network);
    const device = devices.get(row.device);
    const port = ports.get(row.switchport);
    const need = required.find((each) => each.network === row.network && each.port.id === row.switchport);
    return field.compact<MemberView>({
      id: row.id,
      kind: 'device',
      name: device?.name,
      networkid: row.network,
      networkname: network?.name,
      ipaddress: row.ip,
      macaddress: row.mac,
      deviceid: row.device,
      devicekind: device?.kind,
      place: port === undefined ? undefined : `switch ${port.on}, port ${port.name}`,
      switchid: root ? port?.switch : undefined,
      switchname: port?.on,
      switchportid: row.switchport,
      switchportname: port?.name,
      tagged: row.tagged === 1,
      // Whoever tags his frames himself has to know the number.
      vlan: root || row.tagged === 1 ? vlanOf(network) : undefined,
      isgateway: row.isgateway === 1,
      state: row.state,
      reason: waitsFor(row, need, root),
      plannedchanges: root && row.state !== 'Attached' && need !== undefined ? plannedOf(need.switch) : undefined,
      trunks: root ? trunksOf(required, row.network) : undefined,
      created: field.clientDate(row.created),
      ...owner(row),
    });
  });
}

/** The device in a network with this id as a job's result shows it. */
export async function viewMember(room: Room, id: string): Promise<MemberView | undefined> {
  const rows = await room.db.selectFrom('member').selectAll().where('id', '=', id).execute();
  return (await showMembers(room, rows))[0];
}

function vlanOf(network: Network | undefined): string | undefined {
  return network === undefined || network.vlan === null ? undefined : String(network.vlan);
}

function waitsFor(row: Tables['member'], need: RequiredPort | undefined, root: boolean): string | undefined {
  if (row.state === 'Detaching') return 'its port is being set back; until then its address stays reserved';
  return need === undefined || need.carried === true ? undefined : reasonOf(need, root);
}

function trunksOf(required: readonly RequiredPort[], network: string): z.infer<typeof trunkView>[] {
  return required
    .filter((each) => each.network === network && each.port.role !== 'access')
    .map((each) =>
      field.compact<z.infer<typeof trunkView>>({
        switchname: each.switch.name,
        switchportname: each.port.name,
        behind: each.behind,
        carried: each.carried,
        reason: each.carried === true ? undefined : reasonOf(each, true),
      }),
    );
}

/** Router nodes that route for the network. */
export async function showLegs(room: Room, network: Network): Promise<MemberView[]> {
  const root = room.call.caller.role === 'admin';
  const legs = await room.db
    .selectFrom('networkrouter')
    .innerJoin('host', 'host.id', 'networkrouter.host')
    .select([
      'networkrouter.id',
      'networkrouter.ip',
      'networkrouter.state',
      'networkrouter.created',
      'networkrouter.host',
    ])
    .select(['host.name'])
    .where('networkrouter.network', '=', network.id)
    .orderBy('networkrouter.priority', 'desc')
    .execute();
  const owner = await ownersOf(room.db, [network]);
  return legs.map((leg) =>
    field.compact<MemberView>({
      id: leg.id,
      kind: 'router',
      name: root ? leg.name : 'router',
      networkid: network.id,
      networkname: network.name,
      ipaddress: leg.ip,
      place: root ? `router ${leg.name}` : undefined,
      hostid: root ? leg.host : undefined,
      hostname: root ? leg.name : undefined,
      tagged: true,
      vlan: root ? vlanOf(network) : undefined,
      state: leg.state,
      created: field.clientDate(leg.created),
      ...owner(network),
    }),
  );
}

/** Names of hosts, for root alone. */
export async function hostNames(room: Room, ids: readonly (string | null)[]): Promise<Map<string, string>> {
  return room.call.caller.role === 'admin' ? namesOf(room.db, 'host', ids) : new Map();
}
