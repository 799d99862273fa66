// Who carries which router port, against real databases in which the test plays northd and the chassis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { run } from '../lib/run.ts';
import { silentLog } from '../lib/log.ts';
import type { GatewayClaim } from './claims.ts';
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

const sbctl = (...argv: string[]): Promise<unknown> =>
  run(['ovn-sbctl', `--db=${sb.remote}`, '--no-leader-only', ...argv]);
const nbctl = (...argv: string[]): Promise<unknown> =>
  run(['ovn-nbctl', `--db=${nb.remote}`, '--no-leader-only', ...argv]);

test('onClaims() tells who carries a port of ours and its group, each takeover, and that a port is gone; of other ports nothing', async () => {
  const told: (readonly GatewayClaim[])[] = [];
  const gone: string[] = [];
  engine.onClaims((changed, left) => {
    if (changed.length > 0) told.push(changed);
    gone.push(...left);
  });
  for (const name of ['h1', 'h2']) await sbctl('chassis-add', name, 'geneve', `192.0.2.${name.slice(1)}`);
  await nbctl('lr-add', 'lr', '--', 'lrp-add', 'lr', 'lrp-1', '02:00:00:00:00:01', '203.0.113.10/24');
  await nbctl('lrp-add', 'lr', 'foreign', '02:00:00:00:00:02', '203.0.113.11/24');
  await nbctl('set', 'logical_router_port', 'lrp-1', 'external_ids:unit="vpc:1"');
  await nbctl('lrp-set-gateway-chassis', 'lrp-1', 'h2', '10', '--', 'lrp-set-gateway-chassis', 'lrp-1', 'h1', '20');
  const datapath = ['--id=@d', 'create', 'Datapath_Binding', 'tunnel_key=1', '--'];
  const port = (name: string, key: number): string[] => [
    'create',
    'Port_Binding',
    `logical_port=cr-${name}`,
    'type=chassisredirect',
    'datapath=@d',
    `tunnel_key=${key}`,
  ];
  await sbctl(...datapath, ...port('lrp-1', 1), '--', ...port('foreign', 2));
  const bind = async (chassis: string): Promise<void> => {
    const { stdout } = await run([
      'ovn-sbctl',
      `--db=${sb.remote}`,
      '--bare',
      '--columns=_uuid',
      'find',
      'Chassis',
      `name=${chassis}`,
    ]);
    for (const name of ['lrp-1', 'foreign'])
      await sbctl('set', 'Port_Binding', `cr-${name}`, `chassis=${stdout.trim()}`);
  };
  const claim = { port: 'lrp-1', unit: 'vpc:1', candidates: ['h1', 'h2'] };
  await bind('h1');
  await until(() => told.at(-1)?.[0]?.chassis === 'h1', 'the first holder');
  assert.deepEqual(engine.claims(), [{ ...claim, chassis: 'h1' }]);
  const before = told.length;
  await sbctl('set', 'Port_Binding', 'cr-lrp-1', 'up=true');
  await bind('h2');
  await until(() => told.length > before, 'the takeover');
  assert.deepEqual(told.slice(before), [[{ ...claim, chassis: 'h2' }]]);
  await sbctl('destroy', 'Port_Binding', 'cr-lrp-1');
  await until(() => gone.includes('lrp-1'), 'its end');
  assert.deepEqual(engine.claims(), []);
});
