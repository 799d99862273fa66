// Opens the state: SQLite by default, PostgreSQL where the server has a standby beside it. One writer, one reader.
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { migrate } from './migrate.ts';
import type { Tables } from './schema.ts';
import { sqliteDialect } from './sqlite.ts';
import { createWriter, type Writer } from './write.ts';

export type Db = Kysely<Tables>;

export interface Store {
  /** For reading: sees committed changes only. */
  readonly db: Db;
  /** Runs a change; see {@link Writer}. */
  readonly write: Writer;
  /** Key that seals secrets at rest, 32 bytes; kept outside the database. */
  readonly sealKey: Buffer;
  close(): Promise<void>;
}

/** Where the state is: a file's path, or a postgres:// URL. */
export async function openStore(where: string, sealKey: Buffer): Promise<Store> {
  const postgres = /^postgres(ql)?:/.test(where);
  const writing = new Kysely<Tables>({ dialect: postgres ? postgresDialect(where, 1) : sqliteDialect(where) });
  await migrate(writing);
  const reading = new Kysely<Tables>({ dialect: postgres ? postgresDialect(where, 8) : sqliteDialect(where, true) });
  const write = createWriter(
    writing,
    // A server and its standby on one PostgreSQL take turns: the lock makes generations grow in the order of their commits.
    postgres ? async (tx) => void (await sql`select pg_advisory_xact_lock(8472012)`.execute(tx)) : undefined,
  );
  return {
    db: reading,
    write,
    sealKey,
    async close() {
      await write.idle();
      await reading.destroy();
      await writing.destroy();
    },
  };
}

function postgresDialect(url: string, max: number): PostgresDialect {
  const types = { getTypeParser: pg.types.getTypeParser.bind(pg.types) };
  const pool = new pg.Pool({ connectionString: url, max, types });
  // bigint comes as text otherwise; none of our numbers passes 2^53.
  pg.types.setTypeParser(20, Number);
  pool.on('error', () => undefined); // a broken idle connection is replaced; a broken busy one fails its query
  return new PostgresDialect({ pool });
}
