// The lab's cables and addresses as commands: from a topology to what `ip`, `sysctl` and `ethtool` are told. Pure, so that
// the shape of a lab can be read and tested without one.
import { isIPv6 } from 'node:net';
import { formatHost, cidr, ip } from '../lib/ip.ts';
import { chassisNodes, type Machine, type MachinePort, nodeNames, type Topology } from './topology.ts';

/** What one node's namespace is told, in order. */
export interface NodeNetwork {
  readonly node: string;
  /** `sysctl -w` settings, before any interface is up. */
  readonly sysctls: readonly string[];
  /** Lines for `ip -batch`. */
  readonly ip: readonly string[];
  /** Interfaces whose checksums must be made in software: OVS's userspace datapath passes frames on as they are. */
  readonly noOffload: readonly string[];
}

/** A port of the switch: its interface name, the node behind it and OVS's `Port` columns. */
export interface SwitchPort {
  readonly name: string;
  readonly columns: readonly string[];
}

// Nothing speaks by itself, so that what is seen on a cable was sent by somebody.
const QUIET = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];

/** Lines for one `ip -batch` in the sandbox: every namespace and every cable. */
export function wiring(lab: Topology): string[] {
  const lines = nodeNames(lab).map((node) => `netns add ${node}`);
  for (const { node, device } of switchEnds(lab)) lines.push(veth(`${node}-${device}`, lab.switch.name, device, node));
  for (const { node, device, segment } of segmentEnds(lab))
    lines.push(veth(`${node}-${device}`, segment, device, node));
  for (const machine of lab.machines) {
    for (const { device, cable } of machine.ports) {
      if (cable !== undefined && 'machine' in cable)
        lines.push(veth(device, machine.name, cable.device, cable.machine));
    }
  }
  return lines;
}

/**
 * What each node is told once the cables are there. The addresses of hypervisors and router nodes come later: they are those
 * of OVS's bridges (`br-ex`, `br-vlan`).
 */
export function nodeNetworks(lab: Topology): NodeNetwork[] {
  const { mtu } = lab.underlay;
  const ports = switchEnds(lab).map(({ node, device }) => `${node}-${device}`);
  const up = (device: string): string => `link set ${device} mtu ${mtu} up`;
  return [
    { node: lab.switch.name, sysctls: QUIET, ip: ['link set lo up', ...ports.map(up)], noOffload: ports },
    {
      node: lab.central.name,
      sysctls: QUIET,
      ip: ['link set lo up', up('eth0'), `address add ${underlayHost(lab, lab.central.address)} dev eth0`],
      noOffload: ['eth0'],
    },
    ...chassisNodes(lab).map(({ name }) => ({
      node: name,
      sysctls: [...QUIET, silent('eth0'), STRICT_MAY_BE],
      ip: ['link set lo up', up('eth0')],
      noOffload: ['eth0'],
    })),
    ...lab.routers.map(({ name, outside: { address, gateway } }) => ({
      node: name,
      sysctls: [...QUIET, silent('eth1')],
      // No route to the outside's whole prefix: parts of it may lie inside, behind this router.
      ip: [
        'link set lo up',
        up('eth0'),
        up('eth1'),
        `address add ${address}/32 dev eth0`,
        `route add ${gateway} dev eth0`,
        `route add default via ${gateway}`,
      ],
      noOffload: ['eth0', 'eth1'],
    })),
    ...lab.machines.map((machine) => machineNetwork(machine, up)),
    ...lab.segments.map((segment) => segmentNetwork(lab, segment, up)),
  ];
}

/** The switch's ports: hypervisors, gateways and routers on trunks that carry the underlay untagged, all others as their cable says. */
export function switchPorts(lab: Topology): SwitchPort[] {
  return switchEnds(lab).map(({ node, device, columns }) => ({ name: `${node}-${device}`, columns }));
}

/**
 * The kernel, too, sees what arrives at a port of OVS's userspace datapath, and would answer ARP for the bridge's address with
 * the port's MAC: two answers to each question (ip-sysctl: arp_ignore 8, "do not reply for all local addresses").
 */
function silent(device: string): string {
  return `net.ipv4.conf.${device}.arp_ignore=8`;
}

/** Where the looser mode is set for all, no interface can have the strict one (ip-sysctl: the larger of the two counts). */
const STRICT_MAY_BE = 'net.ipv4.conf.all.rp_filter=0';

/** An underlay address with the length of the underlay's prefix. */
export function underlayHost(lab: Topology, address: string): string {
  return formatHost(ip(address), cidr(lab.underlay.network));
}

function machineNetwork(machine: Machine, up: (device: string) => string): NodeNetwork {
  const lines = ['link set lo up'];
  for (const port of machine.ports) {
    lines.push(up(port.device), ...port.addresses.map((each) => `address add ${each} dev ${port.device}`));
  }
  lines.push(...machine.answersFor.map((each) => `address add ${each}/${isIPv6(each) ? 128 : 32} dev lo`));
  lines.push(...machine.routes.map(({ to, via }) => `route add ${to} via ${via}`));
  for (const gateway of [machine.gateway, machine.gateway6])
    if (gateway !== undefined) lines.push(`route add default via ${gateway}`);
  return {
    node: machine.name,
    sysctls: [...QUIET, ...(machine.forwards ? ['net.ipv4.ip_forward=1'] : []), ...ipv6Of(machine)],
    ip: lines,
    noOffload: machine.ports.map((port) => port.device),
  };
}

/**
 * IPv6 for who has addresses of it, used at once (no duplicate is looked for) and taken from nobody else. Such a machine does say by itself
 * which groups it listens to.
 */
function ipv6Of({ forwards, ports, answersFor }: Machine): string[] {
  const having = ports.filter(({ addresses }) => addresses.some((each) => each.includes(':')));
  if (having.length === 0) return [];
  const set = (device: string, name: string, value: number): string => `net.ipv6.conf.${device}.${name}=${value}`;
  return [
    ...(forwards ? [set('all', 'forwarding', 1)] : []),
    ...(answersFor.some(isIPv6) ? [set('lo', 'disable_ipv6', 0)] : []),
    ...having.flatMap(({ device }) => [
      set(device, 'accept_ra', 0),
      set(device, 'accept_dad', 0),
      set(device, 'disable_ipv6', 0),
    ]),
  ];
}

/** A plain wire: a bridge that floods and learns, as any small switch does. */
function segmentNetwork(lab: Topology, segment: string, up: (device: string) => string): NodeNetwork {
  const ports = segmentEnds(lab)
    .filter((end) => end.segment === segment)
    .map(({ node, device }) => `${node}-${device}`);
  const join = ports.flatMap((port) => [`link set ${port} master br0`, up(port)]);
  return { node: segment, sysctls: QUIET, ip: ['link add br0 type bridge', ...join, up('br0')], noOffload: [] };
}

function segmentEnds(lab: Topology): { node: string; device: string; segment: string }[] {
  return lab.machines.flatMap(({ name, ports }) =>
    ports.flatMap(({ device, cable }) =>
      cable !== undefined && 'segment' in cable ? [{ node: name, device, segment: cable.segment }] : [],
    ),
  );
}

/** The ends of a node's cables that are at the switch or a segment: taken down, the node's own ends have no carrier. */
export function cablesOf(lab: Topology, node: string): { readonly at: string; readonly device: string }[] {
  const ends = [
    ...switchEnds(lab).map((end) => ({ ...end, at: lab.switch.name })),
    ...segmentEnds(lab).map((end) => ({ ...end, at: end.segment })),
  ];
  return ends
    .filter((end) => end.node === node || end.at === node)
    .map(({ at, node: far, device }) => ({ at, device: `${far}-${device}` }));
}

function switchEnds(lab: Topology): { node: string; device: string; columns: string[] }[] {
  const access = [`tag=${lab.switch.untagged}`];
  const trunk = [...access, 'vlan_mode=native-untagged'];
  return [
    { node: lab.central.name, device: 'eth0', columns: access },
    ...chassisNodes(lab).map(({ name, kind }) => ({
      node: name,
      device: 'eth0',
      columns: kind === 'witness' ? access : trunk,
    })),
    ...lab.routers.flatMap(({ name, outside }) => [
      { node: name, device: 'eth0', columns: [`tag=${outside.vlan}`] },
      { node: name, device: 'eth1', columns: trunk },
    ]),
    ...lab.machines.flatMap((machine) =>
      machine.ports.flatMap((port) => {
        const columns = columnsOf(lab, port);
        return columns === undefined ? [] : [{ node: machine.name, device: port.device, columns }];
      }),
    ),
  ];
}

function columnsOf(lab: Topology, { cable }: MachinePort): string[] | undefined {
  if (cable === undefined || 'machine' in cable || 'segment' in cable) return undefined;
  if ('parked' in cable) return [`tag=${lab.switch.parking}`];
  if ('vlan' in cable) return [`tag=${cable.vlan}`];
  return cable.trunk.length === 0 ? ['vlan_mode=trunk'] : ['vlan_mode=trunk', `trunks=${cable.trunk.join(',')}`];
}

function veth(end: string, node: string, peer: string, peerNode: string): string {
  return `link add name ${end} netns ${node} type veth peer name ${peer} netns ${peerNode}`;
}
