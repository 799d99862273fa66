// What a lab consists of, as read from a small JSON file: hypervisors, gateways, one switch, central OVN, router nodes, plain machines.
// Apart from what builds it, so that a typing mistake is answered with a sentence before anything is started.
import { readFileSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';
import { cidr, contains, ip, parseCidr, parseIp } from '../lib/ip.ts';

// A node's name becomes part of an interface name on the switch (`NAME-eth0`), and those have at most 15 characters.
const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,9}$/, 'a name is one to ten lower-case letters, digits and dashes, a letter first');
const device = z.string().regex(/^eth[0-9]$/, 'a device is eth0 to eth9');
const address = z.string().refine((text) => parseIp(text) !== undefined, 'not an IPv4 address');
const address6 = z.string().refine(isIPv6, 'not an IPv6 address');
const prefix = z.string().refine((text) => parseCidr(text) !== undefined, 'not an address with a prefix length');
/** Of either family. */
const anyAddress = z.string().refine((text) => isIP(text) !== 0, 'not an address');
const anyPrefix = z
  .string()
  .refine((text) => parseCidr(text) !== undefined || isPrefix6(text), 'not an address with a prefix length');
const vlan = z.number().int().min(1).max(4094);

/**
 * Where a machine's port is plugged in: an access port of the switch, a trunk port of it, an access port that nobody has
 * attached to a network yet (on the switch's parking VLAN), another machine, or a plain segment.
 */
const cable = z.union([
  z.strictObject({ vlan }),
  z.strictObject({ trunk: z.array(vlan) }),
  z.strictObject({ parked: z.literal(true) }),
  z.strictObject({ machine: name, device }),
  z.strictObject({ segment: name }),
]);

const port = z.strictObject({ device, cable: cable.optional(), addresses: z.array(anyPrefix).default([]) });

const machine = z.strictObject({
  name,
  /** Whether it is a router. */
  forwards: z.boolean().default(false),
  ports: z.array(port),
  gateway: address.optional(),
  gateway6: address6.optional(),
  routes: z
    .array(
      z
        .strictObject({ to: anyPrefix, via: anyAddress })
        .refine(({ to, via }) => isIPv6(via) === to.includes(':'), 'a route and its next hop are of one family'),
    )
    .default([]),
  /** Addresses it answers for besides those of its ports. */
  answersFor: z.array(anyAddress).default([]),
});

/** A node of OVN that carries no instances. */
const chassis = z.strictObject({ name, address });

/** The outside of a router node: its own address there, alone, with the way to everywhere; what its networks need is the agent's. */
const outside = z.strictObject({ vlan, address, gateway: address });

const topology = z.strictObject({
  name: z.string(),
  underlay: z.strictObject({
    network: prefix,
    mtu: z.number().int().min(1280).max(9000),
    /** The name OVN knows the switch's wire by: `ovn-bridge-mappings`. */
    physicalNetwork: z.string().regex(/^[a-z][a-z0-9-]*$/),
  }),
  switch: z.strictObject({
    name,
    untagged: vlan,
    /** VLAN of the ports that nobody has attached: its machines reach nobody but each other. */
    parking: vlan.optional(),
  }),
  central: z.strictObject({ name, address }),
  /** What their instances are: namespaces (default), or virtual machines under a libvirt of the node's own. */
  hypervisors: z.array(z.strictObject({ name, address, instances: z.enum(['netns', 'libvirt']).optional() })).min(1),
  /** Carry the public side of OVN's routers. */
  gateways: z.array(chassis).default([]),
  /** Only watch, on the underlay alone: of two gateways, the one that is left knows by them that it is not the one cut off. */
  witnesses: z.array(chassis).default([]),
  /** Linux routers with an agent: eth1 is a trunk of everything, eth0 an access port of the outside's VLAN. */
  routers: z.array(z.strictObject({ name, address, outside })).default([]),
  machines: z.array(machine).default([]),
  /** Plain wires that any number of machines share: each a Linux bridge in a namespace of its own. */
  segments: z.array(name).default([]),
  /** Where the outside finds the API of the product that runs over this lab. */
  api: z.strictObject({ machine: name, address, port: z.number().int().min(1).max(65_535) }).optional(),
});

export type Topology = z.output<typeof topology>;
export type Machine = Topology['machines'][number];
export type RouterNode = Topology['routers'][number];
export type MachinePort = Machine['ports'][number];

/** A node that runs OVN. */
export interface ChassisNode {
  readonly name: string;
  readonly address: string;
  readonly kind: 'hypervisor' | 'gateway' | 'witness';
  /** What a hypervisor's instances are. */
  readonly instances?: 'netns' | 'libvirt' | undefined;
}

/** Reads and checks a topology file. Throws an error that names the file, the place in it and what is wrong. */
export function readTopology(file: string): Topology {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`topology ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`topology ${file} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  return parseTopology(value, file);
}

/** Checks a topology. `source` is what errors call it by. */
export function parseTopology(value: unknown, source = 'topology'): Topology {
  const parsed = topology.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'top level'}: ${issue.message}`);
    throw new Error(`topology ${source} is not valid: ${issues.join('; ')}`);
  }
  const faults = faultsOf(parsed.data);
  if (faults.length > 0) throw new Error(`topology ${source} is not valid: ${faults.join('; ')}`);
  return parsed.data;
}

/** The names of all nodes, each of which is a network namespace. */
export function nodeNames(lab: Topology): string[] {
  const named = [lab.switch, lab.central, ...chassisNodes(lab), ...lab.routers, ...lab.machines];
  return [...named.map((node) => node.name), ...lab.segments];
}

/** The nodes that run OVN. */
export function chassisNodes(lab: Topology): ChassisNode[] {
  return [
    ...lab.hypervisors.map((node) => ({ ...node, kind: 'hypervisor' as const })),
    ...lab.gateways.map((node) => ({ ...node, kind: 'gateway' as const })),
    ...lab.witnesses.map((node) => ({ ...node, kind: 'witness' as const })),
  ];
}

/** The nodes that run an agent. */
export function agentNodes(lab: Topology): string[] {
  return [...chassisNodes(lab), ...lab.routers].map((node) => node.name);
}

/** The API as the lab's outside calls it; undefined where the topology has no place for it. */
export function apiUrl({ api }: Topology): string | undefined {
  return api === undefined ? undefined : `http://${api.address}:${api.port}/client/api`;
}

function faultsOf(lab: Topology): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const each of nodeNames(lab)) {
    if (seen.has(each)) faults.push(`two nodes are called ${each}`);
    seen.add(each);
  }
  const network = cidr(lab.underlay.network);
  const users = new Map<string, string>();
  for (const node of [lab.central, ...chassisNodes(lab), ...lab.routers]) {
    if (!contains(network, ip(node.address))) {
      faults.push(`${node.name} has ${node.address}, which is not in the underlay ${lab.underlay.network}`);
    }
    const other = users.get(node.address);
    if (other !== undefined) faults.push(`${node.name} and ${other} both have ${node.address}`);
    users.set(node.address, node.name);
  }
  const host = lab.machines.find((each) => each.name === lab.api?.machine);
  if (lab.api !== undefined && host?.ports.some((own) => own.addresses.some(has(lab.api!.address))) !== true)
    faults.push(`the API is to be at ${lab.api.address}, which no port of ${lab.api.machine} has`);
  for (const each of lab.machines) {
    for (const { device: own, cable: to } of each.ports) {
      if (to === undefined) continue;
      if ('parked' in to && lab.switch.parking === undefined)
        faults.push(`${each.name} ${own} is parked, but the switch has no parking VLAN: set switch.parking`);
      if ('segment' in to && !lab.segments.includes(to.segment))
        faults.push(`${each.name} ${own} is cabled to segment ${to.segment}, which does not exist`);
      if (!('machine' in to)) continue;
      const peer = lab.machines.find((m) => m.name === to.machine)?.ports.find((p) => p.device === to.device);
      const end = `${to.machine} ${to.device}`;
      if (peer === undefined) faults.push(`${each.name} ${own} is cabled to ${end}, which does not exist`);
      else if (peer.cable !== undefined) faults.push(`${end} has a cable of its own and one from ${each.name} ${own}`);
    }
  }
  return faults;
}

function isPrefix6(text: string): boolean {
  const [, host, length] = /^(.+)\/([0-9]{1,3})$/.exec(text) ?? [];
  return isIPv6(host ?? '') && Number(length) <= 128;
}

function has(wanted: string): (each: string) => boolean {
  return (each) => each.startsWith(`${wanted}/`);
}
