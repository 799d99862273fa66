// From what an instance should be and what is there to the steps between: pure, and right from any half-done state, since an
// agent may be killed between any two steps.
import type { InstanceSpec, InstanceStatus, NicSpec, NodeDocument } from '../../protocol/document.ts';
import type { TakenReport } from '../../protocol/services.ts';
import type { Plan, Step, Wait, Work } from '../driver.ts';
import { forget, planCables, unplug } from './cables.ts';
import { filesOf, furtherAddresses, listsOf, takenMark } from './files.ts';
import { netnsOf, OWNER, portOf, type PlanContext } from './names.ts';
import type { Actual, Guest } from './read.ts';
import { recordFile, type InstanceRecord } from './record.ts';

/** How long a guest's start waits for OVN to install its ports; then it starts without, and asks for its address until one comes. */
const INSTALL_MS = 10_000;
/** How long a card may take to get its address before that is said. */
const LEASE_MS = 8000;
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
    const one =
      spec?.power === 'running' && !leaves(spec, context)
        ? planRunning(spec, actual, now, context)
        : planOff(id, spec, actual, context);
    if (one.steps.length > 0)
      work.push({
        target: id,
        label: `instance ${spec?.name ?? actual.records.get(id)?.name ?? id}`,
        steps: one.steps,
      });
    waits.push(...one.waits);
    if (spec !== undefined) instances.push(one.status);
  }
  return { work, waits, instances, taken: takenOf(document, actual) };
}

/** Passwords of config drives that guests have taken. Those of the service are the responder's to tell. */
function takenOf(document: NodeDocument, { guests }: Actual): TakenReport[] {
  return document.instances.flatMap(({ id, firstBoot }) => {
    const turn = firstBoot?.toldBy === 'drive' ? firstBoot.password?.turn : undefined;
    if (turn === undefined || !guests.some((guest) => guest.id === id && guest.run.has(takenMark(turn)))) return [];
    return [{ instance: id, turn }];
  });
}

interface One {
  readonly steps: readonly Step[];
  readonly waits: readonly Wait[];
  readonly status: InstanceStatus;
}

function planRunning(spec: InstanceSpec, actual: Actual, now: number, context: PlanContext): One {
  const record = actual.records.get(spec.id);
  const netns = netnsOf(spec.id);
  const all = actual.guests.filter((guest) => guest.id === spec.id);
  const waiting = (what: string): Wait => ({ target: spec.id, what: `instance ${spec.name} ${what}` });
  const off: InstanceStatus = { id: spec.id, power: 'stopped' };

  if (record !== undefined && record.host !== context.node)
    return { steps: [], waits: [waiting(`waits until ${record.host} has let go of it`)], status: off };
  const other = [...actual.records.values()].find((one) => one.id !== spec.id && one.netns === netns);
  if (other !== undefined)
    return { steps: [], waits: [waiting(`cannot be made: the namespace ${netns} is ${other.name}'s`)], status: off };

  const steps: Step[] = [];
  const named = actual.namespaces.get(netns);
  const here = named === true;
  const candidates = here ? all.filter((one) => one.netns === netns) : [];
  const guest = candidates.find((one) => one.pid === record?.pid) ?? candidates[0];
  const reboot = guest !== undefined && record !== undefined && record.boot < spec.boot;
  for (const one of all) {
    if (one !== guest)
      steps.push({ kind: 'stop', pid: one.pid, reason: `a second guest of ${spec.name}, or one without its network` });
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
  if (named === false)
    steps.push({ kind: 'run', argv: ['ip', 'netns', 'del', netns], reason: `${netns} is a name without a namespace` });
  if (!here)
    steps.push({
      kind: 'run',
      argv: ['ip', 'netns', 'add', netns],
      reason: `${spec.name} has no network namespace yet`,
    });
  steps.push(...cables.make);

  const missing = spec.nics
    .map((nic) => portOf(nic.id))
    .filter((port) => actual.ovs.ports.get(port)?.externalIds['ovn-installed'] !== 'true');
  const plumbed = steps.length === 0;
  const waits = missing.map((port) => waiting(`waits for OVN to install port ${port} on ${context.node}`));
  if (!actual.ovs.hasBridge) waits.push(waiting(`waits for ovn-controller to make br-int on ${context.node}`));
  if (alive === undefined) {
    // One pass plumbs, a later one sees that OVN has it and starts the guest: its first question for an address is answered.
    if (plumbed && (missing.length === 0 || now - note.wired >= INSTALL_MS))
      steps.push(...startSteps(spec, note, now, actual, context));
    return { steps, waits, status: off };
  }
  const cards = planCards(spec, alive, context);
  steps.push(...cards);
  const late = spec.nics.filter((nic) => nic.dhcp !== false && !alive.run.has(`lease.eth${nic.deviceId}`));
  const late6 = spec.nics.filter(
    ({ six, deviceId }) => six !== undefined && !alive.run.has(`slaac.eth${deviceId}.${six.address}`),
  );
  const patient = now - Math.max(note.started, note.wired) < LEASE_MS;
  if (patient) {
    for (const nic of late) waits.push(waiting(`waits for the address of eth${nic.deviceId}`));
    for (const nic of late6) waits.push(waiting(`waits for the IPv6 address of eth${nic.deviceId}`));
    if (actual.base.noSsh === undefined && !alive.run.has('ssh.pid')) waits.push(waiting('waits for its SSH server'));
  }
  const noLease = [
    ...late.map((nic) => `eth${nic.deviceId} has got no address by DHCP`),
    ...late6.map((nic) => `eth${nic.deviceId} has not made the address ${nic.six?.address}: it has heard of no router`),
  ];
  const { noSsh } = actual.base;
  const error = noSsh?.fault === true ? noSsh.why : patient ? undefined : noLease[0];
  const lacks = noSsh?.fault === false ? { note: noSsh.why } : {};
  return {
    steps,
    waits,
    status: { id: spec.id, power: 'running', ...lacks, ...(error === undefined ? {} : { error }) },
  };
}

/** Whether it moves away. A namespace cannot move while it runs: here it ends, and its destination starts it with the same files. */
function leaves({ migration }: InstanceSpec, { node }: PlanContext): boolean {
  return migration?.from === node && migration.to !== node;
}

/** Takes an instance down: kept (its files stay) when the document has it as stopped, removed when it has it no more. */
function planOff(id: string, spec: InstanceSpec | undefined, actual: Actual, context: PlanContext): One {
  const record = actual.records.get(id);
  const status: InstanceStatus = { id, power: 'stopped' };
  if (record !== undefined && record.host !== context.node) return { steps: [], waits: [], status };
  const name = spec?.name ?? record?.name ?? id;
  const leaving = spec !== undefined && leaves(spec, context);
  const reason =
    spec === undefined
      ? `${name} is no longer wanted here`
      : `${name} is ${leaving ? `let go of: it moves to ${spec.migration!.to}` : 'to be off'}`;
  const steps: Step[] = [];
  // Nodes that share a machine see each other's guests: once let go of, what runs is the destination's.
  const ours = record !== undefined || !leaving;
  for (const guest of actual.guests) if (ours && guest.id === id) steps.push({ kind: 'stop', pid: guest.pid, reason });
  const ports = new Set((record?.nics ?? []).map((nic) => nic.port));
  for (const [port, { externalIds }] of actual.ovs.ports)
    if (externalIds[OWNER] === context.node && (externalIds['vm-id'] ?? '') === id) ports.add(port);
  for (const port of ports) steps.push(...unplug(port, actual, reason, context));
  const netns = netnsOf(id);
  if (record !== undefined && actual.namespaces.has(netns))
    steps.push({ kind: 'run', argv: ['ip', 'netns', 'del', netns], reason });
  if (record !== undefined && spec === undefined) {
    steps.push({ kind: 'remove', path: ownOf(id, context), reason });
    steps.push({ kind: 'remove', path: recordFile(context.directory, id), reason });
  } else if (record !== undefined && leaving) {
    // The note says whose it is: without it the destination may begin.
    steps.push({ kind: 'remove', path: recordFile(context.directory, id), reason, routine: true });
  } else if (record !== undefined && (record.pid !== null || record.nics.length > 0)) {
    steps.push(writeRecord({ ...record, pid: null, nics: [] }, context, reason));
  }
  return {
    steps,
    waits: [],
    status: ours && actual.guests.some((guest) => guest.id === id) ? { id, power: 'running' } : status,
  };
}

function startSteps(
  spec: InstanceSpec,
  note: InstanceRecord,
  now: number,
  actual: Actual,
  context: PlanContext,
): Step[] {
  const own = ownOf(spec.id, context);
  const reason = `${spec.name} is about to start`;
  const files = filesOf(spec).map(({ path, content, mode }): Step => ({
    kind: 'write',
    path: `${own}/boot/${path}`,
    ...(typeof content === 'string' ? { content } : { content: content.toString('base64'), encoding: 'base64' }),
    mode,
    reason,
    routine: true,
  }));
  const { path: base } = actual.base;
  const enter = [`${base}/bin/busybox`, 'sh', `${base}/sbin/guest-enter`, base, own, spec.id];
  return [
    // What it was told before is not told again: a password is for one start.
    { kind: 'remove', path: `${own}/boot`, reason, routine: true },
    ...files,
    writeRecord(
      { ...note, boot: spec.boot, pid: null, started: now },
      context,
      `${spec.name} starts for the ${spec.boot}. time`,
    ),
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
  const gone = [...guest.run]
    .flatMap((mark) => /^udhcpc\.(.+)$/.exec(mark)?.slice(1) ?? [])
    .filter((device) => !guest.run.has(`card.${device}`));
  const wanted = new Set(
    spec.nics.flatMap((nic) => furtherAddresses(nic).map((ip) => `address.eth${nic.deviceId}.${ip}`)),
  );
  const had = new Set([...guest.run].filter((mark) => mark.startsWith('address.')));
  const addresses = wanted.symmetricDifference(had);
  const stale = spec.nics.filter((nic) => hasOldLease(nic, guest));
  if (come.length + gone.length + addresses.size + stale.length === 0) return [];
  const moved = [...addresses].map((mark) => mark.slice('address.'.length).replace('.', ' '));
  const renewed = stale.map((nic) => `eth${nic.deviceId}`);
  const reason = `cards of ${spec.name} changed: ${[...new Set([...come, ...gone, ...moved, ...renewed])].join(', ')}`;
  const list = listsOf(spec);
  return [
    ...stale.flatMap((nic) => forget(`eth${nic.deviceId}`, guest, `${spec.name} is to ask for its new address`)),
    ...list.map((file): Step => ({
      kind: 'write',
      ...file,
      path: `${ownOf(spec.id, context)}/boot/${file.path}`,
      reason,
      routine: true,
    })),
    { kind: 'run', argv: ['kill', '-HUP', String(guest.pid)], reason },
  ];
}

/** Whether the card has got another address than it is to have now: it asks again, as a machine does that is started anew. */
function hasOldLease(nic: NicSpec, guest: Guest): boolean {
  const [main] = nic.addresses ?? [];
  if (main === undefined || nic.dhcp === false) return false;
  const mark = `leased.eth${nic.deviceId}.`;
  const leases = [...guest.run].filter((name) => name.startsWith(mark));
  return leases.length > 0 && !leases.includes(`${mark}${main.ip}`);
}

/** The instance's folder: what it starts with, what it keeps, what it said while starting. */
function ownOf(id: string, context: PlanContext): string {
  return `${context.directory}/${id}`;
}

function describe(
  spec: InstanceSpec,
  context: PlanContext,
): Pick<InstanceRecord, 'id' | 'name' | 'hostname' | 'host' | 'netns' | 'rootfs' | 'nics'> {
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
  return {
    kind: 'write',
    path: recordFile(context.directory, record.id),
    content: `${JSON.stringify(record, null, 2)}\n`,
    mode: 0o644,
    reason,
    routine: true,
  };
}
