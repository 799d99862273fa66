// From what an instance should be and what is there to the steps between: pure, and right from any half-done state, since an
// agent may be killed between any two steps.
import type { InstanceSpec, InstanceStatus, NicSpec, NodeDocument } from '../../protocol/document.ts';
import type { Plan, Step, Wait, Work } from '../driver.ts';
import { filesOf } from './files.ts';
import type { Actual, Guest } from './read.ts';
import { recordFile, type InstanceRecord } from './record.ts';

export interface PlanContext {
  readonly node: string;
  /** Where instances' files live. */
  readonly directory: string;
  /** `unix:PATH` of the node's OVS database. */
  readonly database: string;
}

/** How long a guest's start waits for OVN to install its ports; then it starts without, and asks for its address until one comes. */
const INSTALL_MS = 10_000;
/** How long a card may take to get its address before that is said. */
const LEASE_MS = 8000;
/** Marks our ports in OVS: external_ids of the interface. */
const OWNER = 'trunkline-node';

/** Plans all instances of the node: those of the document, and those that are there and should not be. */
export function planInstances(document: NodeDocument, actual: Actual, now: number, context: PlanContext): Plan {
  const wanted = new Map(document.instances.map((spec) => [spec.id, spec]));
  const ours = [...actual.records.values()].filter((record) => record.host === context.node).map(({ id }) => id);
  const ported = [...actual.ovs.ports.values()].filter((port) => port.externalIds[OWNER] === context.node);
  const ids = new Set([...wanted.keys(), ...ours, ...ported.map((port) => port.externalIds['vm-id'] ?? '')]);
  const work: Work[] = [];
  const waits: Wait[] = [];
  const instances: InstanceStatus[] = [];
  for (const id of ids) {
    const spec = wanted.get(id);
    const one = spec?.power === 'running' ? planRunning(spec, actual, now, context) : planOff(id, spec, actual, context);
    if (one.steps.length > 0) work.push({ target: id, label: `instance ${spec?.name ?? actual.records.get(id)?.name ?? id}`, steps: one.steps });
    waits.push(...one.waits);
    if (spec !== undefined) instances.push(one.status);
  }
  return { work, waits, instances };
}

interface One {
  readonly steps: readonly Step[];
  readonly waits: readonly Wait[];
  readonly status: InstanceStatus;
}

/** Name of an instance's network namespace. */
export function netnsOf(id: string): string {
  return `i-${id.slice(0, 8)}`;
}

/** Name of a card's cable on the hypervisor's side: 13 characters of the 15 allowed. */
export function portOf(nicId: string): string {
  return `v${nicId.replaceAll('-', '').slice(0, 12)}`;
}

function planRunning(spec: InstanceSpec, actual: Actual, now: number, context: PlanContext): One {
  const record = actual.records.get(spec.id);
  const netns = netnsOf(spec.id);
  const all = actual.guests.filter((guest) => guest.id === spec.id);
  const waiting = (what: string): Wait => ({ target: spec.id, what: `instance ${spec.name} ${what}` });
  const off: InstanceStatus = { id: spec.id, power: 'stopped' };

  if (record !== undefined && record.host !== context.node) return { steps: [], waits: [waiting(`waits until ${record.host} has let go of it`)], status: off };
  const other = [...actual.records.values()].find((one) => one.id !== spec.id && one.netns === netns);
  if (other !== undefined) return { steps: [], waits: [waiting(`cannot be made: the namespace ${netns} is ${other.name}'s`)], status: off };

  const steps: Step[] = [];
  const named = actual.namespaces.get(netns);
  const here = named === true;
  const candidates = here ? all.filter((one) => one.netns === netns) : [];
  const guest = candidates.find((one) => one.pid === record?.pid) ?? candidates[0];
  const reboot = guest !== undefined && record !== undefined && record.boot < spec.boot;
  for (const one of all) {
    if (one !== guest) steps.push({ kind: 'stop', pid: one.pid, reason: `a second guest of ${spec.name}, or one without its network` });
    else if (reboot) steps.push({ kind: 'stop', pid: one.pid, reason: `${spec.name} is to be rebooted` });
  }
  const alive = reboot ? undefined : guest;

  const cables = planCables(spec, record, actual, here, alive, context);
  steps.push(...cables.clear);
  const rewired = record === undefined || cables.rewired;
  const note: InstanceRecord = {
    ...describe(spec, context),
    boot: record?.boot ?? spec.boot,
    pid: alive?.pid ?? null,
    started: record?.started ?? now,
    wired: rewired ? now : record.wired,
  };
  if (rewired || differs(record, note)) steps.push(writeRecord(note, context, `what is known of ${spec.name}`));
  if (named === false) steps.push({ kind: 'run', argv: ['ip', 'netns', 'del', netns], reason: `${netns} is a name without a namespace` });
  if (!here) steps.push({ kind: 'run', argv: ['ip', 'netns', 'add', netns], reason: `${spec.name} has no network namespace yet` });
  steps.push(...cables.make);

  const missing = spec.nics.map((nic) => portOf(nic.id)).filter((port) => actual.ovs.ports.get(port)?.externalIds['ovn-installed'] !== 'true');
  const plumbed = steps.length === 0;
  const waits = missing.map((port) => waiting(`waits for OVN to install port ${port} on ${context.node}`));
  if (!actual.ovs.hasBridge) waits.push(waiting(`waits for ovn-controller to make br-int on ${context.node}`));
  if (alive === undefined) {
    // One pass plumbs, a later one sees that OVN has it and starts the guest: its first question for an address is answered.
    if (plumbed && (missing.length === 0 || now - note.wired >= INSTALL_MS)) steps.push(...startSteps(spec, note, now, actual, context));
    return { steps, waits, status: off };
  }
  const cards = planCards(spec, alive, context);
  steps.push(...cards);
  const late = spec.nics.filter((nic) => nic.dhcp !== false && !alive.run.has(`lease.eth${nic.deviceId}`));
  const patient = now - Math.max(note.started, note.wired) < LEASE_MS;
  if (patient) {
    for (const nic of late) waits.push(waiting(`waits for the address of eth${nic.deviceId}`));
    if (actual.base.noSsh === undefined && !alive.run.has('ssh.pid')) waits.push(waiting('waits for its SSH server'));
  }
  const noLease = late.map((nic) => `eth${nic.deviceId} has got no address by DHCP`);
  const error = actual.base.noSsh ?? (patient ? undefined : noLease[0]);
  return { steps, waits, status: { id: spec.id, power: 'running', ...(error === undefined ? {} : { error }) } };
}

/** Takes an instance down: kept (its files stay) when the document has it as stopped, removed when it has it no more. */
function planOff(id: string, spec: InstanceSpec | undefined, actual: Actual, context: PlanContext): One {
  const record = actual.records.get(id);
  const status: InstanceStatus = { id, power: 'stopped' };
  if (record !== undefined && record.host !== context.node) return { steps: [], waits: [], status };
  const name = spec?.name ?? record?.name ?? id;
  const reason = spec === undefined ? `${name} is no longer wanted here` : `${name} is to be off`;
  const steps: Step[] = [];
  for (const guest of actual.guests) if (guest.id === id) steps.push({ kind: 'stop', pid: guest.pid, reason });
  const ports = new Set((record?.nics ?? []).map((nic) => nic.port));
  for (const [port, { externalIds }] of actual.ovs.ports) if (externalIds[OWNER] === context.node && (externalIds['vm-id'] ?? '') === id) ports.add(port);
  for (const port of ports) steps.push(...unplug(port, actual, reason, context));
  const netns = netnsOf(id);
  if (record !== undefined && actual.namespaces.has(netns)) steps.push({ kind: 'run', argv: ['ip', 'netns', 'del', netns], reason });
  if (record !== undefined && spec === undefined) {
    steps.push({ kind: 'remove', path: ownOf(id, context), reason });
    steps.push({ kind: 'remove', path: recordFile(context.directory, id), reason });
  } else if (record !== undefined && (record.pid !== null || record.nics.length > 0)) {
    steps.push(writeRecord({ ...record, pid: null, nics: [] }, context, reason));
  }
  return { steps, waits: [], status: actual.guests.some((guest) => guest.id === id) ? { id, power: 'running' } : status };
}

/** The steps to the cables and ports the spec asks for: what to take away before the new note is written, and what to make after. */
function planCables(spec: InstanceSpec, record: InstanceRecord | undefined, actual: Actual, here: boolean, guest: Guest | undefined, context: PlanContext): { clear: Step[]; make: Step[]; rewired: boolean } {
  const clear: Step[] = [];
  const make: Step[] = [];
  for (const known of record?.nics ?? []) {
    const nic = spec.nics.find((one) => one.id === known.id);
    if (nic?.deviceId === known.deviceId) continue;
    const reason = `${spec.name} has no ${known.device} any more, or another one`;
    clear.push(...forget(known.device, guest, reason), ...unplug(known.port, actual, reason, context));
  }
  const pairs: Step[] = [];
  const moves: Step[] = [];
  const plugs: Step[] = [];
  for (const nic of spec.nics) {
    const port = portOf(nic.id);
    const known = record?.nics.find((one) => one.id === nic.id);
    const link = actual.links.get(port);
    const fits = known !== undefined && known.mac === nic.mac && known.deviceId === nic.deviceId;
    const whole = here && fits && link?.away === true;
    if (!whole) {
      const reason = `eth${nic.deviceId} of ${spec.name} is half made or not as wanted`;
      clear.push(...forget(`eth${nic.deviceId}`, guest, reason));
      if (known === undefined || known.deviceId === nic.deviceId) clear.push(...unplug(port, actual, reason, context));
      pairs.push(...makePair(spec, nic, port));
      moves.push(run(['ip', 'link', 'set', peerOf(port), 'netns', netnsOf(spec.id), 'name', `eth${nic.deviceId}`], `the guest's end of eth${nic.deviceId} of ${spec.name}`));
    } else if (link.mtu !== nic.mtu) {
      moves.push(run(['ip', 'link', 'set', port, 'mtu', String(nic.mtu)], `eth${nic.deviceId} of ${spec.name} is to carry ${nic.mtu} bytes`));
    }
    if (!whole || !link.up) moves.push(run(['ip', 'link', 'set', port, 'up'], `our end of eth${nic.deviceId} of ${spec.name}`));
    const plugged = whole ? actual.ovs.ports.get(port)?.externalIds : undefined;
    const ids = portIds(spec, nic, context);
    if (Object.entries(ids).some(([key, value]) => plugged?.[key] !== value)) plugs.push(plug(port, ids, spec, nic, context));
  }
  make.push(...pairs, ...moves, ...plugs);
  return { clear, make, rewired: pairs.length > 0 || clear.length > 0 };
}

/** Both ends with their MAC before either is up (a link-local address would be made of another one), and without checksum offload. */
function makePair(spec: InstanceSpec, nic: NicSpec, port: string): Step[] {
  const what = `eth${nic.deviceId} of ${spec.name}`;
  const mtu = String(nic.mtu);
  return [
    run(['ip', 'link', 'add', port, 'mtu', mtu, 'type', 'veth', 'peer', 'name', peerOf(port), 'address', nic.mac, 'mtu', mtu], `the cable of ${what}`),
    run(['ethtool', '-K', port, 'tx', 'off'], `${what}: the userspace datapath needs real checksums`),
    run(['ethtool', '-K', peerOf(port), 'tx', 'off'], `${what}: the userspace datapath needs real checksums`),
    run(['sysctl', '-eqw', `net.ipv6.conf.${port}.disable_ipv6=1`], `${what}: our end says nothing by itself`),
  ];
}

function peerOf(port: string): string {
  return `p${port.slice(1)}`;
}

function portIds(spec: InstanceSpec, nic: NicSpec, context: PlanContext): Record<string, string> {
  return { 'iface-id': nic.id, 'attached-mac': nic.mac, 'iface-status': 'active', 'vm-id': spec.id, [OWNER]: context.node };
}

function plug(port: string, ids: Record<string, string>, spec: InstanceSpec, nic: NicSpec, context: PlanContext): Step {
  const argv = ['ovs-vsctl', `--db=${context.database}`, '--no-wait', '--timeout=10', '--', '--may-exist', 'add-port', 'br-int', port];
  // A MAC is quoted: a colon would separate key and value.
  const set = Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`);
  return run([...argv, '--', 'set', 'Interface', port, ...set], `eth${nic.deviceId} of ${spec.name} is logical port ${nic.id}`);
}

/** Takes away the guest's mark that it has brought the card up: it does so again with the new cable. (/run is a mount of its own: no link of the guest's is followed.) */
function forget(device: string, guest: Guest | undefined, reason: string): Step[] {
  const marks = [`card.${device}`, `lease.${device}`].filter((mark) => guest?.run.has(mark) === true);
  return marks.map((mark): Step => ({ kind: 'remove', path: `/proc/${guest!.pid}/root/run/${mark}`, reason, routine: true }));
}

function unplug(port: string, actual: Actual, reason: string, context: PlanContext): Step[] {
  const steps: Step[] = [];
  if (actual.ovs.ports.has(port)) steps.push(run(['ovs-vsctl', `--db=${context.database}`, '--no-wait', '--timeout=10', '--', '--if-exists', 'del-port', 'br-int', port], reason));
  if (actual.links.has(port)) steps.push(run(['ip', 'link', 'del', port], reason));
  return steps;
}

function startSteps(spec: InstanceSpec, note: InstanceRecord, now: number, actual: Actual, context: PlanContext): Step[] {
  const own = ownOf(spec.id, context);
  const files = filesOf(spec).map((file): Step => ({ kind: 'write', ...file, path: `${own}/boot/${file.path}`, reason: `${spec.name} is about to start`, routine: true }));
  const { path: base } = actual.base;
  const enter = [`${base}/bin/busybox`, 'sh', `${base}/sbin/guest-enter`, base, own, spec.id];
  return [
    ...files,
    writeRecord({ ...note, boot: spec.boot, pid: null, started: now }, context, `${spec.name} starts for the ${spec.boot}. time`),
    {
      kind: 'start',
      argv: ['nsenter', `--net=/run/netns/${note.netns}`, 'unshare', '--mount', '--uts', '--pid', '--fork', ...enter],
      up: '/run/up',
      console: `${own}/console.log`,
      reason: `${spec.name} is to run`,
    },
  ];
}

/** Cards that came or went after the guest's start: their list is written anew and its first process told to look. */
function planCards(spec: InstanceSpec, guest: Guest, context: PlanContext): Step[] {
  const come = spec.nics.map((nic) => `eth${nic.deviceId}`).filter((device) => !guest.run.has(`card.${device}`));
  const gone = [...guest.run].flatMap((mark) => /^udhcpc\.(.+)$/.exec(mark)?.slice(1) ?? []).filter((device) => !guest.run.has(`card.${device}`));
  if (come.length + gone.length === 0) return [];
  const reason = `cards of ${spec.name} changed: ${[...new Set([...come, ...gone])].join(', ')}`;
  const list = filesOf(spec).filter(({ path }) => path === 'cards');
  return [
    ...list.map((file): Step => ({ kind: 'write', ...file, path: `${ownOf(spec.id, context)}/boot/${file.path}`, reason, routine: true })),
    run(['kill', '-HUP', String(guest.pid)], reason),
  ];
}

/** The instance's folder: what it starts with, what it keeps, what it said while starting. */
function ownOf(id: string, context: PlanContext): string {
  return `${context.directory}/${id}`;
}

function describe(spec: InstanceSpec, context: PlanContext): Pick<InstanceRecord, 'id' | 'name' | 'hostname' | 'host' | 'netns' | 'rootfs' | 'nics'> {
  return {
    id: spec.id,
    name: spec.name,
    hostname: spec.hostname,
    host: context.node,
    netns: netnsOf(spec.id),
    rootfs: `${ownOf(spec.id, context)}/disk`,
    nics: spec.nics.map(({ id, mac, deviceId }) => ({ id, mac, deviceId, device: `eth${deviceId}`, port: portOf(id) })),
  };
}

function differs(record: InstanceRecord, note: InstanceRecord): boolean {
  const { started: _, wired: __, ...a } = record;
  const { started: ___, wired: ____, ...b } = note;
  return Object.entries(b).some(([key, value]) => JSON.stringify(value) !== JSON.stringify(a[key as keyof typeof a]));
}

function writeRecord(record: InstanceRecord, context: PlanContext, reason: string): Step {
  return { kind: 'write', path: recordFile(context.directory, record.id), content: `${JSON.stringify(record, null, 2)}\n`, mode: 0o644, reason, routine: true };
}

function run(argv: readonly string[], reason: string): Step {
  return { kind: 'run', argv, reason };
}
