// A Linux router with a kernel of its own: real 802.1Q sub-interfaces, IPVS, VRF; with our agent on it when asked for.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { agentDisk, ON_DISK } from './agent-disk.ts';
import { type Guest, type Place, startGuest, type Tap } from './guest.ts';
import { buildInitramfs, type GuestFile, overlayInitramfs } from './initramfs.ts';
import { guestKernel } from './kernel.ts';
import { makeSshKeys, type Shell, SSH_SERVER, type SshKeys, sshShell } from './ssh.ts';

export interface RouterGuestOptions {
  /** Unique where it runs; at most 13 characters. Also its host name. */
  readonly name: string;
  /** A folder of its own with a short path. */
  readonly directory: string;
  /** eth0, eth1, … : where their cables end. */
  readonly ports: readonly Tap[];
  /** Lines of sh at the start, the cards being up already: addresses and routes. */
  readonly setup: string;
  /** Runs our agent. `config` is what agent.json holds but for `state` and `tokenFile`; its server is to be reached over TCP. */
  readonly agent?: { readonly config: Readonly<Record<string, unknown>>; readonly token: string };
  readonly place?: Place;
}

export interface RouterGuest extends Guest {
  readonly keys: SshKeys;
  /** A shell by SSH from a namespace that reaches this address of the guest. */
  shellFrom(netns: string, address: string): Shell;
}

const PROGRAMS =
  'ip bridge nft keepalived ipvsadm dropbear sysctl ethtool arping ping tcpdump dnsmasq haproxy conntrackd conntrack arp-scan openssl unshare setpriv'.split(
    ' ',
  );
/** What openssl reads before it makes a request for a certificate. */
const OPENSSL = '[req]\ndistinguished_name = name\n[name]\n';
const MODULES = [
  ...'virtio_pci virtio_net virtio_blk 8021q bridge macvlan dummy vrf veth tun'.split(' '),
  ...'ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_sh nf_conntrack nf_conntrack_netlink'.split(' '),
  ...'nf_tables nft_chain_nat nft_nat nft_masq nft_redir nft_ct nft_fib_inet nft_reject_inet nft_numgen nft_hash nft_limit nft_log'.split(
    ' ',
  ),
];
const LOAD = ['virtio_pci', 'virtio_net', 'virtio_blk', '8021q'];
const STATE = '/var/lib/trunkline';

/** Boots it; returns when `setup` has run. The agent, when there is one, is started then and says on the console what it says. */
export async function routerGuest(options: RouterGuestOptions): Promise<RouterGuest> {
  const { name, directory, agent, place, setup } = options;
  mkdirSync(directory, { recursive: true });
  const kernel = await guestKernel();
  const [base, keys, disk] = await Promise.all([
    buildInitramfs(kernel, {
      programs: PROGRAMS,
      librariesFor: agent === undefined ? [] : [process.execPath],
      modules: MODULES,
      load: LOAD,
      init: `
hostname -F /etc/hostname
for card in /sys/class/net/eth*; do ip link set "\${card##*/}" up; done
. /etc/setup
${SSH_SERVER}
echo READY $(cat /proc/uptime)
if [ -e /etc/trunkline/agent.json ]; then
  mkdir -p ${STATE}
  mount -t ext4 -o ro /dev/vda ${ON_DISK.mount}
  while :; do
    ${ON_DISK.node} --disable-warning=ExperimentalWarning --input-type=module \\
      -e "import('${ON_DISK.agent}').then((agent) => agent.runAgent('/etc/trunkline/agent.json'))"
    echo "the agent ended with $?"
    sleep 1
  done &
fi
`,
      files: {
        [`${ON_DISK.mount}/.keep`]: { content: '' },
        '/etc/protocols': { content: PROTOCOLS },
        '/usr/lib/ssl/openssl.cnf': { content: OPENSSL },
      },
    }),
    makeSshKeys(directory),
    agent === undefined ? undefined : agentDisk(),
  ]);
  const files: Record<string, GuestFile> = {
    ...keys.files,
    '/etc/hostname': { content: `${name}\n` },
    '/etc/setup': { content: `${setup}\n` },
  };
  if (agent !== undefined) {
    const config = { ...agent.config, state: STATE, tokenFile: '/etc/trunkline/token' };
    files['/etc/trunkline/agent.json'] = { content: JSON.stringify(config) };
    files['/etc/trunkline/token'] = { content: `${agent.token}\n`, mode: 0o600 };
  }
  const initrd = join(directory, 'initrd');
  await overlayInitramfs(base, files, initrd);
  const guest = await startGuest({
    name,
    kernel,
    initrd,
    memoryMb: agent === undefined ? 256 : 448,
    taps: options.ports,
    directory,
    ...(disk === undefined ? {} : { disks: [disk] }),
    ...(place === undefined ? {} : { place }),
  });
  return { ...guest, keys, shellFrom: (netns, address) => sshShell(keys, netns, address, place) };
}

/** nft and haproxy look names up here. */
const PROTOCOLS = 'ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nvrrp 112 VRRP\n';
