// Kysely on the SQLite that Node brings. WAL and synchronous=FULL: a change that was acknowledged survives loss of power.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { SqliteDialect, type SqliteDatabase } from 'kysely';

const MOST_PREPARED = 300;

/**
 * A dialect on a file; `readOnly` connections see committed data only and never wait for the writer. Throws what an operator can
 * act on when the file is no database any more.
 */
export function sqliteDialect(path: string, readOnly = false): SqliteDialect {
  const db = openFile(path, readOnly);
  // Statements are kept: preparing costs several times what running one of ours does.
  const prepared = new Map<string, ReturnType<SqliteDatabase['prepare']>>();
  const database: SqliteDatabase = {
    close: () => db.close(),
    prepare(sql) {
      let statement = prepared.get(sql);
      if (statement === undefined) {
        const raw = db.prepare(sql);
        const input = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
        statement = {
          reader: raw.columns().length > 0,
          all: (parameters) => raw.all(...input(parameters)),
          run: (parameters) => raw.run(...input(parameters)),
          iterate: (parameters) => raw.iterate(...input(parameters)),
        };
        // The one that was not asked for the longest goes: lists of any length make statements that are never asked for again.
        const [eldest] = prepared.keys();
        if (eldest !== undefined && prepared.size >= MOST_PREPARED) prepared.delete(eldest);
      } else {
        prepared.delete(sql);
      }
      prepared.set(sql, statement);
      return statement;
    },
  };
  return new SqliteDialect({ database });
}

function openFile(path: string, readOnly: boolean): DatabaseSync {
  try {
    const db = new DatabaseSync(path, { readOnly });
    if (!readOnly) db.exec('pragma journal_mode = wal; pragma synchronous = full');
    db.exec('pragma foreign_keys = on; pragma busy_timeout = 5000');
    return db;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `the database ${path} cannot be used (${why}): restore it from a backup, or start with an empty folder (--state)`,
      { cause },
    );
  }
}
