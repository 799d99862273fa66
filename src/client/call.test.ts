// `trunkline call` as somebody types it: the program itself, with a state folder whose server is gone.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tryRun } from '../lib/run.ts';

const MAIN = new URL('../main.ts', import.meta.url).pathname;

let state: string;
before(async () => {
  state = await mkdtemp(join(tmpdir(), 'trunkline-call-'));
});
after(() => rm(state, { recursive: true, force: true }));

const call = (...args: string[]): ReturnType<typeof tryRun> =>
  tryRun([process.execPath, '--disable-warning=ExperimentalWarning', MAIN, 'call', ...args, '--state', state]);

test('call without access.json says that nothing runs there', async () => {
  const { code, stderr } = await call('listZones');
  assert.equal(code, 1);
  assert.equal(
    stderr.trim(),
    `trunkline: ${state}/access.json is not there: nothing runs with this state folder. Start ./demo, or name the folder with --state`,
  );
});

test('call names account and parameter that are wrong, and the server that does not answer, each in one line', async () => {
  const keys = { apikey: 'a', secretkey: 'b' };
  await writeFile(
    join(state, 'access.json'),
    JSON.stringify({ endpoint: 'http://127.0.0.1:1/client/api', accounts: { admin: keys, ann: keys } }),
  );
  const account = await call('listZones', '--as', 'bob');
  assert.match(account.stderr, /^trunkline: there is no account bob in .*access\.json; there are admin, ann\n$/);
  const parameter = await call('listZones', 'name');
  assert.equal(parameter.stderr, 'trunkline: name is no parameter: write key=value\n');
  const silent = await call('listZones');
  assert.match(
    silent.stderr,
    /^listZones: no answer from http:\/\/127\.0\.0\.1:1\/client\/api: .*\. The address is from .*access\.json: does that server still run\? .*\n$/,
  );
  assert.deepEqual([account.code, parameter.code, silent.code], [1, 1, 1]);
});
