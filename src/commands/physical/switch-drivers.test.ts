// A switch that speaks NETCONF registered by request, and a device attached by it: all the way to a real server. The Linux switch,
// which takes a machine of its own, is in test/lab/switches.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../ovn/ovsdb-server.test-support.ts';
import { openNetconf } from '../../switches/netconf-session.ts';
import { plainPorts, runningPorts, startNetconf } from '../../switches/netconf.test-support.ts';
import { reviewSwitch } from '../../switches/review.ts';
import { closeSsh, openSsh } from '../../switches/ssh.ts';
import { documentOf } from '../../switches/switch.test-support.ts';
import { openPhysical } from './physical.test-support.ts';

test('addSwitch driver=netconf with details[0].validate=false, as netconfd needs it: a device is attached by it', async (t) => {
  const server = await startNetconf();
  t.after(async () => {
    await closeSsh();
    await server.stop();
  });
  const { address, user, hostKey, privateKey, port } = server;
  const document = documentOf([], { driver: 'netconf', address, secret: { privateKey } });
  const link = await openSsh(document, { user, hostKey }, port, AbortSignal.timeout(60_000));
  const engineer = await openNetconf(link.subsystem('netconf'));
  t.after(() => engineer.close());
  await plainPorts(engineer, ['eth1']);
  await using cloud = await openPhysical(
    {
      driver: 'netconf',
      url: address,
      username: user,
      privatekey: Buffer.from(privateKey).toString('base64'),
      'details[0].hostKey': hostKey,
      'details[0].validate': 'false',
    },
    reviewSwitch,
  );
  const switchportid = await cloud.port('eth1', { domainid: await cloud.domainOf('acme-admin') });
  const networkid = await cloud.network('acme-admin', 'office', '10.1.1.0/24', { name: 'office' });
  const deviceid = await cloud.device('acme-admin', 'box');
  await cloud.attach('acme-admin', networkid, deviceid, { switchportid });
  await until(
    async () => (await cloud.list('acme-admin', 'listNetworkMembers', { networkid }))[0]?.['state'] === 'Attached',
    'the device being attached',
  );
  const { vlan } = await cloud.store.db.selectFrom('network').select('vlan').executeTakeFirstOrThrow();
  assert.deepEqual(await runningPorts(engineer), [{ name: 'eth1', untagged: vlan!, tagged: [] }]);
});
