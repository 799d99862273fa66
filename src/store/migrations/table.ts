// Tables as data, and how they are made: what every migration that adds some has in common.
import type { ColumnDefinitionBuilder, Kysely } from 'kysely';

type ColumnType = 'text' | 'text?' | 'integer' | 'integer?';
export interface Table {
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Instead of `id`. */
  readonly key?: readonly string[];
  readonly unique?: readonly (readonly string[])[];
  readonly index?: readonly (readonly string[])[];
  /** Column -> table whose id it holds. */
  readonly references?: Readonly<Record<string, string>>;
}

/** Creates the tables in the order given: whoever is referred to comes first. */
export async function createTables(db: Kysely<never>, tables: Readonly<Record<string, Table>>): Promise<void> {
  for (const [name, table] of Object.entries(tables)) {
    let create = db.schema.createTable(name);
    const key = table.key ?? ['id'];
    for (const [column, type] of Object.entries(table.columns)) {
      const shape = (builder: ColumnDefinitionBuilder): ColumnDefinitionBuilder => {
        const target = table.references?.[column];
        const referring = target === undefined ? builder : builder.references(`${target}.id`);
        return type.endsWith('?') ? referring : referring.notNull();
      };
      create = create.addColumn(column, type.startsWith('text') ? 'text' : 'bigint', shape);
    }
    create = create.addPrimaryKeyConstraint(`${name}_key`, key as never);
    for (const [position, columns] of (table.unique ?? []).entries()) {
      create = create.addUniqueConstraint(`${name}_unique_${position}`, columns as never);
    }
    await create.execute();
    for (const columns of table.index ?? []) {
      await db.schema
        .createIndex(`${name}_by_${columns.join('_')}`)
        .on(name)
        .columns([...columns])
        .execute();
    }
  }
}

/** What a column that is added holds in the rows that are there: a text, a number, or nothing (and then it may stay empty). */
export type Column = string | number | null;

/** Adds columns to a table that is there. A text that may stay empty is `null`; numbers may not. */
export async function addColumns(
  db: Kysely<never>,
  table: string,
  columns: Readonly<Record<string, Column>>,
): Promise<void> {
  for (const [name, value] of Object.entries(columns)) {
    await db.schema
      .alterTable(table)
      .addColumn(name, typeof value === 'number' ? 'bigint' : 'text', (column) =>
        value === null ? column : column.notNull().defaultTo(value),
      )
      .execute();
  }
}
