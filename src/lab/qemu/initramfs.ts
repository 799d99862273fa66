// A guest's whole system in one file: BusyBox, chosen programs of this machine with their libraries, chosen kernel modules, and a start
// script. Some megabytes, made in a second, kept by what is in it.
import { createHash } from 'node:crypto';
import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, tryRun } from '../../lib/run.ts';
import { cached } from './cache.ts';
import { cpio, type CpioEntry } from './cpio.ts';
import type { GuestKernel } from './kernel.ts';
import { closureOf, indexOf } from './modules.ts';

export interface GuestFile {
  readonly content: string | Buffer;
  /** 0644 when absent. */
  readonly mode?: number;
}

export interface InitramfsOptions {
  /** Names or paths of programs of this machine; each goes where it is here, with its libraries. */
  readonly programs: readonly string[];
  /** Paths of programs whose libraries come along while they themselves are elsewhere, such as on a disk. */
  readonly librariesFor?: readonly string[];
  /** Kernel modules that come along, by name; what they need comes, too. */
  readonly modules: readonly string[];
  /** Those of them that are loaded at the start, in order. The kernel loads others itself when they are asked for. */
  readonly load: readonly string[];
  /** More files by absolute path. */
  readonly files?: Readonly<Record<string, GuestFile>>;
  /** What the guest does once /proc, /dev, /sys are there and the modules loaded: lines of sh. Its end is not the guest's end. */
  readonly init: string;
}

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];
/** Looked for by programs that do not find users otherwise. */
const USERS: Readonly<Record<string, GuestFile>> = {
  '/etc/passwd': { content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
  '/etc/group': { content: 'root:x:0:\nnogroup:x:65534:\n' },
  '/etc/shadow': { content: 'root:*:19700:0:99999:7:::\n', mode: 0o600 },
  '/etc/shells': { content: '/bin/sh\n' },
  '/etc/nsswitch.conf': { content: 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' },
};

/** Builds it, or finds it in the cache; the path. Throws when a program or a module is not there, by its name. */
export async function buildInitramfs(kernel: GuestKernel, options: InitramfsOptions): Promise<string> {
  const programs = await Promise.all(['busybox', 'dash', ...options.programs].map(find));
  const hash = createHash('sha256');
  hash.update(JSON.stringify([kernel, options.modules, options.load, options.init, options.files ?? {}]));
  for (const program of [...programs, ...(options.librariesFor ?? [])]) {
    const { size, mtimeMs } = await stat(program);
    hash.update(`${program} ${size} ${mtimeMs}\n`);
  }
  for (const own of ['initramfs.ts', 'cpio.ts', 'modules.ts'])
    hash.update(await readFile(new URL(own, import.meta.url)));
  return cached(`guest-initrd-${hash.digest('hex').slice(0, 16)}`, async (at) => {
    const entries = await entriesOf(kernel, programs, options);
    await writeFile(at, cpio(entries));
  });
}

/** Writes an initramfs with a guest's own files over those of `base` into `file`: the kernel unpacks one archive after the other. */
export async function overlayInitramfs(
  base: string,
  files: Readonly<Record<string, GuestFile>>,
  file: string,
): Promise<void> {
  const tree = createTree();
  for (const [path, content] of Object.entries(files)) tree.add(path, content);
  const first = await readFile(base);
  const gap = Buffer.alloc((4 - (first.length % 4)) % 4);
  await writeFile(file, Buffer.concat([first, gap, cpio(tree.entries)]), { mode: 0o600 });
}

async function entriesOf(
  kernel: GuestKernel,
  programs: readonly string[],
  options: InitramfsOptions,
): Promise<CpioEntry[]> {
  const tree = createTree();
  for (const folder of [
    'dev',
    'proc',
    'sys',
    'run',
    'root',
    'mnt',
    'etc',
    'usr',
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'var',
  ])
    tree.folder(folder);
  tree.entries.push({ kind: 'folder', path: 'tmp', mode: 0o1777 });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) tree.link(name, `usr/${name}`);
  tree.link('var/run', '../run');

  const needed = await Promise.all([...programs, ...(options.librariesFor ?? [])].map(librariesOf));
  const taken = new Set([...programs, ...needed.flat()]);
  for (const path of taken) tree.add(path, { content: await readFile(path), mode: 0o755 });
  const { stdout: applets } = await run([programs[0]!, '--list']);
  const busybox = inUsr(programs[0]!);
  for (const applet of applets.split('\n')) {
    // dash is the shell: BusyBox's prefers its own applets to programs of the same name.
    if (applet === '' || applet === 'busybox') continue;
    const name = applet === 'sh' ? inUsr(programs[1]!) : busybox;
    const elsewhere = [...taken].some((path) => path.endsWith(`/${applet}`));
    if (!elsewhere) tree.link(`usr/bin/${applet}`, name);
  }
  // The kernel itself calls these.
  for (const program of ['modprobe', 'poweroff', 'mdev']) tree.link(`usr/sbin/${program}`, busybox);

  await addModules(tree, kernel, options.modules);
  for (const [path, file] of Object.entries({ ...USERS, ...options.files })) tree.add(path, file);
  tree.add('/init', { content: initText(options), mode: 0o755 });
  return tree.entries;
}

async function addModules(tree: Tree, kernel: GuestKernel, wanted: readonly string[]): Promise<void> {
  const read = (file: string): Promise<string> => readFile(join(kernel.modules, file), 'utf8');
  const [dep, alias, builtIn] = await Promise.all([
    read('modules.dep'),
    read('modules.alias'),
    read('modules.builtin'),
  ]);
  const paths = closureOf(wanted, dep, builtIn);
  const folder = `/usr/lib/modules/${kernel.version}`;
  for (const path of paths) tree.add(`${folder}/${path}`, { content: await readFile(join(kernel.modules, path)) });
  tree.add(`${folder}/modules.dep`, { content: indexOf(dep, 'dep', paths) });
  tree.add(`${folder}/modules.alias`, { content: indexOf(alias, 'alias', paths) });
  tree.add(`${folder}/modules.builtin`, { content: builtIn });
}

function initText({ load, init }: InitramfsOptions): string {
  return `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root TERM=linux
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
ln -sf /proc/self/fd /dev/fd
exec </dev/null >/dev/console 2>&1
for module in ${load.join(' ')}; do modprobe "$module" || echo "no module $module"; done
ip link set lo up
${init}
# The first process never ends, and buries whatever else does.
while :; do
  sleep 3600 &
  wait
done
`;
}

interface Tree {
  readonly entries: CpioEntry[];
  folder(path: string): void;
  link(path: string, to: string): void;
  add(path: string, file: GuestFile): void;
}

function createTree(): Tree {
  const entries: CpioEntry[] = [];
  const known = new Set<string>(['.']);
  const tree: Tree = {
    entries,
    folder(path) {
      if (known.has(path)) return;
      tree.folder(dirname(path));
      known.add(path);
      entries.push({ kind: 'folder', path });
    },
    link(path, to) {
      tree.folder(dirname(path));
      entries.push({ kind: 'link', path, to });
    },
    add(path, { content, mode = 0o644 }) {
      const place = inUsr(path).slice(1);
      tree.folder(dirname(place));
      entries.push({ kind: 'file', path: place, content: Buffer.from(content), mode });
    },
  };
  return tree;
}

/** Guests have one /usr: what lies in /bin, /sbin, /lib lies there. */
function inUsr(path: string): string {
  return path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/');
}

async function find(program: string): Promise<string> {
  for (const path of program.startsWith('/') ? [program] : FOLDERS.map((folder) => join(folder, program))) {
    const found = await stat(path).catch(() => undefined);
    // A link (`/usr/sbin/ip` to `/usr/bin/ip`, `/etc/alternatives`) keeps its name in the guest: the file comes by that name.
    if (found?.isFile() === true) return path;
  }
  throw new Error(`a guest needs the program ${program}, which is not installed here`);
}

/** The shared libraries of a program, the loader included; none for a static one. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await tryRun(['ldd', await realpath(program)]);
  return [...stdout.matchAll(/(?:^|\s)(\/\S+) \(0x/g)].map(([, path]) => path!);
}
