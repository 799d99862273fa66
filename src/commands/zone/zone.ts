// Zones: the largest place things can be in. A zone is what clients name first in nearly every call.
import { sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId, newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import type { ZoneTable } from '../../store/schema/zone.ts';
import { existing } from '../access.ts';
import { domainInReach } from '../account/domain.ts';
import { tagView, tagsOf } from '../join.ts';
import { containing, named, page, pageParams, tagParams, taggedRows } from '../list.ts';
import { type Room, type WriteRoom, listCommand, writeCommand } from '../room.ts';

export const zoneView = z.object({
  id: field.string('id of the zone'),
  name: field.string('its name'),
  displaytext: field.string('its name'),
  dns1: field.string('first resolver of its guest networks; for root'),
  dns2: field.string('second resolver; for root'),
  internaldns1: field.string('first resolver of its hosts; for root'),
  internaldns2: field.string('second resolver of its hosts; for root'),
  guestcidraddress: field.string('default CIDR of guest networks; for root'),
  domain: field.string('network domain of its guest networks'),
  networktype: field.string('Advanced'),
  allocationstate: field.string('Enabled or Disabled: whether new things may be made in it'),
  dhcpprovider: field.string('who serves DHCP'),
  zonetoken: field.string('a token that follows from the id; for root'),
  securitygroupsenabled: field.boolean('false: tenants are told apart by networks and ACLs'),
  localstorageenabled: field.boolean('false'),
  tags: field.list('its tags', tagView),
});

/** Zones as their answers show them. What concerns the provider alone is shown to root alone. */
export async function showZones(room: Room, rows: readonly ZoneTable[]): Promise<z.infer<typeof zoneView>[]> {
  const tags = await tagsOf(
    room.db,
    'Zone',
    rows.map((row) => row.id),
  );
  const root = room.call.caller.role === 'admin';
  return rows.map((row) =>
    field.compact<z.infer<typeof zoneView>>({
      id: row.id,
      name: row.name,
      displaytext: row.name,
      ...(root
        ? {
            dns1: row.dns1,
            dns2: row.dns2,
            internaldns1: row.internaldns1,
            internaldns2: row.internaldns2,
            guestcidraddress: row.guestcidr,
            zonetoken: derivedId(`zonetoken/${row.id}`),
          }
        : {}),
      domain: row.networkdomain,
      networktype: row.networktype,
      allocationstate: row.allocationstate,
      dhcpprovider: 'VirtualRouter',
      securitygroupsenabled: false,
      localstorageenabled: false,
      tags: tags(row.id),
    }),
  );
}

export const listZones = listCommand({
  name: 'listZones',
  summary: 'Lists zones',
  roles: EVERYBODY,
  key: 'zone',
  view: zoneView,
  params: z.object({
    id: param.ref('zone', 'The zone with this id').optional(),
    ids: param.list('The zones with these ids', 'zone').optional(),
    name: param.text('The zone of this name').optional(),
    networktype: param.text('Advanced').optional(),
    domainid: param.ref('domain', 'Zones this domain may use: all of them').optional(),
    available: param.flag('false: only zones in which the caller has instances').optional(),
    showcapacities: param.flag('Accepted; capacities are not shown').optional(),
    ...pageParams,
    ...tagParams,
  }),
  async list(room, want) {
    const { caller } = room.call;
    if (want.id !== undefined) await existing(room, 'zone', want.id);
    if (want.domainid !== undefined) await domainInReach(room, want.domainid, 'domainid');
    let query = room.db
      .selectFrom('zone')
      .selectAll()
      .where(taggedRows('zone', 'Zone', want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.ids !== undefined && want.ids.length > 0) query = query.where('id', 'in', want.ids);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.networktype !== undefined) query = query.where(named('networktype', want.networktype));
    if (caller.role !== 'admin') query = query.where('allocationstate', '=', 'Enabled');
    if (want.available === false) {
      query = query.where('id', 'in', (eb) =>
        eb.selectFrom('instance').select('zone').where('account', '=', caller.accountId),
      );
    }
    const { count, rows } = await page(query.orderBy('created').orderBy('id'), want);
    return { count, rows: await showZones(room, rows) };
  },
});

const zoneParams = {
  dns2: param.address('Second resolver of guest networks').optional(),
  internaldns2: param.address('Second resolver of hosts').optional(),
  domain: param.text('Network domain of guest networks', 190).optional(),
  guestcidraddress: param.prefix('Default CIDR of guest networks').optional(),
  allocationstate: param.text('Enabled or Disabled').optional(),
  localstorageenabled: param.flag('Only false').optional(),
};

export const createZone = writeCommand({
  name: 'createZone',
  summary: 'Creates a zone',
  roles: ROOT,
  event: 'ZONE.CREATE',
  answer: { kind: 'object', key: 'zone', view: zoneView },
  params: z.object({
    name: param.text('Name, unique'),
    dns1: param.address('First resolver of guest networks'),
    internaldns1: param.address('First resolver of hosts'),
    networktype: param.text('Advanced'),
    securitygroupenabled: param.flag('Only false').optional(),
    domainid: param.ref('domain', 'Not offered: zones are open to all domains').optional(),
    ...zoneParams,
  }),
  async write(room, want) {
    if (want.networktype.toLowerCase() !== 'advanced') {
      throw refuse(
        'parameter',
        `Network type ${want.networktype} is not offered: zones are Advanced, with networks of their own for each tenant`,
      );
    }
    if (want.securitygroupenabled === true)
      throw refuse('parameter', 'Security groups are not offered: tenants are told apart by networks and ACLs');
    if (want.domainid !== undefined)
      throw refuse('parameter', 'A zone cannot be kept for one domain: leave domainid out');
    refuseLocalStorage(want);
    await refuseTakenName(room, want.name);
    const row: Tables['zone'] = {
      id: newId(),
      name: want.name,
      dns1: want.dns1,
      dns2: want.dns2 ?? null,
      internaldns1: want.internaldns1,
      internaldns2: want.internaldns2 ?? null,
      networkdomain: want.domain ?? null,
      networktype: 'Advanced',
      allocationstate: allocationState(want.allocationstate) ?? 'Disabled',
      guestcidr: want.guestcidraddress ?? null,
      created: new Date().toISOString(),
    };
    await room.tx.insert('zone', row);
    return { zone: (await showZones(room, [row]))[0] };
  },
});

export const updateZone = writeCommand({
  name: 'updateZone',
  summary: 'Changes a zone',
  roles: ROOT,
  event: 'ZONE.EDIT',
  answer: { kind: 'object', key: 'zone', view: zoneView },
  params: z.object({
    id: param.ref('zone', 'The zone'),
    name: param.text('New name').optional(),
    dns1: param.address('First resolver of guest networks').optional(),
    internaldns1: param.address('First resolver of hosts').optional(),
    ...zoneParams,
  }),
  async write(room, want) {
    const zone = await existing(room, 'zone', want.id);
    refuseLocalStorage(want);
    if (want.name !== undefined && want.name !== zone.name) await refuseTakenName(room, want.name);
    const row: Tables['zone'] = {
      ...zone,
      name: want.name ?? zone.name,
      dns1: want.dns1 ?? zone.dns1,
      dns2: want.dns2 ?? zone.dns2,
      internaldns1: want.internaldns1 ?? zone.internaldns1,
      internaldns2: want.internaldns2 ?? zone.internaldns2,
      networkdomain: want.domain ?? zone.networkdomain,
      allocationstate: allocationState(want.allocationstate) ?? zone.allocationstate,
      guestcidr: want.guestcidraddress ?? zone.guestcidr,
    };
    await room.tx.update('zone', zone.id, row);
    return { zone: (await showZones(room, [row]))[0] };
  },
});

export const deleteZone = writeCommand({
  name: 'deleteZone',
  summary: 'Deletes a zone that holds nothing any more',
  roles: ROOT,
  event: 'ZONE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('zone', 'The zone') }),
  async write(room, want) {
    const zone = await existing(room, 'zone', want.id);
    const inTheWay = await contentsOf(room, zone.id);
    if (inTheWay.length > 0) {
      throw refuse(
        'failed',
        `The zone ${zone.name} is not deletable because there are ${inTheWay.join(', ')} in it. Delete these first`,
      );
    }
    await room.tx.remove('zone', zone.id);
    return undefined;
  },
});

const CONTENTS = {
  instance: 'instances',
  network: 'networks',
  vpc: 'VPCs',
  host: 'hosts',
  publicrange: 'ranges of public addresses',
  physicalnetwork: 'physical networks',
} as const;

/** What a zone holds, as "2 hosts", "1 physical networks". */
async function contentsOf(room: Room, zone: string): Promise<string[]> {
  const found: string[] = [];
  for (const [table, name] of Object.entries(CONTENTS)) {
    const counted = await sql<{
      count: number;
    }>`select count(*) as count from ${sql.table(table)} where zone = ${zone}`.execute(room.db);
    const count = counted.rows[0]?.count ?? 0;
    if (count > 0) found.push(`${count} ${name}`);
  }
  return found;
}

async function refuseTakenName(room: WriteRoom, name: string): Promise<void> {
  const other = await room.db.selectFrom('zone').select('id').where(named('name', name)).executeTakeFirst();
  if (other !== undefined) {
    throw refuse('parameter', `A zone with that name already exists. Please specify a unique zone name. (${name})`);
  }
}

function refuseLocalStorage(want: { readonly localstorageenabled?: boolean | undefined }): void {
  if (want.localstorageenabled === true)
    throw refuse('parameter', 'Local storage is not offered: localstorageenabled must be false');
}

/** The state by its name in any case. */
function allocationState(text: string | undefined): 'Enabled' | 'Disabled' | undefined {
  if (text === undefined) return undefined;
  const state = (['Enabled', 'Disabled'] as const).find((name) => name.toLowerCase() === text.toLowerCase());
  if (state === undefined)
    throw refuse('parameter', `Invalid Allocation state ${text}. Supported states are: Enabled, Disabled`);
  return state;
}
