// Brings a database to the newest schema. Forward only; every migration is a file named after what it adds.
import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import * as initial from './migrations/001-initial.ts';
import * as members from './migrations/002-members.ts';
import * as services from './migrations/003-services.ts';
import * as vpn from './migrations/004-vpn.ts';
import * as dhcpOptions from './migrations/005-dhcp-options.ts';
import * as helperSlots from './migrations/006-helper-slots.ts';
import type { Tables } from './schema.ts';

const MIGRATIONS = {
  '001-initial': initial,
  '002-members': members,
  '003-services': services,
  '004-vpn': vpn,
  '005-dhcp-options': dhcpOptions,
  '006-helper-slots': helperSlots,
};

/** The migrations this version knows. */
export const MIGRATION_NAMES: readonly string[] = Object.keys(MIGRATIONS);

/** Throws when the database was written by a newer version, or when a migration fails (nothing of it is kept then). */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = results?.find((result) => result.status === 'Error');
  throw new Error(
    failed === undefined
      ? `the database cannot be used: ${error instanceof Error ? error.message : String(error)}`
      : `migration ${failed.migrationName} failed; nothing of it was kept`,
    { cause: error },
  );
}
