// Finds the node's daemons by what they were started with, and not by their own notes of their numbers, which outlive them.
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly argv: readonly string[];
}

/** By file: processes of the program whose arguments hold it, without those that another of them started. */
export async function findByFile(program: string, files: ReadonlySet<string>): Promise<Map<string, number[]>> {
  const found = new Map<string, Process[]>();
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const one = await readProcess(entry);
    if (one === undefined || basename(one.argv[0] ?? '') !== program) continue;
    const file = one.argv.find((word) => files.has(word));
    if (file !== undefined) found.set(file, [...(found.get(file) ?? []), one]);
  }
  return new Map([...found].map(([file, all]) => [file, firstOf(all)]));
}

/** Those that no other of them started, in ascending order. */
function firstOf(all: readonly Process[]): number[] {
  const pids = new Set(all.map(({ pid }) => pid));
  return all
    .filter(({ parent }) => !pids.has(parent))
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
}

/** By name of the program: processes whose arguments hold the file, without those that another of them started. */
export async function findDaemons(files: Readonly<Record<string, string>>): Promise<Map<string, number[]>> {
  const found = new Map<string, Process[]>(Object.keys(files).map((name) => [name, []]));
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const one = await readProcess(entry);
    const name = basename(one?.argv[0] ?? '');
    const file = files[name];
    if (one !== undefined && file !== undefined && one.argv.includes(file)) found.get(name)!.push(one);
  }
  return new Map([...found].map(([name, all]) => [name, firstOf(all)]));
}

async function readProcess(entry: string): Promise<Process | undefined> {
  const [line, stat] = await Promise.all(
    ['cmdline', 'stat'].map((name) => readFile(`/proc/${entry}/${name}`, 'utf8').catch(() => '')),
  );
  if (line === undefined || line === '' || stat === undefined) return undefined;
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  return { pid: Number(entry), parent: Number(parent), argv: line.split('\0') };
}

/** Whether the process runs; one that only waits to be collected does not. */
export async function runs(pid: number): Promise<boolean> {
  return (await readProcess(String(pid))) !== undefined;
}
