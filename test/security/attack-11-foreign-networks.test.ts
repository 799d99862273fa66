// Attack 11: plugging one tenant's VPC into another's Private network, in every direction, and the trick with a network that
// was deleted and made again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cloud, type Who, openCloud } from '../support/cloud.ts';
import { privateNetwork, vpc } from './tenant.ts';

const UNKNOWN = /or entity does not exist/;

async function plug(
  cloud: Cloud,
  who: Who,
  vpcid: string,
  networkid: string,
  more = {},
): Promise<Record<string, unknown>> {
  return cloud.callAs(who, 'createPrivateGateway', { vpcid, networkid, ipaddress: '172.16.0.9', ...more });
}

test('attack 11: neither side can plug a VPC into a Private network of another domain', async () => {
  await using cloud = await openCloud();
  const acme = {
    vpc: await vpc(cloud, 'acme-admin', '10.1.0.0/16'),
    network: await privateNetwork(cloud, 'acme-admin'),
  };
  const globex = {
    vpc: await vpc(cloud, 'globex-admin', '10.2.0.0/16'),
    network: await privateNetwork(cloud, 'globex-admin'),
  };
  await assert.rejects(plug(cloud, 'globex-admin', globex.vpc, acme.network), { message: UNKNOWN });
  await assert.rejects(plug(cloud, 'globex-admin', acme.vpc, globex.network), { message: UNKNOWN });
  await assert.rejects(plug(cloud, 'acme-admin', globex.vpc, acme.network), { message: UNKNOWN });
  await assert.rejects(plug(cloud, 'acme-user', globex.vpc, acme.network), { kind: 'unsupported' });
  await assert.rejects(plug(cloud, 'readonly', acme.vpc, acme.network), { kind: 'unsupported' });
  assert.deepEqual(await cloud.store.db.selectFrom('privategateway').selectAll().execute(), []);
  await plug(cloud, 'acme-admin', acme.vpc, acme.network);
});

test('attack 11: the id of a deleted network is nobody’s, whoever makes one of the same name', async () => {
  await using cloud = await openCloud();
  const mine = await vpc(cloud, 'globex-admin', '10.2.0.0/16');
  const network = await privateNetwork(cloud, 'acme-admin');
  await cloud.doAs('acme-admin', 'deleteNetwork', { id: network });
  const again = await privateNetwork(cloud, 'acme-admin');
  assert.notEqual(again, network);
  await assert.rejects(plug(cloud, 'globex-admin', mine, network), { message: UNKNOWN });
  await assert.rejects(plug(cloud, 'globex-admin', mine, again), { message: UNKNOWN });
});

test('attack 11: CloudStack’s dialect does not lead onto the VLAN of another tenant', async () => {
  await using cloud = await openCloud();
  const theirs = await cloud.store.db
    .selectFrom('network')
    .select(['vlan', 'cidr'])
    .where('id', '=', await privateNetwork(cloud, 'acme-admin'))
    .executeTakeFirstOrThrow();
  const vpcid = await vpc(cloud, 'globex-admin', '10.2.0.0/16');
  const params = { vpcid, ipaddress: '172.16.0.9', gateway: '172.16.0.254', netmask: '255.255.255.0' };
  await assert.rejects(
    cloud.callAs('globex-admin', 'createPrivateGateway', { ...params, vlan: String(theirs.vlan) }),
    'a VLAN that is in use by another tenant',
  );
  assert.deepEqual(await cloud.store.db.selectFrom('privategateway').selectAll().execute(), []);
});
