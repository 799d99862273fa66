// Compares what is wanted of the northbound database with what is there, and says what to change. Pure: the same desired
// and actual state give the same plan, by whatever path they came about.
import type { Desired, DesiredRow, DesiredUnit } from '../compile/desired.ts';
import { driftOf, type DriftEntry } from './drift.ts';
import { canOwn, differences, isMarked, marked, ownedRoots, unitOf } from './ownership.ts';
import type { Change } from './change.ts';
import type { Actual } from './replica.ts';
import type { TableSchema } from './schema.ts';
import { NOTHING_WRITTEN, unitChanges, type UnitChanges, type Written } from './written.ts';

/** A unit that cannot be planned, and why. The others are not held up by it. */
export interface FailedUnit {
  readonly unit: string;
  readonly error: string;
}

export interface Plan {
  readonly generation: number;
  readonly changes: readonly Change[];
  readonly touchedUnits: ReadonlySet<string>;
  readonly drift: readonly DriftEntry[];
  readonly failed: readonly FailedUnit[];
  /** How the units differ from those written before. */
  readonly units: UnitChanges;
}

/** Rows somebody else touched since, by uuid, with their tables. */
export type Suspects = ReadonlyMap<string, string>;

/**
 * Plans the way from `actual` to `desired`. With `written` and `suspects` only units that are not the object last written,
 * and rows under suspicion, are looked at; with `scope` 'full' (or nothing written yet) everything is.
 */
export function planNorthbound(
  desired: Desired,
  actual: Actual,
  written: Written = NOTHING_WRITTEN,
  scope: 'full' | Suspects = 'full',
): Plan {
  const { generation } = desired;
  const { units: before } = written;
  const suspects = scope === 'full' || before === undefined ? undefined : scope;
  const changes: Change[] = [];
  const failed: FailedUnit[] = [];
  const wanted = new Map<string, DesiredRow>();
  const refused = new Set<string>();

  const refuse = (unit: string, error: unknown): void => {
    refused.add(unit);
    failed.push({ unit, error: error instanceof Error ? error.message : String(error) });
  };

  // 1. Which rows are to be looked at.
  const looked: { readonly unit: string; readonly rows: readonly DesiredRow[] }[] = [];
  const unitsNow = unitChanges(before ?? new Map(), desired);
  for (const unit of suspects === undefined ? desired.units.values() : unitsNow.fresh) {
    const { key } = unit;
    const twice = unit.rows.find(({ uuid }) => wanted.has(uuid));
    if (twice !== undefined) refuse(key, new Error(`${twice.table} ${twice.uuid} is wanted by two units`));
    for (const row of unit.rows) wanted.set(row.uuid, row);
    if (twice === undefined) looked.push({ unit: key, rows: unit.rows });
  }
  for (const uuid of suspects?.keys() ?? []) {
    const known = written.rows.get(uuid);
    if (known === undefined || wanted.has(uuid) || !isCurrent(desired, before, known.unit)) continue;
    wanted.set(uuid, known.row);
    looked.push({ unit: known.unit, rows: [known.row] });
  }

  // 2. What of them is missing or different.
  for (const { unit, rows } of looked) {
    const own: Change[] = [];
    try {
      for (const row of rows) {
        const change = compare(row, unit, actual, written, generation);
        if (change !== undefined) own.push(change);
      }
      changes.push(...own);
    } catch (error) {
      refuse(unit, error);
    }
  }

  // 3. What is there and no longer wanted.
  const remove = (table: string, uuid: string, unit: string, drift: boolean): void => {
    const row = actual.table(table).get(uuid);
    if (row === undefined || wanted.has(uuid) || refused.has(unit)) return;
    if (actual.schema.tables[table]?.isRoot)
      changes.push({ kind: 'delete', table, uuid, unit, before: row, columns: [], drift });
  };
  if (suspects === undefined) {
    for (const { table, uuid, row } of ownedRoots(actual)) {
      const known = written.rows.get(uuid);
      remove(table, uuid, unitOf(row) ?? known?.unit ?? '', before !== undefined && known === undefined);
    }
  } else {
    for (const key of [...unitsNow.gone, ...unitsNow.fresh.map((unit) => unit.key)]) {
      for (const { table, uuid } of before?.get(key)?.rows ?? []) remove(table, uuid, key, false);
    }
    for (const [uuid, table] of suspects) {
      const row = actual.table(table).get(uuid);
      if (row !== undefined && !written.rows.has(uuid) && isMarked(row)) remove(table, uuid, unitOf(row) ?? '', true);
    }
  }
  changes.push(...dropped(changes, actual, wanted));

  return {
    generation,
    changes,
    touchedUnits: new Set(changes.map((change) => change.unit)),
    drift: changes.filter((change) => change.drift).map((change) => driftOf(change)),
    failed,
    units: unitsNow,
  };
}

function isCurrent(desired: Desired, before: ReadonlyMap<string, DesiredUnit> | undefined, key: string): boolean {
  const unit = desired.units.get(key);
  return unit !== undefined && before?.get(key) === unit;
}

function compare(
  row: DesiredRow,
  unit: string,
  actual: Actual,
  written: Written,
  generation: number,
): Change | undefined {
  const { table, uuid } = row;
  const type = tableOf(actual, table);
  const found = actual.table(table).get(uuid);
  const known = written.rows.get(uuid);
  if (found === undefined) {
    differences(row, type, {}); // refuses columns this server does not have
    const after = marked(row, type, generation);
    return { kind: 'insert', table, uuid, unit, after, columns: [], drift: known !== undefined };
  }
  const columns = differences(row, type, found);
  if (columns.length === 0) return undefined;
  const marks = 'external_ids' in type.columns && !columns.includes('external_ids') ? ['external_ids'] : [];
  return {
    kind: 'update',
    table,
    uuid,
    unit,
    before: found,
    after: marked(row, type, generation),
    columns: [...columns, ...marks],
    drift: known !== undefined && (known.row === row || differences(known.row, type, found).length > 0),
  };
}

function tableOf(actual: Actual, table: string): TableSchema {
  const type = actual.schema.tables[table];
  if (type === undefined) {
    throw new Error(`table ${table} is not known to this OVN (${actual.schema.name} ${actual.schema.version})`);
  }
  if (!canOwn(table, type)) throw new Error(`rows of ${table} cannot carry our mark and are never written`);
  return type;
}

/** Children of non-root tables that lose their place in a row we change: shown in the steps, gone by themselves. */
function* dropped(
  changes: readonly Change[],
  actual: Actual,
  wanted: ReadonlyMap<string, DesiredRow>,
): Generator<Change> {
  for (const { kind, table, columns, before, after, unit, drift } of changes) {
    if (kind !== 'update') continue;
    for (const column of columns) {
      const type = actual.schema.tables[table]?.columns[column];
      if (type?.refTable === undefined || type.weak || actual.schema.tables[type.refTable]?.isRoot !== false) continue;
      const kept = new Set((after?.[column] ?? []) as readonly string[]);
      for (const uuid of (before?.[column] ?? []) as readonly string[]) {
        const row = actual.table(type.refTable).get(uuid);
        if (kept.has(uuid) || wanted.has(uuid) || row === undefined) continue;
        yield { kind: 'drop', table: type.refTable, uuid, unit, before: row, columns: [], drift };
      }
    }
  }
}
