// How switch ports look in answers, and who may see one: root all, others those that were granted to them. A tenant is shown what he
// himself has behind a port and nothing of anybody else's.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import type { Caller } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import type { PortActual, SwitchActual } from '../../protocol/switch.ts';
import type { Tables } from '../../store/schema.ts';
import { subtree, unknownId, visibleRows } from '../access.ts';
import { namesOf } from '../join.ts';
import type { Room } from '../room.ts';
import type { RequiredPort } from './carriage.ts';
import { reasonOf } from './carriage.ts';
import { actualOf, findingView, showFindings } from './switch-view.ts';

type Port = Tables['switchport'];

const attachedView = z.object({
  memberid: field.string('id of the membership'),
  deviceid: field.string('the device'),
  devicename: field.string('its name'),
  networkid: field.string('the network it is in'),
  networkname: field.string('name of that network'),
  tagged: field.boolean('whether its frames carry the VLAN tag'),
  state: field.string('Attaching, Attached, Waiting or Detaching'),
});

export const switchPortView = z.object({
  id: field.string('id of the port'),
  name: field.string('its name on the switch'),
  switchid: field.string('its switch'),
  switchname: field.string('name of that switch'),
  physicalnetworkid: field.string('the physical network its switch carries'),
  role: field.string('access, hypervisor, gateway, router, uplink or management'),
  managed: field.boolean('whether its VLANs are ours to set; else they are only compared'),
  hostid: field.string('the hypervisor, gateway node or router behind it; for root'),
  hostname: field.string('name of that host; for root'),
  domainid: field.string('the domain it is granted to, with those below'),
  domain: field.string('name of that domain'),
  account: field.string('the account it is granted to, where it is one alone'),
  inuse: field.boolean('whether a device is attached by it'),
  attached: field.list('the devices attached by it that the caller may see', attachedView),
  up: field.boolean('whether its link is up, where the switch says so'),
  untaggedvlan: field.string('VLAN of untagged frames, as the switch says; for root'),
  taggedvlans: field.string('VLANs it carries tagged, as the switch says, or all; for root'),
  macaddress: field.list('MAC addresses seen behind it; for root, and for whom it is granted to', z.string()),
  neighbour: field.string('the system behind it, as it says itself (LLDP); for root'),
  findings: field.list('what is not as wanted; for root', findingView),
  networkid: field.string('the network that was asked for'),
  networkvlan: field.string('its VLAN; for root'),
  networkform: field.string('how the port must carry that network: tagged or untagged'),
  networkcarried: field.boolean('whether it does; absent while the switch has not said'),
  networkreason: field.string('why it does not, and what helps'),
  created: field.date('when it was registered'),
});

export type SwitchPortView = z.infer<typeof switchPortView>;

/** Which ports the caller may see: those granted to him, to a domain above him, or to somebody he administers. */
export function grantedPorts({ role, accountId, domainPath }: Caller): RawBuilder<SqlBool> {
  if (role === 'admin') return sql<SqlBool>`1 = 1`;
  const above = domainPath.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  const shared = sql<SqlBool>`(account is null and domain in (select id from ${sql.table('domain')} as above where above.path in (${sql.join(above)})))`;
  if (role === 'user') return sql<SqlBool>`(account = ${accountId} or ${shared})`;
  return sql<SqlBool>`(account = ${accountId} or ${shared} or domain in (select id from ${sql.table('domain')} as below where ${subtree(domainPath, 'below')}))`;
}

/** The port with this id, if the caller may see it; else refuses as unknown. */
export async function visiblePort(room: Room, id: string, param = 'id'): Promise<Port> {
  const row = await room.db
    .selectFrom('switchport')
    .selectAll()
    .where('id', '=', id)
    .where(grantedPorts(room.call.caller))
    .executeTakeFirst();
  if (row === undefined) throw unknownId(room, param, id);
  return row;
}

/** Ports as their answers show them; `required` says of those that must carry a network that was asked for how they fare. */
export async function showSwitchPorts(
  room: Room,
  rows: readonly Port[],
  required: readonly RequiredPort[] = [],
): Promise<SwitchPortView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const root = room.call.caller.role === 'admin';
  const switchRows = await db
    .selectFrom('switch')
    .selectAll()
    .where('id', 'in', [...new Set(rows.map((row) => row.switch))])
    .execute();
  const switches = new Map(switchRows.map((row) => [row.id, { row, actual: actualOf(row) }]));
  const hosts = await namesOf(
    db,
    'host',
    rows.map((row) => row.host),
  );
  const domains = await namesOf(
    db,
    'domain',
    rows.map((row) => row.domain),
  );
  const accounts = await namesOf(
    db,
    'account',
    rows.map((row) => row.account),
  );
  const ids = rows.map((row) => row.id);
  const used = new Set(
    (await db.selectFrom('member').select('switchport').where('switchport', 'in', ids).execute()).map(
      (row) => row.switchport,
    ),
  );
  const attached = await attachedAt(room, ids);
  return rows.map((row) => {
    const on = switches.get(row.switch);
    const there = on?.actual?.ports.find(({ name }) => name === row.name);
    const need = required.find(({ port }) => port.id === row.id);
    return field.compact<SwitchPortView>({
      id: row.id,
      name: row.name,
      switchid: row.switch,
      switchname: on?.row.name,
      physicalnetworkid: on?.row.physicalnetwork,
      role: row.role,
      managed: row.managed === 1,
      hostid: root ? row.host : undefined,
      hostname: root && row.host !== null ? hosts.get(row.host) : undefined,
      domainid: row.domain,
      domain: row.domain === null ? undefined : domains.get(row.domain),
      account: row.account === null ? undefined : accounts.get(row.account),
      inuse: used.has(row.id),
      attached: attached.get(row.id) ?? [],
      up: there?.up,
      ...(root ? vlansOf(there) : {}),
      // Behind a port that is granted to a whole domain, an address may be another tenant's.
      macaddress: root || row.account === room.call.caller.accountId ? macsAt(on?.actual, row.name) : undefined,
      neighbour: root ? on?.actual?.neighbours.find(({ port }) => port === row.name)?.system : undefined,
      findings: root && on !== undefined ? showFindings(on.row, row.name) : undefined,
      ...(need === undefined ? {} : fareOf(need, root)),
      created: field.clientDate(row.created),
    });
  });
}

function vlansOf(there: PortActual | undefined): Pick<SwitchPortView, 'untaggedvlan' | 'taggedvlans'> {
  if (there === undefined) return {};
  return {
    ...(there.untagged === undefined ? {} : { untaggedvlan: String(there.untagged) }),
    taggedvlans: there.tagged === 'all' ? 'all' : there.tagged.join(','),
  };
}

function macsAt(actual: SwitchActual | undefined, port: string): string[] | undefined {
  if (actual === undefined) return undefined;
  return [...new Set(actual.macs.filter((each) => each.port === port).map(({ mac }) => mac))].toSorted();
}

function fareOf(need: RequiredPort, root: boolean): Partial<SwitchPortView> {
  return {
    networkid: need.network,
    ...(root ? { networkvlan: String(need.vlan) } : {}),
    networkform: need.form,
    ...(need.carried === undefined ? {} : { networkcarried: need.carried }),
    ...(need.carried === true ? {} : { networkreason: reasonOf(need, root) }),
  };
}

/** Port -> what is attached by it, as far as the caller may see it. */
async function attachedAt(room: Room, ports: readonly string[]): Promise<Map<string, z.infer<typeof attachedView>[]>> {
  const members = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .innerJoin('network', 'network.id', 'member.network')
    .select([
      'member.id',
      'member.switchport',
      'member.device',
      'member.network',
      'member.tagged',
      'member.state',
      'device.name as devicename',
      'network.name as networkname',
    ])
    .where('member.switchport', 'in', [...ports])
    .where(visibleRows(room.call.caller, 'member'))
    .orderBy('device.name')
    .orderBy('member.id')
    .execute();
  const byPort = new Map<string, z.infer<typeof attachedView>[]>();
  for (const member of members) {
    const shown = {
      memberid: member.id,
      deviceid: member.device,
      devicename: member.devicename,
      networkid: member.network,
      networkname: member.networkname,
      tagged: member.tagged === 1,
      state: member.state,
    };
    byPort.set(member.switchport, [...(byPort.get(member.switchport) ?? []), shown]);
  }
  return byPort;
}
