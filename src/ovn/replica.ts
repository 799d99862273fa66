// Our copy of an OVSDB database: tables of rows in natural values, kept by monitor_cond_since and its update3
// notifications (ovsdb-server(7)). Rows are frozen by habit: a changed row is a new object.
import type { Value } from '../compile/desired.ts';
import { applyDiff, decode, defaultOf, isDefault, sameValue } from './codec.ts';
import type { DatabaseSchema, TableSchema } from './schema.ts';

/** A row's columns. A column that has its default value is absent. */
export type Row = Readonly<Record<string, Value>>;

export interface RowChange {
  readonly table: string;
  readonly uuid: string;
  /** Absent: the row is new. */
  readonly before?: Row;
  /** Absent: the row is gone. */
  readonly after?: Row;
}

/** What the planner reads. */
export interface Actual {
  /** The tables and columns known to us that this server has. */
  readonly schema: DatabaseSchema;
  /** Rows by uuid; empty for a table the server does not have. */
  table(name: string): ReadonlyMap<string, Row>;
}

export interface Replica extends Actual {
  /** Calls back after each transaction that was seen, with all its changes. Returns a function to stop. */
  onChange(listener: (changes: readonly RowChange[]) => void): () => void;
}

/** `table-updates2` of ovsdb-server(7): by table, by uuid. */
export type Updates = Readonly<Record<string, Readonly<Record<string, RowUpdate>>>>;
interface RowUpdate {
  readonly initial?: Readonly<Record<string, unknown>>;
  readonly insert?: Readonly<Record<string, unknown>>;
  readonly modify?: Readonly<Record<string, unknown>>;
  readonly delete?: unknown;
}

export interface WritableReplica extends Replica {
  /** Takes the changes of one notification, or of a monitor reply that continues where we were. */
  apply(updates: Updates): void;
  /** Takes a whole database; listeners hear only of the differences to what was known before. */
  replace(schema: DatabaseSchema, updates: Updates): void;
}

const NONE: ReadonlyMap<string, Row> = new Map();

export function createReplica(known: DatabaseSchema): WritableReplica {
  let schema = known;
  let tables = new Map<string, Map<string, Row>>();
  const listeners = new Set<(changes: readonly RowChange[]) => void>();
  const tell = (changes: readonly RowChange[]): void => {
    if (changes.length > 0) for (const listener of listeners) listener(changes);
  };

  return {
    get schema() {
      return schema;
    },
    table: (name) => tables.get(name) ?? NONE,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    apply(updates) {
      const changes: RowChange[] = [];
      for (const [name, rows] of Object.entries(updates)) {
        const type = schema.tables[name];
        if (type === undefined) continue;
        const table = tables.get(name) ?? new Map<string, Row>();
        tables.set(name, table);
        for (const [uuid, update] of Object.entries(rows)) {
          const before = table.get(uuid);
          const after = nextRow(type, before, update, `${name} ${uuid}`);
          if (after === undefined) table.delete(uuid);
          else table.set(uuid, after);
          changes.push(change(name, uuid, before, after));
        }
      }
      tell(changes);
    },
    replace(next, updates) {
      const old = tables;
      schema = next;
      tables = new Map();
      const changes: RowChange[] = [];
      for (const [name, type] of Object.entries(schema.tables)) {
        const before = old.get(name) ?? NONE;
        const rows = new Map<string, Row>();
        tables.set(name, rows);
        for (const [uuid, update] of Object.entries(updates[name] ?? {})) {
          const row = nextRow(type, undefined, update, `${name} ${uuid}`)!;
          const was = before.get(uuid);
          const same = was !== undefined && sameRow(was, row);
          rows.set(uuid, same ? was : row);
          if (!same) changes.push(change(name, uuid, was, row));
        }
        for (const [uuid, was] of before) if (!rows.has(uuid)) changes.push(change(name, uuid, was, undefined));
      }
      tell(changes);
    },
  };
}

function change(table: string, uuid: string, before: Row | undefined, after: Row | undefined): RowChange {
  return { table, uuid, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

function nextRow(type: TableSchema, before: Row | undefined, update: RowUpdate, where: string): Row | undefined {
  const whole = update.initial ?? update.insert;
  if (whole !== undefined) return takeColumns(type, {}, whole, false);
  if (update.modify === undefined) return undefined;
  if (before === undefined) throw new Error(`the server changed ${where}, which it never sent`);
  return takeColumns(type, before, update.modify, true);
}

function takeColumns(type: TableSchema, before: Row, wire: Readonly<Record<string, unknown>>, diff: boolean): Row {
  const row: Record<string, Value> = { ...before };
  for (const [column, value] of Object.entries(wire)) {
    const columnType = type.columns[column];
    if (columnType === undefined) continue;
    const sent = decode(columnType, value);
    const next = diff ? applyDiff(columnType, before[column] ?? defaultOf(columnType), sent) : sent;
    if (isDefault(columnType, next)) delete row[column];
    else row[column] = next;
  }
  return row;
}

function sameRow(a: Row, b: Row): boolean {
  const columns = Object.keys(a);
  if (columns.length !== Object.keys(b).length) return false;
  return columns.every((column) => b[column] !== undefined && sameValue(a[column]!, b[column]));
}
