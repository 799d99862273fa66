// Asks libvirt through its own program: which domains there are and what they are, in two short calls whatever their number.
import { randomUUID } from 'node:crypto';
import { isUuid } from '../../lib/id.ts';
import { run, tryRun } from '../../lib/run.ts';
import { type Domain, parseDomain } from './domain.ts';

const MS = 10_000;
/** The first call after a start of libvirt's takes some seconds: it asks every QEMU of the node what it can. */
const FIRST_MS = 30_000;
const PEER_MS = 5000;
const NO_DOMAIN = /failed to get domain|[Dd]omain not found/;

/** `virsh -q -c URI …`, as an argv. */
export function virsh(uri: string, ...args: string[]): string[] {
  return ['virsh', '-q', '-c', uri, ...args];
}

/** All domains of the node, ours or not. Throws a sentence when libvirt does not answer. */
export async function readDomains(uri: string): Promise<Map<string, Domain>> {
  const { stdout } = await run(virsh(uri, 'list', '--all', '--uuid'), { timeoutMs: FIRST_MS }).catch(
    (error: unknown) => {
      throw new Error(`libvirt does not answer at ${uri}: ${(error as Error).message}`, { cause: error });
    },
  );
  const ids = stdout.split('\n').filter(isUuid);
  if (ids.length === 0) return new Map();
  // A word nobody else can have written into a description.
  const mark = `==${randomUUID()}==`;
  const script = ids.map((id) =>
    ['domstate --reason', 'dominfo', 'domjobinfo', 'dumpxml']
      .map((command) => `echo ${mark}; ${command} ${id}`)
      .join('; '),
  );
  const told = await tryRun(virsh(uri, script.join('; ')), { timeoutMs: MS });
  const domains = new Map<string, Domain>();
  const parts = told.stdout.split(mark).slice(1);
  for (let at = 0; at + 3 < parts.length; at += 4) {
    const domain = domainOf(parts.slice(at, at + 4));
    if (domain !== undefined) domains.set(domain.id, domain);
  }
  // One that went meanwhile is no error; anything else would make domains vanish that are there.
  const missing = ids.filter((id) => !domains.has(id));
  const complaints = told.stderr.split('\n').filter((line) => line.startsWith('error:') && !NO_DOMAIN.test(line));
  if (missing.length > 0 && complaints.length > 0)
    throw new Error(`libvirt does not tell of ${missing.join(', ')}: ${complaints.join(' ')}`);
  return domains;
}

function domainOf([state = '', info = '', job = '', xml = '']: readonly string[]): Domain | undefined {
  const parsed = parseDomain(xml);
  if (parsed === undefined || state.trim() === '') return undefined;
  const kind = /^Job type:\s+(\S+)/m.exec(job)?.[1] ?? 'None';
  return {
    ...parsed,
    state: state.trim(),
    persistent: /^Persistent:\s+yes$/m.test(info),
    ...(kind === 'None' || kind === 'Completed' ? {} : { job: jobOf(job) }),
  };
}

function jobOf(text: string): string {
  const value = (name: string): string | undefined => new RegExp(`^${name}:\\s+(.+?)\\s*$`, 'm').exec(text)?.[1];
  const [left, all] = [value('Memory remaining'), value('Memory total')];
  const what = value('Operation') ?? 'a job';
  return left === undefined || all === undefined
    ? what.toLowerCase()
    : `${what.toLowerCase()}, ${left} of ${all} to go`;
}

/** What another node's libvirt says of a domain: its state, that there is none, or why it does not answer. */
export type Peer = { readonly state: string } | 'absent' | { readonly silent: string };

export async function readPeer(uri: string, id: string): Promise<Peer> {
  const asked = await tryRun(virsh(uri, 'domstate', '--reason', id), { timeoutMs: PEER_MS }).catch(
    (error: unknown) => ({
      code: null,
      stdout: '',
      stderr: (error as Error).message,
    }),
  );
  if (asked.code === 0) return { state: asked.stdout.trim() };
  if (NO_DOMAIN.test(asked.stderr)) return 'absent';
  return { silent: asked.stderr.trim().replaceAll(/\s*\n\s*/g, ' ') || 'no answer' };
}
