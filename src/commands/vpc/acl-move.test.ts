// moveNetworkAclItem: a rule at another place, with the others in their order.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type NetworkCloud, NOBODY, openCloud, unknown } from '../network/network.test-support.ts';

/** A list with rules of these numbers; their ids in that order. */
async function listOf(cloud: NetworkCloud, vpcid: string, numbers: readonly number[]) {
  const { id: aclid } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'web', vpcid });
  const ids: string[] = [];
  for (const number of numbers) {
    const rule = { aclid: String(aclid), protocol: 'tcp', startport: '80', number: String(number) };
    ids.push(String((await cloud.callAs('acme-admin', 'createNetworkACL', rule))['id']));
  }
  await cloud.settle();
  return { aclid: String(aclid), ids };
}

/** Names of the rules in order, by their place in `ids`, and their numbers. */
async function order(cloud: NetworkCloud, aclid: string, ids: readonly string[]): Promise<[number[], number[]]> {
  const rows = await cloud.list('acme-admin', 'listNetworkACLs', { aclid });
  return [rows.map((row) => ids.indexOf(String(row['id']))), rows.map((row) => Number(row['number']))];
}

test('moveNetworkAclItem makes a rule the first, the last, or puts it between two, and makes room', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { aclid, ids } = await listOf(cloud, vpcid, [1, 2, 3, 10]);
  const [first, second, third, last] = ids as [string, string, string, string];
  const move = (id: string, more: Params): Promise<unknown> =>
    cloud.doAs('acme-admin', 'moveNetworkAclItem', { id, ...more });
  await move(third, { nextaclruleid: first });
  assert.deepEqual(await order(cloud, aclid, ids), [
    [2, 0, 1, 3],
    [1, 2, 3, 10],
  ]);
  await move(first, { previousaclruleid: last });
  assert.deepEqual(await order(cloud, aclid, ids), [
    [2, 1, 3, 0],
    [1, 3, 10, 11],
  ]);
  await move(last, { previousaclruleid: third, nextaclruleid: second });
  assert.deepEqual(await order(cloud, aclid, ids), [
    [2, 3, 1, 0],
    [1, 2, 3, 11],
  ]);
});

test('moveNetworkAclItem refuses a place that is none, and a list that is another by now', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { aclid, ids } = await listOf(cloud, vpcid, [1, 2, 3, 4]);
  const [first, second, third, last] = ids as [string, string, string, string];
  const refused = (params: Params, text: string): Promise<void> =>
    cloud.refused('acme-admin', 'moveNetworkAclItem', params, text);
  await refused({ id: first }, 'Both previous and next ACL rule IDs cannot be invalid.');
  await refused({ id: first, previousaclruleid: second, nextaclruleid: last }, 'do not follow each other');
  await refused({ id: last, nextaclruleid: second }, 'is not the first of its list');
  await refused({ id: first, previousaclruleid: second }, 'is not the last of its list');
  await refused({ id: first, previousaclruleid: NOBODY }, unknown('previousaclruleid', NOBODY));
  const { ids: others } = await listOf(cloud, vpcid, [1]);
  await refused({ id: first, nextaclruleid: others[0]! }, unknown('nextaclruleid', others[0]!));
  await refused({ id: first, nextaclruleid: first }, unknown('nextaclruleid', first));
  const [global] = await cloud.list('acme-admin', 'listNetworkACLs', { aclid: BUILT_IN.denyList });
  await refused({ id: String(global?.['id']), nextaclruleid: first }, "Default ACL's rules cannot be moved");
  await cloud.refused('globex-admin', 'moveNetworkAclItem', { id: first, nextaclruleid: last }, unknown('id', first));
  const hash = createHash('md5').update(ids.join('')).digest('hex');
  await refused(
    { id: third, nextaclruleid: first, aclconsistencyhash: createHash('md5').update('x').digest('hex') },
    'somebody changed the list meanwhile',
  );
  const moved = await cloud.doAs('acme-admin', 'moveNetworkAclItem', {
    id: third,
    nextaclruleid: first,
    aclconsistencyhash: hash,
  });
  assert.equal((moved['networkacl'] as { number: number }).number, 1);
  assert.deepEqual((await order(cloud, aclid, ids))[0], [2, 0, 1, 3]);
});

test('moveNetworkAclItem changes the place of one rule and no other order, whatever the numbers', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(numbers, fc.nat(), fc.nat(), async (given, from, to) => {
      const sorted = given.toSorted((a, b) => a - b);
      const { aclid, ids } = await listOf(cloud, vpcid, sorted);
      const moved = from % ids.length;
      const others = ids.map((_, index) => index).filter((index) => index !== moved);
      const place = to % ids.length;
      const previous = others[place - 1];
      const next = others[place];
      await cloud.doAs('acme-admin', 'moveNetworkAclItem', {
        id: ids[moved]!,
        ...(previous === undefined ? {} : { previousaclruleid: ids[previous]! }),
        ...(next === undefined ? {} : { nextaclruleid: ids[next]! }),
      });
      const [now, places] = await order(cloud, aclid, ids);
      assert.deepEqual(now, others.toSpliced(place, 0, moved));
      assert.equal(new Set(places).size, places.length);
    }),
    { numRuns: 15 },
  );
});
