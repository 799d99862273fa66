// From what an instance should be and what libvirt has to the steps between: pure, and right from any half-done state. Domains are
// transient: one that is off is not there, and nothing has to be kept in step with a definition.
import type { InstanceSpec, InstanceStatus, NodeDocument } from '../../protocol/document.ts';
import type { TakenReport } from '../../protocol/services.ts';
import type { Plan, Step, Work } from '../driver.ts';
import { portOf } from '../netns/names.ts';
import { removePort } from '../ovs-port.ts';
import { isLive } from './domain.ts';
import { planCards, waitsOfCards } from './cards.ts';
import { planArrival, planDeparture } from './move.ts';
import { off, type One, waiting } from './one.ts';
import type { Actual } from './read.ts';
import { recordFile } from './record.ts';
import { startSteps, writeRecord } from './start.ts';
import { virsh } from './virsh.ts';
import { folderOf, type MachineContext } from './xml.ts';

/** Plans all instances of the node: those of the document, and those of ours that are there and should not be. */
export function planMachines(document: NodeDocument, actual: Actual, now: number, context: MachineContext): Plan {
  const wanted = new Map(document.instances.map((spec) => [spec.id, spec]));
  const ours = [...actual.records.values()].filter((record) => record.host === context.node).map(({ id }) => id);
  const marked = [...actual.domains.values()].filter((domain) => domain.mark !== undefined).map(({ id }) => id);
  const ids = new Set([...wanted.keys(), ...ours, ...marked, ...stalePorts(actual).map(({ instance }) => instance)]);
  const work: Work[] = [];
  const waits: Plan['waits'][number][] = [];
  const instances: InstanceStatus[] = [];
  for (const id of ids) {
    const spec = wanted.get(id);
    const one =
      spec?.power === 'running' ? planRunning(spec, actual, now, context) : planOff(id, spec, actual, context);
    const name = spec?.name ?? actual.domains.get(id)?.name ?? actual.records.get(id)?.name ?? id;
    if (one.steps.length > 0) work.push({ target: id, label: `instance ${name}`, steps: one.steps });
    waits.push(...one.waits);
    if (spec !== undefined) instances.push(one.status);
  }
  return { work, waits, instances, taken: takenOf(document, actual) };
}

/** Passwords that stand on the config drives of guests which run: they have been told, and the next start tells no more. */
function takenOf(document: NodeDocument, actual: Actual): TakenReport[] {
  return document.instances.flatMap(({ id, firstBoot }) => {
    const domain = actual.domains.get(id);
    const turn = firstBoot?.toldBy === 'drive' ? firstBoot.password?.turn : undefined;
    const told = turn !== undefined && actual.records.get(id)?.turn === turn && domain !== undefined && isLive(domain);
    return told ? [{ instance: id, turn }] : [];
  });
}

function planRunning(spec: InstanceSpec, actual: Actual, now: number, context: MachineContext): One {
  const domain = actual.domains.get(spec.id);
  if (domain !== undefined && domain.mark === undefined)
    return waiting(
      spec,
      `cannot be made: libvirt on ${context.node} has a domain of its id that is not ours`,
      off(spec),
    );
  const { migration } = spec;
  if (migration?.from === context.node && migration.to !== context.node)
    return planDeparture(spec, actual, now, context) ?? planStart(spec, actual, now, context);
  if (domain !== undefined && isLive(domain) && !domain.state.startsWith('paused (migrating)'))
    return planLive(spec, actual, now, context);
  if (migration?.to === context.node) return planArrival(spec, actual, now, context);
  return planStart(spec, actual, now, context);
}

/** It is not there. */
function planStart(spec: InstanceSpec, actual: Actual, now: number, context: MachineContext): One {
  const domain = actual.domains.get(spec.id);
  const record = actual.records.get(spec.id);
  if (domain !== undefined && isLive(domain)) return waiting(spec, `is still arriving on ${context.node}`, off(spec));
  // Nodes that share their files: it runs on one of them at a time.
  if (record !== undefined && record.host !== context.node && spec.migration?.from !== context.node)
    return waiting(spec, `waits until ${record.host} has let go of it`, off(spec));
  if (!actual.ovs.hasBridge)
    return waiting(spec, `waits for ovn-controller to make br-int on ${context.node}`, off(spec));
  if (!actual.bootable) {
    const { boot } = context;
    const what = 'kernel' in boot ? `its kernel ${boot.kernel}` : `its image ${boot.image}`;
    return waiting(spec, `cannot start on ${context.node}: ${what} is not there`, off(spec));
  }
  return { steps: startSteps(spec, domain, actual, now, context), waits: [], status: off(spec) };
}

/** It is there: what of it is not as wanted. */
function planLive(spec: InstanceSpec, actual: Actual, now: number, context: MachineContext): One {
  const domain = actual.domains.get(spec.id)!;
  const record = actual.records.get(spec.id);
  const status: InstanceStatus = { id: spec.id, power: 'running' };
  if (spec.migration === undefined && domain.mark!.boot < spec.boot) {
    const argv = virsh(context.uri, 'destroy', spec.id);
    return { steps: [{ kind: 'run', argv, reason: `${spec.name} is to be rebooted` }], waits: [], status };
  }
  if (domain.job?.startsWith('outgoing migration') === true) {
    const argv = virsh(context.uri, 'domjobabort', spec.id);
    return { steps: [{ kind: 'run', argv, reason: `${spec.name} is to stay here` }], waits: [], status };
  }
  const steps: Step[] = [];
  if (domain.persistent)
    steps.push({
      kind: 'run',
      argv: virsh(context.uri, 'undefine', spec.id),
      reason: `${spec.name} has come: nothing is to be left of it here when it goes`,
    });
  if (/^paused \((user|migration|unknown|save|dump|starting up)\)/.test(domain.state))
    steps.push({ kind: 'run', argv: virsh(context.uri, 'resume', spec.id), reason: `${spec.name} is ${domain.state}` });
  const cards = planCards(spec, domain, context);
  steps.push(...cards);
  if (record?.host !== context.node || cards.length > 0) {
    const arrived = record?.host === context.node ? record.arrived : true;
    const started = record?.host === context.node ? record.started : now;
    const turn = record?.turn === undefined ? {} : { turn: record.turn };
    steps.unshift(
      writeRecord(spec, { started, wired: now, arrived, ...turn }, context, `what is known of ${spec.name}`),
    );
  }
  const { waits, error } = waitsOfCards(spec, actual, now, context);
  const stuck = /^paused \((I\/O error|crashed|ioerror|watchdog)/.test(domain.state)
    ? `${spec.name} is ${domain.state}`
    : undefined;
  const wrong = stuck ?? error;
  return { steps, waits, status: wrong === undefined ? status : { ...status, error: wrong } };
}

/** Takes an instance down: its files stay when the document has it as stopped, and go when it has it no more. */
function planOff(id: string, spec: InstanceSpec | undefined, actual: Actual, context: MachineContext): One {
  const domain = actual.domains.get(id);
  const record = actual.records.get(id);
  const name = spec?.name ?? domain?.name ?? record?.name ?? id;
  const reason = spec === undefined ? `${name} is no longer wanted here` : `${name} is to be off`;
  const steps: Step[] = [];
  const live = domain?.mark !== undefined && isLive(domain);
  if (live) steps.push({ kind: 'run', argv: virsh(context.uri, 'destroy', id), reason });
  if (domain?.mark !== undefined && domain.persistent)
    steps.push({ kind: 'run', argv: virsh(context.uri, 'undefine', id), reason });
  if (!live)
    for (const { port } of stalePorts(actual).filter(({ instance }) => instance === id))
      steps.push(removePort(context.database, port, `${name} is not there any more, its port ${port} is`));
  const elsewhere = record !== undefined && record.host !== context.node;
  if (spec === undefined && !elsewhere && (record !== undefined || domain?.mark !== undefined)) {
    steps.push({ kind: 'remove', path: folderOf(id, context), reason });
    steps.push({ kind: 'remove', path: recordFile(context.directory, id), reason, routine: true });
  }
  return { steps, waits: [], status: { id, power: live ? 'running' : 'stopped' } };
}

/** Ports that libvirt made for instances which are not there: a node that lost power leaves them. */
function stalePorts(actual: Actual): { readonly port: string; readonly instance: string }[] {
  return [...actual.ovs.ports].flatMap(([port, { externalIds }]) => {
    const [nic, instance] = [externalIds['iface-id'], externalIds['vm-id']];
    if (nic === undefined || instance === undefined || port !== portOf(nic)) return [];
    const domain = actual.domains.get(instance);
    return domain !== undefined && isLive(domain) ? [] : [{ port, instance }];
  });
}
