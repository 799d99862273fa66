// Story 3 at scale. In the archive's cloud each network cost a router VM, two with redundancy; here it costs a VLAN. Two
// instances of each network are guests that send packets, on two hypervisors; the others are stopped and have their ports.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rows } from '../../src/demo/answer.ts';
import { run } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const NETWORKS = 25;
const STOPPED = 3;
const CIDR = '10.50.0.0/24';
const AT_ONCE = 8;

describe('S04: 25 networks with 125 instances and no router', () => {
  let lab: LabCloud;
  let networks: readonly string[] = [];
  const pairs: [Guest, Guest][] = [];
  /** What the empty cloud runs. */
  let before: readonly string[] = [];
  cloudForSuite(async (started) => {
    lab = started;
    before = await daemons(lab);
    networks = await inTurns(NETWORKS, () => lab.tenant.network('NoServices', { cidr: CIDR }));
    await inTurns(NETWORKS * STOPPED, (i) => {
      const name = `stopped-${i}`;
      return lab.tenant.instance(name, networks[i % NETWORKS]!, undefined, { startvm: 'false' });
    });
    await inTurns(NETWORKS, async (i) => {
      const guest = (name: string, host: string): Promise<Guest> =>
        lab.tenant.instance(`${name}-${i}`, networks[i]!, host);
      pairs.push([await guest('one', 'h1'), await guest('two', 'h2')]);
    });
    await inTurns(pairs.length * 2, (i) => setAddress(lab, pairs[i >> 1]![i & 1]!));
  });

  test('S04: every network has five ports and a VLAN of its own, and OVN no router for it and no DHCP', async () => {
    const vlans = await inTurns(NETWORKS, (i) => lab.tenant.vlanOf(networks[i]!));
    assert.equal(new Set(vlans).size, NETWORKS);
    const ports = (await list(lab, 'Logical_Switch_Port', 'type')).map((type) => type || 'instance');
    assert.equal(ports.filter((type) => type === 'instance').length, NETWORKS * 5);
    assert.equal(ports.filter((type) => type === 'localnet').length, NETWORKS);
    // The fabric has one of its own, which leads nowhere: it keeps BFD between the hypervisors going.
    const routers = (await list(lab, 'Logical_Router', 'name')).filter((name) => !name.endsWith('fabric'));
    assert.deepEqual(routers, []);
    assert.deepEqual(await list(lab, 'DHCP_Options', '_uuid'), []);
  });

  test('S02 S04: listRouters() shows none', async () => {
    assert.deepEqual(rows(await lab.cloud.as('admin')('listRouters', { listall: 'true' }), 'router'), []);
  });

  test('S04: no process runs on account of a network', async () => {
    await eventually('the daemons of the empty cloud, and no other', async () => {
      const now = await daemons(lab);
      return now.join('\n') === before.join('\n') || undefined;
    }).catch(async () => assert.deepEqual(await daemons(lab), before));
  });

  test('S05 S08: in each network instances of two hypervisors talk, and none hears of another network', async () => {
    // All networks have the same addresses: a question that went astray would be counted twice, or by the wrong one.
    const answers = await inTurns(NETWORKS, (i) => lab.ping(pairs[i]![0], pairs[i]![1]));
    assert.deepEqual(
      answers.flatMap((answered, i) => (answered ? [] : [i])),
      [],
      'networks in which nobody answered',
    );
    const heard = await inTurns(NETWORKS, (i) => lab.wire.echoesReceived(pairs[i]![1]));
    assert.deepEqual(heard, Array<number>(NETWORKS).fill(1));
  });
});

async function setAddress(lab: LabCloud, guest: Guest): Promise<void> {
  const { code, stderr } = await lab.exec(guest, 'ip', 'address', 'add', `${guest.address}/24`, 'dev', 'eth0');
  assert.equal(code, 0, stderr);
}

/** Does `count` things, some at a time, and returns what came of them in order. */
async function inTurns<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  let next = 0;
  const turn = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) done[i] = await work(i);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, turn));
  return done;
}

/** Command lines of all that runs in the lab but guests, what starts and holds them, and this very question. */
async function daemons({ cloud }: LabCloud): Promise<string[]> {
  const { stdout } = await cloud.lab.exec('central', ['ps', '-ww', '-eo', 'pidns=,args=']);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => /^ *([0-9]+) (.*)$/.exec(line)!.slice(1) as [string, string]);
  const own = lines.find(([, args]) => args.includes('-eo pidns='))![0];
  return lines
    .filter(([namespace, args]) => namespace === own && !/-eo pidns=|guest-enter/.test(args))
    .map(([, args]) => args)
    .toSorted();
}

/** One column of a table of OVN's northbound, a value a row. */
async function list({ cloud }: LabCloud, table: string, column: string): Promise<string[]> {
  const argv = ['ovn-nbctl', `--db=${cloud.lab.nb}`, '--format=json', `--columns=${column}`, 'list', table];
  const { data } = JSON.parse((await run(argv)).stdout) as { readonly data: readonly (readonly [unknown])[] };
  return data.map(([value]) => String(value));
}
