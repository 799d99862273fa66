// Physical switches: registering one with what its driver needs, looking at it, changing it, confirming what people typed there.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { FIRST_VLAN, LAST_VLAN } from '../../model/vlan-range.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { some } from '../network/network.ts';
import { type Room, type WriteRoom, listCommand, writeCommand } from '../room.ts';
import { DETAILS, readAddress, readDriver, readOptions, sealSecret } from './switch-options.ts';
import { awaitsConfirmation, showSwitches, switchView } from './switch-view.ts';

const driverParams = {
  url: param
    .text(
      'What the driver connects to: unix:PATH or tcp:IP:PORT (ovsdb), HOST, HOST:PORT, [IPV6]:PORT or unix:PATH (linux, netconf)',
    )
    .optional(),
  details: param.freeMap(`What the driver needs besides, as details[0].bridge=br0: ${DETAILS.join(', ')}`).optional(),
  username: param.text('Who the driver logs in as').optional(),
  password: param.text('Refused: switches are logged in to by key').optional(),
  privatekey: param.text('The private key in PEM form, encoded in base64; never shown again', 16_384).optional(),
  nativevlan: param
    .integer('VLAN of untagged frames on ports nobody has attached: no network can have it', {
      min: FIRST_VLAN,
      max: LAST_VLAN,
    })
    .optional(),
  apply: param.flag('false: look only; what would be changed is shown as plannedchanges').optional(),
};

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

export const addSwitch = writeCommand({
  name: 'addSwitch',
  summary: 'Registers a physical switch; nothing is written to it before ports are registered',
  roles: ROOT,
  event: 'SWITCH.ADD',
  answer: { kind: 'object', key: 'switch', view: switchView },
  params: z.object({
    name: param.text('Name of the switch: letters, digits, dash, dot and underscore', 63),
    zoneid: param.ref('zone', 'Its zone'),
    physicalnetworkid: param.ref('physicalnetwork', 'The physical network it carries'),
    driver: param.text('ovsdb, linux, netconf or instructions'),
    ...driverParams,
  }),
  async write(room, want) {
    const zone = await existing(room, 'zone', want.zoneid, 'zoneid');
    const physical = await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    if (physical.zone !== zone.id)
      throw refuse('parameter', `Physical network ${physical.name} is in another zone than ${zone.name}`);
    await checkName(room, zone, want.name);
    const driver = readDriver(want.driver);
    const nativevlan = want.nativevlan ?? 1;
    await refuseUsedVlan(room, physical, nativevlan);
    const row: Tables['switch'] = {
      id: newId(),
      zone: zone.id,
      physicalnetwork: physical.id,
      name: want.name,
      driver,
      address: readAddress(driver, want.url),
      options: readOptions(driver, want.details, want.username),
      secret: sealSecret(room, driver, want),
      nativevlan,
      apply: want.apply === false ? 0 : 1,
      state: 'Connecting',
      error: null,
      actual: null,
      findings: null,
      planned: null,
      digest: null,
      documented: 0,
      reached: 0,
      confirmed: 0,
      lastseen: null,
      created: new Date().toISOString(),
    };
    await room.tx.insert('switch', row);
    return { switch: (await showSwitches(room, [row]))[0] };
  },
});

async function checkName(room: Room, zone: Tables['zone'], name: string): Promise<void> {
  if (!NAME.test(name))
    throw refuse(
      'parameter',
      `Invalid switch name ${name}: use up to 63 letters, digits, dashes, dots and underscores`,
    );
  const twin = await room.db
    .selectFrom('switch')
    .select('id')
    .where('zone', '=', zone.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (twin !== undefined)
    throw refuse('parameter', `Zone ${zone.name} has a switch called ${name} already: ${twin.id}`);
}

/** Free ports are in the native VLAN: a network there would be open to whoever plugs in. */
async function refuseUsedVlan(room: Room, physical: Tables['physicalnetwork'], vlan: number): Promise<void> {
  const user = await room.db
    .selectFrom('network')
    .select('name')
    .where('physicalnetwork', '=', physical.id)
    .where('vlan', '=', vlan)
    .executeTakeFirst();
  if (user === undefined) return;
  throw refuse(
    'parameter',
    `VLAN ${vlan} cannot be the native one: network ${user.name} is on it, and free ports would be in that network. Choose one that no network has`,
  );
}

export const listSwitches = listCommand({
  name: 'listSwitches',
  summary: 'Lists physical switches: how they stand, what is not as wanted, and what somebody still has to type',
  roles: ROOT,
  key: 'switch',
  view: switchView,
  params: z.object({
    id: param.ref('switch', 'The switch with this id').optional(),
    name: param.text('The switch of this name').optional(),
    zoneid: param.ref('zone', 'In this zone').optional(),
    physicalnetworkid: param.ref('physicalnetwork', 'Carrying this physical network').optional(),
    driver: param.text('With this driver').optional(),
    state: param.text('Connecting, Up or Down').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await existing(room, 'switch', want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.physicalnetworkid !== undefined)
      await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    let query = room.db.selectFrom('switch').selectAll();
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.physicalnetworkid !== undefined) query = query.where('physicalnetwork', '=', want.physicalnetworkid);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.driver !== undefined) query = query.where(named('driver', want.driver));
    if (want.state !== undefined) query = query.where(named('state', want.state));
    const { count, rows } = await page(query.orderBy('name').orderBy('id'), want);
    return { count, rows: await showSwitches(room, rows) };
  },
});

export const updateSwitch = writeCommand({
  name: 'updateSwitch',
  summary: 'Changes how a switch is spoken to, or whether it is written to at all',
  roles: ROOT,
  event: 'SWITCH.UPDATE',
  answer: { kind: 'object', key: 'switch', view: switchView },
  params: z.object({
    id: param.ref('switch', 'The switch'),
    name: param.text('New name', 63).optional(),
    driver: param.text('Another driver').optional(),
    ...driverParams,
  }),
  async write(room, want) {
    const row = await existing(room, 'switch', want.id);
    const patch: Partial<Tables['switch']> = {};
    if (want.name !== undefined && want.name !== row.name) {
      await checkName(room, await existing(room, 'zone', row.zone), want.name);
      patch.name = want.name;
    }
    const driver = want.driver === undefined ? row.driver : readDriver(want.driver);
    const other = driver !== row.driver;
    if (other) patch.driver = driver;
    if (other || want.url !== undefined) patch.address = readAddress(driver, want.url ?? row.address);
    // Options are given anew as a whole: one that is left out is taken away.
    if (other || want.details !== undefined || want.username !== undefined)
      patch.options = readOptions(driver, want.details ?? optionsOf(row, other), want.username ?? userOf(row, other));
    const secret = sealSecret(room, driver, want);
    if (secret !== null || other) patch.secret = secret;
    if (want.nativevlan !== undefined && want.nativevlan !== row.nativevlan) {
      await refuseUsedVlan(room, await existing(room, 'physicalnetwork', row.physicalnetwork), want.nativevlan);
      patch.nativevlan = want.nativevlan;
    }
    if (want.apply !== undefined) patch.apply = want.apply ? 1 : 0;
    if (Object.keys(patch).length > 0) await room.tx.update('switch', row.id, patch);
    return { switch: (await showSwitches(room, [{ ...row, ...patch }]))[0] };
  },
});

/** What is kept of the options when none are given. */
function optionsOf(row: Tables['switch'], otherDriver: boolean): Record<string, string>[] {
  if (otherDriver) return [];
  const { user: _, ...options } = JSON.parse(row.options) as Record<string, string>;
  return [options];
}

function userOf(row: Tables['switch'], otherDriver: boolean): string | undefined {
  return otherDriver ? undefined : (JSON.parse(row.options) as Record<string, string>)['user'];
}

export const deleteSwitch = writeCommand({
  name: 'deleteSwitch',
  summary: 'Forgets a switch that nobody is attached to; what is set there stays as it is',
  roles: ROOT,
  event: 'SWITCH.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('switch', 'The switch') }),
  async write(room, want) {
    const row = await existing(room, 'switch', want.id);
    const members = await room.db
      .selectFrom('member')
      .innerJoin('switchport', 'switchport.id', 'member.switchport')
      .innerJoin('device', 'device.id', 'member.device')
      .innerJoin('network', 'network.id', 'member.network')
      .select(['switchport.name as port', 'device.name as device', 'network.name as network'])
      .where('switchport.switch', '=', row.id)
      .orderBy('switchport.name')
      .execute();
    if (members.length > 0) {
      const names = members.map(({ port, device, network }) => `${device} in ${network} at port ${port}`);
      throw refuse(
        'failed',
        `Can't delete switch ${row.name}: ${members.length} devices are attached by it: ${some(names)}. Detach them first`,
      );
    }
    const ports = await room.db.selectFrom('switchport').select('id').where('switch', '=', row.id).execute();
    for (const { id } of ports) await removePort(room, id);
    await room.tx.remove('switch', row.id);
    return undefined;
  },
});

/** Removes a port; devices that were said to be plugged in there are plugged in nowhere. */
export async function removePort({ tx }: WriteRoom, id: string): Promise<void> {
  const devices = await tx.db.selectFrom('device').select('id').where('switchport', '=', id).execute();
  for (const device of devices) await tx.update('device', device.id, { switchport: null });
  await tx.remove('switchport', id);
}

export const confirmSwitchChanges = writeCommand({
  name: 'confirmSwitchChanges',
  summary: 'Says that the lines shown for a switch of driver instructions were typed there',
  roles: ROOT,
  event: 'SWITCH.CONFIRM',
  answer: { kind: 'object', key: 'switch', view: switchView },
  params: z.object({
    id: param.ref('switch', 'The switch'),
    generation: param
      .integer('changesgeneration that stood beside the lines: refused when others have come since', {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
        type: 'long',
      })
      .optional(),
  }),
  async write(room, want) {
    const row = await existing(room, 'switch', want.id);
    if (row.driver !== 'instructions') {
      throw refuse(
        'parameter',
        `Switch ${row.name} is set by driver ${row.driver}, which looks for itself: there is nothing to confirm`,
      );
    }
    if (!awaitsConfirmation(row))
      throw refuse(
        'parameter',
        `Switch ${row.name} waits for nothing: every line up to change ${row.confirmed} is confirmed`,
      );
    if (want.generation !== undefined && want.generation !== row.documented) {
      throw refuse(
        'conflict',
        `The lines of switch ${row.name} have changed since: they are those of change ${row.documented} now, not ${want.generation}. Look at listSwitches again`,
      );
    }
    await room.tx.update('switch', row.id, { confirmed: row.documented });
    return { switch: (await showSwitches(room, [{ ...row, confirmed: row.documented }]))[0] };
  },
});
