// `agent join` on a machine that was set up before: what is mended, what stays, and what is told.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../lib/run.ts';
import { encodeToken } from '../protocol/document.ts';
import { readConfig } from './config.ts';
import { type Ovsdb, startOvsdb } from './ovsdb.test-support.ts';
import { type SetupOptions, setUp } from './setup.ts';
import { configAgain, differences } from './setup-again.ts';

let folder: string;
let ovsdb: Ovsdb;
const vsctl = async (...argv: string[]): Promise<string> =>
  (await run(['ovs-vsctl', `--db=${ovsdb.remote}`, '--no-wait', '--timeout=5', ...argv])).stdout.trim();
const setting = async (key: string): Promise<string> =>
  (await vsctl('get', 'Open_vSwitch', '.', `external_ids:${key}`)).replaceAll('"', '');

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trunkline-setup-'));
  ovsdb = await startOvsdb(folder);
  // Not to be set here: it is also written where this machine's own Open vSwitch would read it.
  await vsctl('set', 'Open_vSwitch', '.', 'external_ids:system-id=h1');
  for (const bridge of ['br-ex', 'br-data']) await vsctl('add-br', bridge);
});
after(async () => {
  await ovsdb.kill();
  await rm(folder, { recursive: true, force: true });
});

const token = encodeToken({ node: 'h1', secret: 's', ca: 'c' });
/** As the command line gives them: defaults are there, only the rest was typed. */
const defaults = (): Partial<SetupOptions> & Pick<SetupOptions, 'token'> => ({
  token,
  role: 'hypervisor',
  state: '/var/lib/trunkline-agent',
  ovsRundir: folder,
  mapping: 'physnet1:br-ex',
  instances: 'libvirt',
});
const joinWith = (file: string, typed: Partial<SetupOptions>): Promise<string[]> =>
  setUp(file, { ...defaults(), ...typed }, new Set(Object.keys(typed)));

test('setUp() mends what is typed and what followed from it, keeps the rest, and keeps the file of before', async () => {
  const file = join(folder, 'agent.json');
  const first = { server: 'https://192.0.2.99:8443', underlayDevice: 'lo', underlayIp: '127.0.0.9', state: folder };
  await joinWith(file, { ...first, instances: 'netns' });
  assert.deepEqual([await setting('ovn-remote'), await setting('ovn-encap-ip')], ['tcp:192.0.2.99:6642', '127.0.0.9']);
  const wrong = await readFile(file, 'utf8');

  const done = await joinWith(file, { server: 'https://192.0.2.1:8443', underlayDevice: 'lo' });
  const config = readConfig(file);
  assert.deepEqual(
    [config.server, config.underlay.ip, config.state, config.instances?.driver],
    ['https://192.0.2.1:8443', '127.0.0.1', folder, 'netns'],
    'what was not typed is not a default now, but what the file said',
  );
  assert.deepEqual([await setting('ovn-remote'), await setting('ovn-encap-ip')], ['tcp:192.0.2.1:6642', '127.0.0.1']);
  assert.ok(done.includes(`${file}: server: "https://192.0.2.99:8443" -> "https://192.0.2.1:8443"`), done.join('\n'));
  assert.equal(await readFile(`${file}.before`, 'utf8'), wrong);

  assert.deepEqual(await joinWith(file, { server: 'https://192.0.2.1:8443' }), [`${file} stays as it is`]);
});

test('setUp() changes a bridge that is typed, and tells of what Open vSwitch was told by somebody else', async () => {
  const file = join(folder, 'bridge.json');
  await vsctl('set', 'Open_vSwitch', '.', 'external_ids:ovn-remote="ssl:192.0.2.7:6642"');
  await joinWith(file, { server: 'https://192.0.2.1:8443', underlayDevice: 'lo' });
  const done = await joinWith(file, { mapping: 'physnet1:br-data' });
  assert.equal(await setting('ovn-bridge-mappings'), 'physnet1:br-data');
  assert.equal(await setting('ovn-remote'), 'ssl:192.0.2.7:6642');
  const told = 'external_ids:ovn-remote is ssl:192.0.2.7:6642 and stays so; tcp:192.0.2.1:6642 is what follows';
  assert.ok(
    done.some((line) => line.includes(told)),
    done.join('\n'),
  );
  await vsctl('del-br', 'br-ex');
  await joinWith(file, { instances: 'netns' });
  assert.equal(readConfig(file).instances?.driver, 'netns', 'the bridge of before is taken, not the usual one');
});

test('setUp() refuses a token of another node, and a file that says too little; a broken file is written anew', async () => {
  const file = join(folder, 'other.json');
  await vsctl('--may-exist', 'add-br', 'br-ex');
  await joinWith(file, { server: 'https://192.0.2.1:8443', underlayDevice: 'lo' });
  const other = encodeToken({ node: 'h2', secret: 's', ca: 'c' });
  await assert.rejects(
    setUp(file, { ...defaults(), token: other, server: 'https://192.0.2.2:8443' }, new Set(['server'])),
    /for node h2, and this is h1: make one for h1 \(createJoinToken name=h1\)/,
  );
  assert.equal(readConfig(file).server, 'https://192.0.2.1:8443');
  await writeFile(file, '{ "node": "h1", ');
  await assert.rejects(joinWith(file, { instances: 'netns' }), /name --server and --underlay-device/);
  await joinWith(file, { server: 'https://192.0.2.1:8443', underlayDevice: 'lo' });
  assert.equal(readConfig(file).node, 'h1');
  assert.match(await readFile(`${file}.before`, 'utf8'), /^\{ "node": "h1", $/);
});

test('configAgain() keeps what was added by hand, and nothing of a role or driver that is left', () => {
  const machines = { driver: 'libvirt', directory: '/srv/vms', image: '/srv/image.qcow2' };
  const was = { state: '/s', tokenFile: '/etc/token', instances: machines, router: { gateway: '192.0.2.254' } };
  const now = { state: '/s', tokenFile: '/s/token', instances: { driver: 'libvirt', directory: '/s/instances' } };
  assert.deepEqual(configAgain(was, now, new Set(['server'])), {
    state: '/s',
    tokenFile: '/etc/token',
    instances: machines,
  });
  const namespaces = { ...now, instances: { driver: 'netns', directory: '/s/instances' } };
  assert.deepEqual(configAgain(was, namespaces, new Set(['instances']))['instances'], namespaces.instances);
  assert.deepEqual(differences(was, { ...was, router: { gateway: '192.0.2.1' } }), [
    'router.gateway: "192.0.2.254" -> "192.0.2.1"',
  ]);
});
