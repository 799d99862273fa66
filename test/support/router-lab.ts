// Two router nodes, an upstream, an outside host and some machines on VLANs, in a sandbox of their own; and agents that are fed
// documents by the test. Apart from the whole lab because it needs no server, no OVN, and starts in a second.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test as anyTest } from 'node:test';
import type { Outcome } from '../../src/agent/loop.ts';
import { childrenOf } from '../../src/lab/proc.ts';
import { datapathHere, sandboxEnv } from '../../src/lab/sandbox.ts';
import { run, tryRun, type RunResult } from '../../src/lib/run.ts';
import { sleep } from '../../src/lib/sleep.ts';
import type { RouterSpec } from '../../src/protocol/document.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const NODE_PROGRAM = new URL('router-node.ts', import.meta.url).pathname;
const ROOTLESS = process.getuid?.() !== 0;
export const ROUTERS = ['r1', 'r2'] as const;
export type Router = (typeof ROUTERS)[number];
/** Machines with their VLAN; eth0 of each is an access port. */
const MACHINES = { vm1: 1234, vm2: 1234, vm3: 1235, vpn: 1234, pub1: 77, pub2: 77 } as const;

/** Who is upstream in IPv6, and who is beyond. */
const UPSTREAM6 = '2001:db8:100::1';
export const OUTSIDE6 = '2001:db8:51::10';

/** Sub-interfaces are taps of Open vSwitch here. */
export const CAN_RUN = datapathHere() !== 'dummy';
/** A test on the lab; left out, and said so, where the lab cannot be. */
export const test = CAN_RUN ? anyTest : anyTest.skip;

export interface RouterLab {
  readonly state: string;
  /** Runs a program in a node; its exit status is an answer. */
  on(node: string, ...argv: string[]): Promise<RunResult>;
  /** The same for what must succeed. */
  does(node: string, ...argv: string[]): Promise<string>;
  /** Starts a program in a node that runs until the lab ends; `said` collects its lines. */
  start(node: string, ...argv: string[]): { readonly child: ChildProcess; readonly said: string[] };
  /** Gives the node its document and waits until it is true. Returns milliseconds. */
  want(router: Router, ...specs: readonly RouterSpec[]): Promise<number>;
  /** Gives the document and does not wait. */
  ask(router: Router, ...specs: readonly RouterSpec[]): number;
  outcome(router: Router): Outcome;
  startAgent(router: Router): void;
  killAgent(router: Router): Promise<void>;
  stop(): Promise<void>;
}

/** Waits until the condition holds; fails with its name after the time. Returns milliseconds. */
export async function until(
  what: string | (() => string),
  condition: () => Promise<boolean> | boolean,
  ms = 15_000,
): Promise<number> {
  const since = Date.now();
  for (;;) {
    if (await condition()) return Date.now() - since;
    if (Date.now() - since > ms) assert.fail(`not within ${ms} ms: ${typeof what === 'string' ? what : what()}`);
    await sleep(20);
  }
}

export async function startRouterLab(): Promise<RouterLab> {
  const state = await mkdtemp('/tmp/router-lab-');
  const sandbox = spawn(
    'setpriv',
    [
      ...`--pdeathsig KILL -- unshare ${ROOTLESS ? '--user --map-root-user ' : ''}--net --mount --pid`.split(' '),
      ...'--fork --kill-child --mount-proc --propagation private -- bash -c'.split(' '),
      'mount -t tmpfs -o mode=755 none /run && mkdir /run/netns && ip link set lo up && echo ready; read -r _',
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], env: sandboxEnv(), cwd: '/' },
  );
  await once(sandbox.stdout!, 'data');
  const [init] = childrenOf(sandbox.pid!);
  const enter = [
    'nsenter',
    '--target',
    String(init),
    ...(ROOTLESS ? ['--user', '--preserve-credentials'] : []),
    '--mount',
    '--net',
    '--pid',
    '--',
  ];
  const inNode = (node: string, argv: readonly string[]): string[] => [
    ...enter,
    ...(node === 'sw' ? [] : ['nsenter', `--net=/run/netns/${node}`]),
    ...argv,
  ];
  const env = sandboxEnv();
  const children: ChildProcess[] = [];
  const agents = new Map<Router, ChildProcess>();
  const outcomes = new Map<Router, Outcome>();
  const wanted = new Map<Router, { generation: number; routers: readonly RouterSpec[] }>();

  const lab: RouterLab = {
    state,
    on: (node, ...argv) => tryRun(inNode(node, argv), { env }),
    does: async (node, ...argv) => (await run(inNode(node, argv), { env })).stdout,
    start(node, ...argv) {
      const [program, ...args] = inNode(node, ['setpriv', '--pdeathsig', 'KILL', '--', ...argv]);
      const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
      const said: string[] = [];
      for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => said.push(line));
      children.push(child);
      return { child, said };
    },
    ask(router, ...specs) {
      const generation = (wanted.get(router)?.generation ?? 0) + 1;
      wanted.set(router, { generation, routers: specs });
      tell(router);
      return generation;
    },
    async want(router, ...specs) {
      const generation = lab.ask(router, ...specs);
      return until(
        () => `document ${generation} of ${router}: ${JSON.stringify(outcomes.get(router))}`,
        () => outcomes.get(router)?.realized === generation,
        20_000,
      );
    },
    outcome: (router) => outcomes.get(router)!,
    startAgent(router) {
      const [program, ...argv] = inNode(router, [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        NODE_PROGRAM,
        join(state, router, 'agent.json'),
      ]);
      const child = spawn(program!, argv, { stdio: ['pipe', 'pipe', 'inherit'], env });
      createInterface(child.stdout).on('line', (line) => outcomes.set(router, JSON.parse(line) as Outcome));
      child.stdin.on('error', () => undefined);
      agents.set(router, child);
      tell(router);
    },
    async killAgent(router) {
      const child = agents.get(router)!;
      // Entering the sandbox forks: the agent is the child of the one that was started here.
      const inner = childrenOf(child.pid!);
      for (const pid of [...inner, child.pid!]) process.kill(pid, 'SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      outcomes.delete(router);
    },
    async stop() {
      sandbox.kill('SIGKILL');
      for (const child of [...children, ...agents.values()]) child.kill('SIGKILL');
      await once(sandbox, 'exit').catch(() => undefined);
      await rm(state, { recursive: true, force: true });
    },
  };

  function tell(router: Router): void {
    const document = wanted.get(router);
    if (document !== undefined)
      agents.get(router)?.stdin?.write(`${JSON.stringify({ node: router, instances: [], peers: [], ...document })}\n`);
  }

  try {
    await build(lab);
  } catch (error) {
    await lab.stop();
    throw error;
  }
  return lab;
}

/** Namespaces and cables, switches, addresses, agents. */
async function build(lab: RouterLab): Promise<void> {
  const nodes = [...ROUTERS, 'up', 'outside', ...Object.keys(MACHINES)];
  const cables = [
    ...ROUTERS.flatMap((name) => [`${name}.eth0`, `${name}.eth1`]),
    'up.eth0',
    ...Object.keys(MACHINES).map((name) => `${name}.eth0`),
  ];
  const portOf = (cable: string): string => cable.replace('.eth', '-');
  const lines = [
    'link add wire type bridge',
    'link set wire up',
    ...nodes.flatMap((name) => [`netns add ${name}`, `-n ${name} link set lo up`]),
    ...cables.flatMap((cable) => {
      const [node, device] = cable.split('.');
      return [`link add ${portOf(cable)} type veth peer name ${device} netns ${node}`, `link set ${portOf(cable)} up`];
    }),
    'link add eth1 netns up type veth peer name eth0 netns outside',
  ];
  await lab.does(
    'sw',
    'sh',
    '-c',
    `printf '%s\\n' "$@" | while read -r line; do ip $line || exit 1; done`,
    'sh',
    ...lines,
  );
  await Promise.all([
    ...nodes.map((node) =>
      lab.does(
        node,
        'sh',
        '-c',
        'for d in eth0 eth1; do ip link set $d up && ethtool -K $d tx off >/dev/null; done 2>/dev/null; true',
      ),
    ),
    lab.does('sw', 'sh', '-c', `for d in ${cables.map(portOf).join(' ')}; do ethtool -K $d tx off >/dev/null; done`),
    ...['r1-0', 'r2-0', 'up-0'].map((port) => lab.does('sw', 'ip', 'link', 'set', port, 'master', 'wire')),
    lab.does('up', 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'),
  ]);
  const address = (node: string, device: string, prefix: string, ...more: string[]): Promise<string> =>
    lab.does(node, 'ip', 'addr', 'add', prefix, 'dev', device, ...more);
  await Promise.all([
    address('up', 'eth0', '203.0.113.1/24'),
    address('up', 'eth1', '198.51.100.1/24'),
    address('outside', 'eth0', '198.51.100.10/24'),
    address('up', 'eth0', `${UPSTREAM6}/64`, 'nodad'),
    address('up', 'eth1', '2001:db8:51::1/64', 'nodad'),
    address('outside', 'eth0', `${OUTSIDE6}/64`, 'nodad'),
  ]);
  await lab.does('outside', 'ip', 'route', 'add', 'default', 'via', '198.51.100.1');
  await lab.does('outside', 'ip', 'route', 'add', 'default', 'via', '2001:db8:51::1');
  const access = Object.entries(MACHINES).map(([name, vlan]) => ['--', 'add-port', 'sw', `${name}-0`, `tag=${vlan}`]);
  const trunks = ROUTERS.map((name) => ['--', 'add-port', 'sw', `${name}-1`]);
  await Promise.all([
    switchIn(
      lab,
      'sw',
      [['--', 'add-br', 'sw', '--', 'set', 'bridge', 'sw', 'datapath_type=netdev'], ...access, ...trunks].flat(),
    ),
    ...ROUTERS.map(async (name, index) => {
      await switchIn(lab, name, [
        '--',
        'add-br',
        'br-vlan',
        '--',
        'set',
        'bridge',
        'br-vlan',
        'datapath_type=netdev',
        '--',
        'add-port',
        'br-vlan',
        'eth1',
      ]);
      await lab.does(name, 'ip', 'addr', 'add', `192.0.2.${21 + index}/24`, 'dev', 'br-vlan');
      await lab.does(name, 'ip', 'link', 'set', 'br-vlan', 'up');
    }),
  ]);
  for (const [index, name] of ROUTERS.entries()) {
    const folder = join(lab.state, name);
    const config = {
      node: name,
      server: 'unix:/nowhere',
      state: folder,
      tokenFile: join(folder, 'token'),
      underlay: { device: 'br-vlan', ip: `192.0.2.${21 + index}` },
      ovs: { database: `unix:${folder}/db.sock`, rundir: folder },
      datapath: 'netdev',
      router: {
        inside: 'eth1',
        outside: 'eth0',
        vlans: 'openvswitch',
        bridge: 'br-vlan',
        directory: join(folder, 'router'),
        gateway: '203.0.113.1',
      },
    };
    writeFileSync(join(folder, 'agent.json'), JSON.stringify(config));
    lab.startAgent(name);
  }
}

/** An Open vSwitch of a node's own, in its namespace. */
async function switchIn(lab: RouterLab, node: string, settings: readonly string[]): Promise<void> {
  const folder = join(lab.state, node);
  mkdirSync(folder, { recursive: true });
  await run(['ovsdb-tool', 'create', join(folder, 'conf.db'), SCHEMA], { env: sandboxEnv() });
  const common = (name: string): string[] => [
    `--pidfile=${folder}/${name}.pid`,
    `--log-file=${folder}/${name}.log`,
    `--unixctl=${folder}/${name}.ctl`,
  ];
  const dirs = ['env', `OVS_RUNDIR=${folder}`, `OVS_LOGDIR=${folder}`];
  lab.start(
    node,
    ...dirs,
    'ovsdb-server',
    '--no-chdir',
    ...common('db'),
    `--remote=punix:${folder}/db.sock`,
    join(folder, 'conf.db'),
  );
  await until(`the database of ${node}`, () => exists(join(folder, 'db.sock')));
  await lab.does(node, 'ovs-vsctl', `--db=unix:${folder}/db.sock`, '--no-wait', 'init');
  lab.start(node, ...dirs, 'ovs-vswitchd', '--no-chdir', ...common('vs'), `unix:${folder}/db.sock`);
  await lab.does(node, 'ovs-vsctl', `--db=unix:${folder}/db.sock`, '--timeout=10', ...settings);
}

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** The longest time without an answer while `during` happens, in milliseconds, seen by a ping every 10 ms. */
export async function gap(
  lab: RouterLab,
  from: string,
  address: string,
  during: () => Promise<unknown>,
): Promise<{ longest: number; lost: number }> {
  const ping = lab.start(from, 'ping', '-n', '-D', '-i', '0.01', '-w', '60', address);
  const ended = once(ping.child, 'exit');
  await until(`an answer of ${address}`, () => ping.said.filter((line) => line.includes('bytes from')).length >= 5);
  await during();
  for (const pid of childrenOf(ping.child.pid!)) process.kill(pid, 'SIGINT');
  await ended;
  const times = ping.said.flatMap((line) =>
    line.includes('bytes from') ? [Number(/^\[([0-9.]+)\]/.exec(line)![1]) * 1000] : [],
  );
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.said.join('\n')) ?? [];
  let longest = 0;
  for (const [index, time] of times.entries()) if (index > 0) longest = Math.max(longest, time - times[index - 1]!);
  return { longest: Math.round(longest), lost: Number(sent) - Number(received) };
}
