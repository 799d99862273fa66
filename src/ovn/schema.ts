// An OVSDB schema in the form the rest of this folder asks: which tables and columns there are, and of which type.
// Read from the live server (`get_schema`, RFC 7047 §4.1.2) and from the schema files (generated into schema/).

export type Atom = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

/** RFC 7047 §3.2 <type>. `max` 1 and `min` 1: a scalar; `value` present: a map; anything else: a set. */
export interface ColumnType {
  readonly key: Atom;
  readonly value?: Atom;
  readonly min: number;
  readonly max: number;
  /** The table a uuid refers to. */
  readonly refTable?: string;
  /** A weak reference disappears with its row; a strong one keeps a row of a non-root table alive. */
  readonly weak?: true;
}

export interface TableSchema {
  /** Rows of other tables live only as long as something refers to them strongly (RFC 7047 §3.2 isRoot). */
  readonly isRoot: boolean;
  readonly columns: Readonly<Record<string, ColumnType>>;
}

export interface DatabaseSchema {
  readonly name: string;
  readonly version: string;
  readonly tables: Readonly<Record<string, TableSchema>>;
}

interface RawBase {
  readonly type: Atom;
  readonly refTable?: string;
  readonly refType?: 'strong' | 'weak';
}
type RawType =
  | Atom
  | {
      readonly key: Atom | RawBase;
      readonly value?: Atom | RawBase;
      readonly min?: number;
      readonly max?: number | 'unlimited';
    };
interface RawSchema {
  readonly name: string;
  readonly version: string;
  readonly tables: Readonly<
    Record<
      string,
      { readonly isRoot?: boolean; readonly columns: Readonly<Record<string, { readonly type: RawType }>> }
    >
  >;
}

/** Reads a schema as the server (or an .ovsschema file) states it. Throws when it is not one. */
export function parseSchema(json: unknown): DatabaseSchema {
  const raw = json as RawSchema | null;
  if (typeof raw?.name !== 'string' || typeof raw.version !== 'string' || typeof raw.tables !== 'object') {
    throw new Error('not an OVSDB schema: name, version or tables are missing');
  }
  const entries = Object.entries(raw.tables);
  // RFC 7047 §3.2: a schema that marks no table as root is of the old kind, where every table is.
  const allRoot = entries.every(([, table]) => table.isRoot === undefined);
  return {
    name: raw.name,
    version: raw.version,
    tables: Object.fromEntries(
      entries.map(([name, table]) => [
        name,
        {
          isRoot: allRoot || table.isRoot === true,
          columns: Object.fromEntries(
            Object.entries(table.columns).map(([column, { type }]) => [column, parseType(type)]),
          ),
        },
      ]),
    ),
  };
}

function parseType(raw: RawType): ColumnType {
  if (typeof raw === 'string') return { key: raw, min: 1, max: 1 };
  const key: RawBase = typeof raw.key === 'string' ? { type: raw.key } : raw.key;
  return {
    key: key.type,
    ...(raw.value === undefined ? {} : { value: typeof raw.value === 'string' ? raw.value : raw.value.type }),
    min: raw.min ?? 1,
    max: raw.max === 'unlimited' ? Infinity : (raw.max ?? 1),
    ...(key.refTable === undefined ? {} : { refTable: key.refTable }),
    ...(key.refType === 'weak' ? { weak: true as const } : {}),
  };
}

/** The tables and columns that both schemas have, with the types of the first: what we may read and write of this server. */
export function restrictSchema(live: DatabaseSchema, known: DatabaseSchema): DatabaseSchema {
  const tables: Record<string, TableSchema> = {};
  for (const [name, table] of Object.entries(known.tables)) {
    const found = live.tables[name];
    if (found === undefined) continue;
    const columns = Object.entries(found.columns).filter(([column]) => Object.hasOwn(table.columns, column));
    tables[name] = { isRoot: found.isRoot, columns: Object.fromEntries(columns) };
  }
  return { name: live.name, version: live.version, tables };
}

/** Whether version `a` (`7.0.0`) comes before `b`. */
export function olderVersion(a: string, b: string): boolean {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let at = 0; at < 3; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
