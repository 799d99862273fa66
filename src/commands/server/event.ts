// Events: what was asked for, by whom, and how it went. Written in the change they tell of; nobody can edit or delete them, and
// time does after event.purge.delay days (store/sweep.ts).
import { z } from 'zod';
import { EVERYBODY, type Registry } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { ALERT_EVENT } from '../../store/gateway-claims.ts';
import { GATEWAY_EVENT } from '../../store/gateway-findings.ts';
import { RECEIPT_EVENTS } from '../../store/receipts.ts';
import { FINDING_EVENT, TAKEOVER_EVENT } from '../../store/router-states.ts';
import { SCAN_EVENTS } from '../../store/scans.ts';
import type { EventTable } from '../../store/schema/record.ts';
import { SWITCH_EVENTS } from '../../store/switches.ts';
import { VPN_EVENTS } from '../../store/vpn-states.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, named, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type Plan, type Room, listCommand } from '../room.ts';

export const eventView = z.object({
  id: field.string('id of the event'),
  type: field.string('what happened, such as VPC.CREATE'),
  level: field.string('INFO, WARN or ERROR'),
  state: field.string('Created, Scheduled, Started or Completed'),
  description: field.string('what happened, as a sentence'),
  username: field.string('who asked for it'),
  parentid: field.string('the Scheduled event of the same job'),
  resourcetype: field.string('kind of the object it is about'),
  resourceid: field.string('id of the object it is about'),
  created: field.date('when'),
  ...ownerFields,
});

async function showEvents(room: Room, rows: readonly EventTable[]): Promise<z.infer<typeof eventView>[]> {
  if (rows.length === 0) return [];
  const owner = await ownersOf(room.db, rows);
  const ids = [...new Set(rows.map((row) => row.user))];
  const users = await room.db.selectFrom('user').select(['id', 'username']).where('id', 'in', ids).execute();
  const names = new Map(users.map((row) => [row.id, row.username]));
  return rows.map((row) =>
    field.compact<z.infer<typeof eventView>>({
      id: row.id,
      type: row.type,
      level: row.level,
      state: row.state,
      description: row.description,
      username: names.get(row.user),
      parentid: row.parent,
      resourcetype: row.resourcetype,
      resourceid: row.resource,
      created: field.clientDate(row.created),
      ...owner(row),
    }),
  );
}

export const listEvents = listCommand({
  name: 'listEvents',
  summary: 'Lists events, newest first',
  roles: EVERYBODY,
  params: z.object({
    id: param.ref('event', 'Id of an event').optional(),
    type: param.text('Type, such as VPC.CREATE').optional(),
    level: param.text('INFO, WARN or ERROR').optional(),
    startdate: param.date('Since').optional(),
    enddate: param.date('Until').optional(),
    startid: param.ref('event', 'The events of one job: id of its Scheduled event').optional(),
    resourceid: param.text('Id of the object it is about').optional(),
    resourcetype: param.text('Kind of the object it is about').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  key: 'event',
  view: eventView,
  async list(room, want) {
    await knownIds(room, want, { id: 'event', startid: 'event' });
    let query = room.db
      .selectFrom('event')
      .selectAll()
      .where(await ownedRows(room, 'event', want))
      .orderBy('seq', 'desc');
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.type !== undefined) query = query.where(named('type', want.type));
    if (want.level !== undefined) query = query.where(named('level', want.level));
    if (want.startdate !== undefined) query = query.where('created', '>=', want.startdate);
    if (want.enddate !== undefined) query = query.where('created', '<=', endOf(want.enddate));
    if (want.startid !== undefined)
      query = query.where((eb) => eb.or([eb('id', '=', want.startid!), eb('parent', '=', want.startid!)]));
    if (want.resourceid !== undefined) query = query.where('resource', '=', want.resourceid);
    if (want.resourcetype !== undefined) query = query.where(named('resourcetype', want.resourcetype));
    if (want.keyword !== undefined)
      query = query.where((eb) => eb.or([containing('type', want.keyword!), containing('description', want.keyword!)]));
    const { count, rows } = await page(query, want);
    return { count, rows: await showEvents(room, rows) };
  },
});

/** A day without a time means that whole day. */
function endOf(iso: string): string {
  return iso.endsWith('T00:00:00.000Z') ? iso.replace('T00:00:00.000Z', 'T23:59:59.999Z') : iso;
}

/** Types of events that no command causes. */
const OWN_TYPES = [
  ...SWITCH_EVENTS,
  ...VPN_EVENTS,
  'STATIC.ROUTE.STATE',
  ALERT_EVENT,
  GATEWAY_EVENT,
  FINDING_EVENT,
  TAKEOVER_EVENT,
  ...RECEIPT_EVENTS,
  ...SCAN_EVENTS,
];

/** The command that names every type of event there can be. */
export function listEventTypes(all: () => Registry): Plan {
  return listCommand({
    name: 'listEventTypes',
    summary: 'Lists the types of events',
    roles: EVERYBODY,
    params: z.object({}),
    key: 'eventtype',
    view: z.object({ name: field.string('the type') }),
    list: () => {
      const types = new Set([
        ...[...all().values()].flatMap(({ event }) => (event === undefined ? [] : [event])),
        ...OWN_TYPES,
      ]);
      const rows = [...types].toSorted().map((name) => ({ name }));
      return Promise.resolve({ count: rows.length, rows });
    },
  });
}
