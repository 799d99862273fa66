// Balancers inside as answers show them: CloudStack's "application load balancers".
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';

export type InternalBalancer = Tables['internalbalancer'];

export const internalBalancerView = z.object({
  id: field.string('id of the balancer'),
  name: field.string('its name'),
  description: field.string('its description'),
  algorithm: field.string('roundrobin or source'),
  networkid: field.string('the network'),
  sourceipaddress: field.string('its address'),
  sourceipaddressnetworkid: field.string('the network that address is of'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  fordisplay: field.boolean('true'),
  ...ownerFields,
  loadbalancerrule: field.list(
    'its port',
    z.object({
      sourceport: field.integer('port of the balancer'),
      instanceport: field.integer('port of the instances'),
      protocol: field.string('tcp or udp'),
      state: field.string('Add, or Active once it is realized'),
    }),
  ),
  loadbalancerinstance: field.list(
    'the instances it leads to',
    z.object({
      id: field.string('id of the instance'),
      name: field.string('its name'),
      state: field.string('its state'),
      ipaddress: field.string('its address'),
    }),
  ),
});

type View = z.infer<typeof internalBalancerView>;

export async function showInternalBalancers(room: Room, rows: readonly InternalBalancer[]): Promise<View[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const networks = await db
    .selectFrom('network')
    .select(['id', 'zone'])
    .where('id', 'in', [...new Set(rows.map((row) => row.network))])
    .execute();
  const zoneOf = new Map(networks.map((network) => [network.id, network.zone]));
  const zones = await namesOf(db, 'zone', zoneOf.values());
  const owner = await ownersOf(db, rows);
  const members = await db
    .selectFrom('internalmember')
    .innerJoin('nic', 'nic.id', 'internalmember.nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select([
      'internalmember.internalbalancer',
      'internalmember.ip',
      'instance.id',
      'instance.displayname',
      'instance.state',
    ])
    .where(
      'internalmember.internalbalancer',
      'in',
      rows.map((row) => row.id),
    )
    .orderBy('internalmember.created')
    .orderBy('internalmember.id')
    .execute();
  const byBalancer = Map.groupBy(members, (member) => member.internalbalancer);
  return rows.map((row) => {
    const zone = zoneOf.get(row.network);
    return field.compact<View>({
      id: row.id,
      name: row.name,
      description: row.description,
      algorithm: row.algorithm,
      networkid: row.network,
      sourceipaddress: row.sourceip,
      sourceipaddressnetworkid: row.network,
      zoneid: zone,
      zonename: zone === undefined ? undefined : zones.get(zone),
      fordisplay: true,
      ...owner(row),
      loadbalancerrule: [
        { sourceport: row.publicport, instanceport: row.privateport, protocol: row.protocol, state: row.state },
      ],
      loadbalancerinstance: (byBalancer.get(row.id) ?? []).map(({ id, displayname, state, ip }) => ({
        id,
        name: displayname,
        state,
        ipaddress: ip,
      })),
    });
  });
}

/** The balancer with this id as a job's result shows it. */
export async function viewInternalBalancer(room: Room, id: string): Promise<View | undefined> {
  const rows = await room.db.selectFrom('internalbalancer').selectAll().where('id', '=', id).execute();
  return (await showInternalBalancers(room, rows))[0];
}
