// How switches look in answers. They are the operator's: nobody else is shown one, so everything but secrets is here.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { SwitchActual } from '../../protocol/switch.ts';
import type { Tables } from '../../store/schema.ts';
import { findingsOf } from '../../store/switches.ts';
import { namesOf } from '../join.ts';
import type { Room } from '../room.ts';

export const findingView = z.object({
  port: field.string('the port'),
  kind: field.string('missing, changed or unknown-port'),
  vlan: field.string('the VLAN it is about, where it is about one'),
  text: field.string('what is not as wanted, or was not and was put right'),
  since: field.date('since when'),
});

const neighbourView = z.object({
  port: field.string('the port'),
  system: field.string('name of the system behind it, as it says itself (LLDP)'),
  remoteport: field.string('the port there'),
});

export const switchView = z.object({
  id: field.string('id of the switch'),
  name: field.string('its name'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  physicalnetworkid: field.string('the physical network it carries'),
  physicalnetworkname: field.string('name of that physical network'),
  driver: field.string('ovsdb, linux, netconf or instructions'),
  url: field.string('what the driver connects to'),
  details: field.map('what the driver needs to know besides'),
  hascredentials: field.boolean('whether a password or key is kept for it'),
  nativevlan: field.string('VLAN of untagged frames on ports nobody has attached'),
  apply: field.boolean('false: it is only looked at'),
  state: field.string('Connecting, Up or Down'),
  error: field.string('the first thing wrong with it'),
  lastseen: field.date('when it answered last'),
  ports: field.integer('number of its ports that are registered'),
  changesgeneration: field.integer('number of the change that was asked of it last'),
  realizedgeneration: field.integer('number of the last change that was true there'),
  awaitsconfirmation: field.boolean('whether confirmSwitchChanges is waited for'),
  plannedchanges: field.list('lines for the network team to type, or that would be run if apply were true', z.string()),
  findings: field.list('what is not as wanted', findingView),
  neighbour: field.list('who is behind its ports, as they say themselves', neighbourView),
  created: field.date('when it was registered'),
});

export type SwitchView = z.infer<typeof switchView>;

export async function showSwitches(room: Room, rows: readonly Tables['switch'][]): Promise<SwitchView[]> {
  if (rows.length === 0) return [];
  const column = <K extends keyof Tables['switch']>(name: K): Tables['switch'][K][] => rows.map((row) => row[name]);
  const zones = await namesOf(room.db, 'zone', column('zone'));
  const physical = await namesOf(room.db, 'physicalnetwork', column('physicalnetwork'));
  const counted = await room.db
    .selectFrom('switchport')
    .select(['switch'])
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('switch', 'in', column('id'))
    .groupBy('switch')
    .execute();
  const ports = new Map(counted.map((row) => [row.switch, Number(row.count)]));
  return rows.map((row) => {
    const actual = actualOf(row);
    return field.compact<SwitchView>({
      id: row.id,
      name: row.name,
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      physicalnetworkid: row.physicalnetwork,
      physicalnetworkname: physical.get(row.physicalnetwork),
      driver: row.driver,
      url: row.address,
      details: JSON.parse(row.options) as Record<string, string>,
      hascredentials: row.secret !== null,
      nativevlan: String(row.nativevlan),
      apply: row.apply === 1,
      state: row.state,
      error: row.error,
      lastseen: row.lastseen === null ? undefined : field.clientDate(row.lastseen),
      ports: ports.get(row.id) ?? 0,
      changesgeneration: row.documented,
      realizedgeneration: row.reached,
      awaitsconfirmation: awaitsConfirmation(row),
      plannedchanges: plannedOf(row),
      findings: showFindings(row),
      neighbour: (actual?.neighbours ?? []).map(({ port, system, remotePort }) => ({
        port,
        system,
        remoteport: remotePort,
      })),
      created: field.clientDate(row.created),
    });
  });
}

/** Whether the network team has something to type and to confirm. */
export function awaitsConfirmation(row: Tables['switch']): boolean {
  return row.driver === 'instructions' && row.documented > row.confirmed && plannedOf(row).length > 0;
}

export function plannedOf(row: Pick<Tables['switch'], 'planned'>): string[] {
  return row.planned === null ? [] : (JSON.parse(row.planned) as string[]);
}

/** What the switch said of itself last; undefined before it has. */
export function actualOf(row: Pick<Tables['switch'], 'actual'>): SwitchActual | undefined {
  return row.actual === null ? undefined : (JSON.parse(row.actual) as SwitchActual);
}

/** The findings, of one port where it is given. */
export function showFindings(row: Pick<Tables['switch'], 'findings'>, port?: string): z.infer<typeof findingView>[] {
  return findingsOf(row)
    .filter((finding) => port === undefined || finding.port === port)
    .map((finding) =>
      field.compact<z.infer<typeof findingView>>({
        port: finding.port,
        kind: finding.kind,
        vlan: finding.vlan === undefined ? undefined : String(finding.vlan),
        text: finding.text,
        since: field.clientDate(finding.since),
      }),
    );
}
