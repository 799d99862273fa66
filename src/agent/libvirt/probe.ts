// Whether guests can run on this node's own CPU: found out by booting a kernel, since /dev/kvm promises more than some machines keep
// (nested ones let the firmware run and then stand still). Asked once for each kernel of the node and kept.
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { tryRun } from '../../lib/run.ts';
import { writeWhole } from '../file.ts';

const PROBE_MS = 10_000;
const schema = z.object({ kernel: z.string(), kvm: z.union([z.literal(true), z.string()]) });

/** True, or a sentence that says why not. `guestKernel`: what is booted; absent: the node's own. Kept in `state`. */
export async function probeKvm(state: string, guestKernel?: string): Promise<true | string> {
  const file = join(state, 'kvm.json');
  const kept = await readFile(file, 'utf8').then(
    (text) => parse(text),
    () => undefined,
  );
  if (kept?.kernel === release()) return kept.kvm;
  const kvm = await probe(guestKernel ?? `/boot/vmlinuz-${release()}`);
  await writeWhole(file, `${JSON.stringify({ kernel: release(), kvm })}\n`);
  return kvm;
}

function parse(text: string): z.infer<typeof schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // damaged: asked again
  }
}

/** Boots a kernel that has no root file system: it says its name on the console and gives up, which ends the machine. */
async function probe(kernel: string): Promise<true | string> {
  const has = (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await has('/dev/kvm')))
    return 'this node has no /dev/kvm: virtualization is off in its firmware, or not passed on to it';
  if (!(await has(kernel))) return `not tried: the kernel ${kernel} is not there to boot`;
  const folder = await mkdtemp(join(tmpdir(), 'kvm-probe-'));
  const console = join(folder, 'console');
  const argv = [
    ...'qemu-system-x86_64 -machine pc -accel kvm -cpu host -m 128'.split(' '),
    ...'-nodefaults -no-user-config -display none -no-reboot'.split(' '),
    '-serial',
    `file:${console}`,
    '-kernel',
    kernel,
    '-append',
    'console=ttyS0 earlyprintk=ttyS0 panic=-1',
  ];
  try {
    const how = await tryRun(argv, { timeoutMs: PROBE_MS }).then(
      ({ code, stderr }) => (code === 0 ? 'it ended' : stderr.trim().slice(0, 300)),
      (error: unknown) =>
        (error as Error).message.includes('not finished')
          ? `nothing in ${PROBE_MS / 1000} s`
          : (error as Error).message,
    );
    const said = await readFile(console, 'utf8').catch(() => '');
    return said.includes('Linux version') ? true : `/dev/kvm is there, but a kernel does not boot with it: ${how}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
