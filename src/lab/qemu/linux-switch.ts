// A switch that runs Linux, as Cumulus, SONiC or DENT do: a guest with a VLAN-aware bridge over its front ports, managed by SSH.
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { type Guest, type Place, startGuest, type Tap } from './guest.ts';
import { buildInitramfs, overlayInitramfs } from './initramfs.ts';
import { guestKernel } from './kernel.ts';
import { makeSshKeys, type Shell, SSH_SERVER, sshAnswers, type SshKeys, sshShell } from './ssh.ts';

export interface LinuxSwitchOptions {
  /** Unique where it runs; at most 13 characters. */
  readonly name: string;
  /** A folder of its own with a short path. */
  readonly directory: string;
  /** Front ports swp1, swp2, … : where their cables end. */
  readonly ports: readonly Tap[];
  /** Where the management port's cable ends. */
  readonly management: Pick<Tap, 'netns' | 'device'>;
  readonly place?: Place;
}

export interface LinuxSwitch extends Guest {
  /** Address of its management port, reachable in the management namespace only. */
  readonly address: string;
  readonly user: 'root';
  readonly bridge: 'br0';
  /** swp1, swp2, … */
  readonly ports: readonly string[];
  readonly keys: SshKeys;
  /** Logs in from the management namespace. */
  readonly shell: Shell;
}

const ADDRESS = '192.168.255.2';
const ADMIN = '192.168.255.1/30';

/** Boots it with all ports up and in no VLAN at all; returns when it lets us in by SSH. */
export async function linuxSwitchGuest(options: LinuxSwitchOptions): Promise<LinuxSwitch> {
  const { name, directory, place } = options;
  mkdirSync(directory, { recursive: true });
  const ports = options.ports.map((_, index) => `swp${index + 1}`);
  const kernel = await guestKernel();
  const [base, keys] = await Promise.all([
    buildInitramfs(kernel, {
      programs: ['ip', 'bridge', 'dropbear'],
      modules: ['virtio_pci', 'virtio_net', 'bridge', '8021q'],
      load: ['virtio_pci', 'virtio_net', 'bridge'],
      init: `
hostname -F /etc/hostname
ip address add ${ADDRESS}/30 dev eth0
ip link set eth0 up
ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0 stp_state 0
ip link set br0 up
n=1
while [ -e /sys/class/net/eth$n ]; do
  ip link set eth$n name swp$n
  ip link set swp$n master br0
  ip link set swp$n up
  n=$((n + 1))
done
${SSH_SERVER}
echo READY $(cat /proc/uptime)
`,
    }),
    makeSshKeys(directory),
  ]);
  const initrd = join(directory, 'initrd');
  await overlayInitramfs(base, { ...keys.files, '/etc/hostname': { content: `${name}\n` } }, initrd);
  const taps: Tap[] = [{ ...options.management, addresses: [ADMIN] }, ...options.ports];
  const guest = await startGuest({
    name,
    kernel,
    initrd,
    memoryMb: 128,
    taps,
    directory,
    ...(place === undefined ? {} : { place }),
  });
  const shell = sshShell(keys, options.management.netns, ADDRESS, place);
  try {
    await sshAnswers(shell);
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return { ...guest, address: ADDRESS, user: 'root', bridge: 'br0', ports, keys, shell };
}
