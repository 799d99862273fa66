// A copy of the database file while a server works with it, and what a copy must be told before it takes the place of the original.
import { DatabaseSync } from 'node:sqlite';

/** Writes a consistent copy of the SQLite file beside running readers and writers (sqlite.org/lang_vacuum.html, VACUUM INTO). */
export function copyDatabase(file: string, to: string): void {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    db.exec('pragma busy_timeout = 5000');
    db.prepare('vacuum into ?').run(to);
  } finally {
    db.close();
  }
}

/** Names of the migrations a database file has had. Throws when it is no database of ours. */
export function migrationsOf(file: string): string[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db
      .prepare('select name from kysely_migration order by name')
      .all()
      .map((row) => String(row['name']));
  } finally {
    db.close();
  }
}

/**
 * Makes the copy newer than anything that was realized since it was made: OVN and the nodes hold generations that the copy does not
 * know, and refuse older ones. The time in milliseconds is above every generation, unless a cloud changed a thousand times a second.
 */
export function raiseGeneration(file: string, now = Date.now()): number {
  const db = new DatabaseSync(file);
  try {
    const row = db.prepare("select value from counter where name = 'generation'").get();
    const generation = Math.max(Number(row?.['value'] ?? 0) + 1, now);
    db.prepare("update counter set value = ? where name = 'generation'").run(generation);
    return generation;
  } finally {
    db.close();
  }
}
