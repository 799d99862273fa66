// The node program as a disk: Node and what of our sources an agent needs, for guests that mount it read-only at /opt.
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { run } from '../../lib/run.ts';
import { CHECKOUT } from '../layout.ts';
import { cached } from './cache.ts';

/** What an agent imports (see test/layers.test.ts). */
const LAYERS = ['lib', 'protocol', 'agent'];
const PACKAGES = ['zod', 'pino'];

/** Where things are on the disk once it is mounted at /opt. */
export const ON_DISK = { mount: '/opt', node: '/opt/node', agent: '/opt/trunkline/src/agent/agent.js' } as const;

/** The image (ext4, some 140 MB), made again whenever the sources changed. */
export async function agentDisk(): Promise<string> {
  const packages = await withDependencies(PACKAGES);
  const hash = createHash('sha256').update(process.version);
  hash.update(await readFile(new URL(import.meta.url)));
  for (const file of [...(await sources()), ...packages.map((name) => `node_modules/${name}/package.json`)])
    hash.update(`${file}\n`).update(await readFile(join(CHECKOUT, file)));
  return cached(`guest-disk-${hash.digest('hex').slice(0, 16)}`, async (at) => {
    const folder = `${at}.d`;
    try {
      await mkdir(join(folder, 'trunkline/node_modules'), { recursive: true });
      await cp(process.execPath, join(folder, 'node'), { dereference: true });
      for (const file of [...(await sources()), 'package.json']) await place(file, join(folder, 'trunkline'));
      for (const name of packages)
        await cp(join(CHECKOUT, 'node_modules', name), join(folder, 'trunkline/node_modules', name), {
          recursive: true,
        });
      const { stdout } = await run(['du', '-sm', '--apparent-size', folder]);
      const megabytes = Number.parseInt(stdout, 10) + 32;
      await run(['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-d', folder, at, `${megabytes}M`], {
        timeoutMs: 60_000,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** A file of ours; TypeScript without its types, since an emulated machine would take long to take them away. */
async function place(file: string, folder: string): Promise<void> {
  const to = join(folder, file);
  await mkdir(dirname(to), { recursive: true });
  if (!file.endsWith('.ts')) return cp(join(CHECKOUT, file), to);
  const text = stripTypeScriptTypes(await readFile(join(CHECKOUT, file), 'utf8'));
  await writeFile(to.replace(/\.ts$/, '.js'), text.replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
}

async function sources(): Promise<string[]> {
  const files = await Promise.all(
    LAYERS.map(async (layer) => {
      const entries = await readdir(join(CHECKOUT, 'src', layer), { recursive: true });
      return entries.map((entry) => `src/${layer}/${entry}`);
    }),
  );
  const wanted = files.flat().filter((file) => !/\.test(-support)?\.ts$|\.md$/.test(file));
  const isFile = await Promise.all(wanted.map(async (file) => (await stat(join(CHECKOUT, file))).isFile()));
  return wanted.filter((_, index) => isFile[index]).toSorted();
}

async function withDependencies(names: readonly string[]): Promise<string[]> {
  const all = new Set<string>();
  const take = async (name: string): Promise<void> => {
    if (all.has(name)) return;
    all.add(name);
    const text = await readFile(join(CHECKOUT, 'node_modules', name, 'package.json'), 'utf8');
    const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
    for (const needed of Object.keys(dependencies)) await take(needed);
  };
  for (const name of names) await take(name);
  return [...all].toSorted();
}
