// What a VPC costs that nobody uses: rows and bytes of each database, memory of the server, and no process.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Client, createClient } from '../../src/client/client.ts';
import { rows, text } from '../../src/demo/answer.ts';
import type { Cloud } from '../../src/demo/cloud.ts';
import { startServer } from '../../src/demo/server.ts';
import { run } from '../../src/lib/run.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { type Row, rate } from './measure.ts';

const VPCS = 100;
/** For the server's memory: what fewer need would vanish in what it takes and gives back anyway. */
const MANY = 1_000;
const CLIENTS = 16;
const RANGE = {
  vlan: '200',
  gateway: '198.18.0.1',
  netmask: '255.255.248.0',
  startip: '198.18.0.10',
  endip: '198.18.7.250',
};

interface State {
  /** Seconds each process of the lab has run, by its id. */
  readonly processes: ReadonlyMap<number, number>;
  readonly nb: Size;
  readonly sb: Size;
  readonly storeBytes: number;
}

interface Size {
  readonly rows: number;
  readonly bytes: number;
}

/** Makes VPCs, each with an address for source NAT and a tier, and compares before and after. Nobody else may use the lab. */
export async function benchIdle(cloud: Cloud, zoneid: string): Promise<Row[]> {
  await cloud.as('admin')('createVlanIpRange', { zoneid, ...RANGE });
  const { apikey, secretkey } = cloud.access.accounts['admin']!;
  const client = createClient({ endpoint: cloud.access.endpoint, apikey, secretkey });
  const before = await stateOf(cloud);
  for (const jobid of await makeVpcs(client, VPCS)) await ended(client, jobid);
  const after = await stateOf(cloud);
  const each = (size: (state: State) => number, digits = 0): string =>
    ((size(after) - size(before)) / VPCS).toFixed(digits);
  const kib = (size: (state: State) => number): string => `${each((state) => size(state) / 1024, 1)} KiB`;
  const sized = (of: (state: State) => Size): string =>
    `${each((state) => of(state).rows)} rows, ${kib((state) => of(state).bytes)}`;
  // Agents run small programs all the time; what stays is counted.
  const more = [...after.processes].filter(([pid, age]) => age >= 5 && !before.processes.has(pid)).length;
  return [
    { what: `processes more with ${VPCS} idle VPCs`, value: String(more), aim: 'none', held: more <= 0 },
    { what: 'an idle VPC with a tier, northbound database', value: sized(({ nb }) => nb) },
    { what: 'southbound database', value: sized(({ sb }) => sb) },
    { what: 'store, with its events and jobs', value: kib(({ storeBytes }) => storeBytes) },
  ];
}

/** Memory of a server alone, with and without VPCs. */
export async function benchIdleMemory(folder: string): Promise<Row[]> {
  const server = await startServer(folder, 0, () => undefined);
  try {
    const { apikey, secretkey } = server.access.accounts['admin']!;
    const client = createClient({ endpoint: server.access.endpoint, apikey, secretkey });
    await client.raw('listZones');
    const before = memoryOf(folder);
    await makeVpcs(client, MANY);
    const more = Math.round((memoryOf(folder) - before) / 2 ** 20);
    return [{ what: `memory of the server, more with ${MANY} idle VPCs`, value: `${more} MiB` }];
  } finally {
    await server.stop();
  }
}

/** VPCs with a tier each; gives the ids of their jobs. */
async function makeVpcs({ raw }: Client, count: number): Promise<string[]> {
  const zoneid = text(rows(await raw('listZones'), 'zone')[0], 'id');
  const idOf = async (command: string, key: string, name: string): Promise<string> =>
    text(rows(await raw(command, { name }), key)[0], 'id');
  const vpcofferingid = await idOf('listVPCOfferings', 'vpcoffering', 'Default VPC offering');
  const tier = 'DefaultIsolatedNetworkOfferingForVpcNetworks';
  const networkofferingid = await idOf('listNetworkOfferings', 'networkoffering', tier);
  const jobs: string[] = [];
  await rate(CLIENTS, count, async (piece) => {
    const common = { name: `idle${piece}`, displaytext: 'idle', zoneid };
    const vpc = await raw('createVPC', { ...common, cidr: '10.0.0.0/16', vpcofferingid });
    jobs.push(text(vpc, 'jobid'));
    const subnet = { gateway: '10.0.1.1', netmask: '255.255.255.0' };
    await raw('createNetwork', { ...common, vpcid: text(vpc, 'id'), networkofferingid, ...subnet });
  });
  return jobs;
}

/** However it ends: a hypervisor that takes longer than a job may take has the VPC later, and what is counted here is there before. */
async function ended({ raw }: Client, jobid: string): Promise<void> {
  while ((await raw('queryAsyncJobResult', { jobid }))['jobstatus'] === 0) await sleep(50);
}

async function stateOf({ lab, state }: Cloud): Promise<State> {
  const { stdout } = await lab.exec('central', ['ps', '-e', '-o', 'pid=,etimes=']);
  const lines = stdout.trim().split('\n');
  return {
    processes: new Map(lines.map((line) => line.trim().split(/ +/).map(Number) as [number, number])),
    nb: await sizeOf(lab.nb, 'OVN_Northbound'),
    sb: await sizeOf(lab.sb, 'OVN_Southbound'),
    storeBytes: bytesOfStore(join(state, 'server', 'trunkline.db')),
  };
}

/** Rows and bytes of a database, as its own backup has them. */
async function sizeOf(remote: string, database: string): Promise<Size> {
  const { stdout } = await run(['ovsdb-client', 'backup', remote, database]);
  return { rows: (stdout.match(/"[0-9a-f]{8}-[0-9a-f-]{27}":/g) ?? []).length, bytes: stdout.length };
}

/** What is in the file and what waits beside it to be put there. */
function bytesOfStore(file: string): number {
  const store = new DatabaseSync(file, { readOnly: true });
  const { bytes } = store
    .prepare('select page_count * page_size as bytes from pragma_page_count, pragma_page_size')
    .get()!;
  store.close();
  return Number(bytes);
}

function memoryOf(state: string): number {
  const pid = readFileSync(join(state, 'server', 'pid'), 'utf8').split(' ')[0]!;
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}
