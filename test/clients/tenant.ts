// The ground on which clients that are not ours play a whole tenant's life: a lab with real packets, public addresses to be had, and
// the operator's keys. A client's own script does the rest; what it needs to look at the wire is in its environment.
import { join } from 'node:path';
import { field, rows, text } from '../../src/demo/answer.ts';
import { CHECKOUT } from '../../src/lab/layout.ts';
import { type RunResult, tryRun } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import type { LabCloud } from '../support/tenant-lab.ts';

export interface Keys {
  readonly apikey: string;
  readonly secretkey: string;
}

/** A new domain with an account that administers it, as the operator makes them for a new tenant. */
export async function newTenant({ cloud }: LabCloud, name: string): Promise<Keys> {
  const admin = cloud.as('admin');
  const domainid = text(field(await admin('createDomain', { name }), 'domain'), 'id');
  const person = { username: name, password: `${name}-Pa55word`, firstname: name, lastname: 'Admin' };
  await admin('createAccount', { ...person, email: `${name}@example.org`, accounttype: '2', domainid });
  const [user] = rows(await admin('listUsers', { username: name, listall: 'true' }), 'user');
  const keys = field(await admin('registerUserKeys', { id: text(user, 'id') }), 'userkeys');
  return { apikey: text(keys, 'apikey'), secretkey: text(keys, 'secretkey') };
}

/** The argv that runs a command in a node or an instance: ARGV NAME-OR-ID -- COMMAND. */
export function labCommand({ cloud }: LabCloud): string[] {
  return [join(CHECKOUT, 'trunkline'), 'lab', 'exec', '--state', cloud.state];
}

/**
 * Runs a client's script. CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET say where and who; LAB_EXEC is a JSON list, the argv
 * that runs a command in a node or an instance: LAB_EXEC NAME-OR-ID -- COMMAND.
 */
export function play(
  lab: LabCloud,
  argv: readonly [string, ...string[]],
  keys: Keys,
  more: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  return tryRun(argv, {
    timeoutMs: 240_000,
    env: {
      CLOUDSTACK_ENDPOINT: lab.cloud.access.endpoint,
      CLOUDSTACK_KEY: keys.apikey,
      CLOUDSTACK_SECRET: keys.secretkey,
      LAB_EXEC: JSON.stringify(labCommand(lab)),
      ...more,
    },
  });
}

/** What a tenant can have, and the key of each in its list. */
const THINGS = {
  listVirtualMachines: 'virtualmachine',
  listVolumes: 'volume',
  listNetworks: 'network',
  listVPCs: 'vpc',
  listPrivateGateways: 'privategateway',
  listPublicIpAddresses: 'publicipaddress',
  listLoadBalancerRules: 'loadbalancerrule',
  listPortForwardingRules: 'portforwardingrule',
  listFirewallRules: 'firewallrule',
  listSSHKeyPairs: 'sshkeypair',
  listAffinityGroups: 'affinitygroup',
} as const;

/** What the operator still sees of anybody's; deletions that nobody waited for are given some time. */
export async function nothingLeft({ cloud }: LabCloud): Promise<void> {
  const admin = cloud.as('admin');
  for (const [command, key] of Object.entries(THINGS)) {
    await eventually(`${command} shows nothing`, async () => {
      const left = rows(await admin(command, { listall: 'true' }), key);
      return left.length === 0 ? true : undefined;
    });
  }
}
