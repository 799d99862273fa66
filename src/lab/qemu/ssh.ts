// Logging in at a guest: a key pair of the guest's own at each side, made before it boots, so that nobody has to trust on first use.
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type RunResult, tryRun } from '../../lib/run.ts';
import { sleep } from '../../lib/sleep.ts';
import { sandboxEnv } from '../sandbox.ts';
import type { GuestFile } from './initramfs.ts';
import type { Place } from './guest.ts';

export interface SshKeys {
  /** The private key to log in with (OpenSSH's form), and its file. */
  readonly privateKey: string;
  readonly privateKeyFile: string;
  /** The host's public key: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  /** What the guest needs to have: the host key, and who may log in. */
  readonly files: Readonly<Record<string, GuestFile>>;
}

/** Lines for a guest's init: starts the SSH server for root with a key (program dropbear, files of {@link makeSshKeys}). */
export const SSH_SERVER = 'dropbear -r /etc/dropbear/host -s -p 22';

/** Makes both key pairs in the folder. */
export async function makeSshKeys(directory: string): Promise<SshKeys> {
  mkdirSync(directory, { recursive: true });
  const [privateKeyFile, host] = [join(directory, 'id'), join(directory, 'host')];
  for (const file of [privateKeyFile, `${privateKeyFile}.pub`, host]) rmSync(file, { force: true });
  await Promise.all([
    run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'trunkline-lab', '-f', privateKeyFile]),
    run(['dropbearkey', '-t', 'ed25519', '-f', host]),
  ]);
  const { stdout } = await run(['dropbearkey', '-y', '-f', host]);
  const hostKey = /^ssh-ed25519 \S+/m.exec(stdout)?.[0];
  if (hostKey === undefined) throw new Error(`dropbearkey does not show the key of ${host}`);
  chmodSync(privateKeyFile, 0o600);
  return {
    privateKey: readFileSync(privateKeyFile, 'utf8'),
    privateKeyFile,
    hostKey,
    files: {
      '/etc/dropbear/host': { content: readFileSync(host), mode: 0o600 },
      '/root/.ssh/authorized_keys': { content: readFileSync(`${privateKeyFile}.pub`), mode: 0o600 },
    },
  };
}

/** Runs lines of sh in a guest, from a namespace that reaches it. */
export type Shell = (script: string, options?: { readonly timeoutMs?: number }) => Promise<RunResult>;

/** A shell over SSH from `netns`. Connections are kept for a minute: a command takes some 0.15 s. */
export function sshShell(keys: SshKeys, netns: string, address: string, place: Place = (argv) => argv): Shell {
  const folder = join(keys.privateKeyFile, '..');
  const known = join(folder, 'known_hosts');
  writeFileSync(known, `${address} ${keys.hostKey}\n`);
  const options = Object.entries({
    UserKnownHostsFile: known,
    StrictHostKeyChecking: 'yes',
    IdentitiesOnly: 'yes',
    BatchMode: 'yes',
    LogLevel: 'ERROR',
    ConnectTimeout: '3',
  }).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const ssh = ['ssh', '-F', 'none', '-i', keys.privateKeyFile, ...options, `root@${address}`];
  return (script, { timeoutMs = 20_000 } = {}) =>
    tryRun(place(['nsenter', `--net=/run/netns/${netns}`, '--', ...ssh, script]), { timeoutMs, env: sandboxEnv() });
}

/** Waits until the guest's SSH server lets us in. Throws what ssh says when it does not within `ms`. */
export async function sshAnswers(shell: Shell, ms = 20_000): Promise<void> {
  const until = Date.now() + ms;
  for (;;) {
    const { code, stderr } = await shell('true');
    if (code === 0) return;
    if (Date.now() > until) throw new Error(`no login by SSH within ${ms / 1000} s: ${stderr.trim()}`);
    await sleep(50);
  }
}
