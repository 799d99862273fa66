// Tenants who listen while a story is played (facts of security 23): equal addresses in equal places, each with two VPCs joined over a
// wire, and marked packets from everybody to everybody all the time. One that reaches another tenant is a failure, whatever went on.
import type { Tenant } from '../../src/demo/tenant.ts';
import { type Cell, type ProbeReport, whileProbing } from './leak-probe.ts';
import { newTenant } from './more-tenants.ts';
import type { Guest, LabCloud } from './tenant-lab.ts';

export interface Bystander extends Cell {
  readonly tenant: Tenant;
  /** 10.1.0.0/16 and 10.2.0.0/16. */
  readonly vpcs: readonly [string, string];
  /** Ids of the private gateways of both, on a VLAN. */
  readonly gateways: readonly string[];
}

/** Makes a tenant's VPCs and three guests, on three hypervisors. */
export async function bystander(tenant: Tenant, name: string): Promise<Bystander> {
  const wire = await tenant.privateNetwork('172.16.0.0/24', 'pool');
  const made = await Promise.all(
    [1, 2].map(async (number) => {
      const vpcid = await tenant.vpc(`v${number}`, `10.${number}.0.0/16`);
      const tier = await tenant.tier(vpcid, `10.${number}.1.1`, 'default_allow');
      const gateway = await tenant.gateway(vpcid, wire, `172.16.0.${number}`, 'default_allow');
      await tenant.route(vpcid, `10.${3 - number}.0.0/16`, `172.16.0.${3 - number}`);
      return { vpcid, tier, gateway };
    }),
  );
  const [first, second] = made;
  const at = (label: string, tier: string, host: string, ipaddress: string): Promise<Guest> =>
    tenant.instance(`${name}-${label}`, tier, host, { ipaddress });
  const guests = await Promise.all([
    at('a', first!.tier, 'h1', '10.1.1.10'),
    at('b', first!.tier, 'h2', '10.1.1.11'),
    at('c', second!.tier, 'h3', '10.2.1.10'),
  ]);
  return {
    tenant,
    name,
    guests,
    vpcs: [first!.vpcid, second!.vpcid],
    gateways: [first!.gateway, second!.gateway],
  };
}

/** Two bystanders beside whatever is there. What is returned ends them; it throws for each packet that one heard of the other. */
export async function listenBeside({ cloud }: LabCloud): Promise<() => Promise<ProbeReport>> {
  const tenants = [await newTenant(cloud, 'initech'), await newTenant(cloud, 'hooli')];
  const cells = await Promise.all(tenants.map((tenant, index) => bystander(tenant, `bystander${index + 1}`)));
  const ended = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  const during = (): Promise<void> => {
    began.resolve();
    return ended.promise;
  };
  const probing = whileProbing(cloud, cells, during, { intervalMs: 500, patienceMs: 40_000 });
  await Promise.race([began.promise, probing]);
  // A failure is told at the end: until then nobody waits for it.
  probing.catch(() => undefined);
  return () => {
    ended.resolve();
    return probing;
  };
}
