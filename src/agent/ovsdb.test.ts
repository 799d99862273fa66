// How the agent reads what Open vSwitch answers.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createBell } from '../lib/bell.ts';
import { silentLog } from '../lib/log.ts';
import { run } from '../lib/run.ts';
import { sleep } from '../lib/sleep.ts';
import { createOvsClient, createSplitter, type OvsClient } from './ovsdb.ts';
import { startOvsdb, type Ovsdb } from './ovsdb.test-support.ts';

let folder: string;
let server: Ovsdb;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ovsdb-'));
  server = await startOvsdb(folder);
});
after(async () => {
  await server.kill();
  await rm(folder, { recursive: true });
});

const vsctl = (...argv: string[]): Promise<unknown> =>
  run(['ovs-vsctl', `--db=${server.remote}`, '--no-wait', ...argv]);

async function reads(client: OvsClient, holds: (ovs: ReturnType<OvsClient['read']>) => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    try {
      if (holds(client.read())) return;
    } catch {
      // not connected at this moment
    }
    await sleep(10);
  }
  assert.fail('it never came to hold');
}

function answers(client: OvsClient): boolean {
  try {
    return client.read().version !== '';
  } catch {
    return false;
  }
}

test('createOvsClient() follows ports of br-int, rings at each change, and comes back after the database died', async () => {
  const bell = createBell();
  const client = createOvsClient(server.remote, bell, silentLog());
  assert.throws(() => client.read(), /does not answer/);
  await reads(client, (ovs) => !ovs.hasBridge);
  await bell.wait(0);
  const rung = bell.wait(5000);
  await vsctl(
    'add-br',
    'br-int',
    '--',
    'add-port',
    'br-int',
    'v1',
    '--',
    'set',
    'Interface',
    'v1',
    'external_ids:iface-id=x',
    'external_ids:attached-mac="02:00:00:00:00:01"',
  );
  assert.equal(await rung, true);
  await reads(client, (ovs) => ovs.ports.get('v1')?.externalIds['attached-mac'] === '02:00:00:00:00:01');
  await vsctl('add-br', 'br-other', '--', 'add-port', 'br-other', 'v2');
  await vsctl('set', 'Interface', 'v1', 'external_ids:ovn-installed=true');
  await reads(client, (ovs) => ovs.ports.get('v1')?.externalIds['ovn-installed'] === 'true');
  assert.equal(client.read().ports.has('v2'), false, 'ports of other bridges are not there');

  await vsctl('set', 'Open_vSwitch', '.', 'external_ids:ovn-bridge-mappings="physnet2:br-gone, physnet1:br-other"');
  await reads(client, ({ wires }) => wires.length > 0);
  assert.deepEqual(client.read().wires, ['physnet1'], 'a bridge that is not there leads nowhere');

  await server.kill();
  for (let tries = 0; tries < 400 && answers(client); tries++) await sleep(5);
  assert.throws(() => client.read(), /does not answer/);
  server = await startOvsdb(folder);
  await vsctl('del-port', 'br-int', 'v1');
  await reads(client, (ovs) => ovs.hasBridge && !ovs.ports.has('v1'));
  client.close();
});

test('createSplitter() cuts objects wherever the stream is cut, braces and quotes in texts included', () => {
  const objects = ['{"a":"}{"}', '{"b":"\\\\\\"}","c":{"d":[{}]}}', '{}'];
  const stream = objects.join('');
  for (let size = 1; size <= stream.length; size++) {
    const split = createSplitter();
    const got: string[] = [];
    for (let at = 0; at < stream.length; at += size) got.push(...split(stream.slice(at, at + size)));
    assert.deepEqual(got, objects);
  }
});
