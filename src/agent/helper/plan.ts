// From the helpers a node's document names and what there is to the steps between: pure, and right from any half-done state. Every node
// of the group has its helper ready; plugged into OVN (`iface-id`) is the one where the router's public side is.
import type { NodeDocument } from '../../protocol/document.ts';
import type { HelperSpec, HelperStatus } from '../../protocol/helper.ts';
import type { Plan, Step, Wait, Work } from '../driver.ts';
import { planDaemon } from '../router/daemon.ts';
import { spoken } from '../router/names.ts';
import { removePort } from '../ovs-port.ts';
import { type HelperContext, folderOf, HELPER, keyOf, netnsOf, peerOf, portOf, wiringFile } from './names.ts';
import { proxyOf } from './proxy.ts';
import type { Actual, Found } from './read.ts';
import { planVpns } from './vpn.ts';
import { NO_VPNS } from './vpn-part.ts';
import { vpnStatuses } from './vpn-read.ts';

export interface HelperPlan extends Plan {
  readonly helpers: readonly HelperStatus[];
}

/** `held`: the router ports this node carries; undefined while nobody knows: then everything stays plugged as it is. */
export function planHelpers(
  document: NodeDocument,
  actual: Actual,
  held: ReadonlySet<string> | undefined,
  context: HelperContext,
  now = 0,
): HelperPlan {
  const specs = document.helpers ?? [];
  const wanted = new Set(specs.map(({ id }) => keyOf(id)));
  const work: Work[] = [];
  const waits: Wait[] = [];
  const helpers: HelperStatus[] = [];
  for (const spec of specs) {
    const found = actual.get(keyOf(spec.id));
    const active = held?.has(spec.follows) ?? found?.port?.['iface-id'] !== undefined;
    const label = `gateway helper of ${spoken(spec.name)} on ${context.node}`;
    const steps = [
      ...wire(spec, found, context),
      ...plug(spec, found, active, context),
      ...serve(spec, found, context),
    ];
    // What lives in the namespace comes once there is one.
    const vpns = steps.length > 0 ? { steps: [], waits: [] } : vpnsOf(spec, found, active, now, context);
    steps.push(...vpns.steps);
    waits.push(...vpns.waits);
    if (steps.length > 0) work.push({ target: spec.id, label, steps });
    else if (active && found?.port?.['ovn-installed'] !== 'true')
      waits.push({ target: spec.id, what: `the ${label} waits for OVN to take its port` });
    const statuses = vpnStatuses(spec, found?.vpns, active, now, context);
    helpers.push({
      id: spec.id,
      active: active && steps.length === 0,
      ...(statuses.length === 0 ? {} : { vpns: statuses }),
    });
  }
  for (const [key, found] of actual)
    if (!wanted.has(key)) {
      const steps = remove(key, found, context);
      if (steps.length > 0) work.push({ target: key, label: `gateway helper ${key} on ${context.node}`, steps });
    }
  return { work, waits, instances: [], helpers };
}

/**
 * Bytes of a packet that the cable takes: whatever comes from the public wire, which no tunnel lies before. What leaves goes by a route
 * that carries `mtu`, since instances may be on other nodes.
 */
const CABLE_MTU = 9000;

/** The namespace with its end of the cable. Anything half made is made anew as a whole: it takes some tens of milliseconds. */
function wire(spec: HelperSpec, found: Found | undefined, context: HelperContext): Step[] {
  const key = keyOf(spec.id);
  const wiring = `${spec.mac} ${spec.address} ${spec.gateway} ${spec.mtu}/${CABLE_MTU}`;
  const whole = found?.netns !== undefined && found.cable?.away === true;
  if (whole && found.wiring === `${found.netns} ${wiring}\n`)
    return found.cable?.up === true ? [] : [ip(`our end of the cable of ${key}`, 'link', 'set', portOf(key), 'up')];
  const netns = netnsOf(key, context);
  const port = portOf(key);
  const peer = peerOf(key);
  const mtu = String(CABLE_MTU);
  const why = `the router of ${spoken(spec.name)} needs a helper`;
  const inside = (reason: string, ...argv: string[]): Step => run(reason, 'ip', '-n', netns, ...argv);
  return [
    ...(found === undefined ? [] : dismantle(key, found, `what there is of helper ${key} is not as wanted`, context)),
    ip(why, 'netns', 'add', netns),
    ip(why, 'link', 'add', port, 'mtu', mtu, 'type', 'veth', 'peer', 'name', peer, 'address', spec.mac, 'mtu', mtu),
    ...(context.userspace
      ? [port, peer].map((end) => run('the userspace datapath needs real checksums', 'ethtool', '-K', end, 'tx', 'off'))
      : []),
    run('our end says nothing by itself', 'sysctl', '-eqw', `net.ipv6.conf.${port}.disable_ipv6=1`),
    ip("the helper's end of the cable", 'link', 'set', peer, 'netns', netns, 'name', 'eth0'),
    run(
      'many connections to few members',
      'nsenter',
      `--net=/run/netns/${netns}`,
      'sysctl',
      '-eqw',
      'net.ipv6.conf.all.disable_ipv6=1',
      'net.ipv4.ip_local_port_range=32768 65535',
      'net.ipv4.tcp_tw_reuse=1',
    ),
    inside(why, 'link', 'set', 'lo', 'up'),
    inside(why, 'addr', 'add', spec.address, 'dev', 'eth0'),
    inside(why, 'link', 'set', 'eth0', 'up'),
    inside('members are behind the router', 'route', 'add', 'default', 'via', spec.gateway, 'mtu', String(spec.mtu)),
    ip(why, 'link', 'set', port, 'up'),
    run(why, 'mkdir', '-p', folderOf(key, context)),
    // Only now, and with the namespace's own number: what is half done is found and made anew.
    run('how it was set up', ...noteOf(wiringFile(key, context), netns, wiring)),
  ];
}

/** Writes `INODE WIRING` from the namespace's own number, which nobody knows before it is made. */
function noteOf(file: string, netns: string, wiring: string): string[] {
  return ['find', '-L', `/run/netns/${netns}`, '-fprintf', file, `%i ${wiring}\\n`];
}

function plug(spec: HelperSpec, found: Found | undefined, active: boolean, context: HelperContext): Step[] {
  const key = keyOf(spec.id);
  const port = portOf(key);
  const has = found?.port;
  // A cable that is made anew is a new port, too.
  const there = has !== undefined && wire(spec, found, context).length <= 1;
  const tap = (reason: string, ...words: string[]): Step =>
    run(reason, 'ovs-vsctl', `--db=${context.database}`, '--no-wait', '--timeout=10', '--', ...words);
  const steps: Step[] = [];
  if (!there || has[HELPER] !== key)
    steps.push(
      tap(
        `the helper of ${spoken(spec.name)} stands by`,
        '--may-exist',
        'add-port',
        'br-int',
        port,
        '--',
        'set',
        'Interface',
        port,
        `external_ids:${HELPER}=${key}`,
        `external_ids:attached-mac="${spec.mac}"`,
      ),
    );
  const plugged = there ? has['iface-id'] : undefined;
  if (active && plugged !== spec.port)
    steps.push(
      tap(
        `${spec.follows} is on ${context.node}, and with it the helper`,
        'set',
        'Interface',
        port,
        `external_ids:iface-id=${spec.port}`,
      ),
    );
  if (!active && plugged !== undefined)
    steps.push(
      tap(
        `${spec.follows} is elsewhere`,
        'remove',
        'Interface',
        port,
        'external_ids',
        'iface-id',
        '--',
        'remove',
        'Interface',
        port,
        'external_ids',
        'ovn-installed',
      ),
    );
  return steps;
}

function serve(spec: HelperSpec, found: Found | undefined, context: HelperContext): Step[] {
  const anew = wire(spec, found, context).length > 1;
  const state = found?.proxy ?? { pids: [], files: new Map<string, string | undefined>() };
  // What ran in a namespace that is made anew has been ended with it.
  const seen = anew ? { pids: [], files: new Map<string, string | undefined>() } : state;
  return [...(planDaemon(proxyOf(spec, context), seen, folderOf(keyOf(spec.id), context), context.node)?.steps ?? [])];
}

/** `found` has its namespace. */
function vpnsOf(
  spec: HelperSpec,
  found: Found | undefined,
  active: boolean,
  now: number,
  context: HelperContext,
): ReturnType<typeof planVpns> {
  if (found?.netns === undefined) return { steps: [], waits: [] };
  return planVpns(spec, found.vpns ?? NO_VPNS, active, found.netns, context, now);
}

/** Everything of a helper but its folder. */
function dismantle(key: string, found: Found, reason: string, context: HelperContext): Step[] {
  const port = portOf(key);
  return [
    ...[...found.proxy.pids, ...(found.vpns?.processes ?? []).map(({ pid }) => pid)].map((pid): Step => ({
      kind: 'stop',
      pid,
      reason,
    })),
    ...(found.port === undefined ? [] : [removePort(context.database, port, reason)]),
    ...(found.cable === undefined ? [] : [ip(reason, 'link', 'del', port)]),
    ...(found.named ? [ip(reason, 'netns', 'del', netnsOf(key, context))] : []),
  ];
}

function remove(key: string, found: Found, context: HelperContext): Step[] {
  const reason = `no router here needs helper ${key} any more`;
  const steps = dismantle(key, found, reason, context);
  return found.folder ? [...steps, { kind: 'remove', path: folderOf(key, context), reason }] : steps;
}

function ip(reason: string, ...argv: string[]): Step {
  return run(reason, 'ip', ...argv);
}

function run(reason: string, ...argv: string[]): Step {
  return { kind: 'run', argv, reason };
}
