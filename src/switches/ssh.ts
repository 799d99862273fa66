// One SSH connection per switch, kept for a while by ssh itself (ControlPersist), over which commands and NETCONF sessions go. The
// key is on disk only while the connection is made, in a private folder; the switch's own key is pinned.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunError, type RunResult, tryRun } from '../lib/run.ts';
import type { SwitchDocument } from '../protocol/switch.ts';
import { ANSWER_MS, SwitchFault } from './driver.ts';
import { type Answer, answersOf, scriptOf } from './remote.ts';

/** How long a connection outlives its last use: longer than the time between two reviews. */
const KEEP_SECONDS = 30;

export interface SshOptions {
  readonly user: string;
  readonly hostKey: string;
}

export interface SshLink {
  /**
   * Runs commands on the far side, one after the other; with `stop`, no further than the first that fails. Answers for those that
   * were run, and the last thing any of them complained of. A connection that is gone is a fault.
   */
  run(commands: readonly (readonly string[])[], stop: boolean): Promise<{ answers: readonly Answer[]; said: string }>;
  /** Starts a subsystem, such as `netconf`, with pipes for its streams. Who calls ends it. */
  subsystem(name: string): ChildProcess;
}

let folder: string | undefined;
const open = new Map<string, readonly string[]>();

/** Connects, or takes the connection that is still there. Throws a {@link SwitchFault} with ssh's words and what would help. */
export async function openSsh(
  document: SwitchDocument,
  options: SshOptions,
  defaultPort: number,
  signal: AbortSignal,
): Promise<SshLink> {
  const secret = document.secret?.['privateKey'] ?? '';
  if (secret === '') throw new SwitchFault('it has no private key: we log in by key only, never by password');
  const target = targetOf(document.address, defaultPort);
  const name = createHash('sha256')
    .update(JSON.stringify([target, options, secret]))
    .digest('hex')
    .slice(0, 16);
  const base = join(privateFolder(), name);
  const key = `${base}.${randomUUID()}`;
  const head = argvOf(target, options, base);
  const ask = (...tail: string[]): Promise<RunResult> =>
    tryRun([...head, ...tail], { timeoutMs: ANSWER_MS + 1000, signal });

  if ((await ask('-O', 'check', target.host)).code !== 0) {
    await writeFile(`${base}.hosts`, `switch ${options.hostKey}\n`, { mode: 0o600 });
    await writeFile(key, secret.endsWith('\n') ? secret : `${secret}\n`, { mode: 0o600, flag: 'wx' });
    try {
      const result = await ask('-f', '-N', '-o', 'ControlMaster=auto', '-i', key, target.host);
      if (result.code !== 0) throw new SwitchFault(explained(result.stderr, options.user));
    } catch (error) {
      throw error instanceof RunError
        ? new SwitchFault(`ssh ${error.message.slice(error.argv.join(' ').length)}`, { cause: error })
        : error;
    } finally {
      await rm(key, { force: true });
    }
    open.set(base, [...head, '-O', 'exit', target.host]);
  }
  return {
    async run(commands, stop) {
      const mark = `trunkline-${randomUUID()}`;
      const argv = [...head, '-T', target.host, 'sh'];
      const result = await tryRun(argv, { input: scriptOf(commands, mark, stop), timeoutMs: ANSWER_MS, signal });
      const answers = answersOf(result.stdout, mark);
      const said = lastLine(result.stderr);
      const whole = answers.length === commands.length || (stop && answers.some(({ code }) => code !== 0));
      if (!whole)
        throw new SwitchFault(`the connection was lost in the middle: ${said || `exit status ${result.code}`}`);
      return { answers, said };
    },
    subsystem(subsystem) {
      const [program, ...args] = [...head, '-T', '-s', target.host, subsystem];
      return spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'], signal });
    },
  };
}

/** Ends all kept connections and removes what they left on disk. They would end by themselves after half a minute. */
export async function closeSsh(): Promise<void> {
  const ending = [...open.values()].map((argv) => tryRun(argv, { timeoutMs: ANSWER_MS }).catch(() => undefined));
  open.clear();
  await Promise.all(ending);
  removeFolder();
}

function privateFolder(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'tl-ssh-')); // mkdtemp(3) makes it 0700
    process.once('exit', removeFolder);
  }
  return folder;
}

function removeFolder(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.off('exit', removeFolder);
  folder = undefined;
}

interface Target {
  readonly host: string;
  readonly port: number;
  /** A Unix socket that leads there, where there is no route. */
  readonly proxy?: string;
}

/** `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or `unix:PATH` of a socket that leads to the switch's SSH server. */
function targetOf(address: string, defaultPort: number): Target {
  const [, proxy] = /^unix:(\/[A-Za-z0-9_./-]+)$/.exec(address) ?? [];
  if (proxy !== undefined) return { host: 'switch', port: defaultPort, proxy };
  const [, six, name, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9.-]{0,252}))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const host = six ?? name;
  if (host === undefined || Number(port ?? 1) > 65_535)
    throw new SwitchFault('the address is HOST, HOST:PORT, [IPV6]:PORT or unix:PATH');
  return { host, port: Number(port ?? defaultPort) };
}

/** ssh_config(5). Nothing of the machine's own configuration, agents or known hosts is used. */
function argvOf({ port, proxy }: Target, { user }: SshOptions, base: string): readonly string[] {
  const settings = {
    BatchMode: 'yes',
    ControlPath: base,
    ControlPersist: KEEP_SECONDS,
    ConnectTimeout: ANSWER_MS / 1000,
    ServerAliveInterval: 3,
    ServerAliveCountMax: 3,
    UserKnownHostsFile: `${base}.hosts`,
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: 'switch',
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    ClearAllForwardings: 'yes',
    LogLevel: 'ERROR',
    User: user,
    Port: port,
    // It lives as long as the connection: with our standard error it would keep us waiting for the end of that.
    ...(proxy === undefined ? {} : { ProxyCommand: `socat - UNIX-CONNECT:${proxy} 2>/dev/null` }),
  };
  return ['ssh', '-F', 'none', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}

function explained(said: string, user: string): string {
  if (/^Load key|invalid format|error in libcrypto/m.test(said))
    return 'the private key cannot be read: give it as OpenSSH writes it, without a passphrase';
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION/.test(said))
    return 'it proves itself with another key than option hostKey says: if it was replaced or reinstalled, give its new key';
  if (/Connection closed by UNKNOWN/.test(said))
    return 'nothing answers behind the socket of its address (socat, which connects to it, must be installed)';
  if (/Permission denied/.test(said))
    return `it does not let ${user} in with our key: add the public half to that user's authorized keys there`;
  return `ssh said: ${lastLine(said) || 'nothing'}`;
}
