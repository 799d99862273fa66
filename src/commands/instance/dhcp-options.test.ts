// DHCP options of single cards: which are taken, and what the others get for an answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deploy, openCloud } from './instance.test-support.ts';

test('dhcpoptionsnetworklist sets options of the card in that network, replaces them, and takes them away', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const other = await cloud.network('acme-admin');
  const entry = (more: Record<string, string>) => [{ networkid: network, ...more }];
  const { id } = await deploy(cloud, 'acme-admin', `${network},${other}`, {
    startvm: 'false',
    dhcpoptionsnetworklist: entry({ 'dhcp:66': 'boot.example', 'dhcp:6': '9.9.9.9, 8.8.8.8' }),
  });
  const kept = async (): Promise<unknown[]> =>
    (
      await cloud.store.db
        .selectFrom('nic')
        .select('dhcpoptions')
        .where('instance', '=', id)
        .orderBy('deviceid')
        .execute()
    ).map(({ dhcpoptions }) => (dhcpoptions === null ? null : JSON.parse(dhcpoptions)));
  assert.deepEqual(await kept(), [{ 66: 'boot.example', 6: '9.9.9.9,8.8.8.8' }, null]);
  await cloud.callAs('acme-admin', 'updateVirtualMachine', {
    id,
    dhcpoptionsnetworklist: entry({ 'dhcp:26': '1400' }),
  });
  assert.deepEqual(await kept(), [{ 26: '1400' }, null]);
  for (const [more, text] of [
    [{ 'dhcp:3': '10.1.1.9' }, /DHCP option dhcp:3 cannot be set/],
    [{ 'dhcp:121': '0.0.0.0/0,10.1.1.9' }, /What leads packets .* is the network's own/],
    [{ 'dhcp:26': '100' }, /DHCP option 26 \(MTU\) is to be a number of bytes/],
    [{ 'dhcp:15': 'a"} ; x' }, /DHCP option 15 \(domain\) is to be/],
    [{ networkid: '00000000-0000-4000-8000-000000000000', 'dhcp:26': '1400' }, /no interface in network/],
  ] as const) {
    await assert.rejects(
      cloud.callAs('acme-admin', 'updateVirtualMachine', { id, dhcpoptionsnetworklist: entry(more) }),
      { message: text },
    );
  }
  await cloud.callAs('acme-admin', 'updateVirtualMachine', { id, dhcpoptionsnetworklist: entry({}) });
  assert.deepEqual(await kept(), [null, null]);
});
