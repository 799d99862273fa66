// The steps that start an instance: its note, its seed disk, its description, and libvirt is told.
import type { InstanceSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import type { Domain } from './domain.ts';
import type { Actual } from './read.ts';
import { type MachineRecord, recordFile } from './record.ts';
import { seedOf } from './seed.ts';
import { virsh } from './virsh.ts';
import { domainXml, folderOf, type MachineContext } from './xml.ts';

/** `domain` is one that is off but kept, as after a move that was called off. */
export function startSteps(
  spec: InstanceSpec,
  domain: Domain | undefined,
  actual: Actual,
  now: number,
  context: MachineContext,
): Step[] {
  const reason = `${spec.name} is to run`;
  const file = `${folderOf(spec.id, context)}/domain.xml`;
  return [
    ...(domain === undefined
      ? []
      : [
          {
            kind: 'run',
            argv: virsh(context.uri, 'undefine', spec.id),
            reason: `${spec.name} is not to come, but to start here`,
          } as const,
        ]),
    writeRecord(spec, { started: now, wired: now, arrived: false, ...turnOf(spec) }, context, reason),
    ...fileSteps(spec, actual, reason, context),
    {
      kind: 'write',
      path: file,
      content: domainXml(spec, actual.accelerated, context),
      mode: 0o600,
      reason,
      routine: true,
    },
    { kind: 'run', argv: virsh(context.uri, 'create', file), reason },
  ];
}

/** The instance's disks: its seed, and one of its own over the image where there is one. */
export function fileSteps(spec: InstanceSpec, actual: Actual, reason: string, context: MachineContext): Step[] {
  const folder = folderOf(spec.id, context);
  const steps: Step[] = [
    {
      kind: 'write',
      path: `${folder}/seed.iso`,
      content: seedOf(spec, 'image' in context.boot).toString('base64'),
      encoding: 'base64',
      mode: 0o600,
      reason,
      routine: true,
    },
  ];
  if ('image' in context.boot && !actual.disks.has(spec.id))
    steps.push({
      kind: 'run',
      argv: [
        'qemu-img',
        'create',
        '-q',
        '-f',
        'qcow2',
        '-F',
        'qcow2',
        '-b',
        context.boot.image,
        `${folder}/disk.qcow2`,
      ],
      reason: `${spec.name} has no disk yet`,
    });
  return steps;
}

function turnOf({ firstBoot }: InstanceSpec): Pick<MachineRecord, 'turn'> {
  const turn = firstBoot?.toldBy === 'drive' ? firstBoot.password?.turn : undefined;
  return turn === undefined ? {} : { turn };
}

export function writeRecord(
  spec: InstanceSpec,
  since: Pick<MachineRecord, 'started' | 'wired' | 'arrived' | 'turn'>,
  context: MachineContext,
  reason: string,
): Step {
  const { id, name, hostname } = spec;
  const record: MachineRecord = { driver: 'libvirt', id, name, hostname, host: context.node, ...since };
  return {
    kind: 'write',
    path: recordFile(context.directory, id),
    content: `${JSON.stringify(record, null, 2)}\n`,
    mode: 0o644,
    reason,
    routine: true,
  };
}
