// Processes as /proc shows them: who is whose child, what a process id of a sandbox is on the host, who still lives.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Start of a process in clock ticks since boot (proc(5), stat field 22). Undefined when there is no such process. */
export function startOf(pid: number): string | undefined {
  return stat(pid)?.started;
}

/** The one-letter state of a process (proc(5)): R, S, D, Z, T. Undefined when there is no such process. */
export function stateOf(pid: number): string | undefined {
  return stat(pid)?.state;
}

/** Whether the process that began at `started` is still there: a zombie is not. */
export function isAlive(pid: number, started: string): boolean {
  const now = stat(pid);
  return now !== undefined && now.started === started && now.state !== 'Z';
}

export function childrenOf(parent: number): number[] {
  return allPids().filter((pid) => stat(pid)?.parent === parent);
}

/** Sends a signal to a process and everything it started, the deepest first, so that no wrapper leaves its work behind. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const child of childrenOf(pid)) signalTree(child, signal);
  try {
    process.kill(pid, signal);
  } catch {
    return; // it ended by itself meanwhile
  }
}

/** Host process ids by the ids used inside the sandbox whose first process is `init`, instances' processes included. */
export function hostPids(init: number): Map<number, number> {
  const namespace = link(`/proc/${init}/ns/pid`);
  const found = new Map<number, number>();
  for (const pid of allPids()) {
    const levels = /^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1]?.split('\t') ?? [];
    // The last of the ids is the one in the process's own namespace; an instance's first process has one level more.
    if (isIn(pid, namespace)) found.set(Number(levels.at(-1)), pid);
    else if (levels.length > 2 && levels.at(-1) === '1' && isIn(stat(pid)?.parent, namespace)) {
      found.set(Number(levels.at(-2)), pid);
    }
  }
  return found;
}

function isIn(pid: number | undefined, namespace: string | undefined): boolean {
  return pid !== undefined && namespace !== undefined && link(`/proc/${pid}/ns/pid`) === namespace;
}

function stat(pid: number): { state: string; parent: number; started: string } | undefined {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name before may hold spaces and brackets
  const [state, parent] = fields;
  const started = fields[19];
  if (state === undefined || parent === undefined || started === undefined) return undefined;
  return { state, parent: Number(parent), started };
}

/** Every process there is, as this namespace counts. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^[0-9]+$/.test(entry))
    .map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process ended meanwhile
  }
}

function link(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}
