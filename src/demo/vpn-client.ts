// VPN clients in machines of the lab's outside, as their owners start them: Debian's openvpn, wg-quick and strongSwan, with the files they
// were given. Apart from the stories, which say what becomes of them.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { field, text } from './answer.ts';
import type { World } from './story.ts';
import type { Tenant } from './tenant.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** A client that was started, with what it says. */
export interface VpnProgram {
  log(): string;
  end(): Promise<void>;
}

/** Makes a user's profile for a VPN and keeps its file; the one answer that shows it. Gives the file and his address. */
export async function profileOf(
  world: World,
  tenant: Tenant,
  remoteaccessvpnid: string,
  username: string,
): Promise<{ readonly file: string; readonly ip: string }> {
  const made = await tenant.call('createVpnClientProfile', { remoteaccessvpnid, username });
  const profile = field(made, 'vpnclientprofile');
  const ending = text(profile, 'kind') === 'wireguard' ? 'conf' : 'ovpn';
  const file = keep(world, `${username}.${ending}`, text(profile, 'profile'));
  return { file, ip: text(profile, 'ipaddress') };
}

/** Words of a command that are said: the others name files and fingerprints. */
const SHOWN = 3;

/** Starts openvpn(8) in a machine with these options, in the background. Throws what it said when it cannot start. */
export async function openVpn(
  world: World,
  machine: string,
  name: string,
  argv: readonly string[],
): Promise<VpnProgram> {
  const [log, pid] = ['log', 'pid'].map((ending) => join(folderOf(world), `${name}.${ending}`));
  // The kernel's own way of carrying packets is the same for all namespaces of a machine, and seldom there.
  const own = ['--disable-dco', '--log', log!, '--writepid', pid!];
  await typed(world, machine, ['openvpn', '--daemon', ...argv, ...own], argv.slice(0, SHOWN));
  return program(world, machine, log!, pid!);
}

/** A road warrior by OpenVPN: his file as it is, and his password. */
export async function roadWarrior(
  world: World,
  machine: string,
  file: string,
  { username, password }: Login,
): Promise<VpnProgram> {
  const login = keep(world, `${username}.login`, `${username}\n${password}\n`);
  return openVpn(world, machine, username, ['--config', file, '--auth-user-pass', login]);
}

/** A road warrior by WireGuard: his file as it is. The interface is called as the file is. */
export async function wireGuard(world: World, machine: string, file: string): Promise<void> {
  await typed(world, machine, ['wg-quick', 'up', file]);
}

export interface Site {
  readonly machine: string;
  /** Public addresses of both ends, and the networks behind them. */
  readonly own: string;
  readonly peer: string;
  readonly behindOwn: string;
  readonly behindPeer: string;
  readonly secret: string;
  /** As strongSwan writes it: `aes256-sha256-modp2048`. */
  readonly proposal: string;
}

/** The plugins a site needs; ESP within UDP by a program, since kernels of test machines seldom have it in a namespace. */
const PLUGINS =
  'random nonce openssl pem pkcs1 pkcs8 pubkey x509 revocation constraints hmac kdf kernel-libipsec kernel-netlink socket-default vici';

/** Another site: strongSwan in a machine, with a connection that begins when something is sent. */
export async function strongSwan(world: World, site: Site): Promise<VpnProgram> {
  const { machine, own, peer, proposal } = site;
  const folder = join(folderOf(world), machine);
  mkdirSync(folder, { recursive: true });
  const [socket, log, pid] = ['vici.sock', 'log', 'pid'].map((name) => join(folder, name));
  const settings = `charon-systemd {
  load = ${PLUGINS}
  plugins {
    vici {
      socket = unix://${socket}
    }
  }
  filelog {
    log {
      path = ${log}
      default = 1
      flush_line = yes
    }
  }
}
`;
  writeFileSync(join(folder, 'strongswan.conf'), settings);
  const connection = `connections {
  site {
    version = 2
    local_addrs = ${own}
    remote_addrs = ${peer}
    proposals = ${proposal}
    local {
      auth = psk
      id = ${own}
    }
    remote {
      auth = psk
      id = ${peer}
    }
    children {
      site {
        local_ts = ${site.behindOwn}
        remote_ts = ${site.behindPeer}
        esp_proposals = ${proposal}
        start_action = trap
      }
    }
  }
}
secrets {
  ike-site {
    id-1 = ${own}
    id-2 = ${peer}
    secret = "${site.secret}"
  }
}
`;
  writeFileSync(join(folder, 'swanctl.conf'), connection, { mode: 0o600 });
  const env = ['env', `STRONGSWAN_CONF=${join(folder, 'strongswan.conf')}`, `SWANCTL_DIR=${folder}`];
  const start = `echo $$ >${pid}; exec charon-systemd`;
  const away = `setsid -f sh -c '${start}' </dev/null >/dev/null 2>&1`;
  await typed(world, machine, [...env, 'sh', '-c', away], ['charon-systemd']);
  const load = [...env, 'swanctl', '--load-all', '--uri', `unix://${socket}`];
  await world.waitFor(`strongSwan at ${machine}`, async () => (await world.exec(machine, load)).code === 0);
  return program(world, machine, log!, pid!);
}

function program(world: World, machine: string, log: string, pid: string): VpnProgram {
  return {
    log: () => (existsSync(log) ? readFileSync(log, 'utf8') : ''),
    async end() {
      // openvpn takes its file away when it ends by itself, as one does that is turned away.
      if (!existsSync(pid)) return;
      await world.exec(machine, ['kill', readFileSync(pid, 'utf8').trim()]);
    },
  };
}

/** Runs a command in a machine and says it; `shown` instead of all of it. Throws what it said when it failed. */
async function typed(
  world: World,
  machine: string,
  argv: readonly string[],
  shown: readonly string[] = argv.slice(1),
): Promise<void> {
  world.say(`${machine}: ${[argv[0] === 'env' ? '' : argv[0], ...shown].join(' ').trim()}`);
  const { code, stdout, stderr } = await world.exec(machine, argv);
  if (code !== 0) throw new Error(`${machine}: ${argv.slice(0, 3).join(' ')}: ${(stderr || stdout).trim()}`);
}

/** Where the files of clients are; they are their owners' business, and readable by nobody else. */
export function folderOf({ state }: World): string {
  const folder = join(state, 'clients');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function keep(world: World, name: string, content: string): string {
  const file = join(folderOf(world), name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}
