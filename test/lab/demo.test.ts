// The demo as a person runs it: what it says, how it ends, what it leaves.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CHECKOUT, labPaths, readJson, type SandboxFile } from '../../src/lab/layout.ts';
import { hostPids, isAlive } from '../../src/lab/proc.ts';
import { run } from '../../src/lib/run.ts';
import { afterwards, eventually, temporaryState } from '../support/lab.ts';

interface Demo {
  readonly process: ChildProcess;
  output(): string;
  readonly ended: Promise<number | null>;
}

/** Runs `./demo` and ends it with the test. */
function demo(t: TestContext, ...args: readonly string[]): Demo {
  const child = spawn(join(CHECKOUT, 'demo'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  afterwards(t, async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { process: child, output: () => output, ended };
}

/** Starts an empty demo and waits until it stays up. */
async function up(t: TestContext, state: string, ...args: readonly string[]): Promise<Demo & { sandbox: SandboxFile }> {
  const own = demo(t, '--empty', '--state', state, '--port', '0', ...args);
  await eventually(
    'the demo being up',
    () => {
      if (own.process.exitCode !== null) throw new Error(own.output());
      return own.output().includes('The cloud is up') || undefined;
    },
    60_000,
  );
  const sandbox = readJson<SandboxFile>(labPaths(state).sandbox);
  assert.ok(sandbox !== undefined && isAlive(sandbox.pid, sandbox.started));
  return { ...own, sandbox };
}

test('./demo refuses a port in use and says what to do', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const state = temporaryState(t);
  const own = demo(t, '--state', state, '--port', `${port}`);
  assert.equal(await own.ended, 1);
  assert.match(own.output(), new RegExp(`port ${port} on 127.0.0.1 is in use: .*--port`));
});

test('./demo refuses a folder that is not its own and leaves it untouched', async (t) => {
  const state = temporaryState(t);
  writeFileSync(join(state, 'letter.txt'), 'mine');
  const own = demo(t, '--state', state, '--port', '0');
  assert.equal(await own.ended, 1);
  assert.match(own.output(), /is not empty and holds no Trunkline state/);
  assert.equal(readFileSync(join(state, 'letter.txt'), 'utf8'), 'mine');
});

test('./demo refuses a topology with a mistake and names it', async (t) => {
  const file = join(temporaryState(t), 'lab.json');
  writeFileSync(file, '{ "name": "x", "hypervisor": [] }');
  const own = demo(t, '--state', temporaryState(t), '--port', '0', '--topology', file);
  assert.equal(await own.ended, 1);
  assert.match(own.output(), /topology .*lab\.json is not valid: .*hypervisor/);
});

test('./demo --list names each story and the lab it needs', async (t) => {
  const own = demo(t, '--list');
  assert.equal(await own.ended, 0, own.output());
  assert.match(own.output(), /^ +1 +three VPCs become one +lab\/three-hypervisors\.json$/m);
  assert.match(own.output(), /^ +3 +a network with no router +lab\//m);
});

test('./demo refuses a story there is not, and says which there are', async (t) => {
  const state = join(temporaryState(t), 'state');
  const own = demo(t, '--story', '99', '--state', state, '--port', '0');
  assert.equal(await own.ended, 1);
  assert.match(own.output(), /there is no story 99; there are 1, 3\b/);
  assert.ok(!existsSync(state));
});

test('./demo --story 3 --once plays it, prints what was applied, and ends with 0 because all of it held', async (t) => {
  const state = join(temporaryState(t), 'state');
  const own = demo(t, '--story', '3', '--once', '--state', state, '--port', '0');
  assert.equal(await own.ended, 0, own.output());
  assert.match(own.output(), /Story 3: a network with no router/);
  assert.match(own.output(), /steps applied on h2:/);
  assert.match(own.output(), /\b(\d+) of \1 expectations held/);
  assert.ok(!existsSync(state));
});

test('./demo stays up with access.json for its owner only, and SIGTERM leaves nothing', async (t) => {
  const state = join(temporaryState(t), 'state');
  const own = await up(t, state);
  const access = join(state, 'access.json');
  assert.equal(statSync(access).mode & 0o777, 0o600);
  const { endpoint, accounts } = JSON.parse(readFileSync(access, 'utf8')) as { endpoint: string; accounts: object };
  assert.match(endpoint, /^http:\/\/127\.0\.0\.1:[0-9]+\/client\/api$/);
  assert.deepEqual(Object.keys(accounts).toSorted(), ['acme-admin', 'acme-user', 'admin', 'globex-admin', 'readonly']);
  const pids = [...hostPids(own.sandbox.pid).values()];
  own.process.kill('SIGTERM');
  assert.equal(await own.ended, 0, own.output());
  assert.deepEqual(
    pids.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  );
  assert.ok(!existsSync(state));
  await assert.rejects(fetch(endpoint));
});

test('./demo killed by force takes everything with it, and the next one cleans up after it', async (t) => {
  const state = join(temporaryState(t), 'state');
  const first = await up(t, state);
  const { endpoint } = readJson<{ endpoint: string }>(join(state, 'access.json'))!;
  first.process.kill('SIGKILL');
  await eventually('the end of the sandbox', () => !isAlive(first.sandbox.pid, first.sandbox.started) || undefined);
  await eventually('the end of the server', () =>
    fetch(endpoint).then(
      () => undefined,
      () => true,
    ),
  );
  writeFileSync(join(state, 'left-over'), '');
  await up(t, state);
  assert.ok(!existsSync(join(state, 'left-over')));
});

test('./demo --keep goes on where it ended', async (t) => {
  const state = join(temporaryState(t), 'state');
  const call = (...args: readonly string[]): Promise<{ stdout: string }> =>
    run([join(CHECKOUT, 'trunkline'), 'call', ...args, '--as', 'acme-admin', '--state', state]);
  const first = await up(t, state, '--keep');
  const zones = JSON.parse((await call('listZones')).stdout) as { zone: [{ id: string }] };
  const offerings = JSON.parse((await call('listVPCOfferings', 'name=Default VPC offering')).stdout) as {
    vpcoffering: [{ id: string }];
  };
  const ids = [`zoneid=${zones.zone[0].id}`, `vpcofferingid=${offerings.vpcoffering[0].id}`];
  await call('createVPC', 'name=kept', 'displaytext=kept', 'cidr=10.9.0.0/16', ...ids);
  first.process.kill('SIGINT');
  assert.equal(await first.ended, 0, first.output());
  await up(t, state, '--keep');
  assert.match((await call('listVPCs')).stdout, /"name": *"kept"/);
});
