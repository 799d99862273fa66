// What waits for nodes that die and are deleted, and whose word on an instance counts, over a real store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../lib/id.ts';
import { silentLog } from '../lib/log.ts';
import type { Host, Instance, Intent } from '../model/intent.ts';
import type { NodeReport } from '../protocol/document.ts';
import { addJob } from '../store/job.test-support.ts';
import type { Store } from '../store/open.ts';
import { openSqlite } from '../store/store.test-support.ts';
import { type Made, createSettling } from './settling.ts';
import type { Targets } from './waiting.ts';

const FACTS = {
  hostname: 'x',
  underlayIp: '192.0.2.1',
  cpus: 1,
  memoryMb: 1,
  ovs: '',
  ovn: '',
  kernel: '',
  version: '',
};

const instance = (id: string): Instance => ({
  id,
  name: 'i-1-VM',
  hostname: 'vm1',
  host: 'h1',
  power: 'running',
  boot: 0,
  passwordHash: '*',
  cpus: 1,
  memoryMb: 128,
  nics: [],
});

function host(name: string, more: Partial<Host> = {}): Host {
  const of = { id: `id-${name}`, name, kind: 'hypervisor', chassis: name, underlayIp: '192.0.2.1' } as const;
  return { ...of, instances: [], routers: [], scans: [], ...more };
}

function made(generation: number, ...hosts: readonly Host[]): Made {
  const chassis = hosts.map(({ name, underlayIp }) => ({ name, underlayIp, kind: 'hypervisor' as const }));
  const intent: Intent = {
    generation,
    fabric: { chassis, underlayMtu: 1500 },
    vpcs: new Map(),
    networks: new Map(),
    switches: new Map(),
    hosts: new Map(hosts.map((each) => [each.id, each])),
  };
  const nobody: Targets = { chassis: new Set(), nodes: new Map() };
  return {
    intent,
    barrier: 7,
    refused: new Map(),
    faults: new Map(),
    everybody: () => nobody,
    routes: async () => [],
  };
}

const said = (node: string, generation: number, errors: Readonly<Record<string, string>> = {}): NodeReport => ({
  node,
  generation,
  instances: Object.entries(errors).map(([id, error]) => ({ id, power: 'stopped', error })),
  facts: FACTS,
});

/** A job about an instance that concerns these nodes, and what ends it; chassis have everything but that of h1. */
async function waitingFor(store: Store, nodes: readonly string[], about: string, chassis: readonly string[] = []) {
  const { id, generation } = await addJob(store, about);
  const settling = createSettling({
    store,
    log: silentLog(),
    realizedAt: (name) => (name === 'h1' ? 3 : 9),
    newBarrier: async () => 9,
    jobLimitMs: 60_000,
  });
  const targets = { chassis: new Set(chassis), nodes: new Map(nodes.map((node) => [node, generation])) };
  settling.expect(generation, { units: new Set(), targets, nbCfg: 7 });
  const status = async (): Promise<number> =>
    (await store.db.selectFrom('job').select('status').where('id', '=', id).executeTakeFirstOrThrow()).status;
  return { settling, generation, status };
}

test('settle() waits for nothing of a host that was deleted: neither its document nor its chassis', async () => {
  await using opened = await openSqlite();
  const { settling, generation, status } = await waitingFor(opened.store, ['h1', 'h2'], newId(), ['h1', 'h2']);
  settling.report(said('h2', generation));
  const dead = host('h1', { down: true });
  assert.deepEqual(await settling.settle(made(generation, dead, host('h2'))), { waiting: 1, realized: generation - 1 });
  // One barrier more is asked for, because h2 made a port.
  await settling.settle(made(generation + 1, host('h2')));
  const end = await settling.settle(made(generation + 1, host('h2')));
  assert.deepEqual([end, await status()], [{ waiting: 0, realized: generation + 1 }, 1]);
});

test('settle() excuses a chassis that only carried router ports when it is Down, and when it is deleted', async () => {
  await using opened = await openSqlite();
  const { settling, generation, status } = await waitingFor(opened.store, [], newId());
  const targets: Targets = {
    chassis: new Set(['h1', 'h2']),
    homes: new Set(['h2']),
    nodes: new Map([['h2', generation]]),
  };
  settling.expect(generation, { units: new Set(), targets, nbCfg: 7 });
  await settling.settle(made(generation, host('h1', { down: true }), host('h2')));
  settling.report(said('h2', generation));
  await settling.settle(made(generation, host('h2')));
  await settling.settle(made(generation, host('h2')));
  assert.equal(await status(), 1);
});

test('settle() does not hear what a deleted host said last of an instance that runs elsewhere now', async () => {
  await using opened = await openSqlite();
  const about = newId();
  const { settling, generation, status } = await waitingFor(opened.store, ['h2'], about);
  settling.report(said('h1', generation - 1, { [about]: 'no memory' }));
  settling.report(said('h2', generation));
  await settling.settle(made(generation, host('h2', { instances: [instance(about)] })));
  assert.equal(await status(), 1);
});

test('settle() forgets what a deleted host said: one that joins under its name begins anew', async () => {
  await using opened = await openSqlite();
  const about = newId();
  const { settling, generation, status } = await waitingFor(opened.store, ['h1', 'h2'], about);
  settling.report(said('h1', generation + 5, { [about]: 'no memory' }));
  await settling.settle(made(generation, host('h2')));
  settling.report(said('h2', generation));
  const again = host('h1', { id: 'another', instances: [instance(about)] });
  await settling.settle(made(generation, again, host('h2')));
  assert.equal(await status(), 1, 'the word of the one that is gone is gone with it');
});

test('settle() hears of a Down host only about instances that are to be there', async () => {
  await using opened = await openSqlite();
  for (const [home, ended] of [
    ['h1', 0],
    ['h2', 1],
  ] as const) {
    const about = newId();
    const { settling, generation, status } = await waitingFor(opened.store, ['h2'], about);
    settling.report(said('h1', generation, { [about]: 'no memory' }));
    settling.report(said('h2', generation));
    const at = (name: string): readonly Instance[] => (name === home ? [instance(about)] : []);
    const hosts = [host('h1', { down: true, instances: at('h1') }), host('h2', { instances: at('h2') })];
    await settling.settle(made(generation, ...hosts));
    assert.equal(await status(), ended, `the instance belongs on ${home}`);
  }
});
