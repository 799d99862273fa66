// The agent on a real lab: real OVN, real guests, real packets.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tryRun, type RunResult } from '../../src/lib/run.ts';
import { sleep } from '../../src/lib/sleep.ts';
import {
  killAgent,
  lab,
  machine,
  NODES,
  on,
  pings,
  record,
  reports,
  settled,
  setUp,
  startAgent,
  state,
  tearDown,
  want,
} from '../support/agents.ts';

before(setUp);
after(tearDown);

test('three instances on three nodes have their addresses, names and ids, and reach each other with the first packet', async () => {
  want([]);
  await settled();
  want([machine(0), machine(1), machine(2)]);
  await settled();
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 0],
    [1, 0],
    [2, 1],
    [0, 2],
  ] as const)
    assert.ok(await pings(from, to), `${from} to ${to}`);
  assert.equal((await on(1, 'hostname')).stdout, 'vm1\n');
  assert.equal((await on(1, 'cat', '/sys/devices/virtual/dmi/id/product_uuid')).stdout, `${machine(1).id}\n`);
  const address = (await on(1, 'ip', '-4', 'addr', 'show', 'dev', 'eth0')).stdout;
  assert.match(address, /mtu 1442/);
  assert.match(address, /inet 10\.1\.1\.11\/24/);
  assert.match((await on(1, 'ip', 'route')).stdout, /default via 10\.1\.1\.1 dev eth0/);
  assert.equal((await on(1, 'readlink', '-f', '/bin/ping')).stdout, '/bin/busybox\n');
  assert.equal((await on(1, 'ping', '-c', '1', '-s', '1414', '-W', '1', '10.1.1.12')).code, 0, 'a full-size packet');
});

test('an instance more is there at once', async () => {
  want([0, 1, 2, 3].map((n) => machine(n)));
  const took = await settled();
  assert.ok((await pings(0, 3)) && (await pings(3, 1)));
  assert.ok(took < 5000, `${took} ms`); // some 350 ms, more where other tests run beside
});

/** Without root the lab's user namespace has no groups, and dropbear logs nobody in: instances say so in their status. */
const noSsh = { skip: process.getuid?.() !== 0 && 'dropbear cannot log in without groups' };
const login = (from: number, to: number, password: string, command: string): Promise<RunResult> =>
  on(from, 'sh', '-c', `DROPBEAR_PASSWORD=${password} ssh -y root@${machine(to).ip} '${command}'`);

test(
  'root logs in by SSH with the password, and not with another; a reboot keeps host key and files',
  noSsh,
  async () => {
    const first = await login(0, 1, 'secret123', 'hostname; id -u; echo kept > /root/file');
    assert.equal(first.stdout, 'vm1\n0\n', first.stderr);
    assert.notEqual((await login(0, 1, 'wrong', 'true')).code, 0);
    const key = (text: string): string | undefined => /SHA256:\S+/.exec(text)?.[0];
    const { pid } = record(1);
    want([machine(0), machine(1, { boot: 2, hostname: 'renamed' }), machine(2), machine(3)]);
    await settled();
    assert.notEqual(record(1).pid, pid);
    const second = await login(0, 1, 'secret123', 'hostname; cat /root/file');
    assert.equal(second.stdout, 'renamed\nkept\n', second.stderr);
    assert.equal(key(second.stderr), key(first.stderr));
    assert.ok(key(first.stderr));
  },
);

test('kill -9 of all agents loses no packet, and a restarted agent takes its guests over as they are', async () => {
  const before = [0, 1, 2, 3].map((n) => record(n).pid);
  const pinging = on(0, 'ping', '-c', '40', '-i', '0.05', '-W', '1', machine(1).ip);
  await sleep(300);
  for (const node of NODES) await killAgent(node);
  await sleep(500);
  reports.clear();
  for (const node of NODES) startAgent(node);
  await settled();
  assert.match((await pinging).stdout, / 0% packet loss/);
  assert.deepEqual(
    [0, 1, 2, 3].map((n) => record(n).pid),
    before,
  );
});

test('agents killed at any moment of a change leave nothing that is not put right', async () => {
  const some = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  for (let round = 0; round < 6; round++) {
    want(some.filter((n) => (n * 7 + round) % 3 !== 0).map((n) => machine(n, { boot: 3 + (round % 2) })));
    await sleep(20 + round * 35);
    for (const node of NODES) await killAgent(node);
    for (const node of NODES) startAgent(node);
    if (round % 2 === 0) await sleep(250 + round * 60); // the next kill hits them while they start, or in the middle of their work
  }
  want([0, 1, 2, 3].map((n) => machine(n, { boot: 4 })));
  await settled();
  for (const [from, to] of [
    [0, 1],
    [2, 3],
    [3, 0],
  ] as const)
    assert.ok(await pings(from, to), `${from} to ${to}`);
  const names = (await lab.exec('h1', ['ls', '/run/netns'])).stdout.split('\n').filter((name) => name.startsWith('i-'));
  assert.deepEqual(
    names.toSorted(),
    [0, 1, 2, 3].map((n) => record(n).netns),
  );
  const guests = (await lab.exec('h1', ['ps', '-eo', 'args'])).stdout
    .split('\n')
    .filter((line) => /^\/bin\/sh \/sbin\/guest-init [0-9a-f-]+$/.test(line));
  // Each guest's first process and the shell that watches over its SSH server.
  assert.deepEqual(
    guests.toSorted(),
    [0, 1, 2, 3].flatMap((n) => Array.from({ length: 2 }, () => `/bin/sh /sbin/guest-init ${machine(n).id}`)),
  );
  const folders = readdirSync(join(state, 'lab/instances')).filter(
    (name) => !name.startsWith('.') && !name.endsWith('.json'),
  );
  assert.deepEqual(
    folders.toSorted(),
    [0, 1, 2, 3].map((n) => machine(n).id),
  );
});

async function heals(from: number, to: number): Promise<void> {
  for (const until = Date.now() + 20_000; Date.now() < until; await sleep(50))
    if (await pings(from, to).catch(() => false)) return;
  assert.fail(`${from} does not reach ${to} again`);
}

test('what somebody takes away by hand is put back: the port, the cable, the guest', async () => {
  const port = (
    await lab.exec('h2', [
      'ovs-vsctl',
      `--db=unix:${state}/lab/h2/db.sock`,
      '--bare',
      '--columns=name',
      'find',
      'Interface',
      `external_ids:vm-id=${machine(1).id}`,
    ])
  ).stdout.trim();
  assert.match(port, /^v[0-9a-f]{12}$/);
  await lab.exec('h2', ['ovs-vsctl', `--db=unix:${state}/lab/h2/db.sock`, 'del-port', port]);
  await heals(0, 1);
  await lab.exec('h2', ['ip', 'link', 'del', port]);
  await heals(0, 1);
  assert.match((await on(1, 'ip', 'addr', 'show', 'dev', 'eth0')).stdout, /10\.1\.1\.11/);
  for (const end of [() => lab.exec('h2', ['kill', '-9', String(record(1).pid)]), () => on(1, 'reboot')]) {
    const { pid } = record(1);
    await end();
    for (const until = Date.now() + 20_000; [pid, null].includes(record(1).pid) && Date.now() < until;) await sleep(20);
    await heals(0, 1);
    assert.notEqual(record(1).pid, pid);
  }
});

test('a guest that lays traps in its files reaches nothing of the node', async () => {
  const bait = join(state, 'bait');
  await mkdir(bait);
  await writeFile(join(bait, 'shadow'), 'mine');
  await on(
    1,
    'sh',
    '-c',
    `cd /etc && rm -f shadow hostname && ln -s ${bait}/shadow shadow && ln -s ${bait}/new hostname`,
  );
  const exchange = await on(1, 'sh', '-c', 'mv /root /r; rmdir /run; mv /etc /e; ln -s / /etc; ls -d /etc /root /run');
  assert.match(exchange.stdout, /^\/etc\n\/root\n\/run$/m, `what is mounted cannot be exchanged: ${exchange.stderr}`);
  want([machine(0), machine(1, { boot: 9 }), machine(2), machine(3)]);
  await settled();
  assert.equal(await readFile(join(bait, 'shadow'), 'utf8'), 'mine');
  assert.equal(existsSync(join(bait, 'new')), false);
});

test('a guest logged in as root cannot mount, make devices, change the kernel or its name', noSsh, async () => {
  const able = await login(
    0,
    2,
    'secret123',
    'mount -t tmpfs x /mnt; mknod /tmp/disk b 254 0; echo x > /proc/sys/kernel/core_pattern; hostname other',
  );
  assert.notEqual(able.code, 0);
  assert.ok((able.stderr.match(/not permitted|denied|Read-only|can.t create/g) ?? []).length >= 4, able.stderr);
});

test('a stopped instance keeps its files, a removed one leaves nothing', async () => {
  await on(1, 'sh', '-c', 'echo kept > /root/file');
  want([machine(0), machine(1, { power: 'stopped', boot: 9 })]);
  await settled();
  assert.deepEqual(reports.get('h2')!.instances, [{ id: machine(1).id, power: 'stopped' }]);
  assert.equal(await pings(0, 1), false);
  assert.equal(existsSync(join(state, 'lab/instances', machine(2).id)), false);
  want([machine(0), machine(1, { boot: 10 })]);
  await settled();
  assert.equal((await on(1, 'cat', '/root/file')).stdout, 'kept\n');
  assert.ok(await pings(1, 0));
});

test('an instance that moves to another node is let go by the one before it is taken by the other', async () => {
  want([machine(0), { ...machine(1, { boot: 10 }), host: 'h3' }]);
  await settled();
  assert.ok(await pings(0, 1));
});

test('a peer that is dead keeps nobody waiting', async () => {
  want([machine(0)], [{ name: 'h9', underlayIp: '192.0.2.99' }]);
  assert.ok((await settled()) < 3000);
  const known = await lab.exec('h1', ['ovs-appctl', '-t', `${state}/lab/h1/vs.ctl`, 'tnl/neigh/show']);
  assert.match(known.stdout, /192\.0\.2\.12/);
  assert.match(known.stdout, /192\.0\.2\.13/);
});

test('the steps are written down as lines to type, without any secret', async () => {
  const text = await readFile(join(state, 'lab/h1/agent/steps.log'), 'utf8');
  assert.match(text, /^h1 {2}ip netns add i-10000000 {3}# i-2-0-VM has no network namespace yet$/m);
  assert.match(text, /^h1 {2}ovs-ofctl packet-out .* # tunnel endpoints of h2, h3$/m);
  assert.equal(text.includes('$6$'), false);
  want([]);
  await settled();
  const left = await tryRun(['ls', join(state, 'lab/instances')]);
  assert.equal(left.stdout, '');
});
