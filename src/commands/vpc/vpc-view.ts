// How VPCs look in answers, with their tiers.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { ip6RouteView } from '../network/ipv6-route.ts';
import { type NetworkView, networkView, serviceView, showNetworks, showServices } from '../network/network-view.ts';
import type { Room } from '../room.ts';

export const vpcView = z.object({
  id: field.string('id of the VPC'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  state: field.string('Enabled or Inactive'),
  cidr: field.string('its address space, as it was typed'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  vpcofferingid: field.string('its offering'),
  vpcofferingname: field.string('name of its offering'),
  vpcofferingdisplaytext: field.string('description of its offering'),
  service: field.list('services its tiers can have', serviceView),
  network: field.list('its tiers', networkView),
  publicip: field.string('its source NAT address'),
  networkdomain: field.string('network domain of its tiers'),
  ip6routes: field.list('what upstream has to send where, for tiers with IPv6', ip6RouteView),
  redundantvpcrouter: field.boolean('whether listRouters shows two routers'),
  distributedvpcrouter: field.boolean('true: the router is on every hypervisor'),
  regionlevelvpc: field.boolean('false'),
  restartrequired: field.boolean('whether it needs a restart'),
  fordisplay: field.boolean('whether it is shown to its owner'),
  created: field.date('when it was made'),
  ...ownerFields,
  tags: field.list('its tags', tagView),
});

type VpcView = z.infer<typeof vpcView>;

/** VPCs as their answers show them, tiers included. */
export async function showVpcs(room: Room, rows: readonly Tables['vpc'][]): Promise<VpcView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const ids = rows.map((row) => row.id);
  const owner = await ownersOf(db, rows);
  const zones = await namesOf(
    db,
    'zone',
    rows.map((row) => row.zone),
  );
  const found = await db
    .selectFrom('vpcoffering')
    .selectAll()
    .where('id', 'in', [...new Set(rows.map((row) => row.offering))])
    .execute();
  const offerings = new Map(found.map((row) => [row.id, { ...row, service: showServices(servicesOf(row)) }]));
  const tierRows = await db
    .selectFrom('network')
    .selectAll()
    .where('vpc', 'in', ids)
    .orderBy('created', 'desc')
    .orderBy('id')
    .execute();
  const tiers = Map.groupBy(await showNetworks(room, tierRows), (tier) => tier.vpcid);
  const own = await db
    .selectFrom('publicip')
    .select(['vpc', 'ip'])
    .where('vpc', 'in', ids)
    .where('issourcenat', '=', 1)
    .execute();
  const publicips = new Map(own.map(({ vpc, ip }) => [vpc, ip]));
  const tags = await tagsOf(db, 'Vpc', ids);
  return rows.map((row) => {
    const offering = offerings.get(row.offering);
    return field.compact<VpcView>({
      id: row.id,
      name: row.name,
      displaytext: row.displaytext,
      state: row.state,
      cidr: row.cidr,
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      vpcofferingid: row.offering,
      vpcofferingname: offering?.name,
      vpcofferingdisplaytext: offering?.displaytext,
      service: offering?.service ?? [],
      network: tiers.get(row.id) ?? [],
      publicip: publicips.get(row.id),
      networkdomain: row.networkdomain,
      ip6routes: routesOf(tiers.get(row.id) ?? []),
      redundantvpcrouter: offering?.redundant === 1,
      distributedvpcrouter: true,
      regionlevelvpc: false,
      restartrequired: row.restartrequired === 1,
      fordisplay: row.fordisplay === 1,
      created: field.clientDate(row.created),
      ...owner(row),
      tags: tags(row.id),
    });
  });
}

/** Those of all tiers; undefined where no tier has IPv6. */
function routesOf(tiers: readonly NetworkView[]): VpcView['ip6routes'] | undefined {
  const routes = tiers.flatMap(({ ip6routes }) => ip6routes ?? []);
  return routes.length === 0 ? undefined : routes;
}

/** The VPC with this id as a job's result shows it. */
export async function viewVpc(room: Room, id: string): Promise<VpcView | undefined> {
  return (await showVpcs(room, await room.db.selectFrom('vpc').selectAll().where('id', '=', id).execute()))[0];
}
