// A node's first minute: what `agent join` finds out by itself, so that an operator types a server, a token and a device, and gets
// a configuration file he can read. What Open vSwitch must know for OVN is set where it is absent; what is there is never changed.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun } from '../lib/run.ts';
import { decodeToken } from '../protocol/document.ts';
import { readAbilities } from './ability.ts';
import { writeWhole } from './file.ts';
import { configAgain, differences, optionsAgain, readTree, settingsAgain } from './setup-again.ts';

export interface SetupOptions {
  readonly token: string;
  /** https://HOST:PORT */
  readonly server: string;
  readonly role: 'hypervisor' | 'router';
  /** Carries the tunnels' address (hypervisors), or the node's address outside of all networks (routers). */
  readonly underlayDevice: string;
  /** Default: the first IPv4 address of the device. */
  readonly underlayIp?: string;
  readonly state: string;
  /** Open vSwitch's run directory: database and control sockets. */
  readonly ovsRundir: string;
  /** OVN's southbound database; default: the server's host, port 6642. */
  readonly ovnRemote?: string;
  /** `physnet1:br-ex`. */
  readonly mapping: string;
  readonly instances: 'netns' | 'libvirt';
  /** Router nodes: where the networks' VLANs and the outside are. */
  readonly inside?: string;
  readonly outside?: string;
}

/** What was found out and is to be written and set. Plain data, so that it can be shown and tested. */
export interface Setup {
  readonly config: Readonly<Record<string, unknown>>;
  /** `external_ids` of Open vSwitch that are absent there, with the value each gets. */
  readonly settings: Readonly<Record<string, string>>;
  /** All that follow from the options. */
  readonly wanted: Readonly<Record<string, string>>;
}

/** What the machine is, as far as setting up needs it. */
export interface Machine {
  /** IPv4 addresses of the underlay device. */
  readonly addresses: readonly string[];
  /** `external_ids` of Open vSwitch; undefined: there is none. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Bridges of Open vSwitch with their datapath: `system` (the kernel's) or `netdev`. */
  readonly bridges: Readonly<Record<string, string>>;
  /** The bridge that holds a router node's inside card; undefined: none does. */
  readonly insideBridge?: string;
  /** Whether the kernel makes VLAN sub-interfaces. */
  readonly kernelVlans: boolean;
}

/** From options and machine to the configuration: pure. Throws a sentence that names what is missing and what to type. */
export function planSetup(options: SetupOptions, machine: Machine): Setup {
  const token = decodeToken(options.token);
  if (token === undefined) throw new Error('the join token is damaged: it is to be the text the server printed, whole');
  const { node } = token;
  const ip = options.underlayIp ?? machine.addresses[0];
  if (ip === undefined)
    throw new Error(
      `${options.underlayDevice} has no IPv4 address: give it one (ip address add …), or name the address with --underlay-ip`,
    );
  const ovs = { database: `unix:${join(options.ovsRundir, 'db.sock')}`, rundir: options.ovsRundir };
  const common = {
    node,
    server: options.server,
    state: options.state,
    tokenFile: join(options.state, 'token'),
    underlay: { device: options.underlayDevice, ip },
  };
  if (options.role === 'router')
    return { config: { ...common, ...routerConfig(node, options, machine, ovs) }, settings: {}, wanted: {} };
  if (machine.settings === undefined)
    throw new Error(
      'no Open vSwitch answers here: apt-get install openvswitch-switch ovn-host, start it, and join again (trunkline doctor says more)',
    );
  const [, bridge] = options.mapping.split(':');
  const datapath = machine.bridges[bridge ?? ''];
  if (bridge === undefined || datapath === undefined)
    throw new Error(
      `there is no bridge ${bridge ?? '(none named)'} for ${options.mapping}: ovs-vsctl add-br ${bridge ?? 'br-ex'} -- add-port ${bridge ?? 'br-ex'} DEVICE, DEVICE being the card on the physical network`,
    );
  const host = new URL(options.server.replace(/^unix:.*/, 'https://127.0.0.1')).hostname;
  const wanted: Record<string, string> = {
    'ovn-remote': options.ovnRemote ?? `tcp:${host}:6642`,
    'ovn-encap-type': 'geneve',
    'ovn-encap-ip': ip,
    'ovn-bridge-mappings': options.mapping,
    // Without them the flows of a killed ovn-controller, or the first of a tunnel, are gone for a moment.
    'ovn-ofctrl-wait-before-clear': '1000',
    // br-int, which ovn-controller makes, must be of the same kind as the bridge it is patched to.
    ...(datapath === 'netdev' ? { 'ovn-bridge-datapath-type': 'netdev' } : {}),
  };
  const settings = Object.fromEntries(Object.entries(wanted).filter(([key]) => machine.settings?.[key] === undefined));
  return {
    config: {
      ...common,
      ovs,
      datapath: datapath === 'netdev' ? 'netdev' : 'system',
      instances:
        options.instances === 'libvirt'
          ? { driver: 'libvirt', uri: 'qemu:///system', directory: join(options.state, 'instances') }
          : { driver: 'netns', directory: join(options.state, 'instances') },
    },
    // OVN's name of the chassis must be the node's, whatever name Open vSwitch made up at its first start.
    settings: machine.settings['system-id'] === node ? settings : { 'system-id': node, ...settings },
    wanted,
  };
}

function routerConfig(
  node: string,
  { inside, outside }: SetupOptions,
  { kernelVlans, bridges, insideBridge }: Machine,
  ovs: object,
): Record<string, unknown> {
  if (inside === undefined || outside === undefined)
    throw new Error('a router node needs --inside (the card with the VLANs) and --outside (the card to the world)');
  // Not in the agent's own folder, which is closed: daemons that gave up being root read theirs again. Made anew after a reboot.
  const directory = `/run/trunkline/${node}/router`;
  if (kernelVlans) return { datapath: 'system', router: { inside, outside, vlans: 'kernel', directory } };
  if (insideBridge === undefined)
    throw new Error(
      `this kernel makes no 802.1Q sub-interfaces, and no bridge of Open vSwitch holds ${inside} to make them instead: modprobe 8021q, or ovs-vsctl add-br br-vlan -- add-port br-vlan ${inside}, and join again`,
    );
  const datapath = bridges[insideBridge] === 'netdev' ? 'netdev' : 'system';
  return { ovs, datapath, router: { inside, outside, vlans: 'openvswitch', bridge: insideBridge, directory } };
}

/**
 * Writes the configuration file, and sets what Open vSwitch lacks. Where the file is there, what was typed is changed in it, and the file of
 * before is kept beside it. Gives what was done, a line each. The system-id is also written where Open vSwitch's start script reads it
 * from, or its next start would undo it.
 */
export async function setUp(
  file: string,
  options: Partial<SetupOptions> & Pick<SetupOptions, 'token'>,
  typed: ReadonlySet<string> = new Set(),
): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const before = text === undefined ? undefined : readTree(text);
  const named = complete(file, before === undefined ? options : optionsAgain(before, options, typed));
  refuseOtherNode(named.token, before?.['node']);
  const machine = await lookAt(named);
  // Which bridge it was is in Open vSwitch alone.
  const [mapping] = machine.settings?.['ovn-bridge-mappings']?.split(',') ?? [];
  const kept = before === undefined || typed.has('mapping') || mapping === undefined ? {} : { mapping };
  const plan = planSetup({ ...named, ...kept }, machine);
  const again = before === undefined ? undefined : settingsAgain(before, plan, machine.settings ?? {}, typed);
  const done = await setOvs(named, { ...plan.settings, ...again?.change });
  const config = before === undefined ? plan.config : configAgain(before, plan.config, typed);
  const changed = before === undefined ? [] : differences(before, config);
  if (before !== undefined && changed.length === 0) return [...done, ...again!.told, `${file} stays as it is`];
  if (text !== undefined) await writeWhole(`${file}.before`, text);
  await writeWhole(file, `${JSON.stringify(config, undefined, 2)}\n`);
  const rest = text === undefined ? '' : `; what it was is in ${file}.before, and a running agent is to be restarted`;
  return [...done, ...(again?.told ?? []), ...changed.map((line) => `${file}: ${line}`), `wrote ${file}${rest}`];
}

function complete(file: string, options: Partial<SetupOptions>): SetupOptions {
  const { server, underlayDevice } = options;
  if (server === undefined || underlayDevice === undefined)
    throw new Error(`${file} does not say all that is needed: to have it written, name --server and --underlay-device`);
  return options as SetupOptions;
}

/** A token of another node would make this machine that one, and two would fight for its name. */
function refuseOtherNode(token: string, node: unknown): void {
  const named = decodeToken(token)?.node;
  if (typeof node === 'string' && named !== undefined && named !== node)
    throw new Error(
      `the join token is for node ${named}, and this is ${node}: make one for ${node} (createJoinToken name=${node})`,
    );
}

async function setOvs({ ovsRundir }: SetupOptions, settings: Readonly<Record<string, string>>): Promise<string[]> {
  const done: string[] = [];
  const database = `--db=unix:${join(ovsRundir, 'db.sock')}`;
  for (const [key, value] of Object.entries(settings)) {
    await run([
      'ovs-vsctl',
      database,
      '--no-wait',
      '--timeout=5',
      'set',
      'Open_vSwitch',
      '.',
      `external_ids:${key}="${value}"`,
    ]);
    done.push(`Open vSwitch: external_ids:${key}=${value}`);
  }
  const systemId = settings['system-id'];
  if (systemId !== undefined && existsSync('/etc/openvswitch')) {
    await writeWhole('/etc/openvswitch/system-id.conf', `${systemId}\n`);
    done.push(`/etc/openvswitch/system-id.conf: ${systemId}`);
  }
  return done;
}

async function lookAt({ underlayDevice, ovsRundir, inside, outside }: SetupOptions): Promise<Machine> {
  const devices = [underlayDevice, inside, outside].flatMap((name) => name ?? []);
  const [addresses = []] = await Promise.all(devices.map(addressesOf));
  const vsctl = (...argv: string[]): Promise<string | undefined> =>
    tryRun(['ovs-vsctl', `--db=unix:${join(ovsRundir, 'db.sock')}`, '--timeout=3', ...argv]).then(
      (result) => (result.code === 0 ? result.stdout.trim() : undefined),
      () => undefined,
    );
  const ids = await vsctl('--format=json', 'get', 'Open_vSwitch', '.', 'external_ids');
  const bridges = ((await vsctl('list-br')) ?? '').split('\n').filter((name) => name !== '');
  const types = await Promise.all(bridges.map((name) => vsctl('get', 'Bridge', name, 'datapath_type')));
  const insideBridge = inside === undefined || ids === undefined ? undefined : await vsctl('port-to-br', inside);
  // Tried, as the agent will: a kernel loads the module when it is asked for the first sub-interface.
  const { vlan } = await readAbilities();
  return {
    addresses,
    ...(ids === undefined ? {} : { settings: settingsOf(ids) }),
    bridges: Object.fromEntries(bridges.map((name, index) => [name, types[index]?.replaceAll('"', '') || 'system'])),
    ...(insideBridge === undefined ? {} : { insideBridge }),
    kernelVlans: vlan === true,
  };
}

/** IPv4 addresses of a device. Throws when there is none of that name. */
async function addressesOf(device: string): Promise<string[]> {
  const { code, stdout, stderr } = await tryRun(['ip', '-json', '-4', 'address', 'show', 'dev', device]);
  if (code !== 0) throw new Error(`there is no interface ${device}: ${stderr.trim()}`);
  const links = JSON.parse(stdout || '[]') as { addr_info?: { local?: string }[] }[];
  return links.flatMap((link) => (link.addr_info ?? []).flatMap(({ local }) => local ?? []));
}

/** Reads `{key=value, other="v:w"}`, as ovs-vsctl prints a map. */
export function settingsOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([^\s{,=]+)=(?:"((?:[^"\\]|\\.)*)"|([^,}]*))/g)];
  return Object.fromEntries(pairs.map(([, key, quoted, plain]) => [key!.replaceAll('"', ''), quoted ?? plain ?? '']));
}
