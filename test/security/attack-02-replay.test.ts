// Attack 2: sending a signed request again, later, or with a lifetime of one's own choice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../support/cloud.ts';
import { expires, get, sign } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const call = async (...pairs: string[]): Promise<number> =>
  (await get(cloud, sign(['command=listZones', ...pairs], cloud.credentials.admin))).status;
const V3 = 'signatureVersion=3';

test('a signature is valid until it expires, whatever time zone the time is written in', async () => {
  assert.equal(await call(V3, expires(60)), 200);
  assert.equal(await call(V3, expires(60, 'Z')), 200);
  assert.equal(await call(V3, expires(60, '+0530', 330)), 200);
  assert.equal(await call(V3, expires(60, '-0800', -480)), 200);
});

test('a signature that has expired is 401, whatever time zone hides it', async () => {
  assert.equal(await call(V3, expires(-1)), 401);
  assert.equal(await call(V3, expires(-1, '+0530', 330)), 401);
  assert.equal(await call(V3, expires(60, '+0530')), 401, 'five and a half hours ago');
});

test('a missing, malformed or far expiry is 401', async () => {
  assert.equal(await call(V3), 401);
  for (const value of ['', 'never', '9999', '2026-11-22', '2099-12-31T00%3A00%3A00%2B0000'])
    assert.equal(await call(V3, `expires=${value}`), 401, value);
  assert.equal(await call(V3, expires(25 * 3600)), 401);
});

test('expires counts without signatureVersion 3 as well, and other versions are refused', async () => {
  assert.equal(await call(expires(-1)), 401);
  assert.equal(await call('signatureVersion=2', expires(-1)), 401);
  assert.equal(await call('signatureVersion=4', expires(60)), 401);
});

test('dropping the expiry breaks the signature', async () => {
  const pairs = sign(['command=listZones', V3, expires(60)], cloud.credentials.admin);
  assert.equal(
    (
      await get(
        cloud,
        pairs.filter((pair) => !pair.startsWith('expires')),
      )
    ).status,
    401,
  );
  assert.equal(
    (
      await get(
        cloud,
        pairs.filter((pair) => !pair.startsWith('expires') && pair !== V3),
      )
    ).status,
    401,
  );
});

test('a registered write that is replayed makes no second object of one name', async () => {
  const pairs = sign(['command=createDomain', 'name=once', V3, expires(60)], cloud.credentials.admin);
  assert.equal((await get(cloud, pairs)).status, 200);
  assert.equal((await get(cloud, pairs)).status, 431);
});
