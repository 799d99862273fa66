// A world for VPNs of a helper: a namespace as the helper's, a router with a public side around it, and one for clients as people have
// them. Real programs everywhere.
import { spawn } from 'node:child_process';
import { scryptSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, tryRun } from '../../lib/run.ts';
import { sleep } from '../../lib/sleep.ts';
import type { HelperSpec, VpnJob } from '../../protocol/helper.ts';
import { vpnJob } from '../../protocol/vpn-schema.ts';
import type { VpnStatus } from '../../protocol/vpn.ts';
import { type HelperContext, keyOf, netnsOf } from './names.ts';
import { settleVpns } from './vpn-agent.test-support.ts';
import { probeKernel } from './vpn-kernel.ts';
import { NO_VPNS } from './vpn-part.ts';
import { readVpns, type VpnsRead, vpnStatuses } from './vpn-read.ts';

/** An instance's address; and another network, which clients may not always reach. */
export const TIER = '10.1.1.11';
export const OTHER = '10.99.0.1';
/** The public address, which is translated to the helper's. */
export const SERVER = '203.0.113.10';
export const HELPER_IP = '192.0.0.18';
/** Behind clients. */
export const OFFICE = '192.168.50.1';

export function uuid(n: number): string {
  return `40000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

export interface Issued {
  readonly certificate: string;
  readonly key: string;
  readonly serial: string;
}

export interface VpnWorld {
  readonly home: string;
  readonly context: HelperContext;
  readonly key: string;
  /** Number of the helper's namespace. */
  readonly netns: number;
  helper(vpns: readonly VpnJob[]): HelperSpec;
  /** Makes these VPNs true: plans and runs until nothing is left to do. */
  settle(vpns: readonly VpnJob[]): Promise<void>;
  read(): Promise<VpnsRead>;
  /** Of the first VPN of the last {@link VpnWorld.settle}. */
  status(): Promise<VpnStatus>;
  inClient(...argv: string[]): ReturnType<typeof tryRun>;
  /** `from`: an address of a client's, or its device where several have the same routes. */
  pings(to: string, from?: string): Promise<boolean>;
  /** Starts a program of a client's; its number. */
  launch(argv: readonly string[], env?: Record<string, string>): number;
  /** Milliseconds until it is so; throws with what the programs said. */
  until(what: string, condition: () => Promise<boolean>, seconds?: number): Promise<number>;
  authority(): Promise<{ readonly ca: string; issue(name: string, more: string): Promise<Issued> }>;
  close(): Promise<void>;
}

export async function createVpnWorld(): Promise<VpnWorld> {
  const id = `${process.pid.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  const key = keyOf(id);
  const outside = `vw-${key}`;
  const client = `vc-${key}`;
  const home = await mkdtemp(join(tmpdir(), 'vpn-'));
  const context: HelperContext = {
    // Devices are named by it, and sockets of those of all namespaces are in one folder.
    node: `vt${process.pid}`,
    database: 'unix:/none',
    directory: `${home}/h`,
    userspace: false,
    canDropRoot: true,
    vpnLacks: {},
    ...(await probeKernel()),
  };
  const own = netnsOf(key, context);
  for (const name of [own, outside, client]) await run(['ip', 'netns', 'add', name]);
  const lines = [
    `link add eth0 netns ${own} type veth peer name helper netns ${outside}`,
    `link add eth0 netns ${client} type veth peer name client netns ${outside}`,
    `-n ${own} link set lo up`,
    `-n ${own} addr add ${HELPER_IP}/29 dev eth0`,
    `-n ${own} link set eth0 up`,
    `-n ${own} route add default via 192.0.0.17`,
    `-n ${outside} link set lo up`,
    `-n ${outside} addr add ${TIER}/32 dev lo`,
    `-n ${outside} addr add ${OTHER}/32 dev lo`,
    `-n ${outside} addr add 192.0.0.17/29 dev helper`,
    `-n ${outside} addr add 198.51.100.1/24 dev client`,
    `-n ${outside} link set helper up`,
    `-n ${outside} link set client up`,
    `-n ${outside} route add 10.8.0.0/16 via ${HELPER_IP}`,
    `-n ${outside} route add 192.168.50.0/24 via ${HELPER_IP}`,
    `-n ${client} link set lo up`,
    `-n ${client} addr add 198.51.100.10/24 dev eth0`,
    `-n ${client} addr add ${OFFICE}/32 dev lo`,
    `-n ${client} link set eth0 up`,
    `-n ${client} route add default via 198.51.100.1`,
  ];
  for (const line of lines) await run(['ip', ...line.split(' ')]);
  const enter = (name: string, ...argv: string[]): string[] => ['ip', 'netns', 'exec', name, ...argv];
  await run(enter(outside, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0'));
  // As OVN does it: the public address is the helper's.
  const rules = `table ip t {
    chain a { type nat hook prerouting priority -100; ip daddr ${SERVER} dnat to ${HELPER_IP}; }
    chain b { type nat hook postrouting priority 100; ip saddr ${HELPER_IP} oifname "client" snat to ${SERVER}; }
  }`;
  await run(enter(outside, 'nft', '-f', '-'), { input: rules });
  const netns = Number((await run(['stat', '-Lc', '%i', `/run/netns/${own}`])).stdout);
  const children: number[] = [];
  let spec: HelperSpec;

  const helper = (vpns: readonly VpnJob[]): HelperSpec => ({
    id,
    name: 'shop',
    port: id,
    follows: 'lrp',
    mac: '02:00:00:00:00:01',
    address: `${HELPER_IP}/29`,
    gateway: '192.0.0.17',
    mtu: 1442,
    jobs: { vpns: vpns.map((job) => vpnJob.parse(job) as VpnJob) },
  });
  const read = async (): Promise<VpnsRead> =>
    (await readVpns(key, context)) ?? {
      ...NO_VPNS,
      connections: [],
      sas: [],
      refusals: new Map(),
      swollen: [],
      standIns: [],
      peers: new Map(),
    };

  async function settle(vpns: readonly VpnJob[]): Promise<void> {
    spec = helper(vpns);
    await mkdir(context.directory, { recursive: true });
    await settleVpns({ spec, context, netns, home }).catch(async (error: unknown) => {
      throw new Error(`${(error as Error).message}\n${await said()}`);
    });
  }

  /** The last of all logs. */
  async function said(): Promise<string> {
    const logs = [...(await read()).parts].map((part) => `${context.directory}/${key}/vpn/${part}`);
    const find = ['find', home, ...logs, '-name', '*.log', '-exec', 'tail', '-n', '15', '{}', '+'];
    return (await tryRun(find)).stdout;
  }

  async function until(what: string, condition: () => Promise<boolean>, seconds = 40): Promise<number> {
    const start = Date.now();
    while (Date.now() - start < seconds * 1000) {
      if (await condition()) return Date.now() - start;
      await sleep(50);
    }
    throw new Error(`not within ${seconds} s: ${what}\n${await said()}`);
  }

  const inClient = (...argv: string[]): ReturnType<typeof tryRun> => tryRun(enter(client, ...argv));

  return {
    home,
    context,
    key,
    netns,
    helper,
    settle,
    read,
    inClient,
    until,
    status: async () => vpnStatuses(spec, await readVpns(key, context), true, Date.now(), context)[0]!,
    pings: async (to, from) =>
      (await inClient('ping', '-c1', '-W1', ...(from === undefined ? [] : ['-I', from]), to)).code === 0,
    launch(argv, env = {}) {
      const child = spawn('nsenter', [`--net=/run/netns/${client}`, ...argv], {
        stdio: 'ignore',
        detached: true,
        env: { ...process.env, ...env },
      });
      children.push(child.pid!);
      return child.pid!;
    },
    authority: () => authority(home),
    async close() {
      await settle([]).catch(() => undefined);
      for (const pid of children)
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Ended by itself.
        }
      for (const name of [own, outside, client]) await tryRun(['ip', 'netns', 'del', name]);
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function authority(home: string): ReturnType<VpnWorld['authority']> {
  const at = (name: string): string => join(home, name);
  const openssl = (...argv: string[]): ReturnType<typeof run> => run(['openssl', ...argv]);
  const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...pair,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
    '-days',
    '9',
    '-subj',
    '/CN=ca',
  );
  return {
    ca: await readFile(at('ca.crt'), 'utf8'),
    async issue(name, more) {
      await openssl('req', ...pair, '-keyout', at('l.key'), '-out', at('l.csr'), '-subj', `/CN=${name}`);
      await writeFile(at('l.ext'), `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n${more}\n`);
      const by = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'];
      await openssl(
        'x509',
        '-req',
        '-in',
        at('l.csr'),
        ...by,
        '-out',
        at('l.crt'),
        '-days',
        '9',
        '-extfile',
        at('l.ext'),
      );
      const { stdout } = await openssl('x509', '-in', at('l.crt'), '-noout', '-serial');
      const [, serial = ''] = stdout.trim().split('=');
      return { certificate: await readFile(at('l.crt'), 'utf8'), key: await readFile(at('l.key'), 'utf8'), serial };
    },
  };
}

/** As the server keeps it. */
export function hashOf(password: string): string {
  const salt = Buffer.alloc(16, 7);
  const hash = scryptSync(password, salt, 32, { N: 16384, r: 8, p: 1 });
  return `scrypt$16384$8$1$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}
