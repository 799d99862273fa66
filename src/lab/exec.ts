// Runs a command where a lab node or an instance is: the hands and eyes of whoever wants to ping and tcpdump.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type InstanceFile, labPaths, readJson } from './layout.ts';
import { signalTree } from './proc.ts';
import { noLabIn, runningSandbox } from './running.ts';
import { enter, sandboxEnv } from './sandbox.ts';
import { nodeNames, readTopology } from './topology.ts';

export interface ExecOptions {
  readonly state: string;
  /** A node's name, or an instance's id, name or hostname. */
  readonly name: string;
  readonly argv: readonly string[];
}

/**
 * Runs a command with this process's own input, output and terminal. Returns its exit status, 128 + signal number when a
 * signal ended it. Throws when there is no such node or instance.
 */
export async function labExec({ state, name, argv }: ExecOptions): Promise<number> {
  const [program, ...args] = insideArgv(state, name, argv);
  const child = spawn(program!, args, { stdio: 'inherit', env: sandboxEnv() });
  // Ctrl-C reaches the command through the terminal; this process waits for what it makes of it.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.pid !== undefined && signalTree(child.pid, signal));
  }
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', reject);
  child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  return promise;
}

/** The argv that runs a command in a node or an instance of the lab in `state`, from outside the sandbox. */
export function insideArgv(state: string, name: string, argv: readonly string[]): string[] {
  const paths = labPaths(state);
  const sandbox = runningSandbox(state);
  if (sandbox === undefined) throw noLabIn(state);
  const nodes = nodeNames(readTopology(sandbox.topologyFile));
  if (nodes.includes(name)) {
    const env = nodeEnv(state, name);
    return enter(sandbox, [
      'setpriv',
      '--pdeathsig',
      'KILL',
      'nsenter',
      `--net=/run/netns/${name}`,
      'env',
      ...env,
      ...argv,
    ]);
  }
  const found = findInstance(readInstances(state), name);
  if (found.length === 0) {
    const known = readInstances(state).map((each) => each.name);
    throw new Error(
      `the lab has no node or instance ${name}; nodes are ${nodes.join(', ')}; ` +
        `running instances are ${known.length === 0 ? 'none' : known.join(', ')}`,
    );
  }
  const [instance, other] = found;
  if (other !== undefined)
    throw new Error(`${name} is more than one instance: ${found.map((i) => i.id).join(', ')}; give the id`);
  if (instance!.driver === 'libvirt')
    throw new Error(
      `instance ${name} is a virtual machine, which nobody enters from outside: log in by SSH from an instance beside it, ` +
        `or read ${join(paths.instances, instance!.id, 'console.log')}`,
    );
  if (instance!.pid === null) throw new Error(`instance ${name} is not running; start it with startVirtualMachine`);
  const term = process.env['TERM'] ?? 'dumb';
  return enter(sandbox, [
    ...`nsenter --target ${instance!.pid} --mount --net --uts --pid --root --wd --`.split(' '),
    ...`/bin/busybox env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root USER=root TERM=${term}`.split(' '),
    ...argv,
  ]);
}

/** The instances the agents have running, as they wrote them down. */
export function readInstances(state: string): InstanceFile[] {
  const { instances } = labPaths(state);
  try {
    return readdirSync(instances)
      .filter((entry) => entry.endsWith('.json'))
      .flatMap((entry) => readJson<InstanceFile>(join(instances, entry)) ?? []);
  } catch {
    return []; // no agent has made any yet
  }
}

/** Instances called `name`: by id if one has it, else by name, else by hostname. */
export function findInstance(all: readonly InstanceFile[], name: string): InstanceFile[] {
  for (const key of ['id', 'name', 'hostname'] as const) {
    const found = all.filter((each) => each[key] === name);
    if (found.length > 0) return found;
  }
  return [];
}

/** So that `ovs-vsctl`, `ovs-appctl` and `ovn-nbctl` speak to the node's own daemons without being told where. */
function nodeEnv(state: string, node: string): string[] {
  const paths = labPaths(state);
  const dir = paths.node(node);
  return [`OVS_RUNDIR=${dir}`, `OVN_RUNDIR=${dir}`, `OVN_NB_DB=unix:${paths.nb}`, `OVN_SB_DB=unix:${paths.sb}`];
}
