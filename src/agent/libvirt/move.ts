// An instance that moves, live, while it runs. The destination says first that it expects it, by a domain that is defined and off; only
// then does the source send it. Whoever is killed on the way finds by looking at both ends how far it is: it never runs twice.
import type { InstanceSpec } from '../../protocol/document.ts';
import { isLive } from './domain.ts';
import { off, type One, waiting } from './one.ts';
import { type Actual, fill, moveLog, peerUri } from './read.ts';
import { fileSteps, writeRecord } from './start.ts';
import { virsh } from './virsh.ts';
import { domainXml, folderOf, type MachineContext } from './xml.ts';

/** A move that has just begun is not seen as a job yet; one that failed is tried again after this. */
const AGAIN_MS = 3000;
const PATIENCE_S = 300;

/** At the source. Undefined when it runs on neither side: then it has to be started here, and moves after that. */
export function planDeparture(
  spec: InstanceSpec,
  actual: Actual,
  now: number,
  context: MachineContext,
): One | undefined {
  const migration = spec.migration!;
  const { to } = migration;
  const domain = actual.domains.get(spec.id);
  const live = domain !== undefined && isLive(domain);
  const status = live ? ({ id: spec.id, power: 'running' } as const) : off(spec);
  const wait = (what: string): One => waiting(spec, what, status);
  if (context.migration === undefined)
    return wait(`cannot move to ${to}: the agent's configuration on ${context.node} has no instances.migration`);
  const uri = peerUri(context.migration, migration);
  const peer = actual.peers.get(spec.id) ?? { silent: 'it was not asked yet' };
  if (typeof peer === 'object' && 'silent' in peer)
    return wait(`cannot move to ${to}: libvirt there does not answer at ${uri}: ${peer.silent}`);
  const there =
    peer === 'absent' || peer.state.startsWith('shut off')
      ? 'off'
      : peer.state.startsWith('running')
        ? 'running'
        : 'coming';

  if (!live) {
    if (there === 'running') return { steps: [], waits: [], status };
    return there === 'coming' ? wait(`is arriving on ${to}`) : undefined;
  }
  if (domain.job !== undefined) return wait(`moves to ${to}: ${domain.job}`);
  const last = actual.tries.get(spec.id);
  if (last !== undefined && now - last.at < AGAIN_MS)
    return wait(last.said === '' ? `moves to ${to}` : `could not move to ${to}: ${last.said}`);
  if (there !== 'off') return wait(`moves to ${to}`);
  if (peer === 'absent') return wait(`waits until ${to} expects it`);
  const { data, tls } = context.migration;
  const argv = virsh(
    context.uri,
    'migrate',
    '--live',
    '--abort-on-error',
    // One that writes faster than the wire carries is stopped for the rest of its way, or it would never arrive.
    '--timeout',
    String(PATIENCE_S),
    '--timeout-suspend',
    ...(tls ? ['--tls'] : []),
    '--migrateuri',
    fill(data, migration),
    spec.id,
    uri,
  );
  const reason = `${spec.name} moves to ${to} while it runs`;
  return { steps: [{ kind: 'launch', argv, output: moveLog(spec.id, context), reason }], waits: [], status };
}

/** At the destination, while it is not here: says that it is expected. */
export function planArrival(spec: InstanceSpec, actual: Actual, now: number, context: MachineContext): One {
  const { from } = spec.migration!;
  const domain = actual.domains.get(spec.id);
  if (domain !== undefined)
    return waiting(spec, isLive(domain) ? `is arriving from ${from}` : `waits for ${from} to hand it over`, off(spec));
  const reason = `${spec.name} is expected from ${from}`;
  const file = `${folderOf(spec.id, context)}/domain.xml`;
  // Nodes that share their files have the source's note, which stays until the instance is here.
  const noted = actual.records.has(spec.id);
  return {
    steps: [
      ...(noted ? [] : [writeRecord(spec, { started: now, wired: now, arrived: true }, context, reason)]),
      ...fileSteps(spec, actual, reason, context),
      {
        kind: 'write',
        path: file,
        content: domainXml(spec, actual.accelerated, context),
        mode: 0o600,
        reason,
        routine: true,
      },
      { kind: 'run', argv: virsh(context.uri, 'define', file), reason },
    ],
    waits: [],
    status: off(spec),
  };
}
