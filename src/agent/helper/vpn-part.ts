// The parts a helper's VPNs consist of, all planned the same way: files, processes that read them, and what is loaded into them or into
// the kernel while they run. Rule: what runs was started with the files that are there; so it is stopped first, then they are written.
import type { Step, Wait } from '../driver.ts';
import { digest } from '../router/daemon.ts';

export interface VpnPart {
  /** Folder: a VPN's id, or what several share. */
  readonly name: string;
  readonly label: string;
  readonly files: readonly PartFile[];
  /** Folders in which nothing else may lie: keys of a VPN that shared this part and is no more. */
  readonly owns?: readonly string[];
  readonly processes: readonly PartProcess[];
  readonly loads: readonly Load[];
}

interface PartFile {
  readonly path: string;
  readonly content: string;
}

export interface PartProcess {
  /** Name of its program, as the processes' list says it. */
  readonly program: string;
  readonly start: readonly string[];
  /** Files it reads at its start only. */
  readonly reads: readonly string[];
  /** Where it is asked: left by one that died, it is in the way of the next; and who runs without it can never be asked. */
  readonly socket?: string;
}

/** What is done once its process is there, and again after each change of `what` or of the process. */
export interface Load {
  /** Of the mark. */
  readonly name: string;
  readonly what: string;
  /** A file or a device that is there when it can be done. */
  readonly needs: { readonly path: string } | { readonly device: string } | undefined;
  /** Device that it makes: where that is there already, only the mark is. */
  readonly makes?: string;
  /** Whether it is still there, where somebody might have taken it away. */
  readonly stays?: (found: FoundVpns) => boolean;
  readonly argvs: readonly (readonly string[])[];
}

export interface FoundProcess {
  readonly part: string;
  readonly program: string;
  readonly pid: number;
  /** Whether it has run for long enough to have made its socket. */
  readonly old: boolean;
}

/** What there is of VPNs in a helper. */
export interface FoundVpns {
  /** Contents by path; of what is no regular file, nothing. */
  readonly files: ReadonlyMap<string, string | undefined>;
  /** Names of the folders. */
  readonly parts: readonly string[];
  readonly processes: readonly FoundProcess[];
  /** Network devices in the namespace. */
  readonly devices: readonly string[];
  /** Whether the namespace passes packets on, and how many rules its filter has; undefined: there is none yet, or nobody has looked. */
  readonly passes?: { readonly forwards: boolean; readonly rules: number };
}

export const NO_VPNS: FoundVpns = { files: new Map(), parts: [], processes: [], devices: [] };

export interface PartPlan {
  readonly steps: readonly Step[];
  readonly waits: readonly Wait[];
}

/** `netns`: number of the namespace: what was loaded into another one is not loaded. */
export function planPart(part: VpnPart, found: FoundVpns, folder: string, target: string, netns: number): PartPlan {
  const { name, label, files, owns = [], processes, loads } = part;
  const steps: Step[] = [];
  const reason = label;
  const changed = files.filter(({ path, content }) => found.files.get(path) !== content);
  const running = found.processes.filter((one) => one.part === name);
  const starting: PartProcess[] = [];
  for (const process of processes) {
    const [first, ...more] = running.filter(({ program }) => program === process.program);
    for (const { pid } of more) steps.push({ kind: 'stop', pid, reason: `a second ${process.program} of ${label}` });
    const why = first === undefined ? undefined : whyAnew(process, first, changed, found);
    if (first !== undefined && why !== undefined)
      steps.push({ kind: 'stop', pid: first.pid, graceMs: 3000, reason: why });
    if (first === undefined || why !== undefined) starting.push(process);
  }
  for (const { pid, program } of running)
    if (!processes.some((process) => process.program === program))
      steps.push({ kind: 'stop', pid, graceMs: 3000, reason: `${label} needs no ${program}` });
  for (const path of found.files.keys())
    if (owns.some((one) => path.startsWith(`${one}/`)) && !files.some((file) => file.path === path))
      steps.push({ kind: 'remove', path, reason: `${label} needs it no more` });
  for (const { path, content } of changed) steps.push({ kind: 'write', path, content, mode: 0o600, reason });
  for (const { program, start, socket } of starting) {
    if (socket !== undefined && found.files.has(socket)) steps.push({ kind: 'remove', path: socket, reason });
    steps.push({ kind: 'launch', argv: start, output: `${folder}/${program}.log`, reason });
  }
  const waits: Wait[] = [];
  const main = running.find(({ program }) => program === processes[0]?.program);
  const pids = `${netns} ${main?.pid ?? ''}`;
  for (const load of loads) {
    const mark = `${folder}/${load.name}.loaded`;
    const wanted = `${digest(load.what)} ${pids}\n`;
    if (starting.length === 0 && found.files.get(mark) === wanted && load.stays?.(found) !== false) continue;
    const ready =
      load.needs === undefined ||
      ('path' in load.needs ? found.files.has(load.needs.path) : found.devices.includes(load.needs.device));
    if (starting.length > 0 || !ready) {
      waits.push({
        target,
        what: `${label} waits for ${processes.map(({ program }) => program).join(', ')} to be ready`,
      });
      continue;
    }
    const there = load.makes !== undefined && found.devices.includes(load.makes);
    for (const argv of there ? [] : load.argvs) steps.push({ kind: 'run', argv, reason });
    steps.push({ kind: 'write', path: mark, content: wanted, mode: 0o600, reason, routine: true });
  }
  return { steps, waits: steps.length > 0 ? [] : waits };
}

/** Why a running program is to begin anew; undefined: it is not. */
function whyAnew(
  { program, reads, socket }: PartProcess,
  { old }: FoundProcess,
  changed: readonly PartFile[],
  { files }: FoundVpns,
): string | undefined {
  if (changed.some(({ path }) => reads.includes(path))) return `${program} reads its files only at its start`;
  if (old && socket !== undefined && !files.has(socket)) return `${program} has lost ${socket}, where it is asked`;
  return undefined;
}

/** Steps until nothing of a part is there. */
export function removePart(name: string, found: FoundVpns, folder: string, reason: string): readonly Step[] {
  const running = found.processes.filter(({ part }) => part === name);
  return [
    ...running.map(({ pid }): Step => ({ kind: 'stop', pid, graceMs: 3000, reason })),
    { kind: 'remove', path: folder, reason },
  ];
}
