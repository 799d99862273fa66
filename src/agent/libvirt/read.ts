// What is there of instances under libvirt: domains, notes, what small guests said, and, of those that move, what the other node says.
import { access, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceSpec, NodeDocument } from '../../protocol/document.ts';
import type { Ovs } from '../ovsdb.ts';
import type { Domain } from './domain.ts';
import { readRecords, type MachineRecord } from './record.ts';
import { type Peer, readDomains, readPeer } from './virsh.ts';
import { folderOf, type MachineContext, type MigrationContext } from './xml.ts';

export interface Actual {
  readonly domains: ReadonlyMap<string, Domain>;
  readonly records: ReadonlyMap<string, MachineRecord>;
  readonly ovs: Ovs;
  /** The end of what each small guest has said on its console, by instance. */
  readonly consoles: ReadonlyMap<string, string>;
  /** Whether what all instances boot is there: kernel and initramfs, or the image. */
  readonly bootable: boolean;
  /** Instances whose disk is there already. */
  readonly disks: ReadonlySet<string>;
  /** Of instances that leave this node: what their destination says. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** Of instances that leave this node: the last try to move them. */
  readonly tries: ReadonlyMap<string, MoveTry>;
  /** Whether new guests run on the node's CPU and not emulated. */
  readonly accelerated: boolean;
}

export interface MoveTry {
  /** When it began (milliseconds since 1970), and what it said so far. */
  readonly at: number;
  readonly said: string;
}

const CONSOLE_BYTES = 64 * 1024;

/** Where a move says what it says. */
export function moveLog(id: string, context: Pick<MachineContext, 'directory'>): string {
  return join(folderOf(id, context), 'migrate.log');
}

/** The destination's libvirt, as this node reaches it. */
export function peerUri({ uri }: MigrationContext, migration: NonNullable<InstanceSpec['migration']>): string {
  return fill(uri, migration);
}

/** A template with the destination's name and address put in. */
export function fill(template: string, { to, toAddress }: NonNullable<InstanceSpec['migration']>): string {
  return template.replaceAll('{node}', to).replaceAll('{address}', toAddress);
}

export async function readActual(
  document: NodeDocument,
  ovs: Ovs,
  accelerated: boolean,
  context: MachineContext,
): Promise<Actual> {
  const running = document.instances.filter((spec) => spec.power === 'running');
  const leaving = running.filter(({ migration }) => migration?.from === context.node);
  const { boot } = context;
  const [bootable, domains, records, consoles, disks, peers, tries] = await Promise.all([
    exists('kernel' in boot ? boot.kernel : boot.image),
    readDomains(context.uri),
    readRecords(context.directory),
    pairs('kernel' in boot ? running : [], ({ id }) => tail(join(folderOf(id, context), 'console.log'))),
    pairs(running, async ({ id }) => ((await exists(join(folderOf(id, context), 'disk.qcow2'))) ? true : undefined)),
    pairs(leaving, async ({ id, migration }) =>
      context.migration === undefined ? undefined : readPeer(peerUri(context.migration, migration!), id),
    ),
    pairs(leaving, async ({ id }) => lastTry(moveLog(id, context))),
  ]);
  return { bootable, domains, records, ovs, consoles, disks: new Set(disks.keys()), peers, tries, accelerated };
}

/** What `look` finds of each instance, by id; those of which it finds nothing are not there. */
async function pairs<T>(
  specs: readonly InstanceSpec[],
  look: (spec: InstanceSpec) => Promise<T | undefined>,
): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  await Promise.all(
    specs.map(async (spec) => {
      const value = await look(spec);
      if (value !== undefined) found.set(spec.id, value);
    }),
  );
  return found;
}

async function lastTry(file: string): Promise<MoveTry | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return undefined;
  const said = await readFile(file, 'utf8').catch(() => '');
  // Its birth is the launch; its last change may be what it said at the end.
  return { at: found.mtimeMs, said: said.trim() };
}

/** The end of a file that may be large, since what a guest says on its console is its own affair. */
async function tail(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const length = Math.min(size, CONSOLE_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
