// Tags on objects: whose they are, and what cannot carry one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, type Params, type Who, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import { makeVpc } from '../../../test/support/story.ts';

let cloud: Cloud;
let vpc: string;
before(async () => {
  cloud = await openCloud();
  vpc = await makeVpc(cloud, 'acme-user', 'tagged', '10.1.0.0/16');
});
after(() => cloud[Symbol.asyncDispose]());

const tags = async (who: Who, params: Params = {}): Promise<string[]> =>
  (((await cloud.callAs(who, 'listTags', params))['tag'] ?? []) as { key: string; value: string }[]).map(
    ({ key, value }) => `${key}=${value}`,
  );
const create = (who: Who, params: Params): Promise<unknown> =>
  cloud.doAs(who, 'createTags', { resourcetype: 'Vpc', resourceids: vpc, ...params });

test('createTags takes the kind in any case; the tag belongs to the owner of the object', async () => {
  assert.deepEqual(
    await create('acme-admin', {
      resourcetype: 'vPC',
      tags: [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ],
    }),
    { success: true },
  );
  assert.deepEqual(await tags('acme-user'), ['a=1', 'b=2']);
  assert.deepEqual(await tags('acme-admin'), [], 'an admin who says nothing means his own account');
  assert.deepEqual(await tags('acme-admin', { listall: true }), ['a=1', 'b=2']);
  assert.deepEqual(await tags('globex-admin', { listall: true }), []);
  assert.deepEqual(await tags('acme-user', { resourcetype: 'vpc', resourceid: vpc, key: 'b' }), ['b=2']);
  assert.deepEqual(await tags('acme-user', { resourcetype: 'network' }), []);
});

test('lists can be filtered by tag, any of those named', async () => {
  const found = async (wanted: readonly Record<string, string>[]): Promise<unknown> =>
    (await cloud.callAs('acme-user', 'listVPCs', { tags: wanted }))['count'] ?? 0;
  assert.equal(
    await found([
      { key: 'a', value: '1' },
      { key: 'z', value: 'z' },
    ]),
    1,
  );
  assert.equal(await found([{ key: 'a', value: '2' }]), 0);
});

test('createTags refuses what cannot be tagged, what is not there, what is empty, and what is there already', async () => {
  const tag = [{ key: 'c', value: '3' }];
  await assert.rejects(
    create('acme-user', { resourcetype: 'Zone', tags: tag }),
    refused(431, /^The resource type Zone doesn't support resource tags/),
  );
  await assert.rejects(
    create('acme-user', { resourcetype: 'Frog', tags: tag }),
    refused(431, /^Invalid resource type Frog/),
  );
  await assert.rejects(
    create('globex-admin', { tags: tag }),
    refused(431, new RegExp(`^Unable to find resource by uuid ${vpc} and type Vpc$`)),
  );
  await assert.rejects(
    create('acme-user', { tags: [{ key: 'c', value: '' }] }),
    refused(431, /^Value for the key c is either null or empty$/),
  );
  for (const [what, long] of [
    ['key', { key: 'k'.repeat(256), value: '1' }],
    ['value', { key: 'k', value: '1'.repeat(256) }],
  ] as const) {
    await assert.rejects(
      create('acme-user', { tags: [long] }),
      refused(431, new RegExp(`^The ${what} of tag k+ is 256 characters long; at most 255`)),
    );
  }
  await assert.rejects(
    create('acme-user', {
      tags: [
        { key: 'd', value: '1' },
        { key: 'a', value: '9' },
      ],
    }),
    refused(431, /tag a already on Vpc with id .*: its value is 1/),
  );
  assert.deepEqual(await tags('acme-user', { key: 'd' }), [], 'a refused call leaves none of its tags');
});

test('deleteTags removes those named, or all, and refuses when there are none', async () => {
  await assert.rejects(
    cloud.callAs('globex-admin', 'deleteTags', { resourcetype: 'Vpc', resourceids: vpc }),
    refused(431, /Unable to find resource/),
  );
  await cloud.doAs('acme-user', 'deleteTags', { resourcetype: 'Vpc', resourceids: vpc, tags: [{ key: 'a' }] });
  assert.deepEqual(await tags('acme-user'), ['b=2']);
  await assert.rejects(
    cloud.callAs('acme-user', 'deleteTags', {
      resourcetype: 'Vpc',
      resourceids: vpc,
      tags: [{ key: 'b', value: 'other' }],
    }),
    refused(431, /Unable to find tags/),
  );
  await cloud.doAs('acme-user', 'deleteTags', { resourcetype: 'Vpc', resourceids: vpc });
  assert.deepEqual(await tags('acme-user'), []);
});
