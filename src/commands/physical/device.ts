// Devices: machines that are not ours to start or stop. A tenant says that he has one; where it is plugged in may be said at once
// or when it is attached to a network.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { readMac } from '../known.ts';
import { containing, named, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { some } from '../network/network.ts';
import { usableNetwork } from '../network/network-access.ts';
import { hasMacBeside } from '../network/network-mac.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, listCommand, writeCommand } from '../room.ts';
import { visiblePort } from './switch-port-view.ts';

type Device = Tables['device'];

const placeView = z.object({
  memberid: field.string('id of the membership'),
  networkid: field.string('the network'),
  networkname: field.string('its name'),
  ipaddress: field.string('its address there'),
  state: field.string('Attaching, Attached, Waiting or Detaching'),
});

export const deviceView = z.object({
  id: field.string('id of the device'),
  name: field.string('its name'),
  kind: field.string('server, router, vpn or other'),
  macaddress: field.string('its MAC address, where it was registered with one'),
  switchportid: field.string('the switch port it is plugged in at'),
  switchportname: field.string('name of that port'),
  switchname: field.string('name of that switch'),
  network: field.list('the networks it is in', placeView),
  created: field.date('when it was registered'),
  ...ownerFields,
});

type DeviceView = z.infer<typeof deviceView>;

/** Devices as their answers show them. */
export async function showDevices(room: Room, rows: readonly Device[]): Promise<DeviceView[]> {
  if (rows.length === 0) return [];
  const owner = await ownersOf(room.db, rows);
  const ports = await portNames(
    room,
    rows.map((row) => row.switchport),
  );
  const members = await room.db
    .selectFrom('member')
    .innerJoin('network', 'network.id', 'member.network')
    .select(['member.id', 'member.device', 'member.network', 'network.name', 'member.ip', 'member.state'])
    .where(
      'member.device',
      'in',
      rows.map((row) => row.id),
    )
    .orderBy('network.name')
    .execute();
  const byDevice = Map.groupBy(members, (member) => member.device);
  return rows.map((row) => {
    const port = row.switchport === null ? undefined : ports.get(row.switchport);
    return field.compact<DeviceView>({
      id: row.id,
      name: row.name,
      kind: row.kind,
      macaddress: row.mac,
      switchportid: row.switchport,
      switchportname: port?.name,
      switchname: port?.on,
      network: (byDevice.get(row.id) ?? []).map((member) =>
        field.compact<z.infer<typeof placeView>>({
          memberid: member.id,
          networkid: member.network,
          networkname: member.name,
          ipaddress: member.ip,
          state: member.state,
        }),
      ),
      created: field.clientDate(row.created),
      ...owner(row),
    });
  });
}

/** Port id -> its name and its switch's. */
export async function portNames(
  room: Room,
  ids: readonly (string | null)[],
): Promise<Map<string, { readonly name: string; readonly on: string; readonly switch: string }>> {
  const rows = await room.db
    .selectFrom('switchport')
    .innerJoin('switch', 'switch.id', 'switchport.switch')
    .select(['switchport.id', 'switchport.name', 'switchport.switch', 'switch.name as on'])
    .where('switchport.id', 'in', ['', ...ids.filter((id) => id !== null)])
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

const KINDS = ['server', 'router', 'vpn', 'other'] as const;

function readKind(text: string): string {
  const kind = KINDS.find((name) => name === text.toLowerCase());
  if (kind === undefined)
    throw refuse('parameter', `There is no kind ${text} of a device: it is one of ${KINDS.join(', ')}`);
  return kind;
}

async function checkPort(room: Room, id: string): Promise<string> {
  const port = await visiblePort(room, id, 'switchportid');
  if (port.role === 'access') return port.id;
  throw refuse('parameter', `Port ${port.name} is no port for devices: its role is ${port.role}`);
}

async function refuseTwin(room: Room, account: string, name: string): Promise<void> {
  if (!/^[A-Za-z0-9]([A-Za-z0-9 ._-]{0,61}[A-Za-z0-9])?$/.test(name)) {
    throw refuse(
      'parameter',
      `Invalid device name ${name}: up to 63 letters, digits, spaces, dashes, dots and underscores; a letter or digit first and last`,
    );
  }
  const twin = await room.db
    .selectFrom('device')
    .select('id')
    .where('account', '=', account)
    .where('name', '=', name)
    .executeTakeFirst();
  if (twin !== undefined) throw refuse('parameter', `The account has a device called ${name} already: ${twin.id}`);
}

async function refuseMacTwin(room: Room, account: string, mac: string, self?: string): Promise<void> {
  const twin = await room.db
    .selectFrom('device')
    .select(['id', 'name'])
    .where('account', '=', account)
    .where('mac', '=', mac)
    .executeTakeFirst();
  if (twin !== undefined && twin.id !== self)
    throw refuse('parameter', `Device ${twin.name} has MAC address ${mac} already: one card cannot be two devices`);
}

/** Refuses to have a device in a network where somebody has its MAC address. */
export async function refuseTakenMac(
  room: Room,
  network: Tables['network'],
  { id, name, mac }: Pick<Device, 'id' | 'name' | 'mac'>,
): Promise<void> {
  if (mac === null || !(await hasMacBeside(room, network, mac, id))) return;
  throw refuse(
    'parameter',
    `Device ${name} cannot be in network ${network.name} with this address: MAC address ${mac} is taken in network ${network.name} by another device or an interface, or it is its router's, and each would get frames of the other. Give the device another card, or say its right address (updateDevice macaddress=…)`,
  );
}

const networkOf = (room: Room, id: string): Promise<Tables['network']> =>
  room.db.selectFrom('network').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

export const registerDevice = writeCommand({
  name: 'registerDevice',
  summary: 'Registers a machine that is not an instance: a server, a router, a VPN device',
  roles: WRITERS,
  event: 'DEVICE.REGISTER',
  answer: { kind: 'object', key: 'device', view: deviceView },
  params: z.object({
    name: param.text('Name of the device', 63),
    kind: param.text('server, router, vpn or other; server where it is left out').optional(),
    macaddress: param.text('Its MAC address; where it is left out, the switch is asked').optional(),
    switchportid: param.ref('switchport', 'The switch port it is plugged in at').optional(),
    ...forParams,
  }),
  async write(room, want) {
    const owner = await ownerOf(room, want);
    await refuseTwin(room, owner.account.id, want.name);
    const mac = want.macaddress === undefined ? null : readMac(want.macaddress);
    if (mac !== null) await refuseMacTwin(room, owner.account.id, mac);
    const row: Device = {
      id: newId(),
      name: want.name,
      kind: readKind(want.kind ?? 'server'),
      mac,
      switchport: want.switchportid === undefined ? null : await checkPort(room, want.switchportid),
      account: owner.account.id,
      domain: owner.domain.id,
      created: new Date().toISOString(),
    };
    await room.tx.insert('device', row);
    return { device: (await showDevices(room, [row]))[0] };
  },
});

export const listDevices = listCommand({
  name: 'listDevices',
  summary: 'Lists devices and the networks they are in',
  roles: EVERYBODY,
  key: 'device',
  view: deviceView,
  params: z.object({
    id: param.ref('device', 'The device with this id').optional(),
    name: param.text('Devices of this name').optional(),
    kind: param.text('Devices of this kind').optional(),
    networkid: param.ref('network', 'Devices in this network').optional(),
    switchportid: param.ref('switchport', 'Devices plugged in at this switch port').optional(),
    macaddress: param.text('The device with this MAC address').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await visible(room, 'device', want.id);
    if (want.networkid !== undefined) await usableNetwork(room, want.networkid, 'networkid');
    if (want.switchportid !== undefined) await visiblePort(room, want.switchportid, 'switchportid');
    let query = room.db
      .selectFrom('device')
      .selectAll()
      .where(await ownedRows(room, 'device', want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.kind !== undefined) query = query.where('kind', '=', readKind(want.kind));
    if (want.switchportid !== undefined) query = query.where('switchport', '=', want.switchportid);
    if (want.macaddress !== undefined) query = query.where('mac', '=', readMac(want.macaddress));
    if (want.networkid !== undefined) {
      const members = room.db.selectFrom('member').select('device').where('network', '=', want.networkid);
      query = query.where('id', 'in', members);
    }
    const { count, rows } = await page(query.orderBy('name').orderBy('id'), want);
    return { count, rows: await showDevices(room, rows) };
  },
});

export const updateDevice = writeCommand({
  name: 'updateDevice',
  summary: 'Changes a device; where it is plugged in only while it is in no network',
  roles: WRITERS,
  event: 'DEVICE.UPDATE',
  answer: { kind: 'object', key: 'device', view: deviceView },
  params: z.object({
    id: param.ref('device', 'The device'),
    name: param.text('New name', 63).optional(),
    kind: param.text('New kind').optional(),
    macaddress: param.text('New MAC address; empty: ask the switch').optional(),
    switchportid: param.ref('switchport', 'The switch port it is plugged in at now').optional(),
  }),
  async write(room, want) {
    const row = await visible(room, 'device', want.id);
    const patch: Partial<Device> = {};
    if (want.name !== undefined && want.name !== row.name) {
      await refuseTwin(room, row.account, want.name);
      patch.name = want.name;
    }
    if (want.kind !== undefined) patch.kind = readKind(want.kind);
    if (want.switchportid !== undefined && want.switchportid !== row.switchport) {
      patch.switchport = await checkPort(room, want.switchportid);
      await refuseInNetwork(room, row, 'say that it is plugged in elsewhere', 'moveDevice moves it with its networks');
    }
    if (want.macaddress !== undefined) {
      const mac = want.macaddress === '' ? null : readMac(want.macaddress);
      if (mac !== null) await refuseMacTwin(room, row.account, mac, row.id);
      patch.mac = mac;
      const members = await room.db.selectFrom('member').selectAll().where('device', '=', row.id).execute();
      for (const { network } of mac === null ? [] : members)
        await refuseTakenMac(room, await networkOf(room, network), { ...row, mac });
      for (const { id } of members) await room.tx.update('member', id, { mac });
    }
    if (Object.keys(patch).length > 0) await room.tx.update('device', row.id, patch);
    return { device: (await showDevices(room, [{ ...row, ...patch }]))[0] };
  },
});

export const deleteDevice = writeCommand({
  name: 'deleteDevice',
  summary: 'Forgets a device that is in no network',
  roles: WRITERS,
  event: 'DEVICE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('device', 'The device') }),
  async write(room, want) {
    const row = await visible(room, 'device', want.id);
    await refuseInNetwork(room, row, 'delete it');
    await room.tx.remove('device', row.id);
    return undefined;
  },
});

async function refuseInNetwork(
  room: Room,
  device: Device,
  doing: string,
  instead = 'detachDevice first',
): Promise<void> {
  const members = await room.db
    .selectFrom('member')
    .innerJoin('network', 'network.id', 'member.network')
    .select(['network.name', 'member.state'])
    .where('member.device', '=', device.id)
    .orderBy('network.name')
    .execute();
  if (members.length === 0) return;
  const names = members.map(({ name, state }) => (state === 'Detaching' ? `${name} (being detached)` : name));
  throw refuse('inUse', `Can't ${doing}: device ${device.name} is in network ${some(names)}. ${instead}`);
}
