// Isolation, while everything changes (facts of security 23): three tenants with the same addresses in the same places, each with two VPCs
// joined over a wire. Marked packets go from everybody to everybody all the time, while tenants build and tear down, the control plane is
// killed program by program, and gateways fail. One packet that reaches another tenant is a failure.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, text } from '../../src/demo/answer.ts';
import { type Tenant, tenantOf } from '../../src/demo/tenant.ts';
import { chassisNodes } from '../../src/lab/topology.ts';
import { labStatus } from '../../src/lab/status.ts';
import { run } from '../../src/lib/run.ts';
import { type Bystander, bystander } from '../support/bystanders.ts';
import { eventually } from '../support/lab.ts';
import { type Cell, whileProbing } from '../support/leak-probe.ts';
import { newTenant } from '../support/more-tenants.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let sides: readonly Bystander[];

suite('isolation of tenants with equal addresses', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      const tenants = [
        await tenantOf(lab.cloud, 'acme-admin'),
        await tenantOf(lab.cloud, 'globex-admin'),
        await newTenant(lab.cloud, 'initech'),
      ];
      sides = await Promise.all(tenants.map((tenant, index) => bystander(tenant, `tenant${index + 1}`)));
    },
    { topology: 'region' },
  );

  test('23: no packet reaches another tenant while tenants build, change and tear down', async (t) => {
    const report = await probing(async () => {
      await Promise.all(sides.map(({ tenant, vpcs }, index) => changes(tenant, vpcs[0], `10.1.${50 + index}.1`)));
    });
    t.diagnostic(`${report.heard} packets heard where they belong, in ${report.pairs} pairs`);
  });

  test('23: nor while the control plane is killed, program by program, and the next change is made', async (t) => {
    const report = await probing(async () => {
      for (const program of ['server', 'agent', 'ovn-northd', 'ovn-nb', 'ovn-sb', 'ovn-controller']) {
        for (const pid of await pidsOf(program)) process.kill(pid, 'SIGKILL');
        await eventually(`${program} again`, async () => ((await isBack(program)) ? true : undefined), 20_000);
      }
      await eventually(
        'the API',
        async () =>
          lab.tenant.call('listZones').then(
            () => true as const,
            () => undefined,
          ),
        20_000,
      );
      const { tenant, vpcs } = sides[0]!;
      await changes(tenant, vpcs[1], '10.2.50.1');
    });
    t.diagnostic(`${report.heard} packets heard where they belong`);
  });

  test('23: nor while gateways fail over and come back, and a switch daemon dies', async (t) => {
    const report = await probing(async () => {
      for (const { gateways } of sides.slice(0, 2)) {
        const gateway = gateways[0]!;
        const active = await eventually('somebody to carry the gateway', () => carrierOf(gateway));
        await lab.cloud.lab.perform('cut', active);
        await eventually(
          'another to carry it',
          async () => {
            const now = await carrierOf(gateway);
            return now !== undefined && now !== active ? now : undefined;
          },
          20_000,
        );
        await lab.cloud.lab.perform('mend', active);
      }
      await lab.cloud.lab.perform('power-off', 'gw1');
      await lab.cloud.lab.perform('power-on', 'gw1');
      const daemon = (await labStatus(lab.cloud.state)).processes.find(
        ({ node, name }) => node === 'h2' && name === 'ovs-vswitchd',
      );
      process.kill(daemon!.pid!, 'SIGKILL');
    });
    t.diagnostic(`${report.heard} packets heard where they belong`);
  });

  test("the probe would have said it: with a guest taken for another tenant's, its packets are leaks", async () => {
    const [first, second] = sides[0]!.guests;
    const mistaken: Cell[] = [
      { name: 'one', guests: [first!] },
      { name: 'other', guests: [second!] },
    ];
    await assert.rejects(
      whileProbing(lab.cloud, mistaken, () => new Promise((resolve) => setTimeout(resolve, 1_000))),
      /heard .* of one/,
    );
  });
});

function probing(during: () => Promise<unknown>): ReturnType<typeof whileProbing> {
  return whileProbing(lab.cloud, sides, during, { intervalMs: 200, patienceMs: 40_000 });
}

/** What a tenant does all day: a tier, an instance, another list, a route, and all of it away again. */
async function changes(tenant: Tenant, vpcid: string, address: string): Promise<void> {
  const tier = await tenant.tier(vpcid, address, 'default_deny');
  const guest = await tenant.instance(`passing-${address.replaceAll('.', '-')}`, tier);
  const aclid = await tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
  await tenant.call('replaceNetworkACLList', { networkid: tier, aclid });
  const route = await tenant.call('createStaticRoute', { vpcid, cidr: '10.77.0.0/16', nexthop: guest.address });
  await tenant.call('deleteStaticRoute', { id: text(field(route, 'staticroute'), 'id') });
  await tenant.call('destroyVirtualMachine', { id: guest.id, expunge: 'true' });
  await tenant.call('deleteNetwork', { id: tier });
}

async function pidsOf(program: string): Promise<number[]> {
  const { processes } = await labStatus(lab.cloud.state);
  const pids = processes.flatMap(({ name, pid }) => (name === program && pid !== undefined ? [pid] : []));
  assert.ok(pids.length > 0, `the lab runs no ${program}`);
  return pids;
}

async function isBack(program: string): Promise<boolean> {
  const { processes } = await labStatus(lab.cloud.state);
  return processes.filter(({ name }) => name === program).every(({ state }) => state === 'running');
}

/** The node that carries a private gateway. */
async function carrierOf(gateway: string): Promise<string | undefined> {
  const sb = async (...argv: readonly string[]): Promise<string> =>
    (await run(['ovn-sbctl', `--db=${lab.cloud.lab.sb}`, '--timeout=10', '--bare', ...argv])).stdout.trim();
  const chassis = await sb('--columns=chassis', 'find', 'Port_Binding', `logical_port=cr-lrp-${gateway}`);
  const name = chassis === '' ? '' : await sb('--columns=name', 'list', 'Chassis', chassis);
  return chassisNodes(lab.cloud.lab.topology).find((node) => node.name === name)?.name;
}
