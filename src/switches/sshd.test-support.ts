// For tests of this layer: a real SSH server on the loopback, with keys of its own, that lets this very user in.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';

export interface TestSshServer {
  readonly directory: string;
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  readonly privateKey: string;
  /** What sshd has written: who connected, and how often. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts it; `lines` are added to its configuration once directory and port are known. */
export async function startSshServer(
  lines: (place: { directory: string; port: number }) => readonly string[] = () => [],
): Promise<TestSshServer> {
  const directory = await mkdtemp(join(tmpdir(), 'tl-sshd-'));
  const port = await freePort();
  const path = (name: string): string => join(directory, name);
  for (const name of ['host', 'id'])
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path(name)]);
  await writeFile(path('authorized_keys'), await readFile(path('id.pub')), { mode: 0o600 });
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${path('host')}`,
    'PidFile none',
    `AuthorizedKeysFile ${path('authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    ...lines({ directory, port }),
  ];
  await writeFile(path('config'), `${config.join('\n')}\n`);
  const daemon = ['/usr/sbin/sshd', '-D', '-f', path('config'), '-E', path('log')];
  // sshd started by root wants its folder in /run (sshd(8), FILES): a private /run leaves the machine's alone.
  const own = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"';
  const child = start(
    process.getuid?.() === 0
      ? ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', own, 'sh', ...daemon]
      : daemon,
  );
  const log = (): Promise<string> => readFile(path('log'), 'utf8').catch(() => '');
  await listening(child, port, log);
  return {
    directory,
    address: `127.0.0.1:${port}`,
    port,
    user: userInfo().username,
    hostKey: (await readFile(path('host.pub'), 'utf8')).trim(),
    privateKey: await readFile(path('id'), 'utf8'),
    log,
    async stop() {
      await end(child);
      await rm(directory, { recursive: true });
    },
  };
}

export function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const [program, ...args] = argv;
  // netconfd leaves a file where it runs.
  return spawn(program!, args, { stdio: 'ignore', cwd: env['HOME'] ?? '/', env: { ...process.env, ...env } });
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(child: ChildProcess, port: number, log: () => Promise<string>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) break;
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await sleep(20);
  }
  throw new Error(`sshd does not listen: ${await log()}`);
}
