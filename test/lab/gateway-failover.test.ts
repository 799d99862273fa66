// A VPC's leg on a VLAN, used by a physical machine: the hypervisor that carries it loses its cable, and another takes over. OVN announces
// the takeover a second late; the agent does so at once.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { run } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const MACHINE = 'printer';

let lab: LabCloud;
/** Its id. */
let gateway: string;
/** By the hypervisor each is on. */
const guests = new Map<string, Guest>();

async function sb(...argv: readonly string[]): Promise<string> {
  return (await run(['ovn-sbctl', `--db=${lab.cloud.lab.sb}`, '--timeout=10', '--bare', ...argv])).stdout.trim();
}

/** The hypervisor that carries the gateway. */
async function holder(): Promise<string | undefined> {
  const chassis = await sb('--columns=chassis', 'find', 'Port_Binding', `logical_port=cr-lrp-${gateway}`);
  return chassis === '' ? undefined : sb('--columns=name', 'list', 'Chassis', chassis);
}

suite('a gateway on a VLAN', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      const { tenant } = lab;
      const vpc = await tenant.vpc('shop', '10.1.0.0/16');
      const tier = await tenant.tier(vpc, '10.1.1.1', 'default_allow');
      const wire = await tenant.privateNetwork('172.16.0.0/24', 'pool');
      gateway = await tenant.gateway(vpc, wire, '172.16.0.1', 'default_allow');
      await tenant.route(vpc, '10.99.0.0/16', '172.16.0.50');
      for (const host of ['h1', 'h2']) guests.set(host, await tenant.instance(`on-${host}`, tier, host));
      await lab.cloud.lab.exec('sw', [
        'ovs-vsctl',
        'set',
        'Port',
        `${MACHINE}-eth0`,
        `tag=${await tenant.vlanOf(wire)}`,
      ]);
      for (const line of ['address add 172.16.0.50/24 dev eth0', 'route add 10.1.0.0/16 via 172.16.0.1'])
        await lab.wire.inNetwork(MACHINE, ['ip', ...line.split(' ')]);
      for (const { address } of guests.values())
        await eventually(
          'the machine reaching it',
          async () => (await lab.wire.pingFrom(MACHINE, address)) || undefined,
        );
    },
    { topology: 'campus', bystanders: true },
  );

  test('is taken over when its hypervisor loses its cable', async (t) => {
    const active = await eventually('somebody to carry the gateway', holder);
    const guest = guests.get(active === 'h1' ? 'h2' : 'h1')!;
    const outage = await lab.wire.outage(MACHINE, guest.address, () =>
      lab.wire.inNetwork('sw', ['ip', 'link', 'set', `${active}-eth0`, 'down']),
    );
    t.diagnostic(`away for ${Math.round(outage.gapMs)} ms`);
    assert.ok(outage.recovered, JSON.stringify(outage));
    assert.notEqual(await holder(), active);
    await lab.wire.inNetwork('sw', ['ip', 'link', 'set', `${active}-eth0`, 'up']);
    // Half a second on a machine that does nothing else, of it 0.3 s BFD's; signs of life come late where no core is free.
    assert.ok(outage.gapMs < 5000, `${outage.gapMs} ms`);
  });
});
