// Addresses that move (S51-S53): a Linux machine on the switch is the gateway of a network without a router, and holds on to what its
// ARP cache says. What is promised: the product announces, the gateway follows in a moment, and one that does not is named.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { labPaths } from '../../src/lab/layout.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const GATEWAY = '10.30.0.254';
const MOVING = '10.30.0.77';
/** A machine on an access port of the switch. */
const UPSTREAM = 'fileserver';

let lab: LabCloud;
let network: string;
let one: Guest;
let two: Guest;

/** Nobody serves DHCP on the wire: the address that was published is set by hand. */
async function deploy(name: string, host: string): Promise<Guest> {
  const guest = await lab.tenant.instance(name, network, host);
  await lab.exec(guest, 'ip', 'address', 'add', `${guest.address}/24`, 'dev', 'eth0');
  return guest;
}

const upstream = (...argv: readonly string[]): Promise<{ readonly stdout: string }> =>
  lab.wire.inNetwork(UPSTREAM, argv);

/** Hours of ARP timeout, as hardware routers have: nothing is asked again by itself. */
const LONG_TIMEOUT = ['gc_stale_time=14400', 'base_reachable_time_ms=14400000'];

async function nicOf(guest: Guest): Promise<string> {
  const found = rows(await lab.tenant.call('listNics', { virtualmachineid: guest.id }), 'nic')[0];
  return text(found, 'id');
}

/** Gives a guest the address; it is taken from it again after the test, if not before. */
async function give(context: TestContext, guest: Guest): Promise<object> {
  const nicid = await nicOf(guest);
  const address = field(await lab.tenant.call('addIpToNic', { nicid, ipaddress: MOVING }), 'nicsecondaryip');
  context.after(async () => {
    const [nic] = rows(await lab.tenant.call('listNics', { virtualmachineid: guest.id }), 'nic');
    const had = rows(nic!, 'secondaryip').some((one) => text(one, 'id') === text(address, 'id'));
    if (had) await take(address);
  });
  return address;
}

async function take(address: object): Promise<void> {
  await lab.tenant.call('removeIpFromNic', { id: text(address, 'id') });
}

interface Receipt {
  readonly ipaddress: string;
  readonly macaddress: string;
  readonly cause: string;
  readonly result?: string;
  readonly answeredby?: string;
  readonly afterms?: number;
  readonly description: string;
}

/** The newest receipt of the address at a guest, as soon as it says what is asked for. */
function receipt(guest: Guest, result: string): Promise<Receipt> {
  return eventually(
    `a receipt of ${MOVING} at ${guest.name} that says ${result}`,
    async () => {
      const params = { ipaddress: MOVING, virtualmachineid: guest.id };
      const [newest] = rows(await lab.tenant.call('listAddressReceipts', params), 'addressreceipt') as Receipt[];
      return newest?.result === result ? newest : undefined;
    },
    10_000,
  );
}

async function hostNamed(name: string): Promise<string> {
  const hosts = rows(await lab.cloud.as('admin')('listHosts', { type: 'Routing' }), 'host');
  return text(
    hosts.find((host) => text(host, 'name') === name),
    'id',
  );
}

async function events(type: string): Promise<string[]> {
  return rows(await lab.tenant.call('listEvents', { type }), 'event').map((event) => text(event, 'description'));
}

suite('addresses that move', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      network = await lab.tenant.network('NoServices', { gateway: GATEWAY, netmask: '255.255.255.0' });
      const vlan = await lab.tenant.vlanOf(network);
      await lab.cloud.lab.exec('sw', ['ovs-vsctl', 'set', 'Port', `${UPSTREAM}-eth0`, `tag=${vlan}`]);
      await upstream('ip', 'address', 'add', `${GATEWAY}/24`, 'dev', 'eth0');
      for (const setting of LONG_TIMEOUT) await upstream('sysctl', '-qw', `net.ipv4.neigh.eth0.${setting}`);
      [one, two] = await Promise.all([deploy('one', 'h1'), deploy('two', 'h2')]);
    },
    { topology: 'campus' },
  );

  test('S51: without an announcement a gateway goes on sending to the old place', async (t) => {
    for (const guest of [one, two])
      await lab.exec(guest, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_notify');
    // By hand, behind the product's back, as the archive did it: the address is on the wire, and nobody says so.
    await upstream('ip', 'neighbour', 'replace', MOVING, 'lladdr', one.mac, 'dev', 'eth0', 'nud', 'reachable');
    await give(t, two);
    await receipt(two, 'learnt');
    assert.equal(await lab.wire.neighbour(UPSTREAM, MOVING), two.mac, 'told, it has learnt');
    // An announcement is repeated for some seconds; once it is over, the same entry stays, and nothing arrives.
    const lost = async (): Promise<true | undefined> => {
      await upstream('ip', 'neighbour', 'replace', MOVING, 'lladdr', one.mac, 'dev', 'eth0', 'nud', 'reachable');
      return (await lab.wire.pingFrom(UPSTREAM, MOVING)) ? undefined : true;
    };
    await eventually('the same entry, and nobody tells: nothing arrives', lost, 10_000);
  });

  test('S52: an address that moves to another instance on another host is announced, and the gateway has it at once', async (t) => {
    const before = await give(t, one);
    await receipt(one, 'learnt');
    const outage = await lab.wire.outage(UPSTREAM, MOVING, async () => {
      await take(before);
      await give(t, two);
    });
    // Two requests, one after the other: the first packet after the second job arrives.
    assert.ok(outage.recovered && outage.gapMs < 2000, JSON.stringify(outage));
    t.diagnostic(`away for ${Math.round(outage.gapMs)} ms, two requests included`);
    assert.equal(await lab.wire.neighbour(UPSTREAM, MOVING), two.mac);
    const told = await receipt(two, 'learnt');
    assert.equal(told.answeredby, two.mac);
    assert.equal(told.cause, 'address');
    // Some 150 ms on a machine that does nothing else, most of it for the programs that ask and watch.
    assert.ok(told.afterms! < 1000, `${told.afterms} ms`);
    assert.match(told.description, new RegExp(`${GATEWAY} had learnt it`));
    assert.match((await events('ADDRESS.MOVED'))[0]!, new RegExp(`^${MOVING} is at ${two.mac} \\(two\\) now`));
  });

  test('S52: a gateway that keeps its entry does not fail the job; it is named, with what to do, and told again until it learns', async (t) => {
    const frozen = (mac: string): Promise<unknown> =>
      upstream('ip', 'neighbour', 'replace', MOVING, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent');
    await take(await give(t, one));
    await frozen(one.mac);
    await give(t, two);
    const concluded = await receipt(two, 'stale');
    assert.match(concluded.description, /10\.30\.0\.254 answers other addresses of two and not this one/);
    assert.match(concluded.description, new RegExp(`old ARP entry \\(${one.mac} \\(one\\)\\)`));
    assert.match(concluded.description, /ip neigh del 10\.30\.0\.77 dev INTERFACE/);
    assert.ok((await events('ADDRESS.STALE')).includes(concluded.description));
    await upstream('ip', 'neighbour', 'del', MOVING, 'dev', 'eth0');
    assert.equal((await receipt(two, 'learnt')).answeredby, two.mac);
  });

  test('S51: where the old place is on the same host, the answer to the old MAC is seen and named', async (t) => {
    const near = await deploy('near', 'h2');
    await upstream('ip', 'neighbour', 'replace', MOVING, 'lladdr', near.mac, 'dev', 'eth0', 'nud', 'permanent');
    await give(t, two);
    const seen = await receipt(two, 'stale');
    assert.equal(seen.answeredby, near.mac);
    assert.match(
      seen.description,
      new RegExp(`10\\.30\\.0\\.254 still sends what is for ${MOVING} to ${near.mac} \\(near\\)`),
    );
    await upstream('ip', 'neighbour', 'del', MOVING, 'dev', 'eth0');
  });

  test('the job that moved an address carries its receipt', async (t) => {
    await give(t, one);
    const [newest] = rows(await lab.tenant.call('listAsyncJobs', { keyword: 'addIpToNic' }), 'asyncjobs');
    const jobid = text(newest, 'jobid');
    const job = await eventually('a job with receipts', async () => {
      const answer = await lab.tenant.call('queryAsyncJobResult', { jobid });
      return rows(answer, 'receipts').length > 0 ? answer : undefined;
    });
    assert.equal(text(rows(job, 'receipts')[0], 'ipaddress'), MOVING);
  });

  test('S52: an instance that moves to another host brings its addresses along, announced from there', async () => {
    const admin = lab.cloud.as('admin');
    const hostid = await hostNamed('h3');
    await admin('migrateVirtualMachine', { virtualmachineid: one.id, hostid });
    const told = await eventually('a receipt from h3', async () => {
      const params = { virtualmachineid: one.id, ipaddress: one.address, listall: 'true' };
      const receipts = rows(await admin('listAddressReceipts', params), 'addressreceipt') as (Receipt & {
        hostname: string;
      })[];
      return receipts.find(({ hostname }) => hostname === 'h3');
    });
    assert.equal(told.cause, 'migration');
    assert.equal(told.macaddress, one.mac);
  });

  test('S53: nothing of it depends on which arping is installed', async () => {
    for (const host of ['h1', 'h2']) {
      const log = readFileSync(join(labPaths(lab.cloud.state).node(host), 'agent', 'steps.log'), 'utf8');
      assert.match(log, /ovs-ofctl packet-out \S+br-int\.mgmt [0-9]+ 'resubmit\(,0\)' ffffffffffff/);
      assert.doesNotMatch(log, /arping/);
    }
  });
});
