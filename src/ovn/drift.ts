// What somebody else did to a row of ours, told in a sentence an operator understands: for events and the drift metric.
import type { Value } from '../compile/desired.ts';
import type { Change } from './plan.ts';

export interface DriftEntry {
  readonly table: string;
  readonly uuid: string;
  /** Key of the unit the row belongs to; empty when its mark names none. */
  readonly unit: string;
  /** What was done to the row: `added` is a row that carries our mark and that nobody asked for. */
  readonly what: 'deleted' | 'changed' | 'added';
  /** The columns that were changed, with what was found and what was put back. */
  readonly columns: readonly { readonly column: string; readonly found?: Value; readonly wanted?: Value }[];
  readonly text: string;
}

/** Describes a change that puts something back. */
export function driftOf(change: Change): DriftEntry {
  const { table, uuid, unit, kind, before, after } = change;
  const what = kind === 'insert' ? 'deleted' : kind === 'update' ? 'changed' : 'added';
  const columns = change.columns.filter((column) => column !== 'external_ids' || change.columns.length === 1).map((column) => {
    const found = before?.[column];
    const wanted = after?.[column];
    return { column, ...(found === undefined ? {} : { found }), ...(wanted === undefined ? {} : { wanted }) };
  });
  const name = (after ?? before)?.['name'];
  const label = `${table} ${typeof name === 'string' && name !== '' ? name : uuid}`;
  const texts = {
    deleted: `${label} was deleted in OVN by somebody else and has been put back`,
    added: `${label} carries our mark but nothing asks for it; it has been removed`,
    changed: `${label} was changed in OVN by somebody else and has been put back: ${columns
      .map(({ column, found, wanted }) => `${column} was ${show(found)}, is ${show(wanted)}`)
      .join('; ')}`,
  };
  return { table, uuid, unit, what, columns, text: texts[what] };
}

function show(value: Value | undefined): string {
  const text = value === undefined ? 'unset' : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
