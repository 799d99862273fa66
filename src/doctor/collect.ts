// Collects what the doctor judges: versions by asking, kernel features by trying them in a network namespace that ends with the try.
import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { connect } from 'node:net';
import { type RunResult, tryRun } from '../lib/run.ts';
import { type Facts, type Feature, type Tried, FEATURES } from './facts.ts';

const LIMIT = { timeoutMs: 5_000 };

/** Program -> how it is asked for its version; whatever the exit status, the first line counts. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'ovn-northd': ['--version'],
  'ovn-controller': ['--version'],
  'ovs-vswitchd': ['--version'],
  openssl: ['version'],
  keepalived: ['--version'],
  nft: ['--version'],
  dnsmasq: ['--version'],
  haproxy: ['-v'],
  conntrackd: ['-v'],
  conntrack: ['--version'],
  arping: ['-V'],
  'arp-scan': ['--version'],
  virsh: ['--version'],
  openvpn: ['--version'],
  wg: ['--version'],
  'wireguard-go': ['--version'],
  // Its daemon cannot be asked: whatever it is told, it starts.
  swanctl: ['--version'],
  'qemu-system-x86_64': ['--version'],
};

/** Each runs in a network namespace of its own, as root; success means the kernel has the feature. */
const TRIES: Readonly<Record<Feature, { readonly argv: readonly string[]; readonly input?: string }>> = {
  namespaces: { argv: ['true'] },
  vlan: links('link add tl0 type veth peer name tl1', 'link add link tl0 name tl0.9 type vlan id 9'),
  'bridge-vlan': links('link add tl0 type bridge vlan_filtering 1'),
  ipvs: { argv: ['test', '-e', '/proc/net/ip_vs'] },
  nftables: { argv: ['nft', 'add', 'table', 'inet', 'trunkline_try'] },
  conntrack: { argv: ['test', '-e', '/proc/sys/net/netfilter/nf_conntrack_max'] },
  vrf: links('link add tl0 type vrf table 9'),
  openvswitch: { argv: ['test', '-d', '/sys/module/openvswitch'] },
  wireguard: links('link add tl0 type wireguard'),
};

function links(...lines: string[]): { readonly argv: readonly string[]; readonly input: string } {
  return { argv: ['ip', '-batch', '-'], input: `${lines.join('\n')}\n` };
}

export interface CollectOptions {
  /** OVSDB of the local Open vSwitch: unix:PATH. */
  readonly ovs: string;
  /** Interface that carries the tunnels' address. */
  readonly underlayDevice?: string;
}

export async function collect({ ovs, underlayDevice }: CollectOptions): Promise<Facts> {
  const root = process.getuid?.() === 0;
  const [programs, features, switchFacts, system, kvm, virtualization, clock, mtu] = await Promise.all([
    entries(Object.keys(PROGRAMS), versionOf),
    entries(FEATURES, (name) => (root ? attempt(TRIES[name]) : Promise.resolve('not tried: this needs root'))),
    switchOf(ovs),
    systemOf(),
    exists('/dev/kvm'),
    firstLine(['systemd-detect-virt']),
    firstLine(['timedatectl', 'show', '-P', 'NTPSynchronized']),
    underlayDevice === undefined ? undefined : mtuOf(underlayDevice),
  ]);
  const remote = switchFacts?.settings['ovn-remote'];
  const southbound = remote === undefined ? undefined : await reach(remote);
  return {
    root,
    system,
    kernel: release(),
    node: process.versions.node,
    programs,
    features: features as Facts['features'],
    ...(switchFacts === undefined ? {} : { ovs: switchFacts }),
    ...(southbound === undefined ? {} : { southbound }),
    ...(mtu === undefined ? {} : { underlayMtu: mtu }),
    kvm,
    virtualization: virtualization ?? 'unknown',
    ...(clock === undefined ? {} : { clockSynchronized: clock === 'yes' }),
  };
}

async function entries<K extends string, V>(
  keys: readonly K[],
  value: (key: K) => Promise<V>,
): Promise<Record<string, V>> {
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await value(key)] as const)));
}

async function said(argv: readonly string[]): Promise<RunResult | undefined> {
  return tryRun(argv, LIMIT).catch(() => undefined);
}

async function versionOf(name: string): Promise<string | undefined> {
  const result = await said([name, ...PROGRAMS[name]!]);
  if (result === undefined) return undefined;
  const line = `${result.stdout}\n${result.stderr}`.split('\n').find((text) => text.trim() !== '');
  return line?.trim().slice(0, 200) ?? name;
}

async function firstLine(argv: readonly string[]): Promise<string | undefined> {
  const line = (await said(argv))?.stdout.split('\n')[0]?.trim();
  return line === '' ? undefined : line;
}

/** Runs the try in a fresh network namespace, which is gone when it has ended. */
async function attempt({ argv, input }: (typeof TRIES)[Feature]): Promise<Tried> {
  const options = input === undefined ? LIMIT : { ...LIMIT, input };
  const result = await tryRun(['unshare', '--net', '--', ...argv], options).catch(() => undefined);
  if (result === undefined) return 'unshare could not be run';
  if (result.code === 0) return true;
  return result.stderr.trim().split('\n')[0]?.slice(0, 200) || 'it is not there';
}

async function switchOf(database: string): Promise<Facts['ovs']> {
  const result = await said(['ovs-vsctl', `--db=${database}`, '--timeout=3', '--format=json', 'list', 'Open_vSwitch']);
  if (result === undefined || result.code !== 0) return undefined;
  const { headings, data } = JSON.parse(result.stdout) as { headings: string[]; data: unknown[][] };
  const column = (name: string): unknown => data[0]?.[headings.indexOf(name)];
  const bridges = (await said(['ovs-vsctl', `--db=${database}`, '--timeout=3', 'list-br']))?.stdout ?? '';
  const version = column('ovs_version');
  return {
    version: typeof version === 'string' ? version : 'of unknown version',
    bridges: bridges.split('\n').filter((name) => name !== ''),
    settings: mapOf(column('external_ids')),
  };
}

/** A map in OVSDB's notation (RFC 7047 5.1). */
function mapOf(value: unknown): Record<string, string> {
  return Array.isArray(value) && value[0] === 'map' ? Object.fromEntries(value[1] as [string, string][]) : {};
}

async function systemOf(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string): string => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
  return `${value('ID')} ${value('VERSION_ID')}`.trim() || 'an unknown system';
}

/** MTU from sysfs: the interface of the machine this runs on. */
async function mtuOf(device: string): Promise<number | undefined> {
  const text = await readFile(`/sys/class/net/${device}/mtu`, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether anything listens at the first of the addresses `ovn-remote` names (ovn-controller(8)). */
async function reach(remotes: string): Promise<Tried> {
  const first = remotes.split(',')[0]!.trim();
  const unix = /^unix:(.+)$/.exec(first);
  const tcp = /^(?:tcp|ssl):(?:\[([^\]]+)\]|([^:]+)):([0-9]+)$/.exec(first);
  if (unix === null && tcp === null) return `"${first}" is no address of a database`;
  const { promise, resolve } = Promise.withResolvers<Tried>();
  const socket = connect(
    unix === null ? { host: tcp![1] ?? tcp![2]!, port: Number(tcp![3]) } : { path: unix[1]! },
    () => resolve(true),
  );
  socket.setTimeout(3_000, () => resolve('no answer within 3 s'));
  socket.once('error', (error) => resolve(error.message));
  return promise.finally(() => socket.destroy());
}
