// Attack 14: a hundred requests at once, at the edge of a limit or of a pool. What may be had once is had once, a limit is
// neither passed nor undershot, and every request gets an answer that says why.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../src/api/error.ts';
import { openCloud } from '../support/cloud.ts';
import { privateNetwork, privateNetworkOn, tier, vpc } from './tenant.ts';

const HUNDRED = Array.from({ length: 100 }, (_, index) => index);

interface Race {
  readonly ids: readonly string[];
  readonly refusals: readonly Refusal[];
}

/** Runs all at once. What is thrown must be a refusal: anything else is a crash and fails the test. */
async function race(runs: readonly (() => Promise<string>)[]): Promise<Race> {
  const outcomes = await Promise.allSettled(runs.map((start) => start()));
  const ids = outcomes.filter((one) => one.status === 'fulfilled').map((one) => one.value);
  const reasons: unknown[] = outcomes.filter((one) => one.status === 'rejected').map((one) => one.reason);
  for (const reason of reasons) if (!(reason instanceof Refusal)) throw reason;
  assert.equal(new Set(ids).size, ids.length, 'no id is given twice');
  return { ids, refusals: reasons as Refusal[] };
}

test('attack 14: 100 Private networks at once get 100 different VLANs', async () => {
  await using cloud = await openCloud();
  const { ids } = await race(
    HUNDRED.map((n) => () => privateNetwork(cloud, n % 2 === 0 ? 'acme-admin' : 'globex-admin', `172.16.${n}.0/24`)),
  );
  assert.equal(ids.length, 100);
  const vlans = await cloud.store.db.selectFrom('network').select('vlan').execute();
  assert.equal(new Set(vlans.map((row) => row.vlan)).size, 100);
});

test('attack 14: 100 requests for the last VLANs of a small pool: no more than there are, the rest 533', async () => {
  await using cloud = await openCloud();
  await cloud.store.write(async (tx) => {
    const { id } = await tx.db.selectFrom('physicalnetwork').select('id').executeTakeFirstOrThrow();
    await tx.update('physicalnetwork', id, { vlan: '1000-1006' });
  });
  const { ids, refusals } = await race(
    HUNDRED.map((n) => () => privateNetwork(cloud, 'acme-admin', `172.16.${n}.0/24`)),
  );
  assert.equal(ids.length, 7);
  assert.ok(refusals.every((refusal) => refusal.kind === 'capacity' && /VLAN/.test(refusal.message)));
  assert.equal(
    (await cloud.store.db.selectFrom('network').selectAll().execute()).length,
    7,
    'a refused one leaves no row',
  );
});

test('attack 14: a VLAN chosen by two domains at once is had by one', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'updateConfiguration', { name: 'network.vlan.tenants', value: '3000' });
  const { ids } = await race(
    HUNDRED.slice(0, 20).map(
      (n) => () => privateNetworkOn(cloud, n % 2 === 0 ? 'acme-admin' : 'globex-admin', '3000', `172.16.${n}.0/24`),
    ),
  );
  const rows = await cloud.store.db.selectFrom('network').select('domain').where('id', 'in', ids).execute();
  assert.equal(new Set(rows.map((row) => row.domain)).size, 1);
});

test('attack 14: 100 tiers at once in a VPC that may have three', async () => {
  await using cloud = await openCloud();
  const limit = 3;
  await cloud.callAs('admin', 'updateConfiguration', { name: 'vpc.max.networks', value: String(limit) });
  const vpcid = await vpc(cloud, 'acme-admin', '10.1.0.0/16');
  const { ids } = await race(HUNDRED.map((n) => () => tier(cloud, 'acme-admin', vpcid, `10.1.${n}.1`)));
  assert.equal(ids.length, limit);
});

test('attack 14: 100 claims of one address of a Private network: one has it', async () => {
  await using cloud = await openCloud();
  const networkid = await privateNetwork(cloud, 'acme-admin');
  const vpcs = await Promise.all(HUNDRED.map((n) => vpc(cloud, 'acme-admin', `10.${n}.0.0/16`)));
  const { ids } = await race(
    vpcs.map(
      (vpcid) => async () =>
        String(
          (await cloud.callAs('acme-admin', 'createPrivateGateway', { vpcid, networkid, ipaddress: '172.16.0.9' }))[
            'id'
          ],
        ),
    ),
  );
  assert.equal(ids.length, 1);
  const addresses = await cloud.store.db.selectFrom('address').selectAll().where('network', '=', networkid).execute();
  assert.equal(addresses.length, 1);
});

test('attack 14: the same route 100 times at once is there once', async () => {
  await using cloud = await openCloud();
  const vpcid = await vpc(cloud, 'acme-admin', '10.1.0.0/16');
  const { ids, refusals } = await race(
    HUNDRED.map(
      () => async () =>
        String(
          (
            await cloud.callAs('acme-admin', 'createStaticRoute', { vpcid, cidr: '10.2.0.0/16', nexthop: '172.16.0.2' })
          )['id'],
        ),
    ),
  );
  assert.equal(ids.length, 1);
  assert.equal(refusals.length, 99);
  assert.equal((await cloud.store.db.selectFrom('staticroute').selectAll().execute()).length, 1);
});
