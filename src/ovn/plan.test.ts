// The planner's laws, on a real database: idempotent, independent of the path, blind to what is not ours.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import type { DesiredUnit } from '../compile/desired.ts';
import { derivedId } from '../lib/id.ts';
import { silentLog } from '../lib/log.ts';
import { createWriter } from './apply.ts';
import { createClient, type Client } from './client.ts';
import { anyUnits, desired, unit } from './desired.test-support.ts';
import { startOvsdbServer, type TestServer } from './ovsdb-server.test-support.ts';
import { planNorthbound } from './plan.ts';
import { northbound } from './schema/northbound.ts';
import { stepsOf } from './steps.ts';

let server: TestServer;
let client: Client;
let generation = 0;

before(async () => {
  server = await startOvsdbServer('ovn-nb');
  client = createClient({ remote: server.remote, watch: northbound, log: silentLog() });
  await client.start();
});
after(async () => {
  client.close();
  await server.close();
});

/** Every row of the database but NB_Global, without the generation each was written at. */
function contents(): unknown {
  const tables = Object.keys(northbound.tables).filter((name) => name !== 'NB_Global');
  return Object.fromEntries(
    tables.map((name) => {
      const rows = [...client.replica.table(name)].toSorted(([a], [b]) => (a < b ? -1 : 1));
      return [
        name,
        rows.map(([uuid, row]) => [
          uuid,
          { ...row, external_ids: { ...(row['external_ids'] as object), generation: '' } },
        ]),
      ];
    }),
  );
}

/** A writer with a memory of its own; applies one desired state after the other. */
function writer(): (units: readonly DesiredUnit[], full?: boolean) => Promise<void> {
  const { apply } = createWriter({ client, nbCfgFloor: () => 0, log: silentLog() });
  return async (units, full = false) => {
    const result = await apply(desired(++generation, ...units), full);
    assert.deepEqual(result.failed, []);
  };
}

test('planNorthbound() finds nothing to do after its plan was applied, and leads to the same rows by any path', async () => {
  await fc.assert(
    fc.asyncProperty(anyUnits, anyUnits, anyUnits, fc.boolean(), async (first, second, last, full) => {
      const changing = writer();
      await changing([]);
      for (const units of [first, second, last]) await changing(units, full);
      assert.deepEqual(planNorthbound(desired(generation, ...last), client.replica).changes, []);
      const viaOthers = contents();
      const direct = writer();
      await direct([]);
      assert.equal(client.replica.table('Logical_Switch').size, 0);
      await direct(last);
      assert.deepEqual(viaOthers, contents());
    }),
    { numRuns: 60 },
  );
});

test('planNorthbound() never touches a row that is not ours, whatever is planned around it', async () => {
  const write = writer();
  await write([]);
  await server.nbctl(
    ...'ls-add foreign -- lsp-add foreign foreign-port -- lr-add foreign -- lrp-add foreign foreign-leg 02:00:00:00:00:02 10.9.0.1/24'.split(
      ' ',
    ),
    ...'-- lr-route-add foreign 10.8.0.0/16 10.9.0.2 -- create DHCP_Options cidr=10.9.0.0/24 external_ids:owner=neutron -- pg-add foreign_group foreign-port'.split(
      ' ',
    ),
    ...'-- create Static_MAC_Binding logical_port=foreign-leg ip=10.9.0.3 mac="02:00:00:00:00:03"'.split(' '),
  );
  const before = contents();
  await fc.assert(
    fc.asyncProperty(anyUnits, async (units) => {
      await write(units);
      await writer()(units); // one that has just been started and compares everything
      await write([]);
      assert.deepEqual(contents(), before);
    }),
    { numRuns: 25 },
  );
  await server.nbctl('ls-del', 'foreign', '--', 'lr-del', 'foreign', '--', '--all', 'destroy', 'Static_MAC_Binding');
});

test('planNorthbound() looks at a unit that is the same object as before only when a row of it is under suspicion', async () => {
  const [one, two] = [unit('vpc:1'), unit('vpc:2')];
  const state = desired(++generation, one, two);
  const { apply } = createWriter({ client, nbCfgFloor: () => 0, log: silentLog() });
  await apply(state, false);
  const written = {
    units: state.units,
    rows: new Map([...one.rows, ...two.rows].map((row) => [row.uuid, { row, unit: 'x' }])),
  };
  const empty = { schema: northbound, table: () => new Map() };
  assert.equal(planNorthbound(state, empty, written, new Map()).changes.length, 0);
  const replaced = planNorthbound(desired(generation, one, unit('vpc:2')), empty, written, new Map());
  assert.deepEqual([...replaced.touchedUnits], ['vpc:2']);
  assert.equal(planNorthbound(state, empty, written, 'full').changes.length, one.rows.length + two.rows.length);
});

test('planNorthbound() refuses a unit with a column, table or row it cannot write, and plans the others', () => {
  const row = (table: string, columns: Record<string, string>): DesiredUnit => {
    return { key: `bad:${table}`, rows: [{ table, uuid: derivedId(table), columns }], chassis: [], findings: [] };
  };
  const good = unit('vpc:9');
  const plan = planNorthbound(
    desired(
      1,
      row('Logical_Switch', { colour: 'red' }),
      row('Load_Balancer_Group', { name: 'x' }),
      row('Nothing', {}),
      good,
      { ...good, key: 'twice' },
    ),
    { schema: northbound, table: () => new Map() },
  );
  const errors = Object.fromEntries(plan.failed.map((one) => [one.unit, one.error]));
  assert.match(errors['bad:Logical_Switch']!, /column colour of Logical_Switch is not known to this OVN/);
  assert.match(errors['bad:Load_Balancer_Group']!, /cannot carry our mark/);
  assert.match(errors['bad:Nothing']!, /table Nothing is not known to this OVN \(OVN_Northbound 7\.0\.0\)/);
  assert.match(errors['twice']!, /is wanted by two units/);
  assert.deepEqual([...plan.touchedUnits], ['vpc:9']);
});

test('stepsOf() prints commands that build, change and remove the same network when an engineer types them', async () => {
  const strip = (): unknown =>
    JSON.parse(
      JSON.stringify(contents(), (key, value: unknown) => (key === 'external_ids' ? undefined : value)).replaceAll(
        /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g,
        'UUID',
      ),
    );
  const shapes = [
    unit('vpc:5', { ports: [1, 2], routes: [1, 2], rules: [1], tagged: true, dhcp: false }),
    unit('vpc:5', { ports: [2, 3], routes: [2], rules: [2], tagged: false, dhcp: false, name: 'b' }),
  ];
  const write = writer();
  await write([]);
  for (const [at, shape] of shapes.entries()) {
    if (at > 0) await write([shapes[at - 1]!]);
    const before = planNorthbound(desired(generation, shape), client.replica);
    const steps = stepsOf(before.changes, client.replica);
    await write([shape]);
    const wanted = strip();
    await write(at > 0 ? [shapes[at - 1]!] : []);
    for (const { argv, reason } of steps) {
      assert.ok(reason.length > 10, reason);
      await server.nbctl(...argv.slice(1));
    }
    assert.deepEqual(sorted(strip()), sorted(wanted));
    await server.nbctl(
      '--if-exists',
      'ls-del',
      'ls-vpc:5',
      '--',
      '--if-exists',
      'lr-del',
      'lr-vpc:5',
      '--',
      'pg-del',
      'pg_vpc_5',
    );
  }
});

/** Rows in an order of their contents: what engineers type gets row ids by chance. */
function sorted(tables: unknown): unknown {
  return Object.entries(tables as Readonly<Record<string, readonly unknown[]>>).map(([name, rows]) => [
    name,
    rows.map((row) => JSON.stringify(row, order)).toSorted(),
  ]);
}

function order(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
