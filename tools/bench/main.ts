// The bench: starts a lab and a server on this machine, measures the product against the bare engine in the same run, and prints
// figures beside their aims. `npm run bench`; needs what ./check installs.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '../../src/client/client.ts';
import { signedBody } from '../../src/client/sign.ts';
import { compile } from '../../src/compile/compile.ts';
import { type Access, startServer } from '../../src/demo/server.ts';
import { rows, text } from '../../src/demo/answer.ts';
import { insideArgv } from '../../src/lab/exec.ts';
import { startCloud } from '../../src/demo/cloud.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createNorthbound } from '../../src/ovn/northbound.ts';
import { createIntentCache } from '../../src/store/load.ts';
import { openStore } from '../../src/store/open.ts';
import { largeIntent, withOneChange } from './large-intent.ts';
import { type Row, figures, ms, print, rate, timed } from './measure.ts';
import { benchOperation } from './operation.ts';
import { benchServices } from './services.ts';

const only = new Set(process.argv.slice(2));
/** Names of several at once. */
const SERVICES = ['throughput', 'forwards', 'idle'];
if (only.delete('gateway')) for (const name of ['operation', ...SERVICES]) only.add(name);
const wanted = (name: string): boolean => only.size === 0 || only.has(name);
const report: Row[] = [];
const state = mkdtempSync(join(tmpdir(), 'tb-'));

try {
  if (wanted('compile')) benchCompile();
  if (wanted('api')) await benchApi();
  if (wanted('story')) await benchStory();
  if (wanted('operation')) report.push(...(await benchOperation(state)));
  if (SERVICES.some(wanted)) report.push(...(await benchServices(state, wanted)));
} finally {
  rmSync(state, { recursive: true, force: true });
}
print(report);
if (report.some((row) => row.held === false)) process.exitCode = 1;

/** 1,000 VPCs with 10,000 ports: in full, and after one change. */
function benchCompile(): void {
  const intent = largeIntent(1000, 5, 2);
  let began = performance.now();
  const desired = compile(intent);
  const full = performance.now() - began;
  const changes = Array.from({ length: 9 }, (_, index) => {
    const changed = withOneChange(intent, index);
    began = performance.now();
    compile(changed, desired);
    return performance.now() - began;
  });
  const one = figures(changes).p50;
  report.push({
    what: 'compile 1,000 VPCs, 5,000 tiers, 10,000 ports, in full',
    value: ms(full),
    aim: '500 ms',
    held: full <= 500,
  });
  report.push({ what: 'compile after one change', value: ms(one), aim: '50 ms', held: one <= 50 });
}

/** The server alone, without OVN: what a client waits for until its request is accepted and safe on disk. */
async function benchApi(): Promise<void> {
  const folder = join(state, 'api');
  // The first start makes keys and passwords; what counts is every one after it.
  const first = await startServer(folder, 0, () => undefined);
  await first.stop();
  const began = performance.now();
  const server = await startServer(folder, 0, () => undefined);
  const admin = clientOf(server.access, 'admin');
  await admin.raw('listZones');
  const start = performance.now() - began;
  report.push({ what: 'server: start to first answer', value: ms(start), aim: '500 ms', held: start <= 500 });

  await admin.raw('updateConfiguration', { name: 'vpc.max.networks', value: '100000' });
  const zoneid = text(rows(await admin.raw('listZones'), 'zone')[0], 'id');
  const offering = async (name: string): Promise<string> =>
    text(rows(await admin.raw('listNetworkOfferings', { name }), 'networkoffering')[0], 'id');
  const vpcofferingid = text(
    rows(await admin.raw('listVPCOfferings', { name: 'Default VPC offering' }), 'vpcoffering')[0],
    'id',
  );
  const tier = await offering('DefaultIsolatedNetworkOfferingForVpcNetworks');
  const overlay = await offering('DefaultPrivateGatewayNetworkOfferingOverlay');
  const vpcs: string[] = [];
  for (let index = 0; index < 20; index++) {
    const answer = await admin.raw('createVPC', {
      name: `v${index}`,
      displaytext: 'bench',
      cidr: '10.0.0.0/8',
      zoneid,
      vpcofferingid,
    });
    vpcs.push(String(answer['id']));
  }
  const network = (index: number): Promise<unknown> =>
    admin.raw('createNetwork', {
      name: `p${index}`,
      displaytext: 'bench',
      cidr: '172.16.0.0/24',
      zoneid,
      networkofferingid: overlay,
    });
  await timed(30, (index) => network(-index));
  const create = await timed(300, network);
  const route = await timed(300, (index) =>
    admin.raw('createStaticRoute', {
      vpcid: vpcs[0]!,
      cidr: `191.${index >> 8}.${index & 255}.0/24`,
      nexthop: '10.0.0.9',
    }),
  );
  report.push({
    what: 'create network, request to answer, p50',
    value: ms(create.p50),
    aim: '3 ms',
    held: create.p50 <= 3,
  });
  report.push({
    what: 'create static route, request to answer, p50',
    value: ms(route.p50),
    aim: '5 ms',
    held: route.p50 <= 5,
  });

  const clients = Array.from({ length: 16 }, () => clientOf(server.access, 'admin'));
  const built = await rate(16, 1600, (piece) => {
    const inVpc = Math.floor(piece / 20);
    const cidr = `10.${inVpc}.${piece % 20}.0/24`;
    return clients[piece % 16]!.raw('createNetwork', {
      name: `t${piece}`,
      displaytext: 'bench',
      zoneid,
      networkofferingid: tier,
      vpcid: vpcs[piece % 20]!,
      gateway: cidr.replace('.0/24', '.1'),
      netmask: '255.255.255.0',
    });
  });
  report.push({ what: 'tiers accepted a second, 16 clients', value: built.toFixed(0), aim: '200', held: built >= 200 });

  await rate(16, 5000 - 1930, (piece) => network(1000 + piece));
  // The answer as bytes: what the client makes of them is the client's time.
  const { apikey, secretkey } = server.access.accounts['admin']!;
  const list = { command: 'listNetworks', listall: 'true', page: '7', pagesize: '100' };
  const body = signedBody(Object.entries(list), { apikey, secretkey }, new Date(Date.now() + 600_000));
  const page = await timed(200, async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await (await fetch(server.access.endpoint, { method: 'POST', headers, body })).arrayBuffer();
  });
  const inside = millisecondsInside(folder, 'listNetworks', page.runs);
  report.push({
    what: 'a page of 100 of 5,000 networks, in the server, p50',
    value: ms(inside),
    aim: '3 ms',
    held: inside <= 3,
  });
  report.push({ what: 'the same with the wire and the client on the same cores', value: ms(page.p50) });
  const rss = rssOf(folder);
  report.push({ what: 'server memory with 5,000 networks', value: `${rss} MiB`, aim: '150 MiB', held: rss <= 150 });
  await server.stop();
}

/** Two VPCs connected by a private network: from first call to first ping, against one bare OVSDB transaction with the same rows. */
async function benchStory(): Promise<void> {
  const folder = join(state, 'story');
  const cloud = await startCloud({ state: folder, port: 0, log: () => undefined });
  try {
    const call = cloud.as('acme-admin');
    const zoneid = text(rows(await call('listZones'), 'zone')[0], 'id');
    const id = async (command: string, key: string, name: string): Promise<string> =>
      text(rows(await call(command, { name }), key)[0], 'id');
    const tier = await id('listNetworkOfferings', 'networkoffering', 'DefaultIsolatedNetworkOfferingForVpcNetworks');
    const overlay = await id('listNetworkOfferings', 'networkoffering', 'DefaultPrivateGatewayNetworkOfferingOverlay');
    const vpcofferingid = await id('listVPCOfferings', 'vpcoffering', 'Default VPC offering');
    const serviceofferingid = await id('listServiceOfferings', 'serviceoffering', 'Small Instance');
    const template = rows(
      await call('listTemplates', { templatefilter: 'featured', name: 'tiny linux kvm' }),
      'template',
    )[0];
    const aclid = await id('listNetworkACLLists', 'networkacllist', 'default_allow');
    const created = (answer: object, key: string, field = 'id'): string =>
      text((answer as Record<string, object>)[key], field);
    const sides = await Promise.all(
      [1, 2].map(async (n) => {
        const vpcid = created(
          await call('createVPC', {
            name: `v${n}`,
            displaytext: 'bench',
            cidr: `10.${n}.0.0/16`,
            zoneid,
            vpcofferingid,
          }),
          'vpc',
        );
        const networkids = created(
          await call('createNetwork', {
            name: `t${n}`,
            displaytext: 'bench',
            zoneid,
            networkofferingid: tier,
            vpcid,
            aclid,
            gateway: `10.${n}.1.1`,
            netmask: '255.255.255.0',
          }),
          'network',
        );
        const vm = (await call('deployVirtualMachine', {
          name: `vm${n}`,
          zoneid,
          serviceofferingid,
          templateid: text(template, 'id'),
          networkids,
        })) as {
          virtualmachine: { id: string; nic: { ipaddress: string }[] };
        };
        return { vpcid, vm: vm.virtualmachine.id, ip: vm.virtualmachine.nic[0]!.ipaddress, n };
      }),
    );
    const [a, b] = [sides[0]!, sides[1]!];
    const product = await firstPing(folder, a.vm, b.ip, async () => {
      const networkid = created(
        await call('createNetwork', {
          name: 'pn',
          displaytext: 'bench',
          cidr: '172.16.0.0/24',
          zoneid,
          networkofferingid: overlay,
        }),
        'network',
      );
      await Promise.all(
        sides.map(async ({ vpcid, n }) => {
          await call('createPrivateGateway', { vpcid, networkid, ipaddress: `172.16.0.${n}`, aclid });
          await call('createStaticRoute', { vpcid, cidr: `10.${3 - n}.0.0/16`, nexthop: `172.16.0.${3 - n}` });
        }),
      );
    });
    const bare = await bareTransaction(folder, cloud.lab.nb, cloud.lab.sb, a.vm, b.ip);
    report.push({ what: 'connect two VPCs: first call to first ping', value: ms(product) });
    report.push({ what: 'the same rows in one bare OVSDB transaction: to first ping', value: ms(bare) });
    report.push({ what: 'ratio', value: (product / bare).toFixed(1), aim: '5', held: product / bare <= 5 });
  } finally {
    await cloud.stop();
  }
}

/** Ends the server, empties OVN, writes everything in one transaction, and waits for the ping. */
async function bareTransaction(folder: string, nb: string, sb: string, from: string, to: string): Promise<number> {
  for (const pid of execFileSync('pgrep', ['-f', `src/main.ts serve --state ${folder} `])
    .toString()
    .trim()
    .split('\n'))
    process.kill(Number(pid), 'SIGSTOP');
  const store = await openStore(join(folder, 'server', 'trunkline.db'), Buffer.alloc(32));
  const { intent } = await createIntentCache(store).refresh();
  await store.close();
  const desired = compile(intent);
  const northbound = createNorthbound({ nb, sb, log: silentLog() });
  await northbound.start();
  const chassis = intent.fabric.chassis.map(({ name }) => name);
  const { nbCfg } = await northbound.apply({ generation: desired.generation + 1, units: new Map() }, { full: true });
  await northbound.waitFor(nbCfg ?? 0, chassis, 10_000);
  const took = await firstPing(folder, from, to, async () => {
    await northbound.apply({ ...desired, generation: desired.generation + 2 }, { full: true });
  });
  northbound.close();
  return took;
}

/** Milliseconds from the start of `work` to the first answered ping; one is sent every 10 ms, whatever became of the one before. */
async function firstPing(folder: string, from: string, to: string, work: () => Promise<void>): Promise<number> {
  const argv = insideArgv(folder, from, ['ping', '-i', '0.01', '-c', '1000', to]);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const began = performance.now();
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (chunk: Buffer) => {
    if (chunk.includes('bytes from')) resolve(performance.now() - began);
  });
  child.once('close', () => reject(new Error(`no ping from ${from} to ${to} was answered`)));
  await work();
  const took = await promise;
  child.kill();
  return took;
}

function clientOf(access: Access, account: string): Client {
  const { apikey, secretkey } = access.accounts[account]!;
  return createClient({ endpoint: access.endpoint, apikey, secretkey });
}

/** Median milliseconds the server itself took for the last `runs` requests of a command, by its log. */
function millisecondsInside(folder: string, command: string, runs: number): number {
  const lines = readFileSync(join(folder, 'server.log'), 'utf8').trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { msg: string; command?: string; ms?: number });
  const own = entries.filter((entry) => entry.msg === 'request' && entry.command === command);
  return figures(own.slice(-runs).map((entry) => entry.ms ?? Number.NaN)).p50;
}

function rssOf(folder: string): number {
  const pid = readFileSync(join(folder, 'server', 'pid'), 'utf8').split(' ')[0]!;
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}
