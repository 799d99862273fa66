// Which switch ports must carry a network, whether they do by what their switches said last, and what to tell of those that do
// not. The same rule as store/switch-unit.ts, asked of SQL for a few networks instead of kept in memory for all.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { routedBy, servicesOf } from '../../model/network-service.ts';
import { carries } from '../../protocol/port-state.ts';
import type { PortActual } from '../../protocol/switch.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import { findingsOf } from '../../store/switches.ts';
import type { Room } from '../room.ts';
import { actualOf } from './switch-view.ts';

type Network = Tables['network'];

/** A port that a network's frames must pass. */
export interface RequiredPort {
  readonly network: string;
  readonly vlan: number;
  readonly form: 'tagged' | 'untagged';
  readonly port: Tables['switchport'];
  readonly switch: Tables['switch'];
  /** Who is behind it: `hypervisor h1`, `device fileserver`, `other switches`. */
  readonly behind: string;
  /** Undefined while the switch has not said. */
  readonly carried: boolean | undefined;
}

interface Need {
  readonly network: Network;
  readonly port: Tables['switchport'];
  readonly form: 'tagged' | 'untagged';
  readonly behind: string;
}

/** The ports that these networks need, network by network; those of an overlay need none. */
export async function requiredPorts(db: Db, networks: readonly Network[]): Promise<RequiredPort[]> {
  const wired = networks.filter(({ segment, vlan }) => segment === 'vlan' && vlan !== null);
  if (wired.length === 0) return [];
  const switches = new Map((await db.selectFrom('switch').selectAll().execute()).map((row) => [row.id, row]));
  if (switches.size === 0) return [];
  const ends = [...(await memberNeeds(db, wired)), ...(await cableNeeds(db, wired))];
  const needs = [...ends, ...(await uplinkNeeds(db, wired, ends, switches))];
  const actuals = new Map<string, Map<string, PortActual>>();
  const actualPort = (on: Tables['switch'], name: string): PortActual | undefined => {
    const ports = actuals.get(on.id) ?? new Map((actualOf(on)?.ports ?? []).map((each) => [each.name, each]));
    actuals.set(on.id, ports);
    return ports.get(name);
  };
  const seen = new Set<string>();
  return needs.flatMap(({ network, port, form, behind }) => {
    const on = switches.get(port.switch);
    const key = `${network.id}/${port.id}/${form}`;
    if (on === undefined || on.physicalnetwork !== network.physicalnetwork || seen.has(key)) return [];
    seen.add(key);
    const vlan = network.vlan!;
    const there = actualPort(on, port.name);
    const carried =
      on.driver === 'instructions'
        ? on.documented > 0 && on.reached >= on.documented
        : there === undefined
          ? on.actual === null
            ? undefined
            : false
          : carries(there, vlan, form);
    return [{ network: network.id, vlan, form, port, switch: on, behind, carried }];
  });
}

async function memberNeeds(db: Db, networks: readonly Network[]): Promise<Need[]> {
  const byId = new Map(networks.map((network) => [network.id, network]));
  const members = await db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['member.network', 'member.switchport', 'member.tagged', 'device.name'])
    .where('member.network', 'in', [...byId.keys()])
    .where('member.state', '!=', 'Detaching')
    .orderBy('device.name')
    .execute();
  if (members.length === 0) return [];
  const ids = members.map((member) => member.switchport);
  const ports = new Map(
    (await db.selectFrom('switchport').selectAll().where('id', 'in', ids).execute()).map((row) => [row.id, row]),
  );
  return members.map((member) => ({
    network: byId.get(member.network)!,
    port: ports.get(member.switchport)!,
    form: member.tagged === 1 ? 'tagged' : 'untagged',
    behind: `device ${member.name}`,
  }));
}

/** The uplinks of switches that have ends of the same network: its frames go from one to the other. */
async function uplinkNeeds(
  db: Db,
  networks: readonly Network[],
  ends: readonly Need[],
  switches: ReadonlyMap<string, Tables['switch']>,
): Promise<Need[]> {
  const uplinks = await db.selectFrom('switchport').selectAll().where('role', '=', 'uplink').orderBy('name').execute();
  return networks.flatMap((network) => {
    const at = ends.filter((end) => end.network === network).map(({ port }) => port.switch);
    const among = new Set(at.filter((id) => switches.get(id)?.physicalnetwork === network.physicalnetwork));
    if (among.size < 2) return [];
    return uplinks
      .filter((port) => among.has(port.switch) && switches.get(port.switch)?.driver !== 'instructions')
      .map((port): Need => ({ network, port, form: 'tagged', behind: 'other switches' }));
  });
}

/** The cables of hypervisors, gateway nodes and routers. */
async function cableNeeds(db: Db, networks: readonly Network[]): Promise<Need[]> {
  const ports = await db
    .selectFrom('switchport')
    .selectAll()
    .where('role', 'in', ['hypervisor', 'gateway', 'router'])
    .where('host', 'is not', null)
    .orderBy('name')
    .execute();
  if (ports.length === 0) return [];
  const hosts = new Map(
    (await db.selectFrom('host').select(['id', 'name', 'kind']).execute()).map((row) => [row.id, row]),
  );
  const places = await placesOf(db, networks);
  const everywhere = await routedEverywhere(db, networks);
  return networks.flatMap((network) =>
    ports.flatMap((port): Need[] => {
      const host = hosts.get(port.host!);
      if (host === undefined) return [];
      const needed =
        places.get(network.id)?.has(host.id) === true ||
        ((host.kind === 'hypervisor' || host.kind === 'gateway') && everywhere.has(network.id));
      return needed ? [{ network, port, form: 'tagged', behind: `${host.kind} ${host.name}` }] : [];
    }),
  );
}

/** Network -> hosts where its instances run or move from, and routers that route for it. */
async function placesOf(db: Db, networks: readonly Network[]): Promise<Map<string, Set<string>>> {
  const ids = networks.map(({ id }) => id);
  const nics = await db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select(['nic.network', 'instance.host', 'instance.migratefrom'])
    .distinct()
    .where('nic.network', 'in', ids)
    .execute();
  const legs = await db.selectFrom('networkrouter').select(['network', 'host']).where('network', 'in', ids).execute();
  const places = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]));
  for (const { network, host, migratefrom } of nics)
    for (const at of [host, migratefrom]) if (at !== null) places.get(network)?.add(at);
  for (const { network, host } of legs) places.get(network)?.add(host);
  return places;
}

/** Networks that OVN routes for: its router ports may be at any hypervisor or gateway node. */
async function routedEverywhere(db: Db, networks: readonly Network[]): Promise<Set<string>> {
  const offerings = [...new Set(networks.map(({ offering }) => offering))];
  const services = new Map(
    (await db.selectFrom('networkoffering').select(['id', 'services']).where('id', 'in', offerings).execute()).map(
      (row) => [row.id, row],
    ),
  );
  const ids = networks.map(({ id }) => id);
  const joined = new Set(
    (await db.selectFrom('privategateway').select('network').where('network', 'in', ids).execute()).map(
      (row) => row.network,
    ),
  );
  return new Set(
    networks
      .filter((network) => {
        if (network.vpc !== null) return true;
        if (network.guesttype === 'Private') return joined.has(network.id);
        const offering = services.get(network.offering);
        return network.gateway !== null && offering !== undefined && routedBy(servicesOf(offering)) === 'Ovn';
      })
      .map(({ id }) => id),
  );
}

export const notRealizedView = z.object({
  target: field.string('where it is not realized'),
  since: field.date('since when, as far as that is known'),
  text: field.string('what is missing there, and why'),
});

export type NotRealized = z.infer<typeof notRealizedView>;

/** Network -> what of it is not realized on switches. Tenants are told of their own devices' ports by name, of cables in general. */
export async function notRealized(room: Room, networks: readonly Network[]): Promise<Map<string, NotRealized[]>> {
  const root = room.call.caller.role === 'admin';
  const told = new Map<string, NotRealized[]>();
  for (const required of await requiredPorts(room.db, networks)) {
    const lacks = required.carried === false || (required.carried === undefined && required.switch.state !== 'Up');
    if (!lacks) continue;
    const entry = root || required.port.role === 'access' ? atPort(required, root) : IN_GENERAL;
    const entries = told.get(required.network) ?? [];
    if (!entries.includes(entry)) told.set(required.network, [...entries, entry]);
  }
  return told;
}

const IN_GENERAL: NotRealized = {
  target: 'a switch of the operator',
  text: 'its frames do not reach all the hosts that need them: a switch on the way does not carry its VLAN. Instances on one hypervisor reach each other; the operator sees the port in listSwitches',
};

/** What keeps a port from carrying a network, as root or the owner of the device behind it reads it. */
function atPort(required: RequiredPort, root: boolean): NotRealized {
  const { vlan, form, port, switch: on, behind } = required;
  const finding = findingsOf(on).find((each) => each.port === port.name && (each.vlan ?? vlan) === vlan);
  const since = finding?.since ?? (on.state === 'Down' ? on.lastseen : null);
  const what = root ? `VLAN ${vlan} is not on it ${form}` : `it does not carry the network ${form}`;
  return field.compact<NotRealized>({
    target: `switch ${on.name}, port ${port.name}`,
    since: since === null ? undefined : field.clientDate(since),
    text: `switch ${on.name}, port ${port.name} (${behind}): ${what}: ${reasonOf(required, root)}`,
  });
}

/** Why a port is not as it should be, and what helps. */
export function reasonOf({ port, switch: on }: RequiredPort, root: boolean): string {
  if (on.driver === 'instructions')
    return root
      ? 'the network team has not confirmed the lines that listSwitches shows (confirmSwitchChanges)'
      : 'it waits for the network team';
  if (on.state === 'Down') return root ? (on.error ?? 'the switch does not answer') : 'the switch does not answer';
  if (on.state === 'Connecting') return 'the switch has not answered yet';
  if (on.apply === 0)
    return root ? 'the switch is only looked at; updateSwitch apply=true lets it be set' : 'it waits for the operator';
  if (port.managed === 0)
    return root
      ? `the port is not ours to set; set it there${port.role === 'uplink' ? '' : ', or updateSwitchPort managed=true'}`
      : 'it waits for the operator';
  return root ? (on.error ?? 'it is being set') : 'it is being set';
}
