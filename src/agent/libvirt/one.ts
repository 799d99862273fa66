// What is planned of one instance, and how a wait is said.
import type { InstanceSpec, InstanceStatus } from '../../protocol/document.ts';
import type { Step, Wait } from '../driver.ts';

export interface One {
  readonly steps: readonly Step[];
  readonly waits: readonly Wait[];
  readonly status: InstanceStatus;
}

export function off({ id }: InstanceSpec): InstanceStatus {
  return { id, power: 'stopped' };
}

/** Nothing to do but to wait; `what` goes on after "instance NAME". */
export function waiting(spec: InstanceSpec, what: string, status: InstanceStatus): One {
  return { steps: [], waits: [waitOf(spec, what)], status };
}

export function waitOf({ id, name }: InstanceSpec, what: string): Wait {
  return { target: id, what: `instance ${name} ${what}` };
}
