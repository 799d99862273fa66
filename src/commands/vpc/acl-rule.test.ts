// How many CIDRs and rules lists can have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { newId } from '../../lib/id.ts';
import { openCloud } from '../network/network.test-support.ts';
import { readRule } from './acl-rule.ts';

const cidrs = (count: number): string[] => Array.from({ length: count }, (_, n) => `10.${n >> 8}.${n & 255}.0/24`);

test('readRule() takes 256 CIDRs, and refuses more, of either family', () => {
  assert.equal(readRule({ cidrlist: cidrs(256) }).cidrlist.split(',').length, 256);
  assert.throws(() => readRule({ cidrlist: cidrs(257) }), refused(431, /257 CIDRs .* at most 256/));
  const six = Array.from({ length: 257 }, (_, n) => `2001:db8:${n.toString(16)}::/48`);
  assert.throws(() => readRule({ cidrlist: six }, undefined, 6), refused(431, /257 CIDRs .* at most 256/));
});

test('createNetworkACL refuses the 501st rule of a list', async () => {
  await using cloud = await openCloud();
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const { id } = await cloud.callAs('acme-admin', 'createNetworkACLList', { name: 'long', vpcid });
  await cloud.settle();
  const aclid = String(id);
  const [like] = await cloud.store.db.selectFrom('aclitem').selectAll().where('acl', '=', BUILT_IN.denyList).execute();
  await cloud.store.write(async (tx) => {
    for (let number = 1; number < 500; number++)
      await tx.insert('aclitem', { ...like!, id: newId(), acl: aclid, number });
  });
  await cloud.doAs('acme-admin', 'createNetworkACL', { aclid, protocol: 'tcp', startport: '1' });
  await cloud.refused(
    'acme-admin',
    'createNetworkACL',
    { aclid, protocol: 'tcp' },
    'it has 500, and can have at most 500',
  );
});
