// What is there of the served networks: notes, namespaces, cables, ports, the responder and what it says.
import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../../lib/run.ts';
import type { Ovs } from '../ovsdb.ts';
import type { ServiceContext } from './names.ts';
import { FILES, type ResponderStatus, statusFile } from './responder/config.ts';

/** Written before anything of a network is made, and removed after everything is gone. */
const note = z.object({
  id: z.string(),
  netns: z.string(),
  ip: z.string(),
  cidr: z.string(),
  mac: z.string(),
  mtu: z.int(),
  /** Milliseconds since 1970. */
  made: z.number(),
});

export type NetworkNote = z.infer<typeof note>;

export interface Responder {
  readonly pid: number;
  /** Of the program, by its files. */
  readonly version: string;
  readonly status?: ResponderStatus;
}

export interface Actual {
  readonly notes: ReadonlyMap<string, NetworkNote>;
  /** Names of network namespaces that are there. */
  readonly namespaces: ReadonlySet<string>;
  readonly links: ReadonlyMap<string, { readonly up: boolean; readonly away: boolean }>;
  readonly ovs: Ovs;
  readonly responders: readonly Responder[];
  /** The responder's file as it is. */
  readonly config?: string;
  /** Names of the notes of passwords that were taken. */
  readonly taken: ReadonlySet<string>;
  /** Told last to read its file again: which process, what file, when. */
  readonly signalled?: { readonly pid: number; readonly config: string; readonly at: number };
}

const NETNS = '/run/netns';
/** File system type of a bound namespace (linux/magic.h, NSFS_MAGIC). */
const NSFS = 0x6e736673;

export async function readActual(
  ovs: Ovs,
  { directory, responder }: ServiceContext,
  signalled: Actual['signalled'],
): Promise<Actual> {
  const files = await readdir(directory).catch(() => [] as string[]);
  const notes = new Map<string, NetworkNote>();
  for (const file of files) {
    const text = file.startsWith('network.') ? await readFile(join(directory, file), 'utf8').catch(() => '') : '';
    const parsed = text === '' ? undefined : note.safeParse(jsonOf(text));
    if (parsed?.success === true) notes.set(parsed.data.id, parsed.data);
  }
  const [links, responders, config, taken] = await Promise.all([
    notes.size === 0 ? new Map() : readLinks(),
    findResponders(directory, responder),
    readFile(join(directory, FILES.config), 'utf8').catch(() => undefined),
    readdir(join(directory, FILES.taken)).catch(() => [] as string[]),
  ]);
  return {
    notes,
    namespaces: new Set([...notes.values()].map(({ netns }) => netns).filter(isNamespace)),
    links,
    ovs,
    responders,
    ...(config === undefined ? {} : { config }),
    taken: new Set(taken),
    ...(signalled === undefined ? {} : { signalled }),
  };
}

function isNamespace(name: string): boolean {
  try {
    return statfsSync(`${NETNS}/${name}`).type === NSFS;
  } catch {
    return false;
  }
}

async function readLinks(): Promise<Map<string, { up: boolean; away: boolean }>> {
  const { stdout } = await run(['ip', '-json', '-details', 'link', 'show', 'type', 'veth']);
  const list = JSON.parse(stdout === '' ? '[]' : stdout) as { ifname?: string; flags?: string[]; link?: string }[];
  return new Map(
    list.flatMap(({ ifname, flags, link }) =>
      ifname === undefined ? [] : [[ifname, { up: flags?.includes('UP') === true, away: link === undefined }]],
    ),
  );
}

/** Processes of the responder's program that serve this folder, by what they were started with. */
async function findResponders(directory: string, argv: readonly string[]): Promise<Responder[]> {
  const program = argv.at(1)!;
  const found: Responder[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (!line.includes(program)) continue;
    const words = line.split('\0');
    const at = words.indexOf(program);
    if (at < 1 || words[at + 1] !== directory) continue;
    const pid = Number(entry);
    const text = await readFile(join(directory, statusFile(pid)), 'utf8').catch(() => undefined);
    const status = text === undefined ? undefined : (jsonOf(text) as ResponderStatus | undefined);
    found.push({ pid, version: words[at + 2] ?? '', ...(status === undefined ? {} : { status }) });
  }
  return found.toSorted((a, b) => a.pid - b.pid);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
