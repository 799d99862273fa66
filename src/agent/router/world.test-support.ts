// A router node that exists on paper: it does what steps say, so that plans can be followed to their end without one.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import type { RouterSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import type { Link, Port } from './link.ts';
import type { Memory } from './kernel.ts';
import { DAEMON_FILES } from './daemons.ts';
import { loadedFile, type DaemonName } from './daemon.ts';
import type { RouterContext } from './names.ts';
import { planRouters, type RouterPlan } from './plan.ts';
import type { Actual } from './read.ts';

export interface World {
  readonly links: Map<string, Link>;
  readonly ports: Map<string, Port>;
  /** Words of items, addresses included. */
  readonly words: Set<string>;
  readonly settings: Map<string, string>;
  readonly files: Map<string, string>;
  readonly running: Map<DaemonName, number>;
  rules: string | undefined;
}

const NAMES = Object.keys(DAEMON_FILES) as DaemonName[];
const UP: Link = { up: true, carrier: true };

export function newWorld(): World {
  return {
    links: new Map([
      ['eth0', UP],
      ['eth1', UP],
    ]),
    ports: new Map(),
    words: new Set(),
    settings: new Map(),
    files: new Map(),
    running: new Map(),
    rules: undefined,
  };
}

/** What a look at it finds. */
export function look(world: World, context: RouterContext): Actual {
  const addresses = [...world.words].flatMap((words) => {
    const [object, address, , device, , label] = words.split(' ');
    return object === 'addr' ? [{ device: device!, address: address!, label: label ?? device! }] : [];
  });
  const { directory } = context;
  const daemons = NAMES.map((name) => {
    const paths = [...DAEMON_FILES[name].map((file) => `${directory}/${file}`), loadedFile(directory, name)];
    const pid = world.running.get(name);
    return [
      name,
      { pids: pid === undefined ? [] : [pid], files: new Map(paths.map((path) => [path, world.files.get(path)])) },
    ] as const;
  });
  const small = [...world.files].filter(([path]) =>
    /\/(notify|announce|forget|guard|drops|rules\.nft|(state|proxies)\.n\d+|[a-z.]+\.new)$/.test(path),
  );
  return {
    links: world.links,
    ports: world.ports,
    addresses,
    words: new Set([...world.words].filter((words) => !words.startsWith('addr '))),
    settings: world.settings,
    rules: world.rules === undefined ? undefined : { loaded: world.rules, listing: world.rules },
    daemons: new Map(daemons),
    notes: new Map(small.map(([path, text]) => [basename(path), text])),
  };
}

/** Does what the step says; fails on what the real thing would refuse. */
export function act(world: World, step: Step, context: RouterContext): void {
  if (step.kind === 'write') world.files.set(step.path, step.content);
  else if (step.kind === 'remove') world.files.delete(step.path);
  else if (step.kind === 'stop') {
    for (const [name, pid] of world.running) if (pid === step.pid) world.running.delete(name);
  } else if (step.kind !== 'await') {
    assert.equal(step.kind, 'run');
    if (step.kind === 'run') command(world, step.argv, context);
  }
}

function command(world: World, argv: readonly string[], context: RouterContext): void {
  const [program, ...rest] = argv;
  const line = rest.join(' ');
  switch (basename(program!)) {
    case 'ip':
      return rest[0] === 'link' ? link(world, rest) : words(world, plain(rest));
    case 'sysctl': {
      const [key, value] = rest.at(-1)!.split('=');
      return void world.settings.set(key!, value!);
    }
    case 'ovs-vsctl': {
      const device = /(?:add-port|del-port) \S+ (\S+)/.exec(line)?.[1];
      const tag = /tag=(\d+)/.exec(line)?.[1];
      if (line.includes('add-port')) {
        world.ports.set(device!, { tag: Number(tag), owner: /trunkline-router=(\S+)/.exec(line)![1]! });
        world.links.set(device!, { up: false, carrier: true });
      } else if (line.includes('del-port')) {
        world.ports.delete(device!);
        vanish(world, device!);
      } else {
        const name = /set port (\S+)/.exec(line)![1]!;
        world.ports.set(name, { ...world.ports.get(name)!, tag: Number(tag) });
      }
      return;
    }
    case 'nft':
      if (rest[0] === '-c') return;
      if (rest[0] === 'delete') world.rules = undefined;
      else world.rules = /comment "trunkline ([0-9a-f]+)"/.exec(world.files.get(rest.at(-1)!)!)![1]!;
      return;
    case 'mv':
      world.files.set(rest[1]!, world.files.get(rest[0]!)!);
      world.files.delete(rest[0]!);
      return;
    case 'guard':
      return void world.running.set('keepalived', 100);
    case 'dnsmasq':
    case 'haproxy':
    case 'conntrackd':
      if (!/--test|-c /.test(line))
        world.running.set(program as DaemonName, 101 + NAMES.indexOf(program as DaemonName));
      return;
    case 'keepalived':
    case 'kill':
    case 'announce':
    case 'forget':
      return assert.ok(
        basename(program!) !== program ||
          ['kill', 'keepalived'].includes(program) ||
          world.files.has(`${context.directory}/${program}`),
      );
    default:
      assert.fail(`nobody knows ${argv.join(' ')}`);
  }
}

function link(world: World, rest: readonly string[]): void {
  const [, verb] = rest;
  if (verb === 'del') return vanish(world, rest[2]!);
  if (verb === 'add') {
    const [below, device, vlan] = [rest[3], rest[5], rest[9]];
    return void world.links.set(device!, { up: false, carrier: true, below: below!, vlan: Number(vlan) });
  }
  const device = rest[2]!;
  const now = world.links.get(device);
  assert.ok(now, `no device ${device}`);
  world.links.set(device, rest[3] === 'alias' ? { ...now, alias: rest[4]! } : { ...now, up: true });
}

/** Without what is said of IPv6 alone. There a label is what marks ours (ip-words.ts). */
function plain(rest: readonly string[]): string[] {
  if (rest[0] !== '-6' || rest[1] !== 'addr') return rest.filter((word) => word !== '-6');
  const [, object, verb, host, dev, device] = rest;
  const ours = verb === 'add' ? rest.includes('noprefixroute') : !device!.startsWith('eth1.');
  return [object!, verb!, host!, dev!, device!, ...(ours ? ['label', `${device}:tl`] : [])];
}

function words(world: World, [object, verb, ...rest]: readonly string[]): void {
  const text = [object, ...rest].join(' ');
  const device = / dev (\S+)/.exec(text)?.[1];
  if (verb === 'add') {
    assert.ok(!world.words.has(text), `File exists: ${text}`);
    assert.ok(device === undefined || world.links.has(device), `Cannot find device ${device}: ${text}`);
    world.words.add(text);
  } else assert.ok(world.words.delete(text), `No such thing: ${text}`);
}

/** With a device go its addresses and routes. */
function vanish(world: World, device: string): void {
  assert.ok(world.links.delete(device), `no device ${device}`);
  for (const text of world.words)
    if (text.endsWith(` dev ${device}`) || text.includes(` dev ${device} `)) world.words.delete(text);
  for (const key of world.settings.keys())
    if (key.includes(`.${device.replaceAll('.', '/')}.`)) world.settings.delete(key);
}

export const CALM: Memory = { intact: true, held: new Set(), letGo: new Map(), patient: true };

/** Looks and acts until nothing is left to do; the last plan, and how many it took. */
export function settle(
  world: World,
  routers: readonly RouterSpec[],
  context: RouterContext,
  most = 9,
): { readonly plan: RouterPlan; readonly passes: number; readonly steps: Step[] } {
  const steps: Step[] = [];
  for (let passes = 0; passes <= most; passes++) {
    const plan = planRouters(
      { node: context.node, generation: 1, instances: [], peers: [], routers },
      look(world, context),
      CALM,
      context,
    );
    if (plan.work.length === 0) return { plan, passes, steps };
    for (const { steps: some } of plan.work)
      for (const step of some) {
        act(world, step, context);
        steps.push(step);
      }
  }
  assert.fail(
    `not settled after ${most} passes; the last steps: ${steps
      .slice(-5)
      .map((step) => JSON.stringify(step))
      .join('\n')}`,
  );
}
