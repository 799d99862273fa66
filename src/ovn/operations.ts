// Planned changes as operations of an OVSDB transaction (RFC 7047 §5.2). Apart from the plan, because steps for people and
// operations for the server are two renderings of the same changes.
import { defaultOf, encode, isDefault, type Wire } from './codec.ts';
import type { Change } from './change.ts';
import type { Row } from './replica.ts';
import type { DatabaseSchema } from './schema.ts';

export interface Operation {
  readonly op: string;
  readonly table?: string;
  readonly [key: string]: unknown;
}

/** One operation for each change that needs one, with that change. Throws when a value has not its column's form. */
export function operationsOf(
  changes: readonly Change[],
  schema: DatabaseSchema,
): readonly { readonly operation: Operation; readonly change: Change }[] {
  return changes.flatMap((change) => {
    const operation = operationOf(change, schema);
    return operation === undefined ? [] : [{ operation, change }];
  });
}

function operationOf({ kind, table, uuid, after, columns }: Change, schema: DatabaseSchema): Operation | undefined {
  const where = [['_uuid', '==', ['uuid', uuid]]];
  if (kind === 'delete') return { op: 'delete', table, where };
  if (kind === 'drop' || after === undefined) return undefined;
  // A row id chosen by the client: "uuid" of insert, ovsdb-server(7), since OVS 3.1.
  if (kind === 'insert')
    return { op: 'insert', table, uuid, row: encodeRow(after, Object.keys(after), table, schema, false) };
  return { op: 'update', table, where, row: encodeRow(after, columns, table, schema, true) };
}

function encodeRow(
  row: Row,
  columns: readonly string[],
  table: string,
  schema: DatabaseSchema,
  withDefaults: boolean,
): Readonly<Record<string, Wire>> {
  const wire: Record<string, Wire> = {};
  for (const column of columns) {
    const type = schema.tables[table]?.columns[column];
    if (type === undefined) continue;
    const value = row[column] ?? defaultOf(type);
    if (withDefaults || !isDefault(type, value)) wire[column] = encode(type, value, `${table}.${column}`);
  }
  return wire;
}
