// Realized: who has reached an nb_cfg, against a real southbound database in which the test plays northd and the chassis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { run } from '../lib/run.ts';
import { silentLog } from '../lib/log.ts';
import { desired, unit } from './desired.test-support.ts';
import { createNorthbound, type Northbound } from './northbound.ts';
import { startOvsdbServer, until, type TestServer } from './ovsdb-server.test-support.ts';

let nb: TestServer;
let sb: TestServer;
let engine: Northbound;

before(async () => {
  [nb, sb] = await Promise.all([startOvsdbServer('ovn-nb'), startOvsdbServer('ovn-sb')]);
  engine = createNorthbound({ nb: nb.remote, sb: sb.remote, log: silentLog() });
  await engine.start();
});
after(async () => {
  engine.close();
  await Promise.all([nb.close(), sb.close()]);
});

async function sbctl(...args: string[]): Promise<void> {
  await run(['ovn-sbctl', `--db=${sb.remote}`, '--no-leader-only', ...args]);
}

async function report(chassis: string, nbCfg: number): Promise<void> {
  await sbctl('set', 'Chassis_Private', chassis, `nb_cfg=${nbCfg}`);
}

test('waitFor() resolves when northd and every named chassis have reported, and does not wait for the others', async () => {
  for (const [at, name] of ['h1', 'h2', 'dead'].entries()) {
    await sbctl(
      '--id=@c',
      'create',
      'Chassis',
      `name=${name}`,
      `hostname=host-${name}`,
      'encaps=@e',
      '--',
      '--id=@e',
      'create',
      'Encap',
      'type=geneve',
      `ip=192.0.2.${at + 1}`,
      `chassis_name=${name}`,
      '--',
      'create',
      'Chassis_Private',
      `name=${name}`,
      'chassis=@c',
    );
  }
  const { nbCfg } = await engine.apply(desired(1, unit('vpc:1')), { full: false });
  assert.equal(nbCfg, 1);
  let done = false;
  const wait = engine.waitFor(1, ['h1', 'h2'], 5_000).finally(() => (done = true));
  await report('h1', 1);
  await until(() => engine.realizedAt('h1') === 1, 'h1');
  await report('h2', 1);
  await until(() => engine.realizedAt('h2') === 1, 'h2');
  assert.equal(done, false); // northd has not
  await nb.nbctl('set', 'NB_Global', '.', 'sb_cfg=1');
  assert.deepEqual(await wait, { missing: [] });
});

test('waitFor() says who has not reported, and what, when the time is over', async () => {
  const { missing } = await engine.waitFor(2, ['h1', 'nobody'], 50);
  assert.deepEqual(missing, [
    { target: 'northd', nbCfg: 1 },
    { target: 'h1', nbCfg: 1 },
    { target: 'nobody', nbCfg: undefined },
  ]);
});

test('waitFor() ends at once when it is called off', async () => {
  assert.equal((await engine.waitFor(9, ['h1'], 60_000, AbortSignal.abort())).missing.length, 2);
});

test('status() shows each chassis with its host name, what it reported and whether it is registered', async () => {
  await sbctl('destroy', 'Chassis', 'dead');
  await until(() => engine.status().chassis['dead']?.registered === false, 'the chassis to leave');
  assert.deepEqual(engine.status().chassis['h1'], { nbCfg: 1, reportedAt: 0, registered: true, hostname: 'host-h1' });
  await sbctl('destroy', 'Chassis_Private', 'dead');
  await until(() => engine.status().chassis['dead'] === undefined, 'its report to leave');
  assert.equal(engine.realizedAt('dead'), 0);
});

test('onRealized() rings when a chassis reports', async () => {
  let rings = 0;
  const stop = engine.onRealized(() => (rings += 1));
  await report('h1', 2);
  await until(() => rings > 0, 'a ring');
  stop();
});

test('apply() goes above every nb_cfg a chassis has reported, when the northbound database came back older', async () => {
  await report('h1', 50);
  await until(() => engine.realizedAt('h1') === 50, 'h1');
  const { nbCfg } = await engine.apply(desired(2, unit('vpc:2')), { full: false });
  assert.equal(nbCfg, 51);
});
