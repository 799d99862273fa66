// What is there of instances as namespaces: notes, namespaces, cables, ports, and the guests themselves, found by looking at the
// processes and not by trusting the notes.
import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { run } from '../../lib/run.ts';
import type { Ovs } from '../ovsdb.ts';
import type { Base } from './base.ts';
import { readRecords, type InstanceRecord } from './record.ts';

export interface Actual {
  readonly records: ReadonlyMap<string, InstanceRecord>;
  /** Names in /run/netns; false: the name is there and no namespace behind it. */
  readonly namespaces: ReadonlyMap<string, boolean>;
  /** Virtual cables whose end is in this node's namespace. */
  readonly links: ReadonlyMap<string, Link>;
  readonly ovs: Ovs;
  readonly guests: readonly Guest[];
  readonly base: Base;
}

export interface Link {
  readonly up: boolean;
  readonly mtu: number;
  /** Whether the other end has been moved into another namespace. */
  readonly away: boolean;
}

/** A guest's first process. */
export interface Guest {
  readonly id: string;
  readonly pid: number;
  /** Name of the network namespace it is in; undefined when that has no name. */
  readonly netns?: string;
  /** What it has put in its /run: `card.eth0`, `lease.eth0`, `ssh.pid`. */
  readonly run: ReadonlySet<string>;
}

const NETNS = '/run/netns';
/** File system type of a bound namespace (linux/magic.h, NSFS_MAGIC). */
const NSFS = 0x6e736673;

export async function readActual(directory: string, ovs: Ovs, base: Base): Promise<Actual> {
  const [records, links] = await Promise.all([readRecords(directory), readLinks()]);
  const namespaces = new Map<string, boolean>();
  const inodes = new Map<number, string>();
  for (const name of attempt(() => readdirSync(NETNS)) ?? []) {
    const inode = attempt(() =>
      statfsSync(`${NETNS}/${name}`).type === NSFS ? statSync(`${NETNS}/${name}`).ino : undefined,
    );
    namespaces.set(name, inode !== undefined);
    if (inode !== undefined) inodes.set(inode, name);
  }
  return { records, links, ovs, base, namespaces, guests: findGuests(inodes) };
}

async function readLinks(): Promise<Map<string, Link>> {
  const { stdout } = await run(['ip', '-json', '-details', 'link', 'show', 'type', 'veth']);
  const list = JSON.parse(stdout === '' ? '[]' : stdout) as {
    ifname?: string;
    flags?: string[];
    mtu?: number;
    link?: string;
  }[];
  const links = new Map<string, Link>();
  for (const { ifname, flags, mtu, link } of list) {
    if (ifname !== undefined)
      links.set(ifname, { up: flags?.includes('UP') === true, mtu: mtu ?? 0, away: link === undefined });
  }
  return links;
}

/** First processes of guests: they are process 1 of another pid namespace, and their arguments say which instance they are. `names`: named network
 * namespaces by inode, which is what /proc/PID/ns/net refers to. */
export function findGuests(names: ReadonlyMap<number, string>): Guest[] {
  const guests: Guest[] = [];
  const own = readlinkSync('/proc/self/ns/pid');
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const guest = attempt(() => guestOf(Number(entry), own, names));
    if (guest !== undefined) guests.push(guest);
  }
  return guests;
}

function guestOf(pid: number, own: string, names: ReadonlyMap<number, string>): Guest | undefined {
  if (readlinkSync(`/proc/${pid}/ns/pid`) === own) return undefined;
  const [shell, script, id] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (shell !== '/bin/sh' || script !== '/sbin/guest-init' || id === undefined) return undefined;
  if (!/^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return undefined;
  const inode = Number(/\[([0-9]+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1]);
  const netns = names.get(inode);
  const files = attempt(() => readdirSync(`/proc/${pid}/root/run`)) ?? [];
  return { id, pid, run: new Set(files), ...(netns === undefined ? {} : { netns }) };
}

/** Undefined instead of an error: processes and namespaces go while one looks at them. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
