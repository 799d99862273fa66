// What a node says it can do is what it can: placement goes by it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tryRun } from '../lib/run.ts';
import { readAbilities } from './ability.ts';

test('readAbilities() says of the router guard what the kernel says of a chain on the way out', async () => {
  const commands = [
    'add table netdev t',
    'add chain netdev t c { type filter hook egress device lo priority 0; }',
    'add rule netdev t c ip6 hoplimit set 0',
  ].join('; ');
  const { code } = await tryRun(['unshare', '--net', '--', 'nft', commands]);
  const said = (await readAbilities())['router-guard'];
  if (code === 0) assert.equal(said, true);
  else assert.match(String(said), /egress hook, are needed/);
});

test('readAbilities() says whether the node can route networks with IPv6', async () => {
  const { code } = await tryRun(['unshare', '--net', '--', ...'ip -6 rule add from 2001:db8::/64 lookup 2'.split(' ')]);
  const said = (await readAbilities())['ipv6-router'];
  if (code === 0) assert.equal(said, true);
  else assert.match(String(said), /routes no IPv6 by source/);
});
