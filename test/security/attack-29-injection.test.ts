// Attack 29: text that is read as something else: SQL, patterns, prototypes, markup. And requests meant to wear the server out.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { serveApi } from '../../src/api/serve.ts';
import { type Body, type Cloud, openCloud } from '../support/cloud.ts';
import { get, post, sign } from './raw.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const HOSTILE = [
  "' or '1'='1",
  '"; drop table user; --',
  "') union select * from user --",
  '%',
  '_',
  '\\',
  '${7*7}',
  '__proto__',
  'constructor',
  '<script>alert(1)</script>',
  '(a+)+$',
  `${'a'.repeat(200)}!`,
];

test('every text parameter of every list takes hostile text as text: no error of ours, nobody else’s rows', async () => {
  const before = await cloud.store.db.selectFrom('user').select('id').execute();
  for (const { name, params } of cloud.registry.values()) {
    if (!name.startsWith('list') || name === 'listApis') continue;
    for (const param of Object.keys(params.shape)) {
      for (const hostile of ["' or '1'='1", '"; drop table user; --', '\\']) {
        const { status, text } = await cloud.request('acme-admin', name, { listall: true, [param]: hostile });
        assert.ok(
          status === 200 || status === 430 || status === 431 || status === 432,
          `${name} ${param}=${hostile}: ${status} ${text}`,
        );
        assert.ok(!text.includes('globex'), `${name} ${param}=${hostile}`);
      }
    }
  }
  assert.deepEqual(await cloud.store.db.selectFrom('user').select('id').execute(), before);
});

test('names that are hostile are kept as they are and found by nothing but themselves', async () => {
  for (const name of HOSTILE) {
    const { status, body } = await cloud.request('admin', 'createDomain', { name });
    if (name.includes('/')) {
      assert.equal(status, 431);
      continue;
    }
    assert.equal((body['domain'] as Body)['name'], name);
    assert.equal((await cloud.request('admin', 'listDomains', { name })).body['count'], 1, name);
  }
  assert.equal(
    (await cloud.request('admin', 'listDomains', { keyword: '%' })).body['count'],
    1,
    'a wildcard is a letter',
  );
});

test('in XML hostile text stays text', async () => {
  await cloud.request('admin', 'createDomain', { name: '<b>&"x"' });
  const pairs = ['command=listDomains', 'keyword=%3Cb', `apikey=${cloud.credentials.admin.apikey}`];
  const { createHmac } = await import('node:crypto');
  const signature = createHmac('sha1', cloud.credentials.admin.secretkey)
    .update([...pairs].toSorted().join('&').toLowerCase())
    .digest('base64');
  const { text } = await get(cloud, [...pairs, `signature=${encodeURIComponent(signature)}`]);
  assert.ok(text.includes('<name>&lt;b&gt;&amp;&quot;x&quot;</name>'), text);
});

test('prototype names in parameters and maps reach nothing', async () => {
  const { status } = await get(
    cloud,
    sign(
      ['command=listVPCs', '__proto__=1', 'constructor=2', 'tags[0].__proto__=x', 'tags[0].key=a', 'hasOwnProperty=1'],
      cloud.credentials.admin,
    ),
  );
  assert.ok(status === 200 || status === 431);
  assert.equal(({} as Body)['x'], undefined);
});

test('a body over a megabyte and a thousand parameters are refused', async () => {
  assert.equal((await post(cloud, [`command=listZones&response=json&name=${'x'.repeat(1_100_000)}`])).status, 413);
  assert.equal(
    (
      await post(cloud, [
        'command=listZones',
        'response=json',
        ...Array.from({ length: 1000 }, (_, index) => `p${index}=1`),
      ])
    ).status,
    430,
  );
});

test('an error of our own is one fixed sentence to the client, and the log has the rest', async () => {
  const broken = { ...cloud, registry: new Map(cloud.registry) };
  broken.registry.set('listZones', {
    ...cloud.registry.get('listZones')!,
    run: () => Promise.reject(new Error('secret detail of the inside')),
  });
  const { createApp } = await import('../../src/api/app.ts');
  const app = createApp({ registry: broken.registry, accounts: cloud.accounts, log: cloud.house.log });
  const response = await app.request(`/client/api?${sign(['command=listZones'], cloud.credentials.admin).join('&')}`);
  assert.equal(response.status, 530);
  const text = await response.text();
  assert.ok(text.includes('Internal error executing command, please contact your system administrator'));
  assert.ok(!text.includes('secret detail') && !text.includes('.ts'));
});

test('clients that dawdle do not keep others waiting', async () => {
  const served = await serveApi(cloud.app, { port: 0 });
  const slow = Array.from({ length: 200 }, () => {
    const socket = connect(served.port, '127.0.0.1', () =>
      socket.write('POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nc'),
    );
    socket.on('error', () => undefined);
    return socket;
  });
  const started = performance.now();
  const response = await fetch(`${served.url}?command=listZones&response=json`);
  assert.equal(response.status, 401);
  assert.ok(performance.now() - started < 2000);
  for (const socket of slow) socket.destroy();
  await served.close();
});
