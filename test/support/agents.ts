// Agents on a real lab, and what a server would do for them: rows in OVN written by hand, a channel that hands out documents a test
// makes. Apart from the tests that use it because it is a life cycle of its own.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { insideArgv } from '../../src/lab/exec.ts';
import { startLab, type Lab } from '../../src/lab/start.ts';
import { createBell } from '../../src/lib/bell.ts';
import { silentLog } from '../../src/lib/log.ts';
import { run, type RunResult } from '../../src/lib/run.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { encodeToken, type InstanceSpec, type NodeDocument, type NodeReport } from '../../src/protocol/document.ts';
import { createChannel, type Channel } from '../../src/reconcile/channel.ts';
import { openPki } from '../../src/reconcile/pki.ts';

export const NODES = ['h1', 'h2', 'h3'];
const AGENT = new URL('../../src/agent/agent.ts', import.meta.url).pathname;
export let state: string;
export let lab: Lab;
let channel: Channel;
let hash: string;
let generation = 0;
const bell = createBell();
const documents = new Map<string, NodeDocument>();
export const reports = new Map<string, NodeReport>();
const serials = new Map<string, string>();
const agents = new Map<string, ChildProcess>();

/** Starts lab, channel and agents. Call once. */
export async function setUp(): Promise<void> {
  state = await mkdtemp('/tmp/agent-lab-');
  lab = await startLab({ state, agents: false });
  const pki = await openPki(join(state, 'pki'));
  channel = await createChannel({
    listen: lab.agents,
    pki,
    log: silentLog(),
    documents: {
      get: (node) => documents.get(node),
      async wait(node, have, ms) {
        for (const until = Date.now() + ms; Date.now() < until; await bell.wait(until - Date.now())) {
          const now = documents.get(node);
          if (now !== undefined && now.generation > have) return now;
        }
        return undefined;
      },
    },
    hosts: {
      async acceptJoin(node, _secret, serial) {
        serials.set(node, serial);
        return true;
      },
      isCurrent: async (node, serial) => serials.get(node) === serial,
      async report(report) {
        reports.set(report.node, report);
      },
    },
  });
  hash = (await run(['openssl', 'passwd', '-6', 'secret123'])).stdout.trim();
  await nb('ls-add', 'n1', '--', 'lr-add', 'r1', '--', 'lrp-add', 'r1', 'r1-n1', '02:00:00:00:00:01', '10.1.1.1/24');
  await nb(
    'lsp-add',
    'n1',
    'n1-r1',
    '--',
    'lsp-set-type',
    'n1-r1',
    'router',
    '--',
    'lsp-set-addresses',
    'n1-r1',
    'router',
    '--',
    'lsp-set-options',
    'n1-r1',
    'router-port=r1-n1',
  );
  const options =
    '"server_id"="10.1.1.1" "server_mac"="02:00:00:00:00:01" "lease_time"="3600" "router"="10.1.1.1" "mtu"="1442" "dns_server"="8.8.8.8"';
  const dhcp = await nb('create', 'dhcp_options', 'cidr=10.1.1.0/24', `options=${options}`);
  for (let n = 0; n < 9; n++) {
    const { nics, ip } = machine(n);
    const { id, mac } = nics[0]!;
    await nb(
      'lsp-add',
      'n1',
      id,
      '--',
      'lsp-set-addresses',
      id,
      `${mac} ${ip}`,
      '--',
      'lsp-set-port-security',
      id,
      `${mac} ${ip}`,
      '--',
      'lsp-set-dhcpv4-options',
      id,
      dhcp,
    );
  }
  for (const [n, node] of NODES.entries()) {
    const folder = join(state, 'lab', node);
    const config = {
      node,
      server: lab.agents,
      state: join(folder, 'agent'),
      tokenFile: join(folder, 'agent/token'),
      ovs: { database: `unix:${folder}/db.sock`, rundir: folder },
      underlay: { device: 'br-ex', ip: `192.0.2.1${n + 1}` },
      datapath: lab.sandbox.datapath,
      instances: { driver: 'netns', directory: join(state, 'lab/instances') },
    };
    await mkdir(config.state, { recursive: true });
    await writeFile(join(folder, 'agent.json'), JSON.stringify(config));
    await writeFile(config.tokenFile, encodeToken({ node, secret: 'any', ca: pki.fingerprint }));
    startAgent(node);
  }
}

export async function tearDown(): Promise<void> {
  for (const node of agents.keys()) await killAgent(node);
  await channel?.close();
  await lab?.stop();
  await rm(state, { recursive: true, force: true });
}

async function nb(...argv: string[]): Promise<string> {
  return (await run(['ovn-nbctl', `--db=${lab.nb}`, ...argv])).stdout.trim();
}

export function startAgent(node: string): void {
  const start = `import('${AGENT}').then((agent) => agent.runAgent(process.argv[1]))`;
  const [program, ...argv] = insideArgv(state, node, [
    process.execPath,
    '--input-type=module',
    '-e',
    start,
    join(state, 'lab', node, 'agent.json'),
  ]);
  agents.set(node, spawn(program!, argv, { stdio: 'ignore' }));
}

export async function killAgent(node: string): Promise<void> {
  const child = agents.get(node);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export type Machine = InstanceSpec & { readonly ip: string; readonly host: string };

export function machine(n: number, changes: Partial<InstanceSpec> = {}): Machine {
  return {
    id: `1000000${n}-0000-4000-8000-000000000000`,
    name: `i-2-${n}-VM`,
    hostname: `vm${n}`,
    power: 'running',
    boot: 1,
    passwordHash: hash,
    cpus: 1,
    memoryMb: 64,
    nics: [
      {
        id: `2000000${n}-0000-4000-8000-000000000000`,
        mac: `02:00:00:00:01:0${n}`,
        deviceId: 0,
        isDefault: true,
        mtu: 1442,
      },
    ],
    ip: `10.1.1.1${n}`,
    host: NODES[n % 3]!,
    ...changes,
  };
}

function specOf({ id, name, hostname, power, boot, passwordHash, cpus, memoryMb, nics }: Machine): InstanceSpec {
  return { id, name, hostname, power, boot, passwordHash, cpus, memoryMb, nics };
}

/** Hands out documents with these machines. */
export function want(machines: readonly Machine[], peers: readonly { name: string; underlayIp: string }[] = []): void {
  generation++;
  const others = NODES.map((name, n) => ({ name, underlayIp: `192.0.2.1${n + 1}` }));
  for (const node of NODES) {
    const instances = machines.filter(({ host }) => host === node).map(specOf);
    documents.set(node, { node, generation, peers: [...others, ...peers], instances });
  }
  bell.ring();
}

/** Waits until all nodes report the latest generation without an error; milliseconds it took. */
export async function settled(ms = 20_000): Promise<number> {
  const since = Date.now();
  while (
    !NODES.every((node) => reports.get(node)?.generation === generation && reports.get(node)?.error === undefined)
  ) {
    if (Date.now() - since > ms)
      assert.fail(
        `not settled after ${ms} ms: ${JSON.stringify([...reports.values()].map(({ node, generation: at, error }) => [node, at, error]))}`,
      );
    await sleep(5);
  }
  return Date.now() - since;
}

export const on = (n: number, ...argv: string[]): Promise<RunResult> =>
  lab.exec(machine(n).id, argv, { timeoutMs: 15_000 });
export const pings = async (from: number, to: number): Promise<boolean> =>
  (await on(from, 'ping', '-c', '1', '-W', '1', machine(to).ip)).code === 0;
export const record = (n: number): { pid: number | null; netns: string } =>
  JSON.parse(readFileSync(join(state, 'lab/instances', `${machine(n).id}.json`), 'utf8')) as {
    pid: number | null;
    netns: string;
  };
