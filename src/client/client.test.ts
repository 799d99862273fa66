// Our client against our server, over a loopback port.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../../test/support/cloud.ts';
import { type Served, serveApi } from '../api/serve.ts';
import { ApiError, type Client, createClient } from './client.ts';
import { flatten } from './sign.ts';

let cloud: Cloud;
let served: Served;
let client: Client;
let settling: NodeJS.Timeout;
before(async () => {
  cloud = await openCloud();
  served = await serveApi(cloud.app, { port: 0 });
  client = createClient({ endpoint: served.url, ...cloud.credentials.admin });
  settling = setInterval(() => void cloud.settle(), 20);
});
after(async () => {
  clearInterval(settling);
  await served.close();
  await cloud[Symbol.asyncDispose]();
});

test('flatten() writes lists and maps as the API reads them', () => {
  assert.deepEqual(
    flatten({ ids: ['a', 'b'], tags: [{ key: 'k', value: 1 }, { key: 'l' }], none: undefined, yes: true }),
    [
      ['ids', 'a,b'],
      ['tags[0].key', 'k'],
      ['tags[0].value', '1'],
      ['tags[1].key', 'l'],
      ['yes', 'true'],
    ],
  );
});

test('call() waits for the job and gives its result', async () => {
  const { account } = (await client.call('createAccount', {
    username: 'wanda',
    password: 'p',
    firstname: 'W',
    lastname: 'W',
    email: 'w@example.invalid',
    accounttype: 0,
  })) as { account: { id: string } };
  const result = (await client.call('disableAccount', { id: account.id, lock: false })) as {
    account: { state: string };
  };
  assert.equal(result.account.state, 'disabled');
  assert.deepEqual(await client.call('deleteAccount', { id: account.id }), { success: true });
});

test('call() throws the refusal with its code', async () => {
  await assert.rejects(
    client.call('listZones', { id: 'x' }),
    (error: unknown) =>
      error instanceof ApiError && error.errorcode === 431 && /entity does not exist/.test(error.message),
  );
});

test('call() says when nobody answers', async () => {
  const { port } = served;
  const nobody = createClient({
    endpoint: `http://127.0.0.1:${port === 1 ? 2 : 1}/client/api`,
    apikey: 'a',
    secretkey: 'b',
  });
  await assert.rejects(nobody.call('listZones'), /no answer from http:\/\/127\.0\.0\.1/);
  const wrong = createClient({ endpoint: `http://127.0.0.1:${port}/`, apikey: 'a', secretkey: 'b' });
  await assert.rejects(wrong.call('listZones'), /HTTP status 404 and no JSON/);
});
