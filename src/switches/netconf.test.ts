// The NETCONF driver against a real server: candidate, confirmed commit, roll-back, and a server that loses what it acknowledged.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { sleep } from '../lib/sleep.ts';
import type { PortActual, PortSpec, SwitchDocument } from '../protocol/switch.ts';
import { plainPorts, runningPorts, startNetconf, type TestNetconfServer } from './netconf.test-support.ts';
import { netconfDriver } from './netconf.ts';
import { type NetconfSession, openNetconf } from './netconf-session.ts';
import { planSwitch } from './plan.ts';
import { reviewSwitch, type Review } from './review.ts';
import { closeSsh, openSsh } from './ssh.ts';
import { access, documentOf, trunk } from './switch.test-support.ts';

let server: TestNetconfServer;
let engineer: NetconfSession;
before(async () => {
  server = await startNetconf();
  engineer = await session();
});
after(async () => {
  await engineer.close();
  await closeSsh();
  await server.stop();
});

const INTERFACES = 'http://openconfig.net/yang/interfaces';
const FILTER = `<filter type="subtree"><interfaces xmlns="${INTERFACES}"/></filter>`;

function sw(ports: readonly PortSpec[], rest: Partial<SwitchDocument> = {}): SwitchDocument {
  const { address, user, hostKey, privateKey } = server;
  const options = { user, hostKey, validate: false };
  return documentOf(ports, { driver: 'netconf', address, options, secret: { privateKey }, ...rest });
}

const review = (document: SwitchDocument, apply = true): Promise<Review> =>
  reviewSwitch(document, { apply, log: silentLog() });

/** Somebody else at the switch. */
async function session(): Promise<NetconfSession> {
  const { user, hostKey } = server;
  const link = await openSsh(sw([]), { user, hostKey }, server.port, AbortSignal.timeout(60_000));
  return openNetconf(link.subsystem('netconf'));
}

const running = (): Promise<readonly PortActual[]> => runningPorts(engineer);

beforeEach(() => plainPorts(engineer, ['eth1', 'eth2', 'uplink']));

test('reviewSwitch() sets access and trunk ports in one commit, confirms it, and leaves the rest of the interface alone', async () => {
  const document = sw([access('eth1', 1234), trunk('eth2', [1234, 1235, 1236])]);
  const { report, steps } = await review(document);
  assert.equal(report.error, undefined);
  assert.equal(report.generation, 7);
  assert.deepEqual(await running(), [
    { name: 'eth1', untagged: 1234, tagged: [] },
    { name: 'eth2', tagged: [1234, 1235, 1236] },
    { name: 'uplink', tagged: [] },
  ]);
  assert.deepEqual(
    steps.map((step) => step.argv.slice(1).join(' ')),
    [
      '/interfaces/interface[name=eth1]/ethernet/switched-vlan/config interface-mode=ACCESS access-vlan=1234',
      '/interfaces/interface[name=eth2]/ethernet/switched-vlan/config interface-mode=TRUNK trunk-vlans=1234..1236',
    ],
  );
  const text = JSON.stringify(await engineer.request(`<get-config><source><running/></source>${FILTER}</get-config>`));
  assert.equal(text.split('"ours"').length, 4, 'descriptions are still there');
  const again = await review(document);
  assert.deepEqual([again.steps, again.report.findings, again.report.generation], [[], [], 7]);
});

test('reviewSwitch() with apply false writes nothing and takes no lock', async () => {
  await engineer.request('<lock><target><candidate/></target></lock>');
  const { report, steps } = await review(sw([access('eth1', 1234)]), false);
  await engineer.request('<unlock><target><candidate/></target></unlock>');
  assert.equal(report.error, undefined);
  assert.equal(steps.length, 1);
  assert.deepEqual(
    await running(),
    ['eth1', 'eth2', 'uplink'].map((name) => ({ name, tagged: [] })),
  );
});

test('a change from access to trunk and back leaves nothing of the other form behind', async () => {
  await review(sw([access('eth1', 1234)]));
  await review(sw([access('eth1', 20, [1234, 1300])]));
  assert.deepEqual((await running())[0], { name: 'eth1', untagged: 20, tagged: [1234, 1300] });
  await review(sw([access('eth1')]));
  assert.deepEqual((await running())[0], { name: 'eth1', untagged: 1, tagged: [] });
  assert.deepEqual((await review(sw([access('eth1')]))).steps, []);
});

test('a commit that nobody confirms is undone when the session ends', async () => {
  const document = sw([access('eth1', 1234)]);
  const open = await netconfDriver.open(document, AbortSignal.timeout(20_000));
  const before = await open.read();
  await open.run(planSwitch(document, before).changes);
  assert.deepEqual((await running())[0], { name: 'eth1', untagged: 1234, tagged: [] }, 'tried out');
  await open.close();
  for (let tries = 0; tries < 100 && (await running())[0]?.untagged !== undefined; tries++) await sleep(20);
  assert.deepEqual((await running())[0], { name: 'eth1', tagged: [] });
  await engineer.request('<lock><target><candidate/></target></lock>'); // the locks are given back, nothing half-written is left
  await engineer.request('<unlock><target><candidate/></target></unlock>');
});

test('a switch that we lose after the commit goes back by itself', async () => {
  const document = sw([access('eth1', 1234)]);
  const gone = new AbortController();
  const open = await netconfDriver.open(document, gone.signal);
  await open.run(planSwitch(document, await open.read()).changes);
  assert.equal((await running())[0]?.untagged, 1234, 'tried out');
  gone.abort(); // ends our end of the session, without a word
  for (let tries = 0; tries < 250 && (await running())[0]?.untagged !== undefined; tries++) await sleep(20);
  assert.deepEqual((await running())[0], { name: 'eth1', tagged: [] });
});

test('many reviews make one connection, and the key is not on disk while it lasts', async () => {
  const accepted = async (): Promise<number> => (await server.log()).split('Accepted publickey').length;
  await review(sw([]));
  const before = await accepted();
  for (let round = 0; round < 3; round++) await review(sw([]));
  assert.equal(await accepted(), before);
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith('tl-ssh-'));
  const files = folders.flatMap((name) => readdirSync(join(tmpdir(), name)).map((file) => join(tmpdir(), name, file)));
  assert.ok(files.some((file) => file.endsWith('.hosts')));
  for (const file of files.filter((each) => statSync(each).isFile()))
    assert.ok(!readFileSync(file, 'utf8').includes(server.privateKey.slice(60, 100)), file);
});

test('a switch that says yes and does not do it is found out by the second read', async () => {
  const { user, hostKey } = server;
  const document = sw([access('eth1', 1234)], { options: { user, hostKey, validate: true } }); // netconfd loses the edit then
  const { report } = await review(document);
  assert.equal(report.generation, 0);
  assert.equal(
    report.error,
    `switch sw1 (netconf, ${server.address}): it said yes and did not do it: port eth1 (device eth1-box): ` +
      'wanted untagged 1234, nothing tagged; found nothing untagged, nothing tagged',
  );
  assert.deepEqual(
    report.findings.map((each) => [each.kind, each.vlan]),
    [['missing', 1234]],
  );
});

test('what the switch refuses is told in its words, and nothing of it is done', async () => {
  const { report, steps } = await review(sw([access('eth1', 666), access('eth2', 1234)]));
  assert.deepEqual(steps, [], 'nothing ran');
  assert.match(
    report.error!,
    /^switch sw1 \(netconf, 127\.0\.0\.1:\d+\): setting ports: (commit|edit-config) was refused: VLAN 666 is reserved/,
  );
  assert.deepEqual(
    await running(),
    ['eth1', 'eth2', 'uplink'].map((name) => ({ name, tagged: [] })),
  );
  const next = await review(sw([access('eth2', 1234)]));
  assert.equal(next.report.error, undefined, 'the refused edit is not in the way of the next');
});

test("somebody else's half-made edit or lock is not swept away: the report says who is in the way", async () => {
  const other = await session();
  await other.request('<lock><target><candidate/></target></lock>');
  const { report, steps } = await review(sw([access('eth1', 1234)]));
  assert.deepEqual(steps, []);
  assert.match(report.error!, /setting ports: lock was refused: .*(session \d+|lock)/);
  await other.close();
  assert.equal((await review(sw([access('eth1', 1234)]))).report.error, undefined);
});

test('faults of the connection are in the report, without the key', async () => {
  const { user, hostKey, privateKey } = server;
  const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9i';
  const cases: readonly [Partial<SwitchDocument>, RegExp][] = [
    [{ address: '127.0.0.1:1' }, /connecting: ssh said: ssh: connect to host 127\.0\.0\.1 port 1: Connection refused/],
    [{ options: { user, hostKey: other } }, /proves itself with another key than option hostKey says/],
    [{ options: { user } }, /option hostKey: what the switch proves itself with/],
    [{ options: { user: '-oProxyCommand=x', hostKey } }, /option user: letters, digits/],
    [{ address: '-oProxyCommand=x' }, /the address is HOST, HOST:PORT/],
    [{ secret: {} }, /it has no private key/],
    [{ secret: { privateKey: 'not a key at all' } }, /the private key cannot be read/],
    [{ options: { user: 'nobody', hostKey } }, /does not let nobody in with our key/],
    [{ ports: [{ ...access('eth1', 5), name: 'eth1"/><x' }] }, /"eth1"\/><x" cannot be a port of it/],
  ];
  for (const [rest, said] of cases) {
    const { report } = await review(sw([access('eth1', 5)], rest));
    assert.match(report.error!, said);
    assert.ok(!report.error!.includes(privateKey.slice(60, 100)));
  }
});
