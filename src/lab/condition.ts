// What can happen to a node of the lab, by name: its power goes, it hangs, its cables are cut, and all of that ends again. Carried out by the
// supervisor inside the sandbox; apart from it, since it touches all of a node: processes, cables, what its kernel was told.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, tryRun } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';
import { type Condition, labPaths, type NodeAction, writeJson } from './layout.ts';
import { cablesOf, nodeNetworks } from './network.ts';
import { instanceFilesOf, type OnNode, onNode } from './node-processes.ts';
import { stateOf } from './proc.ts';
import type { Supervisor } from './supervisor.ts';
import { nodeNames, type Topology } from './topology.ts';

export interface Conditions {
  /** Makes it so and returns when it is. Throws a sentence when it cannot be, such as for a node that is off already. */
  perform(action: NodeAction, node: string): Promise<void>;
}

/** How long processes may take to vanish or to stand still. */
const SOON_MS = 5_000;

/** What a node is afterwards. */
const ACTIONS: Readonly<Record<NodeAction, { readonly field: keyof Condition; readonly to: string }>> = {
  'power-off': { field: 'power', to: 'off' },
  'power-on': { field: 'power', to: 'on' },
  freeze: { field: 'power', to: 'frozen' },
  thaw: { field: 'power', to: 'on' },
  cut: { field: 'cables', to: 'cut' },
  mend: { field: 'cables', to: 'whole' },
};

const WHOLE: Condition = { power: 'on', cables: 'whole' };

/** `configure` gives a node its kernel's settings, addresses and routes again, as at the lab's start. */
export function createConditions(
  state: string,
  topology: Topology,
  supervisor: Supervisor,
  configure: (node: string) => Promise<void>,
): Conditions {
  const paths = labPaths(state);
  const now = new Map<string, Condition>();
  rmSync(paths.conditions, { force: true }); // an earlier lab's
  const become = (node: string, condition: Condition): void => {
    now.set(node, condition);
    writeJson(paths.conditions, Object.fromEntries(now));
  };

  const doing: Record<NodeAction, (node: string) => Promise<void>> = {
    async 'power-off'(node) {
      supervisor.hold(node);
      await setCables(topology, node, 'down');
      const there = await onNode(state, topology, node);
      await signalAll(node, there, 'SIGKILL');
      await forget(state, topology, node, there.namespaces);
    },
    async 'power-on'(node) {
      await configure(node);
      if (conditionOf(node).cables === 'whole') await setCables(topology, node, 'up');
      // A switch brings up all its ports.
      for (const [other, { power, cables }] of now)
        if (other !== node && (power === 'off' || cables === 'cut')) await setCables(topology, other, 'down');
      await supervisor.release(node);
    },
    freeze: async (node) => signalAll(node, await onNode(state, topology, node), 'SIGSTOP'),
    thaw: async (node) => signalAll(node, await onNode(state, topology, node), 'SIGCONT'),
    async cut(node) {
      if (cablesOf(topology, node).length === 0)
        throw new Error(`${node} has no cable to the switch or to a segment: there is nothing to cut`);
      await setCables(topology, node, 'down');
    },
    async mend(node) {
      if (conditionOf(node).power !== 'off') await setCables(topology, node, 'up');
    },
  };

  const conditionOf = (node: string): Condition => now.get(node) ?? WHOLE;

  let last: Promise<unknown> = Promise.resolve();
  return {
    perform(action, node) {
      // One after the other: what a node is going through is not to be mixed.
      const next = last.then(async () => {
        if (!nodeNames(topology).includes(node))
          throw new Error(`the lab has no node ${node}; there are ${nodeNames(topology).join(', ')}`);
        const condition = conditionOf(node);
        if (ACTIONS[action].field === 'power' && topology.segments.includes(node))
          throw new Error(`${node} is a plain wire, which has no power: it can be cut and mended`);
        const refusal = whyNot(action, node, condition);
        if (refusal !== undefined) throw new Error(refusal);
        const { field, to } = ACTIONS[action];
        await doing[action](node);
        become(node, { ...condition, [field]: to });
      });
      last = next.catch(() => undefined);
      return next;
    },
  };
}

/** What is said to an action that makes no sense for a node in this condition. */
export function whyNot(action: NodeAction, node: string, { power, cables }: Condition): string | undefined {
  if (action === 'power-off') return power === 'off' ? `${node} is off already` : undefined;
  if (action === 'power-on') {
    if (power === 'frozen') return `${node} is frozen, not off: thaw it`;
    return power === 'on' ? `${node} is on already` : undefined;
  }
  if (action === 'cut') return cables === 'cut' ? `the cables of ${node} are cut already` : undefined;
  if (action === 'mend') return cables === 'whole' ? `the cables of ${node} are whole` : undefined;
  if (power === 'off') return `${node} is off: switch it on first`;
  if (action === 'freeze') return power === 'frozen' ? `${node} is frozen already` : undefined;
  return power === 'on' ? `${node} is not frozen` : undefined;
}

/** The cables of a node at their other ends, so that the node itself sees them go dead and keeps its addresses. */
async function setCables(topology: Topology, node: string, to: 'up' | 'down'): Promise<void> {
  const ends = cablesOf(topology, node);
  await Promise.all(ends.map(({ at, device }) => run(['ip', '-netns', at, 'link', 'set', device, to])));
}

/** Sends a signal to all that runs on a node, its instances included, until it has had its effect on each. */
async function signalAll(node: string, there: OnNode, signal: Signal): Promise<void> {
  const done = { SIGKILL: 'ZX', SIGSTOP: 'TtZX', SIGCONT: 'SRDIZX' }[signal];
  const end = Date.now() + SOON_MS;
  for (;;) {
    const left = there.pids().filter((pid) => !done.includes(stateOf(pid) ?? 'X'));
    if (left.length === 0) return;
    if (Date.now() > end) throw new Error(`on ${node}, processes ${left.join(', ')} do not react to ${signal}`);
    for (const pid of left) send(pid, signal);
    await sleep(10);
  }
}

type Signal = 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

function send(pid: number, signal: Signal): void {
  try {
    process.kill(pid, signal);
  } catch {
    return; // it ended by itself meanwhile
  }
}

/** What a machine without power forgets: its instances, all interfaces but its cards, addresses, routes and packet filters. */
async function forget(state: string, topology: Topology, node: string, namespaces: readonly string[]): Promise<void> {
  for (const { file } of instanceFilesOf(state, node)) rmSync(file);
  rmSync(join(labPaths(state).node(node), 'db.sock'), { force: true }); // who waits for the database waits for the next one
  for (const name of namespaces) await tryRun(['ip', 'netns', 'del', name]);
  const { stdout } = await run(['ip', '-netns', node, '-json', 'link']);
  const links = JSON.parse(stdout || '[]') as { readonly ifname: string; readonly link_type: string }[];
  const cards = cardsOf(topology, node);
  for (const { ifname, link_type: type } of links) {
    // Gone meanwhile, with its maker: an interface of Open vSwitch's.
    if (type !== 'loopback' && !cards.includes(ifname)) await tryRun(['ip', '-netns', node, 'link', 'del', ifname]);
  }
  const lines = ['lo', ...cards].flatMap((card) => [`address flush dev ${card}`, `link set ${card} down`]);
  const inside = ['nsenter', `--net=/run/netns/${node}`, '--'];
  await run([...inside, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  // Not there on a machine that never had a packet filter.
  await tryRun([...inside, 'nft', 'flush', 'ruleset']).catch(() => undefined);
}

function cardsOf(topology: Topology, node: string): string[] {
  return nodeNetworks(topology)
    .filter((each) => each.node === node)
    .flatMap((each) => each.ip.flatMap((line) => /^link set (\S+) mtu /.exec(line)?.[1] ?? []));
}
