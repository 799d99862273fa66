// A whole cloud goes down and comes up from its folder, and another one stands beside it: instances, addresses and paths are as they
// were, and neither cloud notices the other.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { type Cloud, startCloud } from '../../src/demo/cloud.ts';
import { type Lab, startLab } from '../../src/lab/start.ts';
import { type Scope, afterwards, eventually, temporaryState } from '../support/lab.ts';
import { type Guest, labCloud } from '../support/tenant-lab.ts';

/** Whatever runs in the folder now. */
let running: Pick<Cloud, 'stop'> | undefined;
let guests: Guest[];

suite('restart', () => {
  const scope: Scope = { after };
  const state = temporaryState(scope);
  const start = async (): Promise<Cloud> => {
    const cloud = await startCloud({ state, port: 0, log: () => undefined });
    running = cloud;
    return cloud;
  };
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  before(async () => {
    guests = await twoConnected(await start());
    await stop();
  });
  afterwards(scope, stop);

  test('without any server instances come back on their hypervisors, with their addresses, and reach each other', async () => {
    const lab = await startLab({ state });
    running = lab;
    await eventually('both directions', async () => (await both(lab)) || undefined, 30_000);
    for (const { id, address } of guests)
      assert.match((await lab.exec(id, ['ip', '-4', 'address'])).stdout, new RegExp(`inet ${address}/24`));
    await stop();
  });

  test('with the server all is as it was, without a call, and goes on: a new VPC gets its own ids', async () => {
    const cloud = await start();
    await eventually('both directions', async () => (await both(cloud.lab)) || undefined, 30_000);
    const { tenant, ping } = await labCloud(cloud);
    const instances = rows(await tenant.call('listVirtualMachines'), 'virtualmachine');
    assert.deepEqual(
      instances.map((instance) => [text(instance, 'id'), text(instance, 'state')]).toSorted(),
      guests.map(({ id }) => [id, 'Running']).toSorted(),
    );
    const vpcid = await tenant.vpc('new', '10.3.0.0/16');
    const fresh = await tenant.instance('new', await tenant.tier(vpcid, '10.3.1.1', 'default_allow'));
    assert.ok(await ping(fresh, { address: '10.3.1.1' }));
    assert.ok(guests.every((guest) => guest.mac !== fresh.mac && guest.id !== fresh.id));
  });

  test('a cloud beside it with the same addresses is another world: it comes, is used and goes, and no ping of the first is lost', async () => {
    const first = running as Cloud;
    const pings = first.lab.exec(guests[0]!.id, ['ping', '-c', '60', '-i', '0.2', '-W', '1', guests[1]!.address], {
      timeoutMs: 60_000,
    });
    const second = await startCloud({ state: temporaryState(scope), port: 0, log: () => undefined });
    try {
      const others = await twoConnected(second);
      assert.deepEqual(
        others.map(({ address }) => address),
        guests.map(({ address }) => address),
      );
      assert.ok(others.every(({ id }) => guests.every((guest) => guest.id !== id)));
      await second.lab.exec(others[1]!.id, ['ip', 'link', 'set', 'eth0', 'down']);
      assert.equal((await second.lab.exec(others[0]!.id, ['ping', '-c', '1', '-W', '1', others[1]!.address])).code, 1);
      assert.ok(await both(first.lab));
    } finally {
      await second.stop();
    }
    assert.match((await pings).stdout, /60 packets transmitted, 60 packets received, 0% packet loss/);
  });

  async function both({ exec }: Pick<Lab, 'exec'>): Promise<boolean> {
    const [a, b] = guests;
    const ping = async (from: Guest, to: Guest): Promise<boolean> =>
      (await exec(from.id, ['ping', '-c', '1', '-W', '1', to.address])).code === 0;
    // An instance that does not run yet cannot be entered.
    return (await Promise.all([ping(a!, b!), ping(b!, a!)]).catch(() => [false])).every(Boolean);
  }
});

/** Two VPCs with an instance each, on two hypervisors, joined by a Private network on a VLAN. */
async function twoConnected(cloud: Cloud): Promise<Guest[]> {
  const { tenant } = await labCloud(cloud);
  const networkid = await tenant.privateNetwork('172.16.0.0/24', 'pool');
  return Promise.all(
    [1, 2].map(async (number) => {
      const vpcid = await tenant.vpc(`v${number}`, `10.${number}.0.0/16`);
      const tier = await tenant.tier(vpcid, `10.${number}.1.1`, 'default_allow');
      await tenant.gateway(vpcid, networkid, `172.16.0.${number}`, 'default_allow');
      await tenant.route(vpcid, `10.${3 - number}.0.0/16`, `172.16.0.${3 - number}`);
      return tenant.instance(`s${number}`, tier, `h${number}`);
    }),
  );
}
