// Attack 6: doors nobody meant to leave open.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveApi } from '../../src/api/serve.ts';
import { type Cloud, openCloud } from '../support/cloud.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

test('without proof only login and logout answer at all', async () => {
  for (const name of cloud.registry.keys()) {
    if (name === 'login' || name === 'logout') continue;
    const { status } = await cloud.fetch(`/client/api?command=${name}&response=json`);
    assert.equal(status, 401, name);
  }
});

test('no path but the API is there: no metrics, no debugging, no integration port', async () => {
  for (const path of [
    '/',
    '/metrics',
    '/health',
    '/debug',
    '/client',
    '/client/api/../../metrics',
    '/client/api2',
    '/client/console',
    '/api',
    '/.git/config',
  ]) {
    assert.equal((await cloud.fetch(path)).status, 404, path);
  }
});

test('the API listens on loopback unless told otherwise', async () => {
  const served = await serveApi(cloud.app, { port: 0 });
  assert.match(served.url, /^http:\/\/127\.0\.0\.1:/);
  await served.close();
});
