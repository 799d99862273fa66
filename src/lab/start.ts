// Starts a lab and hands out what can be done with it. The one entry for the demo and for tests.
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { type RunOptions, type RunResult, tryRun } from '../lib/run.ts';
import { labPerform } from './control.ts';
import { insideArgv } from './exec.ts';
import {
  checkStatePath,
  CHECKOUT,
  type LabFile,
  labPaths,
  type NodeAction,
  PROGRAM,
  type SandboxFile,
  writeJson,
} from './layout.ts';
import { startOf } from './proc.ts';
import { smallGuest } from './qemu/small-guest.ts';
import { runningSandbox } from './running.ts';
import { datapathHere, initOf, sandboxEnv, startSandbox, whyRefused } from './sandbox.ts';
import type { LabEvent } from './supervise.ts';
import { nodeNames, readTopology, type Topology } from './topology.ts';

export interface LabOptions {
  /** An absolute folder; the lab lives in `lab/` below it. */
  readonly state: string;
  readonly topologyFile?: string;
  /** Told each step as it is done. */
  readonly log?: (text: string) => void;
  /** Whether agents run on the hypervisors (default: yes). */
  readonly agents?: boolean;
  readonly datapath?: LabFile['datapath'];
}

export interface Lab {
  /** OVSDB remotes that work outside the sandbox: `unix:PATH`. */
  readonly nb: string;
  readonly sb: string;
  /** Where the server has to listen for the lab's agents: `unix:PATH`. */
  readonly agents: string;
  readonly topology: Topology;
  readonly nodes: readonly string[];
  readonly sandbox: SandboxFile;
  /** Resolves when the sandbox has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Runs a command in a node or an instance, by name or id. A non-zero exit status is an answer, not an error. */
  exec(name: string, argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * What happens to a node, by name: its power goes (everything on it is killed, its cables are dead) and comes back, it freezes (all its
   * processes stand still) and thaws, its cables are cut and mended. Resolves when it is so. Throws when it cannot be, such as off twice.
   */
  perform(action: NodeAction, node: string): Promise<void>;
  /** Ends the lab; resolves when no process of it is left. */
  stop(): Promise<void>;
}

/** The file of a topology that comes with the program, by its name. Whether it is there is found when it is read. */
export function topologyNamed(name = 'three-hypervisors'): string {
  return join(CHECKOUT, 'lab', `${name}.json`);
}

export const DEFAULT_TOPOLOGY = topologyNamed();

/** Starts a lab; resolves when its hypervisors and gateways have registered with OVN. Throws with what is missing or went wrong. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { state, topologyFile = DEFAULT_TOPOLOGY } = options;
  const topology = readTopology(topologyFile);
  checkStatePath(state, nodeNames(topology));
  checkPrograms(topology);
  const paths = labPaths(state);
  const running = runningSandbox(state);
  if (running !== undefined) throw new Error(`a lab runs in ${state} already (process ${running.pid})`);

  mkdirSync(paths.lab, { recursive: true });
  rmSync(paths.sandbox, { force: true });
  const datapath = options.datapath ?? datapathHere();
  const agent = [PROGRAM, 'agent', 'run'];
  const guest = topology.hypervisors.some(({ instances }) => instances === 'libvirt')
    ? { guest: await smallGuest() }
    : {};
  const file: LabFile = { state, topologyFile, datapath, agent: options.agents === false ? null : agent, ...guest };
  writeJson(paths.file, file);

  const rootless = process.getuid?.() !== 0;
  const output = join(paths.lab, 'sandbox.log');
  rmSync(output, { force: true });
  const child = startSandbox(rootless, paths.file, output);
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      rmSync(paths.sandbox, { force: true });
      resolve();
    });
    child.on('error', () => resolve());
  });
  const kill = async (): Promise<void> => {
    const [init] = child.exitCode === null && child.signalCode === null ? [initOf(child)] : [];
    // unshare itself must not be signalled: it would leave the sandbox behind. Its child's death ends both.
    if (init !== undefined) process.kill(init, 'SIGKILL');
    await ended;
  };

  const sandbox = await new Promise<SandboxFile>((resolve, reject) => {
    let record: SandboxFile | undefined;
    const fail = (why: string): void => reject(new Error(`the lab could not be started: ${why}`));
    createInterface(child.stdout!).on('line', (line) => {
      const event = JSON.parse(line) as LabEvent;
      if (event.event === 'started') {
        const pid = initOf(child);
        record = { pid, started: startOf(pid) ?? '', rootless, datapath, topologyFile };
        writeJson(paths.sandbox, record);
      } else if (event.event === 'step') options.log?.(event.text);
      else if (event.event === 'failed') fail(`${event.text} (see ${paths.log})`);
      else if (record !== undefined) resolve(record);
    });
    void ended.then(() => {
      const said = existsSync(output) ? readFileSync(output, 'utf8').slice(-2_000) : '';
      return fail(record === undefined ? whyRefused(rootless, said) : `its sandbox ended: ${said}`);
    });
  }).catch(async (error: unknown) => {
    await ended;
    throw error;
  });

  return {
    nb: `unix:${paths.nb}`,
    sb: `unix:${paths.sb}`,
    agents: `unix:${paths.agents}`,
    topology,
    nodes: nodeNames(topology),
    sandbox,
    ended,
    exec: (name, argv, runOptions) => tryRun(insideArgv(state, name, argv), { ...runOptions, env: sandboxEnv() }),
    perform: (action, node) => labPerform(state, action, node),
    stop: kill,
  };
}

const PROGRAMS: readonly [string, string][] = [
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['ip', 'iproute2'],
  ['ethtool', 'ethtool'],
  ['sysctl', 'procps'],
  ['ovsdb-server', 'openvswitch-switch'],
  ['ovs-vswitchd', 'openvswitch-switch'],
  ['ovn-northd', 'ovn-central'],
  ['ovn-controller', 'ovn-host'],
];

/** What virtual machines need besides. */
const MACHINE_PROGRAMS: typeof PROGRAMS = [
  ['libvirtd', 'libvirt-daemon'],
  ['virsh', 'libvirt-clients'],
  ['qemu-system-x86_64', 'qemu-system-x86'],
];

function checkPrograms({ hypervisors }: Topology): void {
  const folders = sandboxEnv()['PATH']!.split(':');
  const machines = hypervisors.some(({ instances }) => instances === 'libvirt') ? MACHINE_PROGRAMS : [];
  const missing = [...PROGRAMS, ...machines].filter(
    ([program]) => !folders.some((folder) => isProgram(join(folder, program))),
  );
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  throw new Error(
    `the lab needs ${missing.map(([program]) => program).join(', ')}; install with: sudo apt-get install ${packages.join(' ')}`,
  );
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
