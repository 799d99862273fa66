// A real cloud for all tests of a file, with a tenant in it who makes things through the API, and pings between the instances.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { RunResult } from '../../src/lib/run.ts';
import { type Cloud, startCloud } from '../../src/demo/cloud.ts';
import { type Guest, type Tenant, tenantOf } from '../../src/demo/tenant.ts';
import { createWire, type Wire } from '../../src/demo/wire.ts';
import { topologyNamed } from '../../src/lab/start.ts';
import { listenBeside } from './bystanders.ts';
import { type Scope, afterwards, temporaryState } from './lab.ts';

export { guestOf, PRIVATE, type Guest, type Tenant } from '../../src/demo/tenant.ts';

export interface LabCloud {
  readonly cloud: Cloud;
  readonly tenant: Tenant;
  /** What is seen on the wire: outages, VLAN tags, ARP caches. */
  readonly wire: Wire;
  exec(guest: Pick<Guest, 'id'>, ...argv: readonly string[]): Promise<RunResult>;
  /** One echo request, a second for its answer: the first packet counts. */
  ping(from: Pick<Guest, 'id'>, to: Pick<Guest, 'address'>): Promise<boolean>;
}

export interface SuiteOptions {
  /** The tenant's account (default: acme-admin). */
  readonly account?: string;
  /** The lab, by the name of its file in `lab/` (default: the three hypervisors). */
  readonly topology?: string;
  /** Plain machines besides those of the file, in its words. */
  readonly machines?: readonly object[];
  /** Whether two tenants listen for each other's packets all the time. */
  readonly bystanders?: boolean;
}

/**
 * A cloud for all tests of a suite, with an empty tenant; it ends, and its folder goes, with the suite. Call in the suite itself:
 * what a hook registers for later is done as soon as the hook ends.
 */
export function cloudForSuite(begin: (lab: LabCloud) => Promise<void> | void, options: SuiteOptions = {}): void {
  const scope: Scope = { after };
  const state = temporaryState(scope);
  let cloud: Cloud | undefined;
  let endBystanders: (() => Promise<unknown>) | undefined;
  before(async () => {
    const topologyFile = withMachines(topologyNamed(options.topology), options.machines ?? [], state);
    cloud = await startCloud({ state, port: 0, log: () => undefined, topologyFile });
    const lab = await labCloud(cloud, options.account);
    await begin(lab);
    if (options.bystanders === true) endBystanders = await listenBeside(lab);
  });
  afterwards(scope, async () => cloud?.stop());
  afterwards(scope, async () => void (await endBystanders?.()));
}

function withMachines(file: string, more: readonly object[], state: string): string {
  if (more.length === 0) return file;
  const topology = JSON.parse(readFileSync(file, 'utf8')) as { readonly machines?: readonly object[] };
  const own = join(state, 'topology.json');
  writeFileSync(own, JSON.stringify({ ...topology, machines: [...(topology.machines ?? []), ...more] }));
  return own;
}

export async function labCloud(cloud: Cloud, account = 'acme-admin'): Promise<LabCloud> {
  const exec: LabCloud['exec'] = (guest, ...argv) => cloud.lab.exec(guest.id, argv, { timeoutMs: 20_000 });
  return {
    cloud,
    tenant: await tenantOf(cloud, account),
    wire: createWire(cloud),
    exec,
    ping: async (from, to) => (await exec(from, 'ping', '-c', '1', '-W', '1', to.address)).code === 0,
  };
}
