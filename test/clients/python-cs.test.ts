// python3-cs as Debian ships it plays story 1 against the control plane: three VPCs, a Private network, six routes, the
// refusals on the way, and a second tenant who sees nothing of it. The lab runs the same script with real packets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tryRun } from '../../src/lib/run.ts';
import { startControlPlane } from './control-plane.ts';

const SCRIPT = new URL('story.py', import.meta.url).pathname;

test('python3-cs plays story 1 as domain admin, and the other tenant can neither see nor touch it', async () => {
  await using plane = await startControlPlane();
  const { 'acme-admin': acme, 'globex-admin': globex } = plane.cloud.credentials;
  const { stdout, stderr, code } = await tryRun(['/usr/bin/python3', SCRIPT], {
    timeoutMs: 60_000,
    env: {
      CLOUDSTACK_ENDPOINT: plane.endpoint,
      CLOUDSTACK_KEY: acme.apikey,
      CLOUDSTACK_SECRET: acme.secretkey,
      OTHER_KEY: globex.apikey,
      OTHER_SECRET: globex.secretkey,
    },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.equal(stdout.trim().split('\n').at(-1), 'PASS');
  const leftovers = await plane.cloud.store.db.selectFrom('address').selectAll().execute();
  assert.deepEqual(leftovers, [], 'every address was given back');
  const vlans = await plane.cloud.store.db.selectFrom('vlan').selectAll().execute();
  assert.deepEqual(vlans, [], 'every VLAN was given back');
});
