// Files that are there completely or not at all, however the writer dies.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

let counter = 0;

/** Replaces the file in one step: written beside it, then renamed over it. Missing folders are made. */
export async function writeWhole(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}-${++counter}`;
  await writeFile(beside, content, { mode });
  await rename(beside, path);
}
