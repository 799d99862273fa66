// What somebody else did to a row of ours, told in a sentence an operator understands: for events and the drift metric.
import type { Change } from './change.ts';
import { tellDifferences } from './tell.ts';

export interface DriftEntry {
  readonly table: string;
  readonly uuid: string;
  /** Key of the unit the row belongs to; empty when its mark names none. */
  readonly unit: string;
  /** What was done to the row: `added` is a row that carries our mark and that nobody asked for. */
  readonly what: 'deleted' | 'changed' | 'added';
  /** The columns that were changed and have been put back. */
  readonly columns: readonly string[];
  readonly text: string;
}

/** Describes a change that puts something back. */
export function driftOf(change: Change): DriftEntry {
  const { table, uuid, unit, kind, before, after, columns } = change;
  const name = (after ?? before)?.['name'];
  const label = `${table} ${typeof name === 'string' && name !== '' ? name : uuid}`;
  const entry = { table, uuid, unit };
  if (kind === 'insert') {
    return {
      ...entry,
      what: 'deleted',
      columns: [],
      text: `${label} was deleted in OVN by somebody else and has been put back`,
    };
  }
  if (kind === 'update') {
    const text = `${label} was changed in OVN by somebody else and has been put back: ${tellDifferences(change)}`;
    return { ...entry, what: 'changed', columns, text };
  }
  const why =
    kind === 'drop' ? 'was put into a row of ours by somebody else' : 'carries our mark but nothing asks for it';
  return { ...entry, what: 'added', columns: [], text: `${label} ${why}; it has been removed` };
}
