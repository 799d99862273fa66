// Apache Libcloud as Debian ships it: a node's life against the control plane alone, and a whole tenant's with real packets.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { suite, test } from 'node:test';
import { tryRun } from '../../src/lib/run.ts';
import { openPublic } from '../support/public-calls.ts';
import { type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';
import { startControlPlane } from './control-plane.ts';
import { newTenant, nothingLeft, play } from './tenant.ts';

const script = (name: string): string => new URL(name, import.meta.url).pathname;
const missing = !existsSync('/usr/lib/python3/dist-packages/libcloud') && 'python3-libcloud is not installed';

test('libcloud makes, lists, stops, starts and destroys a node in a tier', { skip: missing }, async () => {
  await using plane = await startControlPlane();
  const acme = plane.cloud.credentials['acme-admin'];
  const { stdout, stderr, code } = await tryRun(['/usr/bin/python3', script('nodes.py')], {
    timeoutMs: 60_000,
    env: {
      LIBCLOUD_PORT: new URL(plane.endpoint).port,
      LIBCLOUD_KEY: acme.apikey,
      LIBCLOUD_SECRET: acme.secretkey,
    },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.equal(stdout.trim().split('\n').at(-1), 'PASS');
});

suite('libcloud over real packets', { skip: missing }, () => {
  let lab: LabCloud;
  cloudForSuite(
    (started) => {
      lab = started;
    },
    { topology: 'region' },
  );

  test('a domain admin builds a public network, a VPC and a private gateway, uses them, and leaves nothing', async () => {
    await openPublic(lab, 100, 120);
    const keys = await newTenant(lab, 'initech');
    const { code, stdout, stderr } = await play(lab, ['/usr/bin/python3', script('libcloud-tenant.py')], keys);
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.equal(stdout.trim().split('\n').at(-1), 'PASS');
    await nothingLeft(lab);
  });
});
