// What runs on a node of the lab, found by looking at the processes: a node is a network namespace, and an instance on it another one, and
// neither says whose it is. Apart from what is done to them.
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { type InstanceFile, labPaths, readJson } from './layout.ts';
import { allPids } from './proc.ts';
import { nodeNames, type Topology } from './topology.ts';

export interface OnNode {
  /** Names of the namespaces that live on it: of its instances, and of what its agent made beside them. */
  readonly namespaces: readonly string[];
  /** Its processes now, those of its instances included. */
  pids(): number[];
}

/**
 * Looks at a node. Its own namespace belongs to it; so do namespaces that hang on it by a cable, those its agent noted as an instance's, and
 * those of processes its agent started, which have the node's folder in their environment.
 */
export async function onNode(state: string, topology: Topology, node: string): Promise<OnNode> {
  const others = new Set(nodeNames(topology).filter((name) => name !== node));
  const otherNets = new Set([...others].flatMap((name) => inodeOf(name) ?? []));
  const mark = `OVS_RUNDIR=${labPaths(state).node(node)}`;
  const isMarked = (pid: number): boolean => environment(pid).includes(mark);
  const found = new Set([...(await cabled(node)), ...instancesOf(state, node)]);
  const marked = new Set(allPids().flatMap((pid) => (isMarked(pid) ? (netOf(pid) ?? []) : [])));
  for (const name of readdirSync('/run/netns')) if (marked.has(inodeOf(name) ?? -1)) found.add(name);
  const namespaces = [...found].filter((name) => name !== node && !others.has(name));
  const nets = new Set([node, ...namespaces].flatMap((name) => inodeOf(name) ?? []));
  return {
    namespaces,
    pids: () =>
      allPids().filter((pid) => {
        const net = netOf(pid);
        return net !== undefined && !otherNets.has(net) && pid !== process.pid && (nets.has(net) || isMarked(pid));
      }),
  };
}

/** Files of the instances a node's agent has noted, which go with its namespaces. */
export function instanceFilesOf(state: string, node: string): { readonly file: string; readonly netns: string }[] {
  const { instances } = labPaths(state);
  if (!existsSync(instances)) return [];
  return readdirSync(instances)
    .filter((entry) => entry.endsWith('.json'))
    .flatMap((entry) => {
      const file = join(instances, entry);
      const instance = readJson<InstanceFile>(file);
      return instance?.host === node ? [{ file, netns: instance.netns }] : [];
    });
}

function instancesOf(state: string, node: string): string[] {
  return instanceFilesOf(state, node).flatMap(({ netns }) => netns ?? []);
}

/** Names of the namespaces at the other ends of a node's cables. */
async function cabled(node: string): Promise<string[]> {
  const { stdout } = await run(['ip', '-netns', node, '-json', 'link', 'show', 'type', 'veth']);
  const links = JSON.parse(stdout || '[]') as readonly { readonly link_netns?: string }[];
  return links.flatMap(({ link_netns: name }) => name ?? []);
}

function inodeOf(name: string): number | undefined {
  try {
    return statSync(`/run/netns/${name}`).ino;
  } catch {
    return undefined;
  }
}

function netOf(pid: number): number | undefined {
  try {
    return Number(/\[([0-9]+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1]);
  } catch {
    return undefined; // it ended meanwhile
  }
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return []; // it ended meanwhile
  }
}
