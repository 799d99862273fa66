// What a VPC costs that nobody uses: rows and bytes of each database, memory of the server, and no process.
import { statSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { field, rows, text } from '../../src/demo/answer.ts';
import type { Cloud } from '../../src/demo/cloud.ts';
import { run } from '../../src/lib/run.ts';
import { createClient } from '../../src/client/client.ts';
import { type Row, rate } from './measure.ts';

const VPCS = 1_000;
const CLIENTS = 16;

interface State {
  readonly processes: number;
  readonly nb: Size;
  readonly sb: Size;
  readonly storeBytes: number;
  readonly memory: number;
}

interface Size {
  readonly rows: number;
  readonly bytes: number;
}

/** Makes the VPCs, each with one tier, and compares before and after. */
export async function benchIdle(cloud: Cloud, zoneid: string): Promise<Row[]> {
  const admin = cloud.as('admin');
  await admin('createVlanIpRange', {
    zoneid,
    vlan: '200',
    gateway: '198.18.0.1',
    netmask: '255.255.248.0',
    startip: '198.18.0.10',
    endip: '198.18.7.250',
  });
  await admin('updateResourceLimit', { resourcetype: '7', max: '-1' }).catch(() => undefined);
  const offerings = rows(await admin('listVPCOfferings', { name: 'Default VPC offering' }), 'vpcoffering');
  const vpcofferingid = text(offerings[0], 'id');
  const { apikey, secretkey } = cloud.access.accounts['admin']!;
  const clients = Array.from({ length: CLIENTS }, () =>
    createClient({ endpoint: cloud.access.endpoint, apikey, secretkey }),
  );
  const before = await stateOf(cloud);
  const began = performance.now();
  await rate(CLIENTS, VPCS, async (piece) => {
    const params = { name: `idle${piece}`, displaytext: 'idle', cidr: '10.0.0.0/16', zoneid, vpcofferingid };
    await clients[piece % CLIENTS]!.call('createVPC', params);
  });
  console.error('made', performance.now() - began);
  const after = await stateOf(cloud);
  console.error(before, after, field);
  return [];
}

async function stateOf({ lab, state }: Cloud): Promise<State> {
  const pid = readFileSync(join(state, 'server', 'pid'), 'utf8').split(' ')[0]!;
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const { stdout } = await lab.exec('central', ['ps', '-e', '-o', 'pid=']);
  return {
    processes: stdout.trim().split('\n').length,
    nb: await sizeOf(lab.nb, 'OVN_Northbound'),
    sb: await sizeOf(lab.sb, 'OVN_Southbound'),
    storeBytes: statSync(join(state, 'server', 'trunkline.db')).size,
    memory: Number(kib) * 1024,
  };
}

/** Rows and bytes of a database, as its own backup has them. */
async function sizeOf(socket: string, database: string): Promise<Size> {
  const { stdout } = await run(['ovsdb-client', 'backup', `unix:${socket}`, database]);
  return { rows: (stdout.match(/"[0-9a-f]{8}-[0-9a-f-]{27}":/g) ?? []).length, bytes: stdout.length };
}
