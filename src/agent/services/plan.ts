// From what is to be served and what is there to the steps between: a namespace with a port for each network, and one responder for all
// of them. Pure.
import { cidr, formatHost, ip } from '../../lib/ip.ts';
import type { NodeDocument } from '../../protocol/document.ts';
import type { ServiceSpec, TakenReport } from '../../protocol/services.ts';
import type { Plan, Step, Wait, Work } from '../driver.ts';
import { removePort } from '../ovs-port.ts';
import { logicalPort, METADATA, netnsOf, noteFile, OWNER, peerOf, portOf, type ServiceContext } from './names.ts';
import { type Actual, digestOf, type NetworkNote } from './read.ts';
import { FILES, type ResponderConfig, takenName } from './responder/config.ts';

/** A responder that was told to look and has not said so by then is told again. */
const AGAIN_MS = 2000;

export function planServices(document: NodeDocument, actual: Actual, now: number, context: ServiceContext): Plan {
  const wanted = document.services?.networks ?? [];
  const work: Work[] = [];
  const ready: ServiceSpec[] = [];
  const ids = new Set(wanted.map(({ id }) => id));
  for (const spec of wanted) {
    const steps = networkSteps(spec, actual, now, context);
    if (steps.length === 0) ready.push(spec);
    else
      work.push({
        target: `services ${spec.id}`,
        blame: 'itself',
        label: `what is served in network ${spec.name}`,
        steps,
      });
  }
  for (const note of actual.notes.values()) {
    if (ids.has(note.id)) continue;
    const reason = `nothing is served in network ${note.id} here any more`;
    const steps = [...clear(note, actual, reason, context), remove(noteFile(context.directory, note.id), reason)];
    work.push({
      target: `services ${note.id}`,
      blame: 'itself',
      label: `what was served in network ${note.id}`,
      steps,
    });
  }
  const text = configOf(document, ready, actual);
  const { steps, waits } = responderSteps(wanted, ready, text, actual, now, context);
  if (steps.length > 0) work.push({ target: 'services', label: `the responder of ${context.node}`, steps });
  return { work, waits, instances: [], taken: takenOf(document, actual) };
}

/** Undefined steps: it is there as wanted. A half-made one is made anew: nothing of it is worth keeping. */
function networkSteps(spec: ServiceSpec, actual: Actual, now: number, context: ServiceContext): Step[] {
  const note = actual.notes.get(spec.id);
  const netns = netnsOf(spec.id, context.node);
  const port = portOf(spec.id);
  const link = actual.links.get(port);
  const fits =
    note !== undefined &&
    (['ip', 'cidr', 'mac', 'mtu'] as const).every((key) => note[key] === spec[key]) &&
    note.netns === netns;
  const ids = portIds(spec.id, spec.mac, context);
  const whole = fits && actual.namespaces.has(netns) && link?.away === true;
  const plugged = actual.ovs.ports.get(port)?.externalIds;
  const isPlugged = Object.entries(ids).every(([key, value]) => plugged?.[key] === value);
  if (whole && link.up && isPlugged) return [];
  const reason = `names and metadata of network ${spec.name}`;
  if (whole)
    return [
      ...(link.up ? [] : [run(['ip', 'link', 'set', port, 'up'], reason)]),
      ...(isPlugged ? [] : [plug(port, ids, reason, context)]),
    ];
  return [...(note === undefined ? [] : clear(note, actual, reason, context)), ...make(spec, now, reason, context)];
}

function make(spec: ServiceSpec, now: number, reason: string, context: ServiceContext): Step[] {
  const { id, mac, mtu } = spec;
  const netns = netnsOf(id, context.node);
  const port = portOf(id);
  const peer = peerOf(port);
  const note: NetworkNote = { id, netns, ip: spec.ip, cidr: spec.cidr, mac, mtu, made: now };
  const size = String(mtu);
  const inside = (...argv: string[]): Step => run(['ip', '-n', netns, ...argv], reason);
  return [
    {
      kind: 'write',
      path: noteFile(context.directory, id),
      content: `${JSON.stringify(note)}\n`,
      mode: 0o600,
      reason,
      routine: true,
    },
    run(['ip', 'netns', 'add', netns], reason),
    run(
      ['ip', 'link', 'add', port, 'mtu', size, 'type', 'veth', 'peer', 'name', peer, 'address', mac, 'mtu', size],
      reason,
    ),
    ...(context.userspace
      ? [port, peer].map((end) =>
          run(['ethtool', '-K', end, 'tx', 'off'], 'the userspace datapath needs real checksums'),
        )
      : []),
    run(['sysctl', '-eqw', `net.ipv6.conf.${port}.disable_ipv6=1`], 'our end says nothing by itself'),
    run(['ip', 'link', 'set', peer, 'netns', netns, 'name', 'eth0'], reason),
    run(
      [
        'nsenter',
        `--net=/run/netns/${netns}`,
        'sysctl',
        '-eqw',
        'net.ipv4.ip_forward=0',
        'net.ipv6.conf.eth0.disable_ipv6=1',
      ],
      'it leads nowhere',
    ),
    inside('link', 'set', 'eth0', 'up'),
    inside('address', 'add', formatHost(ip(spec.ip), cidr(spec.cidr)), 'dev', 'eth0'),
    inside('address', 'add', `${METADATA}/32`, 'dev', 'eth0'),
    run(['ip', 'link', 'set', port, 'up'], reason),
    plug(port, portIds(id, mac, context), reason, context),
  ];
}

function clear({ id, netns }: NetworkNote, actual: Actual, reason: string, context: ServiceContext): Step[] {
  const port = portOf(id);
  return [
    ...(actual.ovs.ports.has(port) ? [removePort(context.database, port, reason)] : []),
    ...(actual.links.has(port) ? [run(['ip', 'link', 'del', port], reason)] : []),
    ...(actual.namespaces.has(netns) ? [run(['ip', 'netns', 'del', netns], reason)] : []),
  ];
}

function portIds(id: string, mac: string, context: ServiceContext): Record<string, string> {
  return { 'iface-id': logicalPort(id), 'attached-mac': mac, [OWNER]: context.node };
}

function plug(port: string, ids: Record<string, string>, reason: string, context: ServiceContext): Step {
  const argv = [
    'ovs-vsctl',
    `--db=${context.database}`,
    '--no-wait',
    '--timeout=10',
    '--',
    '--may-exist',
    'add-port',
    'br-int',
    port,
  ];
  // A MAC is quoted: a colon would separate key and value.
  const set = Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`);
  return run([...argv, '--', 'set', 'Interface', port, ...set], reason);
}

/** The responder's file. Only networks that are there: what is not cannot be listened in. */
function configOf(document: NodeDocument, ready: readonly ServiceSpec[], actual: Actual): string {
  const { scopes = [] } = document.services ?? {};
  const domains = new Map(scopes.flatMap(({ networks }) => networks.map(({ id, domain }) => [id, domain])));
  const told = new Set(ready.flatMap(({ cards }) => cards.map(({ instance }) => instance)));
  const used = new Set(ready.map(({ dns }) => dns?.scope));
  const config: ResponderConfig = {
    networks: ready.map(({ id, ip: address, cidr: prefix, dns, userData, cards }) => {
      const { netns, made } = actual.notes.get(id)!;
      const domain = domains.get(id) ?? '';
      return {
        id,
        netns,
        made,
        ip: address,
        cidr: prefix,
        domain,
        ...(dns === undefined ? {} : { dns }),
        userData,
        cards,
      };
    }),
    scopes: scopes.filter(({ id }) => used.has(id)),
    guests: document.instances.flatMap(({ id, hostname, firstBoot }) =>
      firstBoot !== undefined && told.has(id) ? [{ id, hostname, firstBoot }] : [],
    ),
  };
  return `${JSON.stringify(config)}\n`;
}

function responderSteps(
  wanted: readonly ServiceSpec[],
  ready: readonly ServiceSpec[],
  text: string,
  actual: Actual,
  now: number,
  { directory, responder }: ServiceContext,
): { steps: Step[]; waits: Wait[] } {
  const file = `${directory}/${FILES.config}`;
  if (wanted.length === 0) {
    const reason = 'this node serves nothing any more';
    const steps = actual.responders.map(({ pid }): Step => ({ kind: 'stop', pid, reason }));
    return { steps: [...steps, ...(actual.config === undefined ? [] : [remove(file, reason)])], waits: [] };
  }
  const version = responder.at(-1)!;
  const steps: Step[] = [];
  const waits: Wait[] = [];
  if (actual.config !== text)
    steps.push({
      kind: 'write',
      path: file,
      content: text,
      mode: 0o600,
      reason: 'what the responder serves',
      routine: true,
    });
  const current = actual.responders.filter((one) => one.version === version);
  const [main, ...surplus] = current;
  if (main === undefined) {
    const reason = 'names, metadata and passwords of all networks are served by one process';
    steps.push({ kind: 'launch', argv: responder, output: `${directory}/responder.log`, reason });
    return { steps, waits };
  }
  for (const { pid } of surplus) steps.push({ kind: 'stop', pid, reason: 'a second responder' });
  const digest = digestOf(text);
  const { status, pid } = main;
  if (status === undefined)
    waits.push({ target: 'services', what: `waits for the responder (process ${pid}) to start` });
  else if (status.config !== digest) {
    const told = actual.signalled;
    const known = told?.pid === pid && told.config === digest && now - told.at < AGAIN_MS;
    if (actual.config === text && !known)
      steps.push({
        kind: 'run',
        argv: ['kill', '-HUP', String(pid)],
        reason: 'the responder reads its file again',
        routine: true,
      });
    else waits.push({ target: 'services', what: `waits for the responder (process ${pid}) to read its file` });
  } else {
    const open = new Set(status.open);
    for (const { id, name } of ready)
      if (!open.has(id))
        waits.push({
          target: `services ${id}`,
          blame: 'itself',
          what: `what is served in network ${name}: ${status.errors[id] ?? 'waits for its sockets'}`,
        });
    // The new one has everything before the old one goes: nobody finds nobody.
    if (waits.length === 0 && ready.length === wanted.length)
      for (const old of actual.responders)
        if (old.version !== version)
          steps.push({ kind: 'stop', pid: old.pid, reason: 'a responder of another version' });
    if (waits.length === 0) steps.push(...forgetTaken(text, actual, directory));
  }
  return { steps, waits };
}

/** Notes of passwords that nobody has any more; not before the responder has forgotten them, too. */
function forgetTaken(text: string, actual: Actual, directory: string): Step[] {
  const { guests } = JSON.parse(text) as ResponderConfig;
  const held = new Set(
    guests.flatMap(({ id, firstBoot: { password } }) => (password === undefined ? [] : [takenName(id, password.turn)])),
  );
  return [...actual.taken]
    .filter((name) => !held.has(name))
    .map((name): Step => ({
      ...remove(`${directory}/${FILES.taken}/${name}`, 'the password is forgotten'),
      routine: true,
    }));
}

/** Passwords that guests have taken and the document still has. */
function takenOf(document: NodeDocument, actual: Actual): TakenReport[] {
  return document.instances.flatMap(({ id, firstBoot }) => {
    const turn = firstBoot?.password?.turn;
    return turn !== undefined && actual.taken.has(takenName(id, turn)) ? [{ instance: id, turn }] : [];
  });
}

function run(argv: readonly string[], reason: string): Step {
  return { kind: 'run', argv, reason };
}

function remove(path: string, reason: string): Step {
  return { kind: 'remove', path, reason };
}
