// Network offerings: what a network is made of and who routes for it. How they are listed, changed and deleted; the rules of
// making one are in network-offering-create.ts.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { LINUX_ROUTER, ROUTER_SERVICES, type RoutedBy, routedBy, servicesOf } from '../../model/network-service.ts';
import type { NetworkOfferingTable } from '../../store/schema/offering.ts';
import { existing, visible } from '../access.ts';
import { namesOf } from '../join.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { offeringState } from './offering.ts';
import { serviceNamed, serviceView, showServices } from './offering-services.ts';
import { type Room, listCommand, writeCommand } from '../room.ts';

export const networkOfferingView = z.object({
  id: field.string('id of the offering'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  traffictype: field.string('Guest'),
  guestiptype: field.string('Isolated, Shared, L2 or Private'),
  state: field.string('Enabled or Disabled: whether new networks may be made of it'),
  availability: field.string('Optional or Required'),
  isdefault: field.boolean('whether it came with the cloud'),
  forvpc: field.boolean('whether it is for tiers of VPCs'),
  specifyvlan: field.boolean('whether who makes a network chooses its VLAN'),
  specifyipranges: field.boolean('whether who makes a network chooses its range of addresses'),
  conservemode: field.boolean('whether a public address may have several uses'),
  ispersistent: field.boolean('whether networks are built before the first instance comes'),
  egressdefaultpolicy: field.boolean('whether traffic out is free without a rule'),
  networkrate: field.integer('Mbit/s'),
  serviceofferingid: field.string('size of its routers; empty: there are none'),
  serviceofferingname: field.string('name of that size'),
  tags: field.string('its tags'),
  service: field.list('the services its networks have', serviceView),
  segment: field.string('vlan or overlay: what its networks are made of'),
  networkmode: field.string('NATTED, or ROUTED: instances have routable addresses, and nobody translates them'),
  internetprotocol: field.string('ipv4, dualstack or ipv6'),
  routedby: field.string('who routes for its networks: Ovn, LinuxRouter (router nodes), or None'),
  details: field.map('what was kept with it'),
  created: field.date('when it was made'),
});

export async function showNetworkOfferings(
  room: Room,
  rows: readonly NetworkOfferingTable[],
): Promise<z.infer<typeof networkOfferingView>[]> {
  const sizes = await namesOf(
    room.db,
    'serviceoffering',
    rows.map((row) => row.serviceoffering),
  );
  return rows.map((row) =>
    field.compact<z.infer<typeof networkOfferingView>>({
      id: row.id,
      name: row.name,
      displaytext: row.displaytext,
      traffictype: 'Guest',
      guestiptype: row.guesttype,
      state: row.state,
      availability: row.availability,
      isdefault: row.isdefault === 1,
      forvpc: row.forvpc === 1,
      specifyvlan: row.specifyvlan === 1,
      specifyipranges: row.specifyipranges === 1,
      conservemode: row.conservemode === 1,
      ispersistent: row.ispersistent === 1,
      egressdefaultpolicy: row.egressdefaultpolicy === 1,
      networkrate: row.networkrate,
      // Present even where there is none: libcloud reads it without looking.
      serviceofferingid: row.serviceoffering ?? '',
      serviceofferingname: row.serviceoffering === null ? undefined : sizes.get(row.serviceoffering),
      tags: row.tags,
      service: showServices(row),
      segment: row.segment,
      networkmode: row.networkmode,
      internetprotocol: row.internetprotocol,
      routedby: row.forvpc === 1 ? 'Ovn' : routedBy(servicesOf(row)),
      details: row.details === null ? undefined : (JSON.parse(row.details) as Record<string, string>),
      created: field.clientDate(row.created),
    }),
  );
}

export const listNetworkOfferings = listCommand({
  name: 'listNetworkOfferings',
  summary: 'Lists network offerings',
  roles: EVERYBODY,
  key: 'networkoffering',
  view: networkOfferingView,
  params: z.object({
    id: param.ref('networkoffering', 'The offering with this id').optional(),
    name: param.text('The offering of this name').optional(),
    displaytext: param.text('The offering of this description', 4096).optional(),
    guestiptype: param.text('Isolated, Shared, L2 or Private').optional(),
    traffictype: param.text('Guest').optional(),
    state: param.text('Enabled or Disabled').optional(),
    availability: param.text('Optional or Required').optional(),
    forvpc: param.flag('Whether it is for tiers of VPCs').optional(),
    isdefault: param.flag('Whether it came with the cloud').optional(),
    specifyvlan: param.flag('Whether who makes a network chooses its VLAN').optional(),
    specifyipranges: param.flag('Whether who makes a network chooses its range of addresses').optional(),
    istagged: param.flag('Whether it has tags').optional(),
    tags: param.text('With these tags', 4096).optional(),
    networkmode: param.text('NATTED or ROUTED').optional(),
    sourcenatsupported: param.flag('Whether it has SourceNat').optional(),
    supportedservices: param.list('With all of these services').optional(),
    networkid: param.ref('network', 'What this network could change to').optional(),
    zoneid: param.ref('zone', 'Offerings of this zone: all of them').optional(),
    domainid: param.ref('domain', 'Offerings of this domain: all of them').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await existing(room, 'networkoffering', want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    let query = room.db.selectFrom('networkoffering').selectAll();
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    for (const [column, value] of [
      ['name', want.name],
      ['displaytext', want.displaytext],
      ['guesttype', want.guestiptype],
      ['state', want.state],
      ['availability', want.availability],
      ['tags', want.tags],
      ['networkmode', want.networkmode],
    ] as const) {
      if (value !== undefined) query = query.where(named(column, value));
    }
    for (const column of ['forvpc', 'isdefault', 'specifyvlan', 'specifyipranges'] as const) {
      const value = want[column];
      if (value !== undefined) query = query.where(column, '=', value ? 1 : 0);
    }
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.istagged !== undefined) query = query.where('tags', want.istagged ? 'is not' : 'is', null);
    if (want.sourcenatsupported !== undefined) {
      const has = withService('SourceNat');
      query = query.where(want.sourcenatsupported ? has : sql<SqlBool>`not ${has}`);
    }
    for (const service of want.supportedservices ?? []) query = query.where(withService(serviceNamed(service)));
    if (want.networkid !== undefined) {
      const network = await visible(room, 'network', want.networkid, 'networkid');
      const old = await existing(room, 'networkoffering', network.offering, 'networkid');
      query = query
        .where('id', '!=', network.offering)
        .where('segment', '=', network.segment)
        .where('specifyvlan', '=', old.specifyvlan)
        .where('networkmode', '=', old.networkmode)
        .where(withRouter(routedBy(servicesOf(old))))
        .where('state', '=', 'Enabled')
        .where('guesttype', '=', network.guesttype)
        .where('forvpc', '=', network.vpc === null ? 0 : 1);
    }
    if ((want.traffictype ?? 'guest').toLowerCase() !== 'guest') return { count: 0, rows: [] };
    const { count, rows } = await page(query.orderBy('sort').orderBy('created').orderBy('id'), want);
    return { count, rows: await showNetworkOfferings(room, rows) };
  },
});

/** Whether the services column (JSON we wrote ourselves) names a service. */
export function withService(service: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`(services like ${`%"name":"${service}"%`})`;
}

/** Whether it is them who route for the networks of an offering. */
function withRouter(router: RoutedBy): RawBuilder<SqlBool> {
  const byNode = sql<SqlBool>`services like ${`%"provider":"${LINUX_ROUTER}"%`}`;
  const routed = sql<SqlBool>`(${sql.join([...ROUTER_SERVICES].map(withService), sql` or `)})`;
  switch (router) {
    case 'LinuxRouter':
      return byNode;
    case 'Ovn':
      return sql<SqlBool>`(${routed} and not ${byNode})`;
    case 'None':
      return sql<SqlBool>`not ${routed}`;
    default:
      return router satisfies never;
  }
}

export const AVAILABILITIES = ['Optional', 'Required'] as const;

export function availabilityOf(text: string | undefined): (typeof AVAILABILITIES)[number] | undefined {
  if (text === undefined) return undefined;
  const found = AVAILABILITIES.find((name) => name.toLowerCase() === text.toLowerCase());
  if (found === undefined)
    throw refuse(
      'parameter',
      `Invalid value for Availability. Supported types: Required, Optional; ${text} is neither`,
    );
  return found;
}

/** Required means "the one every isolated network without a choice gets": there is room for one. */
export async function refuseSecondRequired(
  room: Room,
  offering: Pick<NetworkOfferingTable, 'id' | 'guesttype' | 'services' | 'availability'>,
): Promise<void> {
  if (offering.availability !== 'Required') return;
  if (offering.guesttype !== 'Isolated' || !offering.services.includes('"SourceNat"')) {
    throw refuse(
      'parameter',
      'Availability can be Required only for networkOfferings of type Isolated and with SourceNat enabled',
    );
  }
  const other = await room.db
    .selectFrom('networkoffering')
    .select(['id', 'name'])
    .where('availability', '=', 'Required')
    .where('id', '!=', offering.id)
    .executeTakeFirst();
  if (other !== undefined) {
    throw refuse(
      'parameter',
      `System already has network offering id=${other.id} with availability Required (${other.name})`,
    );
  }
}

export const updateNetworkOffering = writeCommand({
  name: 'updateNetworkOffering',
  summary: 'Changes a network offering: its texts, its state, its place in the list',
  roles: ROOT,
  event: 'NETWORK.OFFERING.EDIT',
  answer: { kind: 'object', key: 'networkoffering', view: networkOfferingView },
  params: z.object({
    id: param.ref('networkoffering', 'The offering'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description', 4096).optional(),
    state: param.text('Enabled or Disabled').optional(),
    availability: param.text('Optional or Required').optional(),
    sortkey: param.integer('Place in lists: smaller is earlier').optional(),
    tags: param.text('Tags', 4096).optional(),
  }),
  async write(room, want) {
    const old = await existing(room, 'networkoffering', want.id);
    if (want.name !== undefined && want.name !== old.name) await refuseTakenOffering(room, want.name);
    const row: NetworkOfferingTable = {
      ...old,
      name: want.name ?? old.name,
      displaytext: want.displaytext ?? old.displaytext,
      state: offeringState(want.state) ?? old.state,
      availability: availabilityOf(want.availability) ?? old.availability,
      sort: want.sortkey ?? old.sort,
      tags: want.tags ?? old.tags,
    };
    if (row.availability !== old.availability) await refuseSecondRequired(room, row);
    await room.tx.update('networkoffering', row.id, row);
    return { networkoffering: (await showNetworkOfferings(room, [row]))[0] };
  },
});

export const deleteNetworkOffering = writeCommand({
  name: 'deleteNetworkOffering',
  summary: 'Deletes a network offering that no network uses',
  roles: ROOT,
  event: 'NETWORK.OFFERING.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('networkoffering', 'The offering') }),
  async write(room, want) {
    const row = await existing(room, 'networkoffering', want.id);
    if (row.isdefault === 1)
      throw refuse(
        'parameter',
        `Default network offering can't be deleted: ${row.name}. Disable it to make it unavailable`,
      );
    const { count } = await room.db
      .selectFrom('network')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('offering', '=', row.id)
      .executeTakeFirstOrThrow();
    if (count > 0) {
      throw refuse(
        'parameter',
        `Can't delete network offering ${row.id} as its used by ${count} networks. To make the network offering unavaiable, disable it`,
      );
    }
    await room.tx.remove('networkoffering', row.id);
    return undefined;
  },
});

/** Names of network offerings are what clients find them by: no two are alike. */
export async function refuseTakenOffering(room: Room, name: string): Promise<void> {
  const other = await room.db.selectFrom('networkoffering').select('id').where(named('name', name)).executeTakeFirst();
  if (other !== undefined)
    throw refuse(
      'parameter',
      `A network offering called ${name} exists already (${other.id}). Please choose another name`,
    );
}
