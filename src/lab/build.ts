// Builds the lab inside its sandbox: namespaces, cables, databases, daemons, and the few settings that tie them together.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';
import {
  agentDaemon,
  apiDaemon,
  centralDaemons,
  chassisSettings,
  controllerDaemon,
  HYPERVISOR_BRIDGE,
  NB_OPTIONS,
  ovsDaemons,
  ROUTER_BRIDGE,
  routerSettings,
  SCHEMA,
  switchSettings,
} from './daemon.ts';
import { type LabFile, labPaths, writeJson } from './layout.ts';
import { type NodeNetwork, nodeNetworks, underlayHost, wiring } from './network.ts';
import { libvirtDaemon, libvirtInstances } from './qemu/libvirtd.ts';
import type { Supervisor } from './supervisor.ts';
import { agentNodes, chassisNodes, nodeNames, type Topology } from './topology.ts';

const SOON_MS = 20_000;
const WAIT = `--timeout=${SOON_MS / 1000}`;

/** Builds everything and returns when every node of OVN has registered with it. `step` is told what was done. */
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
    await Promise.all([listens(paths.nb), listens(paths.sb)]);
    await run(['ovn-nbctl', `--db=unix:${paths.nb}`, WAIT, 'init', '--', 'set', 'NB_Global', '.', ...NB_OPTIONS]);
    await supervisor.start(northd);
    step('OVN: databases and northd');
  };
  const { switch: wire } = topology;
  const wired = startOvs(lab, supervisor, wire.name, switchSettings(lab, topology), (pid) =>
    bridgeAppears(lab, wire.name, `br-${wire.name}`, pid),
  );
  const startAgent = async (name: string, config: AgentFile): Promise<void> => {
    writeJson(join(paths.node(name), 'agent.json'), config);
    const agent = agentDaemon(lab, name);
    if (agent !== undefined) await supervisor.start(agent);
  };
  const chassis = chassisNodes(topology).map(async ({ name, address, kind, instances }) => {
    const underlay = { device: HYPERVISOR_BRIDGE, ip: address };
    await startOvs(lab, supervisor, name, chassisSettings(lab, topology, { name, address, kind }), (pid) =>
      addressUnderlay(lab, topology, name, underlay, pid),
    );
    await wired; // a controller that finds no way to the southbound tries again only after two seconds
    await supervisor.start(controllerDaemon(lab, name));
    if (instances === 'libvirt') await supervisor.start(libvirtDaemon(lab, name));
    await startAgent(name, {
      ...hypervisorAgent(lab, name, underlay),
      ...(instances === 'libvirt' ? { instances: libvirtInstances(lab, name) } : {}),
    });
  });
  const routers = topology.routers.map(async ({ name, address }) => {
    const underlay = { device: ROUTER_BRIDGE, ip: address };
    await startOvs(lab, supervisor, name, routerSettings(lab, name), (pid) =>
      addressUnderlay(lab, topology, name, underlay, pid),
    );
    await startAgent(name, routerAgent(lab, name, underlay));
  });
  const api = apiDaemon(lab, topology);
  await Promise.all([central(), wired, ...chassis, ...routers, ...(api === undefined ? [] : [supervisor.start(api)])]);
  step('switches');
  const names = chassisNodes(topology).map((node) => node.name);
  const registered = names.flatMap((name) => ['--', 'wait-until', 'Chassis', name]);
  await run(['ovn-sbctl', `--db=unix:${paths.sb}`, WAIT, ...registered]);
  const kinds = (['hypervisor', 'gateway', 'witness'] as const).flatMap((kind) => {
    const own = chassisNodes(topology).filter((node) => node.kind === kind);
    if (own.length === 0) return [];
    return [`${PLURALS[kind]} ${own.map(({ name }) => name).join(', ')}`];
  });
  step(`${kinds.join('; ')} registered`);
}

const PLURALS = { hypervisor: 'hypervisors', gateway: 'gateways', witness: 'witnesses' } as const;

/** OVN's databases and the agents' own folders stay from an earlier run of the same state; a node's switch begins anew. */
function prepareFolders(lab: LabFile, topology: Topology): void {
  const paths = labPaths(lab.state);
  for (const node of nodeNames(topology)) {
    const dir = paths.node(node);
    mkdirSync(dir, { recursive: true });
    for (const entry of readdirSync(dir)) if (entry !== 'agent') rmSync(join(dir, entry), { recursive: true });
  }
  for (const name of agentNodes(topology)) mkdirSync(join(paths.node(name), 'agent'), { recursive: true, mode: 0o700 });
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
    ...[topology.switch, ...chassisNodes(topology), ...topology.routers].map(({ name }): [string, string] => [
      join(paths.node(name), 'conf.db'),
      SCHEMA.ovs,
    ]),
  ];
  const missing = wanted.filter(([file]) => !existsSync(file));
  await Promise.all(missing.map(([file, schema]) => run(['ovsdb-tool', 'create', file, schema])));
}

/** Gives a node its kernel's settings, addresses and routes. */
export async function configure({ node, sysctls, ip, noOffload }: NodeNetwork): Promise<void> {
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
  await supervisor.start(database, () => listens(socket));
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

/** The bridge that carries a node's underlay address, and that address: `underlay` of the agent's configuration. */
interface Underlay {
  readonly device: string;
  readonly ip: string;
}

/**
 * Gives the node's bridge the underlay address, at each start of the switch daemon: its interface dies with it. On the dummy
 * datapath there is no interface; the daemon itself is told the address and the route.
 */
async function addressUnderlay(
  lab: LabFile,
  topology: Topology,
  node: string,
  { device, ip: address }: Underlay,
  pid: number,
): Promise<void> {
  const host = underlayHost(topology, address);
  if (lab.datapath === 'dummy') {
    const control = join(labPaths(lab.state).node(node), 'vs.ctl');
    await until(`${node}: ${device} of the switch daemon`, () => bridgeAnswers(control, device, host));
    await run(['ovs-appctl', '-t', control, 'ovs/route/add', topology.underlay.network, device]);
    return;
  }
  await bridgeAppears(lab, node, device, pid);
  const input = lines([`address replace ${host} dev ${device}`, `link set ${device} up`]);
  await run(['nsenter', `--net=/run/netns/${node}`, '--', 'ip', '-batch', '-'], { input });
}

/** Where the datapath makes interfaces, a bridge's own is there once the switch daemon has set the bridge up. */
async function bridgeAppears({ datapath }: LabFile, node: string, device: string, pid: number): Promise<void> {
  if (datapath === 'dummy') return;
  await until(`${node}: interface ${device}`, () => Promise.resolve(hasInterface(pid, device)));
}

async function bridgeAnswers(control: string, device: string, host: string): Promise<boolean> {
  if (!existsSync(control)) return false;
  try {
    await run(['ovs-appctl', '-t', control, 'netdev-dummy/ip4addr', device, host], { timeoutMs: 2_000 });
    return true;
  } catch {
    return false; // not there yet: the caller asks again until its time is over
  }
}

function hasInterface(pid: number, name: string): boolean {
  try {
    // Short names are padded to the left, long ones begin the line.
    const lines = readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n');
    return lines.some((line) => line.trimStart().startsWith(`${name}:`));
  } catch {
    throw new Error(`the switch daemon ${pid} ended before ${name} was there`);
  }
}

/** A node's agent configuration, as `src/agent/config.ts` reads it. */
type AgentFile = Readonly<Record<string, unknown>>;

/** Gateways and witnesses have the same: whether there are instances is the server's to say. */
function hypervisorAgent(lab: LabFile, node: string, underlay: Underlay): AgentFile {
  const directory = labPaths(lab.state).instances;
  return { ...nodeAgent(lab, node, underlay), instances: { driver: 'netns', directory } };
}

function routerAgent(lab: LabFile, node: string, underlay: Underlay): AgentFile {
  const directory = `/run/trunkline/${node}/router`;
  const router = { inside: 'eth1', outside: 'eth0', vlans: 'openvswitch', bridge: ROUTER_BRIDGE, directory };
  return { ...nodeAgent(lab, node, underlay), router };
}

function nodeAgent(lab: LabFile, node: string, underlay: Underlay): AgentFile {
  const paths = labPaths(lab.state);
  const dir = paths.node(node);
  return {
    node,
    server: `unix:${paths.agents}`,
    state: join(dir, 'agent'),
    tokenFile: join(dir, 'agent', 'token'),
    ovs: { database: `unix:${join(dir, 'db.sock')}`, rundir: dir },
    underlay,
    datapath: lab.datapath,
  };
}

/** Waits until somebody listens: an earlier run of the same state left its sockets, and a new one is there a moment before. */
function listens(socket: string): Promise<void> {
  return until(`a listener at ${socket}`, () => accepts(socket));
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
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
