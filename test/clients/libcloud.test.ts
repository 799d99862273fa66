// Apache Libcloud as Debian ships it: zones, sizes, images, a VPC with a tier, and a node from its birth to its end.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { tryRun } from '../../src/lib/run.ts';
import { startControlPlane } from './control-plane.ts';

const SCRIPT = new URL('nodes.py', import.meta.url).pathname;
const missing = !existsSync('/usr/lib/python3/dist-packages/libcloud') && 'python3-libcloud is not installed';

test('libcloud makes, lists, stops, starts and destroys a node in a tier', { skip: missing }, async () => {
  await using plane = await startControlPlane();
  const acme = plane.cloud.credentials['acme-admin'];
  const { stdout, stderr, code } = await tryRun(['/usr/bin/python3', SCRIPT], {
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
