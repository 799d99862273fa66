// Story 5 with real packets: the same file that the demo plays, each of its promises a verdict; and then all of it taken away again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { story } from '../../lab/stories/linux-router.ts';
import { lost, playForTest } from '../support/play.ts';
import { labCloud } from '../support/tenant-lab.ts';

const PUBLIC = '203.0.113.101';

test("a Linux router takes the virtual router's place: every promise of the story holds (S10, S12-S15), and it goes without a trace", async (t) => {
  const { broken, verdicts, said, cloud } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, ['S10', 'S12', 'S13', 'S14', 'S15', 'forwarding off']), []);
  for (const line of said().split('\n')) if (/fail-over: |return: |frozen and back: /.test(line)) t.diagnostic(line);

  const { tenant, wire } = await labCloud(cloud);
  const { call } = tenant;
  const [network] = rows(await call('listNetworks'), 'network');
  const networkid = text(network, 'id');
  const guests = rows(await call('listVirtualMachines'), 'virtualmachine');
  const idOf = (name: string): string =>
    text(
      guests.find((guest) => text(guest, 'name') === name),
      'id',
    );

  await t.test('a deleted egress rule lets nothing out any more', async () => {
    const place = { id: idOf('web1') };
    assert.equal(await wire.pingFrom(place, '198.51.100.10'), true);
    const [rule] = rows(await call('listEgressFirewallRules', { networkid }), 'firewallrule');
    await call('deleteEgressFirewallRule', { id: text(rule, 'id') });
    assert.equal(await wire.pingFrom(place, '198.51.100.10'), false);
  });

  await t.test('a balancer leads only to those that are assigned to it', async () => {
    const [balancer] = rows(await call('listLoadBalancerRules'), 'loadbalancerrule');
    const id = text(balancer, 'id');
    await call('removeFromLoadBalancerRule', { id, virtualmachineids: idOf('web1') });
    for (let times = 0; times < 4; times++) {
      const { stdout } = await wire.inNetwork('outside', ['curl', '-s', '-m', '5', `http://${PUBLIC}/`]);
      assert.equal(stdout.trim(), 'web2');
    }
  });

  await t.test('deleting the network takes everything of it off the router nodes', async () => {
    const vlan = await tenant.vlanOf(networkid);
    const admin = cloud.as('admin');
    for (const guest of guests) await admin('destroyVirtualMachine', { id: text(guest, 'id'), expunge: 'true' });
    await call('deleteNetwork', { id: networkid });
    for (const node of ['r1', 'r2']) {
      const { stdout } = await wire.exec(node, ['ip', '-brief', 'address']);
      assert.ok(!stdout.includes(`.${vlan}`) && !stdout.includes('203.0.113.10'), `${node}: ${stdout}`);
    }
    assert.equal(await wire.pingFrom('outside', PUBLIC), false);
  });
});
