// What running the house costs its tenants: a gateway that loses its power, control programs that are killed, a VPC that is restarted; all
// under pings, on a lab with two gateways and a witness.
import { join } from 'node:path';
import { rows, text } from '../../src/demo/answer.ts';
import { type Cloud, startCloud } from '../../src/demo/cloud.ts';
import { type Guest, tenantOf } from '../../src/demo/tenant.ts';
import { createWire, type Wire } from '../../src/demo/wire.ts';
import { topologyNamed } from '../../src/lab/start.ts';
import { labStatus } from '../../src/lab/status.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { type Row, figures, ms } from './measure.ts';

const RUNS = 10;
const TIERS = 12;
const CONTROL = ['server', 'agent', 'ovn-controller', 'ovn-northd', 'ovn-nb', 'ovn-sb'] as const;
/** A node that comes back is trusted after ten seconds of being well. */
const WELL_MS = 60_000;

interface Setting {
  readonly cloud: Cloud;
  readonly wire: Wire;
  readonly vpcid: string;
  readonly web: Guest;
  readonly db: Guest;
  /** Public address of `web`. */
  readonly address: string;
}

export async function benchOperation(state: string): Promise<Row[]> {
  const cloud = await startCloud({
    state: join(state, 'operation'),
    port: 0,
    log: () => undefined,
    topologyFile: topologyNamed('region'),
  });
  try {
    const setting = await prepare(cloud);
    return [...(await restart(setting)), ...(await control(setting)), ...(await powerCuts(setting))];
  } finally {
    await cloud.stop();
  }
}

/** A VPC with twelve tiers, two instances on two hypervisors, one of them with a public address. */
async function prepare(cloud: Cloud): Promise<Setting> {
  const tenant = await tenantOf(cloud, 'acme-admin');
  const admin = cloud.as('admin');
  const wire = createWire(cloud);
  const physicalnetworkid = text(rows(await admin('listPhysicalNetworks'), 'physicalnetwork')[0], 'id');
  await admin('createVlanIpRange', {
    zoneid: tenant.zoneid,
    physicalnetworkid,
    vlan: '100',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
    startip: '203.0.113.10',
    endip: '203.0.113.99',
    forvirtualnetwork: 'true',
  });
  await admin('updateConfiguration', { name: 'vpc.max.networks', value: String(TIERS) });
  const vpcid = await tenant.vpc('bench', '10.1.0.0/16');
  const tiers: string[] = [];
  for (let tier = 1; tier <= TIERS; tier++) tiers.push(await tenant.tier(vpcid, `10.1.${tier}.1`, 'default_allow'));
  const web = await tenant.instance('web', tiers[0]!, 'h1');
  const db = await tenant.instance('db', tiers[1]!, 'h2');
  const { ipaddress } = (await tenant.call('associateIpAddress', { vpcid })) as { ipaddress: object };
  const address = text(ipaddress, 'ipaddress');
  const ipaddressid = text(ipaddress, 'id');
  await tenant.call('enableStaticNat', { ipaddressid, virtualmachineid: web.id, networkid: tiers[0]! });
  const setting = { cloud, wire, vpcid, web, db, address };
  for (let i = 0; i < 100 && !(await wire.pingFrom('outside', address)); i++) await sleep(100);
  return setting;
}

/** What was lost of 200 pings a second inside and of 200 from outside. */
async function lostUnder({ wire, web, db, address }: Setting, work: () => Promise<unknown>): Promise<string> {
  let outside = { lost: 0, sent: 0 };
  const inside = await wire.outage(
    web,
    db.address,
    async () => {
      outside = await wire.outage('outside', address, () => work().then(() => sleep(1_000)), 5);
    },
    5,
  );
  return `${inside.lost + outside.lost} of ${inside.sent + outside.sent}`;
}

function lossRow(what: string, lost: string): Row {
  return { what, value: lost, aim: '0 lost', held: lost.startsWith('0 of') };
}

async function restart(setting: Setting): Promise<Row[]> {
  const call = setting.cloud.as('acme-admin');
  const times: number[] = [];
  const result: Row[] = [];
  for (const cleanup of ['false', 'true']) {
    const lost = await lostUnder(setting, async () => {
      const began = performance.now();
      await call('restartVPC', { id: setting.vpcid, cleanup });
      times.push(performance.now() - began);
    });
    result.push(lossRow(`restartVPC of ${TIERS} tiers, cleanup=${cleanup}: pings lost, inside and from outside`, lost));
  }
  const slowest = Math.max(...times);
  const row = {
    what: `restartVPC of ${TIERS} tiers, request to done`,
    value: ms(slowest),
    aim: '2 s',
    held: slowest < 2_000,
  };
  return [row, ...result];
}

/** One process after the other, all of each kind. */
async function control(setting: Setting): Promise<Row[]> {
  const result: Row[] = [];
  for (const victim of CONTROL) {
    const { processes } = await labStatus(setting.cloud.state);
    const pids = processes.flatMap(({ name, pid }) => (name === victim && pid !== undefined ? [pid] : []));
    const lost = await lostUnder(setting, async () => {
      for (const pid of pids) {
        process.kill(pid, 'SIGKILL');
        await sleep(1_500); // one that starts anew is done before the next one goes
      }
    });
    result.push(lossRow(`${victim} killed (${pids.length}): pings lost, inside and from outside`, lost));
  }
  return result;
}

/** The gateway that carries the way out loses its power; it comes back and is well before the next one does. */
async function powerCuts(setting: Setting): Promise<Row[]> {
  const { cloud, wire, vpcid, address } = setting;
  const admin = cloud.as('admin');
  const gateways = async (): Promise<object[]> => rows(await admin('listHosts', { type: 'Gateway' }), 'host');
  const gaps: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    for (const end = Date.now() + WELL_MS; Date.now() < end; await sleep(250))
      if ((await gateways()).every((host) => text(host, 'state') === 'Up')) break;
    await sleep(2_000);
    const router = rows(await admin('listRouters', { vpcid, listall: 'true' }), 'router')[0];
    const holder = text(router, 'hostname');
    const outage = await wire.outage('outside', address, () => cloud.lab.perform('power-off', holder), 100);
    gaps.push(outage.recovered ? outage.gapMs : Infinity);
    await cloud.lab.perform('power-on', holder);
  }
  const { p50 } = figures(gaps);
  const spread = gaps.toSorted((a, b) => a - b).map((gap) => gap.toFixed(0));
  return [
    {
      what: `gateway node lost, 10 Hz from outside, median of ${RUNS}`,
      value: ms(p50),
      aim: '600 ms',
      held: p50 < 600,
    },
    { what: 'the same, shortest and longest', value: `${spread[0]} to ${spread.at(-1)} ms` },
  ];
}
