// The engine against real OVSDB servers: what must hold while servers die, others write, and hands meddle.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { desired, unit } from './desired.test-support.ts';
import { createNorthbound, type Northbound } from './northbound.ts';
import { startOvsdbServer, until, type TestServer } from './ovsdb-server.test-support.ts';
import { GENERATION_KEY, proveChosenIds } from './transact.ts';

let nb: TestServer;
let sb: TestServer;
let engine: Northbound;
const opened: Northbound[] = [];

before(async () => {
  sb = await startOvsdbServer('ovn-sb');
});
after(() => sb.close());
beforeEach(async () => {
  nb = await startOvsdbServer('ovn-nb');
  engine = await open();
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await nb.close();
});

async function open(): Promise<Northbound> {
  const one = createNorthbound({ nb: nb.remote, sb: sb.remote, log: silentLog() });
  opened.push(one);
  await one.start();
  return one;
}

const incremental = { full: false };

test('apply() writes rows under the ids the compiler chose, with owner, unit and generation, and bumps nb_cfg with them', async () => {
  const one = unit('vpc:1');
  const result = await engine.apply(desired(7, one), incremental);
  assert.equal(result.writes, one.rows.length);
  assert.equal(result.nbCfg, 1);
  for (const { table, uuid } of one.rows) {
    const ids = await nb.nbctl('get', table, uuid, 'external_ids');
    for (const part of ['owner=trunkline', 'unit="vpc:1"', 'generation="7"'])
      assert.ok(ids.includes(part), `${table}: ${ids}`);
  }
  assert.equal(await nb.nbctl('get', 'NB_Global', '.', 'nb_cfg'), '1');
  assert.ok((await nb.nbctl('get', 'NB_Global', '.', 'external_ids')).includes(`"${GENERATION_KEY}"="7"`));
});

test('apply() names no nb_cfg when there is nothing to write, but a new process learns the one that covers what is there', async () => {
  const state = desired(1, unit('vpc:1'));
  assert.equal((await engine.apply(state, incremental)).nbCfg, 1);
  const again = await engine.apply(state, { full: true });
  assert.deepEqual([again.nbCfg, again.writes, again.steps, again.drift], [undefined, 0, [], []]);
  const restarted = await (await open()).apply(state, incremental);
  assert.deepEqual([restarted.nbCfg, restarted.writes], [1, 0]);
});

test('apply() does not rewrite rows for a new generation alone', async () => {
  const one = unit('vpc:1');
  await engine.apply(desired(1, one), incremental);
  const second = await engine.apply(desired(2, one, unit('vpc:2')), { full: true });
  assert.deepEqual([...second.touchedUnits], ['vpc:2']);
  assert.ok((await nb.nbctl('get', 'Logical_Router', 'lr-vpc:1', 'external_ids')).includes('generation="1"'));
});

test('apply() answers a hundred concurrent calls with a few transactions, each for the newest generation', async () => {
  const calls = Array.from({ length: 100 }, async (_, at) => {
    if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    const units = Array.from({ length: at + 1 }, (_, number) => unit(`vpc:${number}`));
    return engine.apply(desired(at + 1, ...units), incremental);
  });
  await Promise.all(calls);
  assert.ok(engine.status().nbCfg <= 3, `${engine.status().nbCfg} transactions`);
  assert.equal((await nb.nbctl('lr-list')).split('\n').length, 100);
});

test('apply() refuses when another management server has written a newer generation, and changes nothing', async () => {
  const other = await open();
  await engine.apply(desired(5, unit('vpc:1')), incremental);
  await other.apply(desired(6, unit('vpc:1', { name: 'b' })), incremental);
  await until(() => engine.status().nbCfg === 2, "the other one's change to be seen");
  await assert.rejects(
    engine.apply(desired(5, unit('vpc:1')), { full: true }),
    /holds generation 6, newer than ours \(5\)/,
  );
  assert.ok((await nb.nbctl('get', 'Logical_Router', 'lr-vpc:1', 'options')).includes('note=b'));
});

test('apply() with two servers at once never lets an older generation overwrite what a newer one wrote', async () => {
  const other = await open();
  for (let round = 1; round <= 20; round++) {
    const older = engine
      .apply(desired(round * 2, unit('vpc:1', { name: `old${round}` })), { full: true })
      .catch(() => undefined);
    const newer = other.apply(desired(round * 2 + 1, unit('vpc:1', { name: `new${round}` })), { full: true });
    await Promise.all([older, newer]);
    assert.ok(
      (await nb.nbctl('get', 'Logical_Router', 'lr-vpc:1', 'options')).includes(`note=new${round}`),
      `round ${round}`,
    );
  }
});

const MEDDLING: readonly (readonly [string, string, RegExp])[] = [
  ['deletes a router', 'lr-del lr-vpc:1', /Logical_Router lr-vpc:1 was deleted/],
  ['deletes a port', 'lsp-del vpc:1-nic1', /Logical_Switch_Port vpc:1-nic1 was deleted/],
  ['changes an address', 'lsp-set-addresses vpc:1-nic1 unknown', /addresses is unknown instead of 02:/],
  ['sets a column we never mentioned', 'lsp-set-enabled vpc:1-nic1 disabled', /enabled is false instead of unset/],
  ['adds a port to our switch', 'lsp-add ls-vpc:1 stranger', /Logical_Switch_Port stranger was put into a row of ours/],
  ['removes our mark', 'remove Logical_Router lr-vpc:1 external_ids owner', /external_ids lacks owner=trunkline/],
  [
    'makes our row its own',
    'set Logical_Router lr-vpc:1 external_ids:owner=neutron',
    /external_ids:owner is neutron instead of trunkline/,
  ],
  [
    'adds a row with our mark',
    'create DHCP_Options cidr=10.7.0.0/24 external_ids:owner=trunkline',
    /nothing asks for it/,
  ],
  ['removes a MAC binding', '--all destroy Static_MAC_Binding', /Static_MAC_Binding .* was deleted/],
];
for (const [what, command, told] of MEDDLING) {
  test(`onForeignChange() rings when somebody ${what}, and apply() puts it back and reports it`, async () => {
    const state = desired(1, unit('vpc:1', { binding: true, rules: [1] }), unit('vpc:2'));
    await engine.apply(state, incremental);
    const before = await nb.nbctl('show');
    for (const full of [false, true]) {
      let rings = 0;
      const stop = engine.onForeignChange(() => (rings += 1));
      await nb.nbctl(...command.split(' '));
      await until(() => rings > 0, 'a ring');
      stop();
      const result = await engine.apply(state, { full });
      assert.ok(
        result.drift.some(({ text }) => told.test(text)),
        JSON.stringify(result.drift),
      );
      assert.ok(result.nbCfg !== undefined && result.steps.length > 0);
      assert.equal(await nb.nbctl('show'), before);
      const rest = await engine.apply(state, { full: true });
      assert.deepEqual([rest.writes, rest.drift, rest.failed], [0, [], []]);
    }
  });
}

test('onForeignChange() stays silent about our own writes and about rows that are not ours', async () => {
  let rings = 0;
  engine.onForeignChange(() => (rings += 1));
  await engine.apply(desired(1, unit('vpc:1')), incremental);
  await engine.apply(desired(2, unit('vpc:1', { ports: [1, 2, 3] })), incremental);
  await nb.nbctl('ls-add', 'foreign', '--', 'set', 'NB_Global', '.', 'options:x=y');
  await nb.nbctl('set', 'Logical_Switch_Port', 'vpc:1-nic1', 'up=true'); // what northd does
  await until(async () => (await nb.nbctl('get', 'Logical_Switch_Port', 'vpc:1-nic1', 'up')) === 'true', 'up');
  assert.equal(rings, 0);
});

test('apply() goes on after kill -9 of the server, and an unanswered change is neither lost nor made twice', async () => {
  await engine.apply(desired(1, unit('vpc:1')), incremental);
  for (let generation = 2; generation <= 6; generation++) {
    const units = Array.from({ length: generation }, (_, number) => unit(`vpc:${number + 1}`));
    const cut = engine.apply(desired(generation, ...units), incremental).catch((error: Error) => error);
    await nb.kill();
    await cut;
    await until(() => !engine.status().connected, 'the loss to be noticed');
    await assert.rejects(
      engine.apply(desired(generation, ...units), incremental),
      /OVN_Northbound is not connected: OVN_Northbound at unix:/,
    );
    await nb.start();
    await until(() => engine.status().connected, 'the reconnection');
    const result = await engine.apply(desired(generation, ...units), incremental);
    assert.equal(result.nbCfg, Number(await nb.nbctl('get', 'NB_Global', '.', 'nb_cfg')));
    assert.deepEqual(result.drift, []);
    assert.equal((await nb.nbctl('lr-list')).split('\n').length, generation);
  }
});

test('apply() tells what was meddled with while the connection was lost', async () => {
  const state = desired(1, unit('vpc:1'));
  await engine.apply(state, incremental);
  await nb.kill();
  await nb.start();
  await nb.nbctl('lsp-del', 'vpc:1-nic1');
  await until(() => engine.status().connected, 'the reconnection');
  await until(async () => (await engine.apply(state, incremental)).drift.length > 0, 'the drift');
  assert.ok((await nb.nbctl('lsp-list', 'ls-vpc:1')).includes('vpc:1-nic1'));
});

test('apply() writes everything again, without calling it drift, when the database comes back empty or older', async () => {
  await engine.apply(desired(1, unit('vpc:1')), incremental);
  const copy = await nb.copyDatabase();
  const state = desired(2, unit('vpc:1', { name: 'b' }), unit('vpc:2'));
  for (const [file, writes] of [
    [undefined, unit('vpc:1').rows.length + unit('vpc:2').rows.length],
    [copy, 1 + unit('vpc:2').rows.length],
  ] as const) {
    await engine.apply(state, incremental);
    const covered = engine.status().nbCfg;
    await nb.replaceDatabase(file);
    await until(() => !engine.status().connected, 'the loss to be noticed');
    await nb.start();
    await until(() => engine.status().connected, 'the reconnection');
    const result = await engine.apply(state, incremental);
    assert.deepEqual([result.writes, result.drift], [writes, []]);
    assert.ok(result.nbCfg! > covered, 'nb_cfg never goes back');
    assert.equal((await nb.nbctl('lr-list')).split('\n').length, 2);
  }
});

test('apply() lets one unit that the database refuses fail alone, names the row in its way, and heals when it is gone', async () => {
  await nb.nbctl('ls-add', 'foreign', '--', 'lsp-add', 'foreign', 'vpc:3-nic1');
  const orphan = {
    key: 'vpc:8',
    rows: unit('vpc:8').rows.filter(({ table }) => table === 'Logical_Router_Port'),
    chassis: [],
    findings: [],
  };
  const wrong = {
    key: 'vpc:9',
    rows: [{ table: 'Logical_Switch', uuid: unit('vpc:9').rows[0]!.uuid, columns: { ports: 'x' } }],
    chassis: [],
    findings: [],
  };
  const units = [1, 2, 3, 4, 5].map((number) => unit(`vpc:${number}`));
  const result = await engine.apply(desired(1, ...units, orphan, wrong), incremental);
  const failed = Object.fromEntries(result.failed.map(({ unit, error }) => [unit, error]));
  assert.deepEqual(Object.keys(failed).toSorted(), ['vpc:3', 'vpc:8', 'vpc:9']);
  assert.match(failed['vpc:3']!, /constraint violation.*Logical_Switch_Port vpc:3-nic1, which is not ours/);
  assert.match(failed['vpc:8']!, /discarded by the database: no row refers to it/);
  assert.match(failed['vpc:9']!, /Logical_Switch\.ports takes an array, not "x"/);
  assert.equal((await nb.nbctl('lr-list')).split('\n').length, 4);
  await nb.nbctl('ls-del', 'foreign');
  const healed = await engine.apply(desired(1, ...units), incremental);
  assert.deepEqual(healed.failed, []);
  assert.equal((await nb.nbctl('lr-list')).split('\n').length, 5);
});

test('apply() removes what a process before it wrote and nobody wants any more', async () => {
  await engine.apply(desired(1, unit('vpc:1', { binding: true }), unit('vpc:2')), incremental);
  await (await open()).apply(desired(2, unit('vpc:2')), incremental);
  assert.equal((await nb.nbctl('lr-list')).split('\n').length, 1);
  assert.equal(await nb.nbctl('--bare', '--columns=ip', 'list', 'Static_MAC_Binding'), '');
});

test('apply() removes a MAC binding whose router somebody deleted by hand, also in a process that never wrote it', async () => {
  await engine.apply(desired(1, unit('vpc:1', { binding: true }), unit('vpc:2')), incremental);
  await engine.close();
  for (const name of (await nb.nbctl('--bare', '--columns=name', 'list', 'Logical_Router'))
    .split('\n')
    .filter(Boolean)) {
    await nb.nbctl('lr-del', name);
  }
  assert.notEqual(await nb.nbctl('--bare', '--columns=ip', 'list', 'Static_MAC_Binding'), '');
  await (await open()).apply(desired(2, unit('vpc:2')), { full: true });
  assert.equal(await nb.nbctl('--bare', '--columns=ip', 'list', 'Static_MAC_Binding'), '');
});

test('apply() takes a unit that goes and comes back for what it is, not for drift', async () => {
  const [one, two] = [unit('vpc:1'), unit('vpc:2')];
  for (const [at, units] of [[one, two], [two], [one, two]].entries()) {
    const result = await engine.apply(desired(at + 1, ...units), incremental);
    assert.deepEqual([result.drift, result.failed], [[], []]);
    assert.equal((await nb.nbctl('lr-list')).split('\n').length, units.length);
  }
});

test('barrier() takes a new nb_cfg without writing a row, also right after a restart, and while others bump it', async () => {
  const state = desired(9, unit('vpc:1'));
  assert.equal((await engine.apply(state, incremental)).nbCfg, 1);
  assert.equal(await engine.barrier(), 2);
  const restarted = await open();
  await restarted.apply(state, incremental);
  assert.equal(await restarted.barrier(), 3);
  for (let round = 0; round < 10; round++) {
    const [mine] = await Promise.all([
      restarted.barrier(),
      nb.nbctl('set', 'NB_Global', '.', `nb_cfg=${100 * (round + 1)}`),
    ]);
    assert.ok(mine <= Number(await nb.nbctl('get', 'NB_Global', '.', 'nb_cfg')));
  }
  assert.deepEqual((await restarted.apply(state, { full: true })).drift, []);
});

test('preview() says what apply() would type, with reasons, and writes nothing', async () => {
  const steps = engine.preview(desired(1, unit('vpc:1')));
  assert.deepEqual(
    steps.find(({ argv }) => argv[1] === 'lr-route-add'),
    {
      argv: ['ovn-nbctl', 'lr-route-add', 'lr-vpc:1', '10.1.0.0/16', '10.0.0.254'],
      reason: 'there is no route to 10.1.0.0/16 by 10.0.0.254 on router lr-vpc:1 yet',
    },
  );
  assert.equal(await nb.nbctl('show'), '');
});

test('start() rejects with one sentence when OVN is too old, naming the version found and the version needed', async () => {
  const schema = (await readFile('/usr/share/ovn/ovn-nb.ovsschema', 'utf8'))
    .replace('"7.0.0"', '"6.1.0"')
    .replace(/"cksum": "[^"]*",?/, '');
  const file = `${nb.remote.slice('unix:'.length)}.ovsschema`;
  await writeFile(file, schema);
  const old = await startOvsdbServer(file);
  const toOld = createNorthbound({ nb: old.remote, sb: sb.remote, log: silentLog() });
  opened.push(toOld);
  await assert.rejects(
    toOld.start(),
    /OVN_Northbound at unix:\S+ has schema version 6\.1\.0; version 7\.0\.0 or newer is needed/,
  );
  await old.close();
});

test('proveChosenIds() says what is needed when the server refuses ids chosen by clients', async () => {
  // What ovsdb-server 2.17 answers.
  const answer = [
    {
      error: 'syntax error',
      details: "Parsing ovsdb operation 1 of 2 failed: Member 'uuid' is present but not allowed here.",
    },
    null,
  ];
  await assert.rejects(
    proveChosenIds({ request: () => Promise.resolve(answer) }),
    /Open vSwitch 3\.1 or newer is needed \(it said: Parsing/,
  );
});
