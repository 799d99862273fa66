// Attack 28: finding secrets where they should not be: in the database, in logs, in events and jobs, in answers.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { bootstrap } from '../../src/commands/server/bootstrap.ts';
import { createLog } from '../../src/lib/log.ts';
import { seal, unseal } from '../../src/store/seal.ts';
import { DATABASES } from '../../src/store/store.test-support.ts';
import { type Body, openCloud } from '../support/cloud.ts';
import { addHosts, idOf, makeTier, makeVpc } from '../support/story.ts';
import { post } from './raw.ts';

test('passwords, secret keys, session keys and generated instance passwords are nowhere in clear but in the one answer that tells them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-secrets-'));
  const logFile = join(folder, 'log');
  const cloud = await openCloud({ log: createLog('test', 'trace', logFile) });
  try {
    const secrets: string[] = [];
    const { username, password, secretkey } = cloud.credentials['acme-admin'];
    secrets.push(password, secretkey);
    const login = await post(cloud, [
      'command=login',
      'response=json',
      `username=${username}`,
      `password=${password}`,
      'domain=/acme',
    ]);
    secrets.push(String(login.body['sessionkey']), /JSESSIONID=([^;]+)/.exec(login.headers.getSetCookie().join())![1]!);
    await post(cloud, [
      'command=login',
      'response=json',
      `username=${username}`,
      'password=a-wrong-password',
      'domain=/acme',
    ]);
    secrets.push('a-wrong-password');
    const person = {
      username: 'sam',
      password: 'the-password-of-sam',
      firstname: 'S',
      lastname: 'S',
      email: 's@example.invalid',
    };
    const made = await cloud.request('acme-admin', 'createUser', { ...person, account: 'acme-user' });
    secrets.push(person.password);
    const keys = await cloud.request('acme-admin', 'registerUserKeys', {
      id: String((made.body['user'] as Body)['id']),
    });
    secrets.push(String((keys.body['userkeys'] as Body)['secretkey']));

    await addHosts(cloud);
    const tier = await makeTier(
      cloud,
      'acme-admin',
      await makeVpc(cloud, 'acme-admin', 'v', '10.1.0.0/16'),
      't',
      '10.1.1.1',
    );
    const answer = await cloud.request('acme-admin', 'deployVirtualMachine', {
      zoneid: await idOf(cloud, 'acme-admin', 'listZones', 'zone', {}),
      serviceofferingid: await idOf(cloud, 'acme-admin', 'listServiceOfferings', 'serviceoffering', {
        name: 'Small Instance',
      }),
      templateid: await idOf(cloud, 'acme-admin', 'listTemplates', 'template', {
        templatefilter: 'featured',
        name: 'tiny linux kvm with password',
      }),
      networkids: tier,
    });
    await cloud.settle();
    const job = await cloud.request('acme-admin', 'queryAsyncJobResult', { jobid: String(answer.body['jobid']) });
    const shown = ((job.body['jobresult'] as Body)['virtualmachine'] as Body)['password'];
    assert.equal(typeof shown, 'string', 'the job tells the password');
    secrets.push(String(shown));

    const places: Record<string, string> = { log: readFileSync(logFile, 'utf8') };
    const tables = ['user', 'session', 'job', 'event', 'instance', 'host', 'configuration'] as const;
    for (const table of tables)
      places[`table ${table}`] = JSON.stringify(await cloud.store.db.selectFrom(table).selectAll().execute());
    for (const name of [
      'listUsers',
      'listAccounts',
      'listEvents',
      'listAsyncJobs',
      'listVirtualMachines',
      'listConfigurations',
    ]) {
      places[name] = (await cloud.request('admin', name, { listall: true })).text;
    }
    for (const [place, text] of Object.entries(places)) {
      assert.ok(text.length > 20, `${place} holds something to look at`);
      for (const [index, secret] of secrets.entries())
        assert.ok(!text.includes(secret), `secret ${index} is in ${place}`);
    }
  } finally {
    await cloud[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the database files hold no secret key', async () => {
  const state = await DATABASES[0]!.open();
  try {
    const { credentials } = await bootstrap(state.store, { demo: true });
    const folder = dirname(state.where);
    const files = readdirSync(folder);
    for (const { secretkey } of Object.values(credentials)) {
      for (const file of files) assert.ok(!readFileSync(join(folder, file)).includes(secretkey), file);
    }
    assert.ok(files.length > 0 && Object.keys(credentials).length === 5);
  } finally {
    await state[Symbol.asyncDispose]();
  }
});

test('unseal() opens with the right key only, and notices each changed bit', () => {
  const key = randomBytes(32);
  const sealed = seal(key, 'geheim ✓');
  assert.equal(unseal(key, sealed), 'geheim ✓');
  assert.notEqual(seal(key, 'geheim ✓'), sealed, 'no two seals are alike');
  assert.throws(() => unseal(randomBytes(32), sealed), /seal key is not the one/);
  const bytes = Buffer.from(sealed.slice(2), 'base64');
  for (let i = 0; i < bytes.length; i++) {
    const broken = Buffer.from(bytes);
    broken[i]! ^= 1;
    assert.throws(() => unseal(key, `1.${broken.toString('base64')}`), /cannot be opened/);
  }
});
