// Physical networks: the wires between hypervisors and switches, and the pool of VLANs that tenants' networks are given on them.
import { z } from 'zod';
import { ROOT, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import {
  NATIVE_VLAN,
  type VlanRange,
  formatVlanRanges,
  inVlanRanges,
  parseVlanRanges,
} from '../../model/vlan-range.ts';
import type { Tables } from '../../store/schema.ts';
import type { PhysicalNetworkTable } from '../../store/schema/zone.ts';
import { existing } from '../access.ts';
import { namesOf } from '../join.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';

export const physicalNetworkView = z.object({
  id: field.string('id of the physical network'),
  name: field.string('its name; also what the hosts call it (ovn-bridge-mappings)'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  state: field.string('Enabled or Disabled'),
  vlan: field.string('ranges of VLANs that networks are given from the pool'),
  broadcastdomainrange: field.string('ZONE'),
  isolationmethods: field.string('VLAN'),
  networkspeed: field.string('speed, as typed'),
  tags: field.string('its tag'),
});

export async function showPhysicalNetworks(
  room: Room,
  rows: readonly PhysicalNetworkTable[],
): Promise<z.infer<typeof physicalNetworkView>[]> {
  const zones = await namesOf(
    room.db,
    'zone',
    rows.map((row) => row.zone),
  );
  return rows.map((row) =>
    field.compact<z.infer<typeof physicalNetworkView>>({
      id: row.id,
      name: row.name,
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      state: row.state,
      vlan: row.vlan,
      broadcastdomainrange: row.broadcastdomainrange,
      isolationmethods: row.isolationmethods,
      networkspeed: row.networkspeed,
      tags: row.tags,
    }),
  );
}

/** The one with this id, for the result of a job; undefined when it is gone. */
export async function viewPhysicalNetwork(room: Room, id: string): Promise<object | undefined> {
  return (
    await showPhysicalNetworks(
      room,
      await room.db.selectFrom('physicalnetwork').selectAll().where('id', '=', id).execute(),
    )
  )[0];
}

export const listPhysicalNetworks = listCommand({
  name: 'listPhysicalNetworks',
  summary: 'Lists physical networks',
  roles: WATCHERS,
  key: 'physicalnetwork',
  view: physicalNetworkView,
  params: z.object({
    id: param.ref('physicalnetwork', 'The physical network with this id').optional(),
    zoneid: param.ref('zone', 'In this zone').optional(),
    name: param.text('The one of this name').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await existing(room, 'physicalnetwork', want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    let query = room.db.selectFrom('physicalnetwork').selectAll();
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query.orderBy('created').orderBy('id'), want);
    return { count, rows: await showPhysicalNetworks(room, rows) };
  },
});

const VLAN_PARAM = 'Ranges of VLANs for the pool, such as 1000-1999,2100-2199; 1 to 4094, without the native VLAN 1';

export const createPhysicalNetwork = jobCommand({
  name: 'createPhysicalNetwork',
  summary: 'Creates a physical network in a disabled zone',
  roles: ROOT,
  event: 'PHYSICAL.NETWORK.CREATE',
  answer: { kind: 'object', key: 'physicalnetwork', view: physicalNetworkView },
  params: z.object({
    zoneid: param.ref('zone', 'Its zone'),
    name: param.text('Name, unique in the zone; also the name the hosts map to a bridge', 64),
    vlan: param.text(VLAN_PARAM, 4096).optional(),
    tags: param.list('At most one tag').optional(),
    isolationmethods: param.list('VLAN').optional(),
    broadcastdomainrange: param.text('ZONE or POD').optional(),
    networkspeed: param.text('Speed, as text').optional(),
    domainid: param.ref('domain', 'Not offered: physical networks serve all domains').optional(),
  }),
  async job(room, want) {
    const zone = await existing(room, 'zone', want.zoneid, 'zoneid');
    if (zone.allocationstate === 'Enabled') {
      throw refuse(
        'permission',
        `Cannot create PhysicalNetwork since the Zone is currently enabled, zone Id: ${zone.id}. Disable it first: updateZone allocationstate=Disabled`,
      );
    }
    if (want.domainid !== undefined)
      throw refuse('parameter', 'A physical network cannot be kept for one domain: leave domainid out');
    // The name becomes OVN's network_name and part of a comma-separated bridge mapping on each host.
    if (!/^[A-Za-z0-9][A-Za-z0-9._ -]*$/.test(want.name)) {
      throw refuse(
        'parameter',
        `Invalid name ${want.name}: hosts map it to a bridge, so only letters, digits, blank, dot, dash and underscore`,
      );
    }
    const other = await room.db
      .selectFrom('physicalnetwork')
      .select('id')
      .where('zone', '=', zone.id)
      .where(named('name', want.name))
      .executeTakeFirst();
    if (other !== undefined)
      throw refuse(
        'parameter',
        `A physical network called ${want.name} exists in zone ${zone.name}. Please choose another name`,
      );
    const range = (want.broadcastdomainrange ?? 'ZONE').toUpperCase();
    if (range !== 'ZONE' && range !== 'POD') {
      throw refuse(
        'parameter',
        `Invalid broadcastDomainRange ${want.broadcastdomainrange}. Supported values are: POD, ZONE`,
      );
    }
    for (const method of want.isolationmethods ?? []) {
      if (method.toUpperCase() !== 'VLAN')
        throw refuse('parameter', `Isolation method ${method} is not offered; supported are: VLAN`);
    }
    const row: Tables['physicalnetwork'] = {
      id: newId(),
      zone: zone.id,
      name: want.name,
      vlan: formatVlanRanges(pool(want.vlan ?? '')),
      state: 'Disabled',
      tags: oneTag(want.tags) ?? null,
      isolationmethods: 'VLAN',
      networkspeed: want.networkspeed ?? null,
      broadcastdomainrange: range,
      created: new Date().toISOString(),
    };
    await room.tx.insert('physicalnetwork', row);
    return {
      id: row.id,
      about: { type: 'PhysicalNetwork', id: row.id },
      view: 'physicalnetwork',
      text: `creating physical network ${row.name} in zone ${zone.name}`,
    };
  },
});

export const updatePhysicalNetwork = jobCommand({
  name: 'updatePhysicalNetwork',
  summary: 'Changes a physical network: its state or its pool of VLANs',
  roles: ROOT,
  event: 'PHYSICAL.NETWORK.UPDATE',
  answer: { kind: 'object', key: 'physicalnetwork', view: physicalNetworkView },
  params: z.object({
    id: param.ref('physicalnetwork', 'The physical network'),
    state: param.text('Enabled or Disabled').optional(),
    vlan: param.text(`The whole new pool. ${VLAN_PARAM}`, 4096).optional(),
    tags: param.list('At most one tag').optional(),
    networkspeed: param.text('Speed, as text').optional(),
  }),
  async job(room, want) {
    const network = await existing(room, 'physicalnetwork', want.id);
    const ranges = want.vlan === undefined ? undefined : pool(want.vlan);
    if (ranges !== undefined) await refuseUsedVlans(room, network, ranges);
    await room.tx.update('physicalnetwork', network.id, {
      state: stateOf(want.state) ?? network.state,
      vlan: ranges === undefined ? network.vlan : formatVlanRanges(ranges),
      tags: oneTag(want.tags) ?? network.tags,
      networkspeed: want.networkspeed ?? network.networkspeed,
    });
    return {
      about: { type: 'PhysicalNetwork', id: network.id },
      view: 'physicalnetwork',
      text: `updating physical network ${network.name}`,
    };
  },
});

export const deletePhysicalNetwork = jobCommand({
  name: 'deletePhysicalNetwork',
  summary: 'Deletes a physical network that no network uses any more',
  roles: ROOT,
  event: 'PHYSICAL.NETWORK.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('physicalnetwork', 'The physical network') }),
  async job(room, want) {
    const network = await existing(room, 'physicalnetwork', want.id);
    const users = await room.db
      .selectFrom('network')
      .select('name')
      .where('physicalnetwork', '=', network.id)
      .orderBy('name')
      .limit(6)
      .execute();
    if (users.length > 0) {
      throw refuse(
        'failed',
        `The physical network ${network.name} is not deletable because networks use it: ${some(users.map((user) => user.name))}`,
      );
    }
    const switches = await room.db
      .selectFrom('switch')
      .select('name')
      .where('physicalnetwork', '=', network.id)
      .orderBy('name')
      .limit(6)
      .execute();
    if (switches.length > 0) {
      throw refuse(
        'failed',
        `The physical network ${network.name} is not deletable because switches carry it: ${some(switches.map((row) => row.name))}`,
      );
    }
    const ranges = await room.db
      .selectFrom('publicrange')
      .select(['startip', 'endip'])
      .where('physicalnetwork', '=', network.id)
      .orderBy('startip')
      .limit(6)
      .execute();
    if (ranges.length > 0) {
      throw refuse(
        'failed',
        `The physical network ${network.name} is not deletable because public addresses are outside of it: ${some(ranges.map((row) => `${row.startip}-${row.endip}`))}`,
      );
    }
    await room.db.deleteFrom('traffictype').where('physicalnetwork', '=', network.id).execute();
    await room.tx.remove('physicalnetwork', network.id);
    return { about: { type: 'PhysicalNetwork', id: network.id }, text: `deleting physical network ${network.name}` };
  },
});

/** The ranges of a pool, or a refusal that says what is wrong with the text. */
function pool(text: string): readonly VlanRange[] {
  const parsed = parseVlanRanges(text);
  if ('problem' in parsed) throw refuse('parameter', parsed.problem);
  if (inVlanRanges(parsed.ranges, NATIVE_VLAN)) {
    throw refuse(
      'parameter',
      `VLAN ${NATIVE_VLAN} cannot be in the pool: it is the native VLAN of switch ports, where untagged frames go. Begin the range with ${NATIVE_VLAN + 1}`,
    );
  }
  return parsed.ranges;
}

/** A pool may neither lose a VLAN that was given from it nor take in one that was chosen by hand. */
async function refuseUsedVlans(room: Room, network: PhysicalNetworkTable, ranges: readonly VlanRange[]): Promise<void> {
  const used = await room.db
    .selectFrom('vlan')
    .select(['vlan', 'pool'])
    .distinct()
    .where('physicalnetwork', '=', network.id)
    .orderBy('vlan')
    .execute();
  const lost = used.filter((row) => row.pool === 1 && !inVlanRanges(ranges, row.vlan)).map((row) => row.vlan);
  if (lost.length > 0) {
    throw refuse(
      'parameter',
      `physicalnetwork ${network.name} has ${lost.length} vnets in use that the new ranges leave out: ${some(lost)}. Keep them in the range, or delete the networks on them first (listGuestVlans shows which)`,
    );
  }
  const taken = used.filter((row) => row.pool === 0 && inVlanRanges(ranges, row.vlan)).map((row) => row.vlan);
  if (taken.length > 0) {
    throw refuse(
      'parameter',
      `physicalnetwork ${network.name} has networks on VLANs that were chosen by hand: ${some(taken)}. The pool cannot take these in; leave them out of the range`,
    );
  }
}

function some(values: readonly (string | number)[]): string {
  return values.length <= 5 ? values.join(', ') : `${values.slice(0, 5).join(', ')}, …`;
}

function oneTag(tags: readonly string[] | undefined): string | undefined {
  if (tags !== undefined && tags.length > 1)
    throw refuse('parameter', 'Only one tag can be specified for a physical network at this time');
  return tags?.[0];
}

function stateOf(text: string | undefined): 'Enabled' | 'Disabled' | undefined {
  if (text === undefined) return undefined;
  const state = (['Enabled', 'Disabled'] as const).find((name) => name.toLowerCase() === text.toLowerCase());
  if (state === undefined)
    throw refuse('parameter', `Unable to resolve Resource State ${text} to a supported state: Enabled, Disabled`);
  return state;
}
