// The databases the store can live on, each opened fresh for a test.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { Client } from 'pg';
import { type Store, openStore } from './open.ts';

export interface TestStore extends AsyncDisposable {
  readonly store: Store;
  /** Where it is: opens it once more, as a second server would. */
  readonly where: string;
}

export interface Database {
  readonly name: string;
  open(): Promise<TestStore>;
}

const sqlite: Database = { name: 'SQLite', open: () => openSqlite() };

/** A state to begin with: what its file holds, and the key of its secrets. */
export interface Snapshot {
  readonly bytes: Uint8Array;
  readonly sealKey: Buffer;
}

/** On a file of its own: empty, or as a snapshot has it, which takes a fraction of the time of making all of it anew. */
export async function openSqlite({ bytes, sealKey }: Partial<Snapshot> = {}): Promise<TestStore> {
  const directory = await mkdtemp(join(tmpdir(), 'trunkline-store-'));
  const where = join(directory, 'state.db');
  if (bytes !== undefined) await writeFile(where, bytes);
  const store = await openStore(where, sealKey ?? randomBytes(32));
  return {
    store,
    where,
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function snapshotOf({ store, where }: TestStore): Promise<Snapshot> {
  const copy = `${where}.copy`;
  await sql`vacuum into ${copy}`.execute(store.db);
  return { bytes: await readFile(copy), sealKey: store.sealKey };
}

function postgres(url: string): Database {
  const admin = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  return {
    name: 'PostgreSQL',
    async open() {
      const name = `test_${randomBytes(8).toString('hex')}`;
      await admin(`create database ${name}`);
      const where = new URL(url);
      where.pathname = `/${name}`;
      const store = await openStore(where.href, randomBytes(32));
      return {
        store,
        where: where.href,
        async [Symbol.asyncDispose]() {
          await store.close();
          await admin(`drop database ${name} with (force)`);
        },
      };
    },
  };
}

/** The databases to test on: SQLite, and PostgreSQL where TRUNKLINE_TEST_POSTGRES says where one is. */
export const DATABASES: readonly Database[] = [
  sqlite,
  ...(process.env['TRUNKLINE_TEST_POSTGRES'] ? [postgres(process.env['TRUNKLINE_TEST_POSTGRES'])] : []),
];
