// The lab's cables and addresses as commands: from a topology to what `ip`, `sysctl` and `ethtool` are told. Pure, so that
// the shape of a lab can be read and tested without one.
import { formatHost, cidr, ip } from '../lib/ip.ts';
import type { Machine, MachinePort, Topology } from './topology.ts';

/** What one node's namespace is told, in order. */
export interface NodeNetwork {
  readonly node: string;
  /** `sysctl -w` settings, before any interface exists. */
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

const QUIET = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];

/** Lines for one `ip -batch` in the sandbox: every namespace and every cable. */
export function wiring(lab: Topology): string[] {
  const lines = [lab.switch.name, lab.central.name, ...lab.hypervisors.map((h) => h.name)]
    .concat(lab.machines.map((m) => m.name))
    .map((node) => `netns add ${node}`);
  for (const { node, device } of switchEnds(lab)) lines.push(veth(`${node}-${device}`, lab.switch.name, device, node));
  for (const machine of lab.machines) {
    for (const { device, cable } of machine.ports) {
      if (cable !== undefined && 'machine' in cable)
        lines.push(veth(device, machine.name, cable.device, cable.machine));
    }
  }
  return lines;
}

/** What each node is told once the cables are there. Hypervisors' addresses come later: they are OVS's (`br-ex`). */
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
    ...lab.hypervisors.map(({ name }) => ({
      node: name,
      sysctls: QUIET,
      ip: ['link set lo up', up('eth0')],
      noOffload: ['eth0'],
    })),
    ...lab.machines.map((machine) => machineNetwork(machine, up)),
  ];
}

/** The switch's ports: hypervisors on trunks that carry the underlay untagged, all others as their cable says. */
export function switchPorts(lab: Topology): SwitchPort[] {
  return switchEnds(lab).map(({ node, device, columns }) => ({ name: `${node}-${device}`, columns }));
}

/** An underlay address with the length of the underlay's prefix. */
export function underlayHost(lab: Topology, address: string): string {
  return formatHost(ip(address), cidr(lab.underlay.network));
}

function machineNetwork(machine: Machine, up: (device: string) => string): NodeNetwork {
  const lines = ['link set lo up'];
  for (const port of machine.ports) {
    lines.push(up(port.device), ...port.addresses.map((each) => `address add ${each} dev ${port.device}`));
  }
  lines.push(...machine.answersFor.map((each) => `address add ${each}/32 dev lo`));
  lines.push(...machine.routes.map(({ to, via }) => `route add ${to} via ${via}`));
  if (machine.gateway !== undefined) lines.push(`route add default via ${machine.gateway}`);
  return {
    node: machine.name,
    sysctls: machine.forwards ? ['net.ipv4.ip_forward=1'] : [],
    ip: lines,
    noOffload: machine.ports.map((port) => port.device),
  };
}

function switchEnds(lab: Topology): { node: string; device: string; columns: string[] }[] {
  const access = [`tag=${lab.switch.untagged}`];
  return [
    { node: lab.central.name, device: 'eth0', columns: access },
    ...lab.hypervisors.map(({ name }) => ({
      node: name,
      device: 'eth0',
      columns: [...access, 'vlan_mode=native-untagged'],
    })),
    ...lab.machines.flatMap((machine) =>
      machine.ports.flatMap((port) => {
        const columns = columnsOf(port);
        return columns === undefined ? [] : [{ node: machine.name, device: port.device, columns }];
      }),
    ),
  ];
}

function columnsOf({ cable }: MachinePort): string[] | undefined {
  if (cable === undefined || 'machine' in cable) return undefined;
  if ('vlan' in cable) return [`tag=${cable.vlan}`];
  return cable.trunk.length === 0 ? ['vlan_mode=trunk'] : ['vlan_mode=trunk', `trunks=${cable.trunk.join(',')}`];
}

function veth(end: string, node: string, peer: string, peerNode: string): string {
  return `link add name ${end} netns ${node} type veth peer name ${peer} netns ${peerNode}`;
}
