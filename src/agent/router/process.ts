// Finds the node's daemons by what they were started with, and not by their own notes of their numbers, which outlive them.
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { sleep } from '../../lib/sleep.ts';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly argv: readonly string[];
}

/** By file: processes of the program whose arguments hold it, without those that another of them started. */
export async function findByFile(program: string, files: ReadonlySet<string>): Promise<Map<string, number[]>> {
  const found = new Map<string, Process[]>();
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const one = await readProcess(entry, (name) => name === program);
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
    const one = await readProcess(entry, (called) => called in files);
    const name = basename(one?.argv[0] ?? '');
    const file = files[name];
    if (one !== undefined && file !== undefined && one.argv.includes(file)) found.get(name)!.push(one);
  }
  return new Map([...found].map(([name, all]) => [name, firstOf(all)]));
}

/** Milliseconds in which a process that begins another program has its arguments again, also where no processor is free. */
const EXEC_MS = 500;

/**
 * While a process begins another program it has no arguments for a moment, and haproxy's master does so twice each time it reads its files
 * again: taken for gone, it would be started a second time, or its workers be taken for it and ended, with all their connections. Those
 * `called` so are asked again until they have some; others never have any, as the kernel's own.
 */
export async function readProcess(entry: string, called: (name: string) => boolean): Promise<Process | undefined> {
  for (const end = performance.now() + EXEC_MS; ; await sleep(1)) {
    const [line, stat] = await Promise.all(
      ['cmdline', 'stat'].map((name) => readFile(`/proc/${entry}/${name}`, 'utf8').catch(() => '')),
    );
    if (line === undefined || stat === undefined || stat === '') return undefined;
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return undefined;
    if (line !== '') return { pid: Number(entry), parent: Number(parent), argv: line.split('\0') };
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    if (!called(name) || performance.now() >= end) return undefined;
  }
}

/** Whether the process runs; one that only waits to be collected does not. */
export async function runs(pid: number): Promise<boolean> {
  return (await readProcess(String(pid), () => true)) !== undefined;
}
