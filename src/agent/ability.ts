// What this node's kernel and programs can do, found by trying in a network namespace that is gone afterwards: module lists and
// configuration files say what might be, a try says what is.
import { tryRun } from '../lib/run.ts';
import { chainCommands } from './guard/chain.ts';
import { readVpnAbilities } from './helper/vpn-ability.ts';

/** By name: true, or a sentence why not and what would help. */
export type Abilities = Readonly<Record<string, true | string>>;

interface Probe {
  readonly name: string;
  readonly argv: readonly string[];
  /** What the program reads. */
  readonly input?: string;
  /** What the node cannot do without it, and what would help. */
  readonly without: string;
}

const PROBES: readonly Probe[] = [
  {
    name: 'vlan',
    // Not on lo, where no kernel takes them.
    argv: ['ip', '-batch', '-'],
    input: 'link add tl-a type veth peer name tl-b\nlink add link tl-a name tl-vlan type vlan id 2\n',
    without:
      'the kernel makes no 802.1Q sub-interfaces: load the module 8021q, or let Open vSwitch make them ("vlans": "openvswitch")',
  },
  {
    name: 'vrf',
    argv: 'ip link add name tl-vrf type vrf table 2'.split(' '),
    without: 'the kernel has no VRFs (module vrf); networks are kept apart by routing tables and rules instead',
  },
  {
    name: 'vlan-filtering',
    argv: 'ip link add name tl-bridge type bridge vlan_filtering 1'.split(' '),
    without: "the kernel's bridges do not filter VLANs (module bridge with CONFIG_BRIDGE_VLAN_FILTERING)",
  },
  {
    name: 'ipvs',
    argv: ['ipvsadm', '-Ln'],
    without: 'the kernel does not balance by IPVS (module ip_vs, package ipvsadm); haproxy and nftables do it instead',
  },
  {
    name: 'router-guard',
    // The very commands, so that what is tried is what is needed.
    argv: ['nft', chainCommands('tl', 'lo', '02:00:00:00:00:01')],
    without:
      'router advertisements of instances cannot be held back, so no instance can be in a network with IPv6: nftables, and a kernel of 5.16 or later with its egress hook, are needed',
  },
  {
    name: 'ipv6-router',
    argv: 'ip -6 rule add from 2001:db8::/64 lookup 2'.split(' '),
    without:
      'the kernel routes no IPv6 by source, so networks with IPv6 cannot have this router node (CONFIG_IPV6 with CONFIG_IPV6_MULTIPLE_TABLES, and not switched off with ipv6.disable=1)',
  },
  {
    name: 'conntrack',
    argv: ['conntrack', '-L'],
    without: 'connections cannot be tracked and handed over (module nf_conntrack_netlink, package conntrack)',
  },
];

/** Tries everything at once; some 20 ms. */
export async function readAbilities(): Promise<Abilities> {
  const [vpns, ...found] = await Promise.all([
    readVpnAbilities(),
    ...PROBES.map(async (probe) => [probe.name, await attempt(probe)] as const),
  ]);
  return { ...Object.fromEntries(found), ...vpns };
}

/** Asked once, when the agent starts, which may be while a slow machine still boots: what is too late then is missing for good. */
const TIME_MS = 30_000;

async function attempt({ argv, input, without }: Probe): Promise<true | string> {
  const options = { timeoutMs: TIME_MS, ...(input === undefined ? {} : { input }) };
  const done = await tryRun(['unshare', '--net', '--', ...argv], options).catch((error: unknown) => ({
    code: -1,
    stdout: '',
    stderr: (error as Error).message,
  }));
  if (done.code === 0) return true;
  const lines = done.stderr.trim().split('\n');
  // nft shows below its error what it read, and marks the place.
  const said =
    lines.find((line) => / Error: /.test(line)) ?? lines.findLast((line) => !line.startsWith('Command failed')) ?? '';
  return said === '' ? without : `${without} (${said})`;
}
