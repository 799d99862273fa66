// The wire as clients see it: envelopes, formats, cookies, methods. Against every command of the product, without a port.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, openCloud } from '../../test/support/cloud.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const form = (body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
});

test('an answer has one top-level key named like the command, and a request id', async () => {
  const { status, envelope, body, headers, text } = await cloud.request('admin', 'listZones');
  assert.equal(status, 200);
  assert.equal(envelope, 'listzonesresponse');
  assert.deepEqual(Object.keys(JSON.parse(text) as object), ['listzonesresponse']);
  assert.equal(body['count'], 1);
  assert.equal(headers.get('content-type'), 'application/json; charset=UTF-8');
  assert.match(headers.get('x-request-id')!, /^[0-9a-f-]{36}$/);
});

test('a list that matches nothing is an empty object', async () => {
  const { text } = await cloud.request('admin', 'listZones', { name: 'nowhere' });
  assert.equal(text, '{"listzonesresponse":{}}');
});

test('a page past the end is the count alone', async () => {
  const { body } = await cloud.request('admin', 'listDomains', { page: 9, pagesize: 10 });
  assert.deepEqual(body, { count: 3 });
});

test('a refusal has the status as its code, an empty uuidList and the text in a header', async () => {
  const { status, envelope, body, headers } = await cloud.request('admin', 'listZones', { id: 'x' });
  assert.equal(status, 431);
  assert.equal(envelope, 'listzonesresponse');
  assert.deepEqual(Object.keys(body), ['uuidList', 'errorcode', 'cserrorcode', 'errortext']);
  assert.deepEqual([body['uuidList'], body['errorcode'], body['cserrorcode']], [[], 431, 4350]);
  assert.equal(headers.get('x-description'), body['errortext']);
});

test('an unknown command and one that the role may not use answer alike', async () => {
  const unknown = await cloud.request('acme-user', 'frobnicate');
  const forbidden = await cloud.request('acme-user', 'createDomain', { name: 'x' });
  for (const [name, { status, envelope, body }] of Object.entries({ frobnicate: unknown, createDomain: forbidden })) {
    assert.equal(status, 432);
    assert.equal(envelope, 'errorresponse');
    assert.equal(body['errortext'], `The given command '${name}' either does not exist, is not available for user.`);
  }
});

test('a request without a command is 432', async () => {
  const { status, body } = await cloud.fetch('/client/api?response=json');
  assert.equal(status, 432);
  assert.equal(body['errortext'], 'Invalid request, no command sent');
});

test('without response=json the answer is XML, errors included', async () => {
  const { status, text, headers } = await cloud.fetch('/client/api?command=listZones');
  assert.equal(status, 401);
  assert.equal(headers.get('content-type'), 'text/xml; charset=UTF-8');
  assert.match(
    text,
    /^<\?xml version="1.0" encoding="UTF-8"\?><listzonesresponse cloud-stack-version="[0-9.]+"><errorcode>401<\/errorcode>/,
  );
});

test('an unproven caller is answered 401 under the name of the command, and under errorresponse where there is none', async () => {
  const known = await cloud.fetch('/client/api?command=createZone&response=json&apikey=x&signature=y');
  assert.deepEqual([known.status, known.envelope], [401, 'createzoneresponse']);
  const unknown = await cloud.fetch('/client/api?command=frobnicate&response=json&apikey=x&signature=y');
  assert.deepEqual([unknown.status, unknown.envelope], [401, 'errorresponse']);
  assert.equal(unknown.body['errortext'], known.body['errortext']);
});

test('a command whose envelope has a name of its own answers under it', async () => {
  const { text } = await cloud.request('acme-user', 'listLdapConfigurations');
  assert.equal(text, '{"ldapconfigurationresponse":{}}');
});

test('methods other than GET and POST are 405, other paths 404 with a hint', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
    assert.equal((await cloud.fetch('/client/api?command=listZones&response=json', { method })).status, 405, method);
  }
  const { status, text } = await cloud.fetch('/client');
  assert.equal(status, 404);
  assert.match(text, /\/client\/api/);
});

test('a body that is no form, no UTF-8 or too large is refused', async () => {
  const json = await cloud.fetch('/client/api?response=json', {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  });
  assert.deepEqual([json.status, json.body['errorcode']], [430, 430]);
  const latin = await cloud.fetch('/client/api?response=json', {
    ...form(''),
    body: new Uint8Array([0x61, 0x3d, 0xe9]),
  });
  assert.equal(latin.status, 430);
  const large = await cloud.fetch('/client/api?response=json', form(`a=${'x'.repeat(1024 * 1024)}`));
  assert.equal(large.status, 413);
});

async function login(
  domain = '/acme',
  who: 'acme-admin' | 'readonly' = 'acme-admin',
): Promise<{ cookie: string; sessionkey: string; setCookies: string[] }> {
  const { password, username } = cloud.credentials[who];
  const { status, body, headers } = await cloud.fetch(
    '/client/api',
    form(`command=login&response=json&username=${username}&password=${password}&domain=${encodeURIComponent(domain)}`),
  );
  assert.equal(status, 200, JSON.stringify(body));
  const setCookies = headers.getSetCookie();
  const cookie = setCookies.map((one) => one.split(';')[0]).join('; ');
  return { cookie, sessionkey: String(body['sessionkey']), setCookies };
}

test('login answers who it is and sets two cookies no script can read', async () => {
  const { password } = cloud.credentials['acme-admin'];
  const { envelope, body } = await cloud.fetch(
    '/client/api',
    form(`command=login&response=json&username=acme-admin&password=${password}&domain=%2Facme`),
  );
  assert.equal(envelope, 'loginresponse');
  assert.deepEqual(
    [body['username'], body['account'], body['domainname'], body['type'], body['registered'], body['timeout']],
    ['acme-admin', 'acme-admin', 'acme', '2', 'true', '1800'],
  );
  const { setCookies } = await login();
  assert.deepEqual(
    setCookies.map((one) => one.split('=')[0]),
    ['JSESSIONID', 'sessionkey'],
  );
  for (const one of setCookies) assert.match(one, /; HttpOnly; SameSite=Lax/);
});

test('login takes the domain with or without slash and ROOT, and empty or / for the root domain', async () => {
  for (const domain of ['/acme', 'acme', 'ROOT/acme', '/ACME/']) await login(domain);
  for (const domain of ['', '/', 'ROOT']) await login(domain, 'readonly');
});

test('login by GET is 405', async () => {
  const { status, body } = await cloud.fetch(
    `/client/api?command=login&response=json&username=admin&password=${cloud.credentials.admin.password}`,
  );
  assert.equal(status, 405);
  assert.equal(body['errortext'], 'Please use HTTP POST to authenticate using this API');
});

test('a session works with cookie and session key, and ends with logout', async () => {
  const { cookie, sessionkey } = await login();
  const call = async (query: string, header = cookie): Promise<number> =>
    (await cloud.fetch(`/client/api?response=json&${query}`, { headers: { cookie: header } })).status;
  const key = `sessionkey=${encodeURIComponent(sessionkey)}`;
  assert.equal(await call(`command=listDomains&${key}`), 200);
  assert.equal(await call('command=listDomains'), 401, 'the cookie alone');
  assert.equal(await call(`command=listDomains&${key}`, ''), 401, 'the key alone');
  assert.equal(await call('command=logout'), 200);
  assert.equal(await call(`command=listDomains&${key}`), 401, 'after logout');
});

test('listApis shows each role its own commands, with types and related ones', async () => {
  const { body } = await cloud.request('readonly', 'listApis');
  const apis = body['api'] as readonly {
    name: string;
    params: object[];
    response: object[];
    isasync: boolean;
    description: string;
  }[];
  assert.equal(body['count'], apis.length);
  for (const { name, params, response, isasync, description } of apis) {
    assert.match(name, /^(list|check|login$|logout$)/);
    assert.ok(Array.isArray(params) && Array.isArray(response));
    assert.equal(typeof isasync, 'boolean');
    assert.ok(description.length > 0);
  }
  const { body: one } = await cloud.request('admin', 'listApis', { name: 'createTags' });
  const [createTags] = one['api'] as readonly { isasync: boolean; params: readonly object[] }[];
  assert.equal(createTags?.isasync, true);
  const types = Object.fromEntries(
    (createTags.params as readonly { name: string; type: string; required: boolean }[]).map((param) => [
      param.name,
      [param.type, param.required],
    ]),
  );
  assert.deepEqual(types, { resourceids: ['list', true], resourcetype: ['string', true], tags: ['map', true] });
  const { body: users } = await cloud.request('admin', 'listApis', { name: 'deleteUser' });
  const [deleteUser] = users['api'] as readonly { params: readonly { related: string }[] }[];
  assert.match(deleteUser!.params[0]!.related, /(^|,)listUsers(,|$)/);
  assert.equal((await cloud.request('acme-user', 'listApis', { name: 'createDomain' })).status, 432);
});
