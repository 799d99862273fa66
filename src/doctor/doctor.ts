// The doctor's visit: collect, judge, print. Apart so that collecting and judging can be used without the other.
import { collect } from './collect.ts';
import type { Role } from './facts.ts';
import { formatFindings } from './format.ts';
import { exitStatus, judge } from './judge.ts';

const ROLES: readonly Role[] = ['server', 'hypervisor', 'gateway', 'witness', 'router'];

export interface DoctorOptions {
  readonly role: readonly string[];
  readonly ovs: string;
  readonly underlayDevice?: string;
  readonly json: boolean;
}

/** Prints what this machine can and cannot do in these roles, and returns the exit status. Throws for a role there is not. */
export async function doctor({ role, ovs, underlayDevice, json }: DoctorOptions): Promise<number> {
  const roles = role.map((name) => {
    const known = ROLES.find((one) => one === name);
    if (known === undefined) throw new Error(`there is no role "${name}": the roles are ${ROLES.join(', ')}`);
    return known;
  });
  const facts = await collect({ ovs, ...(underlayDevice === undefined ? {} : { underlayDevice }) });
  const findings = judge(facts, roles);
  process.stdout.write(json ? `${JSON.stringify({ facts, findings }, undefined, 2)}\n` : formatFindings(findings));
  return exitStatus(findings);
}
