// The databases the store can live on, each opened fresh for a test.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

const sqlite: Database = {
  name: 'SQLite',
  async open() {
    const directory = await mkdtemp(join(tmpdir(), 'trunkline-store-'));
    const where = join(directory, 'state.db');
    const store = await openStore(where, randomBytes(32));
    return {
      store,
      where,
      async [Symbol.asyncDispose]() {
        await store.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
};

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
