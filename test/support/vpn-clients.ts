// Clients of VPNs in machines of the lab's outside, each a machine of its own: Debian's openvpn, wireguard-go with wg, and strongSwan, with
// the files they were given. Apart from the tests, which say what becomes of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud } from '../../src/demo/cloud.ts';
import { insideArgv } from '../../src/lab/exec.ts';
import { sandboxEnv } from '../../src/lab/sandbox.ts';
import { type RunResult, run, tryRun } from '../../src/lib/run.ts';
import { eventually, type Scope } from './lab.ts';

/** A running program in a machine. */
export interface Program {
  isAlive(): boolean;
  kill(): Promise<void>;
}

/** strongSwan in a machine. */
export interface Swan {
  /** `swanctl COMMAND …`, of this strongSwan. */
  ask(...argv: string[]): Promise<RunResult>;
  /** Puts another file in the place of its own, and loads it. */
  load(connections: string, secrets: string): Promise<void>;
  /** Kills it without a word, and starts it anew when it is asked to. */
  readonly program: Program;
  again(): Promise<Swan>;
}

export interface VpnClients {
  inside(machine: string, ...argv: string[]): Promise<RunResult>;
  launch(machine: string, ...argv: string[]): Program;
  /** One echo request, a second for its answer. `from`: an address of the machine's. */
  pings(machine: string, to: string, from?: string): Promise<boolean>;
  /** Echo requests that are sent whether anybody answers or not, from an address that the machine is given for it. */
  shouts(machine: string, to: string, from: string): Promise<void>;
  /** `ip …` in a machine; throws what it says. */
  ip(machine: string, line: string): Promise<void>;
  openvpn(machine: string, profile: string, user: { name: string; password: string }): Promise<OpenVpnClient>;
  /** What wg-quick does with such a file, whose tools are not for a machine that is none. */
  wireguard(machine: string, profile: string): Promise<WireGuardClient>;
  swan(machine: string, authority?: string): Promise<Swan>;
}

export interface WireGuardClient extends Program {
  readonly device: string;
}

export interface OpenVpnClient extends Program {
  log(): Promise<string>;
}

/** A machine at the internet with an address of its own, and one behind it where `lan` says so: `[name, first three octets]`. */
export function machineAtHome(
  name: string,
  last: number,
  lan?: readonly [name: string, network: string],
): readonly object[] {
  const outside = { device: 'eth0', cable: { segment: 'internet' }, addresses: [`198.51.100.${last}/24`] };
  const own = { name, gateway: '198.51.100.1' };
  if (lan === undefined) return [{ ...own, ports: [outside] }];
  const [behind, network] = lan;
  return [
    { ...own, forwards: true, ports: [outside, { device: 'eth1', addresses: [`${network}.1/24`] }] },
    {
      name: behind,
      gateway: `${network}.1`,
      ports: [{ device: 'eth0', cable: { machine: name, device: 'eth1' }, addresses: [`${network}.10/24`] }],
    },
  ];
}

/** Everything that was launched ends with the scope. `state`: the lab's folder. */
export function vpnClients(scope: Scope, state: () => string): VpnClients {
  const children: ChildProcess[] = [];
  scope.after(async () => {
    for (const child of children) child.kill('SIGKILL');
  });

  const inside: VpnClients['inside'] = (machine, ...argv) =>
    tryRun(insideArgv(state(), machine, argv), { env: sandboxEnv(), timeoutMs: 30_000 });

  const launch: VpnClients['launch'] = (machine, ...argv) => {
    const [program, ...args] = insideArgv(state(), machine, ['setpriv', '--pdeathsig', 'KILL', '--', ...argv]);
    const log = openSync(join(state(), `${machine}-programs.log`), 'a');
    const child = spawn(program!, args, { stdio: ['ignore', log, log], env: { ...process.env, ...sandboxEnv() } });
    closeSync(log);
    const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
    children.push(child);
    return {
      isAlive: () => child.exitCode === null && child.signalCode === null,
      kill() {
        child.kill('SIGKILL');
        return ended;
      },
    };
  };

  const ip: VpnClients['ip'] = async (machine, line) => {
    const { code, stderr } = await inside(machine, 'ip', ...line.split(' '));
    if (code !== 0) throw new Error(`${machine}: ip ${line}: ${stderr.trim()}`);
  };

  const folder = async (machine: string): Promise<string> => {
    const path = join(state(), 'clients', machine);
    await mkdir(path, { recursive: true });
    return path;
  };
  let files = 0;

  return {
    inside,
    launch,
    ip,
    async pings(machine, to, from) {
      const own = from === undefined ? [] : ['-I', from];
      return (await inside(machine, 'ping', '-c1', '-W1', ...own, to)).code === 0;
    },
    async shouts(machine, to, from) {
      await ip(machine, `addr replace ${from}/32 dev lo`);
      await inside(machine, 'ping', '-c3', '-i0.05', '-W1', '-I', from, to);
      await ip(machine, `addr del ${from}/32 dev lo`);
    },

    async openvpn(machine, profile, { name, password }) {
      const path = join(await folder(machine), `${name}-${++files}`);
      await writeFile(`${path}.ovpn`, profile);
      await writeFile(`${path}.auth`, `${name}\n${password}\n`, { mode: 0o600 });
      // As a person gives it: the file as it is, the password when asked.
      const argv = ['--config', `${path}.ovpn`, '--auth-user-pass', `${path}.auth`, '--log', `${path}.log`];
      const program = launch(machine, 'openvpn', ...argv, '--disable-dco');
      return { ...program, log: () => readFile(`${path}.log`, 'utf8').catch(() => '') };
    },

    async wireguard(machine, profile) {
      // In one folder for all machines of the lab: their control sockets are.
      const device = `wg${++files}${machine}`;
      const file = join(await folder(machine), `${device}.conf`);
      const lines = profile.split('\n');
      await writeFile(file, lines.filter((line) => !/^(Address|DNS|MTU)\b/.test(line)).join('\n'), { mode: 0o600 });
      const program = launch(machine, 'env', 'WG_PROCESS_FOREGROUND=1', 'wireguard-go', '--foreground', device);
      const said = (): Promise<string> => readFile(join(state(), `${machine}-programs.log`), 'utf8');
      await eventually('a device', async () => {
        if (!program.isAlive()) throw new Error(`wireguard-go on ${machine} ended: ${await said()}`);
        return (await inside(machine, 'wg', 'show', device)).code === 0 || undefined;
      });
      const value = (key: string): string[] =>
        lines.flatMap((line) => (line.startsWith(`${key} = `) ? line.slice(key.length + 3).split(', ') : []));
      for (const own of value('Address')) await ip(machine, `addr add ${own} dev ${device}`);
      await run(insideArgv(state(), machine, ['wg', 'setconf', device, file]), { env: sandboxEnv() });
      await ip(machine, `link set ${device} mtu ${value('MTU')[0] ?? '1420'} up`);
      for (const to of value('AllowedIPs')) await ip(machine, `route replace ${to} dev ${device}`);
      return { ...program, device };
    },

    async swan(machine, authority) {
      const path = await folder(machine);
      const socket = `unix://${path}/vici.sock`;
      const env = ['env', `STRONGSWAN_CONF=${path}/strongswan.conf`, `SWANCTL_DIR=${path}`];
      const ask: Swan['ask'] = (...argv) => inside(machine, ...env, 'swanctl', ...argv, '--uri', socket);
      await mkdir(join(path, 'x509ca'), { recursive: true });
      if (authority !== undefined) await writeFile(join(path, 'x509ca', 'ca.pem'), authority);
      await writeFile(join(path, 'strongswan.conf'), swanSettings(path, socket));
      const start = async (): Promise<Swan> => {
        const program = launch(machine, ...env, 'charon-systemd');
        await eventually('strongSwan', async () => (await ask('--stats')).code === 0 || undefined);
        return {
          program,
          ask,
          again: async () => {
            const next = await start();
            await ask('--load-all');
            return next;
          },
          async load(connections, secrets) {
            await writeFile(join(path, 'swanctl.conf'), `connections {\n${connections}\n}\nsecrets {\n${secrets}\n}\n`);
            const { code, stderr } = await ask('--load-all');
            if (code !== 0) throw new Error(`${machine}: swanctl --load-all: ${stderr}`);
          },
        };
      };
      return start();
    },
  };
}

/** The gateway node that carries the cloud's one public side. */
export async function carrierOf({ lab }: Pick<Cloud, 'lab'>): Promise<string> {
  const sb = async (...argv: string[]): Promise<string> =>
    (await run(['ovn-sbctl', `--db=${lab.sb}`, '--timeout=10', '--bare', ...argv])).stdout.trim();
  // OVN's one for watching the hypervisors is on no wire.
  const where = ['type=chassisredirect', 'logical_port!=cr-lrp-fabric-1'];
  const chassis = await sb('--columns=chassis', 'find', 'Port_Binding', ...where);
  return sb('--columns=name', 'list', 'Chassis', chassis.split(/\s+/)[0]!);
}

function swanSettings(path: string, socket: string): string {
  const plugins =
    'random nonce openssl pem pkcs1 pkcs8 pubkey x509 revocation constraints hmac kdf eap-identity eap-mschapv2 ' +
    'kernel-libipsec kernel-netlink socket-default vici';
  return `charon-systemd {
  load = ${plugins}
  retransmit_tries = 3
  retransmit_timeout = 1.0
  retransmit_base = 1.3
  plugins {
    vici {
      socket = ${socket}
    }
    kernel-libipsec {
      allow_peer_ts = yes
    }
  }
  filelog {
    l {
      path = ${path}/charon.log
      default = 1
      flush_line = yes
    }
  }
}
`;
}

/** A connection of a road warrior by IKEv2, as Debian's strongSwan is told it. Called `rw`, like its child. */
export function ikev2Client(server: string, user: string, networks: string): string {
  return `rw {
  version = 2
  remote_addrs = ${server}
  encap = yes
  vips = 0.0.0.0
  dpd_delay = 2s
  keyingtries = 0
  local {
    auth = eap
    eap_id = ${user}
  }
  remote {
    auth = pubkey
    id = ${server}
  }
  children {
    rw {
      remote_ts = ${networks}
      dpd_action = restart
      close_action = start
    }
  }
}`;
}
