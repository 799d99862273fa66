// What there is of gateway helpers on the node: namespaces, cables, ports, files, and the daemons in them, found by looking at the
// processes and not by trusting notes.
import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import type { Ovs } from '../ovsdb.ts';
import { type DaemonState, loadedFile } from '../router/daemon.ts';
import { findByFile } from '../router/process.ts';
import { run } from '../../lib/run.ts';
import {
  type HelperContext,
  folderOf,
  HELPER,
  keyOf,
  keyOfNetns,
  netnsOf,
  portOf,
  proxyFile,
  wiringFile,
} from './names.ts';
import { readVpns, type VpnsRead } from './vpn-read.ts';

/** One helper, or what is left of one. */
export interface Found {
  /** Inode of its namespace; undefined: there is none. */
  readonly netns: number | undefined;
  /** Whether the name of a namespace is there, with or without one behind it. */
  readonly named: boolean;
  readonly cable: { readonly up: boolean; readonly away: boolean } | undefined;
  /** external_ids of its port on br-int. */
  readonly port: Readonly<Record<string, string>> | undefined;
  readonly wiring: string | undefined;
  readonly proxy: DaemonState;
  readonly folder: boolean;
  /** Undefined: nothing of VPNs is there. */
  readonly vpns?: VpnsRead | undefined;
}

/** By key. */
export type Actual = ReadonlyMap<string, Found>;

const NETNS = '/run/netns';
/** File system type of a bound namespace (linux/magic.h, NSFS_MAGIC). */
const NSFS = 0x6e736673;

/** `ids`: the helpers that are wanted. Those that are there besides are found, too. */
export async function readHelpers(ids: readonly string[], ovs: Ovs, context: HelperContext): Promise<Actual> {
  const names = await readdir(NETNS).catch(() => [] as string[]);
  const folders = new Set(await readdir(context.directory).catch(() => [] as string[]));
  const keys = new Set([
    ...ids.map(keyOf),
    ...folders,
    ...names.flatMap((name) => keyOfNetns(name, context) ?? []),
    ...[...ovs.ports.values()].flatMap(({ externalIds }) => externalIds[HELPER] ?? []),
  ]);
  if (keys.size === 0) return new Map();
  const files = new Map([...keys].map((key) => [proxyFile(key, context), key]));
  const [cables, daemons] = await Promise.all([readCables(), findByFile('haproxy', new Set(files.keys()))]);
  const found = await Promise.all(
    [...keys].map(async (key): Promise<readonly [string, Found]> => {
      const netns = netnsOf(key, context);
      const paths = [proxyFile(key, context), loadedFile(folderOf(key, context), 'haproxy')];
      const [inode, wiring, ...contents] = await Promise.all([
        inodeOf(`${NETNS}/${netns}`),
        ...[wiringFile(key, context), ...paths].map((path) => readFile(path, 'utf8').catch(absent)),
      ]);
      const proxy = {
        pids: daemons.get(paths[0]!) ?? [],
        files: new Map(paths.map((path, index) => [path, contents[index]])),
      };
      const port = ovs.ports.get(portOf(key))?.externalIds;
      const cable = cables.get(portOf(key));
      const vpns = folders.has(key) ? await readVpns(key, context) : undefined;
      return [
        key,
        { netns: inode, named: names.includes(netns), cable, port, wiring, proxy, folder: folders.has(key), vpns },
      ];
    }),
  );
  return new Map(found);
}

/** Undefined: there is no namespace behind the name. */
async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await statfs(path)).type === NSFS ? (await stat(path)).ino : undefined;
  } catch (error) {
    return absent(error);
  }
}

/** Only what is not there is gone: a node that has no file to open left would dismantle a helper that serves. */
function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

async function readCables(): Promise<Map<string, { readonly up: boolean; readonly away: boolean }>> {
  const { stdout } = await run(['ip', '-json', '-details', 'link', 'show', 'type', 'veth']);
  const list = JSON.parse(stdout === '' ? '[]' : stdout) as { ifname?: string; flags?: string[]; link?: string }[];
  return new Map(
    list.flatMap(({ ifname, flags, link }) =>
      ifname === undefined ? [] : [[ifname, { up: flags?.includes('UP') === true, away: link === undefined }] as const],
    ),
  );
}
