// Builds the lab inside its sandbox: namespaces, cables, databases, daemons, and the few settings that tie them together.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';
import {
  agentDaemon,
  centralDaemons,
  controllerDaemon,
  hypervisorSettings,
  NB_OPTIONS,
  ovsDaemons,
  SCHEMA,
  switchSettings,
} from './daemon.ts';
import { type LabFile, labPaths, writeJson } from './layout.ts';
import { type NodeNetwork, nodeNetworks, underlayHost, wiring } from './network.ts';
import type { Supervisor } from './supervisor.ts';
import { nodeNames, type Topology } from './topology.ts';

const SOON_MS = 20_000;
const WAIT = `--timeout=${SOON_MS / 1000}`;

/** Builds everything and returns when every hypervisor has registered with OVN. `step` is told what was done. */
export async function buildLab(
  lab: LabFile,
  topology: Topology,
  supervisor: Supervisor,
  step: (text: string) => void,
): Promise<void> {
  const paths = labPaths(lab.state);
  prepareFolders(lab, topology);
  const databases = createDatabases(lab, topology);
  await run(['ip', '-batch', '-'], { input: lines(wiring(topology)) });
  await Promise.all(nodeNetworks(topology).map(configure));
  step(`${nodeNames(topology).length} nodes and their cables`);
  await databases;

  const { nb, sb, northd } = centralDaemons(lab, topology);
  await Promise.all([supervisor.start(nb), supervisor.start(sb)]);
  const central = async (): Promise<void> => {
    await Promise.all([appears(paths.nb), appears(paths.sb)]);
    await run(['ovn-nbctl', `--db=unix:${paths.nb}`, WAIT, 'init', '--', 'set', 'NB_Global', '.', ...NB_OPTIONS]);
    await supervisor.start(northd);
    step('OVN: databases and northd');
  };
  const hypervisors = topology.hypervisors.map(async ({ name, address }) => {
    await startOvs(lab, supervisor, name, hypervisorSettings(lab, topology, name, address), (pid) =>
      addressUnderlay(lab, topology, name, address, pid),
    );
    await supervisor.start(controllerDaemon(lab, name));
    writeAgentConfig(lab, name, address);
    const agent = agentDaemon(lab, name);
    if (agent !== undefined) await supervisor.start(agent);
  });
  const wire = startOvs(lab, supervisor, topology.switch.name, switchSettings(lab, topology));
  await Promise.all([central(), wire, ...hypervisors]);
  step('switches');
  const names = topology.hypervisors.map((h) => h.name);
  const registered = names.flatMap((name) => ['--', 'wait-until', 'Chassis', name]);
  await run(['ovn-sbctl', `--db=unix:${paths.sb}`, WAIT, ...registered]);
  step(`hypervisors ${names.join(', ')} registered`);
}

/** OVN's databases and the agents' own folders stay from an earlier run of the same state; a node's switch begins anew. */
function prepareFolders(lab: LabFile, topology: Topology): void {
  const paths = labPaths(lab.state);
  for (const node of nodeNames(topology)) {
    const dir = paths.node(node);
    mkdirSync(dir, { recursive: true });
    for (const entry of readdirSync(dir)) if (entry !== 'agent') rmSync(join(dir, entry), { recursive: true });
  }
  for (const { name } of topology.hypervisors)
    mkdirSync(join(paths.node(name), 'agent'), { recursive: true, mode: 0o700 });
  mkdirSync(paths.instances, { recursive: true });
  for (const entry of readdirSync(paths.instances)) {
    if (entry.endsWith('.json')) rmSync(join(paths.instances, entry)); // its process ended with the former sandbox
  }
}

async function createDatabases(lab: LabFile, topology: Topology): Promise<void> {
  const paths = labPaths(lab.state);
  const wanted: [string, string][] = [
    [join(paths.lab, 'nb.db'), SCHEMA.nb],
    [join(paths.lab, 'sb.db'), SCHEMA.sb],
    ...[topology.switch, ...topology.hypervisors].map(({ name }): [string, string] => [
      join(paths.node(name), 'conf.db'),
      SCHEMA.ovs,
    ]),
  ];
  const missing = wanted.filter(([file]) => !existsSync(file));
  await Promise.all(missing.map(([file, schema]) => run(['ovsdb-tool', 'create', file, schema])));
}

async function configure({ node, sysctls, ip, noOffload }: NodeNetwork): Promise<void> {
  const inside = ['nsenter', `--net=/run/netns/${node}`, '--'];
  if (sysctls.length > 0) await run([...inside, 'sysctl', '-qw', ...sysctls]);
  await run([...inside, 'ip', '-batch', '-'], { input: lines(ip) });
  await Promise.all(noOffload.map((device) => run([...inside, 'ethtool', '-K', device, 'tx', 'off'])));
}

async function startOvs(
  lab: LabFile,
  supervisor: Supervisor,
  node: string,
  settings: readonly string[],
  restore: (pid: number) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const dir = labPaths(lab.state).node(node);
  const { database, vswitch } = ovsDaemons(lab, node);
  const socket = join(dir, 'db.sock');
  await supervisor.start(database);
  await appears(socket);
  await run(['ovs-vsctl', `--db=unix:${socket}`, WAIT, '--retry', '--no-wait', '--', 'init', ...settings]);
  await supervisor.start(vswitch, async (pid) => {
    linkControlSocket(dir, pid);
    await restore(pid);
  });
}

/** Lets `ovs-appctl` find the switch daemon as it does on any machine: by `ovs-vswitchd.PID.ctl` in OVS_RUNDIR. */
function linkControlSocket(dir: string, pid: number): void {
  for (const old of readdirSync(dir)) if (/^ovs-vswitchd\.[0-9]+\.ctl$/.test(old)) rmSync(join(dir, old));
  symlinkSync('vs.ctl', join(dir, `ovs-vswitchd.${pid}.ctl`));
}

/**
 * Gives `br-ex` the underlay address, at each start of the switch daemon: its interface dies with it. On the dummy
 * datapath there is no interface; the daemon itself is told the address and the route.
 */
async function addressUnderlay(
  lab: LabFile,
  topology: Topology,
  node: string,
  address: string,
  pid: number,
): Promise<void> {
  const host = underlayHost(topology, address);
  if (lab.datapath === 'dummy') {
    const control = join(labPaths(lab.state).node(node), 'vs.ctl');
    await until(`${node}: br-ex of the switch daemon`, () => bridgeAnswers(control, host));
    await run(['ovs-appctl', '-t', control, 'ovs/route/add', topology.underlay.network, 'br-ex']);
    return;
  }
  await until(`${node}: interface br-ex`, () => Promise.resolve(hasInterface(pid, 'br-ex')));
  const input = lines([`address replace ${host} dev br-ex`, 'link set br-ex up']);
  await run(['nsenter', `--net=/run/netns/${node}`, '--', 'ip', '-batch', '-'], { input });
}

async function bridgeAnswers(control: string, host: string): Promise<boolean> {
  if (!existsSync(control)) return false;
  try {
    await run(['ovs-appctl', '-t', control, 'netdev-dummy/ip4addr', 'br-ex', host], { timeoutMs: 2_000 });
    return true;
  } catch {
    return false; // not there yet: the caller asks again until its time is over
  }
}

function hasInterface(pid: number, name: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/net/dev`, 'utf8').includes(` ${name}:`);
  } catch {
    throw new Error(`the switch daemon ${pid} ended before ${name} was there`);
  }
}

function writeAgentConfig(lab: LabFile, node: string, address: string): void {
  const paths = labPaths(lab.state);
  const dir = paths.node(node);
  writeJson(join(dir, 'agent.json'), {
    node,
    server: `unix:${paths.agents}`,
    state: join(dir, 'agent'),
    tokenFile: join(dir, 'agent', 'token'),
    ovs: { database: `unix:${join(dir, 'db.sock')}`, rundir: dir },
    underlay: { device: 'br-ex', ip: address },
    datapath: lab.datapath,
    instances: { driver: 'netns', directory: paths.instances },
  });
}

function appears(file: string): Promise<void> {
  return until(file, () => Promise.resolve(existsSync(file)));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + SOON_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} did not appear within ${SOON_MS / 1000} s`);
    await sleep(5);
  }
}

function lines(commands: readonly string[]): string {
  return `${commands.join('\n')}\n`;
}
