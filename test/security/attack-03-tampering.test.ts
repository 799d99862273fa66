// Attack 3: changing a signed request, or writing it so that signature check and command read different things.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Body, type Cloud, openCloud } from '../support/cloud.ts';
import { get, post, sign } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const signedBy = (...pairs: string[]): string[] => sign(pairs, cloud.credentials.admin);

test('any parameter added, dropped or changed after signing is 401, in the query or in the body', async () => {
  const pairs = signedBy('command=listDomains', 'name=acme', 'page=1', 'pagesize=5');
  assert.equal((await get(cloud, pairs)).status, 200);
  assert.equal((await get(cloud, [...pairs, 'level=1'])).status, 401);
  assert.equal(
    (
      await get(
        cloud,
        pairs.filter((pair) => pair !== 'name=acme'),
      )
    ).status,
    401,
  );
  assert.equal(
    (
      await get(
        cloud,
        pairs.map((pair) => (pair === 'name=acme' ? 'name=globex' : pair)),
      )
    ).status,
    401,
  );
  assert.equal((await post(cloud, ['level=1'], pairs)).status, 401, 'an unsigned parameter in the body');
  assert.equal((await post(cloud, pairs, ['level=1'])).status, 401, 'an unsigned parameter in the query');
});

test('the order of parameters does not matter, nor whether they come by GET, by POST or half and half', async () => {
  const pairs = signedBy('command=listDomains', 'name=acme');
  const ask = async (answer: Promise<{ body: Body }>): Promise<unknown> => (await answer).body['count'];
  assert.equal(await ask(get(cloud, pairs.toReversed())), 1);
  assert.equal(await ask(post(cloud, pairs)), 1);
  assert.equal(await ask(post(cloud, pairs.slice(2), pairs.slice(0, 2))), 1);
});

test('a parameter given twice is refused before anything is believed, in any case and any place', async () => {
  for (const pairs of [
    signedBy('command=listDomains', 'name=acme', 'name=globex'),
    signedBy('command=listDomains', 'name=acme', 'NAME=globex'),
    signedBy('command=listDomains', 'tags[0].key=a', 'tags[0].key=b'),
  ]) {
    const { status, body } = await get(cloud, pairs);
    assert.deepEqual([status, body['errorcode']], [430, 430]);
  }
  assert.equal((await post(cloud, ['command=deleteDomain'], signedBy('command=listDomains'))).status, 430);
});

test('a signature covers letter case of nothing, as the protocol has it, so no command may hang on it', async () => {
  const pairs = signedBy('command=listDomains', 'name=acme');
  assert.equal(
    (
      await get(
        cloud,
        pairs.map((pair) => pair.replace('listDomains', 'listdomains')),
      )
    ).status,
    432,
    'command names are read exactly',
  );
  assert.equal(
    (
      await get(
        cloud,
        pairs.map((pair) => pair.replace('acme', 'ACME')),
      )
    ).body['count'],
    1,
  );
});

test('unicode, blanks as + or %20, and awkward characters arrive as they were sent', async () => {
  const name = "Ünï *~!'()[]{}<>;:@$,`^ 漢字 🙂";
  const { body } = await cloud.request('admin', 'createDomain', { name });
  assert.equal((body['domain'] as Body)['name'], name);
  const plus = await get(cloud, signedBy('command=listDomains', 'keyword=%20'));
  assert.equal(plus.status, 200);
});

const HOSTILE: readonly (readonly [pair: string, status: number])[] = [
  ['name=a%00b', 431],
  ['name=a%0d%0aX-Evil:%201', 431],
  ['name=a%0ab', 431],
  ['name=%e0%a4', 430],
  ['name=%', 430],
  ['name=%u0041', 430],
  [`name=${'x'.repeat(256)}`, 431],
  [`${'n'.repeat(300)}=1`, 430],
  ['tags[99999999].key=a', 430],
  ['tags[-1].key=a', 430],
  ['tags[0][1].key=a', 430],
  ['page=1e9&pagesize=1', 431],
  ['page=0&pagesize=1', 431],
  ['page=1&pagesize=501', 431],
  ['page=99999999999999999999&pagesize=1', 431],
];

for (const [pair, status] of HOSTILE) {
  test(`${pair.slice(0, 40)} is ${status}, never an internal error, and nothing of it gets into a header`, async () => {
    const { status: got, headers, text } = await get(cloud, signedBy('command=listDomains', ...pair.split('&')));
    assert.equal(got, status, text);
    assert.equal(headers.get('x-evil'), null);
    assert.doesNotMatch(text, /at .*\.ts|node:internal|Error:/);
  });
}
