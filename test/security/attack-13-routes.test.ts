// Attack 13: a static route that would lead traffic where it must not go: the machine itself, metadata, multicast, another tenant.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../support/cloud.ts';
import { privateNetwork, tier, vpc } from './tenant.ts';

test('attack 13: routes to and through loopback, link-local, multicast and reserved addresses are refused', async () => {
  await using cloud = await openCloud();
  const vpcid = await vpc(cloud, 'acme-admin', '10.1.0.0/16');
  const network = await privateNetwork(cloud, 'acme-admin');
  await cloud.doAs('acme-admin', 'createPrivateGateway', { vpcid, networkid: network, ipaddress: '172.16.0.1' });
  const add = (cidr: string, nexthop: string) =>
    cloud.callAs('acme-admin', 'createStaticRoute', { vpcid, cidr, nexthop });
  for (const cidr of [
    '169.254.169.254/32',
    '169.254.0.0/16',
    '127.0.0.0/8',
    '127.0.0.1/32',
    '224.0.0.0/4',
    '239.1.2.3/32',
    '240.0.0.0/4',
    '255.255.255.255/32',
  ]) {
    await assert.rejects(add(cidr, '172.16.0.2'), { kind: 'parameter' }, `route to ${cidr}`);
  }
  for (const nexthop of [
    '127.0.0.1',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '0.0.0.0',
    '172.16.0',
    '172.16.0.2/24',
  ]) {
    await assert.rejects(add('10.2.0.0/16', nexthop), { kind: 'parameter' }, `route via ${nexthop}`);
  }
  assert.deepEqual(await cloud.store.db.selectFrom('staticroute').selectAll().execute(), []);
  // What clients expect to be accepted: a default route, and a next hop that is on no connected network.
  await add('0.0.0.0/0', '172.16.0.2');
  await add('10.9.0.0/16', '192.168.99.1');
});

test('attack 13: a route through a gateway of another tenant’s is refused, by either name of it', async () => {
  await using cloud = await openCloud();
  const theirs = await vpc(cloud, 'acme-admin', '10.1.0.0/16');
  const params = { vpcid: theirs, networkid: await privateNetwork(cloud, 'acme-admin'), ipaddress: '172.16.0.1' };
  const gatewayid = String((await cloud.callAs('acme-admin', 'createPrivateGateway', params))['id']);
  const mine = await vpc(cloud, 'globex-admin', '10.2.0.0/16');
  await tier(cloud, 'globex-admin', mine, '10.2.1.1');
  for (const by of [{ gatewayid }, { gatewayid, vpcid: mine }, { vpcid: theirs, nexthop: '172.16.0.1' }]) {
    await assert.rejects(cloud.callAs('globex-admin', 'createStaticRoute', { cidr: '10.3.0.0/16', ...by }), {
      kind: 'parameter',
    });
  }
  assert.deepEqual(await cloud.store.db.selectFrom('staticroute').selectAll().execute(), []);
});
