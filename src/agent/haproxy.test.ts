// A reload of haproxy as the agent does it, with the real program: when the steps are done the new file counts, and no moment later.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BalancerSpec } from '../protocol/document.ts';
import { haproxyFile, listenLines } from './haproxy.ts';
import type { Step } from './driver.ts';
import { sleep } from '../lib/sleep.ts';
import { planDaemon, type Daemon } from './router/daemon.ts';
import { runSteps } from './step.ts';

const LOG = { add: () => Promise.resolve() };

/** A member that says its name to whoever comes. */
async function member(name: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

async function whoAnswers(port: number): Promise<string> {
  let said = '';
  for await (const chunk of connect(port, '127.0.0.1')) said += String(chunk);
  return said;
}

test('planDaemon(): after a reload of haproxy only what its new file says is served', async (t) => {
  const folder = mkdtempSync('/tmp/tl-');
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [one, two, free] = await Promise.all(['one', 'two', 'free'].map(member));
  await new Promise((resolve) => free!.server.close(resolve));
  t.after(() => [one!, two!].forEach(({ server }) => server.close()));
  const path = join(folder, 'haproxy.conf');
  const daemonFor = (to: number): Daemon => {
    const sections = ['listen lb', `  bind 127.0.0.1:${free!.port}`, `  server m 127.0.0.1:${to}`];
    const file = haproxyFile({ socket: join(folder, 'haproxy.sock'), dropRoot: false, most: 1000, sections });
    return {
      name: 'haproxy',
      purpose: 'a test',
      files: [{ path, content: file.content, check: ['haproxy', '-c', '-f'], load: 'signal' }],
      start: ['haproxy', '-W', '-D', '-f', path, '-p', join(folder, 'pid')],
      signal: 'USR2',
      ready: file.ready,
    };
  };
  const stepsTo = (port: number, pids: readonly number[]): readonly Step[] => {
    const loaded = join(folder, 'haproxy.loaded');
    const known = pids.length === 0 ? [] : [path, loaded].map((each) => [each, readFileSync(each, 'utf8')] as const);
    return planDaemon(daemonFor(port), { pids, files: new Map(known) }, folder, 'r1')?.steps ?? [];
  };

  await runSteps(stepsTo(one!.port, []), LOG);
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  t.after(() => process.kill(pid));
  for (const { port } of [two!, one!, two!, one!, two!]) {
    await runSteps(stepsTo(port, [pid]), LOG);
    assert.equal(await whoAnswers(free!.port), port === one!.port ? 'one' : 'two');
  }
});

test('failOpen: members that were out of reach at the first look are led to before the next one', async (t) => {
  const folder = mkdtempSync('/tmp/tl-');
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [late, free] = await Promise.all(['late', 'free'].map(member));
  await Promise.all([late!, free!].map(({ server }) => new Promise((resolve) => server.close(resolve))));
  const path = join(folder, 'haproxy.conf');
  const check = { intervalSeconds: 60, timeoutSeconds: 1, healthy: 2, unhealthy: 3 };
  const members = [{ ip: '127.0.0.1', port: late!.port }];
  const common = {
    id: 'one',
    protocol: 'tcp',
    publicPort: 80,
    algorithm: 'leastconn',
    cidrs: [],
    sticky: false,
  } as const;
  const balancer: BalancerSpec = { ...common, check, members };
  const sections = listenLines(`127.0.0.1:${free!.port}`, balancer, { failOpen: true });
  const file = haproxyFile({ socket: join(folder, 'haproxy.sock'), dropRoot: false, most: 1000, sections });
  writeFileSync(path, file.content);
  const child = spawn('haproxy', ['-db', '-f', path], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill());
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  while (!told.includes('is DOWN')) await sleep(20);
  late!.server.listen(late!.port, '127.0.0.1');
  t.after(() => late!.server.close());
  assert.equal(await whoAnswers(free!.port), 'late');
});
