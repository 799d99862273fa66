// Attack 4: guessing keys and passwords, and hiding behind another address.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../support/cloud.ts';
import { get, post, sign } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

test('wrong signatures for one key are throttled; other keys are not, and forwarded addresses are not believed', async () => {
  const { 'acme-user': mine, admin } = cloud.credentials;
  const wrong = sign(['command=listZones'], { apikey: mine.apikey, secretkey: 'guess' });
  const seen: number[] = [];
  for (let i = 0; i < 15; i++)
    seen.push(
      (await get(cloud, wrong, { headers: { 'x-forwarded-for': `203.0.113.${i}`, forwarded: `for=203.0.113.${i}` } }))
        .status,
    );
  assert.equal(seen[0], 401);
  assert.equal(seen.at(-1), 429);
  assert.equal((await get(cloud, sign(['command=listZones'], mine))).status, 429, 'the key has to wait');
  assert.equal((await get(cloud, sign(['command=listZones'], admin))).status, 200);
});

const login = async (
  username: string,
  password: string,
  domain = '%2Facme',
): Promise<{ status: number; text: string }> => {
  const { status, body } = await post(cloud, [
    'command=login',
    'response=json',
    `username=${username}`,
    `password=${password}`,
    `domain=${domain}`,
  ]);
  return { status, text: String(body['errortext']) };
};

test('after five wrong passwords the user is disabled: the right one no longer helps, nor do the keys', async () => {
  const { password } = cloud.credentials['acme-admin'];
  for (let i = 0; i < 5; i++)
    assert.deepEqual(await login('acme-admin', 'wrong'), {
      status: 531,
      text: "Failed to authenticate user 'acme-admin' in domain '/acme'; please provide valid credentials",
    });
  const refused = await login('acme-admin', password);
  assert.equal(refused.status, 531);
  assert.match(refused.text, /is disabled\/locked\. Please contact the administrator\./);
  assert.equal((await cloud.request('acme-admin', 'listZones')).status, 401);
});

test('names that do not exist answer like those that do, and are throttled alike', async () => {
  const texts = new Set<string>();
  let last = 0;
  for (let i = 0; i < 12; i++) {
    const { status, text } = await login('ghost', 'wrong');
    last = status;
    texts.add(text.replace(/\d+ ms/, 'N ms'));
  }
  assert.equal(last, 429);
  assert.deepEqual(
    [...texts],
    [
      "Failed to authenticate user 'ghost' in domain '/acme'; please provide valid credentials",
      'Too many failed attempts from here, please retry after N ms.',
    ],
  );
});

const statuses = async (count: number, one: (index: number) => Promise<{ status: number }>): Promise<number[]> =>
  (await Promise.all(Array.from({ length: count }, (_, index) => one(index)))).map(({ status }) => status);

const guess = (of: Cloud, username: string, domain = '/', password = 'wrong'): Promise<{ status: number }> =>
  post(of, ['command=login', 'response=json', `username=${username}`, `password=${password}`, `domain=${domain}`]);

test('guesses made at once count like guesses made one after the other, however the domain is written', async () => {
  await using fresh = await openCloud();
  const ways = ['/', '//', '', 'ROOT', 'root/', '/ROOT'];
  const seen = await statuses(40, (index) => guess(fresh, 'admin', ways[index % ways.length]));
  assert.equal(seen.filter((status) => status === 531).length, 10, 'this many passwords were looked at');
  assert.equal(seen.filter((status) => status === 429).length, 30);
  const { password } = fresh.credentials.admin;
  assert.equal((await guess(fresh, 'admin', '/', password)).status, 429, 'who guessed it now has to wait');
});

test('wrong signatures for thousands of keys do not make a login start over', async () => {
  await using fresh = await openCloud();
  await statuses(10, () => guess(fresh, 'admin'));
  const unsigned = (index: number): Promise<{ status: number }> =>
    get(fresh, ['command=listZones', `apikey=guess-${index}`, 'response=json']);
  for (let i = 0; i < 10_100; i++) await unsigned(i);
  assert.equal((await guess(fresh, 'admin')).status, 429);
});

test('one address may be wrong a hundred times a minute, whoever it names; logging in as oneself clears nothing of that', async () => {
  await using fresh = await openCloud();
  const { username, password } = fresh.credentials['acme-user'];
  const own = (): Promise<{ status: number }> => guess(fresh, username, '/acme', password);
  assert.equal((await own()).status, 200);
  const seen = await statuses(99, (index) => guess(fresh, `guess-${index}`));
  assert.deepEqual([...new Set(seen)], [531]);
  assert.equal((await own()).status, 200);
  assert.equal((await guess(fresh, 'guess-99')).status, 531);
  assert.equal((await guess(fresh, 'guess-100')).status, 429);
});
