// The kernel guests boot: Debian's for clouds, the machine's own when it runs one, else its package unpacked into the cache. Nothing is
// installed. It has what a container's kernel often lacks: 802.1Q, VLAN-aware bridges, IPVS, VRF.
import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun } from '../../lib/run.ts';
import { cached } from './cache.ts';

export interface GuestKernel {
  readonly version: string;
  /** Path of the kernel image. */
  readonly image: string;
  /** Folder that holds `kernel/`, `modules.dep` and the rest of the modules' index. */
  readonly modules: string;
}

const META = 'linux-image-cloud-amd64';

/** The kernel for guests; downloads some 27 MB (needs apt) the first time. Throws a sentence that says what would help. */
export async function guestKernel(): Promise<GuestKernel> {
  const own = await installed('/');
  if (own !== undefined) return own;
  const name = await packageName();
  const root = await cached(`guest-kernel-${name.slice('linux-image-'.length)}`, (at) => fetch(name, at));
  const kernel = await installed(root);
  if (kernel === undefined) throw new Error(`${root} holds no kernel: remove it and start again`);
  return kernel;
}

/** The newest cloud kernel below `root` that is whole. */
async function installed(root: string): Promise<GuestKernel | undefined> {
  const files = await readdir(join(root, 'boot')).catch((): string[] => []);
  const versions = files.flatMap((file) => /^vmlinuz-(.+-cloud-amd64)$/.exec(file)?.[1] ?? []);
  for (const version of versions.toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))) {
    const kernel = {
      version,
      image: join(root, 'boot', `vmlinuz-${version}`),
      modules: join(root, 'lib/modules', version),
    };
    const whole = await access(join(kernel.modules, 'modules.dep')).then(
      () => true,
      () => false,
    );
    if (whole) return kernel;
  }
  return undefined;
}

async function packageName(): Promise<string> {
  const { stdout } = await tryRun(['apt-cache', 'depends', META]).catch(() => ({ stdout: '' }));
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (name !== undefined) return name;
  const debian = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const system = /^PRETTY_NAME="(.*)"/m.exec(debian)?.[1] ?? 'this system';
  throw new Error(
    `QEMU guests need Debian's package ${META}, which apt does not know on ${system}: run apt-get update, ` +
      'or install a kernel whose name ends in -cloud-amd64',
  );
}

async function fetch(name: string, at: string): Promise<void> {
  const download = `${at}.deb`;
  await mkdir(download, { recursive: true });
  try {
    await run(['apt-get', 'download', '-q', name], { cwd: download, timeoutMs: 300_000 });
    const [file] = await readdir(download);
    if (file === undefined) throw new Error(`apt-get download ${name} brought nothing`);
    await run(['dpkg', '-x', join(download, file), at], { timeoutMs: 120_000 });
    const [version] = await readdir(join(at, 'lib/modules'));
    await run(['depmod', '-b', at, version!], { timeoutMs: 60_000 });
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}
