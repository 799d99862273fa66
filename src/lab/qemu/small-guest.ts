// The little machine that instances under libvirt boot where no image of a real system is wanted: Debian's kernel, BusyBox, DHCP on
// every card, an SSH server. One image for all of them; who it is it reads from its seed disk.
import { readFile } from 'node:fs/promises';
import { buildInitramfs } from './initramfs.ts';
import { guestKernel } from './kernel.ts';

/** Paths of the small guest's kernel and initramfs, as an agent's configuration wants them. */
export async function smallGuest(): Promise<{ readonly kernel: string; readonly initrd: string }> {
  const kernel = await guestKernel();
  const read = (file: string): Promise<string> => readFile(new URL(file, import.meta.url), 'utf8');
  const [init, dhcp] = await Promise.all([read('guest/small-guest.sh'), read('guest/dhcp.sh')]);
  const initrd = await buildInitramfs(kernel, {
    programs: ['dropbear', 'dropbearkey', 'dbclient'],
    modules: ['virtio_pci', 'virtio_net', 'virtio_blk', 'isofs'],
    load: ['virtio_pci', 'virtio_net', 'virtio_blk', 'isofs'],
    files: { '/usr/sbin/guest-dhcp': { content: dhcp, mode: 0o755 } },
    init,
  });
  return { kernel: kernel.image, initrd };
}
