// What there is of VPNs in a helper's namespace, and how they do, as the programs themselves say it.
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { tryRun } from '../../lib/run.ts';
import type { HelperSpec } from '../../protocol/helper.ts';
import type { VpnClientStatus, VpnStatus } from '../../protocol/vpn.ts';
import { type HelperContext, keyOf, netnsOf } from './names.ts';
import { abilityOf } from './vpn-ability.ts';
import { connectionsOf, listArgv } from './vpn-ipsec.ts';
import { deviceOf, IPSEC, partFolder, sitesPart, vpnsFolder } from './vpn-names.ts';
import type { FoundVpns } from './vpn-part.ts';
import { parseRefusals } from './vpn-refusals.ts';
import { type IpsecSa, parseSas } from './vpn-sas.ts';

export interface VpnsRead extends FoundVpns {
  /** Names of IPsec connections that are up or on their way. */
  readonly connections: readonly string[];
  readonly sas: readonly IpsecSa[];
  /** By IPsec connection, what its peer refused. */
  readonly refusals: ReadonlyMap<string, string>;
  /** Logs that have grown too long. */
  readonly swollen: readonly string[];
  /** By device, what `wg show` says of peers. */
  readonly peers: ReadonlyMap<string, readonly WgPeer[]>;
}

export interface WgPeer {
  readonly publicKey: string;
  readonly endpoint: string | undefined;
  /** Seconds since 1970; 0: never. */
  readonly handshake: number;
  readonly received: number;
  readonly sent: number;
}

/** Undefined: there is nothing of VPNs. */
export async function readVpns(key: string, context: HelperContext): Promise<VpnsRead | undefined> {
  const folder = vpnsFolder(key, context);
  const parts = await readdir(folder).catch(() => [] as string[]);
  if (parts.length === 0) return undefined;
  const files = new Map<string, string | undefined>();
  const swollen: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    if (entry.isDirectory()) continue;
    if (entry.name.endsWith('.log')) {
      if ((await bytesOf(path)) > MOST_LOG) swollen.push(path);
      continue;
    }
    files.set(path, entry.isFile() ? await readFile(path, 'utf8').catch(() => undefined) : undefined);
  }
  const inside = ['nsenter', `--net=/run/netns/${netnsOf(key, context)}`];
  const [links, processes] = await Promise.all([
    tryRun([...inside, 'ip', '-json', 'link', 'show'], { timeoutMs: 5000 }),
    processesOf(folder, parts, context),
  ]);
  const devices = (JSON.parse(links.stdout === '' ? '[]' : links.stdout) as { ifname?: string }[]).flatMap(
    ({ ifname }) => ifname ?? [],
  );
  const tunnels = parts.filter(
    (part) => devices.includes(deviceOf(part, context)) && files.has(`${folder}/${part}/wireguard.conf`),
  );
  const [sas, log, ...peers] = await Promise.all([
    files.has(`${folder}/${IPSEC}/vici.sock`) ? readSas(key, context) : [],
    readEnd(`${folder}/${IPSEC}/charon.log`),
    ...tunnels.map((part) => readPeers(deviceOf(part, context), inside)),
  ]);
  return {
    parts,
    files,
    processes,
    devices,
    sas,
    refusals: parseRefusals(log),
    swollen,
    connections: [...new Set(sas.map(({ name }) => name))],
    peers: new Map(tunnels.map((part, index) => [deviceOf(part, context), peers[index]!])),
  };
}

const PROGRAMS = new Set(['openvpn', 'node', 'wireguard-go', 'charon-systemd']);

/** By then a program has made its socket, on a slow machine, too. */
const READY_SECONDS = 20;

/** By what they were started with: a file of the part, or its device. */
async function processesOf(
  folder: string,
  parts: readonly string[],
  context: HelperContext,
): Promise<FoundVpns['processes']> {
  const found: { part: string; program: string; pid: number; old: boolean }[] = [];
  const up = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  const devices = new Map(parts.map((part) => [deviceOf(part, context), part]));
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const argv = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    // It begins as the program that enters the namespace, and is called so for a moment.
    const first = basename(argv[0] ?? '');
    const program = first === 'nsenter' || first === 'env' ? argv.map((word) => basename(word)).find(isProgram) : first;
    if (program === undefined || !isProgram(program)) continue;
    const part = argv
      .map((word) => (program === 'wireguard-go' ? devices.get(word) : partOf(word, folder)))
      .find((one) => one !== undefined);
    if (part !== undefined)
      found.push({ part, program, pid: Number(entry), old: up - (await beganAt(entry)) > READY_SECONDS });
  }
  return found;
}

function isProgram(name: string): boolean {
  return PROGRAMS.has(name);
}

/** Seconds after boot; see proc(5), where it counts in hundredths. One that has ended meanwhile is young for ever. */
async function beganAt(pid: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const ticks = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? Infinity);
  return ticks / 100;
}

function partOf(word: string, folder: string): string | undefined {
  return word.startsWith(`${folder}/`) ? word.slice(folder.length + 1).split('/')[0] : undefined;
}

/** They lie in memory, and whoever sends packets to a VPN's port makes them grow. */
const MOST_LOG = 4 * 1024 * 1024;

/** What a file takes, which is less than its size once it was emptied under a program that writes on where it was. */
async function bytesOf(path: string): Promise<number> {
  return stat(path).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  );
}

/** More than a minute of refusals. */
const LOG_BYTES = 64 * 1024;

/** The end of a log; empty where there is none. */
async function readEnd(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_BYTES), 0, LOG_BYTES, Math.max(0, size - LOG_BYTES));
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readSas(key: string, context: HelperContext): Promise<readonly IpsecSa[]> {
  const { code, stdout } = await tryRun(listArgv(key, context), { timeoutMs: 3000 }).catch(() => ({
    code: 1,
    stdout: '',
  }));
  return code === 0 ? parseSas(stdout) : [];
}

/** `wg show DEVICE dump`: public key, preshared key, endpoint, allowed, handshake, received, sent, keepalive. */
async function readPeers(device: string, inside: readonly string[]): Promise<readonly WgPeer[]> {
  const { stdout } = await tryRun([...inside, 'wg', 'show', device, 'dump'], { timeoutMs: 3000 });
  return stdout
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [publicKey = '', , endpoint, , handshake, received, sent] = line.split('\t');
      if (publicKey === '') return [];
      return [
        {
          publicKey,
          endpoint: endpoint === '(none)' ? undefined : endpoint,
          handshake: Number(handshake),
          received: Number(received),
          sent: Number(sent),
        },
      ];
    });
}

/** WireGuard has no connections: who has shaken hands within this many seconds is there (it does so every two minutes). */
const FRESH_SECONDS = 180;

/** How each VPN of the helper does. `active`: whether the router's public side is here. */
export function vpnStatuses(
  { id, jobs: { vpns = [] } }: HelperSpec,
  found: VpnsRead | undefined,
  active: boolean,
  now: number,
  context: HelperContext,
): readonly VpnStatus[] {
  const key = keyOf(id);
  return vpns.map(({ spec }): VpnStatus => {
    const lacks = context.vpnLacks[abilityOf(spec)];
    if (active && lacks !== undefined) return { id: spec.id, state: 'Error', reason: lacks };
    if (!active || found === undefined) return { id: spec.id, state: 'Disconnected' };
    const runs = (part: string, program: string): boolean =>
      found.processes.some((one) => one.part === part && one.program === program);
    switch (spec.kind) {
      case 'openvpn': {
        if (!runs(spec.id, 'openvpn')) return { id: spec.id, state: 'Error', reason: 'OpenVPN does not run' };
        if (!runs(spec.id, 'node'))
          return { id: spec.id, state: 'Error', reason: 'the gate, which lets clients in, does not run' };
        const text = found.files.get(`${partFolder(key, spec.id, context)}/status.json`) ?? '[]';
        const known = new Set(spec.clients.map((client) => client.id));
        const clients = (JSON.parse(text) as VpnClientStatus[]).filter((client) => known.has(client.id));
        return { id: spec.id, state: 'Running', clients };
      }
      case 'wireguard': {
        const peers = found.peers.get(deviceOf(spec.id, context));
        if (peers === undefined) return { id: spec.id, state: 'Error', reason: 'there is no WireGuard device' };
        const clients = spec.clients.flatMap((client): VpnClientStatus[] => {
          const peer = peers.find(({ publicKey }) => publicKey === client.publicKey);
          return peer === undefined || !isFresh(peer, now) ? [] : [{ id: client.id, ...peerStatus(peer) }];
        });
        return { id: spec.id, state: 'Running', clients };
      }
      case 'wireguard-site': {
        const peer = found.peers
          .get(deviceOf(sitesPart(key), context))
          ?.find(({ publicKey }) => publicKey === spec.publicKey);
        if (peer === undefined) return { id: spec.id, state: 'Error', reason: 'there is no WireGuard device' };
        if (isFresh(peer, now)) return { id: spec.id, state: 'Connected' };
        return { id: spec.id, state: 'Connecting', reason: `${spec.peer} has not shaken hands within three minutes` };
      }
      case 'ipsec': {
        if (!runs(IPSEC, 'charon-systemd')) return { id: spec.id, state: 'Error', reason: 'strongSwan does not run' };
        const own = found.sas.filter(({ name }) => connectionsOf(spec).some((one) => one.name === name));
        if (own.some(({ children }) => children.includes('INSTALLED'))) return { id: spec.id, state: 'Connected' };
        const refusal = connectionsOf(spec).flatMap(({ name }) => found.refusals.get(name) ?? [])[0];
        if (refusal !== undefined) return { id: spec.id, state: 'Error', reason: `${spec.peer} ${refusal}` };
        if (spec.passive) return { id: spec.id, state: 'Disconnected', reason: `waits for ${spec.peer} to begin` };
        if (own.some(({ state }) => state === 'ESTABLISHED'))
          return {
            id: spec.id,
            state: 'Error',
            reason: `${spec.peer} takes the key, but not the networks or the ESP policy`,
          };
        return {
          id: spec.id,
          state: 'Connecting',
          reason: `${spec.peer} does not answer, or refuses without a word`,
        };
      }
      case 'ikev2': {
        if (!runs(IPSEC, 'charon-systemd')) return { id: spec.id, state: 'Error', reason: 'strongSwan does not run' };
        const clients = connectionsOf(spec).flatMap(({ name, part }): VpnClientStatus[] => {
          const sa = found.sas.find((one) => one.name === name && one.state === 'ESTABLISHED');
          return sa === undefined ? [] : [{ id: part, from: `${sa.remoteHost}:${sa.remotePort}` }];
        });
        return { id: spec.id, state: 'Running', clients };
      }
    }
  });
}

function isFresh({ handshake }: WgPeer, now: number): boolean {
  return handshake > 0 && now / 1000 - handshake < FRESH_SECONDS;
}

function peerStatus({ endpoint, received, sent, handshake }: WgPeer): Omit<VpnClientStatus, 'id'> {
  return {
    ...(endpoint === undefined ? {} : { from: endpoint }),
    since: new Date(handshake * 1000).toISOString(),
    received,
    sent,
  };
}
