// Where a lab keeps what: every path below its state folder, named once.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** The checkout this program runs from. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The program as a person starts it. */
export const PROGRAM = join(CHECKOUT, 'trunkline');

/** The state folder of commands that name none. */
export const DEFAULT_STATE = join(CHECKOUT, '.state');

export interface LabPaths {
  readonly lab: string;
  /** What the sandbox is to be: {@link LabFile}. */
  readonly file: string;
  /** What the sandbox is: {@link SandboxFile}; there only while it runs. */
  readonly sandbox: string;
  readonly processes: string;
  /** What has happened to nodes: {@link Condition} by name; there only once something has. */
  readonly conditions: string;
  /** Where the supervisor takes orders. */
  readonly control: string;
  readonly log: string;
  readonly nb: string;
  readonly sb: string;
  readonly instances: string;
  /** The agents' way to the server. */
  readonly agents: string;
  /** The API's way in, for who is in the lab. */
  readonly api: string;
  /** Where the server notes its process. */
  readonly server: string;
  node(name: string): string;
}

export function labPaths(state: string): LabPaths {
  const lab = join(state, 'lab');
  return {
    lab,
    file: join(lab, 'lab.json'),
    sandbox: join(lab, 'sandbox.json'),
    processes: join(lab, 'processes.json'),
    conditions: join(lab, 'conditions.json'),
    control: join(lab, 'control.sock'),
    log: join(lab, 'supervisor.log'),
    nb: join(lab, 'nb.sock'),
    sb: join(lab, 'sb.sock'),
    instances: join(lab, 'instances'),
    agents: join(state, 'server', 'agents.sock'),
    api: join(state, 'server', 'api.sock'),
    server: join(state, 'server', 'pid'),
    node: (name) => join(lab, name),
  };
}

/** What the supervisor reads at its start. */
export interface LabFile {
  readonly state: string;
  readonly topologyFile: string;
  readonly datapath: 'netdev' | 'dummy';
  /** The agents' command up to `--config FILE`; null: no agents in this lab. */
  readonly agent: readonly string[] | null;
  /** What virtual machines boot; there when a hypervisor runs any. */
  readonly guest?: { readonly kernel: string; readonly initrd: string };
}

/** A running sandbox, for who wants to enter it. */
export interface SandboxFile {
  /** The first process of the sandbox, as the host counts. */
  readonly pid: number;
  /** Start of that process in clock ticks since boot: a process id alone may be someone else's by now. */
  readonly started: string;
  readonly rootless: boolean;
  readonly datapath: 'netdev' | 'dummy';
  readonly topologyFile: string;
}

/** One supervised process. `pid` is counted inside the sandbox; absent while it is down. */
export interface ProcessStatus {
  readonly node: string;
  readonly name: string;
  readonly pid?: number;
  readonly restarts: number;
  readonly since: string;
}

/** What can be done to a node, by name. */
export const NODE_ACTIONS = ['power-off', 'power-on', 'freeze', 'thaw', 'cut', 'mend'] as const;
export type NodeAction = (typeof NODE_ACTIONS)[number];

/** What a node is going through. */
export interface Condition {
  readonly power: 'on' | 'off' | 'frozen';
  readonly cables: 'whole' | 'cut';
}

/** An instance, as the agent's driver writes it down. */
export interface InstanceFile {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly host: string;
  readonly netns: string;
  /** The guest's first process, counted inside the sandbox; null while it does not run. */
  readonly pid: number | null;
  readonly rootfs: string;
  /** A virtual machine: there is no namespace to enter and no process of the guest's; absent: a namespace. */
  readonly driver?: 'libvirt';
}

// unix(7): sun_path holds 108 bytes, the last of them zero.
const SOCKET_PATH_BYTES = 107;

/** Throws when a socket below `state` would have a path too long to connect to, or when the sandbox would hide the folder. */
export function checkStatePath(state: string, nodes: readonly string[]): void {
  const paths = labPaths(state);
  const sockets = [paths.agents, ...nodes.map((node) => join(paths.node(node), 'db.sock'))];
  const over = Math.max(...sockets.map((path) => Buffer.byteLength(path))) - SOCKET_PATH_BYTES;
  if (over > 0) {
    throw new Error(
      `the state folder ${state} has a path ${over} bytes too long: unix sockets below it would exceed ` +
        `${SOCKET_PATH_BYTES} bytes (unix(7)); choose a shorter one with --state, such as /tmp/trunkline`,
    );
  }
  if (/^(\/var)?\/run(\/|$)/.test(state)) {
    throw new Error(
      `the state folder ${state} lies below /run, which the lab covers with its own; choose another with --state, such as /tmp/trunkline`,
    );
  }
}

/** Parses a JSON file. Undefined when it is not there or not whole. */
export function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** Writes a JSON file so that a reader sees the old or the new one, never half of it. */
export function writeJson(file: string, value: unknown, mode = 0o644): void {
  const next = `${file}.${process.pid}.new`;
  writeFileSync(next, `${JSON.stringify(value, null, 2)}\n`, { mode });
  renameSync(next, file);
}
