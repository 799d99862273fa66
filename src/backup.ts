// Backup and restore of a server's state: one archive with the database, the key its secrets are sealed with, and the authority that
// nodes trust. It is worth as much as the server itself: whoever has it is the server.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './lib/run.ts';
import { copyDatabase, migrationsOf, raiseGeneration } from './store/copy.ts';
import { MIGRATION_NAMES } from './store/migrate.ts';

const DATABASE = 'trunkline.db';
/** What an archive holds beside the database, where there is such a file. */
const KEPT = ['seal.key', 'pki', 'port', 'access.json'] as const;

/** Writes `file` (tar, mode 0600) from the state folder, whether its server runs or not. Throws a sentence when it cannot. */
export async function backUp(state: string, file: string): Promise<void> {
  const server = join(state, 'server');
  if (!existsSync(join(server, DATABASE)))
    throw new Error(
      existsSync(join(server, 'seal.key'))
        ? `the database of ${state} is not a file here: back PostgreSQL up with pg_dump -Fc -f trunkline.dump URL, and keep a copy of ${server}/seal.key and ${server}/pki with it`
        : `${state} is no server's state folder: there is no ${join(server, DATABASE)}`,
    );
  if (existsSync(file)) throw new Error(`${file} is there already; a backup is not written over another`);
  const scratch = mkdtempSync(join(dirname(file), '.trunkline-backup-'));
  try {
    copyDatabase(join(server, DATABASE), join(scratch, DATABASE));
    const kept = KEPT.filter((name) => existsSync(join(server, name)));
    const part = `${scratch}/archive`;
    writeFileSync(part, '', { mode: 0o600 });
    await run(['tar', '-cf', part, '-C', scratch, DATABASE, '-C', server, ...kept], { timeoutMs: 600_000 });
    renameSync(part, file);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Makes a state folder from an archive. Throws a sentence, and leaves nothing behind, when the folder is in use or the archive cannot be. */
export async function restore(state: string, file: string): Promise<void> {
  if (!existsSync(file)) throw new Error(`there is no backup ${file}`);
  const server = join(state, 'server');
  if (existsSync(server) && readdirSync(server).length > 0)
    throw new Error(`${server} is not empty: move it away first; a backup is never written over a state`);
  mkdirSync(state, { recursive: true });
  const scratch = mkdtempSync(join(state, '.restore-'));
  try {
    chmodSync(scratch, 0o700);
    await run(['tar', '-xf', file, '--no-same-owner', '-C', scratch], { timeoutMs: 600_000 }).catch(
      (cause: unknown) => {
        throw new Error(`${file} is no backup of a server: ${(cause as Error).message}`, { cause });
      },
    );
    const database = join(scratch, DATABASE);
    for (const name of [DATABASE, 'seal.key', 'pki'])
      if (!existsSync(join(scratch, name))) throw new Error(`${file} is no backup of a server: it holds no ${name}`);
    const unknown = migrationsOf(database).filter((name) => !MIGRATION_NAMES.includes(name));
    if (unknown.length > 0)
      throw new Error(
        `${file} was written by a newer version (it has had the migration ${unknown[0]}): install that version, or a later one`,
      );
    raiseGeneration(database);
    rmSync(server, { recursive: true, force: true });
    renameSync(scratch, server);
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true });
    throw error;
  }
}
