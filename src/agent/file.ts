// Files that are there completely or not at all, however the writer dies.
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

let counter = 0;

/** Replaces the file in one step: written beside it, then renamed over it. Missing folders are made. */
export async function writeWhole(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}-${++counter}`;
  await writeFile(beside, content, { mode });
  await rename(beside, path);
}

/** Removes what writers that were killed half-way left in a folder; those that still live finish theirs. */
export async function removeHalfWritten(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [] as string[])) {
    const writer = /\.(\d+)-\d+$/.exec(name)?.[1];
    if (writer !== undefined && !lives(Number(writer))) await rm(join(directory, name), { force: true });
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
