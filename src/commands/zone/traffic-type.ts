// Traffic types: which kinds of traffic a physical network carries. Guest networks need one that carries Guest.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { TrafficTypeTable } from '../../store/schema/zone.ts';
import { existing } from '../access.ts';
import { containing, page, pageParams } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';

export const trafficTypeView = z.object({
  id: field.string('id of the traffic type'),
  traffictype: field.string('Guest, Public, Management, Storage or Vpn'),
  name: field.string('the same'),
  physicalnetworkid: field.string('the physical network that carries it'),
  kvmnetworklabel: field.string('bridge on the hosts, where it is named'),
  state: field.string('Enabled'),
});

export function showTrafficTypes(
  _room: Room,
  rows: readonly TrafficTypeTable[],
): Promise<z.infer<typeof trafficTypeView>[]> {
  return Promise.resolve(
    rows.map((row) =>
      field.compact<z.infer<typeof trafficTypeView>>({
        id: row.id,
        traffictype: row.traffictype,
        name: row.traffictype,
        physicalnetworkid: row.physicalnetwork,
        kvmnetworklabel: row.kvmnetworklabel,
        state: 'Enabled',
      }),
    ),
  );
}

const TRAFFIC_TYPES = ['Guest', 'Public', 'Management', 'Storage', 'Vpn'];

/** The one with this id, for the result of a job; undefined when it is gone. */
export async function viewTrafficType(room: Room, id: string): Promise<object | undefined> {
  return (
    await showTrafficTypes(room, await room.db.selectFrom('traffictype').selectAll().where('id', '=', id).execute())
  )[0];
}

export const listTrafficTypes = listCommand({
  name: 'listTrafficTypes',
  summary: 'Lists the traffic types of a physical network',
  roles: ROOT,
  key: 'traffictype',
  view: trafficTypeView,
  params: z.object({ physicalnetworkid: param.ref('physicalnetwork', 'The physical network'), ...pageParams }),
  async list(room, want) {
    const network = await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    let query = room.db.selectFrom('traffictype').selectAll().where('physicalnetwork', '=', network.id);
    if (want.keyword !== undefined) query = query.where(containing('traffictype', want.keyword));
    const { count, rows } = await page(query.orderBy('created').orderBy('traffictype'), want);
    return { count, rows: await showTrafficTypes(room, rows) };
  },
});

export const addTrafficType = jobCommand({
  name: 'addTrafficType',
  summary: 'Lets a physical network carry one more kind of traffic',
  roles: ROOT,
  event: 'TRAFFIC.TYPE.CREATE',
  answer: { kind: 'object', key: 'traffictype', view: trafficTypeView },
  params: z.object({
    physicalnetworkid: param.ref('physicalnetwork', 'The physical network'),
    traffictype: param.text(TRAFFIC_TYPES.join(', ')),
    kvmnetworklabel: param.text('Bridge on the hosts').optional(),
    vlan: param.text('Not offered: Public takes its VLAN from its IP range').optional(),
  }),
  async job(room, want) {
    const network = await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    const type = TRAFFIC_TYPES.find((name) => name.toLowerCase() === want.traffictype.toLowerCase());
    if (type === undefined) {
      throw refuse(
        'parameter',
        `Invalid value for traffictype ${want.traffictype}. Supported traffic types: ${TRAFFIC_TYPES.join(', ')}`,
      );
    }
    if (want.vlan !== undefined && want.vlan !== 'untagged') {
      throw refuse(
        'parameter',
        `A VLAN for all ${type} traffic (${want.vlan}) is not offered: Public takes it from its IP range, Guest from the pool. Leave vlan out`,
      );
    }
    const same = await room.db
      .selectFrom('traffictype')
      .select('id')
      .where('physicalnetwork', '=', network.id)
      .where('traffictype', '=', type)
      .executeTakeFirst();
    if (same !== undefined) throw refuse('failed', `This physical network already supports the traffic type: ${type}`);
    const id = newId();
    await room.tx.insert('traffictype', {
      id,
      physicalnetwork: network.id,
      traffictype: type,
      kvmnetworklabel: want.kvmnetworklabel ?? null,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'TrafficType', id },
      view: 'traffictype',
      text: `adding traffic type ${type} to physical network ${network.name}`,
    };
  },
});

export const updateTrafficType = jobCommand({
  name: 'updateTrafficType',
  summary: 'Changes the bridge label of a traffic type',
  roles: ROOT,
  event: 'TRAFFIC.TYPE.UPDATE',
  answer: { kind: 'object', key: 'traffictype', view: trafficTypeView },
  params: z.object({
    id: param.ref('traffictype', 'The traffic type'),
    kvmnetworklabel: param.text('Bridge on the hosts').optional(),
  }),
  async job(room, want) {
    const row = await existing(room, 'traffictype', want.id);
    if (want.kvmnetworklabel !== undefined)
      await room.tx.update('traffictype', row.id, { kvmnetworklabel: want.kvmnetworklabel });
    return {
      about: { type: 'TrafficType', id: row.id },
      view: 'traffictype',
      text: `updating traffic type ${row.traffictype}`,
    };
  },
});

export const deleteTrafficType = jobCommand({
  name: 'deleteTrafficType',
  summary: 'Removes a traffic type from a physical network',
  roles: ROOT,
  event: 'TRAFFIC.TYPE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('traffictype', 'The traffic type') }),
  async job(room, want) {
    const row = await existing(room, 'traffictype', want.id);
    if (row.traffictype === 'Guest') {
      const user = await room.db
        .selectFrom('network')
        .select('name')
        .where('physicalnetwork', '=', row.physicalnetwork)
        .orderBy('name')
        .executeTakeFirst();
      if (user !== undefined) {
        throw refuse(
          'failed',
          `The Traffic Type is not deletable because there are existing networks with this traffic type: Guest (such as ${user.name})`,
        );
      }
    }
    await room.tx.remove('traffictype', row.id);
    return { about: { type: 'TrafficType', id: row.id }, text: `removing traffic type ${row.traffictype}` };
  },
});
