// What a running lab looks like now: nodes, processes, links, instances; as data, and as a page of text.
import { existsSync, readFileSync } from 'node:fs';
import { run, tryRun } from '../lib/run.ts';
import { readInstances } from './exec.ts';
import {
  type Condition,
  type InstanceFile,
  labPaths,
  type ProcessStatus,
  readJson,
  type SandboxFile,
} from './layout.ts';
import { hostPids, isAlive, stateOf } from './proc.ts';
import { enter, sandboxEnv } from './sandbox.ts';
import { libvirtUri } from './qemu/libvirtd.ts';
import { noLabIn, runningSandbox } from './running.ts';
import { apiUrl, chassisNodes, nodeNames, readTopology, type Topology } from './topology.ts';

export interface LabStatus {
  readonly state: string;
  readonly topology: string;
  /** The sandbox's first process; ending it ends the lab. */
  readonly sandbox: number;
  readonly rootless: boolean;
  readonly datapath: string;
  /** The API for who is in the lab, on its outside for one; absent where the topology has no place for it. */
  readonly api?: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly kind: string;
    /** up, or what has happened to it: off, frozen, cut. */
    readonly condition: string;
    readonly addresses: readonly string[];
  }[];
  readonly processes: readonly {
    readonly node: string;
    readonly name: string;
    /** As the host counts; absent while it is down. */
    readonly pid?: number;
    readonly state: string;
    /** How often the lab's supervisor started it again; absent for the server, which is not its child. */
    readonly restarts?: number;
  }[];
  readonly links: readonly {
    readonly node: string;
    readonly name: string;
    readonly state: string;
    readonly mtu: number;
    readonly mac: string;
    readonly addresses: readonly string[];
  }[];
  readonly instances: readonly (Pick<InstanceFile, 'id' | 'name' | 'hostname' | 'host'> & {
    readonly state: 'running' | 'stopped' | 'gone';
    readonly addresses: readonly string[];
  })[];
}

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'running',
  D: 'running',
  I: 'running',
  T: 'stopped',
  t: 'stopped',
};

/** Looks at the lab that runs in `state`. Throws when none does. */
export async function labStatus(state: string): Promise<LabStatus> {
  const sandbox = runningSandbox(state);
  if (sandbox === undefined) throw noLabIn(state);
  const topology = readTopology(sandbox.topologyFile);
  const pids = hostPids(sandbox.pid);
  const links = (await Promise.all(nodeNames(topology).map((node) => linksOf(sandbox, node)))).flat();
  const processes = readJson<ProcessStatus[]>(labPaths(state).processes) ?? [];
  const conditions = readJson<Record<string, Condition>>(labPaths(state).conditions) ?? {};
  const api = apiUrl(topology);
  return {
    state,
    topology: topology.name,
    sandbox: sandbox.pid,
    rootless: sandbox.rootless,
    datapath: sandbox.datapath,
    ...(api === undefined ? {} : { api }),
    nodes: nodeNames(topology).map((name) => ({
      name,
      kind: kindOf(topology, name),
      condition: conditionText(conditions[name]),
      addresses: links.filter((link) => link.node === name).flatMap((link) => link.addresses),
    })),
    processes: [
      ...server(state),
      ...processes.map(({ node, name, pid, restarts }) => ({
        ...processStatus(node, name, pid === undefined ? undefined : pids.get(pid)),
        restarts,
      })),
    ],
    links,
    instances: await Promise.all(
      readInstances(state).map((instance) => instanceStatus(sandbox, state, instance, pids)),
    ),
  };
}

/** The status as text for a terminal. */
export function formatStatus(status: LabStatus): string {
  const { datapath, rootless, sandbox } = status;
  const parts = [
    `lab ${status.topology} in ${status.state}: sandbox process ${sandbox}, ${rootless ? 'rootless, ' : ''}datapath ${datapath}`,
    ...(status.api === undefined ? [] : [`API inside the lab: ${status.api}`]),
    table(
      'nodes',
      ['NAME', 'KIND', 'CONDITION', 'ADDRESSES'],
      status.nodes.map((n) => [n.name, n.kind, n.condition, n.addresses.join(' ')]),
    ),
    table(
      'processes',
      ['NODE', 'PROCESS', 'PID', 'STATE', 'RESTARTS'],
      status.processes.map((p) => [p.node, p.name, `${p.pid ?? '-'}`, p.state, `${p.restarts ?? '-'}`]),
    ),
    table(
      'links',
      ['NODE', 'LINK', 'STATE', 'MTU', 'MAC', 'ADDRESSES'],
      status.links.map((l) => [l.node, l.name, l.state, `${l.mtu}`, l.mac, l.addresses.join(' ')]),
    ),
    table(
      'instances',
      ['NAME', 'ID', 'HOST', 'STATE', 'ADDRESSES'],
      status.instances.map((i) => [i.name, i.id, i.host, i.state, i.addresses.join(' ')]),
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

function kindOf(topology: Topology, name: string): string {
  if (name === topology.switch.name) return 'switch';
  if (name === topology.central.name) return 'central';
  const chassis = chassisNodes(topology).find((node) => node.name === name);
  if (chassis !== undefined) return chassis.kind;
  if (topology.routers.some((r) => r.name === name)) return 'router node';
  if (topology.segments.includes(name)) return 'segment';
  return topology.machines.find((m) => m.name === name)?.forwards === true ? 'router' : 'machine';
}

function conditionText({ power, cables }: Condition = { power: 'on', cables: 'whole' }): string {
  const parts = [...(power === 'on' ? [] : [power]), ...(cables === 'cut' ? ['cut'] : [])];
  return parts.join(', ') || 'up';
}

function processStatus(node: string, name: string, pid: number | undefined): LabStatus['processes'][number] {
  const letter = pid === undefined ? undefined : stateOf(pid);
  const state = letter === undefined ? 'down' : (STATES[letter] ?? 'ended');
  return { node, name, ...(pid === undefined ? {} : { pid }), state };
}

/** The server over this lab, where there is one: it runs outside of the sandbox. */
function server(state: string): LabStatus['processes'] {
  const file = labPaths(state).server;
  if (!existsSync(file)) return [];
  const [pid, started] = readFileSync(file, 'utf8').trim().split(' ');
  const alive = pid !== undefined && started !== undefined && isAlive(Number(pid), started);
  return [processStatus('-', 'server', alive ? Number(pid) : undefined)];
}

/** The part of `ip -json address` that is read here. */
interface IpAddress {
  readonly ifname: string;
  readonly operstate: string;
  readonly mtu: number;
  readonly address?: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

async function linksOf(sandbox: SandboxFile, node: string): Promise<LabStatus['links'][number][]> {
  const { stdout } = await run(enter(sandbox, ['ip', '-netns', node, '-json', 'address']), { env: sandboxEnv() });
  return parseAddresses(stdout).map((link) => ({
    node,
    name: link.ifname,
    state: link.operstate.toLowerCase(),
    mtu: link.mtu,
    mac: link.address ?? '',
    addresses: addressesOf(link),
  }));
}

async function instanceStatus(
  sandbox: SandboxFile,
  state: string,
  { id, name, hostname, host, pid, driver }: InstanceFile,
  pids: ReadonlyMap<number, number>,
): Promise<LabStatus['instances'][number]> {
  const gone = { id, name, hostname, host, state: 'gone' as const, addresses: [] };
  if (driver === 'libvirt') {
    const asked = await tryRun(['virsh', '-q', '-c', libvirtUri(state, host), 'domstate', id]);
    return { ...gone, state: asked.stdout.trim() === 'running' ? 'running' : 'stopped' };
  }
  if (pid === null) return { ...gone, state: 'stopped' };
  if (!pids.has(pid)) return gone;
  const inside = enter(sandbox, ['nsenter', '--target', `${pid}`, '--net', '--', 'ip', '-4', '-json', 'address']);
  const { stdout } = await run(inside, { env: sandboxEnv() });
  return { ...gone, state: 'running', addresses: parseAddresses(stdout).flatMap(addressesOf) };
}

function parseAddresses(text: string): IpAddress[] {
  return JSON.parse(text || '[]') as IpAddress[];
}

function addressesOf(link: IpAddress): string[] {
  const all = link.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  return all.filter((each) => each !== '127.0.0.1/8' && each !== '::1/128');
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return `${title}: none`;
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  return [title, line(head), ...rows.map(line)].join('\n');
}
