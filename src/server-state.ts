// The server's own folder: the key that seals secrets, the port it had, access.json. Refuses a folder that is half-written or
// belongs to a running server, and says what to do.
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Credential {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
  readonly apikey: string;
  readonly secretkey: string;
}

export interface ServerState {
  readonly folder: string;
  /** 32 bytes. */
  readonly sealKey: Buffer;
  /** The port to ask for: 0 means the one it had before, if any. */
  portFor(wanted: number): number;
  keepPort(port: number): void;
  /** Notes where health and metrics are, in the file `metrics`. */
  keepMetrics(port: number): void;
  /** Writes access.json, mode 0600: new credentials over those it holds already. Nothing where there never were any. */
  writeAccess(endpoint: string, credentials: Readonly<Record<string, Credential>>): void;
}

/** Opens (or makes) the folder `server/` of a state folder. */
export function openServerState(state: string): ServerState {
  const folder = join(state, 'server');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  lock(folder);
  const sealKey = openSealKey(folder);
  const portFile = join(folder, 'port');
  const access = join(state, 'access.json');
  const kept = join(folder, 'access.json');
  return {
    folder,
    sealKey,
    portFor(wanted) {
      if (wanted !== 0 || !existsSync(portFile)) return wanted;
      const before = Number(readFileSync(portFile, 'utf8'));
      return Number.isInteger(before) && before > 0 && before < 65536 ? before : 0;
    },
    keepPort: (port) => writeWhole(portFile, `${port}\n`),
    keepMetrics: (port) => writeWhole(join(folder, 'metrics'), `http://127.0.0.1:${port}/metrics\n`),
    writeAccess(endpoint, credentials) {
      const accounts = { ...readAccounts(kept), ...credentials };
      if (Object.keys(accounts).length === 0) return;
      const text = `${JSON.stringify({ endpoint, accounts }, undefined, 2)}\n`;
      writeWhole(kept, text);
      writeWhole(access, text);
    },
  };
}

/** One server a folder: the lock names a process, and one that is gone does not count. */
function lock(folder: string): void {
  const file = join(folder, 'pid');
  const mine = join(folder, `pid.${process.pid}`);
  writeFileSync(mine, `${process.pid} ${startTime(process.pid) ?? ''}\n`);
  try {
    for (let tries = 0; ; tries++) {
      try {
        linkSync(mine, file);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries > 2) throw error;
        const [pid, started] = readFileSync(file, 'utf8').trim().split(' ');
        if (pid !== undefined && started !== undefined && started !== '' && startTime(Number(pid)) === started) {
          throw new Error(
            `${folder} belongs to a server that runs already (process ${pid}): stop it, or choose another folder with --state`,
            { cause: error },
          );
        }
        rmSync(file, { force: true });
      }
    }
  } finally {
    unlinkSync(mine);
  }
  process.once('exit', () => rmSync(file, { force: true }));
}

/** When the process started, in clock ticks since the machine did (proc(5), field 22): a pid alone may have been given again. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function openSealKey(folder: string): Buffer {
  const file = join(folder, 'seal.key');
  if (!existsSync(file)) {
    if (existsSync(join(folder, 'trunkline.db'))) {
      throw new Error(
        `${file} is missing, and the database beside it holds secrets sealed with it: put the key back, or start with an empty folder (--state)`,
      );
    }
    writeWhole(file, `${randomBytes(32).toString('hex')}\n`);
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'hex');
  if (key.length !== 32) {
    throw new Error(
      `${file} is damaged (it must hold 64 hexadecimal digits): restore it from a backup, or start with an empty folder (--state)`,
    );
  }
  return key;
}

/** The credentials written before: only their owner has them in plain text, so a damaged file is not written over. */
function readAccounts(file: string): Record<string, Credential> {
  if (!existsSync(file)) return {};
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { accounts: Record<string, Credential> }).accounts;
  } catch (cause) {
    throw new Error(`${file} is damaged: restore it from a backup, or start with an empty folder (--state)`, { cause });
  }
}

/** Writes a file nobody else may read, whole or not at all. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
