// A hypervisor of the lab whose instances are virtual machines: its libvirtd, kept apart from the machine's own, and what its agent's
// configuration says about it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { derivedId } from '../../lib/id.ts';
import type { Daemon } from '../daemon.ts';
import { type LabFile, labPaths } from '../layout.ts';
import { CACHE } from './cache.ts';

/** libvirtd of a node, in a mount namespace of its own (guest/libvirtd.sh). Its unix socket works from outside. */
export function libvirtDaemon(lab: LabFile, node: string): Daemon {
  const dir = labPaths(lab.state).node(node);
  const script = fileURLToPath(new URL('guest/libvirtd.sh', import.meta.url));
  const enter = 'unshare --mount --propagation private -- sh'.split(' ');
  // What libvirt finds out about QEMU at its first start is the same for all: kept for the next lab.
  const argv = [...enter, script, join(dir, 'libvirt'), dir, join(CACHE, 'libvirt'), derivedId(`lab/${node}/machine`)];
  return { node, name: 'libvirtd', argv, env: {}, log: join(dir, 'libvirtd.log') };
}

/** How virsh reaches the libvirt of a node; `{node}` in place of a name gives a template. */
export function libvirtUri(state: string, node: string, scheme = 'qemu'): string {
  return `${scheme}:///system?socket=${join(labPaths(state).node(node), 'libvirt/run/libvirt-sock')}`;
}

/** `instances` of the agent's configuration (src/agent/config.ts). Emulated always, as all guests of the lab. */
export function libvirtInstances(lab: LabFile, node: string): Readonly<Record<string, unknown>> {
  if (lab.guest === undefined) throw new Error(`${node} is to run virtual machines, but nobody has made their kernel`);
  return {
    driver: 'libvirt',
    uri: libvirtUri(lab.state, node),
    directory: labPaths(lab.state).instances,
    ...lab.guest,
    accelerate: 'tcg',
    migration: { uri: libvirtUri(lab.state, '{node}', 'qemu+unix') },
  };
}
