// The sandbox: namespaces of its own for mounts, networks and processes, and for users when not root. Ending its first
// process ends everything in it; the kernel cleans up.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, type LabFile, type SandboxFile } from './layout.ts';
import { childrenOf } from './proc.ts';

/**
 * First process of the sandbox. It waits for the supervisor and, being process 1, buries whatever else ends. A tmpfs over
 * /run keeps `ip netns` names inside. Descriptor 3 is the caller's pipe: a background job's own input would be /dev/null.
 */
const INIT = `
mount -t tmpfs -o mode=755 none /run && mkdir /run/netns && ip link set lo up || exit 1
exec 3<&0 </dev/null
"$@" <&3 3<&- &
exec 3<&-
wait $!
`;

/** The environment of everything in a sandbox: PATH holds the folders of system programs, which users often lack. */
export function sandboxEnv(): Record<string, string> {
  const env = Object.fromEntries(Object.entries(process.env).filter((each): each is [string, string] => !!each[1]));
  return { ...env, PATH: `${env['PATH'] ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin` };
}

/** Starts a sandbox with the supervisor in it. Its standard output carries events, its standard input its life. */
export function startSandbox(rootless: boolean, labFile: string, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  const supervisor = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(CHECKOUT, 'src/lab/sandbox-main.ts'),
  ];
  const child = spawn(
    'setpriv', // dies with the process that started it, even if that one was killed
    [
      ...`--pdeathsig KILL -- unshare ${rootless ? '--user --map-root-user ' : ''}--net --mount --pid`.split(' '),
      ...'--fork --kill-child --mount-proc --propagation private -- bash -c'.split(' '),
      INIT,
      'init',
      ...supervisor,
      labFile,
    ],
    // A session of its own: Ctrl-C at the terminal is for the program that started the lab, which then ends it in order.
    { stdio: ['pipe', 'pipe', log], env: sandboxEnv(), cwd: '/', detached: true },
  );
  closeSync(log);
  return child;
}

/** The sandbox's first process, as the host counts: the one child of `unshare`. */
export function initOf(sandbox: ChildProcess): number {
  const [init] = sandbox.pid === undefined ? [] : childrenOf(sandbox.pid);
  if (init === undefined) throw new Error('the sandbox ended at its start');
  return init;
}

/** The argv that runs `argv` inside the sandbox, in the network namespace of its first process. */
export function enter(sandbox: SandboxFile, argv: readonly string[]): string[] {
  const user = sandbox.rootless ? ['--user', '--preserve-credentials'] : [];
  return ['nsenter', '--target', `${sandbox.pid}`, ...user, '--mount', '--root', '--net', '--pid', '--', ...argv];
}

/** Whether OVS can make interfaces (taps) here. Where it cannot, its dummy datapath does without them. */
export function datapathHere(): LabFile['datapath'] {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    closeSync(openSync('/dev/net/tun', 'r+'));
    return 'netdev';
  } catch {
    return 'dummy';
  }
}

/** Why a sandbox was refused, and what to do about it. `said` is what unshare wrote. */
export function whyRefused(rootless: boolean, said: string): string {
  const why = said.trim() === '' ? '' : ` (${said.trim()})`;
  if (!rootless) {
    return (
      `the system refuses namespaces to root here${why}: inside a container, start it with --privileged, ` +
      'or run this on a machine of its own'
    );
  }
  const ways: string[] = [];
  if (setting('kernel/unprivileged_userns_clone') === '0') ways.push('sudo sysctl kernel.unprivileged_userns_clone=1');
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    ways.push('sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0');
  }
  if (setting('user/max_user_namespaces') === '0') ways.push('sudo sysctl user.max_user_namespaces=15000');
  const allow = ways.length === 0 ? '' : `allow unprivileged user namespaces with: ${ways.join(' && ')}; or `;
  return `the system refuses this user a user namespace${why}: ${allow}run it as root, with sudo`;
}

function setting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined; // this kernel has no such setting
  }
}
