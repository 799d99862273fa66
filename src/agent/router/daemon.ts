// A daemon of the router node: its files are written beside the running ones, checked by the program itself, and only then put in
// their place and loaded. A file the program refuses leaves what runs as it is. At most one of each on a node.
import { createHash } from 'node:crypto';
import type { Step, Work } from '../driver.ts';
import type { Ready } from '../haproxy.ts';

export type DaemonName = 'keepalived' | 'dnsmasq' | 'haproxy' | 'conntrackd';

export interface DaemonFile {
  readonly path: string;
  readonly content: string;
  /** Argv before the path that checks such a file; absent: its program has no check. */
  readonly check?: readonly string[];
  /** What makes a change of it count. */
  readonly load: 'signal' | 'restart';
}

export interface Daemon {
  readonly name: DaemonName;
  /** Undefined: the node needs none. */
  readonly files: readonly DaemonFile[] | undefined;
  /** Starts it; it goes to the background by itself and outlives the agent. */
  readonly start: readonly string[];
  /** Where what it says goes, when it cannot go to the background by itself. */
  readonly output?: string;
  /** Makes it read its files again; undefined: only a restart does. */
  readonly signal: 'HUP' | 'USR2' | undefined;
  /** How it says that it has; absent: it has as soon as it is told. */
  readonly ready?: Ready;
  /** What it does here. */
  readonly purpose: string;
}

/** A daemon as it is. */
export interface DaemonState {
  /** Processes that nobody of the same started: one, or none while it is down. */
  readonly pids: readonly number[];
  /** Contents by path; undefined: no such file. */
  readonly files: ReadonlyMap<string, string | undefined>;
}

/** keepalived takes its addresses away and tells its peers before it ends: some 1.5 s. */
const GRACE_MS = 6000;

/** The file that says what the running daemon has loaded. */
export function loadedFile(directory: string, name: DaemonName): string {
  return `${directory}/${name}.loaded`;
}

/** Pure: steps until the daemon runs with its files, or runs no more. Undefined: nothing to do. */
export function planDaemon(daemon: Daemon, state: DaemonState, directory: string, node: string): Work | undefined {
  const { name, files, purpose } = daemon;
  const mark = loadedFile(directory, name);
  const steps = files === undefined ? stopped(daemon, state, mark) : running(daemon, files, state, mark);
  return steps.length === 0 ? undefined : { target: name, label: `router ${node}: ${name} (${purpose})`, steps };
}

function running(daemon: Daemon, files: readonly DaemonFile[], state: DaemonState, mark: string): Step[] {
  const { name, purpose, signal, ready } = daemon;
  const [main, ...more] = state.pids;
  const loaded = fingerprint(files);
  const before = (state.files.get(mark) ?? '').trim().split(' ');
  const changed = files.filter(({ path, content }) => state.files.get(path) !== content);
  const surplus = more.map((pid): Step => ({ kind: 'stop', pid, graceMs: GRACE_MS, reason: `a second ${name}` }));
  if (main !== undefined && changed.length === 0 && before.join(' ') === loaded.join(' ')) return surplus;
  const steps: Step[] = [...surplus];
  for (const file of changed) {
    const reason = `${name}: ${purpose}`;
    const { path } = file;
    if (file.check === undefined) steps.push({ kind: 'write', path, content: file.content, mode: 0o644, reason });
    else
      steps.push(
        { kind: 'write', path: `${path}.new`, content: file.content, mode: 0o644, reason },
        { kind: 'run', argv: [...file.check, `${path}.new`], reason: `${name} itself says whether it takes the file` },
        { kind: 'run', argv: ['mv', `${path}.new`, path], reason },
      );
  }
  const restart = signal === undefined || before[0] !== loaded[0];
  if (main === undefined) steps.push(startStep(daemon, `${name} does not run: ${purpose}`));
  else if (restart)
    steps.push(
      { kind: 'stop', pid: main, graceMs: GRACE_MS, reason: `${name} takes this change only at its start` },
      startStep(daemon, `${name}: ${purpose}`),
    );
  else {
    steps.push({ kind: 'run', argv: ['kill', `-${signal}`, String(main)], reason: `${name} reads its files again` });
    if (ready !== undefined) steps.push({ kind: 'await', ...ready, reason: `${name} serves them`, routine: true });
  }
  steps.push({
    kind: 'write',
    path: mark,
    content: `${loaded.join(' ')}\n`,
    mode: 0o644,
    reason: `what ${name} has loaded`,
    routine: true,
  });
  return steps;
}

function startStep({ start: argv, output }: Daemon, reason: string): Step {
  return output === undefined ? { kind: 'run', argv, reason } : { kind: 'launch', argv, output, reason };
}

function stopped({ name }: Daemon, state: DaemonState, mark: string): Step[] {
  const reason = `no network here needs ${name} any more`;
  const steps = state.pids.map((pid): Step => ({ kind: 'stop', pid, graceMs: GRACE_MS, reason }));
  for (const [path, content] of state.files)
    if (content !== undefined && path !== mark) steps.push({ kind: 'remove', path, reason });
  if (state.files.get(mark) !== undefined) steps.push({ kind: 'remove', path: mark, reason, routine: true });
  return steps;
}

/** Of the files a restart is needed for, and of the others. */
function fingerprint(files: readonly DaemonFile[]): [string, string] {
  const of = (load: DaemonFile['load']): string =>
    digest(
      files
        .filter((file) => file.load === load)
        .map(({ path, content }) => `${path}\n${content}`)
        .join('\n'),
    );
  return [of('restart'), of('signal')];
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
