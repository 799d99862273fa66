// Where kernels, initramfs and disk images of guests are kept between runs: below node_modules, which git ignores and `npm ci` clears.
import { access, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../layout.ts';

export const CACHE = join(CHECKOUT, 'node_modules/.cache/trunkline');

/** How many of each kind stay when something new comes: those used last. A guest that runs has its files open and does not miss them. */
const KEEP = { 'guest-kernel-': 2, 'guest-disk-': 2, 'guest-initrd-': 12 } as const;
/** What somebody has begun and not ended is left alone for this long. */
const BEGUN_MS = 3600 * 1000;

/**
 * The path of `name` in the cache, made by `make` when it is not there. `make` is given a path of its own to make it at, which is then
 * renamed: several may do so at once, and nothing half made is ever found.
 */
export async function cached(name: string, make: (at: string) => Promise<void>): Promise<string> {
  const path = join(CACHE, name);
  const found = await access(path).then(
    () => true,
    () => false,
  );
  if (found) {
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined); // another user's: he looks after it
    return path;
  }
  await mkdir(CACHE, { recursive: true });
  await prune();
  const own = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}.new`;
  try {
    await make(own);
    await rename(own, path);
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error; // somebody else was faster
  }
  return path;
}

async function prune(): Promise<void> {
  const entries = await readdir(CACHE);
  for (const [kind, keep] of Object.entries(KEEP)) {
    const own = await Promise.all(
      entries
        .filter((entry) => entry.startsWith(kind))
        .map(async (entry) => ({ entry, used: await lastUse(join(CACHE, entry)) })),
    );
    const whole = own.filter(({ entry }) => !entry.includes('.new'));
    const abandoned = own.filter(({ entry, used }) => entry.includes('.new') && Date.now() - used > BEGUN_MS);
    const old = whole.toSorted((a, b) => b.used - a.used).slice(keep);
    for (const { entry } of [...old, ...abandoned]) await rm(join(CACHE, entry), { recursive: true, force: true });
  }
}

async function lastUse(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(), // gone meanwhile
  );
}
