// Which rows of the northbound database are ours, and which of their columns: the one place that decides what may be
// written or removed. A row of ours is ours as a whole; everything else is invisible to the planner.
import type { DesiredRow, Value } from '../compile/desired.ts';
import { derivedId } from '../lib/id.ts';
import { defaultOf, sameValue } from './codec.ts';
import type { Actual, Row } from './replica.ts';
import type { TableSchema } from './schema.ts';

/** external_ids:owner of every row we write. */
export const OWNER = 'trunkline';

type Ids = Readonly<Record<string, string>>;

/** Columns that OVN itself writes into rows of others (ovn-nb(5)): left alone unless the compiler mentions them. */
const WRITTEN_BY_OVN: Readonly<Record<string, ReadonlySet<string>>> = {
  Logical_Switch_Port: new Set(['up', 'dynamic_addresses']),
  Logical_Router_Port: new Set(['ipv6_prefix', 'status']),
  BFD: new Set(['status']),
};

/**
 * Root tables without external_ids: a row is ours when the router port it names is, or when its id is the one we would give it.
 * The latter finds what is left when somebody deletes a router of ours by hand: northd 23.03 stands still while it is there.
 */
const OWNED_THROUGH_PORT: ReadonlySet<string> = new Set(['Static_MAC_Binding']);

/** Whether the row carries our mark. */
export function isMarked(row: Row | undefined): boolean {
  return (row?.['external_ids'] as Ids | undefined)?.['owner'] === OWNER;
}

/** The unit a row of ours was written for, by its mark. */
export function unitOf(row: Row): string | undefined {
  return (row['external_ids'] as Ids | undefined)?.['unit'];
}

/** Whether we may write rows of this table at all: we must be able to recognise them as ours after a restart. */
export function canOwn(table: string, type: TableSchema): boolean {
  return 'external_ids' in type.columns || OWNED_THROUGH_PORT.has(table);
}

/** Every row of ours that must be deleted to go. Rows of other tables go by themselves when nothing refers to them. */
export function* ownedRoots(actual: Actual): Generator<{ table: string; uuid: string; row: Row }> {
  for (const [table, type] of Object.entries(actual.schema.tables)) {
    if (!type.isRoot) continue;
    const throughPort = OWNED_THROUGH_PORT.has(table);
    const ports = throughPort ? ownedRouterPorts(actual) : undefined;
    for (const [uuid, row] of actual.table(table)) {
      const ours =
        ports === undefined ? isMarked(row) : ports.has(row['logical_port'] as string) || uuid === idOf(table, row);
      if (ours) yield { table, uuid, row };
    }
  }
}

/** The id the compiler gives such a row (compile/desired.ts, DesiredRow). */
function idOf(table: string, row: Row): string {
  return derivedId(`${table}/${String(row['logical_port'])}/${String(row['ip'])}`);
}

function ownedRouterPorts(actual: Actual): ReadonlySet<string> {
  const names = new Set<string>();
  for (const row of actual.table('Logical_Router_Port').values()) if (isMarked(row)) names.add(row['name'] as string);
  return names;
}

/** The row as it is to be in the database: the compiler's columns and our mark. */
export function marked(row: DesiredRow, type: TableSchema, generation: number): Row {
  if (!('external_ids' in type.columns)) return row.columns;
  const ids = row.columns['external_ids'] as Ids | undefined;
  return { ...row.columns, external_ids: { ...ids, owner: OWNER, generation: String(generation) } };
}

/**
 * The columns in which the row in the database is not as wanted. The generation in the mark is not compared: it tells when
 * a row was last written, and a new one is no reason to write. Throws when the server does not know a wanted column.
 */
export function differences(row: DesiredRow, type: TableSchema, found: Row): readonly string[] {
  const columns: string[] = [];
  for (const column of Object.keys(row.columns)) {
    const columnType = type.columns[column];
    if (columnType === undefined) throw new Error(`column ${column} of ${row.table} is not known to this OVN`);
    if (column === 'external_ids') continue;
    if (!sameValue(row.columns[column]!, found[column] ?? defaultOf(columnType))) columns.push(column);
  }
  for (const column of Object.keys(found)) {
    if (column === 'external_ids' || Object.hasOwn(row.columns, column) || writtenByOvn(row, column)) continue;
    columns.push(column);
  }
  if ('external_ids' in type.columns && !sameMark(row.columns['external_ids'], found['external_ids']))
    columns.push('external_ids');
  return columns;
}

function writtenByOvn(row: DesiredRow, column: string): boolean {
  // A tag is OVN's to choose only where one was requested (ovn-nb(5) Logical_Switch_Port.tag_request).
  if (column === 'tag') return row.columns['tag_request'] !== undefined;
  return WRITTEN_BY_OVN[row.table]?.has(column) === true;
}

function sameMark(wanted: Value | undefined, found: Value | undefined): boolean {
  if (found === undefined) return false;
  const ids = found as Ids;
  if (ids['owner'] !== OWNER || ids['generation'] === undefined) return false;
  const keys = Object.entries((wanted as Ids | undefined) ?? {});
  return keys.length + 2 === Object.keys(ids).length && keys.every(([key, value]) => ids[key] === value);
}
