// What there is of VPNs in a helper's namespace, and how they do, as the programs themselves say it.
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { tryRun } from '../../lib/run.ts';
import type { HelperSpec } from '../../protocol/helper.ts';
import { NOT_PASSED_ON, type VpnClientStatus, type VpnStatus } from '../../protocol/vpn.ts';
import { readProcess } from '../router/process.ts';
import { type HelperContext, keyOf, netnsOf } from './names.ts';
import { abilityOf } from './vpn-ability.ts';
import { notPassing } from './vpn-filter.ts';
import { GONE_MS, hear } from './vpn-heard.ts';
import { connectionsOf, listArgv } from './vpn-ipsec.ts';
import { deviceOf, FILTER, FILTER_TABLE, IPSEC, partFolder, sitesPart, vpnsFolder } from './vpn-names.ts';
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
  /** Addresses on `lo` that are there for libipsec. */
  readonly standIns: readonly string[];
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
  /** Of a site, when it was heard last: milliseconds since 1970; 0: there is no session. */
  readonly heard?: number;
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
    tryRun([...inside, 'ip', '-json', 'addr', 'show'], { timeoutMs: 5000 }),
    processesOf(folder, parts, context),
  ]);
  const interfaces = JSON.parse(links.stdout === '' ? '[]' : links.stdout) as Interface[];
  const devices = interfaces.flatMap(({ ifname }) => ifname ?? []);
  const tunnels = parts.filter(
    (part) => devices.includes(deviceOf(part, context)) && files.has(`${folder}/${part}/wireguard.conf`),
  );
  const [passes, sas, log, ...peers] = await Promise.all([
    parts.includes(FILTER) ? readPasses(inside) : undefined,
    files.has(`${folder}/${IPSEC}/vici.sock`) ? readSas(key, context) : [],
    readEnd(`${folder}/${IPSEC}/charon.log`),
    ...tunnels.map((part) => readPeers(deviceOf(part, context), inside, part === sitesPart(key))),
  ]);
  return {
    parts,
    files,
    processes,
    devices,
    ...(passes === undefined ? {} : { passes }),
    standIns: interfaces
      .filter(({ ifname }) => ifname === 'lo')
      .flatMap(({ addr_info = [] }) =>
        addr_info.flatMap(({ local, scope }) => (scope === 'global' ? (local ?? []) : [])),
      ),
    sas,
    refusals: parseRefusals(log),
    swollen,
    connections: [...new Set(sas.map(({ name }) => name))],
    peers: new Map(tunnels.map((part, index) => [deviceOf(part, context), peers[index]!])),
  };
}

/** Of what `ip -json addr` says. */
interface Interface {
  readonly ifname?: string;
  readonly addr_info?: readonly { readonly local?: string; readonly scope?: string }[];
}

/** Whether the namespace forwards, and by how many rules. */
async function readPasses(inside: readonly string[]): Promise<NonNullable<FoundVpns['passes']>> {
  const [forwards, table] = await Promise.all([
    tryRun([...inside, 'sysctl', '-n', 'net.ipv4.ip_forward'], { timeoutMs: 3000 }),
    tryRun([...inside, 'nft', '--handle', 'list', 'table', 'inet', FILTER_TABLE], { timeoutMs: 3000 }),
  ]);
  // A long rule takes several lines; its handle is at the end of the last. Tables and chains have theirs after a brace.
  const rules = [...table.stdout.matchAll(/(?<!\{) # handle [0-9]+$/gm)].length;
  return { forwards: forwards.stdout.trim() === '1', rules };
}

const PROGRAMS = new Set(['openvpn', 'node', 'wireguard-go', 'charon-systemd']);
/** What they begin as. */
const STARTERS = new Set(['nsenter', 'env']);

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
    const argv = (await readProcess(entry, (name) => STARTERS.has(name) || isProgram(name)))?.argv ?? [];
    // It begins as the program that enters the namespace, and is called so for a moment.
    const first = basename(argv[0] ?? '');
    const program = STARTERS.has(first) ? argv.map((word) => basename(word)).find(isProgram) : first;
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

/** `wg show DEVICE dump`: public key, preshared key, endpoint, allowed, handshake, received, sent, keepalive. `ask`: silent peers. */
async function readPeers(device: string, inside: readonly string[], ask: boolean): Promise<readonly WgPeer[]> {
  const { stdout } = await tryRun([...inside, 'wg', 'show', device, 'dump'], { timeoutMs: 3000 });
  const lines = stdout.split('\n').slice(1);
  return Promise.all(
    lines
      .filter((line) => line !== '')
      .map(async (line): Promise<WgPeer> => {
        const [publicKey = '', , endpoint, allowed = '', handshake, received, sent] = line.split('\t');
        const peer = {
          publicKey,
          endpoint: endpoint === '(none)' ? undefined : endpoint,
          handshake: Number(handshake),
          received: Number(received),
          sent: Number(sent),
        };
        if (!ask) return peer;
        const { heard, ask: silent } = hear(`${device} ${publicKey}`, peer, Date.now());
        if (silent) await askPeer(allowed.split('/')[0]!, inside);
        return { ...peer, heard };
      }),
  );
}

/** Sends something to a network's first address, which is nobody's, with one hop to live: only WireGuard at the other end takes notice. */
async function askPeer(address: string, inside: readonly string[]): Promise<void> {
  const argv = [...inside, 'ping', '-q', '-n', '-b', '-c1', '-t1', '-W0.01', address];
  await tryRun(argv, { timeoutMs: 3000 }).catch(() => undefined);
}

/** WireGuard has no connections: a client who has shaken hands within this many seconds is there (it does so every two minutes). */
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
  const rules = found?.files.get(`${partFolder(key, FILTER, context)}/rules.nft`);
  const fault = found?.passes === undefined || rules === undefined ? undefined : notPassing(found.passes, rules);
  return vpns.map(({ spec }): VpnStatus => {
    const lacks = context.vpnLacks[abilityOf(spec)];
    if (active && lacks !== undefined) return { id: spec.id, state: 'Error', reason: lacks };
    if (!active || found === undefined) return { id: spec.id, state: 'Disconnected' };
    if (fault !== undefined) return { id: spec.id, state: 'Error', reason: `${NOT_PASSED_ON}: ${fault}` };
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
        const { heard = 0 } = peer;
        if (now - heard < GONE_MS) return { id: spec.id, state: 'Connected' };
        const silence = heard === 0 ? 'has not shaken hands' : `has not been heard for ${GONE_MS / 1000} s`;
        return { id: spec.id, state: 'Connecting', reason: `${spec.peer} ${silence}` };
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
