// Ports of switches: which there are, what each is for, and who may use it. Uplink and management ports are registered so that
// nobody ever touches them.
import { z } from 'zod';
import { EVERYBODY, ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { type Room, listCommand, writeCommand } from '../room.ts';
import { requiredPorts } from './carriage.ts';
import { removePort } from './switch.ts';
import { grantedPorts, showSwitchPorts, switchPortView, visiblePort } from './switch-port-view.ts';

type Port = Tables['switchport'];

/** `cable`: a host of ours hangs on it. `untouched`: never granted, attached or managed; uplinks are compared. */
const ROLES: Readonly<Record<string, 'open' | 'cable' | 'untouched'>> = {
  access: 'open',
  hypervisor: 'cable',
  gateway: 'cable',
  router: 'cable',
  uplink: 'untouched',
  management: 'untouched',
};

function readRole(text: string): string {
  const role = text.toLowerCase();
  if (ROLES[role] !== undefined) return role;
  throw refuse('parameter', `There is no role ${text} of a port: it is one of ${Object.keys(ROLES).join(', ')}`);
}

// What interfaces are called on switches: swp1, ge-0/0/1.0, GigabitEthernet1/0/1, Ethernet4, h1-eth0.
const NAME = /^[A-Za-z][\w./:-]{0,62}$/;
const MOST_AT_ONCE = 256;

/** `swp1..4` as swp1, swp2, swp3, swp4; a name without dots between numbers as it is. */
function expand(text: string): string[] {
  const range = /^(.*?)([0-9]{1,6})\.\.([0-9]{1,6})$/.exec(text);
  if (range === null) return [text];
  const [, stem = '', from = '', to = ''] = range;
  const count = Number(to) - Number(from) + 1;
  if (count < 1 || count > MOST_AT_ONCE)
    throw refuse('parameter', `${text} is no range of ports: write swp1..48, at most ${MOST_AT_ONCE} at once`);
  return Array.from({ length: count }, (_, index) => `${stem}${Number(from) + index}`);
}

function readNames(texts: readonly string[]): string[] {
  const names = [...new Set(texts.flatMap(expand))];
  if (names.length === 0) throw refuse('parameter', 'name is empty: name a port, several with commas, or swp1..48');
  if (names.length > MOST_AT_ONCE)
    throw refuse('parameter', `${names.length} ports are too many at once: ${MOST_AT_ONCE} at most`);
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined) {
    throw refuse(
      'parameter',
      `Invalid port name ${wrong}: a letter first, then letters, digits and . / : - _, 63 characters at most`,
    );
  }
  return names;
}

const hostParam = param
  .ref('host', 'The hypervisor, gateway node or router behind it, for those roles; of a router, its inside interface')
  .optional();
const managedParam = param.flag('false: its VLANs are compared, never written').optional();

export const addSwitchPort = writeCommand({
  name: 'addSwitchPort',
  summary: 'Registers ports of a switch',
  roles: ROOT,
  event: 'SWITCH.PORT.ADD',
  answer: { kind: 'list', key: 'switchport', view: switchPortView },
  params: z.object({
    switchid: param.ref('switch', 'The switch'),
    name: param.list('Name of the port; several with commas, a range as swp1..48'),
    role: param
      .text(
        'access, hypervisor, gateway, router, uplink (to other switches: compared) or management (never looked at); access where it is left out',
      )
      .optional(),
    hostid: hostParam,
    managed: managedParam,
  }),
  async write(room, want) {
    const on = await existing(room, 'switch', want.switchid, 'switchid');
    const names = readNames(want.name);
    const role = readRole(want.role ?? 'access');
    const host = await hostFor(room, on, role, want.hostid);
    if (role === 'router') await refuseSecondCable(room, on, names, host);
    const known = await room.db
      .selectFrom('switchport')
      .select('name')
      .where('switch', '=', on.id)
      .where('name', 'in', names)
      .executeTakeFirst();
    if (known !== undefined) throw refuse('parameter', `Switch ${on.name} has a port ${known.name} already`);
    const rows = names.map((name): Port => ({
      id: newId(),
      switch: on.id,
      name,
      role,
      host,
      managed: managedFor(role, want.managed),
      domain: null,
      account: null,
      carried: null,
      created: new Date().toISOString(),
    }));
    for (const row of rows) await room.tx.insert('switchport', row);
    return { count: rows.length, switchport: await showSwitchPorts(room, rows) };
  },
});

function managedFor(role: string, managed: boolean | undefined): 0 | 1 {
  if (ROLES[role] !== 'untouched') return managed === false ? 0 : 1;
  if (managed === true) throw refuse('parameter', `A port of role ${role} is never managed: leave managed out`);
  return 0;
}

async function hostFor(
  room: Room,
  on: Tables['switch'],
  role: string,
  hostid: string | undefined,
): Promise<string | null> {
  if (ROLES[role] !== 'cable') {
    if (hostid !== undefined)
      throw refuse(
        'parameter',
        `A port of role ${role} is no host's cable: leave hostid out, or give role hypervisor, gateway or router`,
      );
    return null;
  }
  if (hostid === undefined)
    throw refuse('parameter', `A port of role ${role} needs hostid: which ${role} is behind it?`);
  const host = await existing(room, 'host', hostid, 'hostid');
  if (ROLES[host.kind] !== 'cable')
    throw refuse(
      'parameter',
      `Host ${host.name} is a ${host.kind}, which carries no network: leave its port out, or give it role management`,
    );
  if (host.kind !== role)
    throw refuse('parameter', `Host ${host.name} is a ${host.kind}, so the role of its port is ${host.kind}`);
  if (host.zone !== on.zone) throw refuse('parameter', `Host ${host.name} is in another zone than switch ${on.name}`);
  return host.id;
}

/**
 * Networks' VLANs are set on the cable of a router's inside interface. The outside one hangs on the same switch where there is one only,
 * and which of two ports is which nobody but the operator knows.
 */
async function refuseSecondCable(
  room: Room,
  on: Tables['switch'],
  names: readonly string[],
  host: string | null,
): Promise<void> {
  const others = await room.db
    .selectFrom('switchport')
    .select('name')
    .where('switch', '=', on.id)
    .where('role', '=', 'router')
    .where('host', '=', host)
    .orderBy('name')
    .execute();
  const [first, second] = new Set([...others.map(({ name }) => name), ...names]);
  if (second === undefined) return;
  throw refuse(
    'parameter',
    `Port ${second} cannot be the router's, too: ${first} of switch ${on.name} is. Role router is for the cable of its inside interface alone, where the VLANs of networks are set; give the outside one role management`,
  );
}

export const listSwitchPorts = listCommand({
  name: 'listSwitchPorts',
  summary: 'Lists switch ports; with networkid those that must carry a network, and whether they do',
  roles: EVERYBODY,
  key: 'switchport',
  view: switchPortView,
  params: z.object({
    id: param.ref('switchport', 'The port with this id').optional(),
    switchid: param.ref('switch', 'Ports of this switch; for root').optional(),
    name: param.text('Ports of this name').optional(),
    role: param.text('Ports of this role').optional(),
    hostid: param.ref('host', 'The cables of this host; for root').optional(),
    networkid: param.ref('network', 'Ports that must carry this network').optional(),
    inuse: param.flag('true: only those a device is attached by; false: only those free').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    const root = room.call.caller.role === 'admin';
    if (want.id !== undefined) await visiblePort(room, want.id);
    if (root && want.switchid !== undefined) await existing(room, 'switch', want.switchid, 'switchid');
    if (root && want.hostid !== undefined) await existing(room, 'host', want.hostid, 'hostid');
    const network =
      want.networkid === undefined ? undefined : await visible(room, 'network', want.networkid, 'networkid');
    const required = network === undefined ? [] : await requiredPorts(room.db, [network]);
    let query = room.db.selectFrom('switchport').selectAll().where(grantedPorts(room.call.caller));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.switchid !== undefined) query = query.where('switch', '=', want.switchid);
    if (want.hostid !== undefined) query = query.where('host', '=', root ? want.hostid : '');
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.role !== undefined) query = query.where('role', '=', readRole(want.role));
    if (network !== undefined) query = query.where('id', 'in', ['', ...required.map(({ port }) => port.id)]);
    if (want.inuse !== undefined) {
      const used = room.db.selectFrom('member').select('switchport');
      query = query.where('id', want.inuse ? 'in' : 'not in', used);
    }
    const { count, rows } = await page(query.orderBy('switch').orderBy('created').orderBy('name'), want);
    return { count, rows: await showSwitchPorts(room, rows, required) };
  },
});

export const updateSwitchPort = writeCommand({
  name: 'updateSwitchPort',
  summary: 'Changes what a switch port is for, or whether it is ours to set',
  roles: ROOT,
  event: 'SWITCH.PORT.UPDATE',
  answer: { kind: 'object', key: 'switchport', view: switchPortView },
  params: z.object({
    id: param.ref('switchport', 'The port'),
    role: param.text('New role').optional(),
    hostid: hostParam,
    managed: managedParam,
  }),
  async write(room, want) {
    const port = await existing(room, 'switchport', want.id);
    const on = await existing(room, 'switch', port.switch);
    const role = want.role === undefined ? port.role : readRole(want.role);
    if (role !== port.role && ROLES[port.role] === 'open') {
      await refuseAttached(room, port, 'change its role');
      if (port.domain !== null)
        throw refuse(
          'failed',
          `Port ${port.name} is granted to a domain: revokeSwitchPort first, then change its role`,
        );
    }
    const hostid = want.hostid ?? (role === port.role ? (port.host ?? undefined) : undefined);
    const host = await hostFor(room, on, role, hostid);
    if (role === 'router' && host !== port.host) await refuseSecondCable(room, on, [port.name], host);
    const patch = {
      role,
      host,
      managed: managedFor(role, want.managed ?? (role === port.role ? port.managed === 1 : undefined)),
    };
    await room.tx.update('switchport', port.id, patch);
    return { switchport: (await showSwitchPorts(room, [{ ...port, ...patch }]))[0] };
  },
});

export const deleteSwitchPort = writeCommand({
  name: 'deleteSwitchPort',
  summary: 'Forgets a switch port that nothing is attached by; what is set there stays as it is',
  roles: ROOT,
  event: 'SWITCH.PORT.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('switchport', 'The port') }),
  async write(room, want) {
    const port = await existing(room, 'switchport', want.id);
    await refuseAttached(room, port, 'delete it');
    await removePort(room, port.id);
    return undefined;
  },
});

/** Refuses to `doing` with a port that devices are attached by, and names them. */
export async function refuseAttached(room: Room, port: Port, doing: string): Promise<void> {
  const members = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .innerJoin('network', 'network.id', 'member.network')
    .select(['device.name as device', 'network.name as network', 'member.state'])
    .where('member.switchport', '=', port.id)
    .orderBy('device.name')
    .execute();
  if (members.length === 0) return;
  const names = members.map(
    ({ device, network, state }) =>
      `device ${device} in network ${network}${state === 'Detaching' ? ' (being detached)' : ''}`,
  );
  throw refuse('inUse', `Can't ${doing}: port ${port.name} is in use by ${names.join(', ')}. Detach them first`);
}
