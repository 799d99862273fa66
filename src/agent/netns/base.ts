// The programs all guests share, put together once from the node's own: BusyBox with a link for each of its applets, dropbear and
// few others with the libraries they need, and our three scripts. Mounted read-only into every guest.
import { createHash } from 'node:crypto';
import { access, chmod, copyFile, mkdir, readFile, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, tryRun } from '../../lib/run.ts';

export interface Base {
  readonly path: string;
  /** Why nobody can log in by SSH in a guest of this node, and whether that is a fault to put right; absent when one can. */
  readonly noSsh?: NoSsh;
}

interface NoSsh {
  readonly why: string;
  readonly fault: boolean;
}

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'];
const SCRIPTS = {
  'guest-enter': 'enter.sh',
  'guest-init': 'init.sh',
  'guest-dhcp': 'dhcp.sh',
  'guest-addresses': 'addresses.sh',
  'guest-slaac': 'slaac.sh',
  'guest-told': 'told.sh',
};
/** Taken along when the node has them; where they go in the guest. */
const PROGRAMS: readonly (readonly [string, string])[] = [
  ['dropbear', 'sbin/dropbear'],
  ['dropbearkey', 'bin/dropbearkey'],
  ['dbclient', 'bin/dbclient'],
  ['setpriv', 'sbin/setpriv'],
  ['tcpdump', 'sbin/tcpdump'],
];
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Makes sure the base is there, below `directory`. Several agents may do so at once. Throws when there is no static BusyBox. */
export async function ensureBase(directory: string): Promise<Base> {
  const busybox = await firstOf(BUSYBOX);
  if (busybox === undefined)
    throw new Error('instances need BusyBox at /bin/busybox: install the package busybox-static');
  const programs: [string, string][] = [];
  for (const [name, place] of PROGRAMS) {
    const found = await firstOf(FOLDERS.map((folder) => join(folder, name)));
    if (found !== undefined) programs.push([found, place]);
  }
  const noSsh = await whyNoSsh(programs.some(([, place]) => place === 'sbin/dropbear'));
  const path = join(directory, `.base-${await fingerprint(busybox, programs)}`);
  const base = noSsh === undefined ? { path } : { path, noSsh };
  if ((await firstOf([path])) !== undefined) return base;
  const work = `${path}.${process.pid}`;
  try {
    await build(work, busybox, programs);
    await rename(work, path);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' && (error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw error;
  }
  return base;
}

async function build(work: string, busybox: string, programs: readonly [string, string][]): Promise<void> {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64', 'usr/bin', 'usr/sbin'])
    await mkdir(join(work, folder), { recursive: true });
  const inside = join(work, 'bin/busybox');
  await copy(busybox, inside);
  const { stdout } = await run([inside, '--list-full']);
  for (const applet of stdout.split('\n')) {
    if (applet === '' || applet === 'bin/busybox') continue;
    const place = join(work, applet);
    await mkdir(dirname(place), { recursive: true });
    await symlink('/bin/busybox', place).catch(ignoreExisting);
  }
  for (const [script, file] of Object.entries(SCRIPTS))
    await copy(new URL(`guest/${file}`, import.meta.url), join(work, 'sbin', script));
  for (const [program, place] of programs) {
    await rm(join(work, place), { force: true });
    await copy(program, join(work, place));
    for (const library of await librariesOf(program)) {
      if ((await firstOf([join(work, library)])) === undefined) await copy(library, join(work, library));
    }
  }
  await symlink('dbclient', join(work, 'bin/ssh')).catch(ignoreExisting);
}

async function copy(from: string | URL, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  await chmod(to, 0o755);
}

/** The shared libraries of a program, the loader included, as the dynamic linker finds them; none for a static one. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await tryRun(['ldd', program]);
  return [...stdout.matchAll(/(?:^|\s)(\/\S+) \(0x/g)].map(([, path]) => path!);
}

/** Changes whenever what the base is made of changes. */
async function fingerprint(busybox: string, programs: readonly [string, string][]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [busybox, ...programs.map(([program]) => program)]) {
    const { size, mtimeMs } = await stat(file);
    hash.update(`${await realpath(file)} ${size} ${mtimeMs}\n`);
  }
  for (const file of Object.values(SCRIPTS)) hash.update(await readFile(new URL(`guest/${file}`, import.meta.url)));
  return hash.digest('hex').slice(0, 12);
}

async function whyNoSsh(installed: boolean): Promise<NoSsh | undefined> {
  if (!installed) return { why: 'no SSH: dropbear is not installed on this node (package dropbear-bin)', fault: true };
  // user_namespaces(7): denied for good to who made the namespace without privileges.
  const setgroups = await readFile('/proc/self/setgroups', 'utf8').catch(() => 'allow');
  if (setgroups.trim() !== 'deny') return undefined;
  const why = 'no SSH: this lab runs in a user namespace without groups, where dropbear cannot log anybody in';
  return { why, fault: false };
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
