// The lab itself, without the product: it starts fast, heals, stands beside others, and leaves nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { labExec } from '../../src/lab/exec.ts';
import { CHECKOUT, labPaths } from '../../src/lab/layout.ts';
import { hostPids, isAlive } from '../../src/lab/proc.ts';
import { startLab } from '../../src/lab/start.ts';
import { formatStatus, labStatus } from '../../src/lab/status.ts';
import { run } from '../../src/lib/run.ts';
import { eventually, labForTest, temporaryState, type TestLab } from '../support/lab.ts';

describe('a lab', () => {
  const cleanups: (() => Promise<void>)[] = [];
  let lab: TestLab;
  let tookMs = 0;
  before(async () => {
    const began = Date.now();
    lab = await labForTest({ after: (work: () => Promise<void>) => cleanups.push(work) });
    tookMs = Date.now() - began;
  });
  after(async () => {
    for (const work of cleanups) await work();
  });

  const pings = async (from: string, to: string): Promise<boolean> =>
    (await lab.exec(from, ['ping', '-n', '-c1', '-W1', to])).code === 0;

  test('startLab() is ready in under 10 s', () => {
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });

  test('startLab() registers every hypervisor with its own name and tunnel address', async () => {
    const { stdout } = await run([
      'ovn-sbctl',
      `--db=${lab.sb}`,
      '--bare',
      '--columns=chassis_name,ip',
      'find',
      'Encap',
    ]);
    const found = stdout
      .trim()
      .split('\n\n')
      .map((row) => row.split('\n'))
      .toSorted();
    assert.deepEqual(found, [
      ['h1', '192.0.2.11'],
      ['h2', '192.0.2.12'],
      ['h3', '192.0.2.13'],
    ]);
  });

  test('the outside host answers for 8.8.8.8 through the upstream', async () => {
    assert.ok(await pings('upstream', '8.8.8.8'));
  });

  test('exec() passes output and exit status through', async () => {
    const result = await lab.exec('h2', ['sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual(result, { stdout: 'out\n', stderr: 'err\n', code: 7 });
  });

  test('labStatus() shows each node, its addresses, and every process running', async () => {
    const status = await labStatus(lab.state);
    const kinds = status.nodes.map(({ name, kind }) => `${name} ${kind}`);
    assert.deepEqual(kinds.slice(0, 3), ['sw switch', 'central central', 'h1 hypervisor']);
    assert.deepEqual(status.nodes.find((node) => node.name === 'h1')?.addresses, ['192.0.2.11/24']);
    assert.ok(status.processes.every((each) => each.state === 'running' && existsSync(`/proc/${each.pid}`)));
    const text = formatStatus(status);
    assert.match(text, /^ {2}h1 {7}ovs-vswitchd {4}[0-9]+ +running +0$/m);
    assert.match(text, /instances: none\n$/);
  });

  test('exec() names the nodes when there is none of that name', () => {
    assert.throws(
      () => lab.exec('h9', ['true']),
      /no node or instance h9; nodes are sw, central, h1, h2, h3, upstream, outside/,
    );
  });

  test('labExec() refuses a state folder without a lab', async () => {
    await assert.rejects(
      labExec({ state: '/tmp/no-such-lab', name: 'h1', argv: ['true'] }),
      /no lab runs in \/tmp\/no-such-lab/,
    );
  });

  test('startLab() refuses a folder where a lab runs', async () => {
    await assert.rejects(startLab({ state: lab.state, agents: false }), /a lab runs in .* already \(process [0-9]+\)/);
  });

  test('startLab() refuses a state folder whose sockets would have too long a path', async () => {
    await assert.rejects(
      startLab({ state: `/tmp/${'x'.repeat(100)}` }),
      /too long: unix sockets.*choose a shorter one/s,
    );
  });

  for (const [node, name] of [
    ['central', 'ovn-nb'],
    ['central', 'ovn-sb'],
    ['central', 'ovn-northd'],
    ['h1', 'ovsdb-server'],
    ['h1', 'ovn-controller'],
    ['h1', 'ovs-vswitchd'],
    ['sw', 'ovs-vswitchd'],
  ] as const) {
    test(`kill -9 of ${name} on ${node} heals`, async () => {
      const find = async (): Promise<{ pid?: number; restarts?: number } | undefined> =>
        (await labStatus(lab.state)).processes.find((each) => each.node === node && each.name === name);
      const old = await find();
      process.kill(old!.pid!, 'SIGKILL');
      const next = await eventually(`${name} again`, async () => {
        const now = await find();
        return now?.pid !== undefined && now.pid !== old!.pid ? now : undefined;
      });
      assert.equal(next.restarts, (old!.restarts ?? 0) + 1);
      // The world works again: the underlay carries packets and a change in the northbound reaches every chassis.
      await eventually('the underlay', async () => ((await pings('h1', '192.0.2.12')) ? true : undefined));
      await run(['ovn-nbctl', `--db=${lab.nb}`, '--timeout=20', '--wait=hv', 'sync']);
    });
  }

  test('a second lab of the same names runs beside it, apart from it', async (t) => {
    const other = await labForTest(t);
    await run(['ovn-nbctl', `--db=${other.nb}`, 'ls-add', 'only-there']);
    const { stdout } = await run(['ovn-nbctl', `--db=${lab.nb}`, 'ls-list']);
    assert.equal(stdout, '');
    assert.equal((await other.exec('h1', ['ping', '-n', '-c1', '-W1', '192.0.2.13'])).code, 0);
    await other.stop();
    assert.ok(await pings('h1', '192.0.2.13'), 'the first lab goes on when the second ends');
  });
});

test('a lab shows no interface and no namespace on the host, and leaves no process', async (t) => {
  const lab = await labForTest(t);
  const pids = [...hostPids(lab.sandbox.pid).values()];
  assert.ok(pids.length > 10);
  const ours = ['h1-eth0', 'h2-eth0', 'br-sw', 'ovs-netdev'];
  const seen = async (): Promise<string[]> => {
    const { stdout } = await run(['ip', '-brief', 'link']);
    return ours.filter((name) => new RegExp(`^${name}[ @]`, 'm').test(stdout));
  };
  const inside = await lab.exec('sw', ['ip', '-brief', 'link']);
  assert.match(inside.stdout, /^h1-eth0@/m);
  assert.deepEqual(await seen(), []);
  assert.ok(!existsSync('/run/netns/upstream'));
  await lab.stop();
  assert.deepEqual(
    pids.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  );
  assert.deepEqual(await seen(), []);
  assert.ok(!existsSync(labPaths(lab.state).sandbox));
});

test('a lab ends when the process that started it is killed', async (t) => {
  const state = temporaryState(t);
  const program = `import { startLab } from '${join(CHECKOUT, 'src/lab/start.ts')}';
    const lab = await startLab({ state: '${state}', agents: false }); console.log(JSON.stringify(lab.sandbox));`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(starter.stdout!), 'line')) as [string];
  const { pid, started } = JSON.parse(line) as { pid: number; started: string };
  assert.ok(isAlive(pid, started));
  starter.kill('SIGKILL');
  await eventually('the end of the sandbox', () => (isAlive(pid, started) ? undefined : true));
});

test('a lab starts again over the state of an earlier one and keeps what OVN was told', async (t) => {
  const state = temporaryState(t);
  const first = await labForTest(t, { state });
  await run(['ovn-nbctl', `--db=${first.nb}`, 'ls-add', 'kept']);
  await first.stop();
  mkdirSync(labPaths(state).instances, { recursive: true });
  const second = await labForTest(t, { state });
  const { stdout } = await run([
    'ovn-nbctl',
    `--db=${second.nb}`,
    '--bare',
    '--columns=name',
    'list',
    'Logical_Switch',
  ]);
  assert.equal(stdout.trim(), 'kept');
});
