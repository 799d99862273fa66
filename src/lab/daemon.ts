// The lab's daemons as data: what runs on which node, with which arguments. Pure; the supervisor starts them.
import { join } from 'node:path';
import { macOf } from '../lib/id.ts';
import { CHECKOUT, type LabFile, labPaths } from './layout.ts';
import { switchPorts } from './network.ts';
import type { ChassisNode, Topology } from './topology.ts';

export interface Daemon {
  readonly node: string;
  readonly name:
    | 'ovsdb-server'
    | 'ovs-vswitchd'
    | 'ovn-controller'
    | 'ovn-nb'
    | 'ovn-sb'
    | 'ovn-northd'
    | 'libvirtd'
    | 'api'
    | 'agent';
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly log: string;
}

/** Options of every OVS and OVN program here: a child that stays in the foreground and writes to one file. */
function common(log: string, pidfile: string): string[] {
  return ['--no-chdir', `--pidfile=${pidfile}`, `--log-file=${log}`, '-vconsole:off', '-vsyslog:off'];
}

/** The bridges that hold the cable to the switch and the underlay address. */
export const HYPERVISOR_BRIDGE = 'br-ex';
export const ROUTER_BRIDGE = 'br-vlan';

/** The OVSDB schemas of Debian's and Ubuntu's packages. */
export const SCHEMA = {
  ovs: '/usr/share/openvswitch/vswitch.ovsschema',
  nb: '/usr/share/ovn/ovn-nb.ovsschema',
  sb: '/usr/share/ovn/ovn-sb.ovsschema',
} as const;

/** The database server and the switch daemon of a node that has Open vSwitch. */
export function ovsDaemons(lab: LabFile, node: string): { database: Daemon; vswitch: Daemon } {
  const dir = labPaths(lab.state).node(node);
  const env = { OVS_RUNDIR: dir, OVN_RUNDIR: dir };
  const ovsdbLog = join(dir, 'ovsdb.log');
  const log = join(dir, 'vs.log');
  return {
    database: {
      node,
      name: 'ovsdb-server',
      argv: [
        'ovsdb-server',
        ...common(ovsdbLog, join(dir, 'ovsdb-server.pid')),
        `--unixctl=${join(dir, 'ovsdb.ctl')}`,
        `--remote=punix:${join(dir, 'db.sock')}`,
        join(dir, 'conf.db'),
      ],
      env,
      log: ovsdbLog,
    },
    vswitch: {
      node,
      name: 'ovs-vswitchd',
      argv: [
        'ovs-vswitchd',
        ...common(log, join(dir, 'ovs-vswitchd.pid')),
        `--unixctl=${join(dir, 'vs.ctl')}`,
        ...(lab.datapath === 'dummy' ? ['--enable-dummy'] : []),
        `unix:${join(dir, 'db.sock')}`,
      ],
      env,
      log,
    },
  };
}

/** The ovn-controller of OVN 23.03 has no `--unixctl`: its control socket lies in OVN_RUNDIR. */
export function controllerDaemon(lab: LabFile, node: string): Daemon {
  const dir = labPaths(lab.state).node(node);
  const log = join(dir, 'ctl.log');
  const argv = ['ovn-controller', ...common(log, join(dir, 'ovn-controller.pid')), `unix:${join(dir, 'db.sock')}`];
  return { node, name: 'ovn-controller', argv, env: { OVS_RUNDIR: dir, OVN_RUNDIR: dir }, log };
}

export function agentDaemon(lab: LabFile, node: string): Daemon | undefined {
  if (lab.agent === null) return undefined;
  const dir = labPaths(lab.state).node(node);
  const argv = [...lab.agent, '--config', join(dir, 'agent.json')];
  return { node, name: 'agent', argv, env: { OVS_RUNDIR: dir, OVN_RUNDIR: dir }, log: join(dir, 'agent.log') };
}

/** The API's address in the lab: passes connections on to the server, which is outside of the sandbox. */
export function apiDaemon(lab: LabFile, { api }: Topology): Daemon | undefined {
  if (api === undefined) return undefined;
  const paths = labPaths(lab.state);
  const relay = join(CHECKOUT, 'src/lab/relay.ts');
  const argv = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    relay,
    api.address,
    `${api.port}`,
    paths.api,
  ];
  return { node: api.machine, name: 'api', argv, env: {}, log: join(paths.node(api.machine), 'api.log') };
}

/** The two OVN databases and northd between them. */
export function centralDaemons(lab: LabFile, topology: Topology): { nb: Daemon; sb: Daemon; northd: Daemon } {
  const paths = labPaths(lab.state);
  const node = topology.central.name;
  const dir = paths.node(node);
  const env = { OVS_RUNDIR: dir, OVN_RUNDIR: dir };
  const server = (name: 'ovn-nb' | 'ovn-sb', remotes: readonly string[]): Daemon => {
    const short = name.slice('ovn-'.length);
    const log = join(dir, `${short}.log`);
    const argv = [
      'ovsdb-server',
      ...common(log, join(dir, `${short}.pid`)),
      `--unixctl=${join(dir, `${short}.ctl`)}`,
      ...remotes.map((remote) => `--remote=${remote}`),
      join(paths.lab, `${short}.db`),
    ];
    return { node, name, argv, env, log };
  };
  const log = join(dir, 'northd.log');
  return {
    nb: server('ovn-nb', [`punix:${paths.nb}`]),
    sb: server('ovn-sb', [`punix:${paths.sb}`, 'ptcp:6642']),
    northd: {
      node,
      name: 'ovn-northd',
      argv: [
        'ovn-northd',
        ...common(log, join(dir, 'ovn-northd.pid')),
        `--ovnnb-db=unix:${paths.nb}`,
        `--ovnsb-db=unix:${paths.sb}`,
      ],
      env,
      log,
    },
  };
}

/**
 * What `ovs-vsctl` is told on a node of OVN before its switch daemon starts. Its one NIC is a port of `br-ex` and carries
 * the underlay untagged and the tenants' VLANs tagged; the underlay address is `br-ex`'s own, where the userspace
 * datapath looks for tunnel endpoints. Probes are long since 5 s were shorter than a busy southbound's answer. A witness is
 * on no network but the underlay.
 */
export function chassisSettings(
  lab: LabFile,
  topology: Topology,
  { name: node, address, kind }: Omit<ChassisNode, 'instances'>,
): string[] {
  const remote = lab.datapath === 'dummy' ? `unix:${labPaths(lab.state).sb}` : `tcp:${topology.central.address}:6642`;
  return [
    ...bridge(HYPERVISOR_BRIDGE, lab.datapath),
    ...hardwareAddress(node, HYPERVISOR_BRIDGE),
    ...port(HYPERVISOR_BRIDGE, { name: 'eth0', columns: [] }),
    ...QUICK_FLOWS,
    ...[
      `system-id=${node}`,
      `hostname=${node}`,
      `ovn-remote="${remote}"`,
      'ovn-encap-type=geneve',
      `ovn-encap-ip=${address}`,
      `ovn-bridge-datapath-type=${lab.datapath}`,
      ...(kind === 'witness'
        ? []
        : [`ovn-bridge-mappings="${topology.underlay.physicalNetwork}:${HYPERVISOR_BRIDGE}"`]),
      'ovn-remote-probe-interval=100000',
      'ovn-openflow-probe-interval=100',
      // ovn-controller(8): started again, it keeps the old flows until it has read the database, so no packet is lost.
      'ovn-ofctrl-wait-before-clear=1000',
    ].map((each) => `external_ids:${each}`),
  ];
}

/**
 * What `ovs-vsctl` is told on a router node: a bridge of its own holds the trunk, as `br-ex` does on a hypervisor. The agent
 * adds an access port to it for each VLAN it routes, where the kernel has no VLAN interfaces.
 */
export function routerSettings(lab: LabFile, node: string): string[] {
  return [
    ...bridge(ROUTER_BRIDGE, lab.datapath),
    ...hardwareAddress(node, ROUTER_BRIDGE),
    ...port(ROUTER_BRIDGE, { name: 'eth1', columns: [] }),
    ...QUICK_FLOWS,
    '--',
    'set',
    'Open_vSwitch',
    '.',
    `external_ids:hostname=${node}`,
  ];
}

/** What `ovs-vsctl` is told on the switch. */
export function switchSettings(lab: LabFile, topology: Topology): string[] {
  const name = `br-${topology.switch.name}`;
  return [...bridge(name, lab.datapath), ...switchPorts(topology).flatMap((each) => port(name, each)), ...QUICK_FLOWS];
}

/** NB_Global options (ovn-nb(5)): BFD 100 ms x 3 between gateways, and no probe shorter than northd's longest run. */
export const NB_OPTIONS = [
  'options:bfd-min-rx=100',
  'options:bfd-min-tx=100',
  'options:bfd-mult=3',
  'options:northd_probe_interval=60000',
] as const;

// How long a flow that no longer holds may be used: 0.5 s by default, which a moved address would wait for.
const QUICK_FLOWS = '-- set Open_vSwitch . other_config:max-revalidator=100'.split(' ');

/** A MAC that stays when the switch daemon restarts: the other nodes remember it. */
function hardwareAddress(node: string, name: string): string[] {
  return ['--', 'set', 'Bridge', name, `other_config:hwaddr="${macOf(`lab/${node}/${name}`)}"`];
}

function bridge(name: string, datapath: string): string[] {
  return ['--', '--may-exist', 'add-br', name, '--', 'set', 'Bridge', name, `datapath_type=${datapath}`];
}

function port(to: string, { name, columns }: { name: string; columns: readonly string[] }): string[] {
  const set = columns.length === 0 ? [] : ['--', 'set', 'Port', name, ...columns];
  return ['--', '--may-exist', 'add-port', to, name, ...set];
}
