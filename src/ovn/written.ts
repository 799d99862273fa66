// What we last wrote, by unit and by row: lets the planner skip units that are the same object as before, and tells a change
// made by somebody else from a change of intent. It is a memory only; without it a full comparison finds the same end state.
import type { Desired, DesiredRow, DesiredUnit } from '../compile/desired.ts';

export interface WrittenRow {
  readonly row: DesiredRow;
  readonly unit: string;
}

/** The planner's view of the memory. */
export interface Written {
  /** By key; undefined until everything has been compared once. */
  readonly units: ReadonlyMap<string, DesiredUnit> | undefined;
  readonly rows: ReadonlyMap<string, WrittenRow>;
}

export const NOTHING_WRITTEN: Written = { units: undefined, rows: new Map() };

export interface WrittenMemory extends Written {
  /** These units are in the database now, and those of the keys `gone` are not any more. */
  accept(fresh: readonly DesiredUnit[], gone: readonly string[]): void;
  /** The database is not what we left (it came back older): remember nothing. */
  forget(): void;
}

/** How two sets of units differ: the ones that are not the same object as before, and the keys that are there no more. */
export interface UnitChanges {
  readonly fresh: readonly DesiredUnit[];
  readonly gone: readonly string[];
}

/** Compares by identity: a unit that did not change is the same object (compile/desired.ts). */
export function unitChanges(before: ReadonlyMap<string, DesiredUnit>, desired: Desired): UnitChanges {
  const fresh: DesiredUnit[] = [];
  let kept = 0;
  for (const [key, unit] of desired.units) {
    const was = before.get(key);
    if (was !== undefined) kept += 1;
    if (was !== unit) fresh.push(unit);
  }
  if (kept === before.size) return { fresh, gone: [] };
  return { fresh, gone: [...before.keys()].filter((key) => !desired.units.has(key)) };
}

export function createWritten(): WrittenMemory {
  let units: Map<string, DesiredUnit> | undefined;
  const rows = new Map<string, WrittenRow>();

  const drop = (key: string): void => {
    for (const { uuid } of units?.get(key)?.rows ?? []) if (rows.get(uuid)?.unit === key) rows.delete(uuid);
    units?.delete(key);
  };
  return {
    get units() {
      return units;
    },
    rows,
    accept(fresh, gone) {
      units ??= new Map();
      // First all that goes, then all that comes: a row may have moved from one unit to another.
      for (const key of gone) drop(key);
      for (const { key } of fresh) drop(key);
      for (const unit of fresh) {
        units.set(unit.key, unit);
        for (const row of unit.rows) rows.set(row.uuid, { row, unit: unit.key });
      }
    },
    forget() {
      units = undefined;
      rows.clear();
    },
  };
}
