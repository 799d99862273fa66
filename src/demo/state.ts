// The state folder's rules: what may be used, what must be refused untouched, what is cleaned up, what stays at the end.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeJson } from '../lab/layout.ts';
import { isAlive, startOf } from '../lab/proc.ts';
import { runningSandbox } from '../lab/running.ts';

/** The file that says that a folder is ours, and whose it is now. */
const MARKER = 'trunkline.json';

interface Marker {
  readonly format: 1;
  /** Whether the folder outlives the run: asked for once, it is never removed by us again. */
  readonly kept: boolean;
  /** The demo that uses it, by process id and that process's start. */
  readonly pid: number;
  readonly started: string;
}

export interface StateFolder {
  readonly path: string;
  /** Whether there is something from an earlier run to go on with. */
  readonly continued: boolean;
  /** To be called when nothing uses the folder any more: removes it unless it is to be kept. True when it is gone. */
  close(): boolean;
}

/**
 * Takes a folder for a run. A folder that is not empty and not ours is refused untouched, so is one that a live demo uses
 * or whose marker is damaged; what a crashed run left is removed, unless that run was to keep it.
 */
export function openState(path: string, keep: boolean): StateFolder {
  const existed = existsSync(path);
  let former: Marker | undefined;
  if (existed) former = examine(path);
  const kept = keep || former?.kept === true;
  if (former !== undefined && !former.kept) empty(path);
  try {
    mkdirSync(path, { recursive: true });
    const marker: Marker = { format: 1, kept, pid: process.pid, started: startOf(process.pid) ?? '' };
    writeJson(join(path, MARKER), marker);
  } catch (error) {
    throw new Error(
      `the state folder ${path} cannot be written: ${(error as Error).message}; choose another with --state`,
      {
        cause: error,
      },
    );
  }
  return {
    path,
    continued: former?.kept === true,
    close() {
      if (kept) return false;
      empty(path);
      if (!existed || former !== undefined) rmSync(path, { recursive: true, force: true });
      return true;
    },
  };
}

/** The marker of an earlier run; undefined for an empty folder. Throws when the folder must not be used. */
function examine(path: string): Marker | undefined {
  let entries: string[];
  try {
    entries = readdirSync(path);
  } catch (error) {
    throw new Error(`the state folder ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (entries.length === 0) return undefined;
  if (!entries.includes(MARKER)) {
    throw new Error(
      `${path} is not empty and holds no Trunkline state; nothing in it was touched. Choose another folder with --state`,
    );
  }
  const marker = readMarker(join(path, MARKER));
  if (marker === undefined) {
    throw new Error(
      `the state folder ${path} is damaged: ${MARKER} is not whole. Remove the folder, or choose another with --state`,
    );
  }
  if (isAlive(marker.pid, marker.started)) {
    throw new Error(
      `the state folder ${path} is in use by a running demo (process ${marker.pid}). End it first, or choose another with --state`,
    );
  }
  const sandbox = runningSandbox(path);
  if (sandbox !== undefined) process.kill(sandbox.pid, 'SIGKILL'); // its demo was killed this very moment
  return marker;
}

function readMarker(file: string): Marker | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Marker> | null;
    const { format, kept, pid, started } = value ?? {};
    if (format !== 1 || typeof kept !== 'boolean' || typeof pid !== 'number' || typeof started !== 'string')
      return undefined;
    return { format, kept, pid, started };
  } catch {
    return undefined;
  }
}

function empty(path: string): void {
  for (const entry of readdirSync(path)) rmSync(join(path, entry), { recursive: true, force: true, maxRetries: 3 });
}
