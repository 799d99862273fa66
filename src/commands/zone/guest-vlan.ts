// Guest VLANs: every VLAN of the pools, free or taken and by which networks, and those that were chosen by hand.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { parseVlanRanges, vlansOf } from '../../model/vlan-range.ts';
import type { PhysicalNetworkTable } from '../../store/schema/zone.ts';
import { existing } from '../access.ts';
import { namesOf, ownersOf } from '../join.ts';
import { pageOf, pageParams } from '../list.ts';
import { type Room, listCommand } from '../room.ts';

const guestVlanNetworkView = z.object({
  id: field.string('id of the network'),
  name: field.string('its name'),
  type: field.string('its guest type'),
});

export const guestVlanView = z.object({
  id: field.long('number of the row: unique among the VLANs of all physical networks'),
  vlan: field.string('the VLAN'),
  allocationstate: field.string('Free or Allocated'),
  taken: field.date('when the oldest network on it was made'),
  network: field.list('the networks on it', guestVlanNetworkView),
  physicalnetworkid: field.string('its physical network'),
  physicalnetworkname: field.string('name of the physical network'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  isdedicated: field.boolean('false'),
  account: field.string('owner of the oldest network on it'),
  domainid: field.string('domain of that owner'),
  domain: field.string('name of that domain'),
});

/** A VLAN of a physical network, before the networks on it are looked up. */
interface Place {
  readonly id: number;
  readonly vlan: number;
  readonly on: PhysicalNetworkTable;
  readonly networks: readonly string[];
}

export const listGuestVlans = listCommand({
  name: 'listGuestVlans',
  summary: 'Lists the VLANs of guest networks, free and taken',
  roles: ROOT,
  key: 'guestvlan',
  view: guestVlanView,
  params: z.object({
    id: param.integer('The row of this number', { min: 0, max: Number.MAX_SAFE_INTEGER, type: 'long' }).optional(),
    vnet: param.text('This VLAN').optional(),
    physicalnetworkid: param.ref('physicalnetwork', 'Of this physical network').optional(),
    zoneid: param.ref('zone', 'In this zone').optional(),
    allocatedonly: param.flag('true: only those that are taken').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.physicalnetworkid !== undefined)
      await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    const networks = await room.db.selectFrom('physicalnetwork').selectAll().orderBy('created').orderBy('id').execute();
    const places: Place[] = [];
    for (const [index, on] of networks.entries()) {
      if (want.physicalnetworkid !== undefined && on.id !== want.physicalnetworkid) continue;
      if (want.zoneid !== undefined && on.zone !== want.zoneid) continue;
      places.push(...(await placesOf(room, on, index)));
    }
    const asked = places.filter(
      (place) =>
        (want.id === undefined || place.id === want.id) &&
        (want.vnet === undefined || String(place.vlan) === want.vnet) &&
        (want.keyword === undefined || String(place.vlan).includes(want.keyword)) &&
        (want.allocatedonly !== true || place.networks.length > 0),
    );
    const { count, rows } = pageOf(asked, want);
    return { count, rows: await showPlaces(room, rows) };
  },
});

async function placesOf(room: Room, on: PhysicalNetworkTable, index: number): Promise<Place[]> {
  const used = await room.db
    .selectFrom('vlan')
    .select(['vlan', 'network'])
    .where('physicalnetwork', '=', on.id)
    .execute();
  const byVlan = Map.groupBy(used, (row) => row.vlan);
  const parsed = parseVlanRanges(on.vlan);
  const pool = 'ranges' in parsed ? vlansOf(parsed.ranges) : [];
  const all = [...new Set([...pool, ...byVlan.keys()])].toSorted((a, b) => a - b);
  return all.map((vlan) => ({
    id: index * 4096 + vlan,
    vlan,
    on,
    networks: (byVlan.get(vlan) ?? []).map((row) => row.network),
  }));
}

async function showPlaces(room: Room, places: readonly Place[]): Promise<z.infer<typeof guestVlanView>[]> {
  const ids = places.flatMap((place) => place.networks);
  const networks =
    ids.length === 0
      ? []
      : await room.db.selectFrom('network').selectAll().where('id', 'in', ids).orderBy('created').execute();
  const owner = await ownersOf(room.db, networks);
  const zones = await namesOf(
    room.db,
    'zone',
    places.map((place) => place.on.zone),
  );
  return places.map(({ id, vlan, on, networks: onIt }) => {
    const here = networks.filter((network) => onIt.includes(network.id));
    const oldest = here[0];
    const { account, domainid, domain } = oldest === undefined ? {} : owner(oldest);
    return field.compact<z.infer<typeof guestVlanView>>({
      id,
      vlan: String(vlan),
      allocationstate: here.length === 0 ? 'Free' : 'Allocated',
      taken: oldest === undefined ? undefined : field.clientDate(oldest.created),
      network: here.map((network) => ({ id: network.id, name: network.name, type: network.guesttype })),
      physicalnetworkid: on.id,
      physicalnetworkname: on.name,
      zoneid: on.zone,
      zonename: zones.get(on.zone),
      isdedicated: false,
      account,
      domainid,
      domain,
    });
  });
}
